"""Models in the IAPPredict panel: chosen, asked, trained; folders audited and sorted, all through the real worker."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import iap_samples as samples
import pytest
from iap_panel import IAPPanel
from test_modules import deaf_worker  # noqa: F401 - a fixture

from DeepMRILib.model_store import ModelStore


@pytest.fixture
def store(tmp_path: Path, slicer_app) -> ModelStore:
    """The user's models, in a folder of the test."""
    from DeepMRILib.panel.machine import modelStore, setMachineSetting

    setMachineSetting("model_folder", str(tmp_path / "home"))
    return modelStore()


@pytest.fixture
def panel(store, load_module, wait_until) -> IAPPanel:
    """The panel with an image, opened."""
    loaded = load_module("IAPPredict")
    loaded.enter()
    return IAPPanel(loaded, wait_until)


@pytest.fixture
def torch() -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs torch")


@pytest.fixture
def model(panel, torch) -> str:
    """The name of the model that DeepMRI brings along; it is chosen."""
    panel.parameters.model = "iap-demo"
    return "iap-demo"


@pytest.fixture
def folder() -> Path:
    """Eighteen series, some headers wrong."""
    from DeepMRILib.iap.example import audit_inputs

    return audit_inputs()["folder"]


def test_a_model_is_asked_in_the_worker_and_what_decides_is_shown(panel, model, monkeypatch) -> None:
    from DeepMRILib.mrml.iap_sample import SMALL, sampleNodes
    from DeepMRILib.mrml.volumes import volumeFromNode
    from DeepMRILib.panel import iap_task

    shown = []
    monkeypatch.setattr(iap_task, "showOverlay", lambda *given: shown.append(given))
    torch_before = "torch" in sys.modules
    series = sampleNodes(SMALL)[0]
    panel.ui.inputSelector.setCurrentNode(series)
    panel.parameters.slices, panel.parameters.device = 3, "cpu"
    box = panel.widget.levelRow.widget
    box.setCurrentIndex(box.findText("80 %"))
    said = panel.press()
    assert " parameters: " in said, said
    notes = panel.logic.networks.notes(model)
    assert notes
    assert panel.ui.modelLabel.text == " ".join(notes)
    assert not any(note in said for note in notes)  # they stand below the model
    rows = {row[0]: row for row in panel.rows()}
    assert rows["Field strength"][2] in ("1.5 T", "3 T")
    assert rows["Scanner model"][1:] == ["", "", "", "∅ missing"]  # simulated scanners have none
    assert rows["Echo time"][3].count(" to ") == 1
    told = {row[4] for row in panel.rows() if row[2]}
    assert told
    assert told <= {"= agree", "≠ disagree", "∅ missing", "? unseen", "~ unsure"}
    assert panel.parameters.stripChart is not None
    assert panel.parameters.slicesTable.GetNumberOfRows() >= 3
    from DeepMRILib.mrml.iap_record import recordOf

    record = recordOf(panel.parameters.parametersTable)
    assert (record.level, record.model, record.axis) == (pytest.approx(0.8), "iap-demo", "k")

    panel.choose("Field strength")
    said = panel.press("saliency")
    assert said.startswith("IAPPredictSeries spin echo what decides is laid over"), said
    assert shown == [(series, panel.parameters.saliencyVolume)]
    assert volumeFromNode(panel.parameters.saliencyVolume).shape == volumeFromNode(series).shape
    assert ("torch" in sys.modules) == torch_before


def test_a_folder_is_audited(panel, folder, tmp_path) -> None:
    panel.ui.folderEdit.currentPath = str(folder)
    said = panel.press("audit")
    assert said.startswith("18 series, "), said
    for name in ("auditTable", "findingsTable", "groupsTable", "coverageTable"):
        assert getattr(panel.parameters, name).GetNumberOfRows() > 0
    nodes = [panel.parameters.auditTable, panel.parameters.findingsTable]
    panel.press("audit")
    assert [panel.parameters.auditTable, panel.parameters.findingsTable] == nodes
    panel.ui.exportFolderEdit.currentPath = str(tmp_path)
    panel.ui.exportNameEdit.text = "study"
    panel.ui.exportAuditButton.click()
    assert {path.name for path in tmp_path.glob("*.csv")} == {
        "study_series.csv",
        "study_findings.csv",
        "study_protocols.csv",
        "study_coverage.csv",
    }


@pytest.fixture
def few(tmp_path) -> Path:
    """Simulated series of two subjects, without field strengths in their sidecars."""
    from DeepMRILib.iap import SimulateOptions, simulation

    options = SimulateOptions(subjects=2, series=2, slices=2, form="bids", seed=3)
    place = simulation(options).save(tmp_path / "few") / "series"
    for sidecar in place.rglob("*.json"):
        content = json.loads(sidecar.read_text())
        content.pop("MagneticFieldStrength", None)
        sidecar.write_text(json.dumps(content))
    return place


def test_a_folder_is_sorted_by_headers_or_by_a_model(panel, folder, few, model) -> None:
    from DeepMRILib.mrml.pvs_report import tableFromNode

    panel.ui.folderEdit.currentPath = str(folder)
    panel.parameters.sort_by, panel.parameters.sort_source = "field_strength", "header"
    said = panel.press("sort")
    assert said.startswith("18 series in "), said
    columns = tableFromNode(panel.parameters.cohortTable).columns
    assert set(columns["domain"]) <= {"1.5 T", "3 T", "unknown"}
    assert len(columns["domain"]) == 18
    panel.ui.folderEdit.currentPath = str(few)
    panel.parameters.sort_source, panel.parameters.sort_slices, panel.parameters.level = "predicted", 1, 0.8
    assert panel.section("sort").task.options(panel.parameters).level == pytest.approx(0.8)
    said = panel.press("sort")
    assert said.startswith("4 series in "), said
    assert panel.parameters.confusionTable.GetNumberOfRows() > 0
    assert panel.ui.exportCohortButton.enabled

    panel.ui.completeFolderEdit.currentPath = str(few.parent)
    panel.parameters.complete_slices, panel.parameters.complete_probability = 0, 0.0
    for name in ("series-completed", "series-completed-2"):
        said = panel.press("complete")
        assert "sidecars written to" in said, said
        written = list((few.parent / name).rglob("*_MR.json"))
        assert written
        assert "MagneticFieldStrength" in json.loads(written[0].read_text())["Predicted"]["Values"]


def test_unreadable_files_in_a_folder_are_told_and_the_rest_is_done(panel, folder, tmp_path) -> None:
    place = tmp_path / "study"
    shutil.copytree(folder, place)
    (place / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 60)
    panel.ui.folderEdit.currentPath = str(place)
    said = panel.press("audit")
    assert "1 file could not be read: see the table of them." in said, said
    assert panel.parameters.unreadTable.GetNumberOfRows() == 1


def test_a_model_is_trained_kept_and_chosen(panel, store, torch) -> None:
    from DeepMRILib.iap.example_training import train_inputs
    from DeepMRILib.mrml.plots import seriesOf

    parameters = panel.parameters
    assert parameters.train_name == "iap-1"
    panel.ui.trainFolderEdit.currentPath = str(train_inputs()["folder"])
    parameters.train_epochs, parameters.train_size, parameters.train_channels = 1, 32, "4 8 8 8"
    parameters.checkpointFile = __file__
    said = panel.press("train")
    assert said.startswith("Trained iap-1. It is chosen above."), said
    assert "iap-1" in [model.card.name for model in store.list("iap")]
    assert (panel.parameters.model, panel.parameters.checkpointFile) == ("iap-1", "")
    assert panel.parameters.train_name == "iap-2"
    assert {series.GetName() for series in seriesOf(panel.parameters.trainingChart)} == {"training", "validation"}
    assert panel.bar.applyButton.enabled


def test_what_is_missing_is_said(panel, store, tmp_path) -> None:
    from DeepMRILib.mrml.volumes import nodeFromVolume

    def hint(section: str = "") -> str:
        return panel.section(section).bar.hintLabel.text

    assert hint() == ""
    assert hint("saliency") == "Choose a model above: it is the model that decides."
    assert hint("audit") == hint("sort") == hint("complete") == "Choose a folder."
    assert hint("train") == "Choose a folder of series to learn from."
    panel.parameters.cohortFolder = str(tmp_path)
    assert hint("audit") == ""
    assert hint("sort") == "Choose a model above, or sort by what the headers say (source: header)."
    panel.parameters.sort_source = "header"
    assert hint("sort") == ""
    assert hint("complete") == "Choose a model above: it tells what the headers lack."
    panel.parameters.model = "gone"
    assert hint("complete") == "Choose a folder to write to."
    assert hint().startswith("There is no model gone on this computer.")
    panel.parameters.checkpointFile = __file__
    assert hint() == "A model and a file are chosen. Choose none for one of them."
    panel.parameters.model, panel.parameters.checkpointFile = "", "/nowhere.pt"
    assert hint() == "There is no file /nowhere.pt. Choose another, or none."
    panel.parameters.checkpointFile = __file__
    assert hint("saliency") == "Press Apply, and choose a parameter of the list that the image tells."
    panel.parameters.checkpointFile = ""
    panel.parameters.headerFile = "/nowhere.json"
    assert hint() == panel.ui.headerLabel.text == "There is no file /nowhere.json. Choose another, or none."
    panel.parameters.headerFile = ""
    panel.parameters.inputVolume = nodeFromVolume(samples.volume(), "bare")
    assert hint().startswith("This image has no header.")
    panel.parameters.inputVolume = None
    assert hint() == "Choose an image."
    panel.parameters.trainFolder, panel.parameters.train_name = str(tmp_path), "a/b"
    assert "cannot be used" in hint("train")
    import numpy as np

    from DeepMRILib.model_card import ModelCard

    store.save(ModelCard("taken", "iap", "1", "none", "a test"), {"w": np.zeros(1, np.float32)})
    panel.ui.train_nameWidget.setText("taken")
    assert hint("train") == "There is already a model taken; give this one another name."


@pytest.mark.parametrize(
    ("section", "name", "sentence"),
    [
        ("audit", "cohortFolder", "There is no folder /nowhere. Choose another."),
        ("train", "trainFolder", "There is no folder /nowhere. Choose another."),
    ],
)
def test_a_folder_that_is_gone_is_a_sentence(panel, torch, section: str, name: str, sentence: str) -> None:
    setattr(panel.parameters, name, "/nowhere")
    assert panel.press(section) == sentence
    assert not panel.widget.runner.isBusy()


def test_a_file_that_is_no_checkpoint_is_a_sentence(panel, torch) -> None:
    import slicer

    before = slicer.mrmlScene.GetNumberOfNodes()
    panel.parameters.checkpointFile = __file__
    said = panel.press()
    assert Path(__file__).name in said
    assert "Traceback" not in said
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    assert panel.parameters.parametersTable is None


def test_without_torch_it_is_said_what_to_do(panel, model, monkeypatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))
    panel.bar.applyButton.click()
    assert "Install the extension PyTorch" in panel.bar.statusLabel.text
    panel.parameters.model = ""
    panel.press()
    assert [row[0] for row in panel.rows() if row[1]] == ["Sequence", "Echo time"]


@pytest.mark.parametrize("section", ["audit", "train", "saliency"])
def test_a_cancelled_section_leaves_nothing(panel, model, store, folder, deaf_worker, section: str) -> None:  # noqa: F811
    import slicer

    panel.run()
    panel.parameters.cohortFolder = panel.parameters.trainFolder = str(folder)
    count, models = slicer.mrmlScene.GetNumberOfNodes(), len(store.list("iap"))
    bar = panel.section(section).bar
    bar.applyButton.click()
    assert bar.applyButton.text == "Cancel"
    assert not panel.bar.applyButton.enabled
    bar.applyButton.click()
    panel.wait(lambda: not panel.widget.runner.isBusy(), 5, "the end")
    assert "Stopped" in bar.statusLabel.text
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert len(store.list("iap")) == models


def test_the_image_deleted_meanwhile_stops_the_search_for_what_decides(panel, model, deaf_worker) -> None:  # noqa: F811
    import slicer

    panel.run()
    panel.section("saliency").bar.applyButton.click()
    slicer.mrmlScene.RemoveNode(panel.image)
    assert not panel.widget.runner.isBusy()
    assert "deleted" in panel.section("saliency").bar.statusLabel.text
    assert panel.parameters.saliencyVolume is None


@pytest.mark.parametrize("name", ["parametersTable", "slicesTable", "outsideTable", "stripChart"])
def test_deleting_a_chosen_output_writes_into_no_other(panel, name: str) -> None:
    import slicer

    panel.run()
    node = getattr(panel.parameters, name)
    other = slicer.mrmlScene.AddNewNodeByClass(node.GetClassName(), "somebody's")
    slicer.mrmlScene.RemoveNode(node)
    panel.settle()
    assert getattr(panel.parameters, name) is None
    panel.run()
    assert getattr(panel.parameters, name) not in (None, other)
    assert len(panel.rows()) == 7


def test_a_closed_scene_leaves_no_old_words(panel) -> None:
    import slicer

    panel.run(samples.result(outside="bad"))
    slicer.mrmlScene.Clear(0)
    panel.settle()
    assert panel.rows() == []
    assert panel.ui.warningLabel.text == panel.ui.detailLabel.text == panel.ui.headerLabel.text == ""
    assert slicer.util.getNodesByClass("vtkMRMLTableNode") == []


def test_names_without_end_or_of_tags_do_no_harm(panel) -> None:
    panel.image.SetName("<b>" + "I" * 400)
    panel.run()
    assert panel.loaded.panel.minimumSizeHint().width() <= 420
