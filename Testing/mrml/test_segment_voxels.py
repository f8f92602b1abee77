"""Segments are seen where they are in the world: under other transforms, deformations, on other grids, in layers."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import vtk
from interactive_samples import SHAPE, ballNodes, fine, splineGridNode, splineNode
from mrml_samples import aTransform, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml import frames
from DeepMRILib.mrml.segments import labelsFromSegmentation, maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")


def truthNodes(affine=None):
    """The image, and a ball in two halves as a segmentation on a grid of its own."""
    volume, inside, _points = ballNodes("oblique")
    halves = inside.astype(np.uint8)
    halves[:, : SHAPE[1] // 2] *= 2
    names = {1: "front", 2: "back"}
    truth = segmentationFromLabels(Volume(halves, fine("oblique") if affine is None else affine), names, source=volume)
    return volume, halves, truth, list(truth.GetSegmentation().GetSegmentIDs())


def expected(volume, truth, halves, index):
    """The label that Slicer's transform of single points says is seen at a voxel of the image."""
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        volume.GetParentTransformNode(), truth.GetParentTransformNode(), between
    )
    there = between.TransformPoint(volumeFromNode(volume).ras_from_voxel([index])[0])
    at = np.rint(Volume(halves, fine("oblique")).voxel_from_ras([there])[0]).astype(int)
    return halves[tuple(at)] if (at >= 0).all() and (at < SHAPE).all() else 0


@pytest.mark.parametrize("kind", ["other linear", "spline on the segment", "spline on the image", "B-spline on both"])
def test_a_segment_is_seen_where_it_is(kind: str) -> None:
    """One voxel after the other, with Slicer's transforms of single points."""
    volume, halves, truth, ids = truthNodes()
    if kind == "other linear":
        volume.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
        nudge = np.eye(4)
        nudge[:3, 3] = (2, -3, 1)
        truth.SetAndObserveTransformNodeID(transformNode(aTransform() @ nudge).GetID())
    elif kind == "B-spline on both":
        volume.SetAndObserveTransformNodeID(splineGridNode().GetID())
        truth.SetAndObserveTransformNodeID(splineNode().GetID())
    else:
        (truth if "segment" in kind else volume).SetAndObserveTransformNodeID(splineNode().GetID())
    labels, _names = labelsFromSegmentation(truth, volume)
    masks = [maskFromSegment(truth, segmentId, volume).array for segmentId in ids]
    assert np.array_equal(labels.array, masks[0] + 2 * masks[1])
    chosen = np.random.default_rng(0).integers(0, SHAPE, (400, 3))
    found = [labels.array[tuple(index)] for index in chosen]
    assert found == [expected(volume, truth, halves, index) for index in chosen]
    assert set(found) == {0, 1, 2}


def test_nothing_is_lost_under_a_deformation() -> None:
    """Slicer's own merging keeps 2,458 of 6,431 voxels here."""
    volume, halves, truth, _ids = truthNodes()
    truth.SetAndObserveTransformNodeID(splineNode().GetID())
    kept = np.count_nonzero(labelsFromSegmentation(truth, volume)[0].array)
    assert kept == pytest.approx(np.count_nonzero(halves), rel=0.15)


@pytest.mark.parametrize("edge", [0.3, 6.0])
def test_a_grid_of_other_edges_loses_no_margin(edge: float) -> None:
    """Each voxel of the image takes what is nearest, to half an edge beyond the last voxel of the segment."""
    block = np.zeros((6, 6, 6), np.uint8)
    block[2:4, 2:4, 2:4] = 1
    truth = segmentationFromLabels(Volume(block, np.diag([4.0, 4, 4, 1])), {1: "block"})
    affine = np.diag([edge, edge, edge, 1.0])
    affine[:3, 3] = 0.01
    shape = tuple(int(n) for n in np.full(3, np.ceil(24 / edge)))
    image = nodeFromVolume(Volume(np.ones(shape, np.uint8), affine), "image")
    places = 0.01 + edge * np.arange(shape[0])
    inside = np.isin(np.rint(places / 4), (2, 3))
    mask = maskFromSegment(truth, truth.GetSegmentation().GetNthSegmentID(0), image).array
    assert np.array_equal(mask > 0, np.multiply.outer(np.multiply.outer(inside, inside), inside))


def test_large_grids_are_looked_up_in_slabs(monkeypatch) -> None:
    volume, _halves, truth, _ids = truthNodes()
    truth.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    volume.SetAndObserveTransformNodeID(transformNode(aTransform() * [[1, 1, 1, 1.1]]).GetID())
    at_once = labelsFromSegmentation(truth, volume)[0].array
    monkeypatch.setattr(frames, "AT_ONCE", 3 * SHAPE[0] * SHAPE[1] + 7)
    assert np.array_equal(labelsFromSegmentation(truth, volume)[0].array, at_once)
    assert at_once.any()


def test_overlapping_layers_under_a_deformation() -> None:
    """The later segment counts, whichever layer it lies in."""
    volume, halves, truth, ids = truthNodes()
    truth.GetSegmentation().AddEmptySegment("all", "everything")
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones(SHAPE[::-1], np.uint8), truth, "all", volume)
    truth.SetAndObserveTransformNodeID(splineNode().GetID())
    last = labelsFromSegmentation(truth, volume, [*ids, "all"])[0].array
    first = labelsFromSegmentation(truth, volume, ["all", *ids])[0].array
    assert set(np.unique(last)) == {0, 3}
    assert set(np.unique(first)) == {0, 1, 2, 3}
    assert np.array_equal(first > 0, last > 0)
    assert np.count_nonzero(first > 1) == pytest.approx(np.count_nonzero(halves), rel=0.15)


def test_a_segment_outside_the_image_is_named() -> None:
    volume, _halves, truth, ids = truthNodes()
    far = np.eye(4)
    far[0, 3] = 900
    truth.SetAndObserveTransformNodeID(transformNode(far).GetID())
    with pytest.raises(InputError, match="front has no voxel inside the image"):
        maskFromSegment(truth, ids[0], volume)
