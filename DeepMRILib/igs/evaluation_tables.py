"""The tables of an evaluation: scores of cases, means with intervals, paired differences, and what needs no pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.arms import FULL, Arm
from DeepMRILib.igs.comparing import Outcome, chunks
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.intervals import NOTHING, Interval, auc_interval, mean_interval, paired_interval
from DeepMRILib.igs.measures import auc_of_classes, mean_of_known
from DeepMRILib.igs.scoring import CLASS, IMAGE, MEASURES, CaseTruth, Row
from DeepMRILib.tables import Table

UNITS = {"hd95": "mm", "psnr": "dB"}
AUC = "auc"

Scores = dict[tuple[str, int], dict[tuple[str, str], dict[str, list[float]]]]
"""By pattern and lines, by structure and measure, by case: the score of each draw."""


def scores_table(rows: Sequence[Row]) -> Table:
    """All scores with all measures that any row has; NaN where one does not apply."""
    used = [name for name in MEASURES if any(name in row for row in rows)]
    plain = ("pattern", "lines", "draw", "case", "structure")
    return Table(
        {
            **{name: [row[name] for row in rows] for name in plain},
            **{name: [row.get(name, float("nan")) for row in rows] for name in used},
        },
        {name: unit for name, unit in UNITS.items() if name in used},
    )


def summary_table(
    outcome: Outcome,
    arms: Sequence[Arm],
    dataset: SliceDataset,
    recommended: Mapping[int, str],
    *,
    size: int,
    level: float,
    seed: int,
) -> Table:
    """Means over cases and what the recommended pattern has more; see ``Evaluation``.

    Draws of a random pattern are averaged for each case first, so that they count as one pattern.

    Args:
        outcome: scores of the arms.
        arms: in the order in which patterns are listed.
        dataset: of ``outcome``.
        recommended: by number of lines the pattern that others are compared with.
        size: how many lines there are.
        level, seed: of the intervals.
    """
    scores = _sorted_scores(outcome.rows)
    cases = list(dict.fromkeys(row["case"] for row in outcome.rows))
    rows = []
    for pattern, lines in dict.fromkeys((arm.pattern, arm.lines) for arm in _by_lines(arms)):
        other = recommended.get(lines)
        areas = _areas(outcome, arms, dataset, (pattern, lines), (other, lines), level=level, seed=seed)
        for (structure, measure), found in {**scores[pattern, lines], **dict.fromkeys(areas, None)}.items():
            if found is None:
                mean, gain = areas[structure, measure]
            else:
                values = _by_case(found, cases)
                mean, gain = mean_interval(values, level, seed), NOTHING
                if other not in (None, pattern) and (other, lines) in scores:
                    rival = _by_case(scores[other, lines][structure, measure], cases)
                    gain = paired_interval(rival, values, level, seed)
            rows.append(
                {
                    "pattern": pattern,
                    "lines": lines,
                    "acceleration": size / lines,
                    "recommended": other == pattern,
                    "structure": structure,
                    "measure": measure,
                    **_named(mean, gain),
                }
            )
    return Table.from_rows(rows)


def _named(mean: Interval, gain: Interval) -> dict[str, Any]:
    return {
        "mean": mean.mean,
        "low": mean.low,
        "high": mean.high,
        "cases": mean.cases,
        "difference": gain.mean,
        "difference_low": gain.low,
        "difference_high": gain.high,
        "p": gain.p,
        "difference_cases": gain.cases,
    }


def _by_lines(arms: Sequence[Arm]) -> list[Arm]:
    """By ascending number of lines, all of them last."""
    return sorted(arms, key=lambda arm: (arm.pattern == FULL, arm.lines))


def _sorted_scores(rows: Sequence[Row]) -> Scores:
    scores: Scores = {}
    for row in rows:
        place = scores.setdefault((row["pattern"], row["lines"]), {})
        for measure in MEASURES:
            if measure in row:
                place.setdefault((row["structure"], measure), {}).setdefault(row["case"], []).append(row[measure])
    return scores


def _by_case(found: Mapping[str, Sequence[float]], cases: Sequence[str]) -> NDArray:
    """(cases,) the mean over the draws that have a score; NaN where none has."""
    return np.array([mean_of_known(found[case]) for case in cases])


def _areas(
    outcome: Outcome,
    arms: Sequence[Arm],
    dataset: SliceDataset,
    own: tuple[str, int],
    other: tuple[str | None, int],
    *,
    level: float,
    seed: int,
) -> dict[tuple[str, str], tuple[Interval, Interval]]:
    """The area under the ROC curve, and what the recommended pattern has more; empty for other tasks."""
    order = np.concatenate(outcome.rows_of_slices)
    found, rival = (_mean_area(outcome, arms, dataset.targets, order, name) for name in (own, other))
    if found is None:
        return {}
    given = {"level": level, "seed": seed}
    gain = NOTHING if rival is None or other == own else auc_interval(rival, dataset.cases[order], found, **given)
    return {(CLASS, AUC): (auc_interval(found, dataset.cases[order], **given), gain)}


def _mean_area(
    outcome: Outcome, arms: Sequence[Arm], truth: NDArray | None, order: NDArray, name: tuple[str | None, int]
) -> Any:
    """From weights of samples to areas, the mean over a pattern's draws; None where there are no probabilities."""
    drawn = [
        np.concatenate(outcome.probabilities[number])
        for number, arm in enumerate(arms)
        if (arm.pattern, arm.lines) == name and outcome.probabilities[number]
    ]
    if not drawn:
        return None
    each = [partial(auc_of_classes, probabilities, truth[order]) for probabilities in drawn]
    return lambda weights: np.mean([area(weights) for area in each], axis=0)


def trivial_table(dataset: SliceDataset, asked: bool, level: float, seed: int) -> Table:
    """What is reached without looking: background everywhere, the most frequent class, an even image.

    Args:
        dataset: the cases.
        asked: whether there is a network: without one only images are compared.
        level, seed: of the intervals.

    Columns: ``structure``, ``measure``, ``mean``, ``low``, ``high``, ``cases``, ``what``.
    """
    truths = [CaseTruth(dataset.subset(rows), range(1, dataset.classes)) for one in chunks(dataset, 1) for rows in one]
    rows = [(row, "an even image of the mean brightness") for row in _even(truths)]
    if asked and dataset.task == "segmentation":
        rows += [(row, "background everywhere") for one in truths for row in one.of_labels(0 * one.case.targets)]
    elif asked and dataset.task == "classification":
        counts = np.bincount(dataset.targets, minlength=dataset.classes)
        sure = np.eye(dataset.classes)[int(counts.argmax())]
        what = f"always {dataset.name(int(counts.argmax()))}, the most frequent class"
        rows += [(one.of_classes(np.tile(sure, (len(one.case), 1))), what) for one in truths]
    by_measure: dict[tuple[str, str, str], list[float]] = {}
    for row, what in rows:
        for measure in MEASURES:
            # nothing is found: there is no distance, and being sure is no probability
            if measure in row and measure not in ("hd95", "probability"):
                by_measure.setdefault((row["structure"], measure, what), []).append(row[measure])
    return Table.from_rows(
        {"structure": structure, "measure": measure, **_ends(mean_interval(values, level, seed)), "what": what}
        for (structure, measure, what), values in by_measure.items()
    )


def _even(truths: Sequence[CaseTruth]) -> list[Row]:
    images = (one.case.truth() for one in truths)
    means = [
        np.broadcast_to(image.mean(axis=tuple(range(2, image.ndim)), keepdims=True), image.shape) for image in images
    ]
    return [one.of_image(image, IMAGE) for one, image in zip(truths, means, strict=True)]


def _ends(interval: Interval) -> dict[str, Any]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "cases": interval.cases}
