"""Scores against values worked out by hand, and against what is published of the shared signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.ivim_reference import RANGES, load

from DeepMRILib import ivim
from DeepMRILib.errors import InputError
from DeepMRILib.ivim import FitOptions, SquaresOptions, scores
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

TRUTH = {"D": np.array([1.0, 2.0, 4.0, 1.0])}
FOUND = {"D": np.array([1.5, 1.0, 4.0, 2.0])}


def test_the_scores_of_four_voxels() -> None:
    (row,) = scores.score(FOUND, TRUTH, {"D": np.array([0.6, 0.9, 0.0, 1.0])})
    assert row["parameter"] == "D"
    assert row["median_error"] == pytest.approx(0.5)  # of 0.5, 0.5, 0, 1
    assert row["nrmse"] == pytest.approx(np.sqrt((0.25 + 1 + 0 + 1) / 4) / 2)
    assert row["bias"] == pytest.approx((0.5 - 1 + 0 + 1) / 4 / 2)
    # ranks 2 1 4 3 of the estimates, 1.5 3 4 1.5 of the truth
    assert row["spearman"] == pytest.approx(1.5 / np.sqrt(5 * 4.5))
    assert row["coverage"] == pytest.approx(0.75)


def test_failed_voxels_are_left_out_and_missing_spreads_do_not_count() -> None:
    found = {"D": [1.1, np.nan, 3.0]}
    (row,) = scores.score(found, {"D": [1.0, 1.0, 2.0]}, {"D": [0.2, 0.2, np.nan]})
    assert row["median_error"] == pytest.approx((0.1 + 0.5) / 2)
    assert row["coverage"] == 1
    (row,) = scores.score({"D": [np.nan]}, {"D": [1.0]})
    assert all(np.isnan(row[name]) for name in scores.SCORES)


def test_scores_need_pairs() -> None:
    with pytest.raises(InputError, match="D: 2 estimates for 3 true values"):
        scores.score({"D": [1, 2]}, {"D": [1, 2, 3]})
    with pytest.raises(InputError, match="Nothing to score: found are f, known are D"):
        scores.score({"f": [1]}, {"D": [1]})


def test_what_does_not_vary_has_no_rank() -> None:
    assert np.isnan(scores.spearman([1, 1, 1], [1, 2, 3]))
    assert scores.spearman([1, 5, 2], [-3, 80, 0]) == pytest.approx(1)
    assert scores.spearman([3, 2, 1], [1, 4, 9]) == pytest.approx(-1)


def test_dependence_between_estimates_is_seen_whatever_its_sign() -> None:
    random = np.random.default_rng(0)
    D, f = random.random((2, 5000))
    rows = scores.between_estimates({"D": D, "f": f, "D_star": 1 - D**3})
    found = {(row["first"], row["second"]): row["rho"] for row in rows}
    assert found["D", "D_star"] == pytest.approx(1)
    assert found["D", "f"] < 0.05
    assert found["f", "D_star"] < 0.05


def test_consistency_is_the_mean_variance_over_trainings_as_part_of_the_truth() -> None:
    truth = {"f": np.array([0.1, 0.3])}
    repeats = [{"f": np.array([0.1, 0.2])}, {"f": np.array([0.3, 0.2])}, {"f": np.array([0.2, 0.5])}]
    (row,) = scores.consistency(repeats, truth)
    assert row == {"parameter": "f", "cv": pytest.approx(np.sqrt((0.01 + 0.03) / 2) / 0.2)}
    with pytest.raises(InputError, match="at least two trainings; there are 1"):
        scores.consistency(repeats[:1], truth)


@pytest.mark.shared_data
@pytest.mark.parametrize(("snr", "expected"), [(20, (0.324, 0.372, 0.353)), (50, (0.318, 0.363, 0.352))])
def test_the_constant_guess_scores_as_published(shared_data: Path, snr: int, expected: tuple) -> None:
    simulated = load(shared_data / "ivim_simulated", snr)
    guess = scores.constant_guess(RANGES, len(simulated.signals))
    rows = scores.score(guess, simulated.truth)
    assert [row["parameter"] for row in rows] == ["D", "f", "D_star"]
    np.testing.assert_allclose([row["median_error"] for row in rows], expected, atol=0.002)


@pytest.mark.shared_data
def test_clipping_least_squares_halves_its_error_of_the_blood(shared_data: Path) -> None:
    simulated = load(shared_data / "ivim_simulated", 20)
    n = len(simulated.signals)
    series = DiffusionVolume(simulated.signals.reshape(n, 1, 1, -1), np.eye(4), simulated.b)
    maps = ivim.fit(series, FitOptions(body_part="brain"), mask=np.ones((n, 1, 1))).maps
    found = {name: maps[name].array for name in RANGES}
    free, limited = (
        {row["parameter"]: row["nrmse"] for row in scores.score(one, simulated.truth)}
        for one in (found, scores.clipped(found, RANGES))
    )
    assert limited["D_star"] == pytest.approx(0.504, abs=0.03)  # as measured with another program's fits
    assert all(limited[name] < free[name] for name in RANGES)
    assert limited["D_star"] < 0.65 * free["D_star"]


# -- maps ---------------------------------------------------------------------------------------------------------


def volume(*values: float) -> Volume:
    return Volume(np.array(values, dtype=float).reshape(-1, 1, 1))


def test_maps_are_scored_in_each_region_and_together() -> None:
    labels = LabelVolume(np.array([1, 1, 2, 2, 0]).reshape(-1, 1, 1), np.eye(4), {1: "liver", 2: "kidney"})
    truth = {"f_true": volume(0.2, 0.2, 0.4, 0.0, 0.4)}
    maps = {"f": volume(0.3, 0.1, 0.4, 0.9, 9.0), "f_sd": volume(0.2, 0.05, 0.1, 0.1, 0.1)}
    table = ivim.evaluate_maps(maps, truth, labels, ranges={"f": (0.15, 0.5)})
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == ["liver", "kidney", "all"]
    assert rows["liver"]["median_error"] == pytest.approx(0.5)
    assert rows["liver"]["coverage"] == 0.5
    assert rows["liver"]["clipped_error"] == pytest.approx((0.5 + 0.25) / 2)
    assert rows["kidney"]["voxels"] == 1  # without blood f means nothing, and outside the regions nothing counts
    assert rows["kidney"]["median_error"] == 0
    assert rows["all"]["voxels"] == 3
    assert rows["all"]["constant_error"] == pytest.approx(0.625)  # 0.325 for 0.2, 0.2, 0.4
    without = ivim.evaluate_maps(maps, truth, labels)
    assert without.columns["constant_error"][0] == 0  # the median of the truth
    assert np.isnan(without.columns["clipped_error"]).all()


def test_a_fit_of_the_squares_is_scored_where_it_was_fitted() -> None:
    made = ivim.squares(SquaresOptions(size=30, snr=200))
    mask = np.zeros((30, 30, 1))
    mask[10:20, 10:20] = 1
    result = ivim.fit(made.dwi, mask=mask)
    table = ivim.evaluate_maps(result, {name: made.truth[f"{name}_true"] for name in ("D", "f")}, made.labels)
    found = {(row[0], row[1]): dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert found["all", "D"]["voxels"] == 100
    assert found["outer square", "D"]["voxels"] == 0
    assert np.isnan(found["outer square", "D"]["median_error"])
    assert found["all", "D"]["median_error"] < 0.03
    assert found["all", "f"]["median_error"] < 0.06
    assert 0.5 < found["all", "D"]["coverage"] < 0.8


def test_maps_that_cannot_be_scored_are_one_sentence() -> None:
    with pytest.raises(InputError, match="Nothing to score: the maps are f, the truth D_true"):
        ivim.evaluate_maps({"f": volume(1)}, {"D_true": volume(1)})
    with pytest.raises(InputError, match="The true maps lie on another grid"):
        ivim.evaluate_maps({"f": volume(1)}, {"f": volume(1, 2)})
    with pytest.raises(InputError, match="No voxel to score"):
        ivim.evaluate_maps({"f": volume(1)}, {"f": volume(1)}, inside=np.zeros((1, 1, 1)))
