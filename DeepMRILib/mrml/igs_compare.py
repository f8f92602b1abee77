"""Patterns compared on cases that they were not chosen on: tables and the chart of scores against lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from DeepMRILib.igs.result import Evaluation
from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.igs_charts import FULL, chosenScores, patternWord, scoreChart
from DeepMRILib.mrml.igs_live import nameBeside
from DeepMRILib.mrml.tables import tableNodeFromTable


@dataclass(frozen=True)
class ComparisonNodes:
    """The nodes of one comparison; None where there is none.

    Attributes:
        summaryTable: means with their intervals, and the differences to the recommended pattern.
        scoresTable: each case.
        scoreChart: the score against lines.
    """

    summaryTable: Any = None
    scoresTable: Any = None
    scoreChart: Any = None


def deliverComparison(
    result: Evaluation, imageNode: Any = None, outputs: ComparisonNodes | None = None, *, word: str = "lines"
) -> ComparisonNodes:
    """Put the scores into the scene; nodes in ``outputs`` are updated, others are made.

    Args:
        imageNode: beside which they go; None where the cases are those of a folder.
        word: what lines are called.
    """
    old = outputs or ComparisonNodes()
    named = lambda what: nameBeside(imageNode, what)  # noqa: E731
    made = ComparisonNodes(
        summaryTable=tableNodeFromTable(result.summary, named("k-space comparison"), old.summaryTable),
        scoresTable=tableNodeFromTable(result.scores, named("k-space scores"), old.scoresTable),
        scoreChart=scoreChart(result.summary, named("k-space comparison chart"), word, old.scoreChart),
    )
    if imageNode is not None:
        for node in vars(made).values():
            placeResult(node, imageNode)
    return made


def summary(result: Evaluation) -> str:
    """What the panel says when it is done: the scores at the fewest lines, the best pattern first."""
    title, scores = chosenScores(result.summary)
    scores.pop(FULL, None)
    if not scores:
        return " ".join(("Compared; no score could be computed.", *result.provenance.notes))
    fewest = min(n for byLines in scores.values() for n in byLines)
    means = {name: byLines[fewest] for name, byLines in scores.items() if fewest in byLines}
    best = sorted(means, key=lambda name: -means[name])
    listed = ", ".join(f"{patternWord(name)} {means[name]:.3f}" for name in best)
    return " ".join((f"{title} at {fewest}: {listed}.", *result.provenance.notes))
