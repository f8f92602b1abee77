"""Draw the pictures of the sample data in Slicer's Sample Data module: 260 x 280 pixels. Needs matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from DeepMRILib.figures import Panel, oriented
from DeepMRILib.iap.options_network import SimulateOptions
from DeepMRILib.iap.protocols import Family
from DeepMRILib.iap.simulating import one_series
from DeepMRILib.iap.subjects import draw_subject
from DeepMRILib.igs.sampling import SampleOptions, sample
from DeepMRILib.interactive.phantom import lesion_phantom
from DeepMRILib.ivim.phantom import PhantomOptions, make_phantom
from DeepMRILib.pvs.phantom import phantom
from DeepMRILib.pvs.phantom_options import PhantomOptions as PVSPhantomOptions
from DeepMRILib.volume import Volume

WIDTH, HEIGHT = 260, 280
SLICE = 13
"""Shows liver, gallbladder, a lesion, both kidneys, stomach, pancreas and spleen."""


def abdomen_phantom(target: Path) -> None:
    """The phantom at b = 0 above, its map of D below."""
    made = make_phantom(PhantomOptions())
    b_zero = Volume(made.series.array[..., 0], made.series.affine)
    panels = [
        Panel("b = 0", b_zero, window=(0, 950)),
        Panel("D", made.truth["D"], window=(0, 0.003), colors="viridis"),
    ]
    draw(panels, target)


def lesions(target: Path) -> None:
    """An axial slice through two lesions, with their outlines and the points of one."""
    from matplotlib.figure import Figure

    made = lesion_phantom("lobulated", 2, lesions=2)
    image, label = oriented(made.image), oriented(made.label)
    middle = int(np.argmax((label.array > 0).sum(axis=(0, 1))))
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(image.array[..., middle], cmap="gray", interpolation="bilinear")
    for number, color in ((1, "#2ec4b6"), (2, "#ef5d55")):
        axes.contour(label.array[..., middle] == number, [0.5], colors=color, linewidths=1.8)
    rows, columns = np.nonzero(label.array[..., middle] == 1)
    for row, column in _extremes(rows, columns):
        axes.plot(column, row, "o", color="#ffb81a", markeredgecolor="black", markersize=7)
    center, half = np.argwhere(label.array[..., middle] > 0).mean(axis=0), 36
    axes.set(xlim=(center[1] - half * WIDTH / HEIGHT, center[1] + half * WIDTH / HEIGHT))
    axes.set(ylim=(center[0] + half, center[0] - half))
    axes.set_axis_off()
    figure.savefig(target, dpi=100, facecolor="black")


def head_with_spaces(target: Path) -> None:
    """The axial slice of the generated head that holds most of its tubes, with these painted."""
    from matplotlib.figure import Figure

    made = phantom(options=PVSPhantomOptions())
    image, truth = oriented(made.images["t1"]), oriented(made.truth)
    tubes = truth.array > 0
    middle = int(np.argmax(tubes.sum(axis=(0, 1))))
    nearby = tubes[..., max(middle - 2, 0) : middle + 3].any(axis=2)
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    high = float(np.percentile(image.array, 99.5))
    axes.imshow(image.array[..., middle], cmap="gray", vmin=0, vmax=high, interpolation="bilinear")
    painted = np.zeros((*nearby.shape, 4))
    painted[nearby] = (1.0, 0.62, 0.26, 1.0)
    axes.imshow(painted, interpolation="nearest")
    rows = image.array.shape[0]
    half = rows * WIDTH / HEIGHT / 2
    axes.set(xlim=(image.array.shape[1] / 2 - half, image.array.shape[1] / 2 + half), ylim=(rows, 0))
    axes.set_axis_off()
    figure.savefig(target, dpi=100, facecolor="black")


def hearts(target: Path) -> None:
    """One drawn heart with the outlines of its chambers, above the lines of its k-space that serve them."""
    from matplotlib.figure import Figure

    made = sample(SampleOptions(cases=2))
    image, labels = made.image.array[..., 1].T, made.labels.array[..., 1].T
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="black")
    axes = figure.add_axes((0, 0.2, 1, 0.8))
    axes.imshow(image, cmap="gray", vmin=0, vmax=float(np.percentile(image, 99.5)), interpolation="bilinear")
    for number, color in ((1, "#ff9f43"), (2, "#ef5d55"), (3, "#4d8fe0")):
        axes.contour(labels == number, [0.5], colors=color, linewidths=1.6)
    rows = 0.72 * len(image)
    columns = rows * WIDTH / (0.8 * HEIGHT)
    middle = len(image) / 2
    axes.set(xlim=(middle - columns / 2, middle + columns / 2), ylim=(middle + rows / 2, middle - rows / 2))
    axes.set_axis_off()
    below = figure.add_axes((0, 0, 1, 0.18))
    for offset in (-22, -13, -8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 9, 14, 25):
        below.axvline(offset, color="#2ec4b6", lw=2.2)
    below.set(xlim=(-32, 32))
    below.set_axis_off()
    figure.savefig(target, dpi=100, facecolor="black")


def one_head_three_ways(target: Path) -> None:
    """One simulated head as spin echo, gradient echo and inversion recovery, with what each says of itself."""
    from matplotlib.figure import Figure

    options = SimulateOptions(size=192, slices=1)
    random = np.random.default_rng(11)
    subject = next(one for one in iter(lambda: draw_subject(random, 0.05), None) if one.anatomy == "head")
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="black")
    places: dict[Family, tuple[float, float, float, float]] = {
        "SE": (0, 0.42, 1, 0.58), "GRE": (0, 0, 0.5, 0.42), "IR": (0.5, 0, 0.5, 0.42),
    }  # fmt: skip
    for family, place in places.items():
        series = one_series(subject, family, options, random, name=f"SIM-{family}", patient="SIM")
        picture = series.slices[0]
        axes = figure.add_axes(place)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=float(np.percentile(picture, 99.7)), interpolation="bilinear")
        axes.set_axis_off()
        drawn = series.protocol
        text = f"TR {drawn.tr:.0f}  TE {drawn.te:.0f}  {drawn.field:g} T"
        axes.text(0.03, 0.95, text, transform=axes.transAxes, color="#2ec4b6", fontsize=7, va="top")
    figure.savefig(target, dpi=100, facecolor="black")


def _extremes(rows: np.ndarray, columns: np.ndarray) -> list[tuple[float, float]]:
    """A little inside the outermost pixels on four sides."""
    middle = np.array([rows.mean(), columns.mean()])
    outermost = [rows.argmin(), rows.argmax(), columns.argmin(), columns.argmax()]
    return [tuple(middle + 0.72 * (np.array([rows[n], columns[n]]) - middle)) for n in outermost]


def draw(panels: list[Panel], target: Path) -> None:
    """One slice of each volume, one above the other, cut to the width and height of a thumbnail."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), facecolor="black")
    share = 1 / len(panels)
    for n, panel in enumerate(panels):
        view = oriented(panel.volume)
        picture = view.array[..., SLICE]
        tall, wide = np.multiply(picture.shape, view.spacing[:2])
        axes = figure.add_axes((0, 1 - (n + 1) * share, 1, share))
        low, high = panel.window or (float(picture.min()), float(picture.max()))
        colors = colormaps[panel.colors].with_extremes(bad="black")
        shown = np.ma.masked_equal(picture, 0)  # air stays black in a map
        extent = (0, wide, tall, 0)
        axes.imshow(shown, cmap=colors, vmin=low, vmax=high, extent=extent, interpolation="nearest")
        # the patient fills the frame: the air around is cut off
        rows = 0.74 * tall
        columns = rows * WIDTH / (HEIGHT * share)
        axes.set(xlim=((wide - columns) / 2, (wide + columns) / 2), ylim=((tall + rows) / 2, (tall - rows) / 2))
        axes.set_axis_off()
        axes.text(0.03, 0.94, panel.name, transform=axes.transAxes, color="white", fontsize=8, va="top")
    figure.savefig(target, dpi=100, facecolor="black")


if __name__ == "__main__":
    abdomen_phantom(ROOT / "IVIMFit" / "Resources" / "Icons" / "IVIMFitAbdomenPhantom.png")
    lesions(ROOT / "InteractiveSeg" / "Resources" / "Icons" / "InteractiveSegLesion.png")
    head_with_spaces(ROOT / "PVSSegment" / "Resources" / "Icons" / "PVSSegmentPhantom.png")
    hearts(ROOT / "KSpaceIGS" / "Resources" / "Icons" / "KSpaceIGSHeart.png")
    one_head_three_ways(ROOT / "IAPPredict" / "Resources" / "Icons" / "IAPPredictSeries.png")
