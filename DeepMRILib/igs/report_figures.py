"""Pictures of an evaluation and of a growth: scores against lines with intervals, and slices beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import require
from DeepMRILib.igs.arms import FULL
from DeepMRILib.igs.growth_frames import color_of, gray, kspace_picture, painted, window_of
from DeepMRILib.igs.report_masks import look_of, word_of
from DeepMRILib.igs.result import Evaluation, PatternResult
from DeepMRILib.igs.scoring import IMAGE
from DeepMRILib.igs.viewing import as_seen, spacing_seen
from DeepMRILib.plots import PURPOSE, dress, new_figure
from DeepMRILib.report_style import INK, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURE_WORDS = {
    "dice": "Dice",
    "hd95": "95th percentile distance (mm)",
    "correct": "Slices told right",
    "probability": "Probability of the true class",
    "auc": "Area under the ROC curve",
    "psnr": "PSNR (dB)",
    "ssim": "SSIM",
    "nmse": "NMSE",
}
SPREAD = 0.55
"""Of the room between two numbers of lines, the part that the patterns' points share."""
STEPS = 5
"""Steps in the strip of a growth, beside the full image."""
PER_ROW = 5


def rows_of(result: Evaluation) -> list[dict[str, Any]]:
    """The rows of the summary as mappings."""
    return [dict(zip(result.summary.columns, row, strict=True)) for row in result.summary.rows]


def scores_figure(result: Evaluation, places: Sequence[tuple[str, str, str]]) -> Figure:
    """Scores against lines; see ``scores_of_rows``."""
    return scores_of_rows(rows_of(result), places, result.about["word"])


def scores_of_rows(rows: Sequence[Mapping[str, Any]], places: Sequence[tuple[str, str, str]], word: str) -> Figure:
    """Scores against lines, a point with its interval for each pattern; grey what all lines reach, dotted nothing.

    Args:
        rows: of a summary.
        places: of each plot its structure, its measure and its title.
        word: what the lines are called.
    """
    rows = [row for row in rows if np.isfinite(row["mean"])]
    counts = sorted({row["lines"] for row in rows if row["pattern"] != FULL})
    names = list(dict.fromkeys(row["pattern"] for row in rows if row["pattern"] != FULL))
    columns = min(len(places), 3)
    deep = -(-len(places) // columns)
    figure = new_figure(9.4, 2.9 * deep + 0.55)
    cells = figure.subplots(deep, columns, squeeze=False).ravel()
    for axes, (structure, measure, title) in zip(cells, places, strict=False):
        found = [row for row in rows if (row["structure"], row["measure"]) == (structure, measure)]
        dress(axes)
        _draw_reference(axes, [row for row in found if row["pattern"] == FULL])
        for n, name in enumerate(names):
            shift = SPREAD * ((n + 0.5) / len(names) - 0.5)
            _draw_pattern(axes, name, [row for row in found if row["pattern"] == name], counts, shift)
        axes.set_title(title, fontsize=10, fontweight="bold", color=INK)
        axes.set_xticks(range(len(counts)), [str(count) for count in counts])
        axes.set_xlim(-0.5, len(counts) - 0.5)
        axes.set_xlabel(f"Number of {word}", fontsize=9, color=INK)
    for axes in cells[len(places) :]:
        axes.set_axis_off()
    _legend(figure, names, any(structure != IMAGE for structure, _, _ in places))
    return figure


def _draw_pattern(
    axes: Axes, name: str, rows: Sequence[Mapping[str, Any]], counts: Sequence[int], shift: float
) -> None:
    if not rows:
        return
    color, marker = look_of(name)
    at = [counts.index(row["lines"]) + shift for row in rows]
    mean, low, high = (np.array([row[end] for row in rows], dtype=float) for end in ("mean", "low", "high"))
    axes.vlines(at, low, high, color=color, linewidth=1.3, zorder=2)
    axes.plot(at, mean, color=color, linewidth=0.7, alpha=0.6, zorder=1)
    axes.plot(at, mean, marker, color=color, markersize=5.5, markeredgecolor="white", markeredgewidth=0.6, zorder=3)


def _draw_reference(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    # of the image alone all lines are the truth itself
    for row in (row for row in rows if row["structure"] != IMAGE):
        axes.axhline(row["mean"], color=MUTED, linewidth=1, linestyle="dashed", zorder=0)
        if np.isfinite(row["low"]):
            axes.axhspan(row["low"], row["high"], color=RULE, alpha=0.5, linewidth=0, zorder=0)


def _legend(figure: Figure, names: Sequence[str], reference: bool) -> None:
    line = require("matplotlib.lines", PURPOSE).Line2D
    handles = []
    for name in names:
        color, marker = look_of(name)
        handles.append(line([], [], color=color, marker=marker, markersize=5.5, linewidth=1.3, label=word_of(name)))
    if reference:
        handles.append(line([], [], color=MUTED, linewidth=1, linestyle="dashed", label=word_of(FULL)))
    style = {"loc": "outside lower center", "frameon": False, "fontsize": 9, "labelcolor": INK}
    figure.legend(handles=handles, ncols=min(len(handles), 5), **style)


def examples_figure(result: Evaluation) -> Figure:
    """One slice through each pattern; below what the network finds in it, the truth as a white outline."""
    pictures, about = result.examples, result.about
    view = tuple(about["view"])
    spacing = spacing_seen(tuple(result.provenance.inputs["spacing"]), view)
    names = [FULL, *(name for name in about["patterns"] if name in pictures and name != FULL)]
    window = window_of(pictures[FULL])
    found = any(f"{name}_found" in pictures for name in names)
    figure, grid = _grid(len(names), 2 if found else 1, pictures[FULL].shape, view, spacing)
    truth = pictures.get("truth")
    for n, name in enumerate(names):
        cells: list[tuple[str, NDArray, NDArray | None]] = [(word_of(name), gray(pictures[name], window), None)]
        if found:
            cells.append(("", _found(pictures, name, window), truth))
        for axes, (title, picture, outline) in zip(grid[n], cells, strict=True):
            _show(axes, picture, view, spacing, title)
            if outline is not None:
                _outline(axes, as_seen(outline, view))
    return figure


def _found(pictures: Mapping[str, NDArray], name: str, window: float) -> NDArray:
    found = pictures.get(f"{name}_found")
    if found is None:
        return gray(pictures[name], window)
    return painted(pictures[name], found, window) if found.dtype == np.uint8 else gray(found, window)


def growth_figure(result: PatternResult) -> Figure:
    """Some steps of the growth: the image, its k-space, and what the network finds."""
    inputs = result.provenance.inputs
    view = tuple(inputs["view"])
    spacing = spacing_seen(tuple(inputs["spacing"]), view)
    last = len(result.growth_lines) - 1
    chosen = np.unique(np.round(np.geomspace(1, last + 1, min(STEPS, last + 1))).astype(int) - 1)
    window = window_of(result.example)
    rows = 2 if result.growth_labels is None else 3
    figure, grid = _grid(len(chosen) + 1, rows, result.example.shape, view, spacing, per_row=STEPS + 1)
    for cells, step in zip(grid, chosen, strict=False):
        count = int(result.growth_lines[step])
        mask = result.pattern.masks(count)[0]
        kspace = kspace_picture(result.pattern, mask, np.zeros_like(mask), result.growth_kspace, view)
        title = f"{count} {result.pattern.encoding.word if count > 1 else result.pattern.encoding.word[:-1]}"
        _show(cells[0], gray(result.growth[step], window), view, spacing, title)
        _show_kspace(cells[1], kspace)
        if result.growth_labels is not None:
            _show(cells[2], painted(result.growth[step], result.growth_labels[step], window), view, spacing, "")
            if result.example_labels is not None:
                _outline(cells[2], as_seen(result.example_labels, view))
    _show(grid[-1][0], gray(result.example, window), view, spacing, "all")
    every = np.ones(result.pattern.shape, dtype=bool)
    _show_kspace(grid[-1][1], kspace_picture(result.pattern, every, ~every, result.growth_kspace, view))
    if rows > 2:
        labels = result.example_labels
        _show(grid[-1][2], gray(result.example, window) if labels is None else painted(result.example, labels, window),
              view, spacing, "")  # fmt: skip
    return figure


def in_a_row(words: Sequence[Any]) -> str:
    """A list in a sentence.

    Example:
        >>> in_a_row([4, 8, 16])
        '4, 8 and 16'
    """
    words = [str(word) for word in words]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def legend_words(names: Mapping[str, str]) -> str:
    """Which colour is which structure, in words."""
    colors = {
        "#0072B2": "blue", "#D55E00": "orange", "#009E73": "green", "#CC79A7": "pink", "#E69F00": "yellow",
        "#56B4E9": "light blue",
    }  # fmt: skip
    return ", ".join(f"{colors[color_of(int(label))]} {name}" for label, name in names.items())


def data_in_words(inputs: Mapping[str, Any]) -> str:
    """How many slices of how many cases, and what they are."""
    n, contrasts, *shape = inputs["images"]
    what = "volume" if len(shape) == 3 else "slice"
    words = f"{n} {what}{'s' * (n > 1)} of {inputs['cases']} case{'s' * (inputs['cases'] > 1)}, "
    words += f"{' x '.join(map(str, shape))}"
    words += f", {contrasts} contrasts" if contrasts > 1 else ""
    words += f", {inputs['coils']} coils" if inputs["coils"] else ""
    return words + (", complex" if inputs["complex"] or inputs["coils"] else ", magnitudes")


def _grid(
    count: int, rows: int, shape: tuple[int, ...], view: tuple[int, int], spacing: tuple[float, float], *,
    per_row: int = PER_ROW,
) -> tuple[Figure, list[list[Axes]]]:  # fmt: skip
    """Columns of axes, at most ``per_row`` beside each other, more of them below; a column for each picture."""
    tall, wide = (n * edge for n, edge in zip(as_seen(np.empty(shape), view).shape, spacing, strict=True))
    bands = -(-count // per_row)
    across = -(-count // bands)
    side = 9.4 / max(across, 3)
    figure = new_figure(side * across, bands * (rows * side * min(tall / wide, 1.4) + 0.3))
    cells = figure.subplots(bands * rows, across, squeeze=False)
    columns = [[cells[n // across * rows + row][n % across] for row in range(rows)] for n in range(bands * across)]
    for unused in columns[count:]:
        for axes in unused:
            axes.set_axis_off()
    return figure, columns[:count]


def _show(axes: Axes, picture: NDArray, view: tuple[int, int], spacing: tuple[float, float], title: str) -> None:
    turned = as_seen(picture.transpose(2, 0, 1), view).transpose(1, 2, 0)
    axes.imshow(turned, aspect=spacing[0] / spacing[1], interpolation="nearest")
    _bare(axes, title)


def _show_kspace(axes: Axes, picture: NDArray) -> None:
    axes.imshow(picture, aspect="auto", interpolation="nearest")
    _bare(axes, "")


def _bare(axes: Axes, title: str) -> None:
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=9, color=INK)


def _outline(axes: Axes, labels: NDArray) -> None:
    for label in np.unique(labels[labels > 0]):
        axes.contour(labels == label, levels=[0.5], colors=["white"], linewidths=0.7)
