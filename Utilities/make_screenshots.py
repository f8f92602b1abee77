"""Draw the README's pictures: panels, maps of the phantom, lesions and spaces, without the Slicer application.

    python Utilities/make_screenshots.py [module ...]

The panel is the real one on Qt, the views are drawn by Slicer's own display libraries; only their arrangement beside
each other is made here. The network is trained in a temporary model folder; without PyTorch its pictures are left out.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import slicerapp
from slicerapp import views

FOLDER = ROOT / "Screenshots"
DPI = 100
MAPS = ("D", "f", "D_star", "S0")
UNCERTAINTY = ("D_sd", "f_sd", "D_star_sd", "quality")
SMALL = {"size": (72, 56, 8), "spacing": (5.2, 5.2, 18.0)}
"""Other patients of the study that the network learns from."""
AT_MM = (0.0, 0.0, 25.0)
POINT_MM = (60.0, 35.0, 25.0)
"""In the liver."""
VIEW, PLOT = (520, 400), (900, 480)


def main(modules: list[str]) -> None:
    """Run the panels of these modules, or of all, on their sample data and draw everything."""
    slicerapp.start()
    FOLDER.mkdir(exist_ok=True)
    if "IVIMFit" in modules or not modules:
        draw_ivim()
    if "InteractiveSeg" in modules or not modules:
        import screenshots_interactive

        screenshots_interactive.draw()
    if "PVSSegment" in modules or not modules:
        import screenshots_pvs

        screenshots_pvs.draw()
    if "KSpaceIGS" in modules or not modules:
        import screenshots_igs

        screenshots_igs.draw()
    if "IAPPredict" in modules or not modules:
        import screenshots_iap

        screenshots_iap.draw()


def draw_ivim() -> None:
    """The panel on the phantom."""
    with tempfile.TemporaryDirectory() as folder:
        from DeepMRILib.panel.machine import setMachineSetting

        setMachineSetting("model_folder", folder)
        panel = Panel(Path(folder))
        panel.run()
        panel.draw_fit()
        panel.draw_comparison()
        if importlib.util.find_spec("torch") is not None:
            panel.draw_training()
        panel.loaded.close()


class Panel:
    """The panel on the phantom.

    Args:
        place: for files that go into pictures.
    """

    def __init__(self, place: Path) -> None:
        from DeepMRILib.mrml import ivim as nodes

        self.place = place
        self.series, self.organs = nodes.phantomNodes()
        self.loaded = slicerapp.load_module("IVIMFit")
        self.loaded.enter()
        self.widget, self.ui = self.loaded.widget, self.loaded.widget.ui
        self.parameters = self.loaded.logic.getParameterNode()
        self.parameters.inputSeries, self.parameters.regionsSegmentation = self.series, studied(self.organs)
        self.organs.GetDisplayNode().SetVisibility(False)  # the maps are what is shown

    def run(self, section: int = 0) -> None:
        """Press a section's button and wait."""
        self.widget.sections[section].bar.applyButton.click()
        slicerapp.wait_until(lambda: not self.widget.runner.isBusy(), 600, "the job")
        settle()

    def draw_fit(self) -> None:
        """The panel beside the maps of least squares and the decay of the regions."""
        for name in ("inspector", "train"):
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = True
        panel = self.loaded.grab(self.place / "panel.png")
        self.draw_maps(self.fit().nodes, MAPS, FOLDER / "IVIMFit-maps.png")
        chart = views.renderChart(self.parameters.decayChart, FOLDER / "IVIMFit-decay.png", size=PLOT)
        beside(panel, [FOLDER / "IVIMFit-maps.png", chart], FOLDER / "IVIMFit.png")

    def draw_comparison(self) -> None:
        """Uncertainty of the Bayesian fit, and the decay at a point with the curves of several methods."""
        import vtk

        self.parameters.sdMaps = self.parameters.qualityMaps = True
        for method, model in (("lsq", "biexp"), ("bayes", "biexp"), ("lsq", "adc")):
            self.parameters.method, self.parameters.model = method, model
            self.run()
        self.draw_maps(self.fit("bayes").nodes, UNCERTAINTY, FOLDER / "IVIMFit-uncertainty.png")
        self.ui.placePointButton.click()
        self.parameters.inspectorTarget.AddControlPointWorld(vtk.vtkVector3d(*POINT_MM))
        settle()
        self.ui.inspectorCollapsibleButton.collapsed = False
        for name in ("inputs", "outputs"):
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = True
        panel = self.loaded.grab(self.place / "inspector.png")
        around = self.place / "point.png"
        views.renderSlices(scene(), self.fit().nodes["D"], around, ("Axial",), at=POINT_MM, size=VIEW)
        plot = views.renderChart(self.parameters.inspectorChart, self.place / "plot.png", size=PLOT)
        beside(panel, [around, plot], FOLDER / "IVIMFit-inspector.png")
        self.ui.inspectorCollapsibleButton.collapsed = True

    def draw_training(self) -> None:
        """The training of a network for a study, and its loss curve."""
        import qt

        from DeepMRILib.ivim import PhantomOptions
        from DeepMRILib.mrml import ivim as nodes

        for seed in (1, 2):
            nodes.phantomNodes(PhantomOptions(**SMALL, seed=seed))[0].SetName(f"patient {seed}")
        settle()
        self.ui.trainCollapsibleButton.collapsed = False
        for row in range(self.ui.studyList.count):
            item = self.ui.studyList.item(row)
            item.setCheckState(qt.Qt.Checked if item.text().startswith("patient") else qt.Qt.Unchecked)
        self.parameters.train_preset, self.parameters.train_members, self.parameters.train_epochs = "optim", 1, 40
        self.run(1)
        panel = self.loaded.grab(self.place / "train.png")
        plot = views.renderChart(self.parameters.lossChart, self.place / "loss.png", size=PLOT)
        beside(panel, [plot], FOLDER / "IVIMFit-train.png")

    def fit(self, method: str = "lsq") -> Any:
        """The maps of one method by name."""
        from types import SimpleNamespace

        from DeepMRILib.mrml.ivim_fits import FitKind, findFits

        found = findFits(self.series)[FitKind(method, "biexp")]
        return SimpleNamespace(nodes={name: getattr(found, f"{name}Map") for name in MAPS} | dict(found.more))

    def draw_maps(self, nodes: dict[str, Any], names: tuple[str, ...], path: Path) -> None:
        """Axial slices of some maps with their windows."""
        from DeepMRILib.ivim.quantities import QUANTITIES

        pictures = []
        for name in names:
            picture = self.place / f"{name}.png"
            views.renderSlices(scene(), nodes[name], picture, ("Axial",), at=AT_MM, size=VIEW)
            display = nodes[name].GetDisplayNode()
            low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
            pictures.append((f"{QUANTITIES[name].heading}  {low:.3g} to {high:.3g}", picture))
        grid(pictures, path, columns=2)


def scene() -> Any:
    """The scene."""
    import slicer

    return slicer.mrmlScene


def settle() -> None:
    """Let timers run that follow points and the scene."""
    import time

    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        slicerapp.start().processEvents()
        time.sleep(0.01)


def studied(organs: Any) -> Any:
    """Keep the segments that the plot shows."""
    segments = organs.GetSegmentation()
    keep = {"liver", "spleen", "kidney cortex", "pancreas", "muscle"}
    ids = [segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())]
    for segment in ids:
        if segments.GetSegment(segment).GetName() not in keep:
            segments.RemoveSegment(segment)
    return organs


def grid(pictures: list[tuple[str, Path]], path: Path, columns: int) -> None:
    """Pictures with their names in rows."""
    images = [(name, imread(picture)) for name, picture in pictures]
    height, width = images[0][1].shape[:2]
    rows = -(-len(images) // columns)
    figure = Figure(figsize=(columns * width / DPI, rows * height / DPI), facecolor="black")
    for n, (name, image) in enumerate(images):
        axes = figure.add_axes(((n % columns) / columns, 1 - (n // columns + 1) / rows, 1 / columns, 1 / rows))
        axes.imshow(image, interpolation="nearest")
        axes.text(0.03, 0.95, name, transform=axes.transAxes, color="white", fontsize=15, va="top", weight="bold")
        axes.axis("off")
    figure.savefig(path, dpi=DPI)


def beside(panel: Path, pictures: list[Path], path: Path) -> None:
    """The panel on the left, pictures below each other on the right, as Slicer's window has them."""
    left = imread(panel)[..., :3]
    right = [imread(picture)[..., :3] for picture in pictures]
    width = max(picture.shape[1] for picture in right)
    height = max(left.shape[0], sum(picture.shape[0] for picture in right))
    canvas = np.ones((height, left.shape[1] + width, 3)) * left[0, 0]
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[:, left.shape[1] :] = 1.0
    top = 0
    for picture in right:
        start = left.shape[1] + (width - picture.shape[1]) // 2
        canvas[top : top + picture.shape[0], start : start + picture.shape[1]] = picture
        top += picture.shape[0]
    figure = Figure(figsize=(canvas.shape[1] / DPI, canvas.shape[0] / DPI))
    figure.add_axes((0, 0, 1, 1)).imshow(canvas, interpolation="nearest")
    figure.axes[0].axis("off")
    figure.savefig(path, dpi=DPI)


if __name__ == "__main__":
    main(sys.argv[1:])
