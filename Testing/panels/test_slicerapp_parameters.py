"""The parameter node wrapper: the stand-in and, with SLICER_SOURCE, Slicer's own must pass the same assertions."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated, Any, Optional, Union

import pytest


class Engine(enum.Enum):
    LSQ = 1
    NET = 2

    def label(self) -> str:
        return self.name.lower()


@pytest.fixture
def make(slicer_app):
    """``make(annotations, node=None)``: an instance of a wrapper class made from a dict of annotations."""
    import slicer
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    def make(annotations: dict[str, Any], node: Any = None) -> Any:
        cls = parameterNodeWrapper(type("Settings", (), {"__annotations__": annotations}))
        return cls(node or slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))

    return make


def within(low: float, high: float, default: float) -> Any:
    from slicer.parameterNodeWrapper import Default, WithinRange

    return Annotated[type(default), WithinRange(low, high), Default(default)]


@pytest.mark.parametrize(
    ("kind", "default", "value", "stored"),
    [
        (int, 0, 7, {"x": "7"}),
        (float, 0.0, 0.25, {"x": "0.25"}),
        (str, "", "0 50 800", {"x": "0 50 800"}),
        (bool, False, True, {"x": "True"}),
        (Path, Path(), Path("models/ivim"), {"x": str(Path("models/ivim"))}),
        (Engine, Engine.LSQ, Engine.NET, {"x": "NET"}),
        (list[str], [], ["a", "b"], {"x.len": "2", "x.0": "a", "x.1": "b"}),
        (tuple[float, float], (0, 0), (0.5, 2.0), {"x.0": "0.5", "x.1": "2.0"}),
        (float | None, None, 1.5, {"x.0": "1.5"}),
        (Optional[int], None, 3, {"x.0": "3"}),  # noqa: UP045 - both spellings are in use
        (Union[int, str], 0, "all", {"x.1": "all"}),  # noqa: UP007
    ],
)
def test_a_value_of_each_type_is_kept_as_slicer_keeps_it(make, kind, default, value, stored) -> None:
    settings = make({"x": kind})
    assert settings.x == default
    settings.x = value
    assert settings.x == value
    node = settings.parameterNode
    assert {name: node.GetParameter(name) for name in stored} == stored
    assert make({"x": kind}, node).x == value


def test_defaults_bounds_and_choices(make) -> None:
    from slicer.parameterNodeWrapper import Choice, Default, Maximum, Minimum

    settings = make(
        {
            "fraction": within(0, 1, 0.5),
            "steps": Annotated[int, Minimum(1), Maximum(9), Default(3)],
            "method": Annotated[str, Choice(["lsq", "net"]), Default("net")],
            "made": Annotated[list[int], Default(generator=lambda: [1, 2])],
        }
    )
    assert (settings.fraction, settings.steps, settings.method, list(settings.made)) == (0.5, 3, "net", [1, 2])
    for name, bad in [("fraction", 1.5), ("steps", 0), ("steps", 10), ("method", "none"), ("fraction", None)]:
        with pytest.raises((ValueError, TypeError)):
            setattr(settings, name, bad)
    assert (settings.fraction, settings.steps, settings.method) == (0.5, 3, "net")
    assert settings.default("fraction").value == 0.5


@pytest.mark.parametrize(("kind", "bad"), [(int, 1.5), (int, "1"), (str, 1), (bool, 1), (float, "1"), (Path, "a")])
def test_a_value_of_another_type_is_refused(make, kind, bad) -> None:
    settings = make({"x": kind})
    with pytest.raises(TypeError):
        settings.x = bad
    assert settings.x == kind()


def test_a_class_with_defaults_by_equals(slicer_app) -> None:
    import slicer
    from slicer.parameterNodeWrapper import WithinRange, isParameterNodeWrapper, parameterNodeWrapper

    kinds = {"threshold": Annotated[float, WithinRange(-100, 500)], "invert": bool}
    Settings = parameterNodeWrapper(type("Settings", (), {"__annotations__": kinds, "threshold": 100, "invert": True}))
    assert isParameterNodeWrapper(Settings)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    assert (Settings(node).threshold, Settings(node).invert) == (100, True)
    Settings(node).threshold = 3
    assert Settings(node).threshold == 3, "what is in the node wins over the default"


def test_node_references(make) -> None:
    import slicer

    settings = make(
        {
            "image": slicer.vtkMRMLScalarVolumeNode,
            "any_input": slicer.vtkMRMLSequenceNode | slicer.vtkMRMLVolumeNode | None,
        }
    )
    image = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    assert settings.image is None
    assert settings.any_input is None
    settings.image = settings.any_input = image
    assert settings.parameterNode.GetNodeReferenceID("image") == image.GetID()
    assert settings.any_input is image
    for name in ("image", "any_input"):
        with pytest.raises(TypeError):
            setattr(settings, name, model)
    slicer.mrmlScene.RemoveNode(image)
    assert settings.image is None
    settings.any_input = None
    assert settings.any_input is None


def test_a_list_changed_in_place_is_kept(make) -> None:
    settings = make({"names": list[str]})
    settings.names = ["a"]
    settings.names.append("b")
    settings.names[0] = "c"
    assert list(settings.names) == ["c", "b"]
    del settings.names[0]
    assert settings.parameterNode.GetParameter("names.len") == "1"
    assert settings.parameterNode.GetParameter("names.1") == ""
    with pytest.raises(TypeError):
        settings.names = ["a", 1]


def test_values_survive_an_mrb(make, tmp_path) -> None:
    import slicer

    kinds = {"fraction": within(0, 1, 0.5), "image": slicer.vtkMRMLScalarVolumeNode, "names": list[str]}
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "Kept")
    settings = make(kinds, node)
    settings.fraction = 0.125
    settings.names = ["liver", "kidney"]
    import numpy as np

    settings.image = slicer.util.addVolumeFromArray(np.zeros((2, 2, 2)), name="dwi")
    path = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(path)
    again = make(kinds, slicer.util.getFirstNodeByClassByName("vtkMRMLScriptedModuleNode", "Kept"))
    assert (again.fraction, list(again.names), again.image.GetName()) == (0.125, ["liver", "kidney"], "dwi")


def test_observers_hear_one_change_for_a_batch(make) -> None:
    import vtk

    settings, heard = make({"a": int, "b": int}), []
    tag = settings.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: heard.append((settings.a, settings.b)))
    before = settings.StartModify()
    settings.a = 1
    settings.b = 2
    settings.EndModify(before)
    assert heard == [(1, 2)]
    settings.b = 2
    assert heard == [(1, 2)], "the same value is no change"
    settings.RemoveObserver(tag)
    settings.a = 5
    assert heard == [(1, 2)]


@pytest.mark.parametrize("kind", [set, bytes, complex])
def test_a_type_that_cannot_be_kept_is_an_error(slicer_app, kind) -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    with pytest.raises(Exception, match="Unable to create serializer"):
        parameterNodeWrapper(type("Settings", (), {"__annotations__": {"x": kind}}))


@pytest.mark.parametrize("name", ["connectGui", "default", "allParameters", "StartModify", "getValue"])
def test_reserved_names_are_refused(slicer_app, name) -> None:
    from slicer.parameterNodeWrapper import parameterNodeWrapper

    with pytest.raises(ValueError, match="reserved"):
        parameterNodeWrapper(type("Settings", (), {"__annotations__": {name: int}}))


def test_unknown_names_are_errors(make) -> None:
    settings = make({"x": int})
    for call in (lambda: settings.getValue("y"), lambda: settings.setValue("y", 1), lambda: settings.dataType("y")):
        with pytest.raises(ValueError, match="y"):
            call()
    assert settings.dataType("x") is int


def widget_cases() -> list[Any]:
    from slicer.parameterNodeWrapper import Choice, Default

    method = Annotated[str, Choice(["lsq", "net"]), Default("net")]
    bounded = within(0, 10, 2.0)
    return [
        ("QCheckBox", bool, True, lambda w: w.checked, lambda w: w.click(), False),
        ("QPushButton", bool, True, lambda w: w.checked, lambda w: w.click(), False),
        ("QSpinBox", within(0, 10, 2), 5, lambda w: w.value, lambda w: w.stepUp(), 6),
        ("QDoubleSpinBox", bounded, 5.5, lambda w: w.value, lambda w: w.stepUp(), 6.5),
        ("ctkSliderWidget", bounded, 5.5, lambda w: w.value, lambda w: w.setValue(7), 7),
        ("QComboBox", method, "lsq", lambda w: w.currentText, lambda w: w.setCurrentIndex(1), "net"),
        ("ctkComboBox", Engine, Engine.NET, lambda w: w.currentText, lambda w: w.setCurrentIndex(0), Engine.LSQ),
        ("QLineEdit", str, "0 50", lambda w: w.text, lambda w: w.setText("0 800"), "0 800"),
        ("QTextEdit", str, "0 50", lambda w: w.toPlainText(), lambda w: w.setPlainText("1"), "1"),
        ("ctkPathLineEdit", Path, Path("a/b"), lambda w: w.currentPath, lambda w: w.setCurrentPath("c"), Path("c")),
    ]


def _widget(name: str) -> Any:
    import ctk
    import qt

    return getattr(ctk if name.startswith("ctk") else qt, name)()


def test_each_widget_shows_its_parameter_and_writes_it(make) -> None:
    shown = {"ctkComboBox": "net", "ctkPathLineEdit": str(Path("a/b"))}
    for name, kind, value, read, act, after in widget_cases():
        settings, widget = make({"x": kind}), _widget(name)
        if name == "QPushButton":
            widget.checkable = True
        tag = settings.connectParametersToGui({"x": widget})
        settings.x = value
        assert read(widget) == shown.get(name, value), name
        act(widget)
        assert settings.x == after, name
        settings.disconnectGui(tag)
        settings.x = value
        assert read(widget) != shown.get(name, value), f"{name} is still connected"


def test_bounds_reach_the_widget(make) -> None:
    for name in ("QSpinBox", "QDoubleSpinBox", "ctkSliderWidget"):
        kind = within(1, 9, 2) if name == "QSpinBox" else within(1, 9, 2.0)
        widget = _widget(name)
        make({"x": kind}).connectParametersToGui({"x": widget})
        assert (widget.minimum, widget.maximum, widget.value) == (1, 9, 2)


def test_a_node_selector_is_bound(make) -> None:
    import slicer

    settings = make({"image": slicer.vtkMRMLScalarVolumeNode | None})
    selector = slicer.qMRMLNodeComboBox()
    selector.setMRMLScene(slicer.mrmlScene)
    settings.connectParametersToGui({"image": selector})
    assert selector.nodeTypes == ("vtkMRMLScalarVolumeNode",)
    image = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert settings.image is None, "a selector never selects by itself"
    settings.image = image
    assert selector.currentNode() is image
    selector.setCurrentNode(None)
    assert settings.image is None


@pytest.mark.parametrize(
    ("widget", "kind"),
    [("QSpinBox", float), ("QLineEdit", int), ("QComboBox", str), ("ctkSliderWidget", float), ("QPlainTextEdit", str)],
)
def test_a_pair_that_slicer_does_not_bind_is_an_error(make, widget, kind) -> None:
    with pytest.raises(RuntimeError):
        make({"x": kind}).connectParametersToGui({"x": _widget(widget)})


def test_widgets_are_found_by_their_property(make) -> None:
    import qt

    panel = qt.QWidget()
    box = qt.QCheckBox(panel)
    box.setProperty("SlicerParameterName", "x")
    settings = make({"x": bool})
    tag = settings.connectGui(panel)
    box.checked = True
    assert settings.x is True
    settings.disconnectGui(tag)
    holder = type("Ui", (), {})()
    holder.box = box
    settings.x = False
    settings.connectGui(holder)
    assert box.checked is False
    box.setProperty("SlicerParameterName", "y")
    with pytest.raises(ValueError, match="y"):
        settings.connectGui(panel)
