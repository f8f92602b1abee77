"""Pictures of an evaluation: truth against answers with intervals, reliability, coverage and width by family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib.errors import require
from DeepMRILib.iap.evaluating import ALL
from DeepMRILib.iap.report_folder_figures import WIDTH
from DeepMRILib.iap.report_words import Row, cut, is_known, label_of
from DeepMRILib.plots import PURPOSE, dress, new_figure
from DeepMRILib.report_style import INK, MARKERS, MUTED, PALETTE, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
SIDE = 2.9
MOST_POINTS = 400
"""Series in a scatter plot: more hide each other."""
SPREAD = 8.0
"""Values that differ by more than this factor are drawn on logarithmic axes."""
SHIFT = 0.22


def families_of(rows: Sequence[Row]) -> list[str]:
    """The groups of an evaluation, without the one of all series."""
    return sorted({str(row["group"]) for row in rows} - {ALL, ""})


def scatter_figure(rows: Sequence[Row], families: Sequence[str]) -> Figure:
    """Truth against answer of each number, with intervals; a colour and a marker for each family.

    Args:
        rows: of ``EvaluationResult.predictions``, of numbers only.
        families: in the order of the colours.
    """
    names = list(dict.fromkeys(row["parameter"] for row in rows))
    columns = min(COLUMNS, len(names))
    deep = -(-len(names) // columns)
    figure = new_figure(WIDTH * columns / COLUMNS, SIDE * deep + 0.4)
    cells = figure.subplots(deep, columns, squeeze=False).ravel()
    for axes, name in zip(cells, names, strict=False):
        dress(axes)
        _scatter(axes, [row for row in rows if row["parameter"] == name], families)
        axes.set_title(label_of(name), fontsize=10, fontweight="bold", color=INK)
    for axes in cells[len(names) :]:
        axes.set_axis_off()
    for n, axes in enumerate(cells[: len(names)]):
        axes.set_ylabel("image says" if n % columns == 0 else "", fontsize=9, color=INK)
        axes.set_xlabel("truth" if n >= len(names) - columns else "", fontsize=9, color=INK)
    _legend(figure, families)
    return figure


def _scatter(axes: Axes, rows: Sequence[Row], families: Sequence[str]) -> None:
    rows = rows[:: -(-len(rows) // MOST_POINTS)]
    for row in rows:
        n = families.index(row["group"]) if row["group"] in families else 0
        color = PALETTE[n % len(PALETTE)]
        truth, told = float(row["truth"]), float(row["predicted"])
        if is_known(row["low"]):
            axes.plot([truth, truth], [row["low"], row["high"]], color=color, linewidth=0.6, alpha=0.3, zorder=1)
        axes.plot([truth], [told], MARKERS[n % len(MARKERS)], color=color, markersize=3.2, markeredgewidth=0, zorder=2)
    truths, told = (np.array([float(row[name]) for row in rows]) for name in ("truth", "predicted"))
    low, high = float(min(truths.min(), told.min())), float(max(truths.max(), told.max()))
    if low > 0 and high > SPREAD * low:
        axes.set(xscale="log", yscale="log", xlim=(low / 1.3, high * 1.3), ylim=(low / 2, high * 2))
        for axis in (axes.xaxis, axes.yaxis):
            _plain_ticks(axis)
    else:
        room = 0.06 * (high - low) or 1.0
        axes.set(xlim=(low - room, high + room), ylim=(low - 3 * room, high + 3 * room))
    axes.axline((low, low), (high, high) if high > low else (low + 1, low + 1), color=MUTED, linewidth=1,
                linestyle="dashed", zorder=0)  # fmt: skip


def _plain_ticks(axis: Any) -> None:
    ticker = require("matplotlib.ticker", PURPOSE)
    axis.set_major_locator(ticker.LogLocator(base=10, subs=(1.0, 3.0), numticks=8))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def _legend(figure: Figure, families: Sequence[str], *more: Any) -> None:
    line = require("matplotlib.lines", PURPOSE).Line2D
    handles = [
        line(
            [], [], color=PALETTE[n % len(PALETTE)], marker=MARKERS[n % len(MARKERS)], linestyle="none", label=cut(one)
        )
        for n, one in enumerate(families)
    ]
    if handles or more:
        style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
        figure.legend(handles=[*handles, *more], ncols=len(handles) + len(more), **style)


def reliability_figure(rows: Sequence[Row]) -> Figure:
    """How often answers of a probability are right: on the line where probabilities are what they say.

    Args:
        rows: of ``EvaluationResult.calibration``.
    """
    names = list(dict.fromkeys(row["parameter"] for row in rows))
    columns = min(4, len(names))
    deep = -(-len(names) // columns)
    figure = new_figure(WIDTH * columns / 4 + 0.2, 2.25 * deep + 0.2)
    cells = figure.subplots(deep, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for axes, name in zip(cells, names, strict=False):
        dress(axes)
        of = [row for row in rows if row["parameter"] == name]
        total = sum(row["series"] for row in of)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="dashed")
        at, right = [row["probability"] for row in of], [row["correct"] for row in of]
        axes.plot(at, right, color=PALETTE[0], linewidth=1, alpha=0.5)
        axes.scatter(at, right, s=[14 + 130 * row["series"] / total for row in of], color=PALETTE[0], linewidths=0,
                     zorder=3)  # fmt: skip
        axes.set(xlim=(0, 1.03), ylim=(0, 1.06), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        axes.tick_params(labelbottom=True)
        axes.set_title(label_of(name, unit=False), fontsize=9.5, fontweight="bold", color=INK)
    for axes in cells[len(names) :]:
        axes.set_axis_off()
    for n, axes in enumerate(cells[: len(names)]):
        axes.set_ylabel("right" if n % columns == 0 else "", fontsize=9, color=INK)
        axes.set_xlabel("probability" if n >= len(names) - columns else "", fontsize=9, color=INK)
    return figure


def coverage_figure(rows: Sequence[Row], families: Sequence[str], level: float) -> Figure:
    """How many sets and intervals hold the truth, and how wide they are, for each family.

    Args:
        rows: of ``EvaluationResult.scores`` with a coverage.
        families: in the order of the colours.
        level: that was asked for.
    """
    names = list(dict.fromkeys(row["parameter"] for row in rows))
    figure = new_figure(WIDTH, 1.2 + 0.34 * len(names))
    cells = figure.subplots(1, 2, sharey=True)
    for axes, column, title in zip(
        cells, ("coverage", "relative_width"), ("hold the truth", "width, of the spread of the truth"), strict=True
    ):
        dress(axes)
        for row in rows:
            if is_known(row[column]):
                _coverage_point(axes, names.index(row["parameter"]), row, column, families)
        axes.set_xlabel(title, fontsize=9.5, color=INK)
        axes.grid(visible=True, axis="both", color=RULE, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
    cells[0].axvline(level, color=MUTED, linewidth=1.2, linestyle="dashed", zorder=0)
    cells[0].set_xlim(right=1.01)
    cells[1].axvline(1.0, color=MUTED, linewidth=1.2, linestyle="dotted", zorder=0)
    cells[1].set_xlim(left=0)
    cells[0].set_yticks(range(len(names)), [label_of(name, unit=False) for name in names])
    cells[0].set_ylim(len(names) - 0.5, -0.5)
    line = require("matplotlib.lines", PURPOSE).Line2D
    of_all = line([], [], color=INK, marker="|", markersize=11, markeredgewidth=2, linestyle="none", label="all")
    _legend(figure, families, of_all)
    return figure


def _coverage_point(axes: Axes, place: int, row: Row, column: str, families: Sequence[str]) -> None:
    if row["group"] == ALL:
        axes.plot([row[column]], [place], "|", color=INK, markersize=13, markeredgewidth=2, zorder=3)
        return
    n = families.index(row["group"])
    shift = SHIFT * (2 * n / max(len(families) - 1, 1) - 1)
    axes.plot([row[column]], [place + shift], MARKERS[n % len(MARKERS)], color=PALETTE[n % len(PALETTE)],
              markersize=5, markeredgewidth=0, zorder=2)  # fmt: skip
