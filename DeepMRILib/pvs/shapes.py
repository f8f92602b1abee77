"""What clusters must look like to be perivascular spaces, at whatever threshold they are cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.clusters import connected
from DeepMRILib.pvs.gates import eroded
from DeepMRILib.pvs.options import SegmentOptions

LEVELS = np.arange(0.2, 0.91, 0.05)
"""Clusters are judged at the lowest of these scores; those that fail are cut at the next."""
STEPS = np.arange(0.1, 1.0, 0.05)
"""Thresholds for which hysteresis is computed."""
SMALLEST = 3
"""Clusters of fewer mm3 are noise."""
ROUND = 10
"""Clusters of fewer voxels have no shape."""


def continued(score: NDArray, low: float) -> NDArray:
    """Scores (i, j, k) whose clusters above any threshold t go on down to ``low`` t in those given.

    That is hysteresis (Canny, IEEE Trans Pattern Anal Mach Intell 1986;8:679-698) at all thresholds at once: a voxel
    takes the highest t with a score above ``low`` t and a connection of such voxels to a score above t.
    """
    if low >= 1:
        return score
    found = score.copy().ravel()
    for threshold in STEPS:
        labels, count = connected(score > low * threshold)
        places = np.flatnonzero(labels)
        numbers = labels.ravel()[places]
        seeded = np.zeros(count + 1, bool)
        seeded[numbers[score.ravel()[places] > threshold]] = True
        reached = places[seeded[numbers]]
        # a little above, for what lies above a threshold belongs to a space
        found[reached] = np.maximum(found[reached], np.float32(threshold + 1e-3))
    return found.reshape(score.shape)


def only_tubes(score: NDArray, options: SegmentOptions) -> NDArray:
    """Scores (i, j, k) of clusters that may be spaces; 0 elsewhere.

    A cluster that is too large, too thick or too round at the lowest level is cut at the next, until its parts pass
    or are gone: a space next to a lesion may stay, and at any threshold only what passed is left.
    """
    kept = np.zeros(score.shape, bool)
    still = score > LEVELS[0]
    for level in LEVELS:
        labels, count = connected(still & (score > level))
        if not count:
            break
        size, elongation = measured(labels, count)
        good = (size <= options.max_size) & ((size < ROUND) | (elongation >= options.min_elongation))
        # less than a voxel would leave out everything: a single one is 1 mm thick
        good[labels[eroded(labels > 0, max(options.max_width / 2, 1.0))]] = False
        enough = size >= SMALLEST
        good[0] = enough[0] = False
        kept |= (good & enough)[labels]
        still = (~good & enough)[labels]
    return np.where(kept, score, np.float32(0))


def measured(labels: NDArray, count: int) -> tuple[NDArray, NDArray]:
    """Of each label 0 ... ``count`` the voxels and the elongation: its extent over the next along its principal axes.

    A voxel's own extent is included, so that a line of voxels has a width of one.
    """
    places = np.nonzero(labels)
    numbers = labels[places]
    size = np.bincount(numbers, minlength=count + 1)
    many = np.maximum(size, 1)
    centred = [p - (np.bincount(numbers, p, count + 1) / many)[numbers] for p in places]
    spread = np.empty((count + 1, 3, 3))
    for a in range(3):
        for b in range(3):
            spread[:, a, b] = np.bincount(numbers, centred[a] * centred[b], count + 1) / many + (a == b) / 12
    along = np.linalg.eigvalsh(spread)
    return size, np.sqrt(along[:, 2] / along[:, 1])
