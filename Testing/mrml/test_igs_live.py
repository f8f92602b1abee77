"""What the acceleration slider shows, what a search is given, and how a comparison is laid down."""

from __future__ import annotations

import time
from pathlib import Path

import igs_samples as samples
import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from mrml_samples import AFFINES, aTransform, countNodes, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.mrml import igs_compare
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.igs_inputs import dataInputs, labelsOn, likelyImage
from DeepMRILib.mrml.igs_live import LiveImage, agreement, pictureShape, showImage, showMask, showSegmentation
from DeepMRILib.mrml.igs_pictures import maskPicture
from DeepMRILib.mrml.igs_sample import SMALL, sampleNodes
from DeepMRILib.mrml.plots import seriesOf, tablesOf
from DeepMRILib.mrml.segments import labelsFromSegmentation, segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import LabelVolume, Volume

pytestmark = pytest.mark.usefixtures("scene")
GRID = AFFINES["left-handed oblique"]


def voxels(node) -> np.ndarray:
    """(i, j, k)."""
    return slicer.util.arrayFromVolume(node).transpose()


@pytest.fixture
def image(scene):
    return nodeFromVolume(samples.image(GRID), "exam")


@pytest.fixture
def labels(image):
    return segmentationFromLabels(samples.labels(GRID), samples.labels().names, name="truth", source=image)


@pytest.mark.parametrize("lines", range(1, 7))
@pytest.mark.parametrize("kind", ["igs", "block", "centre", "recommended"])
def test_every_place_of_the_slider_is_what_the_pattern_says(image, lines: int, kind: str) -> None:
    pattern = samples.pattern()
    live = LiveImage.of(image, None, pattern, DataOptions())
    masks = pattern.masks(lines, kind=kind)
    assert int(masks.sum()) == lines
    assert np.allclose(live.through(masks).array, samples.undersampled(samples.image(), masks[0], 0), atol=1e-3)


def test_moving_the_slider_changes_the_same_nodes(image) -> None:
    pattern = samples.pattern()
    live = LiveImage.of(image, None, pattern, DataOptions())
    mask, seen, before = None, None, 0
    for lines in (6, 3, 1, 6):
        masks = pattern.masks(lines)
        mask = showMask(maskPicture(pattern, masks, live.shape), image, live.options, mask)
        seen = showImage(live, masks, image, seen)
        assert before in (0, countNodes(slicer.mrmlScene))
        before = countNodes(slicer.mrmlScene)
        assert voxels(mask).sum() == lines * samples.SHAPE[1]
    assert (sourceOf(mask), sourceOf(seen)) == (image, image)


def test_a_phase_image_makes_k_space_complex(image) -> None:
    phase = np.linspace(-3, 3, np.prod(samples.SHAPE)).reshape(samples.SHAPE).astype(np.float32)
    node = nodeFromVolume(Volume(phase, GRID), "exam phase")
    pattern = samples.pattern()
    masks = pattern.masks(4)
    live = LiveImage.of(image, node, pattern, DataOptions())
    turned = samples.image().like(samples.image().array * np.exp(1j * phase))
    assert np.allclose(live.through(masks).array, samples.undersampled(turned, masks[0], 0), atol=1e-3)


def test_noise_and_phase_that_are_added_are_the_same_at_every_place(image) -> None:
    pattern, options = samples.pattern(), DataOptions(smooth_phase=2.0, noise=0.2)
    first, second = (LiveImage.of(image, None, pattern, options).through(pattern.masks(4)) for _ in range(2))
    assert np.array_equal(first.array, second.array)
    clean = LiveImage.of(image, None, pattern, DataOptions()).through(pattern.masks(4))
    assert not np.allclose(first.array, clean.array, rtol=0.02)


def test_an_image_of_another_size_is_a_sentence(image) -> None:
    other = nodeFromVolume(Volume(np.ones((20, 12, 5), np.float32), GRID), "other")
    with pytest.raises(InputError, match="The pattern is for 16 lines"):
        LiveImage.of(other, None, samples.pattern(), DataOptions())
    with pytest.raises(InputError, match="There is no image"):
        LiveImage.of(None, None, samples.pattern(), DataOptions())


def test_empty_slices_stay_in_the_image(scene) -> None:
    array = samples.image().array.copy()
    array[:, :, 0] = 0
    node = nodeFromVolume(Volume(array, GRID), "with air")
    seen = LiveImage.of(node, None, samples.pattern(), DataOptions()).through(samples.pattern().masks(3))
    assert seen.shape == samples.SHAPE
    assert not seen.array[:, :, 0].any()


def test_a_picture_of_k_space_without_an_image_keeps_its_shape(scene) -> None:
    pattern = samples.pattern()
    assert pictureShape(pattern, None) == (16, 16)
    mask = showMask(maskPicture(pattern, pattern.masks(3), (12, 16)), None, DataOptions())
    assert voxels(mask).shape == (16, 12, 1)
    assert pictureShape(pattern, mask) == (12, 16)


def test_a_large_image_follows_the_slider(scene) -> None:
    """256 x 256 x 24: 40 ms are measured on a free core; ten times that fails here."""
    rng = np.random.default_rng(0)
    node = nodeFromVolume(Volume(rng.uniform(0, 1, (256, 256, 24)).astype(np.float32), np.eye(4)), "large")
    pattern = type(samples.pattern())(((128, 127, 129),), (256,), (-1,))
    live = LiveImage.of(node, None, pattern, DataOptions())
    seen = showImage(live, pattern.masks(3), node)
    started = time.perf_counter()
    showImage(live, pattern.masks(2), node, seen)
    assert time.perf_counter() - started < 1.5


def test_segments_of_a_network_keep_their_place_when_one_is_not_found(image) -> None:
    names = {1: "myocardium", 2: "left ventricle"}
    array = np.zeros(samples.SHAPE, np.uint8)
    array[3:6, 3:6, 2] = 2
    first = showSegmentation(LabelVolume(array, GRID, names), names, image)
    ids = list(first.GetSegmentation().GetSegmentIDs())
    array = np.where(array > 0, 1, 0).astype(np.uint8)
    again = showSegmentation(LabelVolume(array, GRID, names), names, image, first)
    assert again is first
    assert list(first.GetSegmentation().GetSegmentIDs()) == ids
    found = labelsFromSegmentation(first, image)[0]
    assert np.array_equal(found.array, array)
    unnamed = showSegmentation(LabelVolume(array, GRID), {}, image)
    assert unnamed.GetSegmentation().GetNthSegment(0).GetName() == "1"


def test_agreement_goes_by_name() -> None:
    truth = samples.labels()
    swapped = LabelVolume(np.choose(truth.array, [0, 2, 1]).astype(np.uint8), np.eye(4))
    assert agreement(swapped, truth, {1: "right block", 2: "left block"}) == {"left block": 1.0, "right block": 1.0}
    assert agreement(swapped, truth, {1: "left block"}) == {"left block": 0.0}
    assert agreement(swapped, None, {1: "left block"}) == {}
    half = LabelVolume(np.where(truth.array == 1, 1, 0).astype(np.uint8)[::1], np.eye(4))
    half.array[:, 5:, :] = 0
    assert agreement(half, truth, {1: "left block"})["left block"] == pytest.approx(2 * 50 / (50 + 125))


# ---- inputs


def test_segments_become_labels_of_the_image(image, labels) -> None:
    moved = transformNode(aTransform())
    for node in (image, labels):
        node.SetAndObserveTransformNodeID(moved.GetID())
    inputs = dataInputs(image, labelsNode=labels)
    assert np.array_equal(inputs["labels"].array, samples.labels().array)
    assert inputs["labels"].names == {1: "left block", 2: "right block"}
    assert np.allclose(inputs["data"].affine, GRID)
    second = labels.GetSegmentation().GetNthSegmentID(1)
    chosen = dataInputs(image, labelsNode=labels, segments=[second])["labels"]
    assert np.array_equal(chosen.array > 0, samples.labels().array == 2)
    assert chosen.names == {1: "right block"}


def test_a_label_map_keeps_its_numbers_and_is_called_as_its_colours(image) -> None:
    numbers = np.choose(samples.labels().array, [0, 3, 7]).astype(np.uint8)
    node = nodeFromVolume(LabelVolume(numbers, GRID), "map")
    colours = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", "colours")
    colours.SetTypeToUser()
    colours.SetNumberOfColors(8)
    colours.SetColor(3, "heart", 1, 0, 0, 1)
    node.GetDisplayNode().SetAndObserveColorNodeID(colours.GetID())
    found = labelsOn(node, (), image)
    assert np.array_equal(found.array, numbers)
    assert found.names[3] == "heart"
    moved = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(moved)
    moved.SetElement(0, 3, 500)
    node.SetIJKToRASMatrix(moved)
    with pytest.raises(InputError, match="have no voxel inside the image exam"):
        labelsOn(node, (), image)


def test_a_folder_stands_for_an_image(image, tmp_path: Path) -> None:
    assert dataInputs(folder=tmp_path) == {"data": tmp_path, "labels": None, "phase": None}
    with pytest.raises(InputError, match="An image and a folder are given"):
        dataInputs(image, folder=tmp_path)
    with pytest.raises(InputError, match="There is nothing at"):
        dataInputs(folder=tmp_path / "nowhere")
    with pytest.raises(InputError, match="There is nothing at"):
        dataInputs(folder="x" * 5000)
    with pytest.raises(InputError, match="There is no image"):
        dataInputs()


def test_neither_results_nor_phases_are_taken_for_the_image(scene) -> None:
    assert likelyImage() is None
    nodeFromVolume(samples.image(), "scan Phase")
    result = nodeFromVolume(samples.image(), "undersampled")
    result.SetAttribute("DeepMRI.Map", "undersampled")
    assert likelyImage() is None
    image = nodeFromVolume(samples.image(), "scan")
    assert likelyImage() is image


# ---- comparison, sample data


def test_a_comparison_leaves_tables_and_a_chart(image) -> None:
    made = igs_compare.deliverComparison(samples.evaluation(), image)
    assert made.summaryTable.GetNumberOfRows() == 42
    assert made.scoresTable.GetNumberOfRows() == 1
    drawn = [series.GetName() for series in seriesOf(made.scoreChart)]
    assert drawn == ["search", "centre", "variable density", "all lines"]
    assert made.scoreChart.GetYAxisTitle() == "Dice"
    (table,) = tablesOf(made.scoreChart)
    for name, wanted in (("search", [0.73, 0.76]), ("all lines", [0.96, 0.96]), ("all lines: x", [3, 6])):
        column = table.GetTable().GetColumnByName(name)
        assert [column.GetValue(n) for n in range(2)] == pytest.approx(wanted)
    before = countNodes(slicer.mrmlScene)
    assert igs_compare.deliverComparison(samples.evaluation(), image, made) == made
    assert countNodes(slicer.mrmlScene) == before
    assert all(sourceOf(node) is image for node in vars(made).values())
    text = igs_compare.summary(samples.evaluation())
    assert text == "Dice at 3: search 0.730, centre 0.630, variable density 0.430. Few cases."


def test_the_sample_is_hearts_with_their_labels_and_phase(scene) -> None:
    made = sampleNodes(SMALL)
    assert voxels(made.image).shape == (48, 48, 4)
    segments = made.labels.GetSegmentation()
    names = {segments.GetNthSegment(n).GetName() for n in range(3)}
    assert names == {"myocardium", "left ventricle", "right ventricle"}
    assert not made.labels.GetDisplayNode().GetVisibility()
    assert np.abs(voxels(made.phase)).max() <= np.pi + 1e-3
    tag = vtk.reference("")
    assert segments.GetNthSegment(0).GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag)
    assert "Myocardium" in str(tag)
    assert likelyImage() is made.image
