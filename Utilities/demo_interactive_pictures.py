"""Pictures of lesions with several outlines, in three planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from demo_interactive_material import ENGINES
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from DeepMRILib.figures import PLANES, Oriented, Plane, oriented
from DeepMRILib.plots import new_figure
from DeepMRILib.report_style import INK, PALETTE
from DeepMRILib.volume import Volume

TRUE_COLOUR = "#ffffff"
MARGIN_MM = 14.0
ROW = 2.55
NEAR_MM = 3.0
GREYS = (0.5, 99.7)
"""Percentiles of the image that are black and white."""


def outlines(
    lesions: Mapping[str, tuple[Volume, NDArray]],
    found: Mapping[str, Mapping[str, NDArray]],
    points: Mapping[str, Sequence[tuple[NDArray, str]]],
    at: NDArray | None = None,
) -> Figure:
    """A row for each lesion, a column for each plane; the truth is a broken white line.

    Args:
        lesions: image and truth (i, j, k) by name.
        found: of each, what methods found (i, j, k) by their names among ``ENGINES``.
        points: of each, groups of points (n, 3) in RAS mm with their colour.
        at: the place (3,) in RAS mm that slices go through; by default the middle of the lesion.
    """
    drawn = {name for masks in found.values() for name in masks}
    # a method has the same colour in every picture
    colours = {name: PALETTE[n] for n, name in enumerate(ENGINES.values()) if name in drawn}
    height = ROW * len(lesions) + 0.45
    figure = new_figure(9.4, height)
    figure.set_layout_engine("none")
    for row, (name, (image, truth)) in enumerate(lesions.items()):
        for column, plane in enumerate(PLANES):
            box = (0.005 + column / 3, 1 - (row + 1) * ROW / height, 0.325, (ROW - 0.28) / height)
            axes = figure.add_axes(box)
            view = Shown.of(image, truth, plane, at)
            view.draw(axes, {colours[method]: mask for method, mask in found[name].items()})
            view.mark(axes, points[name])
            axes.set_title(f"{name}, {plane}" if column == 0 else plane, fontsize=9, color=INK, pad=3)
    lines = [Line2D([], [], color=colour, linewidth=2) for colour in colours.values()]
    lines.append(Line2D([], [], color="#808080", linestyle="dashed", linewidth=2))
    figure.legend(lines, [*colours, "truth"], loc="lower center", ncols=len(lines), frameon=False, fontsize=9,
                  labelcolor=INK)  # fmt: skip
    return figure


@dataclass(frozen=True, eq=False)
class Shown:
    """One slice of an image, cut to the surroundings of its lesion.

    Attributes:
        image, truth: (i, j, k).
        plane: how it is cut.
        part: the rows and columns that are shown.
        index: the slice.
    """

    image: Volume
    truth: NDArray
    plane: Plane
    part: tuple[slice, slice]
    index: int

    @classmethod
    def of(cls, image: Volume, truth: NDArray, plane: Plane, at: NDArray | None) -> Shown:
        """The slice through a place in RAS mm, or through the lesion's middle."""
        view = oriented(image.like(truth.astype(np.uint8)), plane)
        inside = np.argwhere(view.array)
        low, high = inside.min(axis=0), inside.max(axis=0)
        margin = np.ceil(MARGIN_MM / np.array(view.spacing)).astype(int)
        start = np.maximum(low - margin, 0)
        stop = np.minimum(high + margin + 1, view.array.shape)
        part = tuple(slice(a, b) for a, b in zip(start[:2], stop[:2], strict=True))
        middle = (low + high)[2] // 2 if at is None else round(_indices(view, at[None])[0, 2])
        return cls(image, truth, plane, part, int(np.clip(middle, 0, view.array.shape[2] - 1)))

    def _slice(self, array: NDArray) -> NDArray:
        return oriented(self.image.like(array), self.plane).array[..., self.index][self.part]

    def draw(self, axes: Axes, found: Mapping[str, NDArray]) -> None:
        """The image with the outlines of what was found, by their colour, and of the truth."""
        view = oriented(self.image, self.plane)
        values = view.array[..., self.index][self.part]
        low, high = np.percentile(values, GREYS)
        tall, wide = (n * edge for n, edge in zip(values.shape, view.spacing, strict=False))
        axes.imshow(values, cmap="gray", vmin=low, vmax=high, extent=(0, wide, tall, 0), aspect="equal")
        lines = [(self._slice(mask), colour, "solid") for colour, mask in found.items()]
        for mask, colour, stroke in (*lines, (self._slice(self.truth), TRUE_COLOUR, "dashed")):
            if mask.any() and not mask.all():
                down, right = ((np.arange(n) + 0.5) * edge for n, edge in zip(mask.shape, view.spacing, strict=False))
                axes.contour(right, down, mask.astype(float), [0.5], colors=[colour], linestyles=[stroke],
                             linewidths=1.4)  # fmt: skip
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_visible(False)

    def mark(self, axes: Axes, groups: Sequence[tuple[NDArray, str]]) -> None:
        """Crosses where points lie near the slice."""
        view = oriented(self.image, self.plane)
        limits = axes.axis()
        for points, colour in groups:
            placed = _indices(view, points)
            placed = placed[np.abs(placed[:, 2] - self.index) * view.spacing[2] <= max(view.spacing[2], NEAR_MM)]
            down, right = ((placed[:, a] - self.part[a].start + 0.5) * view.spacing[a] for a in range(2))
            axes.scatter(right, down, marker="+", s=45, linewidths=2.6, color="black")
            axes.scatter(right, down, marker="+", s=40, linewidths=1.4, color=colour)
        axes.axis(limits)


def _indices(view: Oriented, points: NDArray) -> NDArray:
    """Points (n, 3) in RAS mm as (row, column, slice)."""
    return np.linalg.solve(view.affine, np.c_[points, np.ones(len(points))].T)[:3].T
