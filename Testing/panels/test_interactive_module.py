"""The InteractiveSeg panel: points clicked, dragged and removed, and the segments that follow them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from interactive_panel import LESION, SECOND, InteractivePanel, outside_ball, phantom

SIDES = ["Left", "Right", "Posterior", "Anterior", "Inferior", "Superior"]


def positions(points) -> list[tuple[float, ...]]:
    """Of all points of a list, in any order."""
    return sorted(tuple(points.GetNthControlPointPositionWorld(n)) for n in range(points.GetNumberOfControlPoints()))


@pytest.fixture
def panel(load_module, wait_until) -> InteractivePanel:
    """The panel with an image, opened."""
    loaded = load_module("InteractiveSeg")
    loaded.enter()
    return InteractivePanel(loaded, wait_until)


@pytest.fixture
def done(panel) -> InteractivePanel:
    """The panel after six clicks."""
    panel.six()
    return panel


def test_without_an_image_nothing_can_be_placed(load_module) -> None:
    loaded = load_module("InteractiveSeg")
    loaded.enter()
    ui = loaded.widget.ui
    assert not ui.placeButton.enabled
    assert not ui.placeNegativeButton.enabled
    assert not ui.newLesionButton.enabled
    assert not loaded.widget.bar.applyButton.enabled


def test_each_click_fills_its_slot_whatever_the_order(panel) -> None:
    panel.settle()
    assert panel.slots() == SIDES
    assert panel.placed() == []
    assert "Place points" in panel.ui.hintsLabel.text
    points = phantom().points[LESION]
    panel.place(points[[4, 1, 2, 0, 5]])
    assert panel.placed() == ["Left", "Right", "Posterior", "Inferior", "Superior"]
    assert panel.ui.hintsLabel.text.endswith("Still to place: anterior.")
    assert panel.ui.placeButton.checked
    assert panel.segments() == []
    assert not panel.bar.applyButton.enabled


def test_the_sixth_click_shows_the_segmentation_and_frees_the_mouse(panel) -> None:
    points = panel.place(phantom().points[LESION][[3, 0, 5, 1, 4, 2]])
    assert not panel.ui.placeButton.checked
    assert panel.ui.placeButton.text == "Place points"
    panel.done()
    assert panel.placed() == SIDES
    assert panel.segments() == ["lesion"]
    assert panel.dice() > 0.85
    assert [points.GetNthControlPointLabel(n) for n in (0, 1)] == ["A", "L"]
    assert panel.bar.applyButton.enabled


def test_the_size_is_read_out_and_stands_in_a_table(done) -> None:
    table = done.parameters.resultsTable.GetTable()
    volume = table.GetColumnByName("volume").GetValue(0)
    assert volume == pytest.approx(done.mask().sum() * phantom().image.voxel_volume, rel=1e-6)
    text = done.ui.sizeLabel.text
    assert f"{volume:.0f} mm³" in text
    found = [float(value) for value in re.findall(r"(?:axial|coronal|sagittal) ([\d.]+) mm", text)]
    columns = ("diameter_axial", "diameter_coronal", "diameter_sagittal")
    assert found == pytest.approx([table.GetColumnByName(name).GetValue(0) for name in columns], abs=0.06)


def test_the_time_that_it_took_is_told(done) -> None:
    assert re.search(r"\([\d.]+ s\)", done.ui.liveLabel.text)


def test_a_dragged_point_takes_the_segment_along(done) -> None:
    before, points = done.mask(), done.parameters.points
    position = points.GetNthControlPointPositionWorld(1)
    points.SetNthControlPointPositionWorld(1, *np.add(position, (-8.0, 0.0, 0.0)))
    done.done()
    assert (done.mask() != before).any()


def test_a_further_point_is_placed_until_the_button_is_pressed_again(done) -> None:
    middle = phantom().points[LESION].mean(axis=0)
    done.ui.placeButton.click()
    done.click(middle)
    done.click(np.add(middle, (3, 0, 0)))
    assert done.ui.placeButton.checked
    assert done.ui.placeButton.text == "Stop placing"
    done.ui.placeButton.click()
    assert not done.ui.placeButton.checked
    assert done.placed() == [*SIDES, "Inside 1", "Inside 2"]


def test_the_segment_gives_way_to_a_point_outside(done) -> None:
    voxel = np.argwhere(done.mask())[0]
    done.ui.placeNegativeButton.click()
    negative = done.click(phantom().label.ras_from_voxel(voxel)[0])
    done.done()
    assert done.parameters.negativePoints is negative
    assert negative is not done.parameters.points
    assert negative.GetDisplayNode().GetSelectedColor()[0] > 2 * negative.GetDisplayNode().GetSelectedColor()[1]
    assert done.placed() == [*SIDES, "Outside 1"]
    assert not done.mask()[tuple(voxel)]


def test_a_point_beyond_the_image_is_refused_by_its_name(done) -> None:
    before = done.mask()
    done.parameters.points.SetNthControlPointPositionWorld(1, -400.0, 0.0, 0.0)
    done.settle()
    done.wait(lambda: not done.bar.applyButton.enabled, 5, "Apply")
    assert "Left: not in the image" in done.slots()
    assert "Point 2 (left) lies outside the image" in done.ui.hintsLabel.text
    assert "Point 2 (left) lies outside the image" in done.bar.hintLabel.text
    assert np.array_equal(done.mask(), before)


def test_two_points_on_one_side_are_told(panel) -> None:
    points = phantom().points[LESION]
    panel.place(points[[0, 1, 2, 3, 4]])
    panel.click(np.add(points[4], (1.0, 1.0, 0.0)))
    assert re.search(r"Point 5 .* and point 6 .* 1\.[45] mm apart", panel.ui.hintsLabel.text)
    assert sum("same side?" in text or "too close" in text for text in panel.slots()) == 2


def test_the_cross_of_a_slot_removes_its_point_and_undo_brings_it_back(done) -> None:
    points = done.parameters.points
    before = positions(points)
    done.cell("Anterior").removeButton.click()
    done.settle()
    assert points.GetNumberOfControlPoints() == 5
    assert "Anterior" not in done.placed()
    done.wait(lambda: done.ui.undoButton.enabled, 5, "undo")
    done.ui.undoButton.click()
    done.done()
    assert positions(points) == before
    assert done.placed() == SIDES


def test_undo_takes_a_drag_back_with_its_segment(done) -> None:
    before, points = done.mask(), done.parameters.points
    start = points.GetNthControlPointPositionWorld(0)
    points.SetNthControlPointPositionWorld(0, *np.add(start, (0.0, -7.0, 0.0)))
    done.done()
    assert not np.array_equal(done.mask(), before)
    done.ui.undoButton.click()
    done.done()
    assert points.GetNthControlPointPositionWorld(0) == pytest.approx(start)
    assert np.array_equal(done.mask(), before)


def test_a_slot_shows_its_point_in_the_slices(done) -> None:
    import slicer

    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode")
    view.SetOrientation("Axial")
    done.cell("Superior").jumpButton.click()
    assert view.GetSliceOffset() == pytest.approx(phantom().points[LESION][5][2], abs=0.01)
    done.cell("Inferior").jumpButton.click()
    assert view.GetSliceOffset() == pytest.approx(phantom().points[LESION][4][2], abs=0.01)


def test_two_lesions_have_segments_and_points_of_their_own(done) -> None:
    first, first_points, first_mask = done.parameters.segment, done.parameters.points, done.mask()
    done.ui.newLesionButton.click()
    assert done.ui.placeButton.checked
    done.settle()
    assert done.placed() == []
    done.six(SECOND)
    assert len(done.segments()) == 2
    assert done.parameters.points is not first_points
    assert done.parameters.segment != first
    assert done.dice(2) > 0.8
    assert np.array_equal(done.mask(first), first_mask)
    assert first_points.GetNumberOfControlPoints() == 6


def test_the_choice_of_a_segment_or_of_points_goes_to_that_lesion(done) -> None:
    parameters = done.parameters
    outside = done.ui.placeNegativeButton
    outside.click()
    negative = done.click(outside_ball())
    outside.click()
    done.done()
    first = (parameters.points, negative, parameters.segment)
    done.ui.newLesionButton.click()
    done.six(SECOND)
    second = (parameters.points, None, parameters.segment)
    assert parameters.negativePoints is None
    masks = done.mask(first[2]), done.mask(second[2])
    done.ui.segmentBox.setCurrentIndex(1)
    assert (parameters.points, parameters.negativePoints, parameters.segment) == first
    done.ui.pointsSelector.setCurrentNode(second[0])
    assert (parameters.points, parameters.negativePoints, parameters.segment) == second
    done.done()
    assert np.array_equal(done.mask(first[2]), masks[0])
    assert np.array_equal(done.mask(second[2]), masks[1])


def test_lesions_that_compete_are_segmented_together(done) -> None:
    import qt

    first = done.parameters.points
    assert done.ui.otherPointsList.isHidden()
    done.ui.newLesionButton.click()
    done.six(SECOND)
    assert not done.ui.otherPointsList.isHidden()
    assert done.ui.otherPointsList.count == 1
    done.ui.otherPointsList.item(0).setCheckState(qt.Qt.Checked)
    done.done()
    assert list(done.parameters.otherPoints) == [first]
    done.bar.applyButton.click()
    done.wait(lambda: not done.widget.runner.isBusy(), 30, "the job")
    ids = done.parameters.segmentation.GetSegmentation().GetSegmentIDs()
    assert len(ids) == 2
    assert not (done.mask(ids[0]) & done.mask(ids[1])).any()
    done.ui.newLesionButton.click()
    assert list(done.parameters.otherPoints) == []


def test_without_live_nothing_happens_until_apply(panel) -> None:
    panel.ui.liveBox.click()
    panel.place(phantom().points[LESION])
    panel.wait(lambda: panel.bar.applyButton.enabled, 5, "Apply")
    assert panel.segments() == []
    assert not panel.widget.runner.isBusy()
    panel.bar.applyButton.click()
    assert panel.bar.applyButton.text == "Cancel"
    panel.wait(lambda: not panel.widget.runner.isBusy(), 30, "the job")
    assert panel.dice() > 0.85
    assert "mm³" in panel.ui.sizeLabel.text


def test_another_engine_is_taken_at_once(done) -> None:
    from DeepMRILib.mrml.interactive_record import recordOf

    parameters = done.parameters
    assert recordOf(parameters.segmentation, parameters.segment).options["engine"] == "geodesic"
    done.ui.engineWidget.setCurrentText("graphcut")
    done.done()
    assert recordOf(parameters.segmentation, parameters.segment).options["engine"] == "graphcut"


def test_points_deleted_while_a_run_is_under_way_leave_the_panel_ready(panel) -> None:
    import slicer

    panel.place(phantom().points[LESION])
    panel.wait(lambda: panel.live.state.isBusy, 10, "a run")
    slicer.mrmlScene.RemoveNode(panel.parameters.points)
    panel.wait(lambda: not panel.live.state.isBusy, 10, "the end of the run")
    panel.settle()
    assert panel.placed() == []
    panel.six()
    assert panel.dice() > 0.85


@pytest.mark.parametrize("what", ["image", "scene"])
def test_an_image_or_scene_that_goes_while_a_run_is_under_way_leaves_nothing(panel, what: str) -> None:
    import slicer

    panel.place(phantom().points[LESION])
    panel.wait(lambda: panel.live.state.isBusy, 10, "a run")
    if what == "scene":
        slicer.mrmlScene.Clear(0)
    else:
        slicer.mrmlScene.RemoveNode(panel.image)
    panel.wait(lambda: not panel.widget.runner.isBusy(), 10, "the end of the run")
    panel.settle()
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
    assert not panel.ui.placeButton.enabled


def test_a_saved_scene_goes_on_with_its_lesions(done, tmp_path: Path) -> None:
    import slicer

    done.ui.newLesionButton.click()
    done.six(SECOND)
    names = done.parameters.points.GetName(), done.parameters.segmentation.GetName()
    segment, mask = done.parameters.segment, done.mask()
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(path)
    done.settle()
    assert (done.parameters.points.GetName(), done.parameters.segmentation.GetName()) == names
    assert done.parameters.segment == segment
    assert done.placed() == SIDES
    done.image = done.parameters.inputVolume
    assert np.array_equal(done.mask(), mask)
    done.ui.segmentBox.setCurrentIndex(1)
    assert done.parameters.points.GetName() == "lesion"
    assert done.parameters.segment != segment


def test_points_of_a_segment_are_restored_where_its_list_is_gone(done) -> None:
    import slicer

    parameters, segment = done.parameters, done.parameters.segment
    before = positions(parameters.points)
    slicer.mrmlScene.RemoveNode(parameters.points)
    done.settle()
    assert parameters.points is None
    done.ui.segmentBox.setCurrentIndex(1)
    assert parameters.segment == segment
    assert np.allclose(positions(parameters.points), before, atol=1e-3)


def test_a_segment_whose_image_is_gone_says_so(done) -> None:
    import slicer

    slicer.mrmlScene.RemoveNode(done.parameters.points)
    slicer.mrmlScene.RemoveNode(done.image)
    done.settle()
    done.ui.segmentBox.setCurrentIndex(1)
    assert "is not in the scene" in done.bar.statusLabel.text
    assert done.parameters.points is None
    assert done.ui.segmentBox.currentIndex == 0


def test_who_leaves_and_comes_back_finds_the_lesion_again(done) -> None:
    before = done.placed()
    done.loaded.exit()
    done.loaded.enter()
    done.settle()
    assert done.placed() == before
    done.parameters.points.RemoveNthControlPoint(0)
    done.settle()
    assert len(done.placed()) == 5
