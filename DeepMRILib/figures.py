"""Pictures of volumes for reports: slices as radiologists look at them, with colour bars, units and outlines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.report_style import INK, MUTED, PALETTE, RULE
from DeepMRILib.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

PURPOSE = "Drawing pictures for a report"
Plane = Literal["axial", "coronal", "sagittal"]

# For each plane: the direction in RAS in which rows run down, columns run right, and slices are counted.
# Radiological convention: seen from the feet or from the front, the patient's right is on the left; a sagittal
# slice is seen from the patient's left, the face to the left.
PLANES: dict[str, tuple[tuple[int, int, int], ...]] = {
    "axial": ((0, -1, 0), (-1, 0, 0), (0, 0, 1)),
    "coronal": ((0, 0, -1), (-1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 0, -1), (0, -1, 0), (1, 0, 0)),
}
EDGES = {"axial": ("R", "A"), "coronal": ("R", "S"), "sagittal": ("A", "S")}
LETTERS = ("LR", "PA", "IS")

MAX_COLUMNS = 4
MAX_PICTURE = 3.2  # inches: larger pictures push each other off the screen
GAP = 0.12
LEGEND_ROW = 0.185
STROKES = ("solid", "dashed", "dashdot", "dotted")
"""Labels beyond the palette's colours take them again with another stroke."""


@dataclass(frozen=True)
class Panel:
    """One image of a montage.

    Attributes:
        name: its title.
        volume: 3D; of complex values the magnitude is shown, NaN is left black.
        unit: of the numbers at the colour bar, e.g. ``"10⁻³ mm²/s"``.
        window: lowest and highest number shown, in that unit; from the data when None.
        colors: a matplotlib colour map; use perceptual ones (gray, viridis, magma, cividis, RdBu_r about zero).
        scale: what voxel values are multiplied by to be in ``unit``, e.g. 1000 for 10⁻³ mm²/s from mm²/s.
    """

    name: str
    volume: Volume
    unit: str = ""
    window: tuple[float, float] | None = None
    colors: str = "gray"
    scale: float = 1.0


@dataclass(frozen=True)
class Marks:
    """Points that are drawn where a slice passes near them.

    Attributes:
        points: (n, 3) in RAS mm.
        color: of the crosses.
        near: in mm; a point this far from a slice, or within half its thickness, is drawn in it.
    """

    points: NDArray
    color: str = "cyan"
    near: float = 2.0


class Oriented(NamedTuple):
    """A volume turned so that ``array[:, :, n]`` is a picture: first row at the top, first column on the left.

    Attributes:
        array: (rows, columns, slices).
        spacing: (row, column, slice) distances in mm.
        affine: (4, 4), index (row, column, slice) to RAS mm.
    """

    array: NDArray
    spacing: tuple[float, float, float]
    affine: NDArray


def oriented(volume: Volume, plane: Plane = "axial") -> Oriented:
    """A volume as pictures in radiological convention, by reordering and flipping its voxel axes alone.

    No voxel is interpolated: an oblique grid is shown as it was acquired, in the plane nearest to the one asked for.

    Args:
        volume: (i, j, k), or (i, j, k, 1).
        plane: axial (patient's right on the left, anterior up), coronal (right on the left, superior up) or
            sagittal (anterior on the left, superior up).

    Raises:
        InputError: several values per voxel, or an unknown plane.

    Example:
        >>> left_to_right = Volume(np.array([1, 2, 3]).reshape(3, 1, 1))  # RAS: i grows towards the patient's right
        >>> oriented(left_to_right).array[0, :, 0]
        array([3, 2, 1])
    """
    array = volume.array
    if array.ndim == 4 and array.shape[3] != 1:
        raise InputError(f"A picture shows one value per voxel; this image has {array.shape[3]}. Choose one of them.")
    if plane not in PLANES:
        raise InputError(f"The plane is {plane!r}; choose one of {', '.join(PLANES)}.")
    array = array.reshape(volume.shape)
    along = np.array(PLANES[plane], dtype=float) @ (volume.affine[:3, :3] / volume.spacing)  # (direction, voxel axis)
    order = max(itertools.permutations(range(3)), key=lambda axes: sum(abs(along[n, axes[n]]) for n in range(3)))
    turned = np.eye(4)[:, [*order, 3]]
    array = array.transpose(order)
    for n in range(3):
        if along[n, order[n]] < 0:
            array = np.flip(array, n)
            flip = np.eye(4)
            flip[n, n], flip[n, 3] = -1, array.shape[n] - 1
            turned = turned @ flip
    affine = volume.affine @ turned
    return Oriented(array, tuple(volume.spacing[axis] for axis in order), affine)


def montage(
    panels: Sequence[Panel],
    *,
    slices: Sequence[int] | None = None,
    count: int = 3,
    plane: Plane = "axial",
    outline: Volume | None = None,
    names: Mapping[int, str] | None = None,
    marks: Sequence[Marks] = (),
    width: float = 9.4,
) -> Figure:
    """Slices of several volumes on one grid: a column for each volume, a row for each slice.

    More than four volumes go on below, in a second band of columns.

    Args:
        panels: what to show; all on the same grid.
        slices: which slices, counted from the feet, the back or the patient's left; spread evenly when None.
        count: how many when ``slices`` is None: within the outline if there is one.
        plane: how to cut; oblique grids are cut along their own axes.
        outline: a mask or label map on the same grid; the border of each label is drawn over the pictures.
        names: what the labels of the outline are called, for a legend.
        marks: points to draw.
        width: of the figure in inches at most.

    Raises:
        InputError: no panel, another grid, or a slice that is not there.
        DependencyError: matplotlib is not installed.
    """
    if not panels:
        raise InputError("There is nothing to draw: give at least one image.")
    volumes = [panel.volume for panel in panels] + ([outline] if outline is not None else [])
    if not all(volume.same_grid(volumes[0]) for volume in volumes):
        raise InputError("The images of one picture must lie on the same grid. Resample them to the first one.")
    views = [oriented(panel.volume, plane) for panel in panels]
    border = None if outline is None else oriented(outline, plane).array
    chosen = _slices(slices, count, views[0].array.shape[2], border)
    legend = {} if border is None or not names else {n: names[n] for n in _labels(border[..., chosen]) if n in names}
    figure, cells, bars = _grid(len(panels), len(chosen), views[0], width, legend)
    for n, (panel, view) in enumerate(zip(panels, views, strict=True)):
        values = _values(panel, view)
        window = panel.window or _window(values[..., chosen])
        for axes, index in zip(cells[n], chosen, strict=True):
            image = _picture(axes, values[..., index], view.spacing, window, panel.colors)
            if border is not None:
                _draw_outline(axes, border[..., index], view.spacing)
            for group in marks:
                _draw_marks(axes, group, view, index)
            if n == 0:
                _write_position(axes, view, index, plane)
        cells[n][0].set_title(panel.name, fontsize=10, fontweight="bold", color=INK, pad=5)
        _color_bar(bars[n], image, panel.unit)
    if legend:
        _draw_legend(figure, legend)
    return figure


def _slices(slices: Sequence[int] | None, count: int, total: int, border: NDArray | None) -> list[int]:
    if slices is not None:
        outside = [index for index in slices if not 0 <= index < total]
        if outside or not len(slices):
            wrong = f"Slice {outside[0]} is not there" if outside else "No slice is chosen"
            raise InputError(f"{wrong}: the image has the slices 0 to {total - 1}.")
        return list(slices)
    found = np.flatnonzero(border.any(axis=(0, 1))) if border is not None else np.arange(total)
    if not found.size:
        found = np.arange(total)
    # the middle of each of `count` equal parts: the outermost slices often show little
    parts = np.linspace(0, found.size, min(count, found.size) + 1)
    return [int(found[int((low + high) / 2)]) for low, high in itertools.pairwise(parts)]


def _values(panel: Panel, view: Oriented) -> NDArray:
    array = np.abs(view.array) if np.iscomplexobj(view.array) else view.array
    return array.astype(np.float32) * np.float32(panel.scale)


def _window(values: NDArray) -> tuple[float, float]:
    """From the 1st to the 99.5th percentile of what is not background; a single bright voxel must not set it."""
    inside = values[np.isfinite(values) & (values != 0)]
    if not inside.size:
        return 0.0, 1.0
    low, high = (float(edge) for edge in np.percentile(inside, (1, 99.5)))
    low = min(low, 0.0) if low < 0.3 * high else low
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _grid(
    panels: int, slices: int, view: Oriented, width: float, legend: Mapping[int, str]
) -> tuple[Figure, list[list[Axes]], list[Axes]]:
    """Axes placed in inches, so that every picture has its true shape whatever the voxels' shape."""
    figure_class = require("matplotlib.figure", PURPOSE).Figure
    bands = -(-panels // MAX_COLUMNS)
    across = -(-panels // bands)
    _, right, down, _ = _extent(view.array.shape, view.spacing)
    cell = min((width - GAP * (across + 1)) / across, MAX_PICTURE, MAX_PICTURE * right / down)
    tall = cell * down / right
    entries, entry = _legend_columns(legend, width)
    width = max(across * (cell + GAP) + GAP, entries * entry)
    title, bar, under = 0.3, 0.09, 0.46
    band = title + slices * tall + (slices - 1) * GAP / 2 + bar + under
    height = bands * band + (LEGEND_ROW * -(-len(legend) // entries) + GAP if legend else 0)
    figure = figure_class(figsize=(width, height), facecolor="white")

    def place(left: float, top: float, wide: float, high: float) -> Axes:
        return figure.add_axes((left / width, 1 - (top + high) / height, wide / width, high / height))

    cells, bars = [], []
    for n in range(panels):
        left = GAP + (n % across) * (cell + GAP)
        top = (n // across) * band + title
        cells.append([place(left, top + m * (tall + GAP / 2), cell, tall) for m in range(slices)])
        bars.append(place(left + 0.1 * cell, top + slices * (tall + GAP / 2) + 0.02, 0.8 * cell, bar))
    return figure, cells, bars


def _extent(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[float, float, float, float]:
    return 0.0, shape[1] * spacing[1], shape[0] * spacing[0], 0.0


def _picture(
    axes: Axes, values: NDArray, spacing: tuple[float, ...], window: tuple[float, float], colors: str
) -> AxesImage:
    image = axes.imshow(
        np.ma.masked_invalid(values),
        cmap=colors,
        vmin=window[0],
        vmax=window[1],
        extent=_extent(values.shape, spacing),
        aspect="auto",  # the axes already have the true shape
    )
    axes.set_facecolor("black")  # seen where a voxel has no value
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _draw_outline(axes: Axes, border: NDArray, spacing: tuple[float, ...]) -> None:
    if min(border.shape) < 2:  # nothing to draw a line around
        return
    down = (np.arange(border.shape[0]) + 0.5) * spacing[0]
    right = (np.arange(border.shape[1]) + 0.5) * spacing[1]
    for label in _labels(border):
        mask = (border == label).astype(float)
        if mask.min() < 1:
            axes.contour(right, down, mask, levels=[0.5], colors=["white"], linewidths=2.0, alpha=0.55)
            axes.contour(right, down, mask, levels=[0.5], linewidths=1.2, **_stroke(label, "colors"))


def _draw_marks(axes: Axes, marks: Marks, view: Oriented, index: int) -> None:
    indices = np.linalg.solve(view.affine, np.c_[marks.points, np.ones(len(marks.points))].T)[:3].T
    near = np.abs(indices[:, 2] - index) * view.spacing[2] <= max(marks.near, view.spacing[2] / 2)
    right, down = (indices[near, 1] + 0.5) * view.spacing[1], (indices[near, 0] + 0.5) * view.spacing[0]
    limits = axes.axis()
    axes.scatter(right, down, marker="+", s=55, linewidths=2.6, color="black", alpha=0.6)
    axes.scatter(right, down, marker="+", s=50, linewidths=1.4, color=marks.color)
    axes.axis(limits)  # a point beyond the picture must not stretch it


def _labels(border: NDArray) -> list[int]:
    return [int(label) for label in np.unique(np.nan_to_num(border)) if label != 0]


def _stroke(label: int, color: str = "color") -> dict[str, Any]:
    # by the label's value, so that a region looks the same in every slice; black is not seen on MR images
    turn, n = divmod(label - 1, len(PALETTE) - 1)
    return {color: PALETTE[n], f"linestyle{'s' if color == 'colors' else ''}": STROKES[turn % len(STROKES)]}


def _legend_columns(legend: Mapping[int, str], width: float) -> tuple[int, float]:
    """How many columns of names there are, and the width of each in inches: a line and letters of 8.5 points."""
    if not legend:
        return 0, 0.0
    entry = 0.6 + 0.075 * max(len(name) for name in legend.values())
    return min(max(1, int(width / entry)), len(legend)), entry


def _draw_legend(figure: Figure, legend: Mapping[int, str]) -> None:
    lines = require("matplotlib.lines", PURPOSE)
    handles = [lines.Line2D([], [], linewidth=2, label=name, **_stroke(label)) for label, name in legend.items()]
    columns, _ = _legend_columns(legend, figure.get_figwidth())
    style = {"loc": "lower left", "frameon": False, "fontsize": 8.5, "labelcolor": INK, "borderpad": 0.3}
    figure.legend(handles=handles, ncols=columns, **style)


def _write_position(axes: Axes, view: Oriented, index: int, plane: Plane) -> None:
    rows, columns = view.array.shape[:2]
    center = view.affine @ [(rows - 1) / 2, (columns - 1) / 2, index, 1]
    axis = int(np.argmax(np.abs(PLANES[plane][2])))
    letter = LETTERS[axis][int(center[axis] >= 0)]
    left, top = EDGES[plane]
    style: dict[str, Any] = {"transform": axes.transAxes, "color": "white", "fontsize": 7.5}
    outline = require("matplotlib.patheffects", PURPOSE).withStroke(linewidth=1.5, foreground="black")
    style["path_effects"] = [outline]
    axes.text(0.02, 0.03, f"{letter} {abs(center[axis]):.0f} mm", va="bottom", **style)
    axes.text(0.02, 0.5, left, va="center", **style)
    axes.text(0.5, 0.98, top, va="top", ha="center", **style)


def _color_bar(axes: Axes, image: AxesImage, unit: str) -> None:
    bar = axes.figure.colorbar(image, cax=axes, orientation="horizontal")
    bar.outline.set_edgecolor(RULE)
    bar.locator = require("matplotlib.ticker", PURPOSE).MaxNLocator(nbins=4)
    bar.update_ticks()
    axes.tick_params(labelsize=8, colors=INK, length=2, pad=2)
    if unit:
        axes.set_xlabel(unit, fontsize=8, color=MUTED, labelpad=1)
