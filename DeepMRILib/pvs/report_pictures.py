"""Pictures of perivascular spaces: on slices, from three sides, and their sizes by region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.figures import EDGES, Plane, oriented
from DeepMRILib.plots import dress, new_figure
from DeepMRILib.pvs.clusters import connected, occupied
from DeepMRILib.report_style import INK, MUTED, PALETTE
from DeepMRILib.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOUND = "#ff5a36"
"""Of the spaces: seen on gray, and by people who do not tell red from green."""
HIT, MISSED = "#4fd675", "#5aa9ff"
MASK = "#3ec1ff"
PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
_MARGIN = 4


def on_slices(image: Volume, spaces: Volume, brain: Volume, *, rows: int = 2, columns: int = 4) -> Figure:
    """Axial slices through the brain, each above the same with the spaces painted.

    Slices are spread evenly over those that have spaces; all volumes lie on one grid.
    """
    picture, painted, inside = (oriented(volume).array for volume in (image, spaces, brain))
    box = _box(inside)
    busy = np.flatnonzero((painted > 0).any(axis=(0, 1)))
    busy = busy if len(busy) else np.arange(box[2].start, box[2].stop)
    chosen = [int(busy[int((n + 0.5) * len(busy) / columns)]) for n in range(columns)]
    high = float(np.percentile(picture[inside > 0], 99.5))
    down, across = (part.stop - part.start for part in box[:2])
    view = oriented(image)
    figure = new_figure(9.4, 9.4 / columns * rows * (down * view.spacing[0]) / (across * view.spacing[1]) + 0.3)
    grid = figure.subplots(rows, columns)
    for column, index in enumerate(chosen):
        for row in range(rows):
            axes = grid[row][column]
            _gray(axes, picture[box[0], box[1], index], high, view.spacing[:2])
            if row:
                _paint(axes, painted[box[0], box[1], index] > 0, view.spacing[:2])
        height = (view.affine @ [0, 0, index, 1])[2]
        grid[0][column].set_title(f"S {height:.0f} mm", fontsize=9, color=INK)
    return figure


def from_three_sides(image: Volume, spaces: Volume, brain: Volume) -> Figure:
    """All spaces at once, seen through the brain from above, from the front and from the left."""
    figure = new_figure(9.4, 3.9)
    for axes, plane in zip(figure.subplots(1, 3), PLANES, strict=True):
        picture, painted, inside = (oriented(volume, plane) for volume in (image, spaces, brain))
        box = _box(inside.array)
        behind = np.where(inside.array > 0, picture.array, 0)[box].mean(axis=2)
        thickness = (painted.array[box] > 0).sum(axis=2)
        _gray(axes, behind, float(behind.max()) * 1.6, inside.spacing[:2])
        _paint(axes, thickness, inside.spacing[:2], strength=np.clip(0.35 + 0.2 * thickness, 0, 1))
        _letters(axes, plane)
        axes.set_title({"axial": "From above", "coronal": "From the front", "sagittal": "From the left"}[plane],
                       fontsize=9, color=INK)  # fmt: skip
    return figure


def found_and_missed(image: Volume, truth: Volume, found: Mapping[str, Volume], brain: Volume) -> Figure:
    """Of each engine all spaces seen through the brain from above and from the left: found, missed, and wrong ones."""
    planes: tuple[Plane, ...] = ("axial", "sagittal")
    tall = [_height(oriented(brain, plane)) for plane in planes]
    wide = min(9.4 / len(found), 3.6)
    figure = new_figure(wide * len(found), wide * sum(tall) + 0.3)
    cells = figure.subplots(len(planes), len(found), squeeze=False, height_ratios=tall)
    for column, (name, mask) in enumerate(found.items()):
        kinds = dict(zip((HIT, MISSED, FOUND), _compared(np.asarray(mask.array), np.asarray(truth.array)), strict=True))
        for row, plane in enumerate(planes):
            axes = cells[row][column]
            picture, inside = oriented(image, plane), oriented(brain, plane)
            box = _box(inside.array)
            behind = np.where(inside.array > 0, picture.array, 0)[box].mean(axis=2)
            _gray(axes, behind, float(behind.max()) * 2, inside.spacing[:2])
            for color, voxels in kinds.items():
                through = oriented(image.like(voxels), plane).array[box].any(axis=2)
                _paint(axes, through, inside.spacing[:2], color=color)
        cells[0][column].set_title(name, fontsize=10, fontweight="bold", color=INK)
    return figure


def _compared(found: NDArray, truth: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """True clusters that were found, true ones that were not, and found ones that are not true."""
    true_labels, found_labels = connected(truth > 0)[0], connected(found > 0)[0]
    hit = np.isin(true_labels, np.setdiff1d(true_labels[found_labels > 0], [0]))
    right = np.isin(found_labels, np.setdiff1d(found_labels[true_labels > 0], [0]))
    return hit, (true_labels > 0) & ~hit, (found_labels > 0) & ~right


def in_the_box(images: Mapping[str, Volume], brain: Volume) -> Figure:
    """The middle slices of the box in three planes, a row for each image, with the outline of the brain mask."""
    figure = new_figure(9.4, 3.4 * len(images))
    rows = figure.subplots(len(images), 3, squeeze=False)
    for row, (name, image) in zip(rows, images.items(), strict=True):
        for axes, plane in zip(row, PLANES, strict=True):
            picture, inside = oriented(image, plane), oriented(brain, plane)
            index = picture.array.shape[2] // 2
            high = float(np.percentile(np.asarray(image.array)[np.asarray(brain.array) > 0], 99.5))
            _gray(axes, picture.array[..., index], high, picture.spacing[:2])
            if inside.array[..., index].any():
                axes.contour(inside.array[..., index] > 0, levels=[0.5], colors=[MASK], linewidths=1)
            _letters(axes, plane)
        row[0].set_title(name, fontsize=9, color=INK, loc="left")
    return figure


def _letters(axes: Axes, plane: Plane) -> None:
    left, top = EDGES[plane]
    axes.text(0.02, 0.5, left, transform=axes.transAxes, color="white", fontsize=9, va="center")
    axes.text(0.5, 0.98, top, transform=axes.transAxes, color="white", fontsize=9, ha="center", va="top")


def sizes_plot(regions: Sequence[str], volumes: Sequence[float], order: Sequence[str], unit: str = "mm³") -> Figure:
    """The volume of each cluster as a point, a row for each region that has some, with the median of each."""
    groups: Mapping[str, NDArray] = {
        name: np.array([volume for region, volume in zip(regions, volumes, strict=True) if region == name])
        for name in order
        if name in set(regions)
    }
    figure = new_figure(9.4, 1.0 + 0.42 * max(len(groups), 1))
    axes = figure.add_subplot()
    dress(axes)
    random = np.random.default_rng(0)  # spreads points that would lie upon each other
    for row, values in enumerate(groups.values()):
        spread = random.uniform(-0.26, 0.26, len(values))
        axes.plot(values, row + spread, "o", markersize=3.6, color=PALETTE[0], alpha=0.55, markeredgewidth=0)
        axes.vlines(np.median(values), row - 0.36, row + 0.36, color=INK, linewidth=2)
    axes.set_yticks(range(len(groups)), [f"{name}  (n = {len(values)})" for name, values in groups.items()])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    _log_sizes(axes, min(volumes), max(volumes))
    axes.set_xlabel(f"Volume of a space ({unit})", color=INK, fontsize=9.5)
    return figure


def _log_sizes(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis with the numbers that people count in."""
    axes.set_xscale("log")
    axes.set_xlim(low / 1.3, high * 1.3)
    ticks = [base * 10**power for power in range(-3, 7) for base in (1, 2, 5)]
    shown = [tick for tick in ticks if low / 1.3 <= tick <= high * 1.3]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.minorticks_off()


def curve_plot(recall: Sequence[float], precision: Sequence[float], area: float, chance: float) -> Figure:
    """Precision over recall, with chance."""
    figure = new_figure(5.2, 3.8)
    axes = figure.add_subplot()
    dress(axes)
    axes.plot(recall, precision, color=PALETTE[0], linewidth=2, label=f"found (area {area:.3f})")
    axes.axhline(chance, color=MUTED, linestyle="dashed", linewidth=1.2, label=f"chance ({chance:.4f})")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Recall (sensitivity)", color=INK, fontsize=9.5)
    axes.set_ylabel("Precision", color=INK, fontsize=9.5)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def brightness_plot(image: NDArray, brain: NDArray, name: str) -> Figure:
    """The histogram of the brain's brightness in the units of the image."""
    values = image[brain]
    edges = np.linspace(*np.percentile(values, (0.2, 99.8)), 120)
    figure = new_figure(6.2, 2.6)
    axes = figure.add_subplot()
    dress(axes)
    axes.stairs(np.histogram(values, edges)[0] / 1000, edges, fill=True, color=PALETTE[0], alpha=0.35)
    axes.set_xlabel(f"Brightness of the {name} in the brain", color=INK, fontsize=9.5)
    axes.set_ylabel("Thousand voxels", color=INK, fontsize=9.5)
    return figure


def _box(inside: NDArray) -> tuple[slice, slice, slice]:
    box = occupied(inside > 0) or tuple(slice(0, n) for n in inside.shape)
    return tuple(
        slice(max(part.start - _MARGIN, 0), min(part.stop + _MARGIN, n))
        for part, n in zip(box, inside.shape, strict=True)
    )


def _height(inside: Volume) -> float:
    """Of the picture of a brain, over its width."""
    down, across = (part.stop - part.start for part in _box(inside.array)[:2])
    return down * inside.spacing[0] / (across * inside.spacing[1])


def _gray(axes: Axes, picture: NDArray, high: float, spacing: Sequence[float]) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=high or 1, aspect=spacing[0] / spacing[1], interpolation="nearest")
    axes.set_axis_off()


def _paint(
    axes: Axes, where: NDArray, spacing: Sequence[float], strength: NDArray | float = 1.0, color: str = FOUND
) -> None:
    from matplotlib.colors import to_rgb

    layer = np.zeros((*where.shape, 4))
    layer[..., :3] = to_rgb(color)
    layer[..., 3] = np.where(where > 0, strength, 0)
    axes.imshow(layer, aspect=spacing[0] / spacing[1], interpolation="nearest")
