"""The stand-ins for CTK's and MRML's widgets on real nodes, and .ui files with each of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

WIDGETS = {
    "QLabel": {"text": ("string", "Label")},
    "QPushButton": {"text": ("string", "Apply"), "enabled": ("bool", "false")},
    "QToolButton": {"text": ("string", "..."), "checkable": ("bool", "true")},
    "QCheckBox": {"checked": ("bool", "true")},
    "QComboBox": {"editable": ("bool", "true")},
    "QSpinBox": {"maximum": ("number", "7")},
    "QDoubleSpinBox": {"decimals": ("number", "4")},
    "QLineEdit": {"text": ("string", "0 50")},
    "QPlainTextEdit": {"readOnly": ("bool", "true")},
    "QProgressBar": {"value": ("number", "30")},
    "QTableWidget": {"columnCount": ("number", "3")},
    "ctkCollapsibleButton": {"text": ("string", "Inputs"), "collapsed": ("bool", "true")},
    "ctkSliderWidget": {"maximum": ("double", "2.5"), "value": ("double", "1.5")},
    "ctkRangeWidget": {"maximum": ("double", "9.0"), "minimumValue": ("double", "1.5")},
    "ctkPathLineEdit": {"filters": ("set", "ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable")},
    "ctkComboBox": {"defaultText": ("string", "Choose")},
    "ctkCheckBox": {"checked": ("bool", "true")},
    "qMRMLNodeComboBox": {"nodeTypes": ("stringlist", "vtkMRMLModelNode"), "noneEnabled": ("bool", "true")},
    "qMRMLSegmentSelectorWidget": {"noneEnabled": ("bool", "true")},
    "qSlicerSimpleMarkupsWidget": {"nodeSelectorVisible": ("bool", "false")},
    "qSlicerMarkupsPlaceWidget": {"buttonsVisible": ("bool", "false")},
}
EXPECTED = {"false": False, "true": True, "vtkMRMLModelNode": ("vtkMRMLModelNode",)}
EXPECTED["ctkPathLineEdit::Dirs|ctkPathLineEdit::Writable"] = 0x021
SCENE_USERS = [name for name in WIDGETS if name.startswith(("qMRML", "qSlicer"))]


def ui_file(folder: Path, widgets: dict[str, dict[str, tuple[str, str]]], connections: str = "") -> str:
    """A .ui file with one widget of each class, named by its class, in a qMRMLWidget named top."""
    items = "".join(
        f'<item><widget class="{name}" name="{name}">'
        + "".join(
            f'<property name="{key}"><{kind}>'
            + (f"<string>{value}</string>" if kind == "stringlist" else value)
            + f"</{kind}></property>"
            for key, (kind, value) in properties.items()
        )
        + "</widget></item>"
        for name, properties in widgets.items()
    )
    path = folder / "panel.ui"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><ui version="4.0"><class>top</class>'
        f'<widget class="qMRMLWidget" name="top"><layout class="QVBoxLayout" name="rows">{items}</layout></widget>'
        f"<connections>{connections}</connections></ui>"
    )
    return str(path)


def expected(kind: str, text: str) -> object:
    if kind in ("number", "double"):
        return float(text)
    return EXPECTED.get(text, text)


def scene_connection(receiver: str, slot: str = "setMRMLScene(vtkMRMLScene*)") -> str:
    return (
        "<connection><sender>top</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>"
        f"<receiver>{receiver}</receiver><slot>{slot}</slot></connection>"
    )


def test_a_ui_file_with_each_kind_of_widget(slicer_app, tmp_path) -> None:
    import slicer

    panel = slicer.util.loadUI(ui_file(tmp_path, WIDGETS, "".join(map(scene_connection, SCENE_USERS))))
    ui = slicer.util.childWidgetVariables(panel)
    for name, properties in WIDGETS.items():
        widget = getattr(ui, name)
        assert widget.className() == name
        for key, (kind, text) in properties.items():
            assert getattr(widget, key) == expected(kind, text), (name, key)
    panel.setMRMLScene(slicer.mrmlScene)
    assert ui.qMRMLNodeComboBox.mrmlScene() is slicer.mrmlScene
    assert ui.qSlicerSimpleMarkupsWidget.markupsSelectorComboBox().mrmlScene() is slicer.mrmlScene


def test_only_connected_widgets_get_the_scene(slicer_app, tmp_path) -> None:
    import slicer

    panel = slicer.util.loadUI(ui_file(tmp_path, {"qMRMLNodeComboBox": {}}))
    panel.setMRMLScene(slicer.mrmlScene)
    assert slicer.util.childWidgetVariables(panel).qMRMLNodeComboBox.mrmlScene() is None


@pytest.mark.parametrize(
    ("widgets", "connections", "words"),
    [
        ({"qMRMLNodeComboBoxx": {}}, "", "has no stand-in"),
        ({"qMRMLSubjectHierarchyComboBox": {}}, "", "has no stand-in"),
        ({"QPushButton": {"texts": ("string", "")}}, "", "QPushButton has no property texts"),
        ({"ctkSliderWidget": {"decimal": ("number", "1")}}, "", "ctkSliderWidget has no property decimal"),
        ({"ctkCollapsibleButton": {"indicatorAlignment": ("number", "1")}}, "", "its stand-in here does not"),
        ({}, scene_connection("missing"), "names missing"),
        ({"QLabel": {}}, scene_connection("QLabel"), "no slot setMRMLScene"),
        ({"qMRMLNodeComboBox": {}}, scene_connection("qMRMLNodeComboBox", "setScene(vtkMRMLScene*)"), "no slot"),
    ],
)
def test_what_a_ui_file_names_must_exist(slicer_app, tmp_path, widgets, connections, words) -> None:
    import slicer

    with pytest.raises(RuntimeError, match=words):
        slicer.util.loadUI(ui_file(tmp_path, widgets, connections))


@pytest.fixture
def selector(slicer_app):
    import slicer

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.setMRMLScene(slicer.mrmlScene)
    return box


def test_a_node_selector_lists_nodes_and_selects_none_by_itself(selector) -> None:
    import slicer

    heard = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    selector.connect("currentNodeChanged(bool)", heard.append)
    first = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "first")
    slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    assert (selector.nodeCount(), selector.currentNode(), heard) == (1, None, [])
    selector.setCurrentNode(first)
    assert (selector.currentNodeID, heard) == (first.GetID(), [first, True])
    first.SetName("renamed")
    assert selector._combo.itemText(0) == "renamed"
    first.SetHideFromEditors(True)
    assert selector.nodeCount() == 0


def test_removing_the_selected_node_selects_the_one_before(selector) -> None:
    import slicer

    nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode") for _ in range(2)]
    selector.setCurrentNode(nodes[1])
    slicer.mrmlScene.RemoveNode(nodes[1])
    assert selector.currentNode() is nodes[0]
    slicer.mrmlScene.RemoveNode(nodes[0])
    assert selector.currentNode() is None


def test_child_classes_attributes_and_none(selector) -> None:
    import slicer

    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert selector.nodeCount() == 1
    selector.showChildNodeTypes = False
    assert selector.nodeCount() == 0
    selector.showChildNodeTypes = True
    selector.addAttribute("vtkMRMLScalarVolumeNode", "Mask", "1")
    assert selector.nodeCount() == 0
    labels.SetAttribute("Mask", "1")
    assert selector.nodeCount() == 1
    selector.noneEnabled = True
    assert (selector.nodeCount(), selector.nodeFromIndex(0)) == (1, labels)


def test_a_node_asked_for_before_the_scene_is_selected_with_it(slicer_app) -> None:
    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLModelNode"]
    box.setCurrentNode(node)
    assert (box.currentNode(), box.enabled) == (None, False)
    box.setMRMLScene(slicer.mrmlScene)
    assert (box.currentNode(), box.enabled) == (node, True)


def test_creating_a_node(selector) -> None:
    import slicer

    heard = []
    selector.connect("nodeAddedByUser(vtkMRMLNode*)", heard.append)
    selector.baseName = "Map"
    node = selector.addNode()
    assert (node.GetName(), selector.currentNode(), heard) == ("Map", node, [node])
    selector.removeCurrentNode()
    assert slicer.mrmlScene.GetFirstNodeByName("Map") is None


def test_closing_the_scene_empties_the_selector_once(selector) -> None:
    import slicer

    nodes = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode") for _ in range(3)]
    selector.setCurrentNode(nodes[2])
    heard = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    slicer.mrmlScene.Clear(0)
    assert (heard, selector.nodeCount()) == ([None], 0)


def test_the_segment_selector(slicer_app) -> None:
    import slicer

    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    widget = slicer.qMRMLSegmentSelectorWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    heard = []
    widget.connect("currentSegmentChanged(QString)", heard.append)
    widget.setCurrentNode(segmentation)
    assert (widget.currentNode(), widget.currentSegmentID()) == (segmentation, "")
    liver, kidney = (segmentation.GetSegmentation().AddEmptySegment("", name) for name in ("liver", "kidney"))
    assert (widget.currentSegmentID(), heard) == (liver, [liver])
    widget.setCurrentSegmentID(kidney)
    segmentation.GetSegmentation().RemoveSegment(kidney)
    assert heard == [liver, kidney, liver]
    assert tuple(widget.segmentIDs()) == (liver,)


def test_placing_markups_uses_the_real_interaction_node(slicer_app) -> None:
    import slicer

    for name in ("Interaction", "Selection"):
        node = slicer.mrmlScene.CreateNodeByClass(f"vtkMRML{name}Node")
        node.UnRegister(None)
        node.SetSingletonTag("Singleton")
        slicer.mrmlScene.AddNode(node)
    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    widget = slicer.qSlicerSimpleMarkupsWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    widget.setCurrentNode(points)
    place, heard = widget.markupsPlaceWidget(), []
    place.connect("activeMarkupsPlaceModeChanged(bool)", heard.append)
    place.placeButton().click()
    interaction = place.interactionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.Place
    assert place.selectionNode().GetActivePlaceNodeID() == points.GetID()
    interaction.SetCurrentInteractionMode(interaction.ViewTransform)
    assert (heard, place.placeModeEnabled) == ([True, False], False)
    points.AddControlPoint(1.0, 2.0, 3.0)
    assert widget.tableWidget().item(0, 3).text() == "3.000"
    place.deleteLastPoint()
    assert (points.GetNumberOfControlPoints(), widget.tableWidget().rowCount) == (0, 0)


def test_a_collapsible_button_hides_what_is_in_it(slicer_app) -> None:
    import ctk
    import qt

    button, heard = ctk.ctkCollapsibleButton("Advanced"), []
    layout = qt.QVBoxLayout(button)
    shown, hidden = qt.QLabel("a"), qt.QLabel("b")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    hidden.setVisible(False)
    button.show()
    button.connect("contentsCollapsed(bool)", heard.append)
    button.collapsed = True
    assert (shown.visible, button.checked) == (False, False)
    button.click()
    assert (shown.visible, hidden.visible, button.collapsed, heard) == (True, False, False, [True, False])
    button.collapsed = True
    shown.setVisible(False)
    hidden.setVisible(True)
    assert (shown.visible, hidden.visible) == (False, False)
    button.collapsed = False
    assert (shown.visible, hidden.visible) == (False, True), "what code wants while it is closed counts once it is open"
    button.delete()


def test_sliders_ranges_and_paths(slicer_app, tmp_path) -> None:
    import ctk

    slider = ctk.ctkSliderWidget()
    slider.value = 1000
    assert (slider.minimum, slider.maximum, slider.value, slider.decimals) == (0, 99, 99, 2)
    slider.value = 1.23456
    assert slider.value == 1.23
    both, heard = ctk.ctkRangeWidget(), []
    both.connect("valuesChanged(double,double)", lambda low, high: heard.append((low, high)))
    both.setValues(2, 8)
    both.minimumValue = 9
    assert heard == [(2, 8), (9, 9)]
    line = ctk.ctkPathLineEdit()
    line.settingKey = "Models"
    line.currentPath = str(tmp_path)
    line.addCurrentPathToHistory()
    other = ctk.ctkPathLineEdit()
    other.settingKey = "Models"
    other.retrieveHistory()
    assert other.currentPath == str(tmp_path)


@pytest.mark.parametrize("suffix", ["nrrd", "nii.gz"])
def test_slicers_load_and_save_use_the_real_storage(slicer_app, tmp_path, suffix) -> None:
    import slicer

    affine = np.diag([2.0, 3.0, 4.0, 1.0])
    node = slicer.util.addVolumeFromArray(np.arange(24.0).reshape(2, 3, 4), ijkToRAS=affine, name="saved")
    path = str(tmp_path / f"image.{suffix}")
    assert slicer.util.saveNode(node, path)
    loaded = slicer.util.loadVolume(path)
    assert loaded.GetName() == "image"
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(node))
    with pytest.raises(RuntimeError, match="File not found"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))


def test_other_files_are_loaded_by_their_kind(slicer_app, tmp_path) -> None:
    import slicer

    points = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    points.AddControlPoint(1.0, 2.0, 3.0)
    assert slicer.util.saveNode(points, str(tmp_path / "six.mrk.json"))
    assert slicer.util.loadMarkups(str(tmp_path / "six.mrk.json")).GetNumberOfControlPoints() == 1
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.GetSegmentation().AddEmptySegment("liver", "liver")
    assert slicer.util.saveNode(segmentation, str(tmp_path / "regions.seg.nrrd"))
    again = slicer.util.loadSegmentation(str(tmp_path / "regions.seg.nrrd"))
    assert again.GetSegmentation().GetSegmentIDs() == ("liver",)
    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode")
    slicer.util.updateTableFromArray(table, [np.arange(3.0)], ["D"])
    assert slicer.util.saveNode(table, str(tmp_path / "regions.tsv"))
    assert slicer.util.loadTable(str(tmp_path / "regions.tsv")).GetNumberOfRows() == 3
