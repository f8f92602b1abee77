"""Nodes as inputs of a segmentation of perivascular spaces: all in the frame of the image."""

from __future__ import annotations

import numpy as np
import pvs_samples as samples
import pytest
import slicer
from mrml_samples import aTransform, deformationNode, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.pvs_inputs import imageBeside, likelyT1, maskOn, segmentInputs
from DeepMRILib.mrml.pvs_parcellation import freeSurferNumber, parcellationOn
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import LabelVolume, Volume

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def t1(scene):
    return nodeFromVolume(samples.image(), "exam")


def mask() -> LabelVolume:
    return LabelVolume(samples.brain().astype(np.uint8), samples.OBLIQUE, {1: "brain"})


def test_all_inputs_are_given_by_their_names(t1) -> None:
    flair = nodeFromVolume(samples.image(), "flair")
    labels = nodeFromVolume(LabelVolume(samples.regions().array * 2, samples.OBLIQUE), "aseg")
    given = segmentInputs(
        t1, flairNode=flair, maskNode=nodeFromVolume(mask(), "mask"), parcellationNode=labels, model="net"
    )
    assert set(given) == {"t1", "flair", "t2", "brain_mask", "parcellation", "model"}
    assert np.array_equal(given["t1"].array, samples.image().array)
    assert given["t1"].same_grid(given["flair"])
    assert given["brain_mask"].array.sum() == samples.brain().sum()
    assert set(given["parcellation"].names) == {2, 14}
    assert given["t2"] is None
    assert given["model"] == "net"
    assert segmentInputs(None, t2Node=t1)["t2"].same_grid(samples.image())
    assert segmentInputs(t1, model="")["model"] is None


def test_without_an_image_nothing_is_given() -> None:
    with pytest.raises(InputError, match="There is no image"):
        segmentInputs(None)


def test_an_image_with_several_values_is_refused(t1) -> None:
    colour = nodeFromVolume(Volume(np.zeros((4, 4, 4, 3), np.uint8), np.eye(4)), "colour")
    with pytest.raises(InputError, match="several values per voxel"):
        segmentInputs(t1, flairNode=colour)
    with pytest.raises(InputError, match="several values per voxel"):
        segmentInputs(colour)


def test_a_flair_under_another_transform_comes_into_the_frame_of_the_t1(t1) -> None:
    flair = nodeFromVolume(samples.image(), "flair")
    flair.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    given = imageBeside(flair, t1)
    assert np.array_equal(given.array, samples.image().array)
    assert np.allclose(given.affine, aTransform() @ samples.OBLIQUE)
    t1.SetAndObserveTransformNodeID(flair.GetTransformNodeID())
    assert np.allclose(imageBeside(flair, t1).affine, samples.OBLIQUE)


def test_a_flair_through_a_deformation_is_put_onto_the_grid_of_the_t1(t1) -> None:
    flair = nodeFromVolume(samples.image(), "flair")
    flair.SetAndObserveTransformNodeID(deformationNode().GetID())
    given = imageBeside(flair, t1)
    assert given.same_grid(samples.image())
    middle = (slice(12, 28),) * 2 + (slice(10, 22),)
    assert np.corrcoef(given.array[middle].ravel(), samples.image().array[middle].ravel())[0, 1] > 0.5


@pytest.mark.parametrize("kind", ["label map", "fractions", "segment", "segmentation"])
def test_a_mask_is_a_label_map_a_volume_or_a_segment(t1, kind: str) -> None:
    both = LabelVolume(np.where(samples.brain(), samples.regions().array, 0), samples.OBLIQUE, samples.REGIONS)
    if kind == "label map":
        node, segment = nodeFromVolume(mask(), "mask"), ""
    elif kind == "fractions":
        node, segment = nodeFromVolume(Volume(samples.brain() * np.float32(0.9), samples.OBLIQUE), "mask"), ""
    else:
        node = segmentationFromLabels(both, samples.REGIONS)
        segment = "DeepMRI_Right_basal_ganglia" if kind == "segment" else ""
    found = maskOn(node, segment, t1)
    expected = samples.regions().array == 7 if kind == "segment" else samples.brain()
    assert found.array.dtype == np.uint8
    assert np.array_equal(found.array > 0, expected)
    assert found.same_grid(samples.image())


def test_a_mask_on_another_grid_is_brought_onto_that_of_the_image(t1) -> None:
    flipped = np.diag([-1.0, 1.0, 1.0, 1.0])
    flipped[0, 3] = samples.SHAPE[0] - 1
    node = nodeFromVolume(LabelVolume(mask().array[::-1], samples.OBLIQUE @ flipped), "flipped")
    assert np.array_equal(maskOn(node, "", t1).array > 0, samples.brain())


def test_a_mask_and_labels_elsewhere_are_told(t1) -> None:
    far = samples.OBLIQUE.copy()
    far[:3, 3] += 500
    for act in (maskOn, lambda node, _segment, image: parcellationOn(node, image)):
        with pytest.raises(InputError, match="has no voxel inside the image exam"):
            act(nodeFromVolume(LabelVolume(mask().array, far), "far"), "", t1)


def test_a_parcellation_of_fractions_is_refused(t1) -> None:
    with pytest.raises(InputError, match="fractions"):
        parcellationOn(nodeFromVolume(Volume(samples.image().array / 3, samples.OBLIQUE), "half"), t1)


def test_segments_with_freesurfers_names_are_a_parcellation(t1) -> None:
    names = {1: "Left-Cerebral-White-Matter", 7: "right putamen"}
    node = segmentationFromLabels(samples.regions(), names)
    found = parcellationOn(node, t1)
    expected = np.select([samples.regions().array == 1, samples.regions().array == 7], [2, 51], 0)
    assert np.array_equal(found.array, expected)


def test_segments_without_such_names_are_refused(t1) -> None:
    node = segmentationFromLabels(samples.regions(), {1: "Segment_1", 7: "tumour"}, name="mine")
    with pytest.raises(InputError, match="No segment of mine has one of FreeSurfer's names"):
        parcellationOn(node, t1)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("Left-Cerebral-White-Matter", 2),
        ("right cerebral cortex", 42),
        ("Left-Thalamus-Proper", 10),
        ("left thalamus", 10),
        ("Right-VentralDC", 60),
        ("right ventral DC", 60),
        ("left inferior lateral ventricle", 5),
        ("Left-Inf-Lat-Vent", 5),
        ("Brain-Stem", 16),
        ("brainstem", 16),
        ("ctx-rh-insula", 2035),
        ("ctx-lh-superiorfrontal", 3),
        ("41", 41),
        ("Label_41", 41),
        ("Segment_41", None),
        ("3rd-Ventricle", 14),
        ("skull", None),
    ],
)
def test_names_that_mean_a_number(name: str, number: int | None) -> None:
    assert freeSurferNumber(name) == number


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["FLAIR", "sub-01_T1w"], "sub-01_T1w"),
        (["MPRAGE sag", "t1 after"], "MPRAGE sag"),
        (["t2 tse", "scan"], "scan"),
        (["FLAIR", "T2"], None),
        ([], None),
    ],
)
def test_the_likely_t1_is_guessed_by_name(scene, names: list[str], chosen: str | None) -> None:
    nodeFromVolume(mask(), "T1 label map")
    for name in names:
        nodeFromVolume(samples.image(), name)
    found = likelyT1()
    assert (found.GetName() if found is not None else None) == chosen


def test_our_own_maps_are_no_images(t1) -> None:
    probability = nodeFromVolume(samples.probability(), "T1 PVS probability")
    probability.SetAttribute("DeepMRI.Map", "pvs probability")
    slicer.mrmlScene.RemoveNode(t1)
    assert likelyT1() is None
