"""Networks in the KSpaceIGS panel: trained, searched with, seen live, compared and adapted, through one worker."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from igs_panel import IGSPanel
from test_modules import deaf_worker  # noqa: F401 - a fixture

from DeepMRILib.model_store import ModelStore

TRAIN, TUNE, COMPARE = 2, 3, 1
"""Sections of the panel."""


@pytest.fixture
def store(tmp_path: Path, slicer_app) -> ModelStore:
    """The user's models, in a folder of the test."""
    from DeepMRILib.panel.machine import modelStore, setMachineSetting

    setMachineSetting("model_folder", str(tmp_path))
    return modelStore()


@pytest.fixture
def panel(store, load_module, wait_until) -> IGSPanel:
    """The panel with a few small hearts, opened."""
    from DeepMRILib.igs.sampling import SampleOptions
    from DeepMRILib.mrml.igs_sample import sampleNodes

    loaded = load_module("KSpaceIGS")
    loaded.enter()
    made = IGSPanel(loaded, wait_until)
    hearts = sampleNodes(SampleOptions(cases=12, size=32))
    made.image, made.labels = hearts.image, hearts.labels
    parameters = made.parameters
    parameters.inputVolume, parameters.labelsSegmentation, parameters.phaseVolume = hearts.all
    parameters.lines, parameters.part = 6, "all"
    parameters.train_channels, parameters.train_epochs = "4 8", 1
    return made


@pytest.fixture
def torch() -> None:
    for name in ("torch", "monai"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")


@pytest.fixture
def network(panel, store) -> str:
    """The name of a network in the store that nothing can be done with."""
    from DeepMRILib.model_card import ModelCard

    labels = {"1": "myocardium", "2": "left ventricle", "3": "right ventricle"}
    card = ModelCard("small", "igs", "1", "none", "a test", extra={"labels": labels})
    store.save(card, {"w": np.zeros(1, np.float32)})
    panel.logic.networks.reload()
    panel.widget.refresh()
    return "small"


def see(panel: IGSPanel) -> str:
    """Wait for the network's answer to where the slider is; what is said of it."""
    look = panel.live.look
    panel.wait(lambda: panel.live._soon._timer.isActive() is False and look.hasCaughtUp, 60, "the segmentation")
    panel.wait(lambda: not panel.live.state.isBusy, 60, "the end of the run")
    return panel.ui.segmentedLabel.text


def segmented(panel: IGSPanel) -> np.ndarray:
    """(i, j, k) int: what the live segmentation holds."""
    from DeepMRILib.mrml.segment_voxels import segmentNumbers
    from DeepMRILib.mrml.volumes import volumeFromNode

    node, image = panel.parameters.liveSegmentation, volumeFromNode(panel.image)
    ids = node.GetSegmentation().GetSegmentIDs()
    return segmentNumbers(node, {one: n for n, one in enumerate(ids, 1)}, panel.image, image)


def test_from_a_training_to_the_adapted_network(panel, store, torch) -> None:
    """All in one worker, whose PyTorch is loaded once."""
    torch_before = "torch" in sys.modules
    train(panel, store)
    search(panel)
    slide(panel)
    the_latest_place_wins(panel)
    apply_does_not_wait_for_a_segmentation(panel)
    compare(panel)
    adapt(panel, store)
    assert ("torch" in sys.modules) == torch_before


def train(panel: IGSPanel, store: ModelStore) -> None:
    """The network goes into the store and is chosen."""
    from DeepMRILib.mrml.plots import seriesOf

    assert panel.parameters.train_name == "kspace-1"
    said = panel.press(TRAIN)
    assert said.startswith("Trained kspace-1. It is chosen above."), said
    assert [model.card.name for model in store.list("igs")] == ["kspace-1"]
    assert panel.parameters.model == "kspace-1"
    assert panel.widget.networkRow.widget.currentText == "kspace-1"
    assert panel.parameters.train_name == "kspace-2"
    drawn = {series.GetName() for series in seriesOf(panel.parameters.trainingChart)}
    assert drawn
    assert drawn <= {"training", "validation"}
    assert panel.logic.networks.labels("kspace-1") == {1: "myocardium", 2: "left ventricle", 3: "right ventricle"}


def search(panel: IGSPanel) -> None:
    """The lines serve the network's segmentation, which is seen at once."""
    from DeepMRILib.mrml.igs_record import recordOf

    said = panel.press()
    assert said.startswith("6 of 32 lines found"), said
    record = recordOf(panel.parameters.linesTable)
    assert (record.loss, record.network) == ("dice", "kspace-1")
    told = see(panel)
    assert "Dice: myocardium " in told
    assert told.endswith(" s.")
    segments = panel.parameters.liveSegmentation.GetSegmentation()
    names = [segments.GetNthSegment(n).GetName() for n in range(3)]
    assert names == ["myocardium", "left ventricle", "right ventricle"]


def slide(panel: IGSPanel) -> None:
    """Image and segmentation follow, in the same nodes."""
    from DeepMRILib.igs.applying import undersample
    from DeepMRILib.mrml.igs_record import patternOf

    first, before = panel.parameters.liveSegmentation, segmented(panel)
    panel.slide(1)
    see(panel)
    assert panel.parameters.liveSegmentation is first
    assert not np.array_equal(segmented(panel), before)
    image = panel.logic.imageInputs(panel.parameters)
    turned = image["data"].like(image["data"].array * np.exp(1j * image["phase"].array))
    wanted = undersample(turned, patternOf(panel.parameters.linesTable), 1, kind="recommended").array
    assert np.allclose(panel.voxels("undersampledVolume"), wanted, atol=1e-3)


def the_latest_place_wins(panel: IGSPanel) -> None:
    """None of the places that the slider has left is waited for."""
    started = []
    run = panel.widget.runner.run
    panel.widget.runner.run = lambda *given, **more: (started.append(given[2].lines), run(*given, **more))[1]
    for lines in (5, 4, 3, 2, 1, 2, 3):
        panel.ui.linesSlider.value = lines  # faster than any segmentation ends: no events in between
    see(panel)
    del panel.widget.runner.run
    assert started[-1] == 3
    assert len(started) < 7
    assert panel.acquired().sum() == 3


def apply_does_not_wait_for_a_segmentation(panel: IGSPanel) -> None:
    """A look at the image gives way."""
    panel.slide(5)
    panel.wait(lambda: panel.live.state.isBusy, 20, "the segmentation to begin")
    assert panel.press().startswith("6 of 32 lines found")
    see(panel)


def compare(panel: IGSPanel) -> None:
    """Dice against lines, with the baselines."""
    from DeepMRILib.mrml.plots import seriesOf

    panel.parameters.compare_draws, panel.parameters.compare_baselines = 1, "centre random"
    panel.parameters.compare_lines = "3 6"
    said = panel.press(COMPARE)
    assert said.startswith("Dice at 3: "), said
    assert {"centre", "random", "search"} <= {series.GetName() for series in seriesOf(panel.parameters.scoreChart)}
    assert panel.parameters.scoreChart.GetYAxisTitle() == "Dice"


def adapt(panel: IGSPanel, store: ModelStore) -> None:
    """A second network, for as many lines as the slider shows."""
    panel.slide(4)
    panel.parameters.tune_epochs = 1
    assert panel.logic.tasks[TUNE].options(panel.parameters).lines == 4
    said = panel.press(TUNE)
    assert said.startswith("Adapted kspace-tuned-1."), said
    assert panel.parameters.model == "kspace-tuned-1"
    assert "kspace-tuned-1" in [model.card.name for model in store.list("igs")]
    see(panel)


def test_what_is_missing_is_said(panel, store) -> None:
    sections = panel.widget.sections
    assert "Press Apply to find a pattern first." in sections[COMPARE].bar.hintLabel.text
    assert "Choose a network above, or train one." in sections[TUNE].bar.hintLabel.text
    panel.parameters.loss = "dice"
    assert "The loss dice needs a network." in panel.bar.hintLabel.text
    panel.parameters.loss = "auto"
    panel.parameters.model = "gone"
    for section in (0, COMPARE, TUNE):
        assert "There is no network gone on this computer." in sections[section].bar.hintLabel.text
    panel.parameters.model = ""
    panel.ui.train_nameWidget.setText("a/b")
    assert "cannot be used" in sections[TRAIN].bar.hintLabel.text
    from DeepMRILib.model_card import ModelCard

    store.save(ModelCard("taken", "igs", "1", "none", "a test"), {"w": np.zeros(1, np.float32)})
    panel.ui.train_nameWidget.setText("taken")
    assert "already a network taken" in sections[TRAIN].bar.hintLabel.text


def test_without_torch_it_is_said_what_to_do(panel, network, monkeypatch) -> None:
    panel.run_with_network("")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))
    panel.parameters.model = network
    panel.settle()
    assert panel.ui.segmentedLabel.text == "The network needs PyTorch: press Apply once to install it."
    panel.bar.applyButton.click()
    assert "Install the extension PyTorch" in panel.bar.statusLabel.text
    panel.widget.sections[TRAIN].bar.applyButton.click()
    assert "Install the extension PyTorch" in panel.widget.sections[TRAIN].bar.statusLabel.text


def test_a_cancelled_training_leaves_nothing(panel, store, torch, deaf_worker) -> None:  # noqa: F811
    import slicer

    count = slicer.mrmlScene.GetNumberOfNodes()
    bar = panel.widget.sections[TRAIN].bar
    bar.applyButton.click()
    assert bar.applyButton.text == "Cancel"
    assert not panel.bar.applyButton.enabled
    bar.applyButton.click()
    panel.wait(lambda: not panel.widget.runner.isBusy(), 5, "the end")
    assert "Stopped" in bar.statusLabel.text
    assert store.list("igs") == []
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_the_scene_closed_while_the_network_works_leaves_nothing(panel, network, deaf_worker) -> None:  # noqa: F811
    import slicer

    panel.run_with_network(network)
    panel.wait(lambda: panel.live.state.isBusy, 20, "the segmentation to begin")
    slicer.mrmlScene.Clear(0)
    panel.settle()
    assert not panel.live.state.isBusy
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
    assert panel.ui.segmentedLabel.text == ""
