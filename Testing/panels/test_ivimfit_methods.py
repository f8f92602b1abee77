"""Methods, models and networks in the IVIMFit panel: what can be set, what can run, and where results go."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from ivimfit_panel import Panel, a_node, a_series, fit_of, sequence_of_series, voxels

from DeepMRILib import ivim
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import ModelStore

B_VALUES = [float(b) for b in a_series().b_values]
PREPARATION = {"model": "biexp", "average": "none", "b_min": 0.0, "b_max": 0.0, "b_values": B_VALUES}


@pytest.fixture
def store(tmp_path: Path, slicer_app) -> ModelStore:
    """The user's models, in the folder that Slicer's settings name."""
    from DeepMRILib.panel.machine import modelStore, setMachineSetting

    setMachineSetting("model_folder", str(tmp_path))
    return modelStore()


def a_network(store: ModelStore, name: str, **preparation: object) -> None:
    card = ModelCard(
        name, "ivim", "1", "none", "the tests", preprocessing={**PREPARATION, **preparation}, extra={"kind": "network"}
    )
    store.save(card, {"weight": np.zeros(3, np.float32)})


def shown(panel: Panel, *names: str) -> list[str]:
    """Those of the settings whose widget is not hidden."""
    panel.ui.advancedCollapsibleButton.collapsed = False
    return [name for name in names if not getattr(panel.ui, f"{name}Widget").isHidden()]


def test_only_settings_that_matter_are_shown(panel: Panel) -> None:
    names = (
        "prior",
        "splits",
        "preset",
        "members",
        "seed",
        "device",
        "D_bounds",
        "ADC_bounds",
        "f1_bounds",
        "body_part",
    )
    assert shown(panel, *names) == ["D_bounds", "body_part"]
    panel.choose(method="bayes")
    assert shown(panel, *names) == ["prior", "seed", "D_bounds", "body_part"]
    panel.choose(method="segmented")
    assert shown(panel, *names) == ["splits", "D_bounds", "body_part"]
    panel.choose(method="ivimnet", model="triexp")
    assert shown(panel, *names) == ["preset", "members", "seed", "device", "D_bounds", "f1_bounds", "body_part"]
    assert not panel.widget.networkRow.widget.isHidden()
    panel.choose(method="lsq", model="adc")
    assert shown(panel, *names) == ["ADC_bounds", "body_part"]
    assert panel.widget.networkRow.widget.isHidden()


def test_a_method_that_does_not_fit_the_model_is_said_before_apply(panel: Panel) -> None:
    panel.ui.inputSelector.setCurrentNode(a_node())
    panel.choose(method="bayes", model="triexp")
    assert not panel.bar.applyButton.enabled
    assert "The method bayes does not fit the model triexp" in panel.bar.hintLabel.text
    assert panel.bar.applyButton.toolTip == panel.bar.hintLabel.text
    panel.choose(model="biexp")
    assert panel.bar.applyButton.enabled
    assert panel.bar.hintLabel.isHidden()


def test_a_model_needs_its_number_of_b_values(panel: Panel) -> None:
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion
    from DeepMRILib.volume import DiffusionVolume

    series = a_series()
    few = DiffusionVolume(series.array[..., ::2], series.affine, series.b_values[::2])
    panel.ui.inputSelector.setCurrentNode(nodeFromDiffusion(few, "few"))
    panel.choose(model="adc")
    assert panel.bar.applyButton.enabled
    few = DiffusionVolume(series.array[..., :4], series.affine, series.b_values[:4])
    panel.ui.inputSelector.setCurrentNode(nodeFromDiffusion(few, "fewer"))
    panel.choose(model="triexp")
    assert "triexp needs at least" in panel.bar.hintLabel.text


def test_the_outputs_are_those_of_the_model(panel: Panel) -> None:
    names = ("D", "ADC", "f", "D_star", "f1", "D_star1", "f2", "D_star2", "S0")
    for model, expected in (
        ("biexp", ["D", "f", "D_star", "S0"]),
        ("adc", ["ADC", "S0"]),
        ("triexp", ["D", "f1", "D_star1", "f2", "D_star2", "S0"]),
    ):
        panel.choose(model=model)
        assert [name for name in names if not getattr(panel.ui, f"{name}Selector").isHidden()] == expected
        assert [name for name in names if not getattr(panel.ui, f"{name}SelectorLabel").isHidden()] == expected


def test_each_method_keeps_its_own_maps_and_a_second_run_updates_them(panel: Panel) -> None:
    import slicer

    node = a_node()
    panel.ui.inputSelector.setCurrentNode(node)
    panel.ui.sdMapsBox.setChecked(True)
    panel.apply()
    first = fit_of(node)
    panel.choose(method="bayes")
    assert panel.ui.DSelector.currentNode() is None
    assert panel.ui.tableSelector.currentNode() is None
    panel.apply()
    second = fit_of(node, "bayes")
    assert second.DMap is panel.ui.DSelector.currentNode()
    assert second.DMap.GetName() == "dwi D bayes"
    assert np.allclose(voxels(first.DMap), ivim.fit(a_series()).maps["D"].array)
    assert not np.array_equal(voxels(first.more["D_sd"]), voxels(second.more["D_sd"]))
    panel.choose(method="lsq")
    assert panel.ui.DSelector.currentNode() is first.DMap
    assert panel.ui.chartSelector.currentNode() is first.decayChart
    count = slicer.mrmlScene.GetNumberOfNodes()
    panel.apply()
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert fit_of(node) == first


def test_a_new_volume_can_be_asked_for_although_there_is_one(panel: Panel) -> None:
    node = a_node()
    panel.ui.inputSelector.setCurrentNode(node)
    panel.apply()
    first = fit_of(node)
    for name in ("D", "f", "D_star", "S0", "table", "chart"):
        getattr(panel.ui, f"{name}Selector").setCurrentNode(None)
    panel.apply()
    assert panel.parameters.DMap is not first.DMap
    assert fit_of(node).DMap is panel.parameters.DMap


def test_the_outputs_of_a_saved_scene_are_chosen_again(panel: Panel, tmp_path: Path) -> None:
    import slicer

    panel.ui.inputSelector.setCurrentNode(a_node())
    panel.apply()
    panel.choose(method="bayes")
    panel.apply()
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(path)
    parameters = panel.loaded.logic.getParameterNode()
    assert parameters.DMap.GetName() == "dwi D bayes"
    assert panel.ui.DSelector.currentNode() is parameters.DMap
    panel.choose(method="lsq")
    assert panel.ui.DSelector.currentNode().GetName() == "dwi D lsq"
    count = slicer.mrmlScene.GetNumberOfNodes()
    assert panel.apply().startswith("Fitted")
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_all_frames_of_two_methods_side_by_side(panel: Panel) -> None:
    import slicer
    from ivimfit_panel import TYPED

    _, browser, proxy = sequence_of_series(2)
    panel.ui.inputSelector.setCurrentNode(proxy)
    panel.parameters.bValues = TYPED
    panel.parameters.frames = "all frames"
    panel.ui.sdMapsBox.setChecked(True)
    for method in ("lsq", "bayes"):
        panel.choose(method=method)
        assert "in 2 frames" in panel.apply()
    browser.SetSelectedItemNumber(1)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    expected = ivim.fit(a_series(2.0), ivim.FitOptions(method="bayes"))
    bayes = fit_of(proxy, "bayes")
    assert np.allclose(voxels(bayes.S0Map), expected.maps["S0"].array, rtol=1e-3)
    assert np.allclose(voxels(bayes.more["S0_sd"]), expected.maps["S0_sd"].array, rtol=1e-2, atol=1e-3)
    assert fit_of(proxy).DMap is not bayes.DMap
    count = slicer.mrmlScene.GetNumberOfNodes()
    panel.apply()
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_a_network_is_chosen_and_one_for_other_b_values_is_refused_in_words(panel: Panel, store: ModelStore) -> None:
    a_network(store, "good")
    a_network(store, "other", b_values=[0.0, 500.0, 1000.0])
    a_network(store, "tri", model="triexp")
    panel.loaded.exit()
    panel.loaded.enter()
    panel.ui.inputSelector.setCurrentNode(a_node())
    panel.choose(method="ivimnet")
    box = panel.widget.networkRow.widget
    texts = [box.itemText(n) for n in range(box.count)]
    assert texts == ["train on this series", "good", "other (does not fit)", "tri (does not fit)"]
    box.setCurrentIndex(2)
    assert panel.parameters.network == "other"
    assert not panel.bar.applyButton.enabled
    assert "The network other was trained on 3 images" in panel.bar.hintLabel.text
    assert "9 images" in panel.bar.hintLabel.text
    box.setCurrentIndex(1)
    assert panel.bar.applyButton.enabled
    assert shown(panel, "preset", "members", "body_part", "average", "D_bounds", "predicted") == ["predicted"]
    box.setCurrentIndex(3)
    assert panel.parameters.model == "triexp", "a network brings its model with it"
    panel.choose(model="biexp")
    assert "trained for the model triexp" in panel.bar.hintLabel.text
    store.delete("tri")
    panel.loaded.exit()
    panel.loaded.enter()
    assert "There is no network tri" in panel.bar.hintLabel.text
    panel.choose(method="lsq")
    assert panel.bar.applyButton.enabled


def test_a_network_goes_to_the_job_as_its_folder(panel: Panel, store: ModelStore) -> None:
    a_network(store, "good")
    panel.loaded.exit()
    panel.loaded.enter()
    node = a_node()
    panel.ui.inputSelector.setCurrentNode(node)
    panel.parameters.network = "good"
    logic = panel.loaded.logic
    assert logic.collect(panel.parameters, node)["network"] is None, "another method needs no network"
    panel.choose(method="ivimnet")
    assert logic.collect(panel.parameters, node)["network"] == store.folder / "good"
    assert logic.needsTorch(panel.parameters)
    assert logic.packages(panel.parameters)


def test_networks_of_a_series_and_trained_ones_are_kinds_of_their_own(panel: Panel) -> None:
    kind = panel.loaded.logic.kind
    panel.choose(method="ivimnet")
    assert kind(panel.parameters).network == "default"
    panel.choose(preset="orig")
    assert kind(panel.parameters).short == "ivimnet orig"
    panel.parameters.network = "study-1"
    assert kind(panel.parameters).short == "ivimnet study-1"


def test_an_old_scene_with_a_model_folder_inside_the_extension_is_a_sentence(panel: Panel) -> None:
    import DeepMRILib
    from DeepMRILib.panel.machine import setMachineSetting

    setMachineSetting("model_folder", str(Path(DeepMRILib.__file__).parent))
    panel.loaded.exit()
    panel.loaded.enter()
    panel.ui.inputSelector.setCurrentNode(a_node())
    panel.parameters.network = "some"
    panel.choose(method="ivimnet")
    assert "Models cannot be kept in" in panel.bar.hintLabel.text


def test_the_consoles_door_takes_every_option(slicer_app, load_module) -> None:
    load_module("IVIMFit")
    logic = sys.modules["IVIMFit"].IVIMFitLogic()
    node = a_node()
    made = logic.process(node, ivim.FitOptions(method="bayes", predicted=True), sdMaps=True, qualityMaps=True)
    assert set(made.more) == {"D_sd", "f_sd", "D_star_sd", "S0_sd", "R2", "RMSE", "quality", "predicted"}
    again = logic.process(node, ivim.FitOptions(method="bayes"), outputs=made)
    assert again.DMap is made.DMap
    assert fit_of(node, "bayes") == again
    with pytest.raises(ivim.options.InputError, match="does not fit the model"):
        logic.process(node, ivim.FitOptions(method="bayes", model="triexp"))
    labels = fit_inputs()["labels"]
    assert voxels(made.DMap).shape == labels.shape
