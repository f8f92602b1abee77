"""Points from known segments, cases of a dataset, and the generated lesion, on nodes."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from interactive_samples import DEPTH, SHAPE, ballNodes, fine, splineNode
from mrml_samples import aTransform, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.dataset import open_dataset, read_case
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.phantom import PhantomOptions
from DeepMRILib.mrml import interactive as nodes
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.interactive_history import History, placedCount, pointsState, restorePoints
from DeepMRILib.mrml.points import fiducialsFromPoints, pointLabels, pointsFromFiducials
from DeepMRILib.mrml.segments import maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")


def truthNodes(transform=None):
    """The image with its true segment, both under a transform, and the points placed there."""
    volume, inside, points = ballNodes("oblique")
    own = slicer.util.arrayFromMarkupsControlPoints(points)
    truth = segmentationFromLabels(Volume(inside.astype(np.uint8), fine("oblique")), {1: "ball"}, source=volume)
    if transform is not None:
        volume.SetAndObserveTransformNodeID(transform.GetID())
        truth.SetAndObserveTransformNodeID(transform.GetID())
        fiducialsFromPoints(own, "lesion", existing=points, referenceVolume=volume)
    return volume, inside, points, truth, truth.GetSegmentation().GetNthSegmentID(0)


@pytest.mark.parametrize("kind", [None, "linear", "spline"])
def test_points_from_a_segment(kind: str | None) -> None:
    transform = {None: lambda: None, "linear": lambda: transformNode(aTransform()), "spline": splineNode}[kind]()
    volume, inside, _points, truth, segmentId = truthNodes(transform)
    made = nodes.syntheticPoints(truth, segmentId, volume, depth=DEPTH, seed=3)
    assert sorted(pointLabels(made)) == ["anterior", "inferior", "left", "posterior", "right", "superior"]
    at = np.rint(volumeFromNode(volume).voxel_from_ras(pointsFromFiducials(made, volume))).astype(int)
    assert inside[tuple(at.T)].all()
    found = segment(volumeFromNode(volume), pointsFromFiducials(made, volume), SegmentOptions(depth=DEPTH))
    assert dice(found.mask.array == 1, inside) > 0.85
    again = nodes.syntheticPoints(truth, segmentId, volume, depth=DEPTH, seed=3, existing=made)
    assert again is made
    with pytest.raises(InputError, match="has no segment nowhere"):
        nodes.syntheticPoints(truth, "nowhere", volume)


def test_a_case_of_a_dataset(tmp_path) -> None:
    """What is read back is what is seen: under a transform, with a second image on another grid."""
    volume, inside, points, truth, segmentId = truthNodes(transformNode(aTransform()))
    second = nodeFromVolume(Volume(np.full((80, 80, 80), 5.0, np.float32), np.diag([2.0, 2, 2, 1])), "second")
    case = nodes.exportCase(
        tmp_path / "Task500", "case-1", volume, points,
        segmentationNode=truth, segments=segmentId, channels=[second],
    )  # fmt: skip
    assert len(case.images) == 2
    dataset = open_dataset(tmp_path / "Task500")
    (read,) = [read_case(found) for found in dataset.cases if found.name == "case-1"]
    assert np.array_equal(read.label.array == 1, inside)
    found = next(iter(read.points.values()))
    placed = pointsFromFiducials(points, volume)
    assert len(found) == 6
    assert np.abs(np.sort(found, axis=0) - np.sort(placed, axis=0)).max() < 2
    with pytest.raises(InputError, match="case-1"):
        nodes.exportCase(tmp_path / "Task500", "case-1", volume, points, channels=[second])
    with pytest.raises(InputError, match="Name the same labels"):
        nodes.exportCase(
            tmp_path / "Task501", "case", volume, {"a": points},
            segmentationNode=truth, segments={"b": segmentId},
        )  # fmt: skip


def test_the_generated_lesion_is_segmented_from_its_points() -> None:
    options = PhantomOptions(kind="homog", size=(48, 48, 48), spacing=(1.6, 1.6, 1.6))
    volume, truth, lists = nodes.phantomNodes(options)
    assert sourceOf(truth) is volume
    assert not truth.GetDisplayNode().GetVisibility()
    (points,) = lists
    prompts = nodes.promptsFromNodes(volume, points)
    inputs = nodes.croppedInputs(volume, prompts, SegmentOptions())
    result = segment(inputs["volume"], inputs["points_ras"])
    made = nodes.deliver(result, volume)
    inside = maskFromSegment(truth, truth.GetSegmentation().GetNthSegmentID(0), volume).array
    assert dice(maskFromSegment(made.segmentation, made.segments["lesion"], volume).array, inside) > 0.85
    _volume, two, lists = nodes.phantomNodes(PhantomOptions(size=(64, 64, 48), spacing=(1.6, 1.6, 1.6), lesions=2))
    assert two.GetSegmentation().GetNumberOfSegments() == len(lists) == 2


def test_points_and_segments_are_taken_back() -> None:
    volume, _inside, points, truth, segmentId = truthNodes()
    before, history = pointsState(points), History()
    voxels = maskFromSegment(truth, segmentId, volume).array
    history.push({points: before}, truth, [segmentId], "note")
    points.RemoveNthControlPoint(2)
    points.SetNthControlPointPositionWorld(0, 1, 2, 3)
    prompts = fiducialsFromPoints(pointsFromFiducials(points)[1:], "five")
    assert placedCount(pointsState(prompts)) == 4
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones(SHAPE[::-1], np.uint8), truth, segmentId, volume)
    truth.GetSegmentation().GetSegment(segmentId).SetName("other")
    step, gone = history.undo(truth, [segmentId])
    assert step.note == "note"
    assert gone == []
    assert pointsState(points) == before
    assert np.array_equal(maskFromSegment(truth, segmentId, volume).array, voxels)
    assert truth.GetSegmentation().GetSegment(segmentId).GetName() == "ball"
    with pytest.raises(LookupError):
        history.undo(truth, [segmentId])


def test_points_of_a_fixed_number_come_back_unplaced_or_placed() -> None:
    points = fiducialsFromPoints([[1, 2, 3], [4, 5, 6]], "two", ["a", "b"])
    points.SetFixedNumberOfControlPoints(True)
    points.UnsetNthControlPointPosition(1)
    before = pointsState(points)
    assert placedCount(before) == 1
    points.SetNthControlPointPosition(1, 7, 8, 9)
    points.UnsetNthControlPointPosition(0)
    restorePoints(points, before)
    assert pointsState(points) == before
    assert pointLabels(points) == ["a"]
    assert np.array_equal(pointsFromFiducials(points), [[1, 2, 3]])
