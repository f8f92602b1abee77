"""Where a lesion surely is and where it surely is not, from the points just inside its margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Positions = tuple[NDArray, NDArray, NDArray]


def millimetres(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Positions:
    """The positions in mm along each axis, float32, to be broadcast against each other."""
    return tuple(
        (np.arange(size, dtype=np.float32) * np.float32(edge)).reshape([-1 if a == axis else 1 for a in range(3)])
        for axis, (size, edge) in enumerate(zip(shape, spacing, strict=True))
    )


def nearest(points: NDArray, shape: tuple[int, int, int]) -> tuple[NDArray, NDArray, NDArray]:
    """The index of the voxels nearest to points (n, 3), within the grid."""
    return tuple(np.clip(np.rint(points).astype(int), 0, np.array(shape) - 1).T)


def star(points: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """The voxels (i, j, k) bool on straight lines from the points (n, 3) to their middle."""
    found = np.zeros(shape, dtype=bool)
    middle = points.mean(axis=0)
    for point in points:
        steps = int(np.ceil(np.abs(point - middle).max())) * 2 + 1
        line = point + np.linspace(0.0, 1.0, steps)[:, None] * (middle - point)
        found[nearest(line, shape)] = True
    return found


def balls(points: NDArray, shape: tuple[int, int, int], spacing: tuple[float, float, float], radius: float) -> NDArray:
    """The voxels (i, j, k) bool within ``radius`` mm of one of the points (n, 3), and those that hold them."""
    found = np.zeros(shape, dtype=bool)
    positions = millimetres(shape, spacing)
    for point in points:
        squares = sum((positions[axis] - point[axis] * spacing[axis]) ** 2 for axis in range(3))
        found |= squares <= radius**2
    found[nearest(points, shape)] = True
    return found
