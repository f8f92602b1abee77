"""Volume nodes to volumes and back: geometry, types, no copy on the way out, and second runs."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, SHAPE, aTransform, countNodes, noise, throughBundle, transformNode, volumeNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.volumes import affineFromNode, nodeFromVolume, volumeFromNode
from DeepMRILib.volume import LabelVolume, Volume

pytestmark = pytest.mark.usefixtures("scene")


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("components", [0, 3, 7])
def test_array_and_affine_survive_the_round_trip(affine, components):
    array = noise(*SHAPE, *([components] if components else []))
    node = nodeFromVolume(Volume(array, affine), "image")
    assert node.GetClassName() == ("vtkMRMLVectorVolumeNode" if components else "vtkMRMLScalarVolumeNode")
    volume = volumeFromNode(node)
    assert np.array_equal(volume.array, array)
    assert np.allclose(volume.affine, affine, atol=1e-12)


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_voxels_lie_where_slicer_shows_them(affine):
    node = nodeFromVolume(Volume(noise(*SHAPE), affine), "image")
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in SHAPE])).reshape(3, -1).T
    ras = volumeFromNode(node).ras_from_voxel(corners)
    assert np.allclose(bounds[::2], ras.min(axis=0))
    assert np.allclose(bounds[1::2], ras.max(axis=0))


def test_sheared_grid_is_kept():
    affine = np.array([[2, 0.5, 0, 1], [0, 1.5, 0.2, 2], [0.1, 0, 3, 3], [0, 0, 0, 1.0]])
    assert np.allclose(affineFromNode(nodeFromVolume(Volume(noise(*SHAPE), affine), "sheared")), affine)


def test_reading_shares_the_nodes_memory():
    node = volumeNode()
    volume = volumeFromNode(node)
    assert np.shares_memory(volume.array, slicer.util.arrayFromVolume(node))
    volume.array[1, 2, 3] = -5
    assert slicer.util.arrayFromVolume(node)[3, 2, 1] == -5


def test_writing_copies():
    array = noise(*SHAPE)
    node = nodeFromVolume(Volume(array), "copy")
    array[:] = 0
    assert slicer.util.arrayFromVolume(node).min() > 0


def test_array_outlives_the_nodes_image():
    node = volumeNode()
    before = volumeFromNode(node)
    expected = before.array.copy()
    nodeFromVolume(Volume(np.zeros(SHAPE)), "image", existing=node)
    assert np.array_equal(before.array, expected)


def test_cropped_image_that_counts_from_another_number():
    node = volumeNode(AFFINES["left-handed oblique"])
    whole = volumeFromNode(node)
    node.GetImageData().SetExtent(2, SHAPE[0] + 1, 1, SHAPE[1], 0, SHAPE[2] - 1)
    moved = volumeFromNode(node)
    assert np.allclose(moved.affine[:3, 3], whole.ras_from_voxel([[2, 1, 0]])[0])


def test_parent_transform_is_left_out():
    node = volumeNode(AFFINES["oblique"])
    node.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    assert np.allclose(volumeFromNode(node).affine, AFFINES["oblique"])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (bool, np.uint8),
        (np.int8, np.int16),
        (np.float16, np.float32),
        (np.int64, np.int32),
        (np.uint16, np.uint16),
        (">f8", np.float64),
        (">i2", np.int16),
    ],
)
def test_types_become_what_slicer_can_save(given, kept):
    array = (np.arange(24).reshape(2, 3, 4) % 2).astype(given)
    volume = volumeFromNode(nodeFromVolume(Volume(array), "typed"))
    assert volume.array.dtype == kept
    assert np.array_equal(volume.array, array)


def test_large_integers_are_not_cut():
    array = np.full((2, 2, 2), 2**40)
    assert volumeFromNode(nodeFromVolume(Volume(array), "large")).array.max() == 2**40


def test_labels_become_a_label_map():
    node = nodeFromVolume(LabelVolume(np.arange(24).reshape(2, 3, 4)), "labels")
    assert node.GetClassName() == "vtkMRMLLabelMapVolumeNode"
    assert volumeFromNode(node).array.dtype == np.int32


def test_second_run_updates_the_chosen_node(scene):
    node = volumeNode(name="chosen by the user")
    display = node.GetDisplayNode()
    nodes = countNodes(scene)
    again = nodeFromVolume(Volume(noise(3, 4, 5, seed=2), AFFINES["oblique"]), "other name", existing=node)
    assert again is node
    assert countNodes(scene) == nodes
    assert node.GetName() == "chosen by the user"
    assert node.GetDisplayNode() is display
    assert volumeFromNode(node).shape == (3, 4, 5)


def test_new_nodes_get_names_of_their_own():
    assert [nodeFromVolume(Volume(np.ones((2, 2, 2))), "D").GetName() for _ in range(2)] == ["D", "D_1"]


def test_bundle_keeps_image_and_geometry(scene, tmp_path):
    array = noise(*SHAPE)
    nodeFromVolume(Volume(array, AFFINES["left-handed oblique"]), "saved")
    throughBundle(scene, tmp_path / "scene.mrb")
    volume = volumeFromNode(slicer.util.getNode("saved"))
    # NRRD knows no handedness: where an axis is turned on the way, affine and array turn together.
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in SHAPE])).reshape(3, -1).T
    expected = Volume(array, AFFINES["left-handed oblique"])
    there = np.rint(volume.voxel_from_ras(expected.ras_from_voxel(corners))).astype(int)
    assert np.allclose(volume.array[tuple(there.T)], array[tuple(corners.T)])


def test_nothing_chosen():
    with pytest.raises(InputError, match="not a volume"):
        volumeFromNode(None)


def test_no_image_loaded(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "hollow")
    with pytest.raises(InputError, match="hollow holds no image"):
        volumeFromNode(empty)


def test_not_a_volume(scene):
    with pytest.raises(InputError, match="my table is not a volume"):
        volumeFromNode(scene.AddNewNodeByClass("vtkMRMLTableNode", "my table"))


def test_complex_image_is_refused(scene):
    nodes = countNodes(scene)
    with pytest.raises(InputError, match="magnitude or its phase"):
        nodeFromVolume(Volume(np.ones((2, 2, 2), dtype=complex)), "k-space")
    assert countNodes(scene) == nodes


def test_output_of_another_kind_is_refused():
    labels = nodeFromVolume(LabelVolume(np.ones((2, 2, 2), int)), "labels")
    with pytest.raises(InputError, match="labels is not a scalar volume"):
        nodeFromVolume(Volume(np.full((2, 2, 2), 0.5)), "map", existing=labels)
    with pytest.raises(InputError, match="image is not a vector volume"):
        nodeFromVolume(Volume(noise(2, 2, 2, 3)), "series", existing=volumeNode())
    assert volumeFromNode(labels).array.min() == 1
