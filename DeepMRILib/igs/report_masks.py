"""Pictures of patterns: which lines or points are acquired, in which order, and how the loss falls with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import require
from DeepMRILib.igs.arms import WORDS
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.plots import PURPOSE, dress, new_figure
from DeepMRILib.report_style import INK, MARKERS, MUTED, PALETTE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ORDER = ("igs", "block", "centre", "equispaced", "random", "variable_density", "poisson", "probabilistic")
"""Patterns have the colour and marker of their place here, in all pictures."""
LATE = "#6b7480"
MOST_COLUMNS = 4
BAR = 0.26
"""Height of a pattern's lines in inches."""


def look_of(name: str) -> tuple[str, str]:
    """Colour and marker of a pattern."""
    place = ORDER.index(name) if name in ORDER else sum(map(ord, name))
    return (*PALETTE, LATE)[place % 8], (*MARKERS, "*")[place % 8]


def word_of(name: str) -> str:
    """What a pattern is called."""
    return WORDS.get(name, name.replace("_", " "))


def masks_figure(columns: Mapping[str, Mapping[str, NDArray]], marked: Mapping[str, str] | None = None) -> Figure:
    """Masks as rows of lines, DC in the middle; points as pictures.

    Args:
        columns: a title, such as ``"16 lines"``, to the masks (contrasts or 1, *shape) of the patterns below it.
        marked: by title the pattern that is recommended.
    """
    first = next(iter(next(iter(columns.values())).values()))
    return _points(columns, marked or {}) if first.ndim == 3 else _barcodes(columns, marked or {})


def _barcodes(columns: Mapping[str, Mapping[str, NDArray]], marked: Mapping[str, str]) -> Figure:
    shown = dict(list(columns.items())[-MOST_COLUMNS:])
    names = list(dict.fromkeys(name for masks in shown.values() for name in masks))
    tall = max(len(mask) for masks in shown.values() for mask in masks.values())
    figure = new_figure(9.4, 0.75 + len(names) * (0.1 + BAR * min(tall, 4)))
    for place, (axes, (title, masks)) in enumerate(zip(_row_of(figure, len(shown)), shown.items(), strict=True)):
        size = next(iter(masks.values())).shape[-1]
        for row, name in enumerate(names):
            if name not in masks:
                continue
            color = look_of(name)[0]
            bars = masks[name]
            for contrast, mask in enumerate(bars):
                top = row - 0.4 + 0.8 * contrast / len(bars)
                at = np.flatnonzero(mask) - size // 2
                axes.broken_barh([(line - 0.5, 1) for line in at], (top, 0.72 / len(bars)), color=color, linewidth=0)
        reach = max(int(np.abs(np.flatnonzero(mask.any(axis=0)) - size // 2).max()) for mask in masks.values())
        _dress_barcodes(axes, min(max(reach + 2, 8), size // 2 + 1), title)
        axes.set_yticks(range(len(names)), [word_of(name) if place == 0 else "" for name in names])
        axes.set_ylim(len(names) - 0.4, -0.6)
        if marked.get(title) in names:
            row = names.index(marked[title])
            axes.text(1.01, row, "✓", transform=axes.get_yaxis_transform(), va="center", color=INK, fontsize=10)
    return figure


def _dress_barcodes(axes: Axes, reach: int, title: str) -> None:
    axes.set_xlim(-reach, reach)
    _whole_numbers(axes.xaxis)
    dress(axes)
    axes.grid(visible=False)
    axes.axvline(0, color=MUTED, linewidth=0.7, linestyle="dotted", zorder=0)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(title, fontsize=10, fontweight="bold", color=INK)
    axes.set_xlabel("Line, counted from DC", color=INK, fontsize=9)


def _points(columns: Mapping[str, Mapping[str, NDArray]], marked: Mapping[str, str]) -> Figure:
    shown = dict(list(columns.items())[-MOST_COLUMNS:])
    names = list(dict.fromkeys(name for masks in shown.values() for name in masks))
    side = min(9.4 / max(len(names), 3), 2.4)
    figure = new_figure(side * len(names), (side + 0.35) * len(shown))
    cells = figure.subplots(len(shown), len(names), squeeze=False)
    for row, (title, masks) in enumerate(shown.items()):
        for axes, name in zip(cells[row], names, strict=True):
            axes.set(xticks=[], yticks=[])
            if name not in masks:
                axes.set_axis_off()
                continue
            axes.imshow(masks[name][0], cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
            check = " ✓" if marked.get(title) == name else ""
            axes.set_title(f"{word_of(name)}{check}", fontsize=9, color=INK)
        cells[row][0].set_ylabel(title, fontsize=9, color=INK)
    return figure


def order_figure(pattern: Pattern) -> Figure:
    """Left the order: lines of each step, or of points the step of each; right the loss, with that of the rivals."""
    figure = new_figure(9.4, 3.9)
    order, loss = figure.subplots(1, 2)
    if len(pattern.shape) == 1:
        _draw_order(order, pattern)
    else:
        _draw_steps(order, pattern)
    _draw_loss(loss, pattern)
    return figure


def _draw_order(axes: Axes, pattern: Pattern) -> None:
    """Each line from the step at which it is taken to the end."""
    middle = pattern.shape[0] // 2
    several = len(pattern.orders)
    for contrast, lines in enumerate(pattern.orders):
        color = PALETTE[contrast % len(PALETTE)]
        left = -0.5 + contrast / several
        for step, line in enumerate(lines):
            axes.add_patch(_bar(line - middle + left, step + 0.5, 1 / several, pattern.lines - step, color))
    far = max(abs(line - middle) for lines in pattern.orders for line in lines) + 2
    axes.set(xlim=(-far, far), ylim=(pattern.lines + 0.5, 0.5))
    dress(axes)
    axes.grid(visible=False)
    axes.axvline(0, color=MUTED, linewidth=0.7, linestyle="dotted")
    axes.set_title("Order", fontsize=10, fontweight="bold", color=INK)
    axes.set_xlabel("Line, counted from DC", color=INK, fontsize=9)
    axes.set_ylabel("Number of lines", color=INK, fontsize=9)
    _whole_numbers(axes.xaxis)
    _whole_numbers(axes.yaxis)


def _bar(left: float, top: float, width: float, height: float, color: str) -> Any:
    patches = require("matplotlib.patches", PURPOSE)
    return patches.Rectangle((left, top), width, height, facecolor=color, edgecolor="white", linewidth=0.3)


def _draw_steps(axes: Axes, pattern: Pattern) -> None:
    steps = np.full(pattern.encoding.size, np.nan)
    steps[list(pattern.orders[0])] = np.arange(1, pattern.lines + 1)
    picture = axes.imshow(steps.reshape(pattern.shape), cmap="viridis_r", interpolation="nearest", aspect="auto")
    axes.set_facecolor("black")
    axes.set(xticks=[], yticks=[])
    axes.set_title("Step at which a point is taken", fontsize=10, fontweight="bold", color=INK)
    axes.figure.colorbar(picture, ax=axes, fraction=0.05)


def _draw_loss(axes: Axes, pattern: Pattern) -> None:
    counts = np.arange(1, len(pattern.losses) + 1)
    losses = np.array([np.nan if loss is None else loss for loss in pattern.losses], dtype=float)
    known = np.isfinite(losses)
    dress(axes)
    axes.plot(counts[known], losses[known], color=look_of("igs")[0], linewidth=1.6, label=word_of("igs"))
    for name in ("block", "centre"):
        color, marker = look_of(name)
        points = [(rung.lines, getattr(rung, name)) for rung in pattern.rungs if getattr(rung, name) is not None]
        if points:
            axes.plot(
                *zip(*points, strict=True),
                marker,
                color=color,
                markersize=6,
                markeredgecolor="white",
                label=word_of(name),
            )
    axes.set_title("Loss on the slices it was chosen on", fontsize=10, fontweight="bold", color=INK)
    axes.set_xlabel(f"Number of {pattern.encoding.word}", color=INK, fontsize=9)
    _whole_numbers(axes.xaxis)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK)


def _whole_numbers(axis: Any) -> None:
    axis.set_major_locator(require("matplotlib.ticker", PURPOSE).MaxNLocator(nbins=7, integer=True))


def _row_of(figure: Figure, count: int) -> list[Axes]:
    return list(figure.subplots(1, count, squeeze=False)[0])
