"""Which slices train, which select patterns and which test: by case, so that no patient is in two parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options import Part

FEWEST_CASES = 3
"""With fewer, cases alone cannot make three parts."""
RUNS = 8
"""Contiguous runs that the slices of a single case are dealt in: each part sees all of the anatomy."""
_TURNS = ("train", "select", "train", "test")
_TURNS_OF_THREE = ("train", "select", "test")
_TURNS_BESIDE_TEST = ("train", "select", "train")
_FEWEST_SLICES = 4


def case_parts(cases: Sequence[str], seed: int, classes: Mapping[str, int] | None = None) -> dict[str, str]:
    """The part of each case: half train, a quarter select, a quarter test; empty where there are fewer than 3 cases.

    Args:
        cases: their names; how often and in what order they occur does not matter.
        seed: another deals them differently.
        classes: of the cases, where each has one: parts then get each class in like shares.

    Example:
        >>> sorted(case_parts(["a", "b", "c", "d"], seed=0).values())
        ['select', 'test', 'train', 'train']
    """
    names = sorted(set(cases))
    if len(names) < FEWEST_CASES:
        return {}
    shuffled = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    if classes:
        shuffled.sort(key=lambda name: classes[name])  # stable: within a class they stay shuffled
    turns = _TURNS_OF_THREE if len(names) == FEWEST_CASES else _TURNS
    return {name: turns[place % len(turns)] for place, name in enumerate(shuffled)}


def part_of(dataset: SliceDataset, part: Part, seed: int) -> SliceDataset:
    """The slices of one part, with a note on how it was chosen.

    From three cases on whole cases are dealt. Of two, one is to test and the slices of the other are divided. The
    slices of a single case are dealt in contiguous runs, since neighbours are nearly copies of each other; fewer than
    four slices are used in every part. The notes say when parts are not independent.
    """
    if part == "all":
        return dataset
    parts = case_parts(dataset.cases, seed, _classes(dataset))
    if parts:
        rows = np.array([parts[case] == part for case in dataset.cases])
        return with_notes(dataset.subset(np.flatnonzero(rows)), case_note(parts, part))
    if len(dataset) < _FEWEST_SLICES:
        few = "slice" if len(dataset) == 1 else "slices"
        return with_notes(
            dataset,
            f"With {len(dataset)} {few} there is nothing to divide: training, selection and test use the same, and "
            "scores say nothing about other images.",
        )
    return _of_few_cases(dataset, part, seed)


def _of_few_cases(dataset: SliceDataset, part: Part, seed: int) -> SliceDataset:
    names = sorted(set(dataset.cases))
    given = np.full(len(dataset), "test", dtype=object)
    if len(names) == 1:
        given[:] = _in_runs(len(dataset), _TURNS)
        note = (
            f"All slices are of one case: they were divided in contiguous runs, and the part {part} was taken. Slices "
            "of one volume are not independent, so scores are better than on another patient."
        )
    else:
        taught = names[seed % 2]
        rows = np.flatnonzero(dataset.cases == taught)
        if len(rows) < len(_TURNS_BESIDE_TEST):
            taught = names[1 - seed % 2]
            rows = np.flatnonzero(dataset.cases == taught)
        given[rows] = _in_runs(len(rows), _TURNS_BESIDE_TEST)
        note = (
            f"There are two cases: {taught} trains and selects, in contiguous runs of its slices that are not "
            f"independent, and the other tests; the part {part} was taken."
        )
    return with_notes(dataset.subset(np.flatnonzero(given == part)), note)


def _in_runs(count: int, turns: Sequence[str]) -> list[str]:
    """The part of each of ``count`` slices in order: runs of equal length, the parts by turns."""
    runs = max(len(turns), min(RUNS, count) // len(turns) * len(turns))
    return [turns[row * runs // count % len(turns)] for row in range(count)]


def _classes(dataset: SliceDataset) -> dict[str, int] | None:
    """The largest class of each case, where the targets are classes."""
    if dataset.task != "classification":
        return None
    return {case: int(dataset.targets[dataset.cases == case].max()) for case in set(dataset.cases)}


def case_note(parts: Mapping[str, str], part: str) -> str:
    """What a reader must know of a part that was chosen by case."""
    count = sum(given == part for given in parts.values())
    few = "; so few that chance decides much" if len(parts) < 2 * len(_TURNS) else ""
    return f"The part {part} was taken: {count} of {len(parts)} cases{few}."


def with_notes(dataset: SliceDataset, *notes: str) -> SliceDataset:
    """The dataset with further notes."""
    return replace(dataset, notes=(*dataset.notes, *notes))


def rows_of_cases(dataset: SliceDataset) -> dict[str, NDArray]:
    """The row numbers of each case."""
    return {case: np.flatnonzero(dataset.cases == case) for case in sorted(set(dataset.cases))}
