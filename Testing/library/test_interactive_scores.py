"""After a network: holes and pieces in three dimensions, scores in mm."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.interactive.postprocess import postprocessed
from DeepMRILib.interactive.scoring import case_rows, means

# -- postprocessing --


def test_holes_and_pieces_are_those_of_three_dimensions() -> None:
    labels = np.zeros((9, 9, 9), np.uint8)
    labels[1:6, 1:6, 1:6] = 1
    labels[2:5, 2:5, 3] = 0  # a hole in 3D
    labels[3, 3, 5] = 0  # a dent, which is a hole in one slice only
    labels[7:, 7:, 7:] = 1
    filled = postprocessed(labels, "fill")
    assert filled[3, 3, 3] == 1
    assert filled[3, 3, 5] == 0
    assert postprocessed(labels, "largest")[8, 8, 8] == 0
    assert postprocessed(labels, "none").sum() == labels.sum()
    both = postprocessed(labels, "fill+largest")
    assert both[3, 3, 3] == 1
    assert both[8, 8, 8] == 0
    points = (np.array([[7, 7, 7], [8, 8, 8.2], [3, 1, 1]]),)
    assert postprocessed(labels, "largest", points)[8, 8, 8] == 1
    assert postprocessed(labels, "largest", points)[1, 1, 1] == 0


def test_a_piece_goes_on_across_edges_and_labels_stay_apart() -> None:
    labels = np.zeros((4, 4, 3), np.uint8)
    labels[0, 0, 0] = labels[1, 1, 0] = labels[2, 2, 2] = 1  # the first two share an edge
    assert postprocessed(labels, "largest").sum() == 2
    ring = np.ones((5, 5, 5), np.uint8)
    ring[2, 2, 2] = 2
    ring[1, 1, 1] = 0
    filled = postprocessed(ring, "fill")
    assert filled[1, 1, 1] == 1
    assert filled[2, 2, 2] == 2


# -- scores --


def test_scores_are_counted_on_the_whole_image_in_mm() -> None:
    affine = np.diag([-2.0, 1, 3, 1])
    truth = np.zeros((12, 12, 12), np.uint8)
    truth[2:6, 2:6, 2:6] = 1
    truth[10, 10, 10] = 2
    found = np.zeros_like(truth)
    found[3:7, 2:6, 2:6] = 1
    masks = [PlacedMask.of(array, affine) for array in (found, truth)]
    first, second = case_rows(*masks, ("a", "b"), about={"case": "x"}, baselines={"geodesic": masks[1]})
    assert first["dice"] == pytest.approx(0.75)
    assert first["hausdorff"] == pytest.approx(2.0)
    assert first["volume"] == first["volume_truth"] == pytest.approx(64 * 6)
    assert first["dice_geodesic"] == 1
    assert first["dice_ellipsoid"] is None
    assert (second["label"], second["dice"], second["hausdorff"], second["volume"]) == ("b", 0, None, 0)
    table = means([first, second])
    assert table.columns["label"] == ["a", "b", "all labels"]
    assert table.columns["dice"] == pytest.approx([0.75, 0, 0.375])
    assert table.columns["hausdorff"][1] is None


def test_a_placed_mask_is_whole_again() -> None:
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1:3, 2:6, 4] = 2
    mask = PlacedMask.of(labels, np.eye(4), {2: "b"})
    assert mask.labels.shape == (2, 4, 1)
    assert np.array_equal(mask.whole, labels)
    assert mask.volume.names == {2: "b"}
    empty = PlacedMask.of(np.zeros((3, 3, 3), np.uint8), np.eye(4))
    assert empty.whole.sum() == 0
