"""How a phantom's voxel axes lie in the patient."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

GridName = Literal["straight", "left-handed", "oblique", "oblique left-handed", "sagittal"]
"""Axes to R, A, S; i to the left instead, as scanners often store it; turned by 10 to 25 degrees, with or without
that; or slices across R: i to A, j to S, k to R."""

_TURN = (20.0, -10.0, 25.0)
_CENTRE = (12.0, -34.0, 57.0)


def grid_affine(size: tuple[int, int, int], spacing: tuple[float, float, float], name: GridName) -> NDArray:
    """The affine (4, 4) of an image whose middle lies at a fixed place in the patient.

    Example:
        >>> float(np.linalg.det(grid_affine((9, 9, 9), (1, 1, 2), "oblique left-handed")).round(6))
        -2.0
    """
    axes = np.eye(3)
    if name.endswith("left-handed"):
        axes[:, 0] *= -1
    if name == "sagittal":
        axes = axes[:, [1, 2, 0]]
    if name.startswith("oblique"):
        axes = Rotation.from_euler("xyz", _TURN, degrees=True).as_matrix() @ axes
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = _CENTRE - affine[:3, :3] @ ((np.array(size) - 1) / 2)
    return affine
