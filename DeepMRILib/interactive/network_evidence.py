"""What a user says beside the points inside, for networks that were not trained on it: negative points, a prior."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive import seeds
from DeepMRILib.interactive.engine import Problem
from DeepMRILib.interactive.geodesic_engine import prepared
from DeepMRILib.interactive.geodesic_sweep import all_costs, swept
from DeepMRILib.progress import Progress

ROUNDS = 2
"""Of sweeps: the way past a point is short, and need not be exact."""
NEGATIVE_RADIUS = 2.0
"""mm around a negative point that surely are background."""
PRIOR_RIGHT = 0.75
"""An earlier segmentation is believed to be right in three voxels of four: three times the odds for what it says."""


def without_negatives(membership: NDArray, problem: Problem, progress: Progress) -> NDArray:
    """Memberships (labels + 1, i, j, k) with nothing but background where a negative point is nearer than the lesion.

    Nearer is meant geodesically: the way in the image from a negative point against the way from the straight lines
    between the points of a label and their middle, which lie in the lesion.
    """
    if not len(problem.negative):
        return membership
    progress(0.0, "Negative points")
    shape, spacing = problem.shape, problem.spacing
    inside = np.logical_or.reduce([seeds.star(points, shape) for points in problem.points])
    outside = seeds.balls(problem.negative, shape, spacing, NEGATIVE_RADIUS) & ~inside
    start = np.where(np.stack([outside, inside]), np.float32(0), np.float32(np.inf))
    costs = all_costs(prepared(problem), spacing, problem.options.edge_weight)
    distances = swept(start, costs, rounds=ROUNDS, report=lambda done: progress(done, "Negative points"))
    found = membership.copy()
    taken = distances[0] < distances[1]
    found[1:, taken] = 0
    found[0, taken] = 1
    return found


def with_prior(membership: NDArray, prior: NDArray | None) -> NDArray:
    """Memberships (labels + 1, i, j, k) after Bayes' rule: times how probable an earlier segmentation is given each.

    Where the network is sure, it decides; where it wavers, the earlier segmentation (i, j, k) does.
    """
    if prior is None:
        return membership
    others = max(len(membership) - 1, 1)
    said = prior[None] == np.arange(len(membership)).reshape(-1, 1, 1, 1)
    weighted = membership * np.where(said, np.float32(PRIOR_RIGHT), np.float32((1 - PRIOR_RIGHT) / others))
    return (weighted / weighted.sum(axis=0)).astype(np.float32)


def competing(probabilities: NDArray) -> NDArray:
    """Memberships (labels + 1, i, j, k) of labels that a network of one label has found one after the other.

    Args:
        probabilities: (labels, i, j, k) of each label against its background. Odds p / (1 - p) compete: with one label
            its membership is its probability.
    """
    odds = probabilities / np.maximum(1 - probabilities, np.float32(1e-6))
    total = 1 + odds.sum(axis=0, keepdims=True)
    return np.concatenate([1 / total, odds / total]).astype(np.float32)
