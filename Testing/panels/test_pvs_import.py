"""Networks in the PVSSegment panel: choosing one, and importing one under its licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pvs_samples as samples
import pytest
from pvs_panel import PVSPanel


@pytest.fixture
def panel(load_module, wait_until, tmp_path: Path) -> PVSPanel:
    """The panel with an image and an empty folder of models, opened."""
    from DeepMRILib.panel.machine import setMachineSetting

    setMachineSetting("model_folder", str(tmp_path / "home"))
    loaded = load_module("PVSSegment")
    loaded.enter()
    return PVSPanel(loaded, wait_until)


def stored(tmp_path: Path, name: str, images: list[str], **extra: Any) -> None:
    """A model in the store, as an import leaves it."""
    from DeepMRILib.model_card import ModelCard
    from DeepMRILib.model_store import ModelStore

    card = ModelCard(
        name, "pvs", "1", "CC-BY-NC-SA-4.0", "somebody", preprocessing={"images": images}, extra=extra
    )  # fmt: skip
    ModelStore(tmp_path / "home" / "models").save(card, {"w": np.zeros(3, np.float32)})


def chooseNetwork(panel: PVSPanel, name: str) -> None:
    panel.ui.engineWidget.setCurrentText("network")
    panel.parameters.model = name


def imported(name: str = "net-1") -> Any:
    """What the job returns."""
    from DeepMRILib.pvs.imported import ImportedNetworks
    from DeepMRILib.results import Provenance

    return ImportedNetworks(
        Provenance("pvs.import-model", "a test", {}, notes=("The licence of the network is not stated.",)),
        name=name,
        version="1",
        images=("t1",),
        intensity="shivai_1.3",
        takes_t2=False,
        classes=1,
        folds=(0,),
        weights={"fold0.w": np.arange(4, dtype=np.float32)},
        structures=('{"nodes": []}',),
        structure_of=(0,),
        licence="CC0-1.0",
        source="a test",
    )


def test_without_any_network_the_engine_says_where_to_get_one(panel) -> None:
    panel.ui.engineWidget.setCurrentText("network")
    if not panel.logic.networks.hasOwn:
        assert panel.bar.hintLabel.text == "Choose a network, or import one below."
    panel.parameters.model = "gone"
    assert panel.bar.hintLabel.text.startswith("There is no network gone on this computer.")
    assert not panel.bar.applyButton.enabled
    panel.ui.engineWidget.setCurrentText("vesselness")
    assert panel.bar.applyButton.enabled


@pytest.mark.parametrize(
    ("wants", "extra", "has", "sentence"),
    [
        (["t1"], {}, ["t1"], ""),
        (["t1"], {}, ["t1", "flair"], ""),
        (["t1", "flair"], {}, ["t1", "flair"], ""),
        (["t1", "flair"], {}, ["t1"], "The network net takes T1 + FLAIR, and T1 is chosen."),
        (["t1"], {}, ["t2"], "The network net takes T1, and T2 is chosen."),
        (["t1"], {"takes_t2": True}, ["t2"], ""),
        (["t2"], {}, ["t1"], "The network net takes T2, and T1 is chosen."),
    ],
)
def test_a_network_for_other_images_is_told(
    panel, tmp_path: Path, wants: list[str], extra: dict[str, Any], has: list[str], sentence: str
) -> None:
    from DeepMRILib.mrml.volumes import nodeFromVolume

    stored(tmp_path, "net", wants, **extra)
    panel.logic.networks.reload()
    for name in ("t1", "flair", "t2"):
        node = nodeFromVolume(samples.image(), name) if name in has else None
        setattr(panel.parameters, f"{name}Volume", node)
    chooseNetwork(panel, "net")
    assert panel.bar.hintLabel.text == sentence
    assert panel.widget.networkRow.widget.currentText == ("net (does not fit)" if sentence else "net")


def test_the_network_is_given_to_the_job(panel, tmp_path: Path) -> None:
    stored(tmp_path, "net", ["t1"])
    panel.logic.networks.reload()
    chooseNetwork(panel, "net")
    assert panel.logic.collect(panel.parameters)["model"] == "net"
    panel.ui.engineWidget.setCurrentText("vesselness")
    assert panel.logic.collect(panel.parameters)["model"] is None
    assert not panel.logic.needsTorch(panel.parameters)


def test_the_licence_is_shown_and_must_be_agreed_to(panel, tmp_path: Path) -> None:
    bar, ui = panel.widget.sections[1].bar, panel.ui
    assert "CC BY-NC-SA 4.0" in ui.licenceLabel.text
    assert bar.hintLabel.text == "Choose the file or folder that you have downloaded."
    folder = tmp_path / "T1.PVS"
    folder.mkdir()
    (folder / "20211030-162753_Unet3Dv2-10.7.2-1.8-T1.VRS_fold_1x6_pi_fold_0_model.h5").touch()
    ui.importPathEdit.currentPath = str(folder)
    assert ui.licenceLabel.text.startswith("SHIVA PVS v1 (T1). Licence: ")
    assert bar.hintLabel.text == "Read the licence of the network, and check that you agree to it."
    assert not bar.applyButton.enabled
    ui.import_accept_licenceWidget.click()
    assert bar.applyButton.enabled
    ui.importPathEdit.currentPath = str(tmp_path)
    assert not bar.applyButton.enabled, "another network, another licence"
    for wrong in (str(tmp_path / "nowhere"), "~nobody-of-this-name/T1.PVS", str(tmp_path / ("x" * 5000))):
        ui.importPathEdit.currentPath = wrong
        assert bar.hintLabel.text.startswith("There is nothing at")


def test_agreement_is_not_saved_with_the_scene(panel, tmp_path: Path) -> None:
    import slicer

    panel.parameters.import_accept_licence = True
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(path)
    assert not panel.parameters.import_accept_licence


def test_the_pages_of_the_published_sets_open_in_the_browser(panel, monkeypatch) -> None:
    import qt

    from DeepMRILib.pvs.published import SETS

    opened = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    assert panel.ui.publishedBox.count == len(SETS)
    panel.ui.publishedButton.click()
    panel.ui.publishedBox.setCurrentIndex(len(SETS) - 1)
    panel.ui.publishedButton.click()
    assert opened == [SETS[-1].page, SETS[0].page]
    assert panel.ui.publishedButton.toolTip == SETS[0].page


def test_what_was_imported_is_in_the_store_and_chosen(panel, tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    task = panel.logic.tasks[1]
    panel.ui.importPathEdit.currentPath = str(tmp_path)
    text = task.deliver([imported()], panel.parameters)
    panel.widget.onDelivered(task)
    panel.widget.refresh()
    assert text == "Imported net-1. It is chosen above: Apply uses it. The licence of the network is not stated."
    assert panel.parameters.engine == "network"
    assert panel.widget.networkRow.widget.currentText == "net-1"
    assert panel.bar.hintLabel.text == ""
    assert panel.ui.importPathEdit.currentPath == ""
    assert "net-1" in panel.logic.networks.names()
    assert not [path for path in (tmp_path / "home" / "models").iterdir() if path.name.startswith(".")]


def test_a_name_that_is_taken_is_told_before_the_import(panel, tmp_path: Path) -> None:
    stored(tmp_path, "net-1", ["t1"])
    panel.ui.importPathEdit.currentPath = str(tmp_path)
    panel.parameters.import_accept_licence = True
    panel.parameters.import_name = "net-1"
    assert "There is already a network net-1." in panel.widget.sections[1].bar.hintLabel.text
    panel.parameters.import_name = "net 2"
    assert "cannot be used" in panel.widget.sections[1].bar.hintLabel.text
    panel.parameters.import_name = "net-2"
    assert panel.widget.sections[1].bar.hintLabel.text == ""


def test_a_folder_is_chosen_with_its_button(panel, tmp_path: Path, monkeypatch) -> None:
    import qt

    answers = ["", str(tmp_path)]
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_given: answers.pop(0))
    panel.ui.importFolderButton.click()
    assert panel.logic.tasks[1].path == ""
    panel.ui.importFolderButton.click()
    assert panel.ui.importPathEdit.currentPath == panel.logic.tasks[1].path == str(tmp_path)


@pytest.mark.torch
def test_a_network_is_imported_by_the_worker(panel) -> None:
    """From the click on Import to a network that Apply can use."""
    pytest.importorskip("torch")
    pytest.importorskip("h5py")
    bar, task = panel.widget.sections[1].bar, panel.logic.tasks[1]
    (path,) = task.job.example_inputs().values()
    panel.ui.importPathEdit.currentPath = str(path)
    panel.ui.import_accept_licenceWidget.click()
    panel.parameters.import_name = "tiny"
    bar.applyButton.click()
    assert bar.applyButton.text == "Cancel"
    panel.wait(lambda: not panel.widget.runner.isBusy(), 300, "the import")
    assert bar.statusLabel.text.startswith("Imported tiny."), bar.statusLabel.text
    assert panel.parameters.model == "tiny"
    assert panel.bar.applyButton.enabled
    assert not bar.applyButton.enabled
