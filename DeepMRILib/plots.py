"""Plots of numbers for reports: points with curves, how values spread within regions, and how two of them agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.report_style import INK, MARKERS, MUTED, PALETTE, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PURPOSE = "Drawing plots for a report"
FEW = 4
REFERENCE_STROKES = ("dashed", "dotted", "dashdot")
MEDIANS = 20
"""Points of a line of medians."""
OUTSIDE_SHOWN = 0.005
"""A smaller part of the points outside a picture's axes is not worth a word."""


@dataclass(frozen=True)
class Curve:
    """Measured points of one region and, if there is one, the curve fitted to them.

    Attributes:
        name: in the legend.
        x, y: (n,) measured points.
        error: (n,) half length of the error bars, in the unit of y; none when None.
        line_x, line_y: (m,) points of the fitted curve; none when None.
        reference: something to compare the others with, drawn in grey.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    error: ArrayLike | None = None
    line_x: ArrayLike | None = None
    line_y: ArrayLike | None = None
    reference: bool = False


def decay_plot(
    curves: Sequence[Curve],
    *,
    x_label: str = "b-value (s/mm²)",
    y_label: str = "Signal relative to b = 0",
    log: bool = False,
    width: float = 7.0,
    height: float = 4.2,
) -> Figure:
    """Measured signals as points and fitted models as lines, one colour and marker for each curve.

    Args:
        curves: at most a handful can be told apart; colours repeat after seven.
        log: a logarithmic y axis, on which one exponential is a straight line; points at or below zero are left out.

    Raises:
        InputError: no curve, or points that do not match in number.
        DependencyError: matplotlib is not installed.
    """
    if not curves:
        raise InputError("There is nothing to plot: give at least one curve.")
    figure, axes = _axes(width, height)
    for n, curve in enumerate(curves):
        _draw_curve(axes, curve, n, log)
    if log:
        axes.set_yscale("log")
        _plain_log_ticks(axes)
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlabel(x_label, color=INK, fontsize=9.5)
    axes.set_ylabel(y_label, color=INK, fontsize=9.5)
    if len(curves) > FEW:  # a long legend inside would hide points
        figure.legend(loc="outside right upper", frameon=False, fontsize=9, labelcolor=INK)
    else:
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def _draw_curve(axes: Axes, curve: Curve, n: int, log: bool) -> None:
    x, y = _points(curve.name, curve.x, curve.y)
    error = None if curve.error is None else _points(curve.name, curve.x, curve.error)[1]
    color = MUTED if curve.reference else PALETTE[n % len(PALETTE)]
    shown = np.isfinite(y) & ((y > 0) | (not log))
    # the bar's lower end stays above zero on a logarithmic axis: half the value is as low as it goes
    bars = None
    if error is not None:
        below = np.minimum(error, 0.5 * y) if log else error
        bars = np.stack([below, error])[:, shown]
    axes.errorbar(
        x[shown],
        y[shown],
        yerr=bars,
        fmt=MARKERS[n % len(MARKERS)],
        color=color,
        markersize=5,
        markeredgecolor="white",
        markeredgewidth=0.6,
        elinewidth=1,
        capsize=2.5,
        label=curve.name,
        zorder=3,
    )
    if curve.line_x is not None and curve.line_y is not None:
        stroke = REFERENCE_STROKES[n % len(REFERENCE_STROKES)] if curve.reference else "solid"
        line = _points(curve.name, curve.line_x, curve.line_y)
        axes.plot(*line, color=color, linewidth=1.6, linestyle=stroke, zorder=2, label="_line")


def curve_panels(
    panels: Mapping[str, Sequence[Curve]],
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float] | None = None,
    log: bool = False,
    columns: int = 3,
    width: float = 9.4,
    height: float = 2.9,
) -> Figure:
    """Several plots of curves side by side with one legend: a curve of one name looks the same in all of them.

    Args:
        panels: title to curves.
        x_ticks: where the x axis has numbers; where matplotlib puts them when None.
        log: a logarithmic y axis.
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
    figure = _figure(width, rows * height + 0.4)
    names = list(dict.fromkeys(curve.name for curves in panels.values() for curve in curves))
    handles = {}
    for place, (title, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(rows, columns, place)
        _dress(axes)
        for curve in curves:
            _draw_curve(axes, curve, names.index(curve.name), log)
            handles.setdefault(curve.name, _handle(curve, names.index(curve.name)))
        if log:
            axes.set_yscale("log")
            _plain_log_ticks(axes)
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
    color = MUTED if curve.reference else PALETTE[n % len(PALETTE)]
    stroke = REFERENCE_STROKES[n % len(REFERENCE_STROKES)] if curve.reference else "solid"
    return require("matplotlib.lines", PURPOSE).Line2D(
        [], [], color=color, label=curve.name, linewidth=1.6, markersize=5, markeredgecolor="white",
        marker=MARKERS[n % len(MARKERS)] if np.size(curve.x) else "none",
        linestyle="none" if curve.line_x is None else stroke,
    )  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """Estimates beside what they should be.

    Attributes:
        name: the plot's title.
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
        rows: what a row of plots is about, e.g. "D (10⁻³ mm²/s)", to its plots, as many in each row.
        width: of the figure in inches; a plot is at most 3 inches wide.

    Raises:
        InputError: no plot.
        DependencyError: matplotlib is not installed.
    """
    columns = max((len(plots) for plots in rows.values()), default=0)
    if not columns:
        raise InputError("There is nothing to plot: give at least one pair of truth and estimates.")
    side = min(3.0, (width - 0.5) / columns)
    figure = _figure(0.5 + columns * side, len(rows) * (side + 0.1))
    for row, (quantity, plots) in enumerate(rows.items()):
        for column, plot in enumerate(plots):
            axes = figure.add_subplot(len(rows), columns, row * columns + column + 1)
            _dress(axes)
            _draw_agreement(axes, plot)
            axes.set_title(plot.name if row == 0 else "", fontsize=10, fontweight="bold", color=INK)
            axes.set_xlabel(f"{quantity}, {x_label}", color=INK, fontsize=8.5)
            axes.set_ylabel(y_label if column == 0 else "", color=INK, fontsize=8.5)
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


def _points(name: str, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    x, y = np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    if x.shape != y.shape:
        raise InputError(f"The curve {name!r} has {x.size} positions for {y.size} values; give one for each.")
    return x, y


def _plain_log_ticks(axes: Axes) -> None:
    """0.1, 0.2, 0.5, 1 rather than powers of ten: a signal decay spans a decade or two."""
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.yaxis.set_major_locator(ticker.LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())


@dataclass(frozen=True)
class LossCurve:
    """How one training went.

    Attributes:
        name: in the legend.
        epochs: (n,) counted from 1.
        training, validation: (n,) losses; NaN where there is none.
    """

    name: str
    epochs: ArrayLike
    training: ArrayLike
    validation: ArrayLike


def loss_plot(curves: Sequence[LossCurve], *, y_label: str = "Loss", width: float = 7.0, height: float = 3.8) -> Figure:
    """Loss of each epoch on a logarithmic axis: dotted in training, solid in validation, whose lowest is marked.

    Args:
        curves: one per network; colours repeat after seven, and more than seven get no legend of their own.

    Raises:
        InputError: no curve, or points that do not match in number.
        DependencyError: matplotlib is not installed.
    """
    if not curves:
        raise InputError("There is nothing to plot: give at least one loss curve.")
    figure, axes = _axes(width, height)
    for n, curve in enumerate(curves):
        color = PALETTE[n % len(PALETTE)]
        axes.plot(*_points(curve.name, curve.epochs, curve.training), color=color, linewidth=1, linestyle=":")
        epochs, losses = _points(curve.name, curve.epochs, curve.validation)
        axes.plot(epochs, losses, color=color, linewidth=1.4)
        if np.isfinite(losses).any():
            best = int(np.nanargmin(losses))
            mark = MARKERS[n % len(MARKERS)]
            axes.plot(epochs[best], losses[best], mark, color=color, markersize=6, markeredgecolor="white", zorder=4)
    axes.set_yscale("log")
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(
        ticker.FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else "")
    )
    axes.tick_params(axis="y", which="minor", labelsize=9, labelcolor=INK)
    axes.set_xlabel("Epoch", color=INK, fontsize=9.5)
    axes.set_ylabel(y_label, color=INK, fontsize=9.5)
    _loss_legend(axes, curves)
    return figure


def _loss_legend(axes: Axes, curves: Sequence[LossCurve]) -> None:
    line = require("matplotlib.lines", PURPOSE).Line2D
    handles = [line([], [], color=INK, linestyle=":", linewidth=1), line([], [], color=INK, linewidth=1.4)]
    names = ["training", "validation"]
    if 1 < len(curves) <= len(PALETTE):
        for n, curve in enumerate(curves):
            handles.append(line([], [], color=PALETTE[n], marker=MARKERS[n], markersize=5))
            names.append(curve.name)
    axes.legend(handles, names, frameon=False, fontsize=9, labelcolor=INK, ncols=2 if len(names) > FEW else 1)


def region_plot(
    regions: Mapping[str, ArrayLike],
    *,
    label: str,
    reference: Mapping[str, float] | None = None,
    reference_name: str = "reference",
    limits: tuple[float, float] | None = None,
    width: float = 7.0,
) -> Figure:
    """How a quantity spreads within regions: median, the middle half as a box, 5th to 95th percentile as a line.

    Args:
        regions: the values of each region's voxels; NaN is left out.
        label: the quantity and its unit, e.g. ``"D (10⁻³ mm²/s)"``.
        reference: a known or published value of some regions, drawn as a diamond.
        reference_name: what that value is, for the legend.
        limits: lowest and highest value of the axis.

    Raises:
        InputError: no region.
        DependencyError: matplotlib is not installed.
    """
    if not regions:
        raise InputError("There is nothing to plot: give at least one region.")
    figure, axes = _axes(width, 1.0 + 0.38 * len(regions))
    marks = []
    for row, (name, values) in enumerate(regions.items()):
        count = _draw_box(axes, row, values)
        marks.append(f"{name}  (n = {count})")
    known = [(reference[name], row) for row, name in enumerate(regions) if reference and name in reference]
    if known:
        style = {"marker": "D", "markersize": 6, "linestyle": "none", "color": PALETTE[1], "zorder": 5}
        axes.plot(*zip(*known, strict=True), label=reference_name, **style)
        figure.legend(loc="outside upper right", frameon=False, fontsize=9, labelcolor=INK)
    axes.set_yticks(range(len(marks)), marks)
    axes.set_ylim(len(marks) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=RULE, linewidth=0.6)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label, color=INK, fontsize=9.5)
    if limits is not None:
        axes.set_xlim(limits)
    return figure


def _draw_box(axes: Axes, row: int, values: ArrayLike) -> int:
    array = np.asarray(values, dtype=float).ravel()
    array = array[np.isfinite(array)]
    if not array.size:
        return 0
    low, first, middle, third, high = np.percentile(array, (5, 25, 50, 75, 95))
    axes.hlines(row, low, high, color=PALETTE[0], linewidth=1.4, zorder=2)
    axes.barh(row, third - first, left=first, height=0.52, color="#bcd9ec", edgecolor=PALETTE[0], linewidth=1, zorder=3)
    axes.vlines(middle, row - 0.26, row + 0.26, color=INK, linewidth=2, zorder=4)
    return array.size


def histogram(
    groups: Mapping[str, ArrayLike],
    *,
    label: str,
    bins: int = 60,
    limits: tuple[float, float] | None = None,
    width: float = 7.0,
    height: float = 3.6,
) -> Figure:
    """The distribution of a quantity in one or a few groups, each scaled to an area of one.

    Args:
        groups: the values of each group; NaN is left out.
        label: the quantity and its unit.
        limits: the range of the axis; from the data's 0.5th to 99.5th percentile when None.

    Raises:
        InputError: no finite value at all.
        DependencyError: matplotlib is not installed.
    """
    arrays = {name: _finite(values) for name, values in groups.items()}
    together = np.concatenate([*arrays.values(), np.empty(0)])
    if not together.size:
        raise InputError("There is nothing to plot: no group has a finite value.")
    low, high = limits if limits is not None else np.percentile(together, (0.5, 99.5))
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    figure, axes = _axes(width, height)
    for n, (name, values) in enumerate(arrays.items()):
        if not values.size:
            continue
        inside = np.histogram(values, edges)[0] / (values.size * np.diff(edges))
        color = PALETTE[n % len(PALETTE)]
        axes.stairs(inside, edges, fill=True, color=color, alpha=0.18)
        axes.stairs(inside, edges, color=color, linewidth=1.6, label=f"{name}  (n = {values.size})")
    axes.set_xlabel(label, color=INK, fontsize=9.5)
    axes.set_ylabel("Density", color=INK, fontsize=9.5)
    axes.set_yticks([])
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def _finite(values: ArrayLike) -> NDArray:
    array = np.asarray(values, dtype=float).ravel()
    return array[np.isfinite(array)]


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    figure = _figure(width, height)
    axes = figure.add_subplot()
    _dress(axes)
    return figure, axes


def _figure(width: float, height: float) -> Figure:
    figure_class = require("matplotlib.figure", PURPOSE).Figure
    return figure_class(figsize=(width, height), facecolor="white", layout="constrained")


def _dress(axes: Axes) -> None:
    """No box around, a light grid behind."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    axes.grid(visible=True, axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
