"""From memberships to a segmentation: a smooth margin, in one piece, without holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive import seeds
from DeepMRILib.interactive.engine import Problem
from DeepMRILib.interactive.extremes import fineness

WHOLE = np.ones((3, 3, 3), dtype=bool)
"""Voxels that share a corner hang together."""
GAIN = 4.0
"""Leads from a quarter on count as a whole one: else the side that is more certain pushes the margin back."""
CLICK = 2.0
"""Within so many mm of a point where no label is, there is none."""


def finished(membership: NDArray, problem: Problem) -> tuple[NDArray, NDArray]:
    """The labels (i, j, k) uint8 and the confidence (i, j, k) float32 of memberships (labels + 1, i, j, k).

    The margin is smoothed as the options ask for, that of small lesions less (``fineness``). Of each label the pieces
    that hold one of its points stay, without their holes if asked for, and nothing within 2 mm of a point where no
    label is. The confidence is the lead of the winner over the runner-up.
    """
    best, second = two_highest(membership)
    confidence = (best - second).astype(np.float32)
    regions = smooth_regions(membership, problem)
    forbidden = None
    if len(problem.negative):
        forbidden = seeds.balls(problem.negative, problem.shape, problem.spacing, CLICK)
        regions = [region & ~forbidden for region in regions]
    labels = np.zeros(problem.shape, dtype=np.uint8)
    for number, (region, points) in enumerate(zip(regions, problem.points, strict=True), start=1):
        kept = pieces_with(region, points)
        if problem.options.fill_holes:
            kept = filled(kept, forbidden)
        labels[kept & (labels == 0)] = number
    return labels, confidence


def smooth_regions(membership: NDArray, problem: Problem) -> list[NDArray]:
    """The region (i, j, k) bool of each label, its margin smoothed."""
    sigma = problem.options.smooth * fineness(problem) / np.array(problem.spacing)
    if len(membership) == 2:
        lead = np.clip(GAIN * (membership[1] - membership[0]), -1, 1)
        return [ndimage.gaussian_filter(lead, sigma, truncate=2.5, mode="nearest") > 0]
    best, second = two_highest(membership)
    leads = [np.clip(GAIN * (one - np.where(one == best, second, best)), -1, 1) for one in membership]
    winner = np.stack([ndimage.gaussian_filter(one, sigma, truncate=2.5, mode="nearest") for one in leads]).argmax(0)
    return [winner == number for number in range(1, len(membership))]


def two_highest(membership: NDArray) -> tuple[NDArray, NDArray]:
    """The highest and the second highest membership of each voxel."""
    if len(membership) == 2:
        return np.maximum(*membership), np.minimum(*membership)
    ordered = np.partition(membership, -2, axis=0)
    return ordered[-1], ordered[-2]


def pieces_with(region: NDArray, points: NDArray) -> NDArray:
    """The connected pieces of a region that hold one of the points (n, 3); the largest where none does."""
    pieces, count = ndimage.label(region, WHOLE)
    if count < 2:
        return region
    kept = np.unique(pieces[seeds.nearest(points, region.shape)])
    keep = np.zeros(count + 1, dtype=bool)
    keep[kept] = True
    keep[0] = False
    if not keep.any():
        keep[np.bincount(pieces.ravel())[1:].argmax() + 1] = True
    return keep[pieces]


def filled(region: NDArray, forbidden: NDArray | None) -> NDArray:
    """The region without holes, but for those around points where nothing is."""
    whole = ndimage.binary_fill_holes(region)
    if forbidden is None:
        return whole
    holes, count = ndimage.label(whole & ~region)
    marked = np.zeros(count + 1, dtype=bool)
    marked[np.unique(holes[forbidden & (holes > 0)])] = True
    return whole & ~marked[holes]
