"""What is found from points alone, without looking at the image: every engine must do better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.volume import Volume


def ellipsoid(points: NDArray, volume: Volume, depth: float = 5.0) -> NDArray:
    """The ellipsoid (i, j, k) bool through six points, after each has moved out by their depth.

    Its axes are those of the array; it fills the box around the points, which have moved away from their middle.

    Args:
        points: (n, 3) in RAS mm.
        volume: the grid.
        depth: how far inside the margin the points are, in mm.
    """
    spacing = np.array(volume.spacing)
    places = volume.voxel_from_ras(points) * spacing
    away = places - places.mean(axis=0)
    lengths = np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    places = places + depth * away / lengths
    low, high = places.min(axis=0), places.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, spacing / 2)
    axes = [
        ((np.arange(n) * edge - m) / h) ** 2 for n, edge, m, h in zip(volume.shape, spacing, middle, half, strict=True)
    ]
    return axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :] <= 1
