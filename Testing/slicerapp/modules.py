"""Loading a scripted module as Slicer does from a checkout, and driving it from a test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Qt
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QVBoxLayout

from slicerapp.ctk_widgets import kept
from slicerapp.mrml_widgets import qSlicerWidget
from slicerapp.pythonqt import StandIn, connections

ROOT = Path(__file__).resolve().parents[2]
PANEL_WIDTH = 500


class qSlicerScriptedLoadableModule(StandIn, QObject):
    """What a module's constructor gets as ``parent``, and what ``slicer.modules.<name>`` is."""

    title = kept(str, "title", "")
    categories = kept("QVariantList", "categories", [])
    dependencies = kept("QVariantList", "dependencies", [])
    contributors = kept("QVariantList", "contributors", [])
    associatedNodeTypes = kept("QVariantList", "associatedNodeTypes", [])
    helpText = kept(str, "helpText", "")
    acknowledgementText = kept(str, "acknowledgementText", "")
    icon = kept(QIcon, "icon", QIcon())
    hidden = kept(bool, "hidden", False)
    index = kept(int, "index", -1)
    widgetRepresentationCreationEnabled = kept(bool, "widgetRepresentationCreationEnabled", True)

    def __init__(self, name: str, path: Path) -> None:
        super().__init__()
        self.setObjectName(name)
        self._path = str(path)
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None

    path = Property(str, lambda self: self._path)
    name = Property(str, lambda self: self.objectName)

    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        """The panel, made and set up on the first call."""
        if self._widget is None:
            self._widget = qSlicerScriptedLoadableModuleWidget(self.name)
            self._widget.setMRMLScene(slicer.mrmlScene)
            self._widget.reload()
        return self._widget

    def logic(self) -> Any:
        """Scripted modules have no C++ logic; Slicer returns an empty one."""
        return slicer.vtkSlicerModuleLogic()


class qSlicerScriptedLoadableModuleWidget(qSlicerWidget):
    """The C++ side of a panel: ``self.parent`` of the Python widget."""

    def __init__(self, moduleName: str) -> None:
        super().__init__()
        self._moduleName = moduleName
        self._self: Any = None
        self._entered = False
        QVBoxLayout(self)

    moduleName = Property(str, lambda self: self._moduleName)
    isEntered = Property(bool, lambda self: self._entered)

    def self(self) -> Any:
        """The Python widget."""
        return self._self

    def reload(self) -> None:
        """Make the Python widget from the module as it is loaded now, and set it up."""
        widgetClass = getattr(sys.modules[self._moduleName], f"{self._moduleName}Widget")
        self._self = widgetClass(self)
        setattr(slicer.modules, f"{self._moduleName}Widget", self._self)
        self._self.setup()

    def enter(self) -> None:
        self._entered = True
        self._call("enter")

    def exit(self) -> None:
        self._entered = False
        self._call("exit")

    def _call(self, name: str) -> None:
        method = getattr(self._self, name, None)
        if method is not None:
            method()


class LoadedModule:
    """A module in the state it has after Slicer's start-up, its panel made on first use.

    Attributes:
        python: the Python module of ``<Name>.py``.
        module: the instance of class ``<Name>``.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.path = path
        self._folder = str(path.parent)
        self._connections_before = connections(slicer.app)
        sys.path.insert(0, self._folder)
        self.python = _import(self.name, path)
        self.parent = qSlicerScriptedLoadableModule(self.name, path)
        setattr(slicer.modules, self.name.lower(), self.parent)
        self.module = getattr(self.python, self.name)(self.parent)
        setattr(slicer.modules, f"{self.name}Instance", self.module)

    @property
    def panel(self) -> qSlicerScriptedLoadableModuleWidget:
        """The Qt widget that Slicer shows."""
        return self.parent.widgetRepresentation()

    @property
    def widget(self) -> Any:
        """The instance of ``<Name>Widget``, set up."""
        return self.panel.self()

    @property
    def logic(self) -> Any:
        """The panel's own ``<Name>Logic``."""
        return self.widget.logic

    def enter(self) -> None:
        """The user opens the module."""
        self.panel.show()
        self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module."""
        self.panel.exit()
        self.panel.hide()

    def reload(self) -> None:
        """The user presses Reload."""
        self.widget.onReload()
        self.python = sys.modules[self.name]

    def grab(self, path: str | Path, *, dark: bool = False) -> Path:
        """A PNG of the whole panel, in the light or the dark palette, as wide as Slicer's module panel."""
        path = Path(path)
        app = QApplication.instance()
        before = app.palette()
        app.setPalette(_palette(dark))
        try:
            self.panel.resize(PANEL_WIDTH, max(self.panel.sizeHint().height(), 1))
            self.panel.ensurePolished()
            app.processEvents()
            if not self.panel.grab().save(str(path)):
                raise OSError(f"cannot write {path}")
        finally:
            app.setPalette(before)
        return path

    def close(self) -> None:
        """Slicer quits: clean-up runs, the settings leave the scene, nothing of the module stays in this process."""
        slicer.app.moduleManager().moduleAboutToBeUnloaded.emit(self.name)
        for node in slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode"):
            if self.name in (node.GetAttribute("ModuleName"), node.GetSingletonTag()):
                slicer.mrmlScene.RemoveNode(node)
        for signal, target in connections(slicer.app) - self._connections_before:
            slicer.app.disconnect(signal, target)
        if self.parent._widget is not None:
            self.parent._widget.delete()
            self.parent._widget = None
        for name in (self.name.lower(), f"{self.name}Widget", f"{self.name}Instance"):
            if hasattr(slicer.modules, name):
                delattr(slicer.modules, name)
        sys.modules.pop(self.name, None)
        sys.path.remove(self._folder)


def load_module(module: str | Path, root: Path = ROOT) -> LoadedModule:
    """Load a scripted module.

    Args:
        module: its name, then its file is ``root/<name>/<name>.py``; or its folder; or its file.
        root: the folder of the modules' folders.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = root / module if isinstance(module, str) else module
    path = path if path.suffix == ".py" else path / f"{path.name}.py"
    if not path.is_file():
        raise FileNotFoundError(f"no module file {path}")
    return LoadedModule(path.resolve())


def _import(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    python = importlib.util.module_from_spec(spec)
    sys.modules[name] = python
    spec.loader.exec_module(python)
    return python


def _palette(dark: bool) -> QPalette:
    if not dark:
        return QPalette(QColor(239, 239, 239))
    palette = QPalette(QColor(53, 53, 53))
    roles = QPalette.ColorRole
    for role in (roles.Base, roles.AlternateBase, roles.ToolTipBase):
        palette.setColor(role, QColor(35, 35, 35))
    for role in (roles.Text, roles.WindowText, roles.ButtonText, roles.ToolTipText):
        palette.setColor(role, Qt.GlobalColor.white)
    return palette
