"""k-space patterns in the scene: what a search leaves, a second one, transforms, and a saved scene."""

from __future__ import annotations

import igs_samples as samples
import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, aTransform, countNodes, throughBundle, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml import igs as nodes
from DeepMRILib.mrml.hierarchy import itemOf, sourceOf
from DeepMRILib.mrml.igs_growth import browserOf, isPlaying, play, writeAnimation
from DeepMRILib.mrml.igs_record import (
    PATTERN,
    RECORD_ATTRIBUTE,
    ROLE,
    IGSNodes,
    hasPattern,
    linkedNodes,
    patternOf,
    recordOf,
)
from DeepMRILib.mrml.plots import seriesOf
from DeepMRILib.mrml.sequences import proxyOfSequence
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.mrml.volumes import affineFromNode, nodeFromVolume
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")


def voxels(node) -> np.ndarray:
    """(i, j, k)."""
    return slicer.util.arrayFromVolume(node).transpose()


def column(table, name: str) -> list:
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(n) for n in range(values.GetNumberOfValues())]


@pytest.fixture
def image(scene):
    return nodeFromVolume(samples.image(AFFINES["left-handed oblique"]), "exam")


@pytest.fixture
def result(image):
    return samples.result(samples.image(AFFINES["left-handed oblique"]))


@pytest.fixture
def made(result, image):
    return nodes.deliverPattern(result, image)


def test_a_search_leaves_tables_chart_mask_image_growth_and_pattern(made, result, image) -> None:
    pattern = result.pattern
    assert column(made.linesTable, "line") == list(pattern.order)
    assert column(made.linesTable, "loss") == pytest.approx(list(pattern.losses))
    assert column(made.rivalsTable, "lines") == [rung.lines for rung in pattern.rungs]
    assert [series.GetName() for series in seriesOf(made.lossChart)] == ["best block", "centre", "search"]
    assert made.lossChart.GetXAxisTitle() == "Lines"
    assert made.lossChart.GetYAxisTitle() == "Loss (l1)"
    mask = pattern.mask(kind="recommended")
    wanted = samples.undersampled(samples.image(), mask, axis=0)
    assert np.allclose(voxels(made.undersampledVolume), wanted, atol=1e-3)
    assert made.growthSequence.GetNumberOfDataNodes() == samples.LINES
    assert patternOf(made.linesTable) == pattern
    assert linkedNodes(made.linesTable) == made


@pytest.mark.parametrize("grid", list(AFFINES))
@pytest.mark.parametrize(("slice_axis", "axis", "encoded"), [("k", -1, 0), ("k", -2, 1), ("i", -1, 1), ("j", -2, 2)])
def test_any_grid_and_axis_gives_the_image_in_its_place(scene, grid: str, slice_axis: str, axis: int, encoded: int):
    volume = samples.image(AFFINES[grid])
    image = nodeFromVolume(volume, "exam")
    lines = min(samples.LINES, samples.SHAPE[encoded])
    result = samples.result(volume, slice_axis=slice_axis, axis=axis, lines=lines)
    made = nodes.deliverPattern(result, image)
    mask = result.pattern.mask(kind="recommended")
    assert np.allclose(voxels(made.undersampledVolume), samples.undersampled(volume, mask, encoded), atol=1e-3)
    assert np.allclose(affineFromNode(made.undersampledVolume), volume.affine)
    picture = voxels(made.maskVolume)
    stack = "ijk".index(slice_axis)
    assert picture.shape[stack] == 1
    others = tuple(n for n in range(3) if n != encoded)
    assert np.array_equal(picture.mean(axis=others), mask)
    # one slice as thick as all together: it is seen wherever one looks, and lies on the image
    affine = affineFromNode(made.maskVolume)
    first, last = (Volume(picture, affine).ras_from_voxel(at)[0] for at in ([0, 0, 0], np.array(picture.shape) - 1))
    ends = np.array([[0, 0, 0], np.array(samples.SHAPE) - 1], dtype=float)
    ends[:, stack] = (samples.SHAPE[stack] - 1) / 2
    assert np.allclose([first, last], volume.ras_from_voxel(ends))
    assert np.allclose(np.linalg.norm(affine[:3, stack]), volume.spacing[stack] * samples.SHAPE[stack])


def test_the_growth_lies_where_its_slice_is(made, result, image) -> None:
    sequence = made.growthSequence
    assert sequence.GetIndexName() == "lines"
    assert [sequence.GetNthIndexValue(n) for n in range(3)] == ["1", "2", "3"]
    proxy = proxyOfSequence(sequence)
    at = affineFromNode(proxy)[:3, 3]
    index = samples.image(AFFINES["left-handed oblique"]).voxel_from_ras(at)[0]
    row = round(float(index[2]))
    assert np.allclose(index, [0, 0, row], atol=1e-6)
    assert np.array_equal(result.example, samples.image().array[:, :, row].T)
    browser = browserOf(sequence)
    assert browser.GetSelectedItemNumber() == samples.LINES - 1
    assert np.allclose(voxels(proxy)[:, :, 0], result.growth[-1].T)
    browser.SetSelectedItemNumber(0)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    assert np.allclose(voxels(proxy)[:, :, 0], result.growth[0].T)
    play(sequence, True)
    assert isPlaying(sequence)
    play(sequence, False)
    assert not isPlaying(sequence)


def test_the_undersampled_image_has_the_window_of_the_image(result, image) -> None:
    display = image.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(33.0, 44.0)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGreen")
    made = nodes.deliverPattern(result, image)
    seen = made.undersampledVolume.GetDisplayNode()
    assert (seen.GetWindow(), seen.GetLevel()) == (33.0, 44.0)
    assert seen.GetColorNodeID() == "vtkMRMLColorTableNodeGreen"
    seen.SetWindowLevel(5.0, 6.0)
    nodes.deliverPattern(result, image, made)
    assert (seen.GetWindow(), seen.GetLevel()) == (5.0, 6.0), "a second run leaves what the user has set"


def test_results_lie_beside_the_image_under_its_transform(result, image) -> None:
    moved = transformNode(aTransform())
    image.SetAndObserveTransformNodeID(moved.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, image)
    made = nodes.deliverPattern(result, image)
    for node in (*vars(made).values(), proxyOfSequence(made.growthSequence)):
        assert sourceOf(node) is image
        parent = hierarchy.GetItemParent(itemOf(node))
        assert study in (parent, hierarchy.GetItemParent(parent))
        if node.IsA("vtkMRMLTransformableNode"):
            assert node.GetTransformNodeID() == moved.GetID()


def test_a_second_run_updates_the_same_nodes(made, image) -> None:
    before = countNodes(slicer.mrmlScene)
    again = samples.result(samples.image(), lines=4, axis=-2)
    updated = nodes.deliverPattern(again, image, IGSNodes(linesTable=made.linesTable))
    assert updated == made
    assert countNodes(slicer.mrmlScene) == before
    assert made.linesTable.GetNumberOfRows() == 4
    assert patternOf(made.linesTable) == again.pattern
    assert made.growthSequence.GetNumberOfDataNodes() == 4
    assert recordOf(made.linesTable).options.slice_axis == "k"


def test_a_table_of_somebody_else_is_not_taken_for_one_of_ours(scene) -> None:
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "mine")
    assert not hasPattern(other)
    with pytest.raises(InputError, match="has no pattern with it"):
        patternOf(other)
    with pytest.raises(InputError, match="not a table"):
        patternOf(None)


def test_what_fails_half_way_leaves_the_scene_as_it_was(made, result, image, monkeypatch) -> None:
    before, text = countNodes(slicer.mrmlScene), made.patternText.GetText()

    def fail(*_args, **_more):
        raise InputError("no picture today")

    monkeypatch.setattr(nodes, "showMask", fail)
    with pytest.raises(InputError), transaction(slicer.mrmlScene):
        nodes.deliverPattern(samples.result(samples.image(), lines=3), image, made)
    with pytest.raises(InputError), transaction(slicer.mrmlScene):
        nodes.deliverPattern(result, image)
    assert countNodes(slicer.mrmlScene) == before
    assert made.patternText.GetText() == text
    assert made.linesTable.GetNumberOfRows() == samples.LINES
    assert patternOf(made.linesTable).lines == samples.LINES


def test_a_saved_scene_brings_the_pattern_and_all_that_belongs_to_it(made, result, tmp_path) -> None:
    throughBundle(slicer.mrmlScene, tmp_path / "scene.mrb")
    (table,) = (node for node in slicer.util.getNodesByClass("vtkMRMLTableNode") if hasPattern(node))
    assert patternOf(table) == result.pattern
    found = linkedNodes(table)
    assert all(getattr(found, name) is not None for name in IGSNodes.names())
    assert recordOf(table).loss == "l1"
    assert proxyOfSequence(found.growthSequence) is not None
    assert found.growthSequence.GetNumberOfDataNodes() == samples.LINES
    image = sourceOf(table)
    again = nodes.deliverPattern(result, image, IGSNodes(linesTable=table))
    assert again == found


def test_a_deleted_or_damaged_pattern_is_a_sentence(made) -> None:
    made.patternText.SetText("{}")
    with pytest.raises(InputError, match="is not a pattern"):
        patternOf(made.linesTable)
    slicer.mrmlScene.RemoveNode(made.patternText)
    assert made.linesTable.GetNodeReference(ROLE + PATTERN) is None
    with pytest.raises(InputError, match="its pattern was deleted"):
        patternOf(made.linesTable)


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"data": 3}', '{"data": {"slice_axis": "up"}}', '{"x": 1}'])
def test_a_damaged_record_is_none(made, text: str) -> None:
    made.linesTable.SetAttribute(RECORD_ATTRIBUTE, text)
    assert recordOf(made.linesTable) is None
    assert not hasPattern(made.linesTable)


def test_a_pattern_of_a_folder_has_no_image_to_lie_beside(result) -> None:
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        slicer.mrmlScene.RemoveNode(node)
    made = nodes.deliverPattern(result, None)
    assert made.undersampledVolume is None
    assert made.linesTable.GetName() == "k-space lines"
    assert voxels(made.maskVolume).shape == (16, 12, 1)
    again = nodes.deliverPattern(result, None, made)
    assert again == made


def test_points_and_padded_slices_have_pictures_too(image) -> None:
    volume = samples.image(AFFINES["left-handed oblique"])
    points = samples.result(volume, second_axis=-2, lines=40, rivals=False)
    made = nodes.deliverPattern(points, image)
    assert np.array_equal(voxels(made.maskVolume)[:, :, 0].T, points.pattern.mask())
    assert made.lossChart.GetXAxisTitle() == "Points"
    padded = samples.result(volume, size=(20, 24))
    made = nodes.deliverPattern(padded, image)
    assert voxels(made.maskVolume).shape == (24, 20, 1)
    assert voxels(made.undersampledVolume).shape == samples.SHAPE
    middle = Volume(np.zeros((24, 20, 1)), affineFromNode(made.maskVolume)).ras_from_voxel([12, 10, 0])
    assert np.allclose(middle, volume.ras_from_voxel([8, 6, 2]))


def test_volumes_are_masked_as_volumes(image) -> None:
    result = samples.result(samples.image(AFFINES["left-handed oblique"]), slice_axis="volume", axis=-2)
    made = nodes.deliverPattern(result, image)
    mask = result.pattern.mask(kind="recommended")
    wanted = samples.undersampled(samples.image(), mask, axis=1)
    assert np.allclose(voxels(made.undersampledVolume), wanted, atol=1e-3)
    assert np.array_equal(voxels(made.maskVolume).mean(axis=(0, 2)), mask)


@pytest.mark.parametrize(
    ("winner", "sentence"),
    [
        ("igs", "At 6 lines the search serves best (loss 0.3; best block 0.25, centre 0.32)."),
        ("block", "At 6 lines a block shifted by +2 serves best (loss 0.25; search 0.3, centre 0.32)."),
        ("centre", "At 6 lines the centre serves best (loss 0.32; search 0.3, best block 0.25)."),
    ],
)
def test_the_recommendation_in_words(winner: str, sentence: str) -> None:
    assert nodes.recommendation(samples.pattern(winner)) == sentence


def test_what_is_shown_in_words() -> None:
    pattern = samples.pattern()
    assert nodes.shownText(pattern, 6, "recommended") == (
        "6 of 16 lines, acceleration 2.67: best block, as recommended; loss 0.25."
    )
    assert nodes.shownText(pattern, 2, "igs") == "2 of 16 lines, acceleration 8: search; loss 0.7."
    assert nodes.shownText(pattern, 5, "centre") == "5 of 16 lines, acceleration 3.2: centre."


def test_the_growth_is_written_as_an_animation(made, image, tmp_path) -> None:
    from PIL import Image

    options = recordOf(made.linesTable).options
    path = writeAnimation(tmp_path / "growth.gif", patternOf(made.linesTable), image, None, options)
    with Image.open(path) as picture:
        assert picture.n_frames == samples.LINES
