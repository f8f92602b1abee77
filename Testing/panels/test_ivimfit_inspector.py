"""The decay at a point or in a segment: it follows the point that the user drags."""

from __future__ import annotations

import time

import numpy as np
import pytest
from ivimfit_panel import TYPED, Panel, a_node, a_series, sequence_of_series

from DeepMRILib.ivim.example import fit_inputs


def place(panel: Panel, voxel: tuple[int, int, int]) -> None:
    """What a click in a view does."""
    import vtk

    position = (a_series().affine @ [*voxel, 1])[:3]
    point = panel.parameters.inspectorTarget
    if point.GetNumberOfControlPoints():
        point.SetNthControlPointPositionWorld(0, *position)
    else:
        point.AddControlPointWorld(vtk.vtkVector3d(*position))
    panel.settle()


def measured(panel: Panel) -> np.ndarray:
    """The points of the plot."""
    import slicer

    from DeepMRILib.mrml.plots import seriesOf

    series = next(one for one in seriesOf(panel.parameters.inspectorChart) if one.GetName() == "measured")
    return slicer.util.arrayFromTableColumn(series.GetTableNode(), "measured")


@pytest.fixture
def inspected(panel: Panel) -> Panel:
    """A series that was fitted, and a point to place."""
    panel.ui.inputSelector.setCurrentNode(a_node())
    panel.apply()
    panel.ui.placePointButton.click()
    panel.settle()
    return panel


def test_the_button_makes_a_point_and_the_next_click_places_it(inspected: Panel) -> None:
    import slicer

    point = inspected.parameters.inspectorTarget
    assert point.GetName() == "IVIM point"
    interaction = slicer.mrmlScene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    selection = slicer.mrmlScene.GetSingletonNode("Singleton", "vtkMRMLSelectionNode")
    assert selection.GetActivePlaceNodeID() == point.GetID()
    assert "Click in a slice view" in inspected.ui.inspectorLabel.text
    assert not inspected.ui.showPlotButton.enabled
    place(inspected, (4, 3, 2))
    assert np.array_equal(measured(inspected), a_series().array[4, 3, 2])
    assert "<b>least squares</b>: D " in inspected.ui.inspectorLabel.text
    assert inspected.ui.showPlotButton.enabled
    inspected.ui.placePointButton.click()
    assert inspected.parameters.inspectorTarget is point
    assert point.GetNumberOfControlPoints() == 0


def test_plot_and_numbers_follow_the_point(inspected: Panel) -> None:
    import slicer

    place(inspected, (4, 3, 2))
    text, count = inspected.ui.inspectorLabel.text, slicer.mrmlScene.GetNumberOfNodes()
    place(inspected, (6, 4, 1))
    assert np.array_equal(measured(inspected), a_series().array[6, 4, 1])
    assert inspected.ui.inspectorLabel.text != text
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_a_drag_of_many_events_is_followed_a_few_times_a_second(inspected: Panel, monkeypatch) -> None:
    place(inspected, (4, 3, 2))
    calls = []
    real = inspected.widget.inspector.update
    follower = inspected.widget.inspector._follower
    follower._timer.disconnect("timeout()", real)
    follower._timer.connect("timeout()", lambda: (calls.append(time.perf_counter()), real()))
    point, x = inspected.parameters.inspectorTarget, (a_series().affine @ [4, 3, 2, 1])[:3]
    for n in range(300):
        point.SetNthControlPointPositionWorld(0, x[0] + n * 0.001, *x[1:])
    assert calls == []
    inspected.settle()
    assert len(calls) == 1


def test_a_point_outside_says_so_and_comes_back(inspected: Panel) -> None:
    from DeepMRILib.mrml.plots import seriesOf

    place(inspected, (4, 3, 2))
    place(inspected, (-9, 3, 2))
    assert "outside of dwi" in inspected.ui.inspectorLabel.text
    assert seriesOf(inspected.parameters.inspectorChart) == []
    place(inspected, (4, 3, 2))
    assert np.array_equal(measured(inspected), a_series().array[4, 3, 2])


def test_a_second_method_adds_its_curve_at_once(inspected: Panel) -> None:
    from DeepMRILib.mrml.plots import seriesOf

    place(inspected, (4, 3, 2))
    inspected.choose(method="bayes")
    inspected.apply()
    inspected.settle()
    names = [series.GetName() for series in seriesOf(inspected.parameters.inspectorChart)]
    assert names == ["measured", "least squares", "Bayes"]
    assert inspected.ui.inspectorLabel.text.count("<b>") == 2


def test_a_segment_and_its_edits_are_followed(inspected: Panel) -> None:
    import slicer

    from DeepMRILib.mrml.segments import segmentationFromLabels

    labels = fit_inputs()["labels"]
    series = inspected.parameters.inputSeries
    organs = segmentationFromLabels(labels, labels.names, name="organs", source=series)
    inspected.ui.inspectorSelector.setCurrentNode(organs)
    inspected.settle()
    assert not inspected.ui.inspectorSegmentBox.isHidden()
    assert np.allclose(measured(inspected), a_series().array[labels.array == 1].mean(axis=0))
    assert "mean ± standard deviation of 240 voxels" in inspected.ui.inspectorLabel.text
    inspected.ui.inspectorSegmentBox.setCurrentIndex(1)
    inspected.settle()
    assert np.allclose(measured(inspected), a_series().array[labels.array == 2].mean(axis=0))
    one = np.zeros(labels.shape, np.uint8)
    one[4, 3, 2] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        one.transpose(2, 1, 0), organs, inspected.parameters.inspectorSegment, series
    )
    inspected.settle()
    assert np.array_equal(measured(inspected), a_series().array[4, 3, 2])


def test_frames_are_followed(panel: Panel) -> None:
    import slicer

    _, browser, proxy = sequence_of_series(2)
    panel.ui.inputSelector.setCurrentNode(proxy)
    panel.parameters.bValues = TYPED
    panel.parameters.frames = "all frames"
    panel.apply()
    panel.ui.placePointButton.click()
    place(panel, (4, 3, 2))
    browser.SetSelectedItemNumber(1)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    panel.settle()
    assert np.allclose(measured(panel), a_series(2.0).array[4, 3, 2])
    assert "<b>least squares</b>" in panel.ui.inspectorLabel.text


def test_the_point_and_the_plot_survive_saving_and_loading(inspected: Panel, tmp_path) -> None:
    import slicer

    place(inspected, (4, 3, 2))
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    inspected.settle()
    assert slicer.mrmlScene.ReadFromMRB(path)
    inspected.parameters = inspected.loaded.logic.getParameterNode()
    inspected.settle()
    count = slicer.mrmlScene.GetNumberOfNodes()
    place(inspected, (5, 3, 2))
    assert np.array_equal(measured(inspected), a_series().array[5, 3, 2])
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_nothing_is_followed_where_the_user_is_elsewhere(inspected: Panel) -> None:
    place(inspected, (4, 3, 2))
    before = measured(inspected).copy()
    inspected.loaded.exit()
    inspected.parameters.inspectorTarget.SetNthControlPointPositionWorld(0, *(a_series().affine @ [6, 4, 1, 1])[:3])
    inspected.settle()
    assert np.array_equal(measured(inspected), before)
    inspected.loaded.enter()
    inspected.settle()
    assert np.array_equal(measured(inspected), a_series().array[6, 4, 1])


def test_a_deleted_point_or_series_is_no_error(inspected: Panel) -> None:
    import slicer

    place(inspected, (4, 3, 2))
    slicer.mrmlScene.RemoveNode(inspected.parameters.inspectorTarget)
    inspected.settle()
    assert inspected.ui.inspectorLabel.isHidden()
    inspected.ui.placePointButton.click()
    place(inspected, (4, 3, 2))
    series = inspected.parameters.inputSeries
    slicer.mrmlScene.RemoveNode(series)
    inspected.settle()
    assert inspected.parameters.inputSeries is not series
    inspected.ui.inputSelector.setCurrentNode(None)
    inspected.settle()
    assert inspected.ui.inspectorLabel.isHidden()
    assert not inspected.ui.placePointButton.enabled


def test_the_consoles_door(inspected: Panel) -> None:
    place(inspected, (4, 3, 2))
    seen, chart = inspected.loaded.logic.inspect(inspected.parameters.inputSeries, inspected.parameters.inspectorTarget)
    assert np.array_equal(seen.signal, a_series().array[4, 3, 2])
    assert chart.GetNumberOfPlotSeriesNodes() == 2
