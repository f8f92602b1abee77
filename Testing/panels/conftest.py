"""What the tests of panels share: the application, modules that close themselves, and waiting for Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import required

required.need("PySide6", "panels are tested on PySide6: pip install PySide6-Essentials")
required.need("slicer_core", "panels are tested on Slicer's nodes: pip install slicer-core")

import slicerapp

if TYPE_CHECKING:
    from slicerapp.application import SlicerApplication
    from slicerapp.modules import LoadedModule


@pytest.fixture
def slicer_app() -> Iterator[SlicerApplication]:
    """The application with an empty scene and empty settings.

    What slots and observers raised fails the test, and so do settings of a module that it leaves for the next one.
    """
    app = slicerapp.start()
    _reset(app)
    slicerapp.uncaught.clear()
    yield app
    app.processEvents()
    _reset(app)
    left = _settings_left()
    uncaught = list(slicerapp.uncaught)
    slicerapp.uncaught.clear()
    if uncaught:
        raise uncaught[0]
    assert not left, f"left in the scene: the settings of {', '.join(left)}"


def _reset(app: SlicerApplication) -> None:
    import slicer
    from slicerapp.records import records

    slicer.mrmlScene.Clear(0)
    vars(slicer.modules).pop("sampleDataSources", None)
    app.settings().clear()
    records.clear()


def _settings_left() -> list[str]:
    """The modules whose settings outlive the scene, as singletons do; they are removed."""
    import slicer

    nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
    for node in nodes:
        slicer.mrmlScene.RemoveNode(node)
    return [node.GetSingletonTag() for node in nodes]


@pytest.fixture
def load_module(slicer_app: SlicerApplication) -> Iterator[Callable[..., LoadedModule]]:
    """``load_module(name_or_folder)``: the module, closed when the test ends."""
    loaded: list[LoadedModule] = []

    def load(module: str | Path, root: Path | None = None) -> LoadedModule:
        loaded.append(slicerapp.load_module(module, root))
        return loaded[-1]

    yield load
    for module in reversed(loaded):
        module.close()


@pytest.fixture
def wait_until(slicer_app: SlicerApplication) -> Callable[[Callable[[], bool], float, str], None]:
    """``wait_until(condition, timeout_s, what)``: let Qt work until the condition holds."""
    return slicerapp.wait_until


@pytest.fixture
def panel(slicer_app, load_module, wait_until):
    """The IVIMFit panel, opened."""
    from ivimfit_panel import Panel

    loaded = load_module("IVIMFit")
    loaded.enter()
    return Panel(loaded, wait_until)
