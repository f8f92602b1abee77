"""Scores of networks, beside what is to be had without looking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.iap import EvaluateOptions, SliceSet, evaluate
from DeepMRILib.iap.calibration import Calibration, HeadCalibration
from DeepMRILib.iap.layout import Head, Layout
from DeepMRILib.iap.measures import balanced_accuracy, calibration_error, group_means, majority, r2, rmse

LAYOUT = Layout(
    (
        Head("manufacturer", "categorical", 0, 2, ("A", "B")),
        Head("echo_time", "continuous", 2, 4, (), np.log(20.0), 1.0, logarithm=True),
        Head("inversion_time", "continuous", 4, 6, (), 1000.0, 500.0, only=("sequence", ("IR",))),
    )
)
SCORES = tuple(np.linspace(0.01, 2.0, 199))


class Reader:
    """A model that reads its outputs from the first pixels."""

    name, weights_sha256, notes, training_data = "reader", "ab", (), ""
    layout = LAYOUT
    calibration = Calibration({head.name: HeadCalibration(1.0, SCORES) for head in LAYOUT.heads}, {}, 199)

    def logits(self, slices: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.ravel(one)[: LAYOUT.outputs] for one in slices])


def series(n: int = 8) -> SliceSet:
    """Two slices each; the vendor is told right but for one series, the echo time 10 % too long."""
    values = {
        "manufacturer": ["A", "A", "A", "A", "A", "A", "B", "B"],
        "sequence": ["SE", "IR"] * 4,
        "echo_time": [10.0, 20.0, 30.0, 40.0, 10.0, 20.0, 80.0, 90.0],
        "inversion_time": [None, 500.0] * 4,
    }
    slices = []
    for row in range(n):
        outputs = np.zeros(36)
        vendor = 0 if row == 6 else "AB".index(values["manufacturer"][row])
        outputs[vendor] = 3
        outputs[2:4] = np.log(1.1 * values["echo_time"][row] / 20), np.log(0.1)
        outputs[4] = -1.0
        slices += [outputs.reshape(6, 6)] * 2
    names = np.repeat([f"s{row}" for row in range(n)], 2)
    doubled = {name: [one for one in column[:n] for _ in range(2)] for name, column in values.items()}
    return SliceSet(slices, doubled, names, names)


def row_of(result: object, parameter: str, group: str = "all") -> dict:
    columns = result.scores.columns
    rows = [dict(zip(columns, row, strict=True)) for row in result.scores.rows]
    return next(row for row in rows if (row["parameter"], row["group"]) == (parameter, group))


def test_measures_by_hand() -> None:
    assert balanced_accuracy(list("aaab"), list("aaaa")) == 0.5
    assert majority(list("aaab")) == 0.75
    assert r2([1, 2, 3], [1, 2, 3]) == 1
    assert r2([1, 2, 3], [2, 2, 2]) == 0
    assert r2([2, 2], [1, 3]) is None
    assert rmse([0, 0], [3, 4]) == pytest.approx(np.sqrt(12.5))
    assert group_means([1, 3, 10], list("aab")).tolist() == [2, 2, 10]
    assert calibration_error([0.95] * 4, [1, 1, 1, 0]) == pytest.approx(0.2)


def test_each_score_stands_beside_the_trivial_one() -> None:
    result = evaluate(Reader(), series())
    vendor, echo = row_of(result, "manufacturer"), row_of(result, "echo_time")
    assert vendor["accuracy"] == pytest.approx(7 / 8)
    assert vendor["majority"] == pytest.approx(6 / 8)
    assert vendor["balanced_accuracy"] == pytest.approx((1 + 0.5) / 2)
    assert vendor["series"] == 8
    assert 0.9 < echo["r2"] < 1
    assert echo["r2"] > echo["vendor_mean_r2"] > 0.3
    assert echo["rmse"] == pytest.approx(0.1 * np.sqrt(np.mean(np.square([10, 20, 30, 40, 10, 20, 80, 90]))))
    truth = np.array([10.0, 20, 30, 40, 10, 20, 80, 90])
    means = np.array([truth[:6].mean()] * 6 + [85.0] * 2)
    assert echo["vendor_mean_rmse"] == pytest.approx(rmse(truth, means))


def test_groups_are_the_sequences_and_a_parameter_counts_only_where_it_has_a_meaning() -> None:
    result = evaluate(Reader(), series())
    assert row_of(result, "echo_time", "IR")["series"] == 4
    inversion = row_of(result, "inversion_time")
    assert inversion["series"] == 4
    assert inversion["r2"] is None  # nothing varies
    assert inversion["median_error"] == pytest.approx(0)


def test_coverage_is_of_the_intervals_and_of_sets_without_added_answers() -> None:
    result = evaluate(Reader(), series(), EvaluateOptions(level=0.9))
    echo = row_of(result, "echo_time")
    # the deviation is 0.1, the quantile at 0.9 is 1.8: 0.18 is more than log 1.1
    assert echo["coverage"] == 1
    assert echo["width"] == pytest.approx(
        np.mean(1.1 * np.array([10, 20, 30, 40, 10, 20, 80, 90])) * 2 * np.sinh(0.18), rel=0.01
    )
    narrow = evaluate(Reader(), series(), EvaluateOptions(level=0.5))
    assert row_of(narrow, "echo_time")["width"] == pytest.approx(echo["width"] / 1.8, rel=0.02)
    vendor = row_of(result, "manufacturer")
    assert (vendor["coverage"], vendor["width"]) == (1.0, 2.0)  # scores above 1 rule no class out


@pytest.mark.parametrize(("score", "coverage"), [(0.3, 7 / 8), (0.01, 0.0)])
def test_a_set_that_would_be_empty_covers_nothing_and_shows_the_likeliest(score: float, coverage: float) -> None:
    reader = Reader()
    scores = {head.name: HeadCalibration(1.0, (score,) * 99) for head in LAYOUT.heads}
    reader.calibration = Calibration(scores, {}, 99)
    vendor = row_of(evaluate(reader, series(), EvaluateOptions(level=0.9)), "manufacturer")  # classes of .95 and .05
    assert (vendor["coverage"], vendor["width"]) == (coverage, 1.0)


def test_confusion_reliability_and_predictions_count_every_series() -> None:
    result = evaluate(Reader(), series())
    assert sum(result.confusion.columns["count"]) == 8
    assert ("manufacturer", "B", "A", 1) in result.confusion.rows
    assert sum(result.calibration.columns["series"]) == 8
    assert len(result.predictions) == 8 + 8 + 4


def test_a_class_that_the_network_does_not_have_is_a_mistake() -> None:
    data = series()
    data.values["manufacturer"][-2:] = ["C", "C"]
    vendor = row_of(evaluate(Reader(), data), "manufacturer")
    assert vendor["accuracy"] == pytest.approx(6 / 8)
    assert vendor["coverage"] == 7 / 8  # all sets hold A and B


APART = Layout(
    (
        Head("sequence", "categorical", 0, 3, ("EP", "IR", "SE")),
        Head("echo_time", "continuous", 3, 5, (), 50.0, 10.0, only=("sequence", ("IR",))),
        Head("echo_time", "continuous", 5, 7, (), 20.0, 10.0, only=("sequence", ("SE",))),
    )
)


class Taker(Reader):
    """A model with echo times of two sequences, and of a third without any."""

    layout = APART
    calibration = Calibration({head.name: HeadCalibration(1.0, SCORES, SCORES) for head in APART.heads}, {}, 199)

    def logits(self, slices: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.ravel(one)[: APART.outputs] for one in slices])


def taken_for(words: str) -> SliceSet:
    """Spin echoes with the same image but for what they are taken for: E(P), I(R) or S(E)."""
    slices = [
        np.r_[3.0 * np.array(["EIS".index(word) == n for n in range(3)]), 0, 0, 0, 0, np.zeros(29)] for word in words
    ]
    names = np.array([f"s{number}" for number in range(len(words))])
    values = {"sequence": ["SE"] * len(words), "echo_time": [10.0 + number for number in range(len(words))]}
    return SliceSet([one.reshape(6, 6) for one in slices], values, names, names)


def test_times_are_of_the_sequence_that_is_seen_or_of_the_true_one() -> None:
    blind, given = (evaluate(Taker(), taken_for("SSIE"), EvaluateOptions(sequence=one)) for one in ("image", "header"))
    told = [row for row in blind.predictions.columns["predicted"] if isinstance(row, float)]
    assert told == [20.0, 20.0, 50.0]  # nothing of the sequence that has no times
    assert row_of(blind, "echo_time")["series"] == 3
    assert [row for row in given.predictions.columns["predicted"] if isinstance(row, float)] == [20.0] * 4
    assert row_of(given, "sequence")["accuracy"] == 0.5  # which is told as ever


def test_nothing_known_of_what_the_model_tells_is_said() -> None:
    data = series()
    bare = SliceSet(data.slices, {"flip_angle": [90.0] * len(data)}, data.series, data.patients)
    with pytest.raises(InputError, match="manufacturer, echo_time"):
        evaluate(Reader(), bare)


@pytest.mark.torch
def test_the_example_is_scored_from_its_files(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from DeepMRILib.iap.example_training import evaluate_inputs
    from DeepMRILib.iap.trained import IAPModel

    given = evaluate_inputs()
    result = evaluate(IAPModel.load(given["model"], device="cpu"), given["folder"])
    assert row_of(result, "sequence")["series"] == 16
    result.save(tmp_path / "out")
    assert (tmp_path / "out" / "scores.csv").is_file()
