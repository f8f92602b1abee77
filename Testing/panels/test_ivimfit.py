"""The IVIMFit panel, driven as a user drives it."""

from __future__ import annotations

import sys

import numpy as np
from ivimfit_panel import Panel, a_series, fit_of, sequence_of_series, voxels

from DeepMRILib import ivim
from DeepMRILib.ivim.example import fit_inputs


def test_the_first_series_is_chosen_and_its_b_values_are_told(panel: Panel) -> None:
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion

    node = nodeFromDiffusion(a_series(), "dwi")
    panel.loaded.exit()
    panel.loaded.enter()
    assert panel.ui.inputSelector.currentNode() is node
    assert panel.ui.bValuesFoundLabel.text.startswith("9 images, b = 0, 10, 20, 40, 80, 150, 300, 500, 800 s/mm²")
    assert panel.apply().startswith("Fitted 480 voxels")


def test_b_values_are_typed_where_none_are_found(panel: Panel) -> None:
    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    series = a_series()
    panel.ui.inputSelector.setCurrentNode(nodeFromVolume(Volume(series.array, series.affine), "plain"))
    assert not panel.bar.applyButton.enabled
    assert "Type the b-values" in panel.bar.applyButton.toolTip
    panel.ui.bValuesEdit.setText("0 10 20")
    panel.ui.bValuesEdit.editingFinished.emit() if hasattr(panel.ui.bValuesEdit, "editingFinished") else None
    assert "3 b-values" in panel.bar.applyButton.toolTip
    panel.parameters.bValues = " ".join(f"{b:g}" for b in series.b_values)
    assert panel.apply().startswith("Fitted")
    assert np.allclose(voxels(panel.parameters.DMap), ivim.fit(series).maps["D"].array)


def test_mask_regions_quality_maps_table_and_plot(panel: Panel) -> None:
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion
    from DeepMRILib.mrml.segments import segmentationFromLabels

    labels = fit_inputs()["labels"]
    node = nodeFromDiffusion(a_series(), "dwi")
    organs = segmentationFromLabels(labels, labels.names, name="organs", source=node)
    panel.ui.inputSelector.setCurrentNode(node)
    panel.ui.maskSelector.setCurrentNode(organs)
    panel.ui.regionsSelector.setCurrentNode(organs)
    assert panel.ui.maskSegmentBox.currentText == "liver"
    panel.ui.maskSegmentBox.setCurrentIndex(1)
    panel.ui.qualityMapsBox.setChecked(True)
    assert panel.apply().startswith("Fitted 240 voxels")
    assert (voxels(panel.parameters.DMap)[labels.array == 1] == 0).all()
    more = fit_of(node).more
    assert 0.9 < np.median(voxels(more["R2"])[labels.array == 2]) <= 1
    assert set(more) == {"R2", "RMSE", "quality"}
    assert panel.parameters.regionsTable.GetNumberOfRows() == 2
    assert panel.parameters.decayChart.GetNumberOfPlotSeriesNodes() == 2


def test_all_frames_of_a_sequence(panel: Panel) -> None:
    import slicer

    _, browser, proxy = sequence_of_series(3)
    panel.ui.inputSelector.setCurrentNode(proxy)
    panel.parameters.bValues = " ".join(f"{b:g}" for b in a_series().b_values)
    assert not panel.ui.framesBox.isHidden()
    panel.ui.framesBox.setCurrentText("all frames")
    assert "in 3 frames" in panel.apply()
    browser.SetSelectedItemNumber(2)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    assert np.allclose(voxels(panel.parameters.S0Map), ivim.fit(a_series(3.0)).maps["S0"].array, rtol=1e-4)


def test_a_browser_that_is_deleted_during_its_frames_stops_them(panel: Panel) -> None:
    import slicer

    _, browser, proxy = sequence_of_series(3)
    panel.ui.inputSelector.setCurrentNode(proxy)
    panel.parameters.bValues = " ".join(f"{b:g}" for b in a_series().b_values)
    panel.parameters.frames = "all frames"
    count = slicer.mrmlScene.GetNumberOfNodes()
    panel.bar.applyButton.click()
    slicer.mrmlScene.RemoveNode(browser)
    assert not panel.loaded.widget.runner.isBusy()
    assert "deleted" in panel.bar.statusLabel.text
    assert slicer.mrmlScene.GetNumberOfNodes() < count


def test_what_is_chosen_while_a_job_runs_is_for_the_next(panel: Panel, wait_until) -> None:
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion
    from DeepMRILib.mrml.hierarchy import sourceOf

    first, second = nodeFromDiffusion(a_series(), "first"), nodeFromDiffusion(a_series(5.0), "second")
    panel.ui.inputSelector.setCurrentNode(first)
    panel.bar.applyButton.click()
    panel.ui.inputSelector.setCurrentNode(second)
    panel.parameters.qualityMaps = True
    wait_until(lambda: not panel.loaded.widget.runner.isBusy(), 60, "the fit")
    assert panel.parameters.inputSeries is second
    assert panel.parameters.DMap is None, "the selectors show what belongs to the chosen series"
    made = fit_of(first)
    assert made.DMap.GetName() == "first D lsq"
    assert sourceOf(made.DMap) is first
    assert made.more == {}
    assert np.allclose(voxels(made.S0Map), ivim.fit(a_series()).maps["S0"].array, rtol=1e-4)
    panel.ui.inputSelector.setCurrentNode(first)
    assert panel.parameters.DMap is made.DMap


def test_an_output_that_is_deleted_while_a_job_runs_is_made_anew(panel: Panel, wait_until) -> None:
    import slicer

    from DeepMRILib.mrml.diffusion import nodeFromDiffusion

    panel.ui.inputSelector.setCurrentNode(nodeFromDiffusion(a_series(), "dwi"))
    panel.apply()
    panel.bar.applyButton.click()
    slicer.mrmlScene.RemoveNode(panel.parameters.DMap)
    slicer.mrmlScene.RemoveNode(panel.parameters.regionsTable)
    wait_until(lambda: not panel.loaded.widget.runner.isBusy(), 60, "the fit")
    assert panel.bar.statusLabel.text.startswith("Fitted")
    assert slicer.mrmlScene.IsNodePresent(panel.parameters.DMap)
    assert slicer.mrmlScene.IsNodePresent(panel.parameters.regionsTable)


def test_one_node_for_two_outputs_and_an_input_as_output_are_refused(panel: Panel) -> None:
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion
    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    panel.ui.inputSelector.setCurrentNode(nodeFromDiffusion(a_series(), "dwi"))
    map_node = nodeFromVolume(Volume(np.zeros((2, 2, 2))), "map")
    panel.ui.DSelector.setCurrentNode(map_node)
    panel.ui.fSelector.setCurrentNode(map_node)
    assert "map is chosen for two outputs" in panel.bar.applyButton.toolTip
    assert not panel.bar.applyButton.enabled
    panel.ui.fSelector.setCurrentNode(None)
    assert panel.bar.applyButton.enabled


def test_an_unforeseen_error_in_the_delivery_leaves_the_panel_ready(panel: Panel, monkeypatch) -> None:
    import slicer
    import slicerapp

    from DeepMRILib.mrml.diffusion import nodeFromDiffusion

    panel.ui.inputSelector.setCurrentNode(nodeFromDiffusion(a_series(), "dwi"))
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)  # made when it is first asked for
    count = slicer.mrmlScene.GetNumberOfNodes()
    monkeypatch.setattr(sys.modules["IVIMFit"].nodes, "summary", lambda results: 1 / 0)
    text = panel.apply()
    assert "unexpected" in text
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert panel.bar.applyButton.text == "Apply"
    assert any(isinstance(error, ZeroDivisionError) for error in slicerapp.uncaught)
    slicerapp.uncaught.clear()
    monkeypatch.undo()
    assert panel.apply().startswith("Fitted")


def test_a_scene_of_another_version_with_an_unknown_choice_still_opens(panel: Panel) -> None:
    node = panel.parameters.parameterNode
    panel.loaded.exit()
    for name, value in (("method", "guess"), ("body_part", "tail"), ("frames", "some")):
        node.SetParameter(name, value)
    panel.loaded.enter()
    parameters = panel.loaded.logic.getParameterNode()
    assert (parameters.method, parameters.body_part, parameters.frames) == ("lsq", "abdomen", "this frame")


def test_the_sample_data_button_makes_the_phantom(panel: Panel, monkeypatch) -> None:
    import SampleData
    import slicer
    import slicerapp

    small = ivim.PhantomOptions(size=(36, 28, 3), spacing=(10.4, 10.4, 48.0))
    module = sys.modules["IVIMFit"]
    real = module.nodes.phantomNodes
    monkeypatch.setattr(module.nodes, "phantomNodes", lambda options=None: real(options or small))
    slicerapp.emit_startup_completed()
    SampleData.pressButton("IVIMFitAbdomenPhantom")
    node = slicer.mrmlScene.GetFirstNodeByName("IVIMFitAbdomenPhantom")
    assert node.GetImageData().GetNumberOfScalarComponents() == 13
    source = slicer.modules.sampleDataSources["DeepMRI"][0]
    assert source.thumbnailFileName.endswith("IVIMFitAbdomenPhantom.png")


def test_process_is_the_consoles_door(slicer_app, load_module) -> None:
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion

    load_module("IVIMFit")
    made = sys.modules["IVIMFit"].IVIMFitLogic().process(nodeFromDiffusion(a_series(), "dwi"))
    assert np.allclose(voxels(made.DMap), ivim.fit(a_series()).maps["D"].array)
