"""The grid of 1 mm along R, A and S that an image is conformed to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.resample import closest_axes

SIDE = 256
"""Voxels of the conformed grid along each axis."""
_SKEW = 5e-5
"""Directions this near to orthogonal are taken as they are: that is what float32 headers leave of them."""


def conformed_affine(affine: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """The affine (4, 4) of the conformed grid: 256^3 voxels of 1 mm along the image's own axes, nearest to R, A, S.

    The image's middle voxel, (shape - 1) // 2 after its axes are put in the order and direction of R, A and S, lies
    on voxel 127 of the grid; so does nibabel's ``conform``, and so does SHiVAi. An oblique image stays oblique: its
    own axes are followed. Of directions that are not orthogonal the nearest rotation is taken.

    Args:
        affine: (4, 4) of the image, voxel index to RAS mm.
        shape: (i, j, k) of the image.

    Example:
        >>> conformed_affine(np.diag([-1.0, 1, 2, 1]), (256, 256, 128))[:3, 3]
        array([-255.,    0.,   -1.])
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    directions = affine[:3, :3] / spacing
    axes = closest_axes(rotation_of(directions))
    signs = np.array([np.sign(directions[row, axis]) for row, axis in enumerate(axes)])
    size = np.array(shape)[axes]
    # the middle after flipping, in the indices of the file
    middle = (size - 1) // 2
    index = np.empty(3)
    index[axes] = np.where(signs > 0, middle, size - 1 - middle)
    turned = directions[:, axes] * signs
    conformed = np.eye(4)
    conformed[:3, :3] = turned if skewness(affine) < _SKEW else rotation_of(turned)
    centre = affine[:3, :3] @ index + affine[:3, 3]
    conformed[:3, 3] = centre - conformed[:3, :3] @ np.full(3, (SIDE - 1) // 2)
    return conformed


def rotation_of(directions: NDArray) -> NDArray:
    """The orthogonal matrix (3, 3) nearest to some directions, by singular values."""
    left, _, right = np.linalg.svd(directions)
    return left @ right


def skewness(affine: NDArray) -> float:
    """How far the axes of an affine are from orthogonal: the largest cosine between two of them."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return float(np.abs(directions.T @ directions - np.eye(3)).max())
