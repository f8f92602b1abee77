"""Where a lesion surely is and where it surely is not, from the points just inside its margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SLACK = 3.0
"""How much farther out than the points and their depth say a lesion may reach, in mm."""

ROOM = 1.5
"""A lesion lies within its ellipsoid made this much larger."""


def millimetres(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> tuple[NDArray, NDArray, NDArray]:
    """The positions in mm along each axis, to be broadcast against each other."""
    return tuple(
        (np.arange(size, dtype=np.float32) * edge).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, (size, edge) in enumerate(zip(shape, spacing, strict=True))
    )


def star(points: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """The voxels (i, j, k) bool on straight lines from the points (n, 3) to their middle."""
    found = np.zeros(shape, dtype=bool)
    middle = points.mean(axis=0)
    for point in points:
        steps = int(np.ceil(np.abs(point - middle).max())) * 2 + 1
        line = point + np.linspace(0.0, 1.0, steps)[:, None] * (middle - point)
        found[tuple(np.clip(np.rint(line).astype(int), 0, np.array(shape) - 1).T)] = True
    return found


def beyond(points: NDArray, shape: tuple[int, int, int], spacing: tuple[float, float, float], depth: float) -> NDArray:
    """The voxels (i, j, k) bool that lie outside of the box and of the ellipsoid that the points allow."""
    edges = np.array(spacing)
    low, high = points.min(axis=0) * edges - depth, points.max(axis=0) * edges + depth
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, edges / 2)
    positions = millimetres(shape, spacing)
    outside = np.zeros(shape, dtype=bool)
    radius = np.zeros(shape, dtype=np.float32)
    for axis in range(3):
        outside |= (positions[axis] < low[axis] - SLACK) | (positions[axis] > high[axis] + SLACK)
        radius = radius + ((positions[axis] - middle[axis]) / half[axis]) ** 2
    return outside | (radius > ROOM**2)


def ball(points: NDArray, shape: tuple[int, int, int], spacing: tuple[float, float, float], radius: float) -> NDArray:
    """The voxels (i, j, k) bool within ``radius`` mm of one of the points (n, 3), and those that hold them."""
    found = np.zeros(shape, dtype=bool)
    positions = millimetres(shape, spacing)
    for point in points:
        squares = sum((positions[axis] - point[axis] * spacing[axis]) ** 2 for axis in range(3))
        found |= squares <= radius**2
    nearest = np.clip(np.rint(points).astype(int), 0, np.array(shape) - 1)
    found[tuple(nearest.T)] = True
    return found
