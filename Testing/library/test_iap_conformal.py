"""Sets and intervals: their coverage on scores whose law is known, temperatures, and what is said of a series."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.iap.answering import answers
from DeepMRILib.iap.calibration import Calibration, HeadCalibration
from DeepMRILib.iap.conformal import (
    MOST_SCORES,
    calibrated,
    class_set,
    combined_classes,
    combined_numbers,
    fitted_temperature,
    interval,
    quantile,
    thinned,
)
from DeepMRILib.iap.layout import Head, Layout

VENDOR = Head("manufacturer", "categorical", 0, 3, ("A", "B", "C"))
FIELD = Head("field_strength", "ordinal", 3, 6, (0.5, 1.5, 3.0))
ECHO = Head("echo_time", "continuous", 6, 8, (), np.log(20.0), 0.5, logarithm=True)
INVERSION = Head("inversion_time", "continuous", 8, 10, (), 500.0, 100.0, only=("manufacturer", ("A",)))
LAYOUT = Layout((VENDOR, FIELD, ECHO, INVERSION))


class Fixed:
    """A model whose outputs are given."""

    name, weights_sha256, notes, training_data = "fixed", "", (), ""

    def __init__(self, calibration: Calibration | None, layout: Layout = LAYOUT) -> None:
        self.layout, self.calibration = layout, calibration


def outputs(random: np.random.Generator, n: int, truth: np.ndarray) -> np.ndarray:
    """Of n slices of which the vendor is known by chance and the echo time with an error of 0.3."""
    made = np.zeros((n, LAYOUT.outputs))
    made[:, :3] = random.normal(0, 1, (n, 3))
    made[np.arange(n), truth[:, 0].astype(int)] += 1.5
    made[:, 3:6] = random.normal(0, 1, (n, 3)) + 2 * (np.arange(3) == truth[:, 1:2])
    made[:, 6] = truth[:, 2] + random.normal(0, 0.3, n)
    made[:, 7] = np.log(0.1)  # it says that it is surer than it is
    return made


def truths(random: np.random.Generator, n: int) -> np.ndarray:
    made = np.full((n, 4), np.nan)
    made[:, 0], made[:, 1], made[:, 2] = random.integers(3, size=n), random.integers(3, size=n), random.normal(size=n)
    return made


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_sets_and_intervals_cover_as_often_as_they_promise(rng: np.random.Generator, level: float) -> None:
    calibration_truth, test_truth = truths(rng, 3000), truths(rng, 3000)
    names = np.arange(3000).astype(str)
    known = calibrated(LAYOUT, outputs(rng, 3000, calibration_truth), names, calibration_truth)
    test = outputs(rng, 3000, test_truth)
    for head, column in ((VENDOR, 0), (FIELD, 1), (ECHO, 2)):
        scores, held = known[head.parameter], 0
        for row, truth in zip(test, test_truth[:, column], strict=True):
            part = head.outputs(row[None])
            if head.kind == "continuous":
                low, high = interval(head, *combined_numbers(part), scores.scores, level)
                held += low <= head.value(truth) <= high
            else:
                held += int(truth) in class_set(head, combined_classes(part, scores.temperature), scores.scores, level)
        assert held / 3000 == pytest.approx(level, abs=0.025)


def test_a_temperature_has_series_of_its_own_where_there_are_many(rng: np.random.Generator) -> None:
    for count, scored in ((39, 39), (80, 60)):
        truth = truths(rng, count)
        found = calibrated(LAYOUT, outputs(rng, count, truth), np.arange(count).astype(str), truth)
        assert len(found["manufacturer"].scores) == scored
        assert len(found["echo_time"].scores) == count


def test_missing_labels_do_not_count(rng: np.random.Generator) -> None:
    truth = truths(rng, 40)
    truth[::2, 0] = np.nan
    found = calibrated(LAYOUT, outputs(rng, 40, np.nan_to_num(truth)), np.arange(40).astype(str), truth)
    assert len(found["manufacturer"].scores) == 20
    assert found["inversion_time, A"] == HeadCalibration(1.0, ())


def test_series_count_once_however_many_slices_they_have(rng: np.random.Generator) -> None:
    truth = np.repeat(truths(rng, 5), 7, axis=0)
    found = calibrated(LAYOUT, outputs(rng, 35, truth), np.repeat(np.arange(5), 7).astype(str), truth)
    assert len(found["echo_time"].scores) == 5


def test_the_quantile_has_the_correction_for_few_scores() -> None:
    scores = [float(one) for one in range(1, 20)]
    assert quantile(scores, 0.9) == 18  # rank ceil(20 * 0.9)
    assert quantile(scores, 0.95) == 19
    assert quantile(scores, 0.96) == np.inf
    assert quantile([], 0.5) == np.inf


def test_thinned_scores_make_no_quantile_smaller(rng: np.random.Generator) -> None:
    scores = np.sort(rng.exponential(size=1777))
    few = thinned(scores)
    assert len(few) <= MOST_SCORES
    for level in (0.5, 0.8, 0.9, 0.95):
        assert quantile(scores, level) <= quantile(few, level) + 1e-6
        assert quantile(few, level) <= quantile(scores, min(level + 0.01, 0.99)) + 1e-6


def test_too_few_scores_for_a_level_give_all_classes_and_no_interval() -> None:
    assert class_set(VENDOR, np.array([0.9, 0.1, 0.0]), [0.1], 0.9) == (0, 1, 2)
    assert interval(ECHO, 0.0, 1.0, [0.1], 0.9) == (None, None)


def test_temperature_makes_overconfident_probabilities_honest(rng: np.random.Generator) -> None:
    truth = rng.integers(3, size=4000)
    honest = rng.normal(0, 1, (4000, 3)) + np.eye(3)[truth]  # log-odds as they should be, up to a constant
    loud = 4 * honest
    assert fitted_temperature(loud[:, None], truth) == pytest.approx(
        4 * fitted_temperature(honest[:, None], truth), rel=1e-3
    )
    assert fitted_temperature(honest[:, None], truth) == pytest.approx(1, abs=0.1)


def test_slices_are_combined_by_their_mean_log_probability() -> None:
    one = combined_classes([[2.0, 0.0], [0.0, 2.0]])
    assert one == pytest.approx([0.5, 0.5])
    sure = combined_classes([[4.0, 0.0], [0.0, 1.0]])
    assert sure[0] > 0.75


def test_the_surer_slice_counts_more_and_disagreement_widens() -> None:
    mean, deviation = combined_numbers([[0.0, np.log(0.1)], [1.0, np.log(10.0)]])
    assert mean < 0.01
    assert deviation == pytest.approx(0.1 * np.sqrt(2), rel=0.05)
    apart = combined_numbers([[0.0, np.log(0.1)], [1.0, np.log(0.1)]])[1]
    assert apart == pytest.approx(np.sqrt(0.1**2 + 0.25))


def test_sets_of_ordinal_heads_have_no_gaps() -> None:
    scores = list(np.linspace(0.0, 0.75, 100))
    assert class_set(FIELD, np.array([0.45, 0.1, 0.45]), scores, 0.9) == (0, 1, 2)
    assert class_set(VENDOR, np.array([0.45, 0.1, 0.45]), scores, 0.9) == (0, 2)


def a_calibration() -> Calibration:
    scores = tuple(np.linspace(0.0, 0.5, 100))
    return Calibration({head.name: HeadCalibration(1.0, scores) for head in LAYOUT.heads}, {}, 100)


def test_answers_say_value_probability_sets_and_slices() -> None:
    logits = np.zeros((3, LAYOUT.outputs))
    logits[:, 1] = 5, 5, -1
    logits[2, 0] = 5
    logits[:, 5] = 9
    logits[:, 6] = 1.0
    told = answers(Fixed(a_calibration()), [np.zeros((4, 4))] * 3, 0.9, logits=logits)
    vendor, echo = told["manufacturer"], told["echo_time"]
    assert vendor.value == "B"
    assert vendor.slices == ("B", "B", "A")
    assert vendor.agreement == pytest.approx(2 / 3)
    assert vendor.slice in (0, 1)
    assert told["field_strength"].classes == (3.0,)
    assert echo.value == pytest.approx(20 * np.exp(0.5))
    assert echo.low < echo.value < echo.high
    assert echo.high / echo.value == pytest.approx(echo.value / echo.low)
    assert not told["inversion_time"].meant  # the vendor is not A


APART = Layout(
    (
        Head("sequence", "categorical", 0, 2, ("IR", "SE")),
        Head("echo_time", "continuous", 2, 4, (), 50.0, 10.0, only=("sequence", ("IR",))),
        Head("echo_time", "continuous", 4, 6, (), 20.0, 5.0, only=("sequence", ("SE",))),
    )
)


def test_of_several_heads_for_one_parameter_that_of_the_told_class_answers() -> None:
    model = Fixed(None, APART)
    for taken, value in (([5.0, 0.0], 50.0), ([0.0, 5.0], 20.0)):
        told = answers(model, [np.zeros((4, 4))], logits=np.array([[*taken, 0.0, 0.0, 0.0, 0.0]]))
        assert list(told) == ["sequence", "echo_time"]
        assert told["echo_time"].value == value
        assert told["echo_time"].meant


def test_where_the_class_is_known_its_head_answers_whatever_was_told() -> None:
    scores = {"echo_time, SE": HeadCalibration(1.0, (0.1,) * 20, (0.4,) * 20)}
    logits = np.array([[5.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    told = answers(Fixed(Calibration(scores, {}), APART), [np.zeros((4, 4))], logits=logits, known={"sequence": "SE"})
    echo = told["echo_time"]
    assert told["sequence"].value == "IR"
    assert (echo.value, echo.low, echo.high, echo.given, echo.meant) == (20.0, 18.0, 22.0, "SE", True)


def test_each_of_several_heads_is_scored_where_it_would_be_asked() -> None:
    """Two series taken for IR, of which one is not, and one taken for SE."""
    logits = np.array([[5.0, 0, 1, 0, 9, 0], [5.0, 0, 0, 0, 9, 0], [0, 5.0, 9, 0, 2, 0]])
    wanted = np.array([[0.0, 1.0, np.nan], [1.0, -3.0, 3.0], [1.0, -3.0, 3.0]])
    found = calibrated(APART, logits, np.array(["a", "b", "c"]), wanted)
    assert found["echo_time, IR"].scores == (0.0, 3.0)
    assert found["echo_time, SE"].scores == (1.0,)
    assert found["echo_time, IR"].given == (0.0,)
    assert found["echo_time, SE"].given == (1.0, 6.0)


@pytest.mark.parametrize(
    "change",
    [
        {"only": ("sequence", ("IR",))},
        {"only": ("sequence", ("EP",))},
        {"only": ("flip_angle", ("SE",))},
        {"only": ("", ())},
        {"logarithm": True},
    ],
)
def test_heads_of_one_parameter_that_do_not_go_together_are_refused(change: dict) -> None:
    with pytest.raises(InputError, match="echo_time has 2 heads"):
        Layout((*APART.heads[:2], dataclasses.replace(APART.heads[2], **change)))


def test_an_answer_that_no_set_would_hold_is_added_and_said_so() -> None:
    told = answers(Fixed(a_calibration()), [np.zeros((4, 4))], 0.5, logits=np.zeros((1, LAYOUT.outputs)))[
        "manufacturer"
    ]
    assert told.probability == pytest.approx(1 / 3)
    assert told.classes == (told.value,)
    assert not told.strict


def test_without_a_calibration_there_are_neither_sets_nor_intervals() -> None:
    told = answers(Fixed(None), [np.zeros((4, 4))], 0.9, logits=np.zeros((1, LAYOUT.outputs)))
    assert told["manufacturer"].classes == ()
    assert told["echo_time"].low is None


def test_a_calibration_survives_json() -> None:
    one = a_calibration()
    assert Calibration.from_json(one.to_json()) == one


def test_a_network_that_is_nearly_always_sure_keeps_its_sets() -> None:
    """Its scores are far below what is kept of them; rounded to 0 they would leave every set empty."""
    probabilities = np.array([1 - 2e-8, 1e-8, 1e-8])
    kept = thinned(np.full(50, 2e-8))
    assert class_set(VENDOR, probabilities, kept, 0.9) == (0,)


def test_importing_the_package_does_not_import_scipy() -> None:
    code = (
        "import sys, DeepMRILib.iap; print([name for name in sys.modules if name.split('.')[0] in ('scipy', 'torch')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout.strip() == "[]"
