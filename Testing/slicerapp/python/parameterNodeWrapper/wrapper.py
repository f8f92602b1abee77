"""``parameterNodeWrapper``: a class whose annotated members live in a parameter node."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import qt
import slicer
import vtk

from .annotations import Default, find_annotation, split
from .connectors import Connector, createGuiConnector
from .storage import Storage, storage_for

SlicerParameterNamePropertyName = "SlicerParameterName"


@dataclass
class Parameter:
    """One member of a wrapped class."""

    basename: str
    storage: Storage
    default: Default
    unalteredType: Any


def parameterNodeWrapper(classtype: type | None = None) -> Any:
    """Class decorator: annotated members become properties kept in the node given to the constructor."""
    return _wrapped if classtype is None else _wrapped(classtype)


def isParameterNodeWrapper(classOrObj: Any) -> bool:
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)


def _wrapped(cls: type) -> type:
    parameters: dict[str, Parameter] = {}
    for name, annotated in typing.get_type_hints(cls, include_extras=True).items():
        if hasattr(_Methods, name) and not name.startswith("__"):
            raise ValueError(f"Cannot use reserved name '{name}' in a parameterNodeWrapper")
        parameters[name] = _parameter(cls, name, annotated)
        setattr(cls, name, _member(name))
    for name, value in vars(_Methods).items():
        if callable(value) and (name == "__init__" or not name.startswith("__")):
            setattr(cls, name, value)
    cls.allParameters = parameters
    cls._is_parameter_node_wrapper = True
    cls.dataType = staticmethod(lambda name: _known(parameters, name).unalteredType)
    return cls


def _parameter(cls: type, name: str, annotated: Any) -> Parameter:
    try:
        storage = storage_for(annotated)
    except TypeError as error:
        raise TypeError(f"Unable to create serializer for {cls} member {name}: {error}") from error
    if hasattr(cls, name):
        default = Default(getattr(cls, name))
    else:
        default = find_annotation(split(annotated)[1], Default) or Default(storage.default())
    return Parameter(name, storage, default, annotated)


def _member(name: str) -> property:
    return property(lambda self: self.getValue(name), lambda self, value: self.setValue(name, value))


def _known(parameters: dict[str, Parameter], name: str) -> Parameter:
    if name not in parameters:
        raise ValueError(f"Cannot find a param with the given name: {name}. Found: {', '.join(parameters)}")
    return parameters[name]


class _Methods:
    """What every wrapped class gets; the names are reserved."""

    allParameters: typing.ClassVar[dict[str, Parameter]] = {}

    def __init__(self, parameterNode: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.parameterNode = parameterNode
        self._connections: dict[int, tuple[dict[str, Connector], int]] = {}
        self._nextTag = 0
        self._updatingGui = False
        for parameter in self.allParameters.values():
            if not parameter.storage.is_in(parameterNode, parameter.basename):
                parameter.storage.write(parameterNode, parameter.basename, parameter.default.value)

    def default(self, name: str) -> Default:
        return _known(self.allParameters, name).default

    def dataType(self, name: str) -> Any:
        return _known(self.allParameters, name).unalteredType

    def getValue(self, name: str) -> Any:
        parameter = _known(self.allParameters, name)
        if not parameter.storage.is_in(self.parameterNode, name):
            parameter.storage.write(self.parameterNode, name, parameter.default.value)
        return parameter.storage.read(self.parameterNode, name)

    def setValue(self, name: str, value: Any) -> None:
        _known(self.allParameters, name).storage.write(self.parameterNode, name, value)

    def connectGui(self, gui: Any) -> int:
        """Connect each widget in ``gui`` whose property SlicerParameterName names a parameter."""
        is_widget = getattr(gui, "isWidgetType", lambda: False)()
        widgets = gui.findChildren(qt.QWidget) if is_widget else list(vars(gui).values())
        named = ((widget.property(SlicerParameterNamePropertyName), widget) for widget in widgets)
        return self.connectParametersToGui({name: widget for name, widget in named if name})

    def connectParametersToGui(self, mapping: dict[str, Any]) -> int:
        """Connect parameters to widgets by name; returns the tag for ``disconnectGui``."""
        for name in mapping:
            _known(self.allParameters, name)
        connectors = {name: createGuiConnector(widget, self.dataType(name)) for name, widget in mapping.items()}
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.connect(self._whenWidgetChanges(name, connector))
        observer = self.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._updateGui())
        tag, self._nextTag = self._nextTag, self._nextTag + 1
        self._connections[tag] = (connectors, observer)
        return tag

    def _whenWidgetChanges(self, name: str, connector: Connector) -> Callable[..., None]:
        def changed(*_: Any) -> None:
            if not self._updatingGui:
                with slicer.util.NodeModify(self):
                    self.setValue(name, connector.read())

        return changed

    def _updateGui(self) -> None:
        if self._updatingGui:
            return
        self._updatingGui = True
        try:
            with slicer.util.NodeModify(self):
                for connectors, _ in list(self._connections.values()):
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updatingGui = False

    def disconnectGui(self, guiTag: int | None) -> None:
        """Undo a ``connectGui``; other tags are passed over."""
        connectors, observer = self._connections.pop(guiTag, ({}, None))
        for connector in connectors.values():
            connector.disconnect()
        if observer is not None:
            self.RemoveObserver(observer)

    def StartModify(self) -> int:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: int) -> int:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Callable[..., None], priority: float = 0.0) -> int:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> None:
        self.parameterNode.Modified()


def findChildWidgetForParameter(widget: qt.QWidget, parameter: str) -> qt.QWidget | None:
    """The widget below ``widget`` that is bound to the parameter."""
    children = widget.findChildren(qt.QWidget)
    return next((w for w in children if w.property(SlicerParameterNamePropertyName) == parameter), None)
