"""How much one parameter tells about another: words and words, words and numbers, numbers and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.iap.aliases import key_of
from DeepMRILib.iap.parameters import BY_NAME, Value

FEWEST = 5
"""Series with both parameters, below which no association is told."""


def cramers_v(first: ArrayLike, second: ArrayLike) -> float:
    """Cramer's V of two lists of classes with the correction for bias: 0 for none, 1 where one tells the other.

    W. Bergsma, "A bias-correction for Cramer's V and Tschuprow's T", J Korean Stat Soc 42:323-328 (2013):
    phi2' = max(0, chi2/n - (r-1)(c-1)/(n-1)), r' = r - (r-1)^2/(n-1), c' likewise, V = sqrt(phi2' / min(r'-1, c'-1)).

    Returns:
        NaN where one of the lists has a single class, or every entry is a class of its own.

    Example:
        >>> round(cramers_v([0, 0, 1, 1] * 10, [1, 1, 0, 0] * 10), 3), cramers_v([0, 0, 1, 1] * 10, [0, 1, 0, 1] * 10)
        (1.0, 0.0)
    """
    left, right = (np.unique(np.asarray(one), return_inverse=True)[1].ravel() for one in (first, second))
    n = len(left)
    table = np.zeros((left.max(initial=0) + 1, right.max(initial=0) + 1))
    np.add.at(table, (left, right), 1)
    r, c = table.shape
    if n < 2 or min(r, c) < 2:
        return float("nan")
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n
    chi2 = float(((table - expected) ** 2 / expected).sum())
    phi2 = max(0.0, chi2 / n - (r - 1) * (c - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(min(phi2 / smaller, 1.0))) if smaller > 1e-9 else float("nan")


def correlation_ratio(classes: ArrayLike, numbers: ArrayLike) -> float:
    """Pearson's eta: the square root of the part of the variance that lies between the classes.

    Returns:
        NaN where there is one class, no variance, or every entry is a class of its own.

    Example:
        >>> correlation_ratio(["a", "a", "b", "b"], [1.0, 1.0, 3.0, 3.0])
        1.0
    """
    labels = np.unique(np.asarray(classes), return_inverse=True)[1].ravel()
    values = np.asarray(numbers, dtype=float)
    counts = np.bincount(labels)
    whole = float(((values - values.mean()) ** 2).sum()) if len(values) else 0.0
    if len(counts) < 2 or len(counts) == len(values) or whole <= 1e-12 * max(1.0, float(np.abs(values).max()) ** 2):
        return float("nan")
    means = np.bincount(labels, weights=values) / counts
    return float(np.sqrt(np.clip((counts * (means - values.mean()) ** 2).sum() / whole, 0, 1)))


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Spearman's rank correlation, ties at the mean of their ranks.

    Returns:
        -1 to 1, NaN where one does not vary.

    Example:
        >>> spearman([1, 2, 3, 4], [1, 4, 9, 16]), spearman([1, 1, 1], [1, 2, 3])
        (1.0, nan)
    """
    left, right = (ranks(one) for one in (first, second))
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float(np.clip((left * right).sum() / scale, -1, 1)) if scale > 0 else float("nan")


def ranks(values: ArrayLike) -> NDArray:
    """Ranks from 1, ties at the mean of theirs.

    Example:
        >>> ranks([10, 20, 20, 30])
        array([1. , 2.5, 2.5, 4. ])
    """
    _, places, counts = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return ((ends - counts + 1 + ends) / 2)[places.ravel()]


def association(name: str, values: Sequence[Value], other: str, others: Sequence[Value]) -> float:
    """How much two parameters tell of each other, by what they are, over the series that have both.

    Words with words: Cramer's V. Words with numbers: the correlation ratio. Numbers with numbers: Spearman's rank
    correlation, the only one with a sign. NaN where fewer than ``FEWEST`` series have both, or one does not vary.
    """
    both = [(left, right) for left, right in zip(values, others, strict=True) if left is not None and right is not None]
    if len(both) < FEWEST:
        return float("nan")
    left, right = ([key_of(one, pair[n]) for pair in both] for n, one in enumerate((name, other)))
    words = [BY_NAME[one].kind == "categorical" for one in (name, other)]
    if all(words):
        return cramers_v(left, right)
    if words[0]:
        return correlation_ratio(left, right)
    if words[1]:
        return correlation_ratio(right, left)
    return spearman(left, right)
