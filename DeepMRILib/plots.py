"""Plots of numbers for reports: measured points with fitted curves, and how values spread within regions."""

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

PURPOSE = "Drawing plots for a report"
FEW = 4
REFERENCE_STROKES = ("dashed", "dotted", "dashdot")


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
        draw_curve(axes, curve, n, log)
    if log:
        axes.set_yscale("log")
        plain_log_ticks(axes)
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_xlabel(x_label, color=INK, fontsize=9.5)
    axes.set_ylabel(y_label, color=INK, fontsize=9.5)
    if len(curves) > FEW:  # a long legend inside would hide points
        figure.legend(loc="outside right upper", frameon=False, fontsize=9, labelcolor=INK)
    else:
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
    return figure


def draw_curve(axes: Axes, curve: Curve, n: int, log: bool) -> None:
    """Points, error bars and line in the colour and with the marker of place n."""
    x, y = _points(curve.name, curve.x, curve.y)
    error = None if curve.error is None else _points(curve.name, curve.x, curve.error)[1]
    color = color_of(curve, n)
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
        line = _points(curve.name, curve.line_x, curve.line_y)
        axes.plot(*line, color=color, linewidth=1.6, linestyle=stroke_of(curve, n), zorder=2)


def color_of(curve: Curve, n: int) -> str:
    """The colour of the curve at place n."""
    return MUTED if curve.reference else PALETTE[n % len(PALETTE)]


def stroke_of(curve: Curve, n: int) -> str:
    """How its line is drawn: references are broken."""
    return REFERENCE_STROKES[n % len(REFERENCE_STROKES)] if curve.reference else "solid"


def _points(name: str, x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    x, y = np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    if x.shape != y.shape:
        raise InputError(f"The curve {name!r} has {x.size} positions for {y.size} values; give one for each.")
    return x, y


def plain_log_ticks(axes: Axes) -> None:
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
    """Loss of each epoch: dotted in training, solid in validation, whose lowest is marked.

    The axis is logarithmic, but for losses that fall below 0, as the negative logarithm of a likelihood does.

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
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    losses = np.concatenate([np.ravel(values) for one in curves for values in (one.training, one.validation)])
    if not np.any(losses <= 0):
        _log_losses(axes)
    axes.set_xlabel("Epoch", color=INK, fontsize=9.5)
    axes.set_ylabel(y_label, color=INK, fontsize=9.5)
    _loss_legend(axes, curves)
    return figure


def _log_losses(axes: Axes) -> None:
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(
        ticker.FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "235" else "")
    )
    axes.tick_params(axis="y", which="minor", labelsize=9, labelcolor=INK)


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
    figure = new_figure(width, height)
    axes = figure.add_subplot()
    dress(axes)
    return figure, axes


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    figure_class = require("matplotlib.figure", PURPOSE).Figure
    return figure_class(figsize=(width, height), facecolor="white", layout="constrained")


def dress(axes: Axes) -> None:
    """No box around, a light grid behind."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.tick_params(colors=INK, labelsize=9, length=3)
    axes.grid(visible=True, axis="y", color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
