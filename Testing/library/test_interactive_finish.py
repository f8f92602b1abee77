"""From memberships to a segmentation."""

from __future__ import annotations

import numpy as np

from DeepMRILib.interactive import SegmentOptions
from DeepMRILib.interactive.engine import Problem
from DeepMRILib.interactive.finish import finished

SHAPE = (24, 20, 16)


def a_problem(points: tuple, negative: list | None = None, **options) -> Problem:
    return Problem(
        image=np.zeros((*SHAPE, 1), dtype=np.float32),
        affine=np.eye(4),
        spacing=(1.0, 1.0, 1.0),
        points=tuple(np.array(each, dtype=float) for each in points),
        negative=np.array(negative if negative is not None else np.zeros((0, 3)), dtype=float).reshape(-1, 3),
        prior=None,
        options=SegmentOptions(**options),
    )


def a_box(*slices: slice) -> np.ndarray:
    found = np.zeros(SHAPE, dtype=bool)
    found[slices] = True
    return found


def of(*regions: np.ndarray) -> np.ndarray:
    labels = np.stack(regions).astype(np.float32)
    return np.concatenate([1 - labels.sum(axis=0, keepdims=True), labels])


LEFT, RIGHT = a_box(slice(2, 9), slice(4, 14), slice(3, 13)), a_box(slice(14, 21), slice(4, 14), slice(3, 13))


def test_only_pieces_with_a_point_stay() -> None:
    membership = of(LEFT | RIGHT)
    labels, _ = finished(membership, a_problem(([[5, 8, 8]],)))
    assert labels.dtype == np.uint8
    assert labels[5, 8, 8] == 1
    assert not labels[12:].any()
    labels, _ = finished(membership, a_problem(([[5, 8, 8], [17, 8, 8]],)))
    assert labels[17, 8, 8] == 1


def test_the_largest_piece_stays_where_no_point_lies_in_one() -> None:
    small = a_box(slice(15, 19), slice(6, 10), slice(6, 10))
    labels, _ = finished(of(LEFT | small), a_problem(([[11, 18, 1]],)))
    assert labels[5, 8, 8] == 1
    assert labels[17, 8, 8] == 0


def test_holes_are_filled_if_asked_for() -> None:
    hollow = LEFT & ~a_box(slice(4, 7), slice(7, 11), slice(6, 10))
    points = ([[3, 5, 5]],)
    assert finished(of(hollow), a_problem(points, smooth=0.0))[0][5, 8, 8] == 1
    assert finished(of(hollow), a_problem(points, smooth=0.0, fill_holes=False))[0][5, 8, 8] == 0


def test_nothing_lies_around_a_negative_point() -> None:
    labels, _ = finished(of(LEFT), a_problem(([[3, 5, 5]],), negative=[[5, 8, 8]]))
    assert not labels[4:7, 7:10, 7:10].any()
    assert labels[3, 5, 5] == 1


def test_a_hole_around_a_negative_point_stays_one() -> None:
    hollow = LEFT & ~a_box(slice(4, 7), slice(7, 11), slice(6, 10))
    labels, _ = finished(of(hollow), a_problem(([[3, 5, 5]],), negative=[[5, 8, 8]], smooth=0.0))
    assert not labels[4:7, 7:11, 6:10].any()


def test_smoothing_moves_no_flat_margin_whichever_side_is_surer() -> None:
    half = np.zeros(SHAPE, dtype=np.float32)
    half[:12] = 0.8
    membership = np.stack([1 - half, half])
    labels, _ = finished(membership, a_problem(([[3, 5, 5]],), smooth=1.5))
    assert labels[11].all()
    assert not labels[12].any()


def test_a_single_voxel_beside_it_is_smoothed_away() -> None:
    membership = of(LEFT | a_box(slice(9, 10), slice(8, 9), slice(8, 9)))
    points = ([[2, 8, 8], [8, 8, 8], [5, 4, 8], [5, 13, 8], [5, 8, 3], [5, 8, 12]],)
    assert finished(membership, a_problem(points))[0][9, 8, 8] == 0
    assert finished(membership, a_problem(points, smooth=0.0))[0][9, 8, 8] == 1


def test_labels_do_not_overlap_and_confidence_is_the_lead() -> None:
    first = np.where(LEFT, 0.6, 0).astype(np.float32)
    second = np.where(LEFT, 0.3, np.where(RIGHT, 1, 0)).astype(np.float32)
    membership = np.stack([1 - first - second, first, second])
    labels, confidence = finished(membership, a_problem(([[5, 8, 8]], [[17, 8, 8]])))
    assert labels[5, 8, 8] == 1
    assert labels[17, 8, 8] == 2
    assert confidence.dtype == np.float32
    assert np.isclose(confidence[5, 8, 8], 0.3)
    assert np.isclose(confidence[17, 8, 8], 1.0)
    assert np.isclose(confidence[0, 0, 0], 1.0)


def test_a_small_lesion_is_smoothed_less() -> None:
    small = a_box(slice(10, 13), slice(8, 11), slice(6, 9))
    points = ([[10, 9, 7], [12, 9, 7], [11, 8, 7], [11, 10, 7], [11, 9, 6], [11, 9, 8]],)
    kept = [finished(of(small), a_problem(points, depth=depth, smooth=2.0))[0].any() for depth in (0.5, 8.0)]
    assert kept == [True, False]
