"""Binding a parameter to a widget: the same pairs of widget class and type as Slicer binds, and no others."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ctk
import qt
import slicer

from .annotations import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange, find_annotation, split
from .storage import PATHS

SLIDERS = (ctk.ctkSliderWidget, slicer.qMRMLSliderWidget)
FLOAT_WIDGETS = (
    qt.QDoubleSpinBox,
    *SLIDERS,
    ctk.ctkDoubleSlider,
    ctk.ctkDoubleSpinBox,
    slicer.qMRMLSpinBox,
)
COMBO_BOXES = (qt.QComboBox, ctk.ctkComboBox)
LARGEST_INT = 2**31 - 1


@dataclass
class Connector:
    """One widget whose value is a parameter.

    Attributes:
        signal: the name of the signal that tells of a change; empty for a widget that users cannot change.
    """

    widget: Any
    signal: str
    read: Callable[[], Any]
    write: Callable[[Any], None]
    _callback: Callable[..., None] | None = None

    def connect(self, callback: Callable[..., None]) -> None:
        self._callback = callback
        if self.signal:
            getattr(self.widget, self.signal).connect(callback)

    def disconnect(self) -> None:
        if self.signal and self._callback is not None:
            getattr(self.widget, self.signal).disconnect(self._callback)
        self._callback = None


def createGuiConnector(widget: qt.QWidget, datatype: Any) -> Connector:
    """The connector for a widget and a (possibly annotated) type.

    Raises:
        RuntimeError: Slicer does not bind such a widget to such a type.
    """
    kind, annotations = split(datatype)
    cls = type(widget)
    if kind is bool and cls in (qt.QCheckBox, ctk.ctkCheckBox):
        return _of_property(widget, "checked", "stateChanged")
    if kind is bool and cls is qt.QPushButton:
        widget.checkable = True
        return _of_property(widget, "checked", "toggled")
    if kind is int and cls in (qt.QSlider, qt.QSpinBox):
        return _of_int(widget, annotations)
    if kind in (int, float) and cls in FLOAT_WIDGETS:
        return _of_number(widget, kind, annotations)
    if cls in COMBO_BOXES and kind in (int, float, str, bool):
        return _of_choice(widget, find_annotation(annotations, Choice))
    if cls in COMBO_BOXES and isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _of_items(widget, [(_label(member), member) for member in kind])
    if kind is str and cls in (qt.QLineEdit, qt.QLabel, qt.QTextEdit):
        return _of_text(widget)
    if kind in PATHS and cls in (ctk.ctkPathLineEdit, ctk.ctkDirectoryButton):
        return _of_path(widget, kind)
    node_types = _node_types(kind)
    if node_types and cls is slicer.qMRMLNodeComboBox:
        widget.nodeTypes = node_types
        return Connector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create GUI connector from datatype '{datatype}' to widget type '{cls}'.")


def _of_property(widget: Any, name: str, signal: str, kind: type | None = None) -> Connector:
    def read() -> Any:
        value = getattr(widget, name)
        return value if kind is None else kind(value)

    def write(value: Any) -> None:
        setattr(widget, name, value if kind is None else kind(value))

    return Connector(widget, signal, read, write)


def _bounds(annotations: tuple[Any, ...], lowest: float, highest: float) -> tuple[float, float]:
    both = find_annotation(annotations, WithinRange)
    if both is not None:
        return both.minimum, both.maximum
    low, high = find_annotation(annotations, Minimum), find_annotation(annotations, Maximum)
    return low.minimum if low else lowest, high.maximum if high else highest


def _set_step(widget: Any, annotations: tuple[Any, ...]) -> None:
    step = find_annotation(annotations, SingleStep)
    if step is not None:
        widget.singleStep = step.value


def _of_int(widget: Any, annotations: tuple[Any, ...]) -> Connector:
    _set_step(widget, annotations)
    low, high = _bounds(annotations, -LARGEST_INT - 1, LARGEST_INT)
    if isinstance(widget, qt.QSlider) and (low == -LARGEST_INT - 1 or high == LARGEST_INT):
        raise RuntimeError("Cannot have a connection to QSlider where the int type is unbounded.")
    widget.setRange(low, high)
    return _of_property(widget, "value", "valueChanged")


def _of_number(widget: Any, kind: type, annotations: tuple[Any, ...]) -> Connector:
    decimals = Decimals(0) if kind is int else find_annotation(annotations, Decimals)
    if decimals is not None and not isinstance(widget, ctk.ctkDoubleSlider):
        widget.decimals = decimals.value
    _set_step(widget, annotations)
    low, high = _bounds(annotations, float("-inf"), float("inf"))
    if type(widget) in SLIDERS and not float("-inf") < low <= high < float("inf"):
        raise RuntimeError("Cannot have a connection to ctkSliderWidget where the float types is unbounded.")
    widget.minimum = low
    widget.maximum = high
    return _of_property(widget, "value", "valueChanged", int if kind is int else None)


def _of_choice(widget: Any, choice: Choice | None) -> Connector:
    if choice is None:
        raise RuntimeError("A combo box requires the Choice annotation to be used.")
    return _of_items(widget, [(str(value), value) for value in choice.choices])


def _label(member: enum.Enum) -> str:
    return member.label() if hasattr(member, "label") else member.name


def _of_items(widget: Any, items: list[tuple[str, Any]]) -> Connector:
    widget.clear()
    for text, _ in items:
        widget.addItem(text)
    values = [value for _, value in items]

    def write(value: Any) -> None:
        if value not in values:
            raise ValueError(f"Unable to find value {value} in choices {values}")
        widget.currentIndex = values.index(value)

    return Connector(widget, "currentIndexChanged", lambda: values[widget.currentIndex], write)


def _of_text(widget: Any) -> Connector:
    if isinstance(widget, qt.QTextEdit):
        return Connector(widget, "textChanged", widget.toPlainText, widget.setPlainText)

    def write(value: str) -> None:
        if value != widget.text:  # setting the same text would move the cursor to its end
            widget.text = value

    signal = "" if isinstance(widget, qt.QLabel) else "textChanged"
    return Connector(widget, signal, lambda: widget.text, write)


def _of_path(widget: Any, kind: type) -> Connector:
    if isinstance(widget, ctk.ctkPathLineEdit):
        return _of_path_property(widget, "currentPath", "currentPathChanged", kind)
    return _of_path_property(widget, "directory", "directoryChanged", kind)


def _of_path_property(widget: Any, name: str, signal: str, kind: type) -> Connector:
    return Connector(
        widget, signal, lambda: kind(getattr(widget, name)), lambda value: setattr(widget, name, str(value))
    )


def _node_types(kind: Any) -> tuple[str, ...]:
    """Class names of a node type, or of a union of node types and None; empty for anything else."""
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    bare = [split(member)[0] for member in members]
    nodes = [member for member in bare if member is not type(None)]
    if not nodes or not all(isinstance(member, type) and issubclass(member, slicer.vtkMRMLNode) for member in nodes):
        return ()
    return tuple(member().GetClassName() for member in nodes)
