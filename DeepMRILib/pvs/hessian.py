"""Second derivatives of an image by Gaussians, where they are asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

REACH = 4.0
"""A Gaussian is cut off at so many standard deviations."""


def kernels(sigma: float) -> tuple[NDArray, NDArray, NDArray]:
    """A Gaussian, its first and its second derivative, sampled at whole voxels, for correlation.

    Below about 0.7 voxel the samples of a derivative no longer add up as its integral does: those of the second do
    not even add up to 0, and a bright even region would look curved. So the samples are corrected until they
    differentiate 1, x and x^2 exactly.

    Args:
        sigma: standard deviation in voxels.

    Example:
        >>> x = np.arange(-2, 3)
        >>> [round(float(kernel @ x**2), 6) for kernel in kernels(0.5)[1:]]
        [0.0, 2.0]
    """
    radius = max(1, int(REACH * sigma + 0.5))
    x = np.arange(-radius, radius + 1, dtype=float)
    smooth = np.exp(-0.5 * (x / sigma) ** 2)
    smooth /= smooth.sum()
    first = x * smooth
    first /= first @ x
    second = (x**2 - sigma**2) * smooth
    second -= second.sum() * smooth
    second *= 2 / (second @ x**2)
    return smooth, first, second


def reach(sigma: float) -> int:
    """How many voxels away from a voxel its second derivatives see."""
    return len(kernels(sigma)[0]) // 2


def hessian_at(image: NDArray, sigma: float, first: int, where: NDArray) -> NDArray:
    """The second derivatives (6, n) float32 at some voxels of a slab, times sigma^2: xx, yy, zz, xy, xz, yz.

    That factor makes tubes of different widths comparable (Lindeberg, Int J Comput Vis 1998;30:79-116, gamma = 1).

    Args:
        image: (i, j, k) float32.
        sigma: standard deviation of the Gaussian in voxels.
        first: where the slab begins along the first axis.
        where: (slab, j, k) bool, the n voxels.
    """
    found = np.empty((6, np.count_nonzero(where)), dtype=np.float32)
    weights = kernels(sigma)
    margin = len(weights[0]) // 2
    low, high = max(first - margin, 0), min(first + len(where) + margin, len(image))
    own = slice(first - low, first - low + len(where))
    # each derivative is three filters, one along each axis; those that begin alike are computed once
    for order_x in range(3):
        along_x = _along(image[low:high], weights[order_x], 0)[own]
        for order_y in range(3 - order_x):
            order_z = 2 - order_x - order_y
            along_y = _along(along_x, weights[order_y], 1)
            found[ROW[order_x, order_y, order_z]] = _along(along_y, weights[order_z], 2)[where]
    found *= sigma**2
    return found


ROW = {(2, 0, 0): 0, (0, 2, 0): 1, (0, 0, 2): 2, (1, 1, 0): 3, (1, 0, 1): 4, (0, 1, 1): 5}
"""The row of each derivative, by its order along x, y and z."""


def _along(image: NDArray, weights: NDArray, axis: int) -> NDArray:
    return ndimage.correlate1d(image, weights, axis=axis, mode="nearest")
