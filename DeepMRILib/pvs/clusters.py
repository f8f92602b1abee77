"""Connected clusters of voxels: found, measured, and kept or left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import pdist

NEIGHBOURS_26 = np.ones((3, 3, 3), bool)
_MANY = 200
"""Voxels of a cluster above which its longest extent is looked for among its outermost voxels only."""


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters, from the largest to the smallest.

    Attributes:
        labels: (i, j, k) int32: 0 none, 1 the largest, ...
        voxels: (n,) of each.
        outside: (n,) the fraction of each that lies outside the brain.
        places: of each, its voxels' flat indices into the array.
    """

    labels: NDArray
    voxels: NDArray
    outside: NDArray
    places: list[NDArray]

    def __len__(self) -> int:
        """How many there are."""
        return len(self.voxels)


def connected(mask: NDArray) -> tuple[NDArray, int]:
    """26-connected clusters of a mask (i, j, k): labels 1 ... n (int32), and n."""
    labels = np.zeros(mask.shape, np.int32)
    box = occupied(mask)
    if box is None:
        return labels, 0
    count = ndimage.label(mask[box], NEIGHBOURS_26, output=labels[box])
    return labels, int(count)


def occupied(mask: NDArray) -> tuple[slice, slice, slice] | None:
    """The smallest box that holds what is not zero; None where all is."""
    box = []
    for axis in range(3):
        along = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        if not len(along):
            return None
        box.append(slice(int(along[0]), int(along[-1]) + 1))
    return tuple(box)


def clusters_of(
    probability: NDArray,
    brain: NDArray,
    *,
    threshold: float,
    min_size: float,
    max_outside: float,
    voxel_volume: float,
) -> Clusters:
    """The clusters above a threshold that are large enough and lie in the brain.

    Args:
        probability: (i, j, k).
        brain: (i, j, k) bool.
        threshold: voxels strictly above it count.
        min_size: in mm3; with voxels of 1 mm3 and 5, clusters of 5 voxels stay.
        max_outside: clusters stay of which at most this fraction lies outside the brain.
        voxel_volume: in mm3.
    """
    labels, count = connected(probability > threshold)
    places = np.flatnonzero(labels)
    numbers = labels.ravel()[places]
    voxels = np.bincount(numbers, minlength=count + 1)[1:]
    beyond = np.bincount(numbers[~brain.ravel()[places]], minlength=count + 1)[1:]
    outside = beyond / np.maximum(voxels, 1)
    # a size such as 5 mm3 is met by 5 voxels of 0.99999 mm3: affines are rounded
    kept = (voxels * voxel_volume >= min_size * (1 - 1e-4)) & (outside <= max_outside)
    order = np.flatnonzero(kept)[np.argsort(-voxels[kept], kind="stable")]
    renumbered = np.zeros(count + 1, np.int32)
    renumbered[order + 1] = np.arange(1, len(order) + 1)
    new = renumbered[numbers]
    result = np.zeros(probability.shape, np.int32)
    result.ravel()[places] = new
    places, new = places[new > 0], new[new > 0]
    sorted_places = places[np.argsort(new, kind="stable")]
    groups = np.split(sorted_places, np.cumsum(voxels[order])[:-1]) if len(order) else []
    return Clusters(result, voxels[order], outside[order], groups)


def longest_extent(points: NDArray, edge: float) -> float:
    """The longest distance in mm between voxels (n, 3) in mm of one cluster, plus a voxel's edge.

    Of many voxels only the outermost along 49 directions are compared: at most 4 % too short.
    """
    if len(points) > _MANY:
        reach = points @ _DIRECTIONS.T
        points = points[np.unique(np.r_[reach.argmax(0), reach.argmin(0)])]
    return float(pdist(points).max(initial=0.0) + edge)


def _directions() -> NDArray:
    grid = np.array(np.meshgrid(*[np.arange(-2, 3)] * 3)).reshape(3, -1).T
    half = grid[(grid @ [25, 5, 1]) > 0]
    units = half / np.linalg.norm(half, axis=1, keepdims=True)
    return np.unique(units.round(9), axis=0)


_DIRECTIONS = _directions()
