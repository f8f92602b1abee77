"""Eigenvalues of many symmetric 3 x 3 matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BATCH = 16_384
"""Matrices at a time: their intermediate results stay in the processor's cache."""


def symmetric_eigenvalues(matrices: NDArray) -> NDArray:
    """The eigenvalues (3, n) float32 of symmetric matrices, those of the smallest magnitude first.

    In closed form: with m = tr(A) / 3, B = A - m I, p^2 = tr(B^2) / 6 and cos(3 phi) = det(B) / (2 p^3), they are
    m + 2 p cos(phi + 2 pi k / 3) for k = 0, 1, 2 (Smith, Communications of the ACM 1961;4:168). Computed with 64 bits:
    near a double eigenvalue, the usual case in a tube, half of the digits are lost, and 64 bits leave enough.

    Args:
        matrices: (6, n), the entries xx, yy, zz, xy, xz, yz.

    Example:
        >>> symmetric_eigenvalues(np.array([[2.0], [-3.0], [1.0], [0.0], [0.0], [0.0]])).ravel().tolist()
        [1.0, 2.0, -3.0]
    """
    found = np.empty((3, matrices.shape[1]), dtype=np.float32)
    for start in range(0, matrices.shape[1], BATCH):
        batch = slice(start, start + BATCH)
        found[:, batch] = _by_magnitude(*_descending(matrices[:, batch].astype(np.float64)))
    return found


def _descending(entries: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    xx, yy, zz, xy, xz, yz = entries
    mean = (xx + yy + zz) / 3
    xx, yy, zz = xx - mean, yy - mean, zz - mean
    p = np.sqrt((xx * xx + yy * yy + zz * zz + 2 * (xy * xy + xz * xz + yz * yz)) / 6)
    half = 0.5 * (xx * (yy * zz - yz * yz) - xy * (xy * zz - yz * xz) + xz * (xy * yz - yy * xz))
    cosine = half / np.maximum(p**3, np.finfo(float).tiny)
    phi = np.arccos(np.clip(cosine, -1, 1)) / 3
    largest = mean + 2 * p * np.cos(phi)
    smallest = mean + 2 * p * np.cos(phi + 2 * np.pi / 3)
    return largest, 3 * mean - largest - smallest, smallest


def _by_magnitude(largest: NDArray, middle: NDArray, smallest: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    # one of the outer two has the largest magnitude; the middle one may be nearer to 0 than the other or farther
    flip = np.abs(smallest) > np.abs(largest)
    third, other = np.where(flip, smallest, largest), np.where(flip, largest, smallest)
    flip = np.abs(middle) > np.abs(other)
    return np.where(flip, other, middle), np.where(flip, middle, other), third
