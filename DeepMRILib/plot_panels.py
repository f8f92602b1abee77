"""Several plots beside each other for reports: curves that share a legend, estimates against what they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from DeepMRILib.errors import InputError, require
from DeepMRILib.plots import PURPOSE, Curve, color_of, draw_curve, dress, new_figure, plain_log_ticks, stroke_of
from DeepMRILib.report_style import INK, MARKERS, MUTED, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MEDIANS = 20
"""Points of a line of medians."""
OUTSIDE_SHOWN = 0.005
"""A smaller part of the points beyond the axes is not worth a word."""


def curve_panels(
    panels: Mapping[str, Sequence[Curve]],
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float] | None = None,
    log: bool = False,
    share_y: bool = False,
    columns: int = 3,
    width: float = 9.4,
    height: float = 2.9,
) -> Figure:
    """Several plots of curves side by side with one legend: a curve of one name looks the same in all of them.

    Args:
        panels: title to curves.
        x_ticks: where the x axis has numbers; where matplotlib puts them when None.
        log: a logarithmic y axis.
        share_y: one y axis for all plots.
        columns: how many plots stand beside each other.
        width: of the figure in inches.
        height: of each plot in inches.

    Raises:
        InputError: no plot, or points that do not match in number.
        DependencyError: matplotlib is not installed.
    """
    if not panels:
        raise InputError("There is nothing to plot: give at least one plot.")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(width, rows * height + 0.4)
    names = list(dict.fromkeys(curve.name for curves in panels.values() for curve in curves))
    handles: dict[str, Line2D] = {}
    axes = None
    for place, (title, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, columns, place, sharey=axes if share_y else None)
        dress(axes)
        for curve in curves:
            draw_curve(axes, curve, names.index(curve.name), log)
            handles.setdefault(curve.name, _handle(curve, names.index(curve.name)))
        if log:
            axes.set_yscale("log")
            plain_log_ticks(axes)
        else:
            axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        if x_ticks is not None:
            axes.set_xticks(list(x_ticks))
        axes.set_title(title, fontsize=10, fontweight="bold", color=INK)
        axes.set_xlabel(x_label if place > len(panels) - columns else "", color=INK, fontsize=9.5)
        axes.set_ylabel(y_label if place % columns == 1 or columns == 1 else "", color=INK, fontsize=9.5)
    style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
    figure.legend(handles=[handles[name] for name in names], ncols=min(len(names), 6), **style)
    return figure


def _handle(curve: Curve, n: int) -> Line2D:
    """A curve's sign in a legend: its marker if it has points, its line if it has one."""
    return require("matplotlib.lines", PURPOSE).Line2D(
        [], [], color=color_of(curve, n), label=curve.name, linewidth=1.6, markersize=5, markeredgecolor="white",
        marker=MARKERS[n % len(MARKERS)] if np.size(curve.x) else "none",
        linestyle="none" if curve.line_x is None else stroke_of(curve, n),
    )  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """Estimates beside what they should be.

    Attributes:
        name: the quantity and its unit, above the first row.
        truth, found: (n,) pairs; those that are not finite are left out.
        limits: of both axes; pairs outside are counted in the plot.
    """

    name: str
    truth: ArrayLike
    found: ArrayLike
    limits: tuple[float, float]


def agreement_panels(
    rows: Mapping[str, Sequence[Agreement]], *, x_label: str = "truth", y_label: str = "estimate", width: float = 9.4
) -> Figure:
    """How many pairs lie where, with the line of agreement and the median of the estimates along the truth.

    Args:
        rows: what a row of plots is about, such as a method, to its plots: the same quantities in each row.
        width: of the figure in inches; a plot is at most 3 inches wide.

    Raises:
        InputError: no plot.
        DependencyError: matplotlib is not installed.
    """
    columns = max((len(plots) for plots in rows.values()), default=0)
    if not columns:
        raise InputError("There is nothing to plot: give at least one pair of truth and estimates.")
    side = min(3.0, (width - 0.5) / columns)
    figure = new_figure(0.5 + columns * side, len(rows) * (side + 0.1))
    for row, (words, plots) in enumerate(rows.items()):
        for column, plot in enumerate(plots):
            axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
            dress(axes)
            _draw_agreement(axes, plot)
            axes.set_title(plot.name if row == 0 else "", fontsize=10, fontweight="bold", color=INK)
            axes.set_xlabel(x_label if row == len(rows) - 1 else "", color=INK, fontsize=9)
            axes.set_ylabel(f"{words}, {y_label}" if column == 0 else "", color=INK, fontsize=9)
    return figure


def _draw_agreement(axes: Axes, plot: Agreement) -> None:
    truth, found = (np.asarray(values, dtype=float).ravel() for values in (plot.truth, plot.found))
    valid = np.isfinite(truth) & np.isfinite(found)
    truth, found = truth[valid], found[valid]
    low, high = plot.limits
    norm = require("matplotlib.colors", PURPOSE).PowerNorm(0.5)
    edges = np.linspace(low, high, 61)
    axes.hist2d(truth, found, bins=(edges, edges), cmap="Blues", cmin=1, norm=norm)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle="dashed")
    if truth.size > 10 * MEDIANS:
        parts = np.array_split(np.argsort(truth, kind="stable"), MEDIANS)
        middle = [(np.median(truth[part]), np.median(found[part])) for part in parts]
        axes.plot(*zip(*middle, strict=True), color=PALETTE[1], linewidth=1.8)
    outside = np.mean((found < low) | (found > high)) if found.size else 0.0
    if outside > OUTSIDE_SHOWN:
        style = {"transform": axes.transAxes, "fontsize": 8, "color": INK, "ha": "left", "va": "top"}
        axes.text(0.03, 0.98, f"{outside:.0%} beyond the axis", **style)
    axes.set(xlim=plot.limits, ylim=plot.limits, aspect="equal")
