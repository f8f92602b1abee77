"""Diffusion series from every kind of node, with their b-values and directions."""

from __future__ import annotations

import nrrd
import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, SHAPE, countNodes, noise, throughBundle, volumeNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.bvalues import FRAME_LABELS, FRAME_TAG, findBValues, imageCount
from DeepMRILib.mrml.diffusion import diffusionFromNode, nodeFromDiffusion
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import DiffusionVolume, Volume

pytestmark = pytest.mark.usefixtures("scene")

B = np.array([0.0, 50, 200, 400, 600, 800, 1000])
DIRECTIONS = np.array([[0, 0, 0], [1, 0, 0], [0, 0.6, 0.8], [-0.48, 0.64, 0.6], [0, -1, 0], [0.6, 0, -0.8], [0, 0, 1]])


def _series(affine=AFFINES["oblique"], directions=DIRECTIONS):
    return DiffusionVolume(noise(*SHAPE, 7), affine, B, directions)


def _sequence(values, indexName, indexUnit="", affine=AFFINES["left-handed"]):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "series")
    sequence.SetIndexName(indexName)
    sequence.SetIndexUnit(indexUnit)
    for n, value in enumerate(values):
        frame = volumeNode(affine, seed=n)
        sequence.SetDataNodeAtValue(frame, str(value))
        slicer.mrmlScene.RemoveNode(frame)
    return sequence


def _proxy(sequence):
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser.GetProxyNode(sequence)


def _read(nodeClass, storageClass, path):
    node = slicer.mrmlScene.AddNewNodeByClass(nodeClass, path.name.partition(".")[0])
    storage = slicer.mrmlScene.AddNewNodeByClass(storageClass)
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    node.SetAndObserveStorageNodeID(storage.GetID())
    return node


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_diffusion_weighted_node(affine):
    series = _series(affine)
    node = nodeFromDiffusion(series, "dwi")
    back = diffusionFromNode(node)
    assert node.GetClassName() == "vtkMRMLDiffusionWeightedVolumeNode"
    assert np.array_equal(back.array, series.array)
    assert np.allclose(back.affine, affine)
    assert np.array_equal(back.b_values, B)
    assert np.allclose(back.directions, DIRECTIONS)
    assert np.shares_memory(back.array, slicer.util.arrayFromVolume(node))


def test_measurement_frame_takes_gradients_to_ras():
    node = nodeFromDiffusion(_series(), "dwi")
    frame = np.eye(4)
    frame[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, -1]]
    node.SetMeasurementFrameMatrix(slicer.util.vtkMatrixFromArray(frame))
    assert np.allclose(diffusionFromNode(node).directions, DIRECTIONS @ frame[:3, :3].T)


def test_directions_of_a_file_written_by_another_program(tmp_path):
    """NRRD keeps the measurement frame in the space of the header; Slicer's nodes are in RAS whatever that is."""
    frame = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    header = {
        "space": "left-posterior-superior",
        "space directions": np.vstack([[np.nan] * 3, np.diag([2.0, 2, 3])]),
        "space origin": np.array([5.0, 6, 7]),
        "kinds": ["vector", "space", "space", "space"],
        "measurement frame": frame.T,  # the file lists the frame's columns
        "modality": "DWMRI",
        "DWMRI_b-value": "1000",
    }
    for n, (b, direction) in enumerate(zip(B, DIRECTIONS, strict=True)):
        gradient = direction * np.sqrt(b / 1000)
        header[f"DWMRI_gradient_{n:04d}"] = " ".join(f"{part:.9f}" for part in gradient)
    path = tmp_path / "dwi.nrrd"
    nrrd.write(str(path), np.moveaxis(noise(*SHAPE, 7), 3, 0), header, index_order="F")
    node = _read("vtkMRMLDiffusionWeightedVolumeNode", "vtkMRMLNRRDStorageNode", path)
    series = diffusionFromNode(node)
    assert np.allclose(series.b_values, B, atol=0.01)
    assert np.allclose(series.directions, DIRECTIONS @ frame.T @ np.diag([-1.0, -1, 1]), atol=1e-5)
    assert np.allclose(series.affine[:3, 3], [-5, -6, 7])


@pytest.mark.parametrize("directions", [DIRECTIONS, None], ids=["directions", "no directions"])
def test_bundle_keeps_b_values(scene, tmp_path, directions):
    nodeFromDiffusion(_series(AFFINES["anisotropic"], directions), "dwi")
    throughBundle(scene, tmp_path / "scene.mrb")
    series = diffusionFromNode(slicer.util.getNode("dwi"))
    assert np.allclose(series.b_values, B)
    assert np.array_equal(series.array, _series().array)
    if directions is not None:
        assert np.allclose(series.directions, directions, atol=1e-6)


def test_series_without_directions_is_a_vector_volume():
    node = nodeFromDiffusion(_series(directions=None), "dwi")
    assert node.GetClassName() == "vtkMRMLVectorVolumeNode"
    assert diffusionFromNode(node).directions is None
    again = nodeFromDiffusion(_series(directions=None), "dwi", existing=node)
    assert again is node


def test_vector_volume_needs_b_values():
    node = nodeFromVolume(Volume(noise(*SHAPE, 7)), "series")
    with pytest.raises(InputError, match="each of the 7 images in their order"):
        diffusionFromNode(node)
    series = diffusionFromNode(node, bValues=[0, 10, 20, 30, 40, 50, 60])
    assert series.b_values.tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert np.shares_memory(series.array, slicer.util.arrayFromVolume(node))
    with pytest.raises(InputError, match="3 b-values for 7 images"):
        diffusionFromNode(node, bValues=[0, 10, 20])


@pytest.mark.parametrize(
    ("tag", "labels", "expected"),
    [
        ("Siemens.B-value", "0,50,200,400,600,800,1000", B),
        ("Standard.B-value", "0,50,200,400,600,800,1000", B),
        ("GE.B-value", "0,1000000050,1000000200,1000000400,1000000600,1000000800,1000001000", B),
        ("AcquisitionTime", "0,50,200,400,600,800,1000", None),
        ("Philips.B-value", "0,50,400,", None),
    ],
)
def test_labels_of_dicom_importers(tag, labels, expected):
    node = nodeFromVolume(Volume(noise(*SHAPE, 7)), "series")
    node.SetAttribute(FRAME_TAG, tag)
    node.SetAttribute(FRAME_LABELS, labels)
    values, place = findBValues(node)
    if expected is None:
        assert values is None
        assert "No b-values" in place
    else:
        assert np.array_equal(values, expected)
        assert tag in place


@pytest.mark.parametrize(
    ("name", "unit", "isB"),
    [
        ("b-value", "", True),
        ("b", "", True),
        ("Diffusion b value", "", True),
        ("bval", "", True),
        ("diffusion", "s/mm2", True),
        ("weighting", "s/mm²", True),
        ("frame", "", False),
        ("time", "s", False),
        ("breath", "", False),
    ],
)
def test_index_of_a_sequence(name, unit, isB):
    sequence = _sequence(B, name, unit)
    values, place = findBValues(sequence)
    assert np.array_equal(values, B) if isB else values is None
    assert ("index" in place) == isB


def test_sequence_becomes_one_series():
    sequence = _sequence(B, "b-value", "s/mm2")
    series = diffusionFromNode(sequence)
    assert np.array_equal(series.b_values, B)
    assert np.allclose(series.affine, AFFINES["left-handed"])
    assert np.array_equal(series.array, np.stack([noise(*SHAPE, seed=n) for n in range(7)], axis=-1))


def test_proxy_stands_for_its_sequence(scene):
    sequence = _sequence(B, "b-value", "s/mm2")
    proxy = _proxy(sequence)
    nodes = countNodes(scene)
    assert imageCount(proxy) == 7
    assert np.array_equal(diffusionFromNode(proxy).array, diffusionFromNode(sequence).array)
    assert countNodes(scene) == nodes


def test_proxy_of_a_sequence_of_series_stands_for_itself(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for value in "01":
        series = nodeFromDiffusion(_series(directions=None), "dwi")
        sequence.SetDataNodeAtValue(series, value)
        scene.RemoveNode(series)
    proxy = _proxy(sequence)
    assert imageCount(proxy) == 7
    assert np.array_equal(diffusionFromNode(proxy, B).array, _series().array)


def test_frames_inside_a_sequence_are_not_taken_for_their_proxy(scene):
    """A frame's ID counts in the sequence's own scene: here it is also the ID of the proxy outside."""
    proxy = volumeNode()
    sequence = _sequence([0, 50], "b-value")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.AddProxyNode(proxy, sequence, False)
    frame = sequence.GetNthDataNode(0)
    assert scene.GetNodeByID(frame.GetID()) is proxy
    assert imageCount(proxy) == 2
    assert imageCount(frame) == 1


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_few_images_keep_their_b_values_in_a_bundle(scene, tmp_path, count):
    series = DiffusionVolume(noise(*SHAPE, count), np.eye(4), B[:count], DIRECTIONS[:count])
    nodeFromDiffusion(series, "few")
    throughBundle(scene, tmp_path / "scene.mrb")
    back = diffusionFromNode(slicer.util.getNode("few"))
    assert np.array_equal(back.b_values, B[:count])
    assert np.array_equal(back.array, series.array)


def test_frames_on_different_grids(scene):
    sequence = _sequence([0, 50, 400], "b-value")
    other = volumeNode(AFFINES["oblique"])
    sequence.SetDataNodeAtValue(other, "1100")
    with pytest.raises(InputError, match="Image 4 of the sequence series lies on another grid"):
        diffusionFromNode(sequence)


def test_single_image_is_no_series():
    with pytest.raises(InputError, match="single image, not a series"):
        diffusionFromNode(volumeNode(), bValues=[0])
    with pytest.raises(InputError, match="holds 1 image"):
        diffusionFromNode(_sequence([0], "b-value"))
    with pytest.raises(InputError, match="No diffusion series is chosen"):
        diffusionFromNode(None)


def test_sidecar_with_another_count_is_named(tmp_path, shared_data):
    import shutil

    for suffix in (".nii", ".bval"):
        shutil.copy(shared_data / "dwi_dipy_small" / f"small_64D{suffix}", tmp_path / f"dwi{suffix}")
    node = _read("vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode", tmp_path / "dwi.nii")
    values, place = findBValues(node)
    assert place == "dwi.bval"
    assert values.size == imageCount(node) == 65
    (tmp_path / "dwi.bval").write_text("0 1000 1000")
    values, place = findBValues(node)
    assert values is None
    assert "3 b-values for 65 images (found in dwi.bval)" in place
    (tmp_path / "dwi.bval").write_text("0 one thousand")
    assert "dwi.bval contains 'one'" in findBValues(node)[1]


def test_real_series_agrees_with_nibabel(shared_data):
    """Slicer may turn axes on reading: the values are compared where they lie in space."""
    import nibabel

    path = shared_data / "dwi_dipy_small" / "small_64D.nii"
    node = _read("vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode", path)
    series = diffusionFromNode(node)
    image = nibabel.load(path)
    expected = np.asarray(image.dataobj)
    indices = np.argwhere(np.ones(expected.shape[:3], bool))
    there = series.voxel_from_ras(Volume(expected[..., 0], image.affine).ras_from_voxel(indices))
    assert np.abs(there - np.rint(there)).max() < 1e-3
    assert np.array_equal(series.array[tuple(np.rint(there).astype(int).T)], expected[tuple(indices.T)])
    assert np.allclose(series.b_values, np.loadtxt(path.with_suffix(".bval")))


def test_real_spinal_cord_series_of_seven_tesla(shared_data):
    folder = shared_data / "ivim_cord7T"
    node = _read("vtkMRMLSequenceNode", "vtkMRMLVolumeSequenceStorageNode", folder / "dwi_rl.nii.gz")
    assert findBValues(node)[0] is None
    bValues = np.loadtxt(folder / "bval_rl.txt").ravel()
    series = diffusionFromNode(node, bValues)
    assert series.array.shape[3] == bValues.size == imageCount(node)
    low, high = series.array[..., bValues < 50].mean(), series.array[..., bValues > 500].mean()
    assert low > high > 0


def test_reading_does_not_change_the_scene(scene):
    node = nodeFromDiffusion(_series(), "dwi")
    nodes, before = countNodes(scene), volumeFromNode(node).array.copy()
    diffusionFromNode(node)
    assert countNodes(scene) == nodes
    assert np.array_equal(volumeFromNode(node).array, before)
