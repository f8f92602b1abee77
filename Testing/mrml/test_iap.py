"""Acquisition parameters in the scene: what a run leaves, a second one, other images, jumps, and a saved scene."""

from __future__ import annotations

from pathlib import Path

import iap_samples as samples
import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, countNodes, transformNode

from DeepMRILib.iap.result import AuditResult, CohortResult
from DeepMRILib.mrml import iap as nodes
from DeepMRILib.mrml.hierarchy import itemOf, sourceOf
from DeepMRILib.mrml.iap_cohort import CohortNodes, auditText, cohortText, deliverAudit, deliverCohort, wholeColumns
from DeepMRILib.mrml.iap_headers import findHeader, keptHeader
from DeepMRILib.mrml.iap_record import RECORD_ATTRIBUTE, IAPNodes, IAPRecord, linkedNodes, recordOf
from DeepMRILib.mrml.iap_rows import rowsOf, valueText
from DeepMRILib.mrml.iap_sample import NAMES, SMALL, sampleNodes
from DeepMRILib.mrml.plots import seriesOf
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

pytestmark = pytest.mark.usefixtures("scene")


def column(table, name: str) -> list:
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(n) for n in range(values.GetNumberOfValues())]


@pytest.fixture
def image(scene):
    return nodeFromVolume(samples.volume(), "exam")


@pytest.fixture
def made(image):
    return nodes.deliverResult(samples.result(), image)


def test_a_run_leaves_tables_and_a_strip_plot_beside_the_image(made, image) -> None:
    for name in ("parametersTable", "slicesTable", "outsideTable", "stripChart"):
        node = getattr(made, name)
        assert sourceOf(node) is image
        assert node.GetName().startswith("exam ")
    assert made.saliencyVolume is None
    table = made.parametersTable
    shown = [table.GetTable().GetColumnName(n) for n in range(6)]
    assert shown == ["label", "header", "predicted", "sure", "verdict", "parameter"]
    assert column(table, "header")[3] == "11000"
    assert column(table, "sure") == ["> 99 %", "74 %", "60 %", "80 to 110", "70 to 95", "40 %", ""]
    assert linkedNodes(table) == made
    assert recordOf(table).notes == ["A word."]


def test_rows_come_back_as_they_were_written(made) -> None:
    rows = {row.parameter: row for row in rowsOf(made.parametersTable)}
    echo = rows["echo_time"]
    assert (echo.header, echo.predicted, echo.low, echo.high, echo.slice) == ("11000", "93.25", 80.0, 110.0, 2)
    assert (echo.unit, echo.verdict, echo.agreement, echo.note) == ("ms", "agree", 1.0, "A note.")
    assert rows["field_strength"].classes == "1.5; 3"
    assert rows["inversion_time"].slice is None
    assert (rows["matrix"].predicted, rows["matrix"].sure) == ("", "")
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "somebody's")
    assert rowsOf(other) == rowsOf(None) == rowsOf("text") == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(11000.0, "11000"), (2.8936, "2.894"), (3, "3"), (0.00012344, "0.0001234"), ("SE", "SE"), (None, ""),
     (float("nan"), ""), (123456.0, "123500")],
)  # fmt: skip
def test_values_are_written_short(value, text: str) -> None:
    assert valueText(value) == text


def test_the_strip_plot_is_of_words_or_of_numbers(made) -> None:
    assert nodes.toldParameters(made.parametersTable) == ["manufacturer", "echo_time"]
    assert nodes.shownFirst(made) == "manufacturer"  # where header and image disagree
    words = {series.GetName() for series in seriesOf(made.stripChart)}
    assert words == {"GE", "SIEMENS"}
    assert "Probability" in made.stripChart.GetYAxisTitle()
    chart = nodes.drawStrip(made.parametersTable, "echo_time", made.stripChart)
    assert chart is made.stripChart
    assert chart.GetYAxisTitle() == "Echo time (ms)"
    names = {series.GetName() for series in seriesOf(chart)}
    assert names == {"each slice", "image: 93.25", "header: 11000", "lower end: 80", "upper end: 110"}
    points = next(series for series in seriesOf(chart) if series.GetName() == "each slice")
    assert column(points.GetTableNode(), "each slice") == [90.0, 95.5, 93.0, 88.0]
    assert column(points.GetTableNode(), "each slice: x") == [0.0, 1.0, 2.0, 3.0]
    assert nodes.drawStrip(made.parametersTable, "matrix") is None
    assert nodes.drawStrip(None, "echo_time") is None


def test_without_a_model_there_are_only_the_headers_values(image) -> None:
    made = nodes.deliverResult(samples.result(model=False), image)
    assert (made.slicesTable, made.outsideTable, made.stripChart) == (None, None, None)
    assert set(column(made.parametersTable, "verdict")) == {"not predicted"}
    assert nodes.shownFirst(made) == ""
    assert nodes.warningText(None) == ""
    assert nodes.summary(samples.result(model=False)) == "5 parameters. A word."


def test_a_second_run_updates_the_same_nodes(made, image) -> None:
    count = slicer.mrmlScene.GetNumberOfNodes()
    again = nodes.deliverResult(samples.result(outside="bad"), image, IAPNodes(made.parametersTable))
    assert again == made
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_what_decides_lies_over_its_image_only(made, image) -> None:
    first = nodes.deliverResult(samples.result(saliency=True), image, made)
    volume = first.saliencyVolume
    assert np.array_equal(volumeFromNode(volume).affine, volumeFromNode(image).affine)
    assert np.argwhere(volumeFromNode(volume).array > 0)[:, 2].tolist() == [3] * 6
    display = volume.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, pytest.approx(0.5))
    assert linkedNodes(nodes.deliverResult(samples.result(), image, first).parametersTable).saliencyVolume is volume
    other = nodeFromVolume(samples.volume(), "other")
    assert nodes.deliverResult(samples.result(), other, first).saliencyVolume is None


@pytest.mark.parametrize(("axis", "reversed_"), [("k", False), ("k", True), ("j", False), ("i", False)])
@pytest.mark.parametrize("grid", ["identity", "left-handed oblique"])
def test_the_views_go_to_the_slice_that_decides(axis: str, reversed_: bool, grid: str) -> None:
    affine = AFFINES.get(grid, np.eye(4))
    image = nodeFromVolume(samples.volume(affine), "exam")
    turn = np.array([[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 3], [0, 0, 0, 1]], dtype=float)
    image.SetAndObserveTransformNodeID(transformNode(turn).GetID())
    made = nodes.deliverResult(samples.result(axis=axis), image, record=IAPRecord(axis=axis, reversed=reversed_))
    number = 1
    position = nodes.slicePosition(made.parametersTable, number)
    voxel = np.linalg.solve(affine, np.linalg.solve(turn, [*position, 1]))[:3]
    wanted = (np.array(samples.SHAPE) - 1) / 2
    place = "ijk".index(axis)
    wanted[place] = samples.SHAPE[place] - 1 - number if reversed_ else number
    assert np.allclose(voxel, wanted)
    assert nodes.slicePosition(made.parametersTable, 99) is None
    slicer.mrmlScene.RemoveNode(image)
    assert nodes.slicePosition(made.parametersTable, number) is None


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("good", ""),
        ("look", "Look at the images before you rely on this: unlike the training's images."),
        ("bad", "These images are unlike those that the model was trained on (unlike the training's images)"),
    ],
)
def test_images_unlike_the_training_are_a_sentence(image, state: str, sentence: str) -> None:
    made = nodes.deliverResult(samples.result(outside=state), image)
    assert nodes.warningText(made.outsideTable).startswith(sentence)
    assert bool(nodes.warningText(made.outsideTable)) == bool(sentence)


def test_the_summary_counts_verdicts() -> None:
    assert nodes.summary(samples.result()) == (
        "7 parameters: 2 agree, 1 disagree, 1 missing in the header, 1 unseen class, 1 unsure. A word."
    )


def test_a_saved_scene_keeps_rows_and_links(made, tmp_path: Path) -> None:
    path = str(tmp_path / "scene.mrb")
    rows = rowsOf(made.parametersTable)
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(path)
    table = slicer.util.getNode("exam parameters")
    assert rowsOf(table) == rows
    assert nodes.toldParameters(table) == ["manufacturer", "echo_time"]
    assert linkedNodes(table).stripChart is not None
    assert nodes.slicePosition(table, 3) is not None


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", '{"axis": "x"}', '{"notes": 3}', '{"notes": [3]}', '{"other": 1}', '{"level": "a"}']
)
def test_a_damaged_record_is_none(made, text: str) -> None:
    made.parametersTable.SetAttribute(RECORD_ATTRIBUTE, text)
    assert recordOf(made.parametersTable) is None
    assert recordOf(None) is None
    assert nodes.slicePosition(made.parametersTable, 1) is None


def test_a_failure_half_way_leaves_the_scene_as_it_was(made, image) -> None:
    label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels only")
    count, header = slicer.mrmlScene.GetNumberOfNodes(), column(made.parametersTable, "header")
    changed = samples.result(saliency=True)
    changed.parameters.columns["header"][0] = "PHILIPS"
    with pytest.raises(ValueError, match="labels only"), transaction(slicer.mrmlScene):
        nodes.deliverResult(changed, image, IAPNodes(made.parametersTable, saliencyVolume=_beside(label, image)))
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert column(made.parametersTable, "header") == header


def _beside(node, image):
    from DeepMRILib.mrml.hierarchy import placeBeside

    placeBeside(node, image)
    return node


def test_sample_data_are_three_series_with_their_headers() -> None:
    made = sampleNodes(SMALL)
    assert [node.GetName() for node in made] == [f"IAPPredictSeries {name}" for name in NAMES.values()]
    headers = [keptHeader(node) for node in made]
    assert [findHeader(node).kind for node in made] == ["kept"] * 3
    assert [header.values["sequence"] for header in headers] == ["SE", "GR", "IR"]
    assert headers[2].values["inversion_time"] is None
    assert len({header.patient for header in headers}) == 1
    assert all(volumeFromNode(node).shape == (48, 48, 5) for node in made)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert len({hierarchy.GetItemParent(itemOf(node)) for node in made}) == 1
    again = [keptHeader(node).values for node in sampleNodes(SMALL)]
    assert again == [header.values for header in headers]


def audit_result() -> AuditResult:
    made = Provenance("iap.audit", "headers alone", {}, notes=("Odd.",))
    series = Table({"path": ["a", "b"], "echo_time": [90.0, None], "sequence": ["SE", None]})
    findings = Table({"series": ["b"], "parameter": ["echo_time"], "finding": ["missing"]})
    unread = Table({"path": ["c.dcm"], "reason": ["damaged"]})
    return AuditResult(made, series, findings, Table({"group": ["1"]}), Table({"parameter": ["echo_time"]}), unread)


def test_an_audit_is_tables(scene) -> None:
    made = deliverAudit(audit_result(), "study", CohortNodes())
    assert made.auditTable.GetName() == "study audited series"
    assert np.isnan(column(made.auditTable, "echo_time")[1])
    assert column(made.auditTable, "sequence") == ["SE", ""]
    count = countNodes(slicer.mrmlScene)
    assert deliverAudit(audit_result(), "study", made) == made
    assert countNodes(slicer.mrmlScene) == count
    assert len(slicer.util.getNodesByClass("vtkMRMLTableNode")) == 5
    said = auditText(audit_result())
    assert said == "2 series, 1 protocol, 1 finding. 1 file could not be read: see the table of them. Odd."


def test_a_sorted_folder_is_tables(scene) -> None:
    series = Table({"path": [*"abcdefgh"], "domain": ["GE", "GE", *"123456"]})
    empty = Table({"path": [], "reason": []})
    result = CohortResult(Provenance("iap.sort", "header", {}), series, Table({"parameter": ["x"]}), empty, empty)
    made = deliverCohort(result, "s" * 90, CohortNodes())
    assert len(made.cohortTable.GetName()) < 60
    assert made.unreadTable.GetNumberOfRows() == 0
    assert cohortText(result) == "8 series in 7 domains: GE (2), 1 (1), 2 (1), 3 (1), 4 (1), 5 (1), ...."


def test_columns_of_numbers_stay_numbers() -> None:
    columns = wholeColumns(Table({"n": [1, None], "s": ["a", None], "none": [None, None], "b": [True, None]})).columns
    assert columns["s"] == ["a", None]
    assert columns["none"] == [None, None]
    assert columns["b"] == [True, None]
    assert columns["n"][0] == 1
    assert np.isnan(columns["n"][1])
