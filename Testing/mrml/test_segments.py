"""Segments to masks and labels, labels to segmentations, in every geometry and under transforms."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from mrml_samples import (
    AFFINES,
    SHAPE,
    aTransform,
    block,
    countNodes,
    deformationNode,
    throughBundle,
    transformNode,
    volumeNode,
)

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.segments import labelsFromSegmentation, maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")

NAMES = {1: "liver", 3: "left kidney"}
COLOURS = {1: (1.0, 0.5, 0.0), 3: (0.0, 0.25, 1.0)}
LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^10200004^Liver~^^~Anatomic codes - DICOM master list~^^~^^|"
)


def _ids(node):
    return list(node.GetSegmentation().GetSegmentIDs())


def _names(node):
    return [node.GetSegmentation().GetSegment(segmentId).GetName() for segmentId in _ids(node)]


def _segmentation(affine, **settings):
    return segmentationFromLabels(Volume(block(), affine), NAMES, COLOURS, **settings)


def _surface():
    return slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_labels_survive_the_round_trip(affine):
    image = volumeNode(affine)
    node = _segmentation(affine, source=image)
    for label, segmentId in zip(NAMES, _ids(node), strict=True):
        mask = maskFromSegment(node, segmentId, image)
        assert np.array_equal(mask.array, block() == label)
        assert mask.array.dtype == np.uint8
        assert mask.same_grid(volumeFromNode(image))
    labels, names = labelsFromSegmentation(node, image)
    assert names == {1: "liver", 2: "left kidney"}
    assert labels.names == names
    assert np.array_equal(labels.array, np.choose(block(), [0, 1, 0, 2]))


def test_segments_name_colour_and_terminology():
    node = _segmentation(AFFINES["oblique"], name="organs", terminology={1: LIVER})
    first, second = (node.GetSegmentation().GetSegment(segmentId) for segmentId in _ids(node))
    assert node.GetName() == "organs"
    assert _names(node) == ["liver", "left kidney"]
    assert np.allclose(first.GetColor(), COLOURS[1])
    assert np.allclose(second.GetColor(), COLOURS[3])
    tag = slicer.vtkSegment.GetTerminologyEntryTagName()
    entry = slicer.vtkSlicerTerminologyEntry()
    slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(_tag(first, tag), entry)
    assert entry.GetTypeObject().GetCodeValue() == "10200004"
    assert _tag(second, tag) != LIVER


def _tag(segment, name):
    value = vtk.reference("")
    assert segment.GetTag(name, value)
    return str(value)


def test_mask_on_another_grid_lies_at_the_same_place():
    """A finer and turned grid: the mask's centre of mass stays where it is in the world."""
    node = _segmentation(AFFINES["left-handed oblique"])
    fine = AFFINES["left-handed oblique"] @ np.diag([0.25, 0.25, 0.25, 1])
    fine[:3, 3] -= fine[:3, :3] @ [4, 4, 4]
    image = volumeNode(fine)
    nodeFromVolume(Volume(np.ones((36, 32, 28)), fine), "", existing=image)
    mask = maskFromSegment(node, _ids(node)[1], image)
    there = mask.ras_from_voxel(np.argwhere(mask.array)).mean(axis=0)
    expected = Volume(block(), AFFINES["left-handed oblique"]).ras_from_voxel(np.argwhere(block() == 3)).mean(axis=0)
    assert np.allclose(there, expected, atol=0.6)
    assert mask.array.sum() * mask.voxel_volume == pytest.approx(
        (block() == 3).sum() * abs(np.linalg.det(AFFINES["left-handed oblique"])), rel=0.02
    )


@pytest.mark.parametrize("under", ["segmentation", "image", "both"])
def test_transforms_are_followed(under):
    """The segmentation is drawn where the image is shown: undoing the transform gives the labels back."""
    affine, matrix = AFFINES["oblique"], aTransform()
    transform = transformNode(matrix)
    image = volumeNode(affine if under != "segmentation" else matrix @ affine)
    node = _segmentation(affine if under != "image" else matrix @ affine)
    for name, moved in (("segmentation", node), ("image", image)):
        if under in (name, "both"):
            moved.SetAndObserveTransformNodeID(transform.GetID())
    mask = maskFromSegment(node, _ids(node)[1], image)
    assert np.array_equal(mask.array, block() == 3)
    assert mask.same_grid(volumeFromNode(image))


def test_both_under_a_deformation():
    bend = deformationNode()
    image, node = volumeNode(AFFINES["anisotropic"]), _segmentation(AFFINES["anisotropic"])
    for moved in (image, node):
        moved.SetAndObserveTransformNodeID(bend.GetID())
    assert np.array_equal(labelsFromSegmentation(node, image)[0].array > 0, block() > 0)


def test_reading_leaves_nothing_in_the_scene(scene):
    image, node = volumeNode(), _segmentation(AFFINES["plain"])
    nodes = countNodes(scene)
    maskFromSegment(node, _ids(node)[0], image)
    labelsFromSegmentation(node, image)
    assert countNodes(scene) == nodes


def test_later_segments_count_where_they_overlap():
    image = volumeNode()
    node = _segmentation(AFFINES["plain"])
    node.GetSegmentation().AddEmptySegment("all", "everything")
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.ones(SHAPE[::-1], np.uint8), node, "all", image)
    labels, names = labelsFromSegmentation(node, image)
    assert set(np.unique(labels.array)) == {3}
    assert names[3] == "everything"
    labels, _names = labelsFromSegmentation(node, image, ["all", _ids(node)[0]])
    assert np.array_equal(labels.array == 2, block() == 1)


def test_segments_of_one_name_are_told_apart():
    """Also where the first of them has no voxel in the image, and so does not occur among the labels."""
    image = volumeNode(AFFINES["oblique"])
    node = segmentationFromLabels(Volume(block(), AFFINES["oblique"]), {2: "kidney", 1: "kidney", 3: "kidney"})
    labels, names = labelsFromSegmentation(node, image)
    assert names == {1: "kidney", 2: "kidney (2)", 3: "kidney (3)"}
    assert labels.names == {2: "kidney (2)", 3: "kidney (3)"}


def test_segment_that_was_drawn_as_a_surface():
    ball = (np.linalg.norm(np.indices((24, 24, 24)) - 11.5, axis=0) < 8).astype(np.uint8)
    image = nodeFromVolume(Volume(np.ones(ball.shape), AFFINES["oblique"]), "image")
    node = segmentationFromLabels(Volume(ball, AFFINES["oblique"]), {1: "ball"}, source=image)
    segmentation = node.GetSegmentation()
    segmentation.CreateRepresentation(_surface())
    segmentation.SetSourceRepresentationName(_surface())
    segmentation.RemoveRepresentation(slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName())
    mask = maskFromSegment(node, _ids(node)[0], image).array
    overlap = 2 * np.sum(mask * ball) / (mask.sum() + ball.sum())
    assert overlap > 0.95


def test_empty_segments():
    image = volumeNode()
    node = _segmentation(AFFINES["plain"])
    node.GetSegmentation().AddEmptySegment("none", "nothing drawn")
    with pytest.raises(InputError, match="nothing drawn has no voxel inside the image image"):
        maskFromSegment(node, "none", image)
    labels, names = labelsFromSegmentation(node, image)
    assert names[3] == "nothing drawn"
    assert 3 not in labels.names


def test_segment_outside_the_image():
    far = AFFINES["plain"].copy()
    far[:3, 3] = 500
    node = _segmentation(AFFINES["plain"])
    with pytest.raises(InputError, match="no voxel inside"):
        maskFromSegment(node, _ids(node)[0], volumeNode(far))
    with pytest.raises(InputError, match="No segment of"):
        labelsFromSegmentation(node, volumeNode(far))


def test_bad_choices(scene):
    node = _segmentation(AFFINES["plain"])
    with pytest.raises(InputError, match="has no segment spleen. Choose one of its segments: liver, left kidney"):
        maskFromSegment(node, "spleen", volumeNode())
    with pytest.raises(InputError, match="not a segmentation"):
        maskFromSegment(None, "spleen", volumeNode())
    with pytest.raises(InputError, match="holds no image"):
        maskFromSegment(node, _ids(node)[0], None)
    empty = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "new")
    with pytest.raises(InputError, match="new has no segment"):
        labelsFromSegmentation(empty, volumeNode())


def test_label_without_a_name_is_refused(scene):
    nodes = countNodes(scene)
    with pytest.raises(InputError, match="label 3 has no name"):
        segmentationFromLabels(Volume(block()), {1: "liver"})
    assert countNodes(scene) == nodes


def test_second_run_updates_in_place(scene):
    image = volumeNode()
    node = _segmentation(AFFINES["plain"], source=image)
    ids, nodes = _ids(node), countNodes(scene)
    node.GetDisplayNode().SetSegmentVisibility(ids[1], False)
    grown = block()
    grown[0] = 1
    again = segmentationFromLabels(Volume(grown), NAMES, COLOURS, existing=node, source=image)
    assert again is node
    assert _ids(node) == ids
    assert countNodes(scene) == nodes
    assert not node.GetDisplayNode().GetSegmentVisibility(ids[1])
    assert np.array_equal(maskFromSegment(node, ids[0], image).array, grown == 1)


def test_second_run_leaves_the_users_segments_alone():
    image = volumeNode()
    node = _segmentation(AFFINES["plain"])
    node.GetSegmentation().AddEmptySegment("own", "liver")
    drawn = np.zeros(SHAPE[::-1], np.uint8)
    drawn[0, 0, :3] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, node, "own", image)
    segmentationFromLabels(Volume(np.where(block() == 3, 3, 0)), {3: "left kidney"}, existing=node)
    assert sorted(_names(node)) == ["left kidney", "liver"]
    assert np.array_equal(maskFromSegment(node, "own", image).array, drawn.T)


def test_a_segment_of_the_user_with_our_id_is_not_overwritten():
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.GetSegmentation().AddEmptySegment("DeepMRI_liver", "drawn by hand")
    segmentationFromLabels(Volume(block()), NAMES, existing=node)
    assert _names(node) == ["drawn by hand", "liver", "left kidney"]


def test_names_that_look_alike_as_ids_are_kept_apart():
    names = {1: "vena cava (I)", 3: "vena-cava, I"}
    node = segmentationFromLabels(Volume(block()), names)
    assert sorted(_names(node)) == sorted(names.values())
    ids = _ids(node)
    segmentationFromLabels(Volume(block()), names, existing=node)
    assert _ids(node) == ids


def test_surface_shown_in_3d_follows_the_new_labels():
    node = _segmentation(AFFINES["plain"])
    node.GetSegmentation().CreateRepresentation(_surface())
    moved = np.roll(block(), -1, axis=0)
    segmentationFromLabels(Volume(moved), NAMES, existing=node)
    surface = node.GetSegmentation().GetNthSegment(0).GetRepresentation(_surface())
    centre = np.array(surface.GetCenter())
    assert np.allclose(centre, np.argwhere(moved == 1).mean(axis=0), atol=0.7)


def test_all_segments_share_one_image():
    node = _segmentation(AFFINES["plain"])
    assert node.GetSegmentation().GetNumberOfLayers() == 1


def test_label_numbers_above_255():
    labels = np.where(block() == 3, 4000, 0)
    image = volumeNode()
    node = segmentationFromLabels(Volume(labels), {4000: "parcel"})
    assert np.array_equal(maskFromSegment(node, _ids(node)[0], image).array, block() == 3)


def test_source_is_referenced_for_dicom_export():
    image = volumeNode(AFFINES["oblique"])
    node = _segmentation(AFFINES["oblique"], source=image)
    assert node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole()) is image


def test_bundle(scene, tmp_path):
    image = volumeNode(AFFINES["left-handed oblique"])
    _segmentation(AFFINES["left-handed oblique"], name="organs", source=image)
    throughBundle(scene, tmp_path / "scene.mrb")
    node, image = slicer.util.getNode("organs"), slicer.util.getNode("image")
    assert _names(node) == ["liver", "left kidney"]
    assert np.allclose(node.GetSegmentation().GetNthSegment(0).GetColor(), COLOURS[1], atol=0.01)
    mask = maskFromSegment(node, _ids(node)[1], image)
    expected = Volume(block(), AFFINES["left-handed oblique"])
    there = expected.voxel_from_ras(mask.ras_from_voxel(np.argwhere(mask.array)))
    assert sorted(map(tuple, np.rint(there).astype(int))) == sorted(map(tuple, np.argwhere(block() == 3)))
    ids = _ids(node)
    segmentationFromLabels(Volume(block(), AFFINES["left-handed oblique"]), NAMES, existing=node)
    assert _ids(node) == ids
