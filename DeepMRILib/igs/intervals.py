"""What few cases allow to say of all: intervals of means, of paired differences and of areas under ROC curves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

FEW = 20
"""Below this number of cases an interval is Student's: a bootstrap of few is too narrow."""
MANY = 500
"""From this number of cases on means are normal, and nothing is drawn."""
RESAMPLES = 2000
FLIPS = 10_000
EXACT = 12
"""Up to this number of cases all their signs are tried."""
INTERVAL_WORDS = (
    f"percentiles of {RESAMPLES} bootstrap samples of cases; below {FEW} and from {MANY} cases on Student's t "
    "over cases"
)
TEST_WORDS = (
    f"two-sided sign-flip test of the paired differences (all signs up to {EXACT} cases, {FLIPS} random ones of more; "
    f"from {MANY} cases on Student's t)"
)
AUC_WORDS = f"percentiles of {RESAMPLES} bootstrap samples of cases, paired; p from the share of them beyond 0"


class Interval(NamedTuple):
    """An estimate and where it may lie; ``low`` and ``high`` are NaN where too few cases tell.

    Attributes:
        mean: over the cases.
        low, high: ends of the interval.
        cases: how many were counted.
        p: of a difference, how likely one as large would be without any; else NaN.
    """

    mean: float
    low: float
    high: float
    cases: int
    p: float = float("nan")


NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0)


def mean_interval(values: ArrayLike, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean over cases and its interval: Student's t of few (below 20) and many (500), else a seeded bootstrap.

    Args:
        values: (cases,); NaN is not counted.
        level: of the interval, such as 0.95.
        seed: of the bootstrap.

    Example:
        >>> [round(end, 3) for end in mean_interval([0.8, 0.9, 0.7])[:3]]
        [0.8, 0.552, 1.048]
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not values.size:
        return NOTHING
    mean = float(values.mean())
    if values.size == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    if not FEW <= values.size < MANY:
        half = float(stdtrit(values.size - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(values.size))
        return Interval(mean, mean - half, mean + half, values.size)
    low, high = _ends(resamples(values.size, seed) @ values / values.size, level)
    return Interval(mean, low, high, values.size)


def paired_interval(first: ArrayLike, second: ArrayLike, level: float = 0.95, seed: int = 0) -> Interval:
    """The mean of ``first - second`` over the cases that have both, its interval, and p of a sign-flip test.

    Args:
        first, second: (cases,) of the same cases.
        level, seed: as for ``mean_interval``.
    """
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    differences = differences[np.isfinite(differences)]
    return mean_interval(differences, level, seed)._replace(p=sign_flip_p(differences, seed))


def sign_flip_p(differences: NDArray, seed: int = 0) -> float:
    """How often a mean as far from 0 arises when each case's difference could as well have the other sign.

    All signs are tried of up to 12 cases, so that p is at least 2 / 2^cases; else 10,000 random ones; of 500 cases and
    more it is Student's t test. NaN below two cases. (Fisher's randomisation test)

    Example:
        >>> sign_flip_p(np.array([1.0, 2.0, 3.0]))
        0.25
    """
    n = len(differences)
    if n < 2:
        return float("nan")
    if n >= MANY:
        if not np.ptp(differences):
            return float(not differences[0])
        return float(2 * stdtr(n - 1, -abs(differences.mean()) * np.sqrt(n) / differences.std(ddof=1)))
    found = abs(float(differences.sum()))
    flipped = np.abs(_signs(n, seed) @ differences)
    as_far = int(np.count_nonzero(flipped >= found * (1 - 1e-12)))
    # of random signs the one that was found counts too, so that p is never 0
    return as_far / len(flipped) if n <= EXACT else (as_far + 1) / (len(flipped) + 1)


def auc_interval(
    area: Callable[[NDArray], NDArray], cases: NDArray, other: Callable[[NDArray], NDArray] | None = None, *,
    level: float = 0.95, seed: int = 0,
) -> Interval:  # fmt: skip
    """An area under the ROC curve and its bootstrap interval; with ``other`` the difference of two.

    Args:
        area: from weights (m, samples) of the samples to areas (m,), as ``measures.auc_of_classes``.
        cases: (samples,) the case of each: a case is drawn with all its samples.
        other: another area of the same samples, which is taken away.
    """
    _, of_case = np.unique(cases, return_inverse=True)
    count = int(of_case.max()) + 1
    every = np.ones((1, len(cases)))
    estimate = float((area(every) - (0 if other is None else other(every)))[0])
    if count < 2 or not np.isfinite(estimate):
        return Interval(estimate, float("nan"), float("nan"), count)
    weights = resamples(count, seed)[:, of_case]
    drawn = area(weights) - (0 if other is None else other(weights))
    drawn = drawn[np.isfinite(drawn)]  # samples of cases may lack a class
    if not drawn.size:
        return Interval(estimate, float("nan"), float("nan"), count)
    beyond = min(np.mean(drawn <= 0), np.mean(drawn >= 0))
    p = float("nan") if other is None else min(1.0, max(2 * float(beyond), 2 / len(drawn)))
    return Interval(estimate, *_ends(drawn, level), count, p)


def _ends(drawn: NDArray, level: float) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@lru_cache(maxsize=4)
def resamples(n: int, seed: int) -> NDArray:
    """(2000, n) float: how often each of n cases occurs in each bootstrap sample; do not change it."""
    random = np.random.default_rng([seed, n])
    return random.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)


@lru_cache(maxsize=4)
def _signs(n: int, seed: int) -> NDArray:
    if n <= EXACT:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return np.random.default_rng([seed, n, 1]).choice([-1.0, 1.0], size=(FLIPS, n))
