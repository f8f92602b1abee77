"""Draw the README's pictures: the panel and the maps of the phantom, without the Slicer application.

    python Utilities/make_screenshots.py

The panel is the real one on Qt, the views are drawn by Slicer's own display libraries; only their arrangement beside
each other is made here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import slicerapp
from slicerapp import views

FOLDER = ROOT / "Screenshots"
DPI = 100
MAPS = ("DMap", "fMap", "D_starMap", "S0Map")
AT_MM = (0.0, 0.0, 25.0)


def main() -> None:
    """Run the panel on the phantom and draw everything."""
    app = slicerapp.start()
    import slicer

    from DeepMRILib.ivim.quantities import QUANTITIES
    from DeepMRILib.mrml import ivim as nodes

    FOLDER.mkdir(exist_ok=True)
    series, organs = nodes.phantomNodes()
    loaded = slicerapp.load_module("IVIMFit")
    loaded.enter()
    parameters = loaded.logic.getParameterNode()
    parameters.inputSeries, parameters.regionsSegmentation = series, studied(organs)
    loaded.widget.bar.applyButton.click()
    slicerapp.wait_until(lambda: not loaded.widget.runner.isBusy(), 120, "the fit")
    app.processEvents()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        panel = loaded.grab(place / "panel.png")
        pictures = {}
        organs.GetDisplayNode().SetVisibility(False)  # the maps are what is shown
        for name in MAPS:
            node = getattr(parameters, name)
            path = place / f"{name}.png"
            views.renderSlices(slicer.mrmlScene, node, path, ("Axial",), at=AT_MM, size=(520, 400))
            display = node.GetDisplayNode()
            low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
            pictures[f"{QUANTITIES[name.removesuffix('Map')].heading}  {low:.3g} to {high:.3g}"] = path
        chart = views.renderChart(parameters.decayChart, FOLDER / "IVIMFit-decay.png", size=(900, 480))
        grid(list(pictures.items()), FOLDER / "IVIMFit-maps.png", columns=2)
        beside(panel, FOLDER / "IVIMFit-maps.png", chart or FOLDER / "IVIMFit-decay.png", FOLDER / "IVIMFit.png")
    loaded.close()


def studied(organs: object) -> object:
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


def beside(panel: Path, maps: Path, chart: Path, path: Path) -> None:
    """The panel on the left, maps and plot on the right, as Slicer's window has them."""
    left, top, bottom = (imread(picture)[..., :3] for picture in (panel, maps, chart))
    right = max(top.shape[1], bottom.shape[1])
    height = max(left.shape[0], top.shape[0] + bottom.shape[0])
    canvas = np.ones((height, left.shape[1] + right, 3)) * left[0, 0]
    canvas[: left.shape[0], : left.shape[1]] = left
    canvas[: top.shape[0], left.shape[1] : left.shape[1] + top.shape[1]] = top
    start = (right - bottom.shape[1]) // 2
    canvas[top.shape[0] :, left.shape[1] :] = 1.0
    canvas[top.shape[0] : top.shape[0] + bottom.shape[0], left.shape[1] + start :][:, : bottom.shape[1]] = bottom
    figure = Figure(figsize=(canvas.shape[1] / DPI, canvas.shape[0] / DPI))
    figure.add_axes((0, 0, 1, 1)).imshow(canvas, interpolation="nearest")
    figure.axes[0].axis("off")
    figure.savefig(path, dpi=DPI)


if __name__ == "__main__":
    main()
