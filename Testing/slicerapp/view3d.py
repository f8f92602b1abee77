"""A picture of a 3D view without the application: surfaces of segmentations and points, drawn by Slicer itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import slicer
import vtk

from slicerapp.views import grab, requireGraphics, sceneAsItWas, writePng

MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)
BACKGROUND = (0.07, 0.09, 0.13)


def renderView3D(
    scene: slicer.vtkMRMLScene,
    path: Path | str,
    *,
    towards: Sequence[float] = (0.7, -1.0, -0.45),
    distance: float = 160.0,
    middle: Sequence[float] = (0.0, 0.0, 0.0),
    size: tuple[int, int] = (400, 400),
) -> Path:
    """One PNG of what a 3D view shows; the scene is left as it was.

    Args:
        towards: the direction in RAS that the camera looks into.
        distance: of the camera from ``middle`` in mm.
        middle: RAS mm.
        size: width and height in pixels.

    Raises:
        NoGraphicsError: nothing can be drawn in this process.
    """
    requireGraphics()
    with sceneAsItWas(scene):
        logic = slicer.vtkMRMLViewLogic()
        logic.SetMRMLApplicationLogic(slicer.applicationLogic)
        logic.SetMRMLScene(scene)
        view = logic.AddViewNode("Picture3D")
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        view.SetBackgroundColor(*BACKGROUND)
        view.SetBackgroundColor2(*BACKGROUND)
        window, renderer, _interactor = _window(size)
        group = _managers(view, renderer)
        _look(renderer.GetActiveCamera(), towards, distance, middle)
        renderer.ResetCameraClippingRange()
        window.Render()
        picture = grab(window)
        group.SetMRMLDisplayableNode(None)
        logic.SetMRMLScene(None)
        window.Finalize()
    return writePng(picture, path)


def _window(size: tuple[int, int]) -> tuple[vtk.vtkRenderWindow, vtk.vtkRenderer, vtk.vtkRenderWindowInteractor]:
    window, renderer = vtk.vtkRenderWindow(), vtk.vtkRenderer()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(4)
    window.SetSize(*size)
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    renderer.SetBackground(*BACKGROUND)
    return window, renderer, interactor


def _managers(view: slicer.vtkMRMLViewNode, renderer: vtk.vtkRenderer) -> slicer.vtkMRMLDisplayableManagerGroup:
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(slicer.applicationLogic)
    for name in MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    group.SetMRMLDisplayableNode(view)
    return group


def _look(camera: vtk.vtkCamera, towards: Sequence[float], distance: float, middle: Sequence[float]) -> None:
    length = sum(part**2 for part in towards) ** 0.5
    camera.SetPosition(*(m - distance * part / length for m, part in zip(middle, towards, strict=True)))
    camera.SetFocalPoint(*middle)
    camera.SetViewUp(0, 0, 1)
