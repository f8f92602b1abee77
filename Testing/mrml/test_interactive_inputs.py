"""Points and images of a segmentation under every kind of transform, and the part of the image that is looked at."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import slicer
import slicer.util
from interactive_samples import DEPTH, RADIUS, SHAPE, ball, ballNodes, fine, gridNode, splineGridNode, splineNode
from mrml_samples import aTransform, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.mrml.interactive import croppedInputs, promptsFromNodes
from DeepMRILib.mrml.points import fiducialsFromPoints
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")

TRANSFORMS = {
    "linear": lambda: transformNode(aTransform()),
    "thin-plate spline": splineNode,
    "grid": gridNode,
    "B-spline": splineGridNode,
}
OPTIONS = SegmentOptions(depth=DEPTH)


def moved(points, node):
    """Points through a transform node, one by one as Slicer does it."""
    return np.array([node.GetTransformToParent().TransformPoint(point) for point in points])


@pytest.mark.parametrize("grid", ["plain", "oblique", "left-handed", "left-handed oblique"])
@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("under", ["points", "image", "both", "one above the other"])
def test_points_in_the_frame_of_the_image(kind: str, under: str, grid: str) -> None:
    """Wherever the transforms are, a point that is seen on a voxel is the point of that voxel."""
    image, _inside, inFrame = ball(fine(grid))
    volume = nodeFromVolume(image, "image")
    transform = TRANSFORMS[kind]()
    places = inFrame
    if under in ("image", "both", "one above the other"):
        volume.SetAndObserveTransformNodeID(transform.GetID())
        places = moved(places, transform)
    if under == "one above the other":
        above = transformNode(aTransform())
        transform.SetAndObserveTransformNodeID(above.GetID())
        places = moved(places, above)
    assert under == "points" or np.abs(places - inFrame).max() > 0.5
    points = fiducialsFromPoints(places, "lesion")
    if under in ("points", "both"):
        other = transformNode(aTransform() @ aTransform()) if under == "both" else transform
        points.SetAndObserveTransformNodeID(other.GetID())
        fiducialsFromPoints(places, "lesion", existing=points)
    found = promptsFromNodes(volume, points).positive["lesion"]
    assert np.allclose(found, inFrame, atol=0.02)


def test_monai_labels_way_of_reading_points_is_wrong_here() -> None:
    """Own positions of the control points, with all transforms left out, miss the lesion by centimetres."""
    volume, inside, points = ballNodes("oblique")
    volume.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    matrix = slicer.util.arrayFromVTKMatrix(volume.GetParentTransformNode().GetMatrixTransformToParent())
    own = slicer.util.arrayFromMarkupsControlPoints(points)
    fiducialsFromPoints(own @ matrix[:3, :3].T + matrix[:3, 3], "lesion", existing=points)
    frame = volumeFromNode(volume)

    def hit(places):
        at = np.rint(frame.voxel_from_ras(places)).astype(int)
        there = ((at >= 0) & (at < frame.shape)).all(axis=1)
        return there.all() and inside[tuple(at.T)].all()

    assert hit(promptsFromNodes(volume, points).positive["lesion"])
    assert not hit(slicer.util.arrayFromMarkupsControlPoints(points))


def test_points_by_segment_and_points_outside() -> None:
    volume, _inside, points = ballNodes()
    frame = volumeFromNode(volume)
    outside = fiducialsFromPoints([frame.ras_from_voxel([[2, 3, 4]])[0], (999, 0, 0)], "outside")
    prompts = promptsFromNodes(volume, {"a": points}, outside)
    assert list(prompts.positive) == ["a"]
    assert np.allclose(frame.voxel_from_ras(prompts.negative), [[2, 3, 4]])
    points.SetNthControlPointPositionWorld(2, 900, 0, 0)
    with pytest.raises(InputError, match="outside the image"):
        promptsFromNodes(volume, points)
    points.UnsetNthControlPointPosition(2)
    with pytest.raises(InputError, match="5 points"):
        promptsFromNodes(volume, points)
    with pytest.raises(InputError, match="not a list of points"):
        promptsFromNodes(volume, volume)
    with pytest.raises(InputError, match="not a volume"):
        promptsFromNodes(points, points)


def test_only_the_box_is_copied() -> None:
    """512 x 512 x 300 voxels of 16 bits: neither copied nor converted, whatever the engine needs."""
    shape = (512, 512, 300)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    slicer.util.updateVolumeFromArray(volume, np.zeros(shape[::-1], np.int16))
    middle = np.array([200.0, 300, 150])
    points = fiducialsFromPoints(middle + 20 * np.concatenate([np.eye(3), -np.eye(3)]), "lesion")
    tracemalloc.start()
    part = croppedInputs(volume, promptsFromNodes(volume, points), OPTIONS)["volume"]
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2 * part.array.nbytes < 1_500_000
    assert part.array.dtype == np.int16
    assert not np.shares_memory(part.array, slicer.util.arrayFromVolume(volume)), "the user may change the image"
    assert np.allclose(part.ras_from_voxel([[0, 0, 0]]), [[180 - 10, 280 - 10, 130 - 10]])


@pytest.mark.parametrize("grid", ["plain", "oblique", "left-handed oblique"])
@pytest.mark.parametrize("shift", [0.0, 0.37])
def test_the_answer_is_that_of_the_whole_image(grid: str, shift: float) -> None:
    """Also at the edge of the image, and where points lie on whole voxels so that rounding could move the box."""
    image, _inside, inFrame = ball(fine(grid), (14.0 + shift, 21.0 + shift, 19.0 + shift))
    volume = nodeFromVolume(image, "image")
    frame = volumeFromNode(volume)
    if not shift:
        inFrame = frame.ras_from_voxel(np.rint(frame.voxel_from_ras(inFrame)))
    prompts = promptsFromNodes(volume, fiducialsFromPoints(inFrame, "lesion"))
    inputs = croppedInputs(volume, prompts, OPTIONS)
    assert inputs["volume"].shape != SHAPE
    whole = segment(frame, prompts.positive, OPTIONS)
    part = segment(inputs["volume"], inputs["points_ras"], OPTIONS)
    assert part.provenance.inputs["looked_at"]["start"] == [0, 0, 0]
    start = np.rint(np.linalg.solve(frame.affine, part.mask.affine)[:3, 3]).astype(int)
    again = np.zeros(SHAPE, np.uint8)
    again[tuple(slice(a, a + n) for a, n in zip(start, part.mask.shape, strict=True))] = part.mask.array
    assert np.array_equal(again, whole.mask.array)
    assert whole.mask.array.any()


@pytest.mark.parametrize("kind", [None, *TRANSFORMS])
def test_further_images_are_cut_and_brought_into_the_frame(kind: str | None) -> None:
    """A second image on another grid and under a transform of its own shows the same place as the first."""
    image, _inside, inFrame = ball(fine("plain"))
    volume = nodeFromVolume(image, "image")
    other = nodeFromVolume(_ramp(fine("oblique"), (90, 90, 90)), "other")
    transform = TRANSFORMS[kind]() if kind else None
    if transform is not None:
        other.SetAndObserveTransformNodeID(transform.GetID())
    prompts = promptsFromNodes(volume, fiducialsFromPoints(inFrame, "lesion"))
    inputs = croppedInputs(volume, prompts, OPTIONS, channels=[other])
    (channel,) = inputs["channels"]
    assert np.prod(channel.shape) < 90**3 / 2
    middle = inFrame.mean(axis=0)
    back = transform.GetTransformFromParent().TransformPoint(middle) if transform is not None else middle
    at = np.rint(channel.voxel_from_ras([middle])[0]).astype(int)
    # the ramp's value is its place: a voxel is at most one millimetre away
    assert channel.array[tuple(at)] == pytest.approx(np.sum(back), abs=2.0)
    found = segment(volumeFromNode(volume), prompts.positive, OPTIONS)
    assert np.prod(inputs["volume"].shape) >= found.mask.array.sum()


def _ramp(affine, shape) -> Volume:
    """An image whose value is R + A + S of the voxel in its own frame, around the ball."""
    affine = affine.copy()
    centre = Volume(np.zeros(SHAPE, np.uint8), fine("plain")).ras_from_voxel([np.array(SHAPE) / 2])[0]
    affine[:3, 3] = centre - affine[:3, :3] @ (np.array(shape) / 2)
    empty = Volume(np.zeros(shape, np.float32), affine)
    places = empty.ras_from_voxel(np.indices(shape).reshape(3, -1).T)
    return empty.like(places.sum(axis=1).reshape(shape).astype(np.float32))


def test_images_that_do_not_fit() -> None:
    volume, _inside, points = ballNodes()
    prompts = promptsFromNodes(volume, points)
    far = nodeFromVolume(Volume(np.ones((9, 9, 9)), np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 900), "far")
    with pytest.raises(InputError, match="far does not reach the points"):
        croppedInputs(volume, prompts, OPTIONS, channels=[far])
    far.SetAndObserveTransformNodeID(splineNode().GetID())
    with pytest.raises(InputError, match="far does not reach the points"):
        croppedInputs(volume, prompts, OPTIONS, channels=[far])
    several = nodeFromVolume(Volume(np.ones((9, 9, 9, 3))), "several")
    with pytest.raises(InputError, match="several values per voxel"):
        croppedInputs(volume, prompts, OPTIONS, channels=[several])


@pytest.mark.parametrize("kind", [None, "linear", "thin-plate spline"])
def test_an_earlier_segment_to_start_from(kind: str | None) -> None:
    volume, inside, points = ballNodes("oblique")
    labels = Volume(inside.astype(np.uint8) * 3, fine("oblique"))
    earlier = segmentationFromLabels(labels, {3: "earlier"}, source=volume)
    if kind is not None:  # seen where it was: both are moved alike
        transform = TRANSFORMS[kind]()
        volume.SetAndObserveTransformNodeID(transform.GetID())
        earlier.SetAndObserveTransformNodeID(transform.GetID())
        own = slicer.util.arrayFromMarkupsControlPoints(points)
        fiducialsFromPoints(own, "lesion", existing=points, referenceVolume=volume)
    prompts = promptsFromNodes(volume, points)
    name, segmentId = next(iter(prompts.positive)), earlier.GetSegmentation().GetNthSegmentID(0)
    asked = {"priorSegmentation": earlier, "priorSegments": {name: segmentId}}
    inputs = croppedInputs(volume, prompts, OPTIONS, **asked)
    part, prior = inputs["volume"], inputs["prior"]
    assert prior.shape == part.shape
    assert set(np.unique(prior.array)) == {0, 1}
    assert np.array_equal(prior.array == 1, part.array > 100) or prior.array.sum() == inside.sum()
    assert prior.array.sum() == pytest.approx(4 / 3 * np.pi * RADIUS**3 / part.voxel_volume, rel=0.05)
    assert croppedInputs(volume, prompts, OPTIONS)["prior"] is None
