"""The charts of KSpaceIGS: loss, and Dice or another score, against the number of lines."""

from __future__ import annotations

from typing import Any

import numpy as np

from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.plots import Curve
from DeepMRILib.tables import Table

SCORES = (
    ("mean", "dice", "Dice"),
    ("class", "auc", "Area under the ROC curve"),
    ("class", "probability", "Probability of the true class"),
    ("reconstruction", "ssim", "SSIM of the reconstruction"),
    ("image", "ssim", "SSIM"),
    ("image", "psnr", "PSNR (dB)"),
)
"""Structure and measure of which the first that was computed is drawn, and what the axis says."""
WORDS = {
    "recommended": "recommended",
    "igs": "search",
    "block": "best block",
    "centre": "centre",
    "full": "all lines",
    "variable_density": "variable density",
}
"""What patterns are called in charts and sentences; others by their own name."""
FULL = "full"
RIVALS = ("block", "centre")


def patternWord(name: str) -> str:
    """What a pattern is called."""
    return WORDS.get(name, name.replace("_", " "))


def lossChart(pattern: Pattern, name: str, existing: Any = None) -> Any:
    """A chart of the loss with the first n lines, and of the block and the centre where they were compared."""
    number, search = np.arange(1, len(pattern.losses) + 1), _numbers(pattern.losses)
    rungs = [rung.lines for rung in pattern.rungs]
    curves = [_line(patternWord("igs"), number, search)]
    curves += [_points(patternWord(rival), rungs, [getattr(rung, rival) for rung in pattern.rungs]) for rival in RIVALS]
    loss = str(pattern.about.get("loss", "loss"))
    return _chart(curves, name, pattern.encoding.word, f"Loss ({loss})", existing)


def scoreChart(summary: Table, name: str, word: str, existing: Any = None) -> Any:
    """A chart of a score against lines, a curve for each pattern.

    Args:
        summary: as of ``Evaluation``.
        word: what lines are called.
    """
    title, scores = chosenScores(summary)
    full = scores.pop(FULL, {})
    curves = []
    for pattern, byLines in scores.items():
        lines = sorted(byLines)
        means = [byLines[n] for n in lines]
        curves.append((_line if len(lines) > 1 else _points)(patternWord(pattern), lines, means))
    compared = [n for byLines in scores.values() for n in byLines]
    if full and compared:  # as far as the others go: their differences would be lost beside all lines
        curves.append(_line(patternWord(FULL), [min(compared), max(compared)], [*full.values()] * 2))
    return _chart(curves, name, word, title, existing)


def chosenScores(summary: Table) -> tuple[str, dict[str, dict[int, float]]]:
    """What the score is called that says most, and its mean by pattern and lines; none where none was computed."""
    rows = [dict(zip(summary.columns, row, strict=True)) for row in summary.rows]
    for structure, measure, title in SCORES:
        found: dict[str, dict[int, float]] = {}
        for row in rows:
            if (row["structure"], row["measure"]) == (structure, measure) and np.isfinite(row["mean"]):
                found.setdefault(str(row["pattern"]), {})[int(row["lines"])] = float(row["mean"])
        if found:
            return title, found
    return "", {}


def _chart(curves: list[Curve], name: str, word: str, title: str, existing: Any) -> Any:
    drawn = [curve for curve in curves if _hasPoints(curve)]
    return chartFromCurves(drawn, name, xTitle=word.capitalize(), yTitle=title, existing=existing)


def _hasPoints(curve: Curve) -> bool:
    values = curve.y if curve.line_y is None else curve.line_y
    return bool(np.isfinite(np.asarray(values, dtype=float)).any())


def _line(name: str, x: Any, y: Any) -> Curve:
    return Curve(name, [], [], line_x=x, line_y=_numbers(y))


def _points(name: str, x: Any, y: Any) -> Curve:
    return Curve(name, x, _numbers(y))


def _numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else float(value) for value in values], dtype=float)
