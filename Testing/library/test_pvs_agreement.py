"""Agreement with a reference, against counts made by hand and against another way of computing."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.agreement import (
    average_precision,
    by_size,
    cluster_agreement,
    precision_recall,
    surface_distance_95,
    voxel_agreement,
)
from DeepMRILib.pvs.evaluating import WHOLE, evaluate
from DeepMRILib.pvs.options_evaluate import EvaluateOptions
from DeepMRILib.pvs.report import evaluate_report
from DeepMRILib.volume import LabelVolume, Volume

GRID = (24, 20, 16)


@pytest.fixture
def truth() -> np.ndarray:
    """Clusters of 4, 8 and 20 voxels."""
    mask = np.zeros(GRID, bool)
    mask[2:6, 3, 3] = True
    mask[2:10, 10, 3] = True
    mask[2:22, 3, 10] = True
    return mask


@pytest.fixture
def found(truth) -> np.ndarray:
    """One voxel of the second, half of the third, and a cluster of 6 that is none."""
    mask = np.zeros(GRID, bool)
    mask[2, 10, 3] = True
    mask[2:12, 3, 10] = True
    mask[14:20, 16, 12] = True
    return mask


def test_voxels(found, truth) -> None:
    agreement = voxel_agreement(found, truth)
    assert (agreement.hits, agreement.missed, agreement.found, agreement.false) == (11, 21, 17, 6)
    assert agreement.f1 == pytest.approx(2 * 11 / (17 + 32))


def test_one_voxel_of_a_cluster_is_enough(found, truth) -> None:
    agreement = cluster_agreement(found, truth)
    assert (agreement.hits, agreement.missed, agreement.found, agreement.false) == (2, 1, 3, 1)
    assert agreement.sensitivity == pytest.approx(2 / 3)
    assert agreement.precision == pytest.approx(2 / 3)
    large = cluster_agreement(found, truth, voxel_volume=0.5, min_size=3.0)
    assert (large.hits, large.missed) == (2, 0)


def test_two_found_clusters_in_one_are_both_right(truth) -> None:
    found = np.zeros(GRID, bool)
    found[2:5, 3, 10] = found[10:14, 3, 10] = True
    agreement = cluster_agreement(found, truth)
    assert (agreement.hits, agreement.found, agreement.false) == (1, 2, 0)
    assert agreement.precision == 1


def test_nothing_against_nothing_agrees_and_against_something_does_not(truth) -> None:
    nothing = np.zeros(GRID, bool)
    for agreement in (voxel_agreement, cluster_agreement):
        assert agreement(nothing, nothing).f1 == 1
        assert agreement(truth, nothing).f1 == agreement(nothing, truth).f1 == 0


def test_sizes(found, truth) -> None:
    rows = by_size(found, truth, voxel_volume=1.0)
    assert [row["reference"] for row in rows] == [1, 1, 0, 1]
    assert [row["found"] for row in rows] == [1, 1, 1, 0]
    assert [row["sensitivity"] for row in rows] == pytest.approx([0, 1, np.nan, 1], nan_ok=True)
    assert [row["precision"] for row in rows] == pytest.approx([1, 0, 1, np.nan], nan_ok=True)


def test_the_area_below_precision_over_recall(truth) -> None:
    random = np.random.default_rng(5)
    score = (truth + random.normal(0, 0.6, GRID)).round(1)  # rounded: many values are equal
    values = np.unique(score)[::-1]
    area, before = 0.0, 0.0
    for value in values:  # as the definition says, threshold by threshold
        above = score >= value
        recall = (above & truth).sum() / truth.sum()
        area += (recall - before) * (above & truth).sum() / above.sum()
        before = recall
    assert average_precision(score, truth) == pytest.approx(area)
    assert average_precision(truth.astype(float), truth) == 1
    assert average_precision(np.zeros(GRID), truth) == pytest.approx(truth.mean()), "chance"
    precision, recall, thresholds = precision_recall(score, truth)
    assert recall[-1] == 1
    assert precision[-1] == pytest.approx(truth.mean())
    assert (np.diff(thresholds) < 0).all()
    assert np.isnan(average_precision(score, np.zeros(GRID)))


def test_the_margin_distance_is_in_mm_and_of_what_was_found(truth) -> None:
    moved = np.zeros(GRID, bool)
    moved[2:22, 3:5, 10] = True  # one voxel thicker
    moved[14:20, 16, 12] = True  # false: does not count
    assert surface_distance_95(truth, truth, (1, 1, 1)) == 0
    assert surface_distance_95(moved, truth, (1, 2.5, 1)) == pytest.approx(2.5)
    assert np.isnan(surface_distance_95(np.zeros(GRID, bool), truth, (1, 1, 1)))


def test_an_evaluation_has_all_its_tables(found, truth, tmp_path) -> None:
    score = Volume(found * 0.9 + truth * 0.05, np.eye(4))
    regions = LabelVolume(np.repeat(np.array([1, 2], np.uint8), 8)[None, None].repeat(24, 0).repeat(20, 1))
    regions = LabelVolume(regions.array, np.eye(4), {1: "below", 2: "above"})
    result = evaluate(score, Volume(truth.astype(np.uint8)), EvaluateOptions(min_size=2), regions=regions)
    rows = {(row[0], row[1]): dict(zip(result.agreement.columns, row, strict=True)) for row in result.agreement.rows}
    assert list(rows) == [(name, of) for name in (WHOLE, "below", "above") for of in ("voxels", "clusters")]
    assert rows[WHOLE, "clusters"]["found"] == 2, "the cluster of one voxel is too small"
    assert rows["above", "voxels"]["hits"] == 10
    values = dict(zip(result.summary.columns["measure"], result.summary.columns["value"], strict=True))
    assert values["chance"] == pytest.approx(truth.mean())
    assert values["average precision"] > 3 * values["chance"]
    assert values["count error"] == 2 - 3
    assert values["volume error"] == 16 - 32
    assert evaluate_report(result).html().count("data:image/png") >= 2
    result.save(tmp_path / "out")
    assert {"agreement.csv", "sizes.csv", "curve.csv", "found.nii.gz"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_only_voxels_in_the_brain_count(found, truth) -> None:
    brain = np.zeros(GRID, np.uint8)
    brain[:12] = 1
    result = evaluate(Volume(found.astype(float)), Volume(truth.astype(np.uint8)), brain_mask=Volume(brain))
    assert result.agreement.columns["false"][0] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found, truth: (found * 300.5, truth), "values from 0 to 300.5"),
        (lambda found, truth: (found - 0.5, truth), "values from -0.5"),
        (lambda found, truth: (found, truth[1:]), "The reference has 23 x 20 x 16"),
        (lambda found, truth: (found, truth * 0), "The reference is empty"),
        (lambda found, truth: (found, truth + 7), "marks 100 % of the voxels"),
        (lambda found, truth: (np.stack([found] * 2, -1), truth), "one image of numbers"),
    ],
)
def test_what_cannot_be_compared_is_refused(found, truth, change, words) -> None:
    found, truth = change(found.astype(float), truth.astype(np.uint8))
    with pytest.raises(InputError, match=words):
        evaluate(Volume(found), Volume(truth))


def test_an_empty_overlap_of_reference_and_brain_is_refused(found, truth) -> None:
    with pytest.raises(InputError, match="belong together"):
        evaluate(Volume(found.astype(float)), Volume(truth.astype(int)), brain_mask=Volume((~truth).astype(int)))
