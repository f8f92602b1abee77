"""How far a network's estimates are off: learned from simulated voxels that the network takes for the same.

A network's estimates are drawn towards what it was trained on, so the estimated voxels vary less than the true ones:
voxels simulated from the estimates would show too small errors. Here the simulated voxels vary more, and are weighted
until their estimates are distributed as the estimates at hand: the prior that makes those most likely (Laird, J Am Stat
Assoc 1978;73:805-811), with the simulated voxels as its support.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

SIMULATED = 40_000
"""Voxels that are simulated."""
OBSERVED = 10_000
"""Estimated voxels that the simulated ones are weighted by, at most."""
STRETCH = (0.8, 2.0)
"""How much further simulated parameters vary than estimated ones, drawn for each."""
NEIGHBOURS = 16
MATCHING_ROUNDS = 20
SCORING_ROUNDS = 20
LEAST_SHARE = 0.01
"""Simulated voxels with less than this part of the mean weight do not count."""
RIDGE = 1e-3
ROWS = 65536
"""Voxels at a time: with all terms of all voxels a large volume would take gigabytes."""
FARTHEST = 3.0
"""Standardised features are cut here: polynomials run away."""

Values = Mapping[str, NDArray]


def stretched(found: Values, limits: Mapping[str, tuple[float, float]], rows: NDArray, seed: int) -> dict[str, NDArray]:
    """Parameters of simulated voxels: those of estimated ones, further away from their mean, within the bounds.

    Args:
        found: parameter to estimates (n,).
        limits: of each parameter.
        rows: (m,) which estimated voxels to begin with.
        seed: of the stretching.
    """
    random = np.random.default_rng([seed, 1])
    result = {}
    for name, values in found.items():
        low, high = limits.get(name, (-np.inf, np.inf))
        centre = float(values.mean())
        result[name] = np.clip(centre + random.uniform(*STRETCH, len(rows)) * (values[rows] - centre), low, high)
    return result


@dataclass(frozen=True)
class Features:
    """What is seen of a voxel, standardised.

    Attributes:
        centre, scale: (k,), from the estimated voxels; a feature that does not vary has an infinite scale.
    """

    centre: NDArray
    scale: NDArray

    @classmethod
    def of(cls, values: NDArray) -> Features:
        """Standardisation by features (n, k)."""
        centre, scale = values.mean(0), values.std(0)
        return cls(centre, np.where(scale > 1e-6 * (1e-3 + np.abs(centre)), scale, np.inf))

    def standardised(self, values: NDArray) -> NDArray:
        """(n, k) about 0, cut at ``FARTHEST``."""
        return np.clip((values - self.centre) / self.scale, -FARTHEST, FARTHEST)


@dataclass(frozen=True)
class ErrorModel:
    """Squared errors as smooth functions of what is seen: their logarithm is a polynomial (gamma regression).

    Attributes:
        features: their standardisation.
        weights: parameter to (terms,).
    """

    features: Features
    weights: dict[str, NDArray]

    @classmethod
    def learn(cls, observed: NDArray, simulated: NDArray, errors: Values) -> ErrorModel:
        """Fit to simulated voxels.

        Args:
            observed: (n, k) features of the estimated voxels: estimates, log of the members' spread, log of the noise.
            simulated: (m, k) those of the simulated voxels.
            errors: parameter to estimate less truth (m,).
        """
        features = Features.of(observed)
        seen = features.standardised(simulated)
        observed = observed[:: -(-len(observed) // OBSERVED)]
        shares = matched(features.standardised(observed), seen)
        counted = np.flatnonzero(shares > LEAST_SHARE / len(shares))
        shares = shares[counted] / shares[counted].mean()
        terms = _terms(seen[counted])
        weighted = terms * shares[:, None]
        solve = np.linalg.inv(weighted.T @ terms + RIDGE * len(terms) * np.eye(terms.shape[1]))
        return cls(features, {name: _gamma(terms, weighted, solve, e[counted] ** 2) for name, e in errors.items()})

    def sd(self, observed: NDArray) -> dict[str, NDArray]:
        """Root mean square errors (n,) of voxels with features (n, k)."""
        found = {name: np.empty(len(observed)) for name in self.weights}
        for first in range(0, len(observed), ROWS):
            rows = slice(first, first + ROWS)
            terms = _terms(self.features.standardised(observed[rows]))
            for name, weights in self.weights.items():
                found[name][rows] = np.exp(0.5 * (terms @ weights))
        return found


def matched(observed: NDArray, simulated: NDArray) -> NDArray:
    """Weights (m,) that sum to 1 and with which simulated features (m, k) are distributed as observed ones (n, k).

    Each observed voxel shares its weight among the simulated ones next to it, in proportion to the weights that these
    have: rounds of expectation and maximisation.
    """
    from scipy.spatial import cKDTree  # a tenth of a second to import

    _, near = cKDTree(simulated).query(observed, k=min(NEIGHBOURS, len(simulated)))
    near = near.reshape(len(observed), -1)
    weights = np.full(len(simulated), 1 / len(simulated))
    for _ in range(MATCHING_ROUNDS):
        shares = weights[near]
        shares /= shares.sum(axis=1, keepdims=True)
        weights = np.bincount(near.ravel(), shares.ravel(), len(simulated)) / len(observed)
    return weights


def _terms(z: NDArray) -> NDArray:
    """Products of up to three features, of up to two where there are many: (n, terms)."""
    degree = 3 if z.shape[1] <= 5 else 2
    products = [
        np.prod(z[:, list(chosen)], axis=1) for power in range(degree + 1)
        for chosen in combinations_with_replacement(range(z.shape[1]), power)
    ]  # fmt: skip
    return np.stack(products, axis=1)


def _gamma(terms: NDArray, weighted: NDArray, solve: NDArray, squares: NDArray) -> NDArray:
    """Fisher scoring of a weighted gamma regression with logarithmic link: weights (terms,) of log E[squares]."""
    mean = max(float(squares.mean()), 1e-300)
    weights = np.zeros(terms.shape[1])
    for _ in range(SCORING_ROUNDS):
        # Steps are limited: far from the optimum single large squares would throw the fit off.
        pull = np.minimum(squares / mean * np.exp(-terms @ weights), 1e3) - 1
        weights += np.clip(solve @ (weighted.T @ pull), -0.5, 0.5)
    weights[0] += np.log(mean)
    return weights
