"""Pictures of a folder of series: what headers hold, how values are spread, what goes with what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib.errors import require
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.report_words import Row, cut, is_known, label_of, value_text
from DeepMRILib.plots import PURPOSE, dress, new_figure
from DeepMRILib.report_style import INK, MUTED, PALETTE, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 9.4
COLUMNS = 3
PLOT = 1.95
BINS = 20
MOST_BARS = 8
"""Words and values with bars of their own; the rest is one bar."""
FEW_NUMBERS = 4
"""The same of parameters that can have any value."""
SHORT = 18
EMPTY = "#e3e7ec"
LIGHT = 0.55
"""Of a colour scale: above it the number in a cell is white."""


def coverage_figure(rows: Sequence[Row]) -> Figure:
    """How many series have each parameter, the fullest above.

    Args:
        rows: of ``AuditResult.coverage``.
    """
    rows = sorted(rows, key=lambda row: -row["present"])
    figure = new_figure(WIDTH * 0.8, 0.8 + 0.23 * len(rows))
    axes = figure.add_subplot()
    dress(axes)
    present, missing = ([row[name] for row in rows] for name in ("present", "missing"))
    at = range(len(rows))
    axes.barh(at, present, color=PALETTE[0], height=0.7, label="present")
    axes.barh(at, missing, left=present, color=EMPTY, edgecolor=MUTED, linewidth=0.5, hatch="////", height=0.7,
              label="missing")  # fmt: skip
    axes.set_yticks(at, [label_of(row["parameter"], unit=False) for row in rows])
    axes.tick_params(axis="y", labelsize=8.5, length=0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("series", color=INK, fontsize=9.5)
    axes.xaxis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(6, integer=True))
    _legend_below(figure, axes)
    return figure


def histogram_figure(values: Mapping[str, Sequence[Any]]) -> Figure:
    """How the values of each parameter are spread; bars for words and for few different numbers.

    Args:
        values: of the series, by parameter; None where there is none.
    """
    known = {name: [one for one in column if is_known(one)] for name, column in values.items()}
    known = {name: column for name, column in known.items() if column}
    figure, cells = _cells(len(known))
    for axes, (name, column) in zip(cells, known.items(), strict=False):
        dress(axes)
        numbers = all(isinstance(one, (int, float)) for one in column)
        if numbers and _is_spread(name, len(set(column))):
            _ranges(axes, np.array(column, dtype=float), {"": None})
        else:
            _bars(axes, Counter(value_text(one) for one in column), numbers)
        axes.set_title(label_of(name), fontsize=9.5, fontweight="bold", color=INK)
    return figure


def _is_spread(name: str, different: int) -> bool:
    """Whether values are drawn in ranges, not each as a bar."""
    most = FEW_NUMBERS if name in BY_NAME and BY_NAME[name].kind == "continuous" else MOST_BARS
    return different > most


def _ranges(axes: Axes, numbers: Any, weights: Mapping[str, Any]) -> None:
    """Histograms in ranges that are equal, or of equal ratio where numbers are far apart; one for each split.

    Args:
        axes: to draw on.
        numbers: (n,) values.
        weights: of each split, how often each occurs; None once each.
    """
    low, high = float(numbers.min()), float(numbers.max())
    spread = low > 0 and high > 20 * low
    edges = np.geomspace(low, high, BINS + 1) if spread else np.linspace(low, high, BINS + 1)
    for n, counts in enumerate(weights.values()):
        inside = np.histogram(numbers, edges, weights=counts)[0]
        axes.stairs(inside, edges, fill=True, color=PALETTE[n], alpha=1.0 if len(weights) == 1 else 0.35)
        if len(weights) > 1:
            axes.stairs(inside, edges, color=PALETTE[n], linewidth=1.2)
    if spread:
        axes.set_xscale("log")
        plain_log(axes)
    _whole(axes)


def plain_log(axes: Axes) -> None:
    """10, 20, 50, 100 along a logarithmic x axis."""
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.xaxis.set_major_locator(ticker.LogLocator(base=10, subs=(1.0, 3.0), numticks=7))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())


def _bars(axes: Axes, counts: Counter[str], numbers: bool) -> None:
    shown = counts.most_common(MOST_BARS)
    more = len(counts) - len(shown)
    shown = sorted(shown, key=lambda one: float(one[0])) if numbers else shown
    if more:
        shown.append((f"{more} more", sum(counts.values()) - sum(count for _, count in shown)))
    axes.barh(range(len(shown)), [count for _, count in shown], color=PALETTE[0], height=0.7)
    axes.set_yticks(range(len(shown)), [cut(word, SHORT) for word, _ in shown])
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.set_ylim(max(len(shown), 3) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=RULE, linewidth=0.6)
    axes.xaxis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(4, integer=True))


def _whole(axes: Axes) -> None:
    axes.yaxis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(4, integer=True))


def split_histogram_figure(rows: Sequence[Row]) -> Figure:
    """The histograms of an analysis, a colour for each split.

    Args:
        rows: of ``AnalysisResult.histograms``.
    """
    names = list(dict.fromkeys(row["parameter"] for row in rows))
    splits = list(dict.fromkeys(row["split"] for row in rows))
    figure, cells = _cells(len(names))
    for axes, name in zip(cells, names, strict=False):
        dress(axes)
        of = [row for row in rows if row["parameter"] == name]
        if is_known(of[0]["from"]):
            _split_ranges(axes, of, splits)
        elif _is_spread(name, len({row["value"] for row in of})) and isinstance(of[0]["value"], (int, float)):
            weights = {one: [row["count"] * (row["split"] == one) for row in of] for one in splits}
            _ranges(axes, np.array([row["value"] for row in of], dtype=float), weights)
        else:
            _split_bars(axes, of, splits)
        axes.set_title(label_of(name), fontsize=9.5, fontweight="bold", color=INK)
    if len(splits) > 1:
        patch = require("matplotlib.patches", PURPOSE).Patch
        handles = [
            patch(color=PALETTE[n % len(PALETTE)], label=cut(one, SHORT) or "no split") for n, one in enumerate(splits)
        ]
        style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
        figure.legend(handles=handles, ncols=min(len(handles), 6), **style)
    return figure


def _split_ranges(axes: Axes, rows: Sequence[Row], splits: Sequence[str]) -> None:
    for n, split in enumerate(splits):
        of = [row for row in rows if row["split"] == split]
        edges = [*(row["from"] for row in of), of[-1]["to"]]
        style = {"color": PALETTE[n % len(PALETTE)]}
        axes.stairs([row["count"] for row in of], edges, fill=True, alpha=0.35, **style)
        axes.stairs([row["count"] for row in of], edges, linewidth=1.2, **style)
    _whole(axes)


def _split_bars(axes: Axes, rows: Sequence[Row], splits: Sequence[str]) -> None:
    totals: Counter[str] = Counter()
    for row in rows:
        totals[value_text(row["value"])] += row["count"]
    words = [word for word, _ in totals.most_common(MOST_BARS)]
    words = [word for word in dict.fromkeys(value_text(row["value"]) for row in rows) if word in words]
    tall = 0.8 / len(splits)
    for n, split in enumerate(splits):
        counts = {value_text(row["value"]): row["count"] for row in rows if row["split"] == split}
        at = [place - 0.4 + (n + 0.5) * tall for place in range(len(words))]
        axes.barh(at, [counts.get(word, 0) for word in words], height=tall, color=PALETTE[n % len(PALETTE)])
    more = len(totals) - len(words)
    axes.set_yticks(range(len(words)), [cut(word, SHORT) for word in words])
    axes.set_ylim(max(len(words), 3) - 0.5, -0.5)
    axes.tick_params(axis="y", labelsize=8, length=0)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(4, integer=True))
    if more:
        axes.set_xlabel(f"and {more} rarer values", fontsize=8, color=MUTED)


def association_figure(names: Sequence[str], values: Any) -> Figure:
    """How much each parameter tells of each other, from blue over white to orange.

    Args:
        names: n parameters.
        values: (n, n), -1 to 1; NaN where it is not known.
    """
    labels = [label_of(name, unit=False) for name in names]
    side = max(3.2, 0.42 * len(names)) + 1.6
    figure = new_figure(min(side + 1.0, WIDTH), min(side, WIDTH - 1))
    axes = figure.add_subplot()
    matrix = np.ma.masked_invalid(np.array(values, dtype=float))
    drawn = axes.imshow(matrix, cmap="PuOr_r", vmin=-1, vmax=1)
    axes.set_facecolor(EMPTY)
    _name_axes(axes, labels, labels)
    if len(names) <= 16:
        _write_cells(axes, matrix, lambda value: f"{value:.1f}".replace("-0.0", "0.0"), abs(matrix))
    _bar(figure, axes, drawn, "association")
    return figure


def confusion_figure(rows: Sequence[Row], *, true_name: str = "header", most: int = 6) -> Figure:
    """Of each parameter, how often which answer met which truth; rows are the truth, shades are fractions of it.

    Args:
        rows: of the table ``confusion``.
        true_name: what the truth is called.
        most: how many parameters are drawn.
    """
    names = list(dict.fromkeys(row["parameter"] for row in rows))[:most]
    columns = min(COLUMNS, len(names))
    deep = -(-len(names) // columns)
    figure = new_figure(WIDTH * columns / COLUMNS if columns > 1 else 4.2, 3.3 * deep)
    cells = figure.subplots(deep, columns, squeeze=False).ravel()
    for axes, name in zip(cells, names, strict=False):
        _confusion(axes, [row for row in rows if row["parameter"] == name])
        axes.set_title(label_of(name), fontsize=9.5, fontweight="bold", color=INK)
        axes.set_xlabel("image", fontsize=9, color=INK)
        axes.set_ylabel(true_name, fontsize=9, color=INK)
    for axes in cells[len(names) :]:
        axes.set_axis_off()
    return figure


def _confusion(axes: Axes, rows: Sequence[Row]) -> None:
    # the answer's classes in the order of the truth's, so that what is right lies on the diagonal
    words = sorted({str(row[end]) for row in rows for end in ("header", "predicted")}, key=by_size)
    truths = [word for word in words if any(str(row["header"]) == word for row in rows)]
    counts = np.zeros((len(truths), len(words)), dtype=int)
    for row in rows:
        counts[truths.index(str(row["header"])), words.index(str(row["predicted"]))] += int(row["count"])
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    _name_axes(axes, [cut(_plain(word), 10) for word in words], [cut(_plain(word), 10) for word in truths])
    if len(words) <= 12:
        _write_cells(axes, counts, lambda value: str(value) if value else "", share)


def _plain(word: str) -> str:
    """1.5 of 1.5000; words stay."""
    return word if by_size(word)[0] == math.inf else value_text(float(word))


def bars_figure(counts: Mapping[str, int], label: str) -> Figure:
    """Counts by name, the largest above."""
    figure = new_figure(WIDTH * 0.8, 0.8 + 0.3 * len(counts))
    axes = figure.add_subplot()
    dress(axes)
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    drawn = axes.barh(range(len(ordered)), [count for _, count in ordered], color=PALETTE[0], height=0.65)
    axes.bar_label(drawn, padding=3, fontsize=8.5, color=INK)
    axes.set_yticks(range(len(ordered)), [cut(name, 34) for name, _ in ordered])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(ordered) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(label, color=INK, fontsize=9.5)
    axes.xaxis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(6, integer=True))
    return figure


def by_size(word: str) -> tuple[float, str]:
    """Numbers by size, then words.

    Example:
        >>> sorted(["SE", "10", "9"], key=by_size)
        ['9', '10', 'SE']
    """
    try:
        return float(word), word
    except ValueError:
        return math.inf, word


def _cells(count: int) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, max(count, 1))
    deep = -(-max(count, 1) // columns)
    figure = new_figure(WIDTH * columns / COLUMNS, PLOT * deep + 0.3)
    cells = list(figure.subplots(deep, columns, squeeze=False).ravel())
    for axes in cells[count:]:
        axes.set_axis_off()
    return figure, cells[:count]


def _name_axes(axes: Axes, across: Sequence[str], down: Sequence[str]) -> None:
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if len(across) > 3 else {}
    axes.set_xticks(range(len(across)), across, fontsize=8, color=INK, **slanted)
    axes.set_yticks(range(len(down)), down, fontsize=8, color=INK)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _write_cells(axes: Axes, values: Any, words: Any, shade: Any) -> None:
    for (row, column), value in np.ndenumerate(values):
        if not np.ma.is_masked(values[row, column]):
            color = "white" if shade[row, column] > LIGHT else INK
            axes.text(column, row, words(value), ha="center", va="center", fontsize=7.5, color=color)


def _bar(figure: Figure, axes: Axes, drawn: Any, label: str) -> None:
    bar = figure.colorbar(drawn, ax=axes, shrink=0.6)
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.set_label(label, fontsize=8.5, color=MUTED)
    bar.outline.set_edgecolor(RULE)


def _legend_below(figure: Figure, axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
    figure.legend(handles, names, ncols=len(names), **style)
