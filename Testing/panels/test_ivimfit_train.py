"""Training a network for a study in the IVIMFit panel: one job at a time, the store, and what may happen meanwhile."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
from ivimfit_panel import Panel, a_node, fit_of, sequence_of_series, voxels
from test_modules import deaf_worker, library_kept  # noqa: F401 - fixtures

from DeepMRILib.model_store import ModelStore


@pytest.fixture
def store(tmp_path: Path, slicer_app) -> ModelStore:
    """The user's models, in a folder of the test."""
    from DeepMRILib.panel.machine import modelStore, setMachineSetting

    setMachineSetting("model_folder", str(tmp_path))
    return modelStore()


@pytest.fixture
def studied(store: ModelStore, panel: Panel) -> Panel:
    """A panel with two series, the second of them to be left out or not."""
    panel.ui.trainCollapsibleButton.collapsed = False
    panel.ui.inputSelector.setCurrentNode(a_node("first"))
    a_node("second", 2.0)
    settle(panel)
    return panel


def settle(panel: Panel) -> None:
    """Let the list catch up with the scene."""
    timer = panel.widget._sceneFollower._timer
    panel.wait(lambda: not timer.isActive(), 5, "the list")


def check(panel: Panel, *names: str) -> None:
    """Check series in the list as a user does."""
    import qt

    settle(panel)
    for row in range(panel.ui.studyList.count):
        item = panel.ui.studyList.item(row)
        wanted = item.text().partition(":")[0] in names
        item.setCheckState(qt.Qt.Checked if wanted else qt.Qt.Unchecked)


def rows(panel: Panel) -> list[str]:
    settle(panel)
    return [panel.ui.studyList.item(row).text() for row in range(panel.ui.studyList.count)]


def test_the_list_follows_the_scene_and_keeps_what_is_checked(studied: Panel) -> None:
    import slicer

    assert rows(studied) == ["first: 9 images, b up to 800", "second: 9 images, b up to 800"]
    check(studied, "second")
    assert [node.GetName() for node in studied.parameters.studySeries] == ["second"]
    a_node("third")
    assert len(rows(studied)) == 3
    assert [node.GetName() for node in studied.parameters.studySeries] == ["second"]
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("second"))
    assert len(rows(studied)) == 2
    assert [node for node in studied.parameters.studySeries if node is not None] == []


def test_train_says_what_is_missing(studied: Panel, store: ModelStore) -> None:
    from ivimfit_panel import a_series

    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    train = studied.train
    assert "Check the series" in train.hintLabel.text
    check(studied, "first")
    assert train.applyButton.enabled
    assert studied.parameters.train_name == "study-1"
    studied.ui.train_nameWidget.setText("a/b")
    assert "cannot be used" in train.hintLabel.text
    studied.ui.train_nameWidget.setText("good")
    nodeFromVolume(Volume(a_series().array, a_series().affine), "plain")
    check(studied, "first", "plain")
    assert "plain has no b-values" in train.hintLabel.text
    assert not train.applyButton.enabled
    from DeepMRILib.model_card import ModelCard

    store.save(ModelCard("good", "ivim", "1", "none", "a test"), {"w": np.zeros(1, np.float32)})
    check(studied, "first")
    assert "already a network good" in train.hintLabel.text


def test_only_bounds_of_the_model_are_shown(studied: Panel) -> None:
    ui = studied.ui
    studied.widget.ui.trainCollapsibleButton.findChild(
        type(ui.trainCollapsibleButton), "trainAdvancedCollapsibleButton"
    ).collapsed = False
    assert not ui.train_f_boundsWidget.isHidden()
    assert ui.train_f1_boundsWidget.isHidden()
    ui.train_modelWidget.setCurrentText("triexp")
    assert ui.train_f_boundsWidget.isHidden()
    assert not ui.train_f1_boundsWidget.isHidden()


def test_fit_and_training_exclude_each_other(studied: Panel, deaf_worker) -> None:  # noqa: F811
    check(studied, "first")
    studied.train.applyButton.click()
    assert studied.train.applyButton.text == "Cancel"
    assert not studied.bar.applyButton.enabled
    assert "Another computation runs" in studied.bar.hintLabel.text
    assert studied.train.applyButton.enabled
    studied.parameters.sdMaps = True
    assert not studied.bar.applyButton.enabled, "a change of settings does not free the button"
    studied.train.applyButton.click()
    studied.wait(lambda: not studied.widget.runner.isBusy(), 5, "the end")
    assert "Stopped" in studied.train.statusLabel.text
    assert studied.bar.statusLabel.text == ""
    assert studied.bar.applyButton.enabled
    studied.bar.applyButton.click()
    assert studied.bar.applyButton.text == "Cancel"
    assert not studied.train.applyButton.enabled
    studied.bar.applyButton.click()
    studied.wait(lambda: not studied.widget.runner.isBusy(), 5, "the end")
    assert studied.train.applyButton.enabled


def start(panel: Panel) -> psutil.Process:
    """Begin a training that never ends; returns the worker's process."""
    check(panel, "first", "second")
    panel.train.applyButton.click()
    panel.wait(lambda: panel.widget.runner.workerPid() is not None, 20, "the worker")
    return psutil.Process(panel.widget.runner.workerPid())


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_closing_the_scene_stops_the_training(studied: Panel, store: ModelStore, deaf_worker) -> None:  # noqa: F811
    import slicer

    worker = start(studied)
    slicer.mrmlScene.Clear(0)
    assert not studied.widget.runner.isBusy()
    assert is_gone(worker)
    assert "closed" in studied.train.statusLabel.text
    assert store.list("ivim") == []


def test_deleting_a_series_of_the_study_stops_the_training_and_another_does_not(
    studied: Panel,
    deaf_worker,  # noqa: F811
) -> None:
    import slicer

    other = a_node("third")
    start(studied)
    slicer.mrmlScene.RemoveNode(other)
    assert studied.widget.runner.isBusy()
    slicer.mrmlScene.RemoveNode(slicer.util.getNode("second"))
    assert not studied.widget.runner.isBusy()
    assert "deleted" in studied.train.statusLabel.text


def test_reload_stops_the_training(studied: Panel, library_kept, deaf_worker) -> None:  # noqa: F811
    worker = start(studied)
    studied.loaded.reload()
    assert is_gone(worker)


def test_leaving_the_module_does_not_stop_it(studied: Panel, deaf_worker) -> None:  # noqa: F811
    start(studied)
    studied.loaded.exit()
    assert studied.widget.runner.isBusy()
    studied.loaded.enter()
    assert studied.train.applyButton.text == "Cancel"
    assert not studied.bar.applyButton.enabled
    studied.widget.runner.stop()


def test_the_study_and_its_settings_survive_saving_and_loading(studied: Panel, tmp_path: Path) -> None:
    import slicer

    check(studied, "second")
    studied.ui.train_nameWidget.setText("mine")
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert rows(studied) == []
    assert slicer.mrmlScene.ReadFromMRB(path)
    parameters = studied.loaded.logic.getParameterNode()
    assert [node.GetName() for node in parameters.studySeries] == ["second"]
    assert parameters.train_name == "mine"
    assert len(rows(studied)) == 2


def quick(panel: Panel) -> None:
    """Settings with which a training takes a moment."""
    panel.parameters.train_preset = "optim"
    panel.parameters.train_members = 1
    panel.parameters.train_epochs = 2


@pytest.fixture
def torch() -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs PyTorch")


def test_a_network_is_trained_stored_chosen_and_applied(studied: Panel, store: ModelStore, torch) -> None:
    from DeepMRILib.mrml.plots import seriesOf

    torch_before = "torch" in sys.modules
    _, _, proxy = sequence_of_series(2)
    check(studied, "first", "second", proxy.GetName())
    quick(studied)
    said = studied.trainNow()
    assert said.startswith("Trained study-1 on 1,920 voxels"), said
    assert [model.card.name for model in store.list("ivim")] == ["study-1"]
    losses = seriesOf(studied.parameters.lossChart)
    assert "training" in [series.GetName() for series in losses]
    assert (studied.parameters.method, studied.parameters.network) == ("ivimnet", "study-1")
    assert studied.widget.networkRow.widget.currentText == "study-1"
    assert studied.parameters.train_name == "study-2"
    first = next(node for node in studied.parameters.studySeries if node.GetName() == "first")
    studied.ui.inputSelector.setCurrentNode(first)
    studied.ui.sdMapsBox.setChecked(True)
    assert studied.apply().startswith("Fitted 480 voxels")
    fit = fit_of(first, "ivimnet", network="study-1")
    assert fit.DMap.GetName() == "first D ivimnet study-1"
    assert 0 < np.median(voxels(fit.DMap)) < 0.005
    weights = store.find("study-1").card.sha256[:12]
    assert f"weights {weights}" in fit.DMap.GetDescription()
    assert ("torch" in sys.modules) == torch_before


def test_a_cancelled_training_leaves_nothing(studied: Panel, store: ModelStore, torch) -> None:
    import slicer

    check(studied, "first", "second")
    quick(studied)
    studied.parameters.train_epochs = 100_000
    count = slicer.mrmlScene.GetNumberOfNodes()
    seen = []
    real = studied.widget.sections[1].onProgress
    studied.widget.sections[1].onProgress = lambda fraction, text: (seen.append(text), real(fraction, text))
    studied.train.applyButton.click()
    studied.wait(lambda: any("oss" in text for text in seen), 60, "a loss in the status line")
    assert studied.train.statusLabel.text == seen[-1]
    studied.train.applyButton.click()
    studied.wait(lambda: not studied.widget.runner.isBusy(), 10, "the end")
    assert "Stopped" in studied.train.statusLabel.text
    assert store.list("ivim") == []
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_a_network_of_that_name_that_came_meanwhile_is_not_overwritten(studied: Panel, store, torch) -> None:
    import slicer

    from DeepMRILib.model_card import ModelCard

    check(studied, "first")
    quick(studied)
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)  # made when it is first asked for
    count = slicer.mrmlScene.GetNumberOfNodes()
    studied.train.applyButton.click()
    store.save(ModelCard("study-1", "ivim", "1", "none", "another program"), {"w": np.zeros(1, np.float32)})
    studied.wait(lambda: not studied.widget.runner.isBusy(), 60, "the training")
    assert "already a model study-1" in studied.train.statusLabel.text
    assert store.find("study-1").card.source == "another program"
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_without_torch_training_and_networks_say_what_to_do(studied: Panel, monkeypatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))
    check(studied, "first")
    studied.train.applyButton.click()
    assert "Install the extension PyTorch" in studied.train.statusLabel.text
    assert studied.bar.statusLabel.text == ""
    studied.choose(method="ivimnet")
    studied.bar.applyButton.click()
    assert "Install the extension PyTorch" in studied.bar.statusLabel.text


def test_the_consoles_door_trains_keeps_and_applies(studied: Panel, store: ModelStore, torch) -> None:
    from DeepMRILib.ivim import FitOptions, TrainOptions

    options = TrainOptions(name="here", preset="optim", members=1, epochs=1)
    nodes = [node for node in (studied.parameters.inputSeries, a_node("other")) if node is not None]
    trained, chart = studied.loaded.logic.train(nodes, options, keep=True)
    assert trained.name == "here"
    assert chart.GetName() == "here loss"
    assert store.find("here", "ivim").card.sha256
    fitted = studied.loaded.logic.process(nodes[0], FitOptions(method="ivimnet"), network="here")
    assert fitted.DMap.GetName() == "first D ivimnet here"
