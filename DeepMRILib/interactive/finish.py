"""From memberships to a segmentation: a smooth margin, in one piece, without holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.engine import Problem

WHOLE = np.ones((3, 3, 3), dtype=bool)
"""Voxels that share a corner hang together."""


def finished(membership: NDArray, problem: Problem) -> tuple[NDArray, NDArray]:
    """The labels (i, j, k) uint8 and the confidence (i, j, k) float32 of memberships (labels + 1, i, j, k).

    The confidence is the lead of the winner over the runner-up.
    """
    smoothed = smooth(membership, problem)
    winner = smoothed.argmax(axis=0)
    labels = np.zeros(problem.shape, dtype=np.uint8)
    for number, points in enumerate(problem.points, start=1):
        region = pieces_with(winner == number, points)
        if problem.options.fill_holes:
            region = ndimage.binary_fill_holes(region)
        labels[region & (labels == 0)] = number
    ordered = np.partition(smoothed, -2, axis=0)
    return labels, (ordered[-1] - ordered[-2]).astype(np.float32)


def smooth(membership: NDArray, problem: Problem) -> NDArray:
    """The memberships smoothed by the Gaussian that the options ask for."""
    if problem.options.smooth == 0.0:
        return membership
    sigma = problem.options.smooth / np.array(problem.spacing)
    return np.stack([ndimage.gaussian_filter(one, sigma, truncate=3.0, mode="nearest") for one in membership])


def pieces_with(region: NDArray, points: NDArray) -> NDArray:
    """The connected pieces of a region that hold one of the points (n, 3); the largest where none does."""
    pieces, count = ndimage.label(region, WHOLE)
    if count < 2:
        return region
    nearest = np.clip(np.rint(points).astype(int), 0, np.array(region.shape) - 1)
    kept = np.unique(pieces[tuple(nearest.T)])
    kept = kept[kept > 0]
    if kept.size == 0:
        kept = [np.bincount(pieces.ravel())[1:].argmax() + 1]
    return np.isin(pieces, kept)
