"""Results of a segmentation from points in the scene: one segment is written, and every other stays as it is."""

from __future__ import annotations

import time

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from interactive_samples import DEPTH, SHAPE, ball, ballNodes, fine, splineNode
from mrml_samples import aTransform, countNodes, throughBundle, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.measures import dice
from DeepMRILib.mrml import interactive as nodes
from DeepMRILib.mrml.frames import transformBetween
from DeepMRILib.mrml.hierarchy import itemOf, sourceOf
from DeepMRILib.mrml.interactive_record import pointsOfSegment, recordOf
from DeepMRILib.mrml.points import fiducialsFromPoints, pointsFromFiducials
from DeepMRILib.mrml.segment_voxels import BINARY, SURFACE
from DeepMRILib.mrml.segments import maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")

OPTIONS = SegmentOptions(depth=DEPTH)


def segmented(volume, points, options=OPTIONS, **asked):
    """The result on the part around the points, as the worker computes it."""
    prompts = nodes.promptsFromNodes(volume, points)
    inputs = nodes.croppedInputs(volume, prompts, options, **asked)
    return segment(inputs.pop("volume"), inputs.pop("points_ras"), options, **inputs)


def voxels(delivered, volume, label="lesion"):
    return maskFromSegment(delivered.segmentation, delivered.segments[label], volume).array > 0


def seen(node, segmentId, volume, places):
    """Which part of these places of an image's frame the segment covers, found point by point with Slicer's means."""
    image = node.GetSegmentation().GetSegment(segmentId).GetRepresentation(BINARY)
    toWorld, fromWorld = vtk.vtkGeneralTransform(), vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, toWorld)
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(None, node.GetParentTransformNode(), fromWorld)
    matrix = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(matrix)
    extent, covered = image.GetExtent(), 0
    for place in places:
        own = matrix.MultiplyPoint((*fromWorld.TransformPoint(toWorld.TransformPoint(place)), 1.0))
        at = [round(index) for index in own[:3]]
        inside = all(extent[2 * axis] <= at[axis] <= extent[2 * axis + 1] for axis in range(3))
        covered += bool(inside and image.GetScalarComponentAsDouble(*at, 0))
    return covered / len(places)


@pytest.fixture
def three(scene):
    """An image, its truth, points, and somebody's segmentation with three segments: two share one label image."""
    volume, inside, points = ballNodes("left-handed oblique")
    labels = np.zeros(SHAPE, np.uint8)
    labels[22:40, 10:24, 5:30] = 1
    labels[22:40, 24:40, 5:30] = 2
    mine = segmentationFromLabels(Volume(labels, fine("left-handed oblique")), {1: "one", 2: "two"}, source=volume)
    alone = segmentationFromLabels(Volume(inside.astype(np.uint8), fine("left-handed oblique")), {1: "three"})
    mine.GetSegmentation().CopySegmentFromSegmentation(
        alone.GetSegmentation(), alone.GetSegmentation().GetNthSegmentID(0)
    )
    scene.RemoveNode(alone)
    return volume, inside, points, mine


def contents(node, volume):
    """Of each segment its name, colour, tags and voxels."""
    found = {}
    for segmentId in node.GetSegmentation().GetSegmentIDs():
        one = node.GetSegmentation().GetSegment(segmentId)
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segmentId, volume)
        found[segmentId] = (one.GetName(), one.GetColor(), array.tobytes())
    return found


def test_a_new_segmentation_lies_on_the_image() -> None:
    volume, inside, points = ballNodes("left-handed oblique")
    result = segmented(volume, points)
    made = nodes.deliver(result, volume, points={"lesion": points}, wantConfidence=True)
    found = voxels(made, volume)
    assert dice(found, inside) > 0.9
    whole = segment(volumeFromNode(volume), nodes.promptsFromNodes(volume, points).positive, OPTIONS)
    assert np.array_equal(found, whole.mask.array == 1)
    assert sourceOf(made.segmentation) is volume
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    for node in (made.segmentation, made.table, made.confidence):
        assert hierarchy.GetItemParent(itemOf(node)) == hierarchy.GetItemParent(itemOf(volume))
    one = made.segmentation.GetSegmentation().GetSegment(made.segments["lesion"])
    assert one.GetName() == "lesion"
    assert "Mass" in one.GetTerminology()
    assert made.confidence.GetImageData().GetDimensions() == result.mask.shape
    assert made.confidence.GetDisplayNode().GetWindow() == pytest.approx(1.0)
    row = {made.table.GetColumnName(n): made.table.GetCellText(0, n) for n in range(made.table.GetNumberOfColumns())}
    assert row["segment"] == "lesion"
    assert row["id"] == made.segments["lesion"]
    assert int(row["voxels"]) == found.sum()
    assert nodes.summary(result).startswith("lesion: ")


def test_only_the_box_of_the_segment_is_kept() -> None:
    volume, _inside, points = ballNodes()
    made = nodes.deliver(segmented(volume, points), volume)
    image = made.segmentation.GetSegmentation().GetSegment(made.segments["lesion"]).GetRepresentation(BINARY)
    filled = np.argwhere(voxels(made, volume))
    assert image.GetExtent()[::2] == tuple(filled.min(axis=0))
    assert image.GetExtent()[1::2] == tuple(filled.max(axis=0))


def test_other_segments_stay(three) -> None:
    volume, _inside, points, mine = three
    before = contents(mine, volume)
    result = segmented(volume, points)
    segments = None
    for _ in range(2):
        made = nodes.deliver(result, volume, segmentationNode=mine, segments=segments)
        segments = made.segments
        after = contents(mine, volume)
        assert {name: after[name] for name in before} == before
        assert len(after) == 4
    assert np.array_equal(voxels(made, volume), _whole(result, volume))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_chosen_segment_is_replaced_and_no_other(three, number: int) -> None:
    """Also of two that share one label image."""
    volume, _inside, points, mine = three
    before = contents(mine, volume)
    chosen = list(before)[number]
    result = segmented(volume, points)
    label = result.table.columns["segment"][0]
    nodes.deliver(result, volume, segmentationNode=mine, segments={label: chosen})
    after = contents(mine, volume)
    assert list(after) == list(before)
    assert all(after[name] == before[name] for name in before if name != chosen)
    assert after[chosen][:2] == before[chosen][:2], "name and colour are the user's"
    assert np.array_equal(maskFromSegment(mine, chosen, volume).array > 0, _whole(result, volume))


def _whole(result, volume):
    """A result on the grid of the whole image."""
    start = np.rint(np.linalg.solve(volumeFromNode(volume).affine, result.mask.affine)[:3, 3]).astype(int)
    found = np.zeros(volumeFromNode(volume).shape, bool)
    found[tuple(slice(a, a + n) for a, n in zip(start, result.mask.shape, strict=True))] = result.mask.array == 1
    return found


def test_voxels_of_others_can_be_left_to_them(three) -> None:
    volume, _inside, points, mine = three
    before = contents(mine, volume)
    taken = np.zeros(SHAPE, bool)
    for name in list(before)[:2]:
        taken |= maskFromSegment(mine, name, volume).array > 0
    mine.GetSegmentation().RemoveSegment(list(before)[2])
    result = segmented(volume, points)
    made = nodes.deliver(result, volume, segmentationNode=mine, keepOthers=True)
    found = voxels(made, volume)
    assert np.array_equal(found, _whole(result, volume) & ~taken)
    assert 0 < found.sum() < _whole(result, volume).sum()
    assert recordOf(mine, made.segments["lesion"]).size["voxels"] == found.sum()
    assert all(contents(mine, volume)[name] == before[name] for name in list(before)[:2])
    again = nodes.preview(result, volume, segmentationNode=mine, segments=made.segments, keepOthers=True)
    assert np.array_equal(voxels(again, volume), found)


@pytest.mark.parametrize("kind", ["linear", "sheared", "spline", "both"])
def test_a_segmentation_under_another_transform(kind: str) -> None:
    """In the world the result lies where the image shows the lesion."""
    volume, inside, points = ballNodes("oblique")
    sheared = aTransform()
    sheared[0, 1] += 0.3
    matrix = sheared if kind == "sheared" else aTransform()
    transform = splineNode() if kind == "spline" else transformNode(matrix)
    mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    mine.SetAndObserveTransformNodeID(transform.GetID())
    if kind == "both":
        own = slicer.util.arrayFromMarkupsControlPoints(points)
        volume.SetAndObserveTransformNodeID(splineNode().GetID())
        fiducialsFromPoints(own, "lesion", existing=points, referenceVolume=volume)
    result = segmented(volume, points)
    made = nodes.deliver(result, volume, segmentationNode=mine)
    assert made.segmentation is mine
    assert mine.GetTransformNodeID() == transform.GetID()
    found = voxels(made, volume)
    assert dice(found, _whole(result, volume)) > (0.999 if kind == "linear" else 0.9)
    assert dice(found, inside) > 0.85
    places = volumeFromNode(volume).ras_from_voxel(np.argwhere(found)[::97])
    assert seen(mine, made.segments["lesion"], volume, places) > 0.9
    assert isinstance(transformBetween(volume, mine), np.ndarray) == (kind in ("linear", "sheared"))


def test_a_new_segmentation_is_moved_with_the_image() -> None:
    volume, inside, points = ballNodes()
    own = slicer.util.arrayFromMarkupsControlPoints(points)
    transform = splineNode()
    volume.SetAndObserveTransformNodeID(transform.GetID())
    fiducialsFromPoints(own, "lesion", existing=points, referenceVolume=volume)
    made = nodes.deliver(segmented(volume, points), volume)
    assert made.segmentation.GetTransformNodeID() == transform.GetID()
    assert dice(voxels(made, volume), inside) > 0.9


def test_several_segments_at_once() -> None:
    affine = fine("plain")
    first, inside, points = ball(affine, (15.0, 21.0, 19.0))
    second, other, more = ball(affine, (34.0, 21.0, 19.0))
    volume = nodeFromVolume(Volume(np.maximum(first.array, second.array), affine), "two")
    lists = {"left": fiducialsFromPoints(points, "left"), "right": fiducialsFromPoints(more, "right")}
    made = nodes.deliver(segmented(volume, lists), volume, points=lists)
    assert dice(voxels(made, volume, "left"), inside & ~other) > 0.75
    assert not (voxels(made, volume, "left") & voxels(made, volume, "right")).any()
    assert made.table.GetNumberOfRows() == 2
    assert nodes.segmentOfPoints(lists["right"], made.segmentation) == made.segments["right"]
    assert pointsOfSegment(made.segmentation, made.segments["left"]) is lists["left"]


def test_a_surface_is_made_anew_at_the_end_only(three) -> None:
    volume, _inside, points, mine = three
    mine.CreateClosedSurfaceRepresentation()
    segmentation = mine.GetSegmentation()
    surfaces = {name: segmentation.GetSegment(name).GetRepresentation(SURFACE) for name in segmentation.GetSegmentIDs()}
    counts = {name: surface.GetNumberOfPoints() for name, surface in surfaces.items()}
    chosen = next(iter(counts))
    result = segmented(volume, points)
    asked = {"segmentationNode": mine, "segments": {"lesion": chosen}}
    nodes.preview(result, volume, **asked)
    assert segmentation.GetSegment(chosen).GetRepresentation(SURFACE).GetNumberOfPoints() == counts[chosen]
    nodes.deliver(result, volume, **asked)
    after = {name: segmentation.GetSegment(name).GetRepresentation(SURFACE) for name in counts}
    assert after[chosen].GetNumberOfPoints() not in (0, counts[chosen])
    for name in list(counts)[1:]:
        assert after[name] is surfaces[name], "other surfaces are not even touched"


def test_surfaces_as_the_source_are_refused(three) -> None:
    volume, _inside, points, mine = three
    mine.CreateClosedSurfaceRepresentation()
    mine.GetSegmentation().SetSourceRepresentationName(SURFACE)
    with pytest.raises(InputError, match="kept as closed surface"):
        nodes.deliver(segmented(volume, points), volume, segmentationNode=mine)
    with pytest.raises(InputError, match="is not a segmentation"):
        nodes.deliver(segmented(volume, points), volume, segmentationNode=volume)


def test_nothing_found_is_an_empty_segment() -> None:
    volume, _inside, points = ballNodes()
    result = segmented(volume, points)
    result.mask.array[...] = 0
    made = nodes.deliver(result, volume)
    one = made.segmentation.GetSegmentation().GetSegment(made.segments["lesion"])
    assert one.GetRepresentation(BINARY).GetNumberOfPoints() == 0


def test_prompts_come_back_from_a_saved_scene(scene, tmp_path) -> None:
    """Points, points outside, settings and engine: also into an image that is under a transform."""
    volume, _inside, points = ballNodes("oblique")
    own = slicer.util.arrayFromMarkupsControlPoints(points)
    volume.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    fiducialsFromPoints(own, "lesion", existing=points, referenceVolume=volume)
    world = pointsFromFiducials(points)
    away = world.mean(axis=0) + np.array([0, 0, 19])
    outside = fiducialsFromPoints([away], "outside")
    prompts = nodes.promptsFromNodes(volume, points, outside)
    assert len(prompts.negative) == 1
    inputs = nodes.croppedInputs(volume, prompts, OPTIONS)
    result = segment(inputs.pop("volume"), inputs.pop("points_ras"), OPTIONS, **inputs)
    made = nodes.deliver(result, volume, points={"lesion": points}, negativeNode=outside)
    name, segmentId = made.segmentation.GetName(), made.segments["lesion"]
    for node in (points, outside):
        scene.RemoveNode(node)
    throughBundle(scene, tmp_path / "scene.mrb")
    again = slicer.util.getNode(name)
    record = recordOf(again, segmentId)
    assert record.options == result.provenance.options
    assert record.engine == result.provenance.engine
    assert record.version
    restored, negative = nodes.restorePrompts(again, segmentId)
    assert np.allclose(np.sort(pointsFromFiducials(restored), axis=0), np.sort(world, axis=0), atol=0.01)
    assert np.allclose(pointsFromFiducials(negative), away, atol=0.01)
    assert nodes.segmentOfPoints(restored, again) == segmentId
    second = segmented(slicer.util.getNode("image"), restored)
    assert dice(second.mask.array == 1, segmented(slicer.util.getNode("image"), restored).mask.array == 1) == 1


def test_a_segment_that_was_not_made_here_has_no_prompts(three) -> None:
    _volume, _inside, _points, mine = three
    segmentId = mine.GetSegmentation().GetNthSegmentID(0)
    assert recordOf(mine, segmentId) is None
    with pytest.raises(InputError, match="was not made from points"):
        nodes.restorePrompts(mine, segmentId)
    mine.GetSegmentation().GetSegment(segmentId).SetTag("DeepMRI.Prompts", "{rubbish")
    with pytest.raises(InputError, match="cannot be read"):
        nodes.restorePrompts(mine, segmentId)


def test_a_damaged_record_does_not_stop_others(three) -> None:
    volume, _inside, points, mine = three
    mine.GetSegmentation().GetNthSegment(0).SetTag("DeepMRI.Prompts", '{"points": 7}')
    mine.GetSegmentation().GetNthSegment(1).SetTag("DeepMRI.Prompts", '{"points": [], "negative": [], "size": {}}')
    made = nodes.deliver(segmented(volume, points), volume, segmentationNode=mine)
    assert made.table.GetNumberOfRows() == 1


def test_odd_names_travel(scene, tmp_path) -> None:
    """Bars, colons and quotes would end a tag in a .seg.nrrd file."""
    volume, _inside, points = ballNodes()
    points.SetName('a|b:c "d" \\ é')
    result = segmented(volume, {points.GetName(): points})
    made = nodes.deliver(result, volume)
    name, segmentId = made.segmentation.GetName(), next(iter(made.segments.values()))
    throughBundle(scene, tmp_path / "scene.mrb")
    record = recordOf(slicer.util.getNode(name), segmentId)
    assert record.size["segment"] == 'a|b:c "d" \\ é'
    assert len(record.points) == 6


def test_all_or_nothing(scene, three, monkeypatch) -> None:
    volume, _inside, points, mine = three
    before = contents(mine, volume)
    result = segmented(volume, points)

    def fails(*_args, **_kwargs):
        raise RuntimeError("in the middle")

    monkeypatch.setattr(nodes, "tableOfSegments", fails)
    with pytest.raises(RuntimeError), transaction(scene):
        nodes.deliver(result, volume, segmentationNode=mine, segments={"lesion": next(iter(before))})
    assert contents(mine, volume) == before
    count = countNodes(scene)
    with pytest.raises(RuntimeError), transaction(scene):
        nodes.deliver(result, volume)
    assert countNodes(scene) == count


def test_writing_takes_milliseconds_in_a_large_image() -> None:
    """A lesion of about 80 voxels a side in 512 x 512 x 300: the cost is that of the lesion."""
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "large")
    slicer.util.updateVolumeFromArray(volume, np.zeros((300, 512, 512), np.int16))
    array = slicer.util.arrayFromVolume(volume)
    k, j, i = np.ogrid[:80, :80, :80]
    inside = (i - 40) ** 2 + (j - 40) ** 2 + (k - 40) ** 2 < 36**2
    array[100:180, 200:280, 220:300] = 80 * inside + np.random.default_rng(0).integers(0, 20, inside.shape)
    points = fiducialsFromPoints([260, 240, 140] + 33 * np.concatenate([np.eye(3), -np.eye(3)]), "lesion")
    result = segmented(volume, points)
    made = nodes.deliver(result, volume)
    assert np.count_nonzero(result.mask.array) == pytest.approx(inside.sum(), rel=0.1)
    took = []
    for _ in range(9):
        started = time.perf_counter()
        nodes.preview(result, volume, segmentationNode=made.segmentation, segments=made.segments)
        took.append(time.perf_counter() - started)
    print(f"segment of {result.mask.shape} written in {1000 * np.median(took):.1f} ms")
    # a mask of the whole image takes some 100 ms
    assert min(took) < 0.02
