"""Clusters, regions, tables and re-labelling, on arrays whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.census import ELSEWHERE, WHOLE, region_of_each
from DeepMRILib.pvs.clusters import clusters_of, connected, longest_extent
from DeepMRILib.pvs.options import RelabelOptions
from DeepMRILib.pvs.regions import NAMES, depth_shells, regions_of
from DeepMRILib.pvs.relabel import SPACE, relabel, relabelled
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.results import Provenance
from DeepMRILib.volume import LabelVolume, Volume

GRID = (20, 18, 16)
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 1.0, 0, -5], [0, 0, 0.5, 3], [0, 0, 0, 1]])


@pytest.fixture
def probability() -> Volume:
    """A row of six voxels at 0.9, five that touch by corners only at 0.7, and one alone at 0.6."""
    array = np.zeros(GRID, np.float32)
    array[2:8, 4, 4] = 0.9
    for n in range(5):
        array[10 + n, 8 + n, 8 + n] = 0.7
    array[2, 15, 12] = 0.6
    return Volume(array, AFFINE)


def found(probability: Volume, **settings: float) -> list[int]:
    options = RelabelOptions(**{"threshold": 0.5, "min_size": 0.0, **settings})
    return relabelled(probability, np.ones(GRID), None, options).census.columns["voxels"]


def test_clusters_touch_by_corners_and_come_from_the_largest_down(probability) -> None:
    assert found(probability) == [6, 5, 1]
    assert connected(np.asarray(probability.array) > 0.5)[1] == 3


def test_a_value_at_the_threshold_is_no_space(probability) -> None:
    assert found(probability, threshold=0.9) == []
    assert found(probability, threshold=0.65) == [6, 5]


def test_the_smallest_size_is_kept(probability) -> None:
    assert found(probability, min_size=5.0) == [6, 5]  # voxels of 1 mm3
    assert found(probability, min_size=5.1) == [6]


def test_a_size_is_met_although_the_affine_was_rounded() -> None:
    array = np.zeros(GRID, np.float32)
    array[2:7, 4, 4] = 1
    assert found(Volume(array, np.diag([0.99999, 1, 1, 1])), min_size=5.0) == [5]


def test_clusters_outside_the_brain_are_left_out(probability) -> None:
    brain = np.zeros(GRID, bool)
    brain[4:] = True  # a third of the row lies outside
    given = {"threshold": 0.5, "min_size": 2.0, "voxel_volume": 1.0}
    kept = clusters_of(np.asarray(probability.array), brain, max_outside=0.25, **given)
    assert kept.voxels.tolist() == [5]
    kept = clusters_of(np.asarray(probability.array), brain, max_outside=0.34, **given)
    assert kept.voxels.tolist() == [6, 5]
    assert kept.outside.tolist() == pytest.approx([2 / 6, 0])


def test_the_census_tells_place_size_and_value(probability) -> None:
    row = dict(zip(*_columns(relabelled(probability, np.ones(GRID), None, RelabelOptions()).census), strict=True))
    assert row["cluster"] == 1
    assert row["voxels"] == 6
    assert row["volume"] == pytest.approx(6 * 1.0)
    assert row["length"] == pytest.approx(5 * 2.0 + 1.0)
    assert (row["r"], row["a"], row["s"]) == pytest.approx((30 - 2 * 4.5, -1.0, 5.0))
    assert row["probability"] == pytest.approx(0.9)


def _columns(table):
    return list(table.columns), table.rows[0]


def test_a_cluster_belongs_where_most_of_it_lies_and_ties_go_to_the_lowest_number(probability) -> None:
    regions = np.zeros(GRID, np.uint8)
    regions[2:5], regions[5:8], regions[10:13], regions[13:] = 7, 3, 2, 4
    kept = clusters_of(
        np.asarray(probability.array), np.ones(GRID, bool), threshold=0.5, min_size=0, max_outside=1, voxel_volume=1
    )
    assert region_of_each(kept, regions, 7).tolist() == [3, 2, 7]
    regions[2:5] = 0
    assert region_of_each(kept, regions, 7).tolist() == [3, 2, 0], "any region comes before none"


def test_statistics_have_a_row_for_each_region_and_count_what_lies_elsewhere(probability) -> None:
    regions = np.zeros(GRID, np.uint8)
    regions[2:9] = 1
    regions[:, :, 12] = 0
    labels = LabelVolume(regions, AFFINE, {1: "near", 2: "far"})
    options = RelabelOptions(threshold=0.5, min_size=0)
    table = relabelled(probability, np.ones(GRID), labels, options).statistics
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert list(rows) == [WHOLE, "near", ELSEWHERE]
    assert rows[WHOLE]["clusters"] == 3
    assert rows[WHOLE]["total"] == pytest.approx(12)
    assert rows[WHOLE]["std"] == pytest.approx(np.std([6, 5, 1], ddof=1))
    assert rows["near"]["total_voxels"] == 6
    assert np.isnan(rows["near"]["std"])
    assert rows["near"]["region_volume"] == pytest.approx((regions == 1).sum() / 1000)
    assert rows[ELSEWHERE]["clusters"] == 2


def test_regions_without_spaces_keep_their_row() -> None:
    regions = LabelVolume(np.ones(GRID, np.uint8), np.eye(4), {1: "all"})
    table = relabelled(Volume(np.zeros(GRID, np.float32)), np.ones(GRID), regions).statistics
    assert [row[:2] for row in table.rows] == [(WHOLE, 0), ("all", 0)]
    assert np.isnan(table.columns["mean"]).all()


def test_relabelling_a_result_changes_what_it_must_and_nothing_else(probability) -> None:
    made = Provenance(job="pvs.segment", engine="test", options={"threshold": 0.5, "min_size": 5.0, "scales": (1.0,)})
    brain = LabelVolume(np.ones(GRID, np.uint8), AFFINE)
    before = PVSResult(provenance=made, probability=probability, brain=brain)
    after = relabel(before, RelabelOptions(threshold=0.8, min_size=0.0))
    assert after.census.columns["voxels"] == [6]
    assert after.segmentation.names == {1: SPACE}
    assert after.provenance.options == {
        "threshold": 0.8, "min_size": 0.0, "max_outside": 0.25, "scales": (1.0,)
    }  # fmt: skip
    assert after.probability is before.probability
    with pytest.raises(InputError, match="no probability"):
        relabel(PVSResult(provenance=made))
    with pytest.raises(InputError, match="Give those of one result"):
        relabelled(probability, np.ones((3, 3, 3)), None)


def test_the_longest_extent_of_many_voxels_is_nearly_that_of_all_pairs() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        points = random.normal(size=(400, 3)) * random.uniform(1, 8, 3)
        longest = pdist(points).max()
        assert 0.96 * longest <= longest_extent(points, 0.0) <= longest


# -- regions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def head() -> tuple[np.ndarray, np.ndarray]:
    """Two halves of white matter in cortex, with putamen and thalamus on each side and a ventricle between."""
    labels = np.zeros((60, 50, 40), int)
    labels[4:56, 4:46, 4:36] = 3
    labels[6:54, 6:44, 6:34] = 2
    labels[30:] = np.where(labels[30:] == 2, 41, np.where(labels[30:] == 3, 42, 0))
    for side, (putamen, thalamus) in enumerate(((12, 10), (51, 49))):
        for number, near, far in ((putamen, 14, 18), (thalamus, 22, 26)):
            i = slice(near, far) if not side else slice(60 - far, 60 - near)
            labels[i, 15:35, 12:28] = number
    labels[28:30, 15:35, 12:28], labels[30:32, 15:35, 12:28] = 4, 43
    labels[26:34, 15:35, 30:32] = 251
    labels[40:44, 6:10, 6:10] = 77
    return labels, labels > 0


def test_every_voxel_of_the_brain_but_ventricles_has_a_region(head) -> None:
    labels, brain = head
    brain = brain.copy()
    brain[2:4, 10:20, 10:20] = True  # of the mask, but without a label
    regions, names = regions_of(labels, brain)
    assert names == NAMES
    assert (regions[brain & ~np.isin(labels, (4, 43))] > 0).all()
    assert not regions[~brain].any()
    assert not regions[np.isin(labels, (4, 43))].any()
    assert (regions[2:4, 10:20, 10:20] == 1).all()


def test_the_capsule_between_nuclei_counts_with_them_and_the_rest_does_not(head) -> None:
    labels, brain = head
    regions, _ = regions_of(labels, brain)
    assert (regions[18:22, 18:32, 15:25] == 2).all()
    assert (regions[38:42, 18:32, 15:25] == 7).all()
    assert (regions[26:28, 18:32, 15:25] == 2).all(), "white matter between thalamus and ventricle"
    assert (regions[6:9, 18:32, 15:25] == 1).all()
    assert (regions[labels == 42] == 6).all()


def test_white_matter_without_a_side_takes_that_of_its_neighbours(head) -> None:
    labels, brain = head
    regions, _ = regions_of(labels, brain)
    assert (regions[40:44, 6:10, 6:10] == 6).all()
    assert set(np.unique(regions[labels == 251])) <= {1, 2, 6, 7}


def test_parts_of_the_cortex_count_as_cortex_and_the_insula_with_the_nuclei() -> None:
    labels = np.array([1001, 1035, 2035, 2030, 16, 28, 8, 47, 54, 9999, -3]).reshape(11, 1, 1)
    regions, _ = regions_of(labels, np.ones_like(labels, bool))
    assert regions[:9, 0, 0].tolist() == [1, 2, 7, 6, 11, 5, 4, 9, 8]
    assert (regions[9:] == 8).all(), "unknown numbers go to the nearest region"


def test_shells_follow_the_depth() -> None:
    axis = np.arange(70) - 34.5
    radius = np.sqrt(sum(a**2 for a in np.meshgrid(axis, axis, axis, indexing="ij")))
    brain = radius < 32
    shells, names = depth_shells(brain)
    assert names == {
        1: "Depth 0 to 5 mm", 2: "Depth 5 to 10 mm", 3: "Depth 10 to 20 mm", 4: "Depth over 20 mm",
    }  # fmt: skip
    depth = 32 - radius
    for number, (low, high) in enumerate(((0, 5), (5, 10), (10, 20), (20, 32)), start=1):
        sure = brain & (depth > low + 1) & (depth < high - 1)
        assert (shells[sure] == number).all()
    assert not shells[~brain].any()
