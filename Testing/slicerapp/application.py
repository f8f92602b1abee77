"""``slicer.app``: the application object as module code sees it, without main window and views."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, QSettings, Signal
from PySide6.QtWidgets import QApplication

from slicerapp.io_manager import CoreIOManager

VERSION = (5, 13)


class ModuleManager(QObject):
    """What loads and unloads modules: here ``slicerapp.modules`` does and tells through it."""

    moduleLoaded = Signal(str)
    moduleAboutToBeUnloaded = Signal(str)
    moduleUnloaded = Signal(str)

    def module(self, name: str) -> Any:
        return getattr(slicer.modules, name.lower(), None)

    def modulesNames(self) -> list[str]:
        return [module.name for module in vars(slicer.modules).values() if hasattr(module, "name")]

    def loadedModulesNames(self) -> list[str]:
        return self.modulesNames()


class SlicerApplication(QApplication):
    """The Qt application with Slicer's additions that modules use."""

    startupCompleted = Signal()

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self._folder = Path(tempfile.mkdtemp(prefix="slicerapp-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self.organizationName = "NA-MIC"
        self.organizationDomain = "www.na-mic.org"
        self.applicationName = "Slicer"
        for scope in (QSettings.Scope.UserScope, QSettings.Scope.SystemScope):
            QSettings.setPath(QSettings.Format.IniFormat, scope, str(self._folder / "settings"))
        QSettings.setDefaultFormat(QSettings.Format.IniFormat)
        self._settings = QSettings()
        self._module_manager = ModuleManager(self)
        self._io_manager = CoreIOManager(self)

    def testingEnabled(self) -> bool:
        return True

    def settings(self) -> QSettings:
        return self._settings

    userSettings = revisionUserSettings = settings

    def moduleManager(self) -> ModuleManager:
        return self._module_manager

    def coreIOManager(self) -> CoreIOManager:
        return self._io_manager

    ioManager = coreIOManager

    def layoutManager(self) -> None:
        """None, as in Slicer without a main window."""

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return slicer.mrmlScene

    def applicationLogic(self) -> slicer.vtkMRMLApplicationLogic:
        return slicer.applicationLogic

    def pauseRender(self) -> None:
        """Nothing is rendered."""

    def resumeRender(self) -> None:
        """Nothing is rendered."""

    def restart(self) -> None:
        raise RuntimeError("a test asked for a restart of Slicer")

    def moduleDocumentationUrl(self, name: str) -> str:
        return f"https://slicer.readthedocs.io/en/latest/user_guide/modules/{name.lower()}.html"

    def environment(self) -> Any:
        return self.startupEnvironment()

    def startupEnvironment(self) -> Any:
        from PySide6.QtCore import QProcessEnvironment

        return QProcessEnvironment.systemEnvironment()

    def _slicerHome(self) -> str:
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        return str(home)

    slicerHome = Property(str, _slicerHome)
    temporaryPath = Property(str, lambda self: str(self._folder))
    isInstalled = Property(bool, lambda self: False)
    majorVersion = Property(int, lambda self: VERSION[0])
    minorVersion = Property(int, lambda self: VERSION[1])
    revision = Property(str, lambda self: "0")
    platform = Property(str, lambda self: f"{sys.platform}-{os.uname().machine}")
    documentationBaseUrl = Property(str, lambda self: "https://slicer.readthedocs.io/en/latest/")


def start() -> SlicerApplication:
    """The application, made on the first call."""
    existing = QApplication.instance()
    if existing is None:
        return SlicerApplication()
    if not isinstance(existing, SlicerApplication):
        raise RuntimeError("another QApplication exists in this process; start slicerapp before it")
    return existing
