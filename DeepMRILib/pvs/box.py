"""The box of 160 x 214 x 176 voxels around the brain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.conform import SIDE
from DeepMRILib.pvs.engine import BOX

HALF = (80, 107, 88)
"""Voxels from the box's first to its centre along R, A and S."""
_ABOVE = 5
"""Voxels that are left above a brain that would reach out of the top of the box."""

BrainOn = Callable[[NDArray, tuple[int, int, int]], NDArray]
"""The brain as bool (shape) on a grid: ``brain_on(affine, shape)``."""


def box_affine(conformed: NDArray, brain_on: BrainOn) -> NDArray:
    """The affine (4, 4) of the box around a brain, as SHiVAi lays it into the conformed grid.

    Its centre is the centre of mass of the mask in voxels of the conformed grid, rounded up; half the box is 80, 107
    and 88 voxels. Where the brain's top slice is not below the box's top, the box goes up until 5 slices are free.

    Args:
        conformed: (4, 4) of the conformed grid.
        brain_on: the mask on any grid.
    """
    # a brain may lie outside the 256 voxels of an image with a large field of view: the same grid, with a margin
    margin = SIDE // 2
    wide = shifted(conformed, np.full(3, -margin))
    places = np.nonzero(brain_on(wide, (SIDE + 2 * margin,) * 3))
    centre = np.array([np.ceil(axis.mean()) for axis in places]).astype(int) - margin
    first = centre - HALF
    top, end = int(places[2].max()) - margin, int(first[2]) + BOX[2]
    if top >= end:
        first[2] += top - end + _ABOVE
    return shifted(conformed, first)


def shifted(affine: NDArray, voxels: NDArray) -> NDArray:
    """An affine whose first voxel is voxel ``voxels`` of another."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ voxels
    return moved
