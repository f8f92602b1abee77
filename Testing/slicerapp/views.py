"""Pictures of MRML slice views and charts without the application, for the README and for tests of displays.

The slice views are Slicer's own: its slice logic resamples and blends the layers, its displayable managers draw
segments and points. Only the widget around them is missing. Charts are drawn with VTK from the plot nodes' content,
since Slicer's plot view is a widget.

Rendering needs OpenGL: with EGL and a software driver (Debian: libegl1 libgl1-mesa-dri) no display is needed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support

SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
WHITE = (1.0, 1.0, 1.0)


class NoGraphicsError(RuntimeError):
    """No OpenGL context can be made in this process."""


PROBE = """
import vtkmodules.vtkRenderingOpenGL2
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow
window = vtkRenderWindow()
window.SetOffScreenRendering(True)
window.AddRenderer(vtkRenderer())
window.Render()
"""


@cache
def _canDraw() -> bool:
    """Whether a picture can be drawn; tried in another process, since VTK without OpenGL says yes and then crashes."""
    try:
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def requireGraphics() -> None:
    """Make sure that pictures can be drawn.

    Raises:
        NoGraphicsError: neither a display, nor EGL, nor OSMesa works here.
    """
    if not _canDraw():
        raise NoGraphicsError(
            "Pictures need OpenGL: install EGL with a software driver (Debian: libegl1 libgl1-mesa-dri)."
        )


def renderSlices(
    scene: slicer.vtkMRMLScene,
    volumeNode: slicer.vtkMRMLVolumeNode,
    path: Path | str,
    orientations: Sequence[str] = ("Axial", "Sagittal", "Coronal"),
    *,
    foreground: slicer.vtkMRMLVolumeNode | None = None,
    opacity: float = 0.5,
    label: slicer.vtkMRMLLabelMapVolumeNode | None = None,
    at: Sequence[float] | None = None,
    rotate: bool = False,
    legend: bool = False,
    zoom: float = 1.0,
    size: tuple[int, int] = (400, 400),
) -> Path:
    """One PNG with a slice view for each orientation side by side; the scene is left as it was.

    Visible segmentations and points of the scene are drawn too.

    Args:
        volumeNode, foreground, label: the layers, with the window and colours of their display nodes.
        at: a point (3,) in RAS mm in the world that all slices go through; by default the volume's middle.
        rotate: turn the slices to the volume's own axes, for oblique volumes.
        legend: with a colour bar of the topmost volume in the last view.
        zoom: above 1, the views show less than the whole volume.
        size: width and height of each view in pixels.

    Raises:
        NoGraphicsError: nothing can be drawn in this process.
    """
    requireGraphics()
    rows = vtk.vtkImageAppend()
    with sceneAsItWas(scene):
        for number, orientation in enumerate(orientations):
            view = _SliceView(scene, f"Picture{number}", orientation, size)
            view.show(volumeNode, foreground, opacity, label)
            view.place(volumeNode, at=at, rotate=rotate, zoom=zoom)
            if legend and number == len(orientations) - 1:
                view.annotations.AddViewProp(_legend(foreground if foreground is not None else volumeNode))
            rows.AddInputData(view.picture())
            view.close()
    rows.Update()
    return writePng(rows.GetOutput(), path)


def renderChart(
    chartNode: slicer.vtkMRMLPlotChartNode, path: Path | str, *, size: tuple[int, int] = (640, 420)
) -> Path:
    """A PNG of the chart's scatter series: symbols, lines, colours, titles and legend.

    Raises:
        NoGraphicsError: nothing can be drawn in this process.
    """
    requireGraphics()
    view = vtk.vtkContextView()
    window = view.GetRenderWindow()
    window.SetOffScreenRendering(True)
    window.SetMultiSamples(4)
    window.SetSize(*size)
    view.GetRenderer().SetBackground(*WHITE)
    chart = vtk.vtkChartXY()
    view.GetScene().AddItem(chart)
    _nameAxes(chart, chartNode)
    for n in range(chartNode.GetNumberOfPlotSeriesNodes()):
        _addSeries(chart, chartNode.GetNthPlotSeriesNode(n))
    window.Render()
    picture = grab(window)
    window.Finalize()
    return writePng(picture, path)


def pixels(path: Path | str) -> np.ndarray:
    """(height, width, 3) uint8: a PNG, first row on top."""
    reader = vtk.vtkPNGReader()
    reader.SetFileName(str(path))
    reader.Update()
    image = reader.GetOutput()
    width, height, _ = image.GetDimensions()
    values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return values.reshape(height, width, -1)[::-1, :, :3]


class _SliceView:
    """What qMRMLSliceWidget puts together: slice logic, displayable managers, and a mapper for the blended image."""

    def __init__(self, scene: slicer.vtkMRMLScene, name: str, orientation: str, size: tuple[int, int]) -> None:
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(slicer.applicationLogic)
        self.logic.SetMRMLScene(scene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self._makeWindow(size)
        self.group = _managers(self.node, self.annotations, slicer.applicationLogic)
        self.logic.ResizeSliceNode(*size)

    def _makeWindow(self, size: tuple[int, int]) -> None:
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(True)
        self.window.SetNumberOfLayers(2)
        self.window.SetSize(*size)
        self.image, self.annotations = vtk.vtkRenderer(), vtk.vtkRenderer()
        for layer, renderer in enumerate((self.image, self.annotations)):
            renderer.SetLayer(layer)
            renderer.GetActiveCamera().ParallelProjectionOn()
            self.window.AddRenderer(renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.mapper = vtk.vtkImageMapper()
        self.mapper.SetColorWindow(255)
        self.mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self.mapper)
        self.image.AddViewProp(actor)

    def show(
        self,
        background: slicer.vtkMRMLVolumeNode,
        foreground: slicer.vtkMRMLVolumeNode | None,
        opacity: float,
        label: slicer.vtkMRMLLabelMapVolumeNode | None,
    ) -> None:
        layers = self.logic.GetSliceCompositeNode()
        layers.SetBackgroundVolumeID(background.GetID())
        layers.SetForegroundVolumeID(foreground.GetID() if foreground is not None else None)
        layers.SetForegroundOpacity(opacity)
        layers.SetLabelVolumeID(label.GetID() if label is not None else None)

    def place(self, volume: slicer.vtkMRMLVolumeNode, *, at: Sequence[float] | None, rotate: bool, zoom: float) -> None:
        if rotate:
            self.node.RotateToVolumePlane(volume)
        self.logic.FitSliceToAll()
        bounds = np.zeros(6)
        volume.GetRASBounds(bounds)
        self.node.JumpSliceByOffsetting(*(bounds.reshape(3, 2).mean(axis=1) if at is None else at))
        if not rotate:
            # Between two slices of voxels nearest-neighbour labels would flicker.
            self.logic.SnapSliceOffsetToIJK()
        x, y, z = self.node.GetFieldOfView()
        self.node.SetFieldOfView(x / zoom, y / zoom, z)

    def picture(self) -> vtk.vtkImageData:
        self.logic.UpdatePipeline()
        self.mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self.window.Render()
        return grab(self.window)

    def close(self) -> None:
        self.group.SetMRMLDisplayableNode(None)
        self.logic.SetMRMLScene(None)
        self.window.Finalize()


def _managers(
    node: slicer.vtkMRMLSliceNode, renderer: vtk.vtkRenderer, application: slicer.vtkMRMLApplicationLogic
) -> slicer.vtkMRMLDisplayableManagerGroup:
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    factory.SetMRMLApplicationLogic(application)
    for name in SLICE_MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    group.SetMRMLDisplayableNode(node)
    return group


def _legend(volume: slicer.vtkMRMLVolumeNode) -> vtk.vtkScalarBarActor:
    """The colours and the window of a volume, with its unit."""
    display = volume.GetDisplayNode()
    colors = vtk.vtkLookupTable()
    colors.DeepCopy(display.GetColorNode().GetLookupTable())
    colors.SetRange(display.GetWindowLevelMin(), display.GetWindowLevelMax())
    units = volume.GetVoxelValueUnits()
    bar = vtk.vtkScalarBarActor()
    bar.SetLookupTable(colors)
    bar.SetTitle(units.GetCodeMeaning() if units is not None and units.GetCodeValue() != "1" else "")
    bar.SetNumberOfLabels(4)
    bar.SetLabelFormat("%.3g")
    bar.SetPosition(0.84, 0.15)
    bar.SetWidth(0.14)
    bar.SetHeight(0.7)
    bar.SetMaximumWidthInPixels(56)
    for text in (bar.GetTitleTextProperty(), bar.GetLabelTextProperty()):
        text.ItalicOff()
        text.BoldOff()
        text.SetColor(*WHITE)
    return bar


@contextmanager
def sceneAsItWas(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """What views add to a scene goes again."""
    before = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    try:
        yield
    finally:
        nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
        for node in reversed([node for node in nodes if node.GetID() not in before]):
            scene.RemoveNode(node)


def _nameAxes(chart: vtk.vtkChartXY, node: slicer.vtkMRMLPlotChartNode) -> None:
    if node.GetTitleVisibility():
        chart.SetTitle(node.GetTitle() or "")
    chart.SetShowLegend(bool(node.GetLegendVisibility()))
    bottom, left = chart.GetAxis(vtk.vtkAxis.BOTTOM), chart.GetAxis(vtk.vtkAxis.LEFT)
    bottom.SetTitle(node.GetXAxisTitle() or "")
    left.SetTitle(node.GetYAxisTitle() or "")
    bottom.SetLogScale(bool(node.GetXAxisLogScale()))
    left.SetLogScale(bool(node.GetYAxisLogScale()))


def _addSeries(chart: vtk.vtkChartXY, series: slicer.vtkMRMLPlotSeriesNode) -> None:
    table = series.GetTableNode().GetTable()
    names = [table.GetColumnName(n) for n in range(table.GetNumberOfColumns())]
    plot = chart.AddPlot(vtk.vtkChart.LINE)
    plot.SetInputData(table, names.index(series.GetXColumnName()), names.index(series.GetYColumnName()))
    plot.SetLabel(series.GetName())
    plot.SetColorF(*series.GetColor())
    plot.SetMarkerStyle(series.GetMarkerStyle())
    plot.SetMarkerSize(series.GetMarkerSize())
    plot.SetWidth(series.GetLineWidth())
    # Slicer's line styles are VTK's, with 0 for none.
    plot.GetPen().SetLineType(series.GetLineStyle())


def grab(window: vtk.vtkRenderWindow) -> vtk.vtkImageData:
    """What a window shows."""
    grabber = vtk.vtkWindowToImageFilter()
    grabber.SetInput(window)
    grabber.ReadFrontBufferOff()
    grabber.Update()
    picture = vtk.vtkImageData()
    picture.DeepCopy(grabber.GetOutput())
    return picture


def writePng(picture: vtk.vtkImageData, path: Path | str) -> Path:
    """A picture as a file."""
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(picture)
    writer.Write()
    return Path(path)
