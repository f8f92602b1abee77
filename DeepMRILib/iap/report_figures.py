"""Pictures of one series: what each slice says, how wide the intervals are, which slices decided."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import require
from DeepMRILib.iap.report_words import Row, chance_text, cut, is_known, label_of, value_text
from DeepMRILib.plots import PURPOSE, dress, new_figure
from DeepMRILib.report_style import INK, MUTED, PALETTE, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE = PALETTE[0], PALETTE[1]
WIDTH = 9.4
COLUMNS = 3
MOST_PLOTS = 9
WIDEST = 16.0
"""An interval is drawn to this many times the answer, and to one part in so many."""
LEVELS = (0.25, 0.5, 1.0, 2.0, 4.0)
PICTURE = 2.2
LITTLE = 0.2
"""An axis spans at least this part of its values."""


def strip_figure(rows: Sequence[Row], slices: Sequence[Row]) -> Figure:
    """What each slice says of each parameter: of numbers their value, of words which class, fainter where less sure.

    Args:
        rows: of ``IAPResult.parameters``, those that are drawn.
        slices: of ``IAPResult.slices``.
    """
    columns = min(COLUMNS, len(rows))
    deep = -(-len(rows) // columns)
    figure = new_figure(WIDTH, 2.15 * deep + 0.4)
    cells = figure.subplots(deep, columns, squeeze=False).ravel()
    for axes, row in zip(cells, rows, strict=False):
        said = [one for one in slices if one["parameter"] == row["parameter"]]
        dress(axes)
        _strip(axes, row, said)
        axes.set_title(label_of(row["parameter"]), fontsize=10, fontweight="bold", color=INK)
        axes.xaxis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(4, integer=True))
    for axes in cells[len(rows) :]:
        axes.set_axis_off()
    for axes in cells[max(len(rows) - columns, 0) : len(rows)]:
        axes.set_xlabel("slice", color=INK, fontsize=9)
    _strip_legend(figure)
    return figure


def _strip(axes: Axes, row: Row, said: Sequence[Row]) -> None:
    if is_known(row["low"]) or all(not is_known(one["probability"]) for one in said):
        _strip_of_numbers(axes, row, said)
    else:
        _strip_of_classes(axes, row, said)


def _strip_of_numbers(axes: Axes, row: Row, said: Sequence[Row]) -> None:
    at, values = [one["slice"] for one in said], [float(one["predicted"]) for one in said]
    if is_known(row["low"]):
        axes.axhspan(row["low"], row["high"], color=BLUE, alpha=0.12, linewidth=0)
    if is_known(row["header"]):
        axes.axhline(float(row["header"]), color=ORANGE, linewidth=1.4, linestyle="dashed")
    _points(axes, row, at, values, [1.0] * len(at))
    known = [value for value in (*values, row["low"], row["high"], row["header"]) if is_known(value)]
    low, high = min(known), max(known)
    if low > 0 and high > 8 * low:
        axes.set_yscale("log")
        _plain_log(axes)
    else:
        # slices that nearly agree should look so
        room = max(0.08 * (high - low), 0.5 * (LITTLE * max(abs(low), abs(high)) - (high - low))) or 1.0
        axes.set_ylim(low - room, high + room)


def _plain_log(axes: Axes) -> None:
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.yaxis.set_major_locator(ticker.LogLocator(base=10, subs=(1.0, 2.0, 5.0), numticks=8))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())


def _strip_of_classes(axes: Axes, row: Row, said: Sequence[Row]) -> None:
    told = [value_text(one["predicted"]) for one in said]
    header = value_text(row["header"]) if is_known(row["header"]) else None
    words = sorted({*told, *([header] if header else [])}, key=_order)
    sure = [float(one["probability"]) if is_known(one["probability"]) else 1.0 for one in said]
    _points(axes, row, [one["slice"] for one in said], [words.index(one) for one in told], sure)
    if header:
        axes.axhline(words.index(header), color=ORANGE, linewidth=1.4, linestyle="dashed", zorder=1)
    axes.set_yticks(range(len(words)), [cut(word) for word in words])
    axes.set_ylim(-0.6, len(words) - 0.4)


def _points(axes: Axes, row: Row, at: Sequence[int], values: Sequence[float], sure: Sequence[float]) -> None:
    faint = [0.25 + 0.75 * min(max(chance, 0.0), 1.0) for chance in sure]
    axes.scatter(at, values, s=22, color=[(*_rgb(BLUE), alpha) for alpha in faint], linewidths=0, zorder=3)
    for place, value in zip(at, values, strict=True):
        if place == row["slice"]:
            axes.scatter([place], [value], s=60, facecolors="none", edgecolors=INK, linewidths=1.3, zorder=4)


def _strip_legend(figure: Figure) -> None:
    line = require("matplotlib.lines", PURPOSE).Line2D
    patch = require("matplotlib.patches", PURPOSE).Patch
    none: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    handles = [
        line([], [], color=BLUE, marker="o", markeredgewidth=0, label="a slice (faint: less sure)", **none),
        line([], [], color="none", marker="o", markeredgecolor=INK, label="the deciding slice", **none),
        line([], [], color=ORANGE, linestyle="dashed", linewidth=1.4, label="header"),
        patch(facecolor=BLUE, alpha=0.12, label="interval of the series"),
    ]
    style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
    figure.legend(handles=handles, ncols=len(handles), **style)


def interval_figure(rows: Sequence[Row]) -> Figure:
    """The intervals of numbers beside each other, as multiples of the answer: narrow ones are what the image shows.

    Args:
        rows: of ``IAPResult.parameters`` with an interval.
    """
    figure = new_figure(WIDTH * 0.8, 1.1 + 0.36 * len(rows))
    axes = figure.add_subplot()
    dress(axes)
    axes.set_xscale("log")
    for place, row in enumerate(rows):
        answer = float(row["predicted"])
        ends = [_multiple(float(row[end]), answer) for end in ("low", "high")]
        axes.plot(ends, [place, place], color=BLUE, linewidth=5, alpha=0.4, solid_capstyle="butt", zorder=2)
        axes.plot([1.0], [place], "o", color=BLUE, markersize=6, zorder=3)
        if is_known(row["header"]):
            axes.plot([_multiple(float(row["header"]), answer)], [place], "D", color=ORANGE, markersize=5.5, zorder=4)
    axes.axvline(1.0, color=RULE, linewidth=1, zorder=1)
    axes.set_yticks(range(len(rows)), [_with_value(row) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    _multiples(axes)
    line = require("matplotlib.lines", PURPOSE).Line2D
    handles = [
        line([], [], color=BLUE, marker="o", markersize=6, linestyle="none", label="image"),
        line([], [], color=BLUE, linewidth=5, alpha=0.4, label="its interval"),
        line([], [], color=ORANGE, marker="D", markersize=5.5, linestyle="none", label="header"),
    ]
    style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
    figure.legend(handles=handles, ncols=3, **style)
    return figure


def _with_value(row: Row) -> str:
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{label_of(row['parameter'], unit=False)}  {value_text(row['predicted'])}{unit}"


def _multiple(value: float, answer: float) -> float:
    return float(np.clip(value / answer if answer else 1.0, 1 / WIDEST, WIDEST))


def _multiples(axes: Axes) -> None:
    ticker = require("matplotlib.ticker", PURPOSE)
    axes.set_xlim(1 / WIDEST / 1.1, WIDEST * 1.1)
    marks = [1 / 16, 1 / 8, *LEVELS, 8, 16]
    axes.xaxis.set_major_locator(ticker.FixedLocator(marks))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    names = {one: f"× {one:g}" if one >= 1 else f"÷ {1 / one:g}" for one in marks}
    axes.set_xticklabels([names[one] for one in marks])
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color=RULE, linewidth=0.6)
    axes.set_xlabel("times the image's answer", color=INK, fontsize=9.5)


def slices_figure(pictures: Mapping[str, NDArray], titles: Mapping[str, str]) -> Figure:
    """Slices beside each other, each with what it decides.

    Args:
        pictures: (rows, columns) by name.
        titles: of each that is drawn.
    """
    columns = min(4, len(titles))
    deep = -(-len(titles) // columns)
    figure = new_figure(columns * PICTURE + 0.2, deep * (PICTURE + 0.45))
    cells = figure.subplots(deep, columns, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, (name, title) in zip(cells, titles.items(), strict=False):
        draw_slice(axes, pictures[name])
        axes.set_title(title, fontsize=8.5, color=INK)
    return figure


def saliency_figure(image: NDArray | None, shares: NDArray) -> Figure:
    """What of a slice decides: the slice, and on it where hiding it changes the answer.

    Args:
        image: (rows, columns); None where it is not kept.
        shares: of the same shape; positive speaks for the answer.
    """
    figure = new_figure(7.4 if image is not None else 4.2, 3.6)
    cells = figure.subplots(1, 2 if image is not None else 1, squeeze=False).ravel()
    if image is not None:
        draw_slice(cells[0], image)
        draw_slice(cells[1], image)
    limit = float(np.quantile(np.abs(shares), 0.995)) or 1.0
    alpha = np.clip(np.abs(shares) / limit, 0, 1) * 0.85 if image is not None else None
    axes = cells[-1]
    drawn = axes.imshow(shares, cmap="PuOr_r", vmin=-limit, vmax=limit, alpha=alpha, interpolation="nearest")
    axes.set_axis_off()
    scale = require("matplotlib.cm", PURPOSE).ScalarMappable(norm=drawn.norm, cmap="PuOr_r")
    bar = figure.colorbar(scale, ax=axes, shrink=0.8)
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.set_label("change of the answer when hidden", fontsize=8.5, color=MUTED)
    bar.outline.set_edgecolor(RULE)
    return figure


def draw_slice(axes: Axes, image: NDArray) -> None:
    """A slice in grey, its brightest pixels cut off; without ticks."""
    finite = image[np.isfinite(image)]
    high = float(np.quantile(finite, 0.995)) if finite.size else 1.0
    axes.imshow(image, cmap="gray", vmin=min(0.0, float(finite.min()) if finite.size else 0.0),
                vmax=high if high > 0 else 1.0, interpolation="nearest")  # fmt: skip
    axes.set_axis_off()


def deciding_titles(rows: Sequence[Row], pictures: Mapping[str, NDArray], most: int = 8) -> dict[str, str]:
    """The slices that are there, with what each decided; the one that decides most first."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if is_known(row["slice"]) and str(row["slice"]) in pictures and is_known(row["predicted"]):
            found.setdefault(str(row["slice"]), []).append(_said(row))
    order = sorted(found, key=lambda name: -len(found[name]))[:most]
    return {name: "\n".join([f"slice {name}", *found[name][:2], *_more(found[name])]) for name in order}


def _said(row: Row) -> str:
    chance = f" ({chance_text(row['probability'])})" if is_known(row["probability"]) else ""
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{cut(label_of(row['parameter'], unit=False), 18)}: {cut(value_text(row['predicted']))}{unit}{chance}"


def _more(said: Sequence[str]) -> list[str]:
    return [f"and {len(said) - 2} more"] if len(said) > 2 else []


def _order(word: str) -> tuple[float, str]:
    """Numbers by size, then words."""
    try:
        return float(word), word
    except ValueError:
        return math.inf, word


def _rgb(color: str) -> tuple[float, float, float]:
    return tuple(int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))  # type: ignore[return-value]
