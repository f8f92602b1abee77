"""How good answers are, beside what is to be had without looking: plain functions of truths and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 10
"""Of probabilities, for the expected calibration error."""


def accuracy(truth: Sequence[Hashable], told: Sequence[Hashable]) -> float:
    """The fraction that is right."""
    return float(np.mean([one == other for one, other in zip(truth, told, strict=True)]))


def balanced_accuracy(truth: Sequence[Hashable], told: Sequence[Hashable]) -> float:
    """The mean over the classes of the fraction that is right in each: 1 / classes for who always says the same.

    Example:
        >>> balanced_accuracy(["a", "a", "a", "b"], ["a", "a", "a", "a"])
        0.5
    """
    right: dict[Hashable, list[bool]] = {}
    for one, other in zip(truth, told, strict=True):
        right.setdefault(one, []).append(one == other)
    return float(np.mean([np.mean(one) for one in right.values()]))


def majority(truth: Sequence[Hashable]) -> float:
    """The accuracy of who always says the commonest class.

    Example:
        >>> majority(["a", "a", "b", "c"])
        0.5
    """
    return max(Counter(truth).values()) / len(truth)


def r2(truth: ArrayLike, told: ArrayLike) -> float | None:
    """1 - squared error / variance: 0 for who always says the mean. None where nothing varies."""
    truth, told = np.asarray(truth, float), np.asarray(told, float)
    variance = float(truth.var())
    varies = variance > 1e-12 * max(float(np.mean(truth**2)), 1e-12)
    return 1 - float(np.mean((truth - told) ** 2)) / variance if varies else None


def rmse(truth: ArrayLike, told: ArrayLike) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean((np.asarray(truth, float) - np.asarray(told, float)) ** 2)))


def group_means(values: ArrayLike, groups: Sequence[Hashable]) -> NDArray:
    """Each value's group's mean (n,): the answers of who knows only the vendor. They are the means of these very
    series, so this baseline is a little better than it could be.

    Example:
        >>> group_means([1, 3, 10], ["a", "a", "b"]).tolist()
        [2.0, 2.0, 10.0]
    """
    values = np.asarray(values, float)
    means = {one: values[[other == one for other in groups]].mean() for one in dict.fromkeys(groups)}
    return np.array([means[one] for one in groups])


def reliability(probabilities: ArrayLike, right: ArrayLike) -> list[dict[str, Any]]:
    """Of each bin of probabilities that occurs: mean ``probability``, fraction ``correct``, number of ``series``."""
    probabilities, right = np.asarray(probabilities, float), np.asarray(right, float)
    which = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return [
        {
            "probability": float(probabilities[which == one].mean()),
            "correct": float(right[which == one].mean()),
            "series": int((which == one).sum()),
        }
        for one in np.unique(which)
    ]


def calibration_error(probabilities: ArrayLike, right: ArrayLike) -> float:
    """Expected calibration error (Guo et al. 2017): how far probabilities are from fractions that are right.

    Example:
        >>> round(calibration_error([0.9, 0.9, 0.9, 0.9], [1, 1, 1, 0]), 6)
        0.15
    """
    bins = reliability(probabilities, right)
    total = sum(one["series"] for one in bins)
    return sum(one["series"] * abs(one["probability"] - one["correct"]) for one in bins) / total
