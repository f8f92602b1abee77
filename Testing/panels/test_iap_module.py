"""The IAPPredict panel: headers found, Apply through the worker, the list with its verdicts, jumps, a saved scene."""

from __future__ import annotations

import csv
from pathlib import Path

import iap_samples as samples
import numpy as np
import pytest
from iap_panel import IAPPanel

from DeepMRILib.errors import InputError


@pytest.fixture
def panel(load_module, wait_until) -> IAPPanel:
    """The panel with an image, opened."""
    loaded = load_module("IAPPredict")
    loaded.enter()
    return IAPPanel(loaded, wait_until)


@pytest.fixture
def done(panel) -> IAPPanel:
    """The panel after a run."""
    panel.run()
    return panel


@pytest.fixture
def jumps(monkeypatch) -> list[np.ndarray]:
    """Where the slice views went."""
    from DeepMRILib.panel import iap_list

    places: list[np.ndarray] = []
    monkeypatch.setattr(iap_list, "jumpTo", places.append)
    return places


def test_before_a_run_there_is_nothing_to_show(panel) -> None:
    assert panel.rows() == []
    for name in ("numbersButton", "overlayButton", "originalBox", "exportParametersButton", "exportAuditButton"):
        assert not getattr(panel.ui, name).enabled
    assert panel.ui.warningLabel.isHidden()
    assert panel.ui.headerLabel.text == "The header is kept with the image: it has no file."


def test_apply_without_a_model_tells_what_the_header_says(panel) -> None:
    said = panel.press()
    assert said.startswith("21 parameters: 7 missing in the header. No model was given"), said
    rows = {row[0]: row for row in panel.rows()}
    assert len(rows) == 21
    assert rows["Sequence"] == ["Sequence", "SE", "", "", "– header only"]
    assert rows["Echo time"] == ["Echo time", "90 ms", "", "", "– header only"]
    assert rows["Field strength"] == ["Field strength", "", "", "", "∅ missing"]
    assert rows["Contrast agent"] == ["Contrast agent", "", "", "", "– not told"]
    panel.choose("Field strength")
    assert panel.ui.detailLabel.text == "Field strength: The header does not say it, and it should."
    panel.choose("Contrast agent")
    assert panel.ui.detailLabel.text.endswith("The header does not say it, and it was not told from the image.")
    assert panel.parameters.stripChart is None


def test_apply_reads_a_real_series_of_dicom_files_through_the_database(panel, tmp_path, monkeypatch) -> None:
    import slicer
    from slicerapp.dicom_database import DicomDatabase

    made = samples.series()
    folder = samples.dicomFolder(tmp_path, made)
    node = samples.loadDicom(folder, "scan")
    database = DicomDatabase(sorted(folder.iterdir()))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node.SetAttribute(
        "DICOM.instanceUIDs", " ".join(database.instanceForFile(str(path)) for path in sorted(folder.iterdir()))
    )
    panel.ui.inputSelector.setCurrentNode(node)
    assert panel.ui.headerLabel.text == "The header is that of the DICOM series, 0001.dcm."
    assert panel.ui.originalBox.enabled
    for original in (False, True):
        panel.ui.originalBox.setChecked(original)
        data = panel.logic.collect(panel.parameters)["data"]
        assert data == folder.resolve() if original else data.shape == slicer.util.arrayFromVolume(node).T.shape
        said = panel.press()
        assert "No model was given" in said, said
        rows = {row[0]: row[1] for row in panel.rows()}
        assert rows["Sequence"] == made.values()["sequence"]
        assert float(rows["Echo time"].split()[0]) == pytest.approx(made.values()["echo_time"], rel=1e-3)
        assert rows["Field strength"] == f"{made.values()['field_strength']:g} T"


def test_original_pixels_of_a_series_that_lies_among_others_are_told_by_slice(panel, tmp_path, monkeypatch) -> None:
    import slicer
    from slicerapp.dicom_database import DicomDatabase

    from DeepMRILib import files
    from DeepMRILib.iap.series import read_series
    from DeepMRILib.mrml.iap import slicePosition
    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    folder = samples.dicomFolder(tmp_path)
    paths = sorted(folder.iterdir())
    database = DicomDatabase(paths)
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    volume = files.read_volume(folder)
    turned = volume.affine @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 4], [0, 0, 0, 1]])
    node = nodeFromVolume(Volume(np.ascontiguousarray(volume.array[..., ::-1]), turned), "turned round")
    uids = [database.instanceForFile(str(path)) for path in reversed(paths)]
    node.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
    (folder / "report.txt").write_text("among others")
    panel.ui.inputSelector.setCurrentNode(node)
    panel.ui.originalBox.setChecked(True)
    assert read_series(panel.logic.collect(panel.parameters)["data"]).count == 5
    panel.run()
    place = slicePosition(panel.parameters.parametersTable, 1)
    assert place[2] == pytest.approx(volume.affine[2, 3] + volume.affine[2, 2])  # the second of the files


def test_a_sidecar_beside_the_file_or_a_chosen_one_is_the_header(panel, tmp_path) -> None:
    import slicer

    path = samples.imageWithSidecar(tmp_path)
    node = slicer.util.loadVolume(str(path))
    panel.ui.inputSelector.setCurrentNode(node)
    assert panel.ui.headerLabel.text.startswith("The header is read from the sidecar sub-")
    panel.press()
    values = samples.series().values()
    assert {row[0]: row[1] for row in panel.rows()}["Sequence"] == values["sequence"]
    sidecar = tmp_path / "mine.json"
    sidecar.write_text('{"EchoTime": 0.012}')
    panel.ui.headerEdit.currentPath = str(sidecar)
    assert panel.ui.headerLabel.text == "The header is read from mine.json."
    panel.press()
    assert {row[0]: row[1] for row in panel.rows()}["Echo time"] == "12 ms"


def test_the_list_says_what_header_and_image_say(done) -> None:
    assert done.rows() == [
        ["Manufacturer", "SIEMENS", "GE", "> 99 %", "≠ disagree"],
        ["Field strength", "1.5 T", "1.5 T", "74 %", "= agree"],
        ["Sequence", "EP", "SE", "60 %", "? unseen"],
        ["Echo time", "11000 ms", "93.25 ms", "80 to 110", "= agree"],
        ["Flip angle", "", "90 deg", "70 to 95", "∅ missing"],
        ["Inversion time", "", "", "40 %", "~ unsure"],
        ["Acquisition matrix", "256x192", "", "", "– header only"],
    ]
    assert done.parameters.shownParameter == "manufacturer"
    assert done.ui.parameterList.currentRow() == 0
    assert "Slice 3 decides." in done.ui.detailLabel.text
    assert "80 % of the slices say so." in done.ui.detailLabel.text


COLOUR_BLIND = {
    "without green cones": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
    "without red cones": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
}
"""Roughly what is seen (Vienot, Brettel and Mollon 1999), of linear red, green and blue."""


def linear_of(colour) -> np.ndarray:
    parts = np.array([colour.red(), colour.green(), colour.blue()]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other) -> float:
    light, dark = sorted((float(linear_of(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_verdicts_can_be_read_and_told_apart(done) -> None:
    import qt

    from DeepMRILib.iap.verdicts import LOOKS
    from DeepMRILib.panel.iap_verdicts import verdictWord

    seen = []
    for label in ("Field strength", "Manufacturer", "Flip angle", "Sequence", "Inversion time"):
        item = done.verdict(label)
        assert contrast(item.background().color(), item.foreground().color()) > 4.5, label
        seen.append(linear_of(item.background().color()))
    for sight in COLOUR_BLIND.values():
        colours = [np.cbrt(np.clip(np.array(sight) @ one, 0, 1)) for one in seen]
        assert min(np.abs(one - other).sum() for n, one in enumerate(colours) for other in colours[:n]) > 0.2
    for verdict, look in LOOKS.items():
        if verdict != "not predicted":  # the panel says why
            assert verdictWord(verdict) == f"{look.sign} {look.word}"
    assert done.verdict("Acquisition matrix").background().style() == qt.Qt.NoBrush  # as the theme has it
    assert done.verdict("Manufacturer").toolTip() == "The image says something else than the header."
    assert done.verdict("Flip angle").toolTip() == "The header does not say it; the image does."


def test_a_click_on_a_row_shows_slice_and_strip_plot(done, jumps) -> None:
    import slicer

    from DeepMRILib.mrml.plots import seriesOf

    chart = done.parameters.stripChart
    done.choose("Echo time")
    assert done.parameters.shownParameter == "echo_time"
    assert np.allclose(jumps[-1], [-5, -7, 8])  # the middle of slice 2
    assert done.parameters.stripChart is chart
    assert "each slice" in {series.GetName() for series in seriesOf(chart)}
    assert slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID() == chart.GetID()
    assert "At 90 % it lies between 80 and 110 ms." in done.ui.detailLabel.text
    done.choose("Acquisition matrix")
    assert len(jumps) == 1
    assert done.ui.detailLabel.text == "Acquisition matrix: No model has looked at the image for this."
    done.choose("Field strength")
    assert "At 90 % it is one of: 1.5; 3." in done.ui.detailLabel.text
    done.ui.parameterList.cellClicked.emit(1, 0)
    assert len(jumps) == 3


def test_a_warning_stands_above_the_list(panel) -> None:
    panel.run(samples.result(outside="bad"))
    assert panel.ui.warningLabel.text.startswith("These images are unlike those that the model was trained on")
    assert panel.ui.warningLabel.font.bold()
    assert not panel.ui.warningLabel.isHidden()
    panel.run(samples.result())
    assert panel.ui.warningLabel.isHidden()


def test_another_image_brings_its_own_table(done) -> None:
    from DeepMRILib.mrml.volumes import nodeFromVolume

    first = {name: getattr(done.parameters, name) for name in done.logic.outputNames()}
    other = nodeFromVolume(samples.volume(), "other")
    done.ui.inputSelector.setCurrentNode(other)
    assert done.parameters.parametersTable is None
    assert done.parameters.stripChart is None
    done.run(samples.result(model=False))
    assert done.parameters.parametersTable is not first["parametersTable"]
    done.ui.inputSelector.setCurrentNode(done.image)
    assert {name: getattr(done.parameters, name) for name in first} == first
    assert len(done.rows()) == 7


def test_a_table_that_is_only_looked_at_is_not_written_into(done) -> None:
    import slicer

    from DeepMRILib.mrml.tables import tableFromColumns
    from DeepMRILib.mrml.volumes import nodeFromVolume

    mine = done.parameters.parametersTable
    somebodys = tableFromColumns({"n": [1.0]}, "somebody's")
    done.ui.parametersSelector.setCurrentNode(somebodys)
    assert done.rows() == []
    done.run(samples.result(model=False))
    assert done.parameters.parametersTable is mine
    assert somebodys.GetNumberOfColumns() == 1
    done.run()
    done.parameters.inputVolume = nodeFromVolume(samples.volume(), "other")
    done.ui.parametersSelector.setCurrentNode(mine)
    done.run(samples.result(model=False))
    assert done.parameters.parametersTable is not mine
    assert mine.GetNumberOfRows() == 7
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) > 3


def test_the_level_is_one_of_three(panel) -> None:
    box = panel.widget.levelRow.widget
    assert panel.widget.levelRow.widget.isHidden()  # nothing to be sure of
    panel.parameters.checkpointFile = __file__
    assert [box.itemText(n) for n in range(box.count)] == ["80 %", "90 %", "95 %"]
    box.setCurrentIndex(2)
    assert panel.logic.options(panel.parameters).level == pytest.approx(0.95)
    panel.parameters.level = 0.99
    assert box.currentText == "99 %"
    rows = panel.widget._forms[0]._rows
    assert rows["level"].widget.isHidden()
    assert rows["saliency"].widget.isHidden()


def test_what_decides_is_laid_over_the_image(done, monkeypatch) -> None:
    from DeepMRILib.panel import iap_show, iap_task

    shown = []
    for module in (iap_show, iap_task):
        monkeypatch.setattr(module, "showOverlay", lambda *given: shown.append(given))
    said = done.run(samples.result(saliency=True), "saliency")
    volume = done.parameters.saliencyVolume
    assert said.startswith("exam what decides is laid over the image")
    assert shown == [(done.image, volume)]
    assert done.ui.overlayButton.enabled
    done.ui.overlayButton.click()
    done.ui.overlayButton.click()
    assert shown[1:] == [(done.image, volume), (done.image, None)]


def test_table_and_plot_are_shown(done) -> None:
    import slicer

    done.ui.numbersButton.click()
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActiveTableID() == done.parameters.parametersTable.GetID()
    assert selection.GetActivePlotChartID() == done.parameters.stripChart.GetID()


def test_tables_are_written_as_csv(done, tmp_path: Path) -> None:
    done.ui.exportParametersButton.click()
    assert done.ui.exportLabel.text == "Choose a folder for the files first."
    done.ui.exportFolderEdit.currentPath = str(tmp_path)
    assert done.ui.exportNameEdit.placeholderText == "exam"
    done.ui.exportParametersButton.click()
    assert {path.name for path in tmp_path.iterdir()} == {"exam_parameters.csv", "exam_slices.csv", "exam_checks.csv"}
    with (tmp_path / "exam_parameters.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert (rows[0]["header"], rows[0]["predicted"], rows[0]["verdict"]) == ("SIEMENS", "GE", "disagree")
    assert (rows[0]["low"], rows[3]["low"]) == ("", "80.0")
    done.ui.exportParametersButton.click()
    assert "exists. Choose another name." in done.ui.exportLabel.text
    done.ui.exportNameEdit.text = "../mine"
    done.ui.exportParametersButton.click()
    assert "Files cannot be named" in done.ui.exportLabel.text
    done.ui.exportFolderEdit.currentPath = str(tmp_path / "nowhere")
    done.ui.exportParametersButton.click()
    assert "There is no folder" in done.ui.exportLabel.text


def test_a_saved_scene_goes_on(done, tmp_path: Path, jumps) -> None:
    import slicer

    done.parameters.level, done.parameters.headerFile = 0.8, "/somewhere/scan.json"
    done.choose("Echo time")
    rows = done.rows()
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert done.rows() == []
    assert slicer.mrmlScene.ReadFromMRB(path)
    done.settle()
    assert done.rows() == rows
    assert done.parameters.shownParameter == "echo_time"
    assert (done.parameters.level, done.ui.headerEdit.currentPath) == (pytest.approx(0.8), "/somewhere/scan.json")
    done.parameters.headerFile = ""
    jumps.clear()
    done.choose("Manufacturer")
    assert len(jumps) == 1
    count = slicer.mrmlScene.GetNumberOfNodes()
    done.run()
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_who_leaves_and_comes_back_finds_all_as_it_was(done) -> None:
    done.choose("Echo time")
    rows = done.rows()
    done.loaded.exit()
    done.loaded.enter()
    done.settle()
    assert done.rows() == rows
    assert done.parameters.shownParameter == "echo_time"
    assert done.parameters.parametersTable is not None


def test_the_sample_data_are_series_with_headers(load_module, monkeypatch) -> None:
    import slicer
    import slicerapp
    from slicerapp.sample_data import pressButton

    from DeepMRILib.mrml import iap_sample

    monkeypatch.setattr(iap_sample, "SAMPLE", iap_sample.SMALL)
    loaded = load_module("IAPPredict")
    slicerapp.emit_startup_completed()
    (source,) = (one for one in slicer.modules.sampleDataSources["DeepMRI"] if one.sampleName == "IAPPredictSeries")
    assert Path(source.thumbnailFileName).is_file()
    pressButton("IAPPredictSeries")
    loaded.enter()
    assert loaded.logic.getParameterNode().inputVolume.GetName() == "IAPPredictSeries spin echo"
    assert loaded.widget.bar.applyButton.enabled


def test_the_consoles_door(panel, tmp_path: Path) -> None:
    from DeepMRILib.iap.options import PredictOptions
    from DeepMRILib.mrml.iap_rows import rowsOf

    made = panel.logic.process(panel.image)
    assert [row.parameter for row in rowsOf(made.parametersTable) if row.header] == ["sequence", "echo_time"]
    sidecar = tmp_path / "mine.json"
    sidecar.write_text('{"EchoTime": 0.012}')
    again = panel.logic.process(panel.image, PredictOptions(level=0.8), header=sidecar, outputs=made)
    assert again == made
    assert [row.header for row in rowsOf(made.parametersTable) if row.header] == ["12"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"volumeNode": "image"}, "A value of type str is not a volume"),
        ({"volumeNode": None}, "There is no image"),
        ({"options": {"level": 3}}, "A value of type dict was given as settings"),
        ({"volumeNode": "gone"}, "gone is not in the scene any more"),
        ({"volumeNode": "bare"}, "bare has no header. Give header=..., or a model."),
        ({"model": "nobody"}, "There is no model nobody"),
        ({"header": "/nowhere.json"}, "There is no file /nowhere.json"),
        ({"original": True}, "The DICOM files of exam are not known"),
    ],
)
def test_the_console_refuses_with_a_sentence(panel, given: dict, sentence: str) -> None:
    import slicer

    from DeepMRILib.mrml.volumes import nodeFromVolume

    gone, bare = nodeFromVolume(samples.volume(), "gone"), nodeFromVolume(samples.volume(), "bare")
    slicer.mrmlScene.RemoveNode(gone)
    known = {"gone": gone, "bare": bare}
    arguments = {"volumeNode": panel.image, **given}
    arguments["volumeNode"] = known.get(arguments["volumeNode"], arguments["volumeNode"])
    with pytest.raises(InputError, match=sentence.replace(".", r"\.")):
        panel.logic.process(**arguments)
