"""Stand-ins that let Slicer module files, their Logics and .ui files run without the Slicer application.

The MRML scene, its nodes, logics and ``slicer.util`` are Slicer's own (package ``slicer-core``, see ``scene.py``), and
buttons, boxes and layouts are Qt's own (PySide6, without a display). What is imitated is small and strict: PythonQt's
manners (``pythonqt.py``), ``slicer.app`` (``application.py``), CTK's and MRML's widgets (``*_widgets.py``) and Slicer's
Python files (``python/``). They know only names that the real ones have, and anything unknown is an error.

With the environment variable ``SLICER_SOURCE`` naming a Slicer source tree, Slicer's own ScriptedLoadableModule,
parameterNodeWrapper, i18n and packaging are used instead of those in ``python/``.

Importing this package is cheap and needs no Qt; ``start`` does.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slicerapp.application import SlicerApplication
    from slicerapp.modules import LoadedModule

PYTHON_STAND_INS = Path(__file__).parent / "python"

uncaught: list[BaseException] = []
"""Exceptions that Qt and VTK print but do not raise: those of slots, timers and observers."""


def start() -> SlicerApplication:
    """The running application, ``slicer.app``: made and installed on the first call."""
    if "slicer.app" in _started:
        return _started["slicer.app"]
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from slicerapp import pythonqt

    pythonqt.install()
    import slicer

    from slicerapp import application, records, sample_data, scene

    scene.bootstrap()
    app = application.start()
    slicer.app = app
    _install_widgets(slicer)
    slicer.__path__.append(str(_slicer_python()))
    sys.modules["SampleData"] = sample_data
    records.install()
    sys.excepthook = _keep_uncaught
    sys.unraisablehook = lambda args: _keep_uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    _started["slicer.app"] = app
    return app


_started: dict[str, SlicerApplication] = {}


def uses_slicer_source() -> bool:
    """Whether Slicer's own Python files are used."""
    return bool(os.environ.get("SLICER_SOURCE"))


def _slicer_python() -> Path:
    if not uses_slicer_source():
        return PYTHON_STAND_INS
    folder = Path(os.environ["SLICER_SOURCE"]) / "Base" / "Python" / "slicer"
    if not (folder / "ScriptedLoadableModule.py").is_file():
        raise FileNotFoundError(f"SLICER_SOURCE is not a Slicer source tree: no {folder}/ScriptedLoadableModule.py")
    return folder


def _install_widgets(slicer: ModuleType) -> None:
    import qt

    from slicerapp import ctk_values, ctk_widgets, markups_widgets, mrml_widgets, segment_widgets
    from slicerapp.names import all_names
    from slicerapp.pythonqt import is_standin
    from slicerapp.ui_loader import QUiLoader

    ctk = ModuleType("ctk")
    for module in (ctk_widgets, ctk_values, mrml_widgets, markups_widgets, segment_widgets):
        for name, value in vars(module).items():
            if isinstance(value, type) and is_standin(value) and name in all_names():
                setattr(ctk if name.startswith("ctk") else slicer, name, value)
                QUiLoader.STAND_INS[name] = value
    sys.modules["ctk"] = ctk
    qt.QUiLoader = QUiLoader


def _keep_uncaught(kind: type[BaseException], value: BaseException, traceback: object) -> None:
    uncaught.append(value)
    sys.__excepthook__(kind, value, traceback)


def emit_startup_completed() -> None:
    """What Slicer does at the end of its start: modules register sample data then."""
    start().startupCompleted.emit()


@contextlib.contextmanager
def slicer_5_10() -> Iterator[None]:
    """For a while this is Slicer 5.10: no ``slicer.packaging``, and a ``pip_install`` that takes requirements only."""
    start()
    import slicer.util

    from slicerapp.records import pip_install_of_5_10

    packaging = sys.modules.get("slicer.packaging")
    attribute = vars(slicer).pop("packaging", None)
    pip_install = slicer.util.pip_install
    sys.modules["slicer.packaging"] = None
    slicer.util.pip_install = pip_install_of_5_10
    try:
        yield
    finally:
        slicer.util.pip_install = pip_install
        del sys.modules["slicer.packaging"]
        if packaging is not None:
            sys.modules["slicer.packaging"] = slicer.packaging = packaging
        elif attribute is not None:
            slicer.packaging = attribute


def load_module(module: str | Path, root: Path | None = None) -> LoadedModule:
    """Load a scripted module by name or folder; see ``slicerapp.modules``."""
    start()
    from slicerapp import modules

    return modules.load_module(module, root or modules.ROOT)


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Let Qt work until the condition holds.

    Raises:
        TimeoutError: it did not within ``timeout_s`` seconds; the text says ``what`` was waited for.
    """
    app = start()
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s in vain for {what}")
        app.processEvents()
        time.sleep(0.005)
