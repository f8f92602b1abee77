"""How well found spaces agree with a reference: voxel by voxel, space by space, by size, and over all thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from DeepMRILib.pvs.clusters import connected

SIZE_BINS = (0.0, 5.0, 10.0, 15.0, np.inf)
"""Edges in mm3 of the sizes that are told apart (Boutinaud et al. 2021)."""


@dataclass(frozen=True)
class Agreement:
    """Counts, and what follows from them.

    Where neither side has anything they agree fully; where only one has, not at all.

    Attributes:
        hits: of the reference that was found.
        missed: of the reference that was not.
        found: all that was found.
        false: of what was found, what is not in the reference.

    Example:
        >>> Agreement(hits=3, missed=1, found=6, false=2).f1
        0.7058823529411765
    """

    hits: int
    missed: int
    found: int
    false: int

    @property
    def sensitivity(self) -> float:
        """The fraction of the reference that was found."""
        return _ratio(self.hits, self.hits + self.missed, self.found)

    @property
    def precision(self) -> float:
        """The fraction of what was found that is in the reference (positive predictive value)."""
        return _ratio(self.found - self.false, self.found, self.hits + self.missed)

    @property
    def f1(self) -> float:
        """The harmonic mean of both; of voxels, this is the Dice coefficient."""
        total = self.sensitivity + self.precision
        return 2 * self.sensitivity * self.precision / total if total else 0.0


def _ratio(part: int, whole: int, other: int) -> float:
    return part / whole if whole else float(other == 0)


def voxel_agreement(found: NDArray, truth: NDArray) -> Agreement:
    """The agreement voxel by voxel of two masks (i, j, k)."""
    found, truth = found.astype(bool), truth.astype(bool)
    hits = int(np.count_nonzero(found & truth))
    total, expected = int(np.count_nonzero(found)), int(np.count_nonzero(truth))
    return Agreement(hits=hits, missed=expected - hits, found=total, false=total - hits)


def cluster_agreement(found: NDArray, truth: NDArray, voxel_volume: float = 1.0, min_size: float = 0.0) -> Agreement:
    """The agreement space by space: 26-connected clusters, of which one voxel in common is enough.

    Args:
        found: (i, j, k), what was found.
        truth: (i, j, k), the reference.
        voxel_volume: in mm3.
        min_size: clusters of the reference below this size in mm3 are neither asked for nor counted as false.
    """
    found_labels, found_count = connected(found)
    truth_labels, truth_count = connected(truth)
    large = np.bincount(truth_labels.ravel(), minlength=truth_count + 1)[1:] * voxel_volume >= min_size
    touched = np.zeros(truth_count, bool)
    touched[np.setdiff1d(truth_labels[found_labels > 0], [0]) - 1] = True
    right = len(np.setdiff1d(found_labels[truth_labels > 0], [0]))
    hits = int(np.count_nonzero(touched & large))
    missed = int(np.count_nonzero(~touched & large))
    return Agreement(hits=hits, missed=missed, found=found_count, false=found_count - right)


def by_size(
    found: NDArray, truth: NDArray, voxel_volume: float = 1.0, edges: Sequence[float] = SIZE_BINS
) -> list[dict[str, float]]:
    """Space by space in bins of size: sensitivity by the size of the reference's, precision by the size of the found.

    Returns:
        for each bin ``from`` and ``to`` (mm3), ``reference`` and ``found`` (counts), ``sensitivity``, ``precision``;
        NaN where there is nothing to count.
    """
    found_labels, truth_labels = connected(found)[0], connected(truth)[0]
    of_truth = _touched(truth_labels, found_labels > 0)
    of_found = _touched(found_labels, truth_labels > 0)
    rows = []
    for low, high in itertools.pairwise(edges):
        row: dict[str, float] = {"from": low, "to": high}
        for name, measure, (sizes, hit) in (
            ("reference", "sensitivity", of_truth),
            ("found", "precision", of_found),
        ):
            inside = (sizes * voxel_volume >= low) & (sizes * voxel_volume < high)
            row[name] = int(inside.sum())
            row[measure] = float(hit[inside].mean()) if inside.any() else float("nan")
        rows.append(row)
    return rows


def _touched(labels: NDArray, other: NDArray) -> tuple[NDArray, NDArray]:
    """Of each cluster its voxels, and whether it meets ``other``."""
    count = int(labels.max(initial=0))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return sizes, np.bincount(labels[other], minlength=count + 1)[1:] > 0


def average_precision(score: NDArray, truth: NDArray, where: NDArray | None = None) -> float:
    """The area below the curve of precision over recall, over all thresholds; chance is the fraction of truth.

    The sum of precision times gain in recall at each distinct value, without interpolation.

    Args:
        score: (i, j, k), higher where a space is more likely.
        truth: (i, j, k), the reference.
        where: (i, j, k), the voxels that count; all when None.

    Returns:
        from 0 to 1; NaN where the reference is empty.

    Example:
        >>> average_precision(np.array([0.9, 0.8, 0.7, 0.1]), np.array([1, 0, 1, 0]))
        0.8333333333333333
    """
    precision, recall, _ = precision_recall(score, truth, where)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision)) if len(recall) else float("nan")


def precision_recall(score: NDArray, truth: NDArray, where: NDArray | None = None) -> tuple[NDArray, NDArray, NDArray]:
    """Precision and recall at each distinct value of the score, from the highest down, and these values (n,) each.

    Empty where the reference is.
    """
    inside = np.ones(score.shape, bool) if where is None else where.astype(bool)
    values, real = score[inside], truth[inside].astype(bool)
    if not real.any():
        return np.zeros(0), np.zeros(0), np.zeros(0)
    order = np.argsort(-values, kind="stable")
    values, real = values[order], real[order]
    last = np.flatnonzero(np.r_[np.diff(values) != 0, True])  # of equal values only all together can be taken
    hits = np.cumsum(real)[last]
    return hits / (last + 1), hits / hits[-1], values[last]


def surface_distance_95(found: NDArray, truth: NDArray, spacing: Sequence[float]) -> float:
    """The 95th percentile of the distances between the margins of spaces that were found, in mm, both ways.

    Only clusters that meet one of the other side count, as in SHiVAi's reports.

    Returns:
        NaN where none does.
    """
    found_labels, truth_labels = connected(found)[0], connected(truth)[0]
    ours = np.isin(found_labels, np.setdiff1d(found_labels[truth_labels > 0], [0]))
    theirs = np.isin(truth_labels, np.setdiff1d(truth_labels[found_labels > 0], [0]))
    if not ours.any():
        return float("nan")
    a, b = (np.argwhere(mask & ~ndimage.binary_erosion(mask)) * np.asarray(spacing) for mask in (ours, theirs))
    distances = np.r_[cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]]
    return float(np.percentile(distances, 95))
