"""Gradient directions between the voxel axes of FSL's .bvec files and RAS."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ras_from_fsl(vectors: ArrayLike, affine: NDArray) -> NDArray:
    """Unit vectors (n, 3) in RAS from the vectors (n, 3) of a .bvec file.

    FSL's vectors stand in the image's voxel axes, with the first axis reversed where the affine's determinant is
    positive (FSL: FDT user guide, "What conventions do the bvecs use?"; the same rule is in MRtrix3 and in BIDS).

    Args:
        vectors: (n, 3); zero vectors stay zero.
        affine: (4, 4), voxel index to RAS mm.

    Example:
        >>> ras_from_fsl([[1, 0, 0]], np.diag([2.0, 2, 2, 1]))
        array([[-1.,  0.,  0.]])
    """
    return unit(np.asarray(vectors, dtype=float) @ _axes(affine).T)


def fsl_from_ras(directions: ArrayLike, affine: NDArray) -> NDArray:
    """Unit vectors (n, 3) as a .bvec file holds them, from directions (n, 3) in RAS: ``ras_from_fsl`` reversed."""
    return unit(np.linalg.solve(_axes(affine), np.asarray(directions, dtype=float).T).T)


def unit(vectors: ArrayLike) -> NDArray:
    """The vectors (n, 3) at length one; zero and undefined vectors become zero."""
    vectors = np.nan_to_num(np.asarray(vectors, dtype=float), nan=0.0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Shorter than this is no direction: b = 0 is often stored as 1e-8.
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-4) + 0.0  # no -0


def without_weighting(directions: NDArray | None, b_values: NDArray) -> NDArray | None:
    """Directions that are zero where b = 0, and None when nothing is left of them."""
    if directions is None:
        return None
    directions = np.where(b_values[:, None] > 0, unit(directions), 0.0)
    return directions if directions.any() else None


def _axes(affine: NDArray) -> NDArray:
    """The unit vectors of FSL's three axes in RAS, one in each column."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.linalg.det(axes) > 0:
        axes[:, 0] *= -1
    return axes
