"""Slicer's MRML scene and module logics in a plain Python process, from the ``slicer-core`` package.

``slicer-core`` holds Slicer's own C++ nodes, storage and logics and ``slicer.util``, but nobody who starts them: the
application does that. ``bootstrap`` does as much of it as code on nodes needs. Inside the Slicer application it
returns the application's own scene and changes nothing.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import slicer
import vtk

LOGICS = {
    "colors": "vtkSlicerColorLogic",
    "cropvolume": "vtkSlicerCropVolumeLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "models": "vtkSlicerModelsLogic",
    "plots": "vtkSlicerPlotsLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "tables": "vtkSlicerTablesLogic",
    "terminologies": "vtkSlicerTerminologiesModuleLogic",
    "texts": "vtkSlicerTextsLogic",
    "transforms": "vtkSlicerTransformLogic",
    "units": "vtkSlicerUnitsLogic",
    "volumes": "vtkSlicerVolumesLogic",
}
"""Module name as in ``slicer.modules`` -> class of its logic."""

APPLICATION_NAMES = {
    "colors": "Colors",
    "cropvolume": "CropVolume",
    "subjecthierarchy": "SubjectHierarchy",
}
"""Names under which the application logic knows a module, where they are not the capitalised ones."""

COLOR_FILES = ("Cividis", "Inferno", "Magma", "Plasma", "Viridis")


def bootstrap() -> slicer.vtkMRMLScene:
    """The scene ``slicer.mrmlScene``, with node classes, logics, colours, units and MRB reading; made on first call.

    Also sets ``slicer.modules`` (``slicer.modules.volumes.logic()``; others may add attributes) and
    ``slicer.applicationLogic``.
    """
    scene = getattr(slicer, "mrmlScene", None)
    if scene is not None:
        return scene
    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    folder = _temporary_folder()
    _add_data_io(scene, application, folder)
    application.SetTemporaryPath(str(folder))
    _write_colors(folder / "share" / "ColorFiles")
    application.SetHomeDirectory(str(folder))
    application.SetShareDirectory("share")
    application.SetMRMLScene(scene)
    application.SetSliceLogics(vtk.vtkCollection())
    application.SetViewLogics(vtk.vtkCollection())
    slicer.mrmlScene = scene
    slicer.applicationLogic = application
    if not hasattr(slicer, "modules"):
        slicer.modules = SimpleNamespace()
    for name, class_name in LOGICS.items():
        _add_logic(name, getattr(slicer, class_name)(), scene, application)
    application.SetColorLogic(slicer.modules.colors.logic())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    return scene


def _add_logic(
    name: str,
    logic: slicer.vtkMRMLAbstractLogic,
    scene: slicer.vtkMRMLScene,
    application: slicer.vtkMRMLApplicationLogic,
) -> None:
    # The terminologies ship with the application, not with slicer-core: their absence is no news.
    with _quiet() if name == "terminologies" else contextlib.nullcontext():
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
    application.SetModuleLogic(APPLICATION_NAMES.get(name, name.capitalize()), logic)
    setattr(slicer.modules, name, SimpleNamespace(name=name, logic=lambda: logic))


def _add_data_io(scene: slicer.vtkMRMLScene, application: slicer.vtkSlicerApplicationLogic, folder: Path) -> None:
    """What reading an MRB asks for, though every file is local."""
    cache = slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(str(folder))
    manager = slicer.vtkDataIOManager()
    manager.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(manager)
    logic = slicer.vtkDataIOManagerLogic()
    logic.SetMRMLApplicationLogic(application)
    logic.SetAndObserveDataIOManager(manager)


def _write_colors(folder: Path) -> None:
    """The perceptual colour tables that the application ships beside the built-in ones; matplotlib has the same."""
    from matplotlib import colormaps

    folder.mkdir(parents=True)
    for name in COLOR_FILES:
        rows = [
            f"{n} {n} {' '.join(str(round(255 * part)) for part in colormaps[name.lower()](n))}" for n in range(256)
        ]
        (folder / f"{name}.txt").write_text("# 256 values\n" + "\n".join(rows) + "\n", encoding="ascii")


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="deepmri-scene-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    shown = vtk.vtkObject.GetGlobalWarningDisplay()
    vtk.vtkObject.SetGlobalWarningDisplay(0)
    try:
        yield
    finally:
        vtk.vtkObject.SetGlobalWarningDisplay(shown)
