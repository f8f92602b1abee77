"""The box of 160 x 214 x 176 voxels around the brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.brainmask import BrainField
from DeepMRILib.pvs.engine import BOX

HALF = (80, 107, 88)
"""Voxels from the box's first to its centre along R, A and S."""
_ABOVE = 5
"""Voxels that are left above a brain that would reach out of the top of the box."""


def box_affine(conformed: NDArray, brain: BrainField) -> NDArray:
    """The affine (4, 4) of the box around a brain, as SHiVAi lays it into the conformed grid.

    Its centre is the centre of mass of the mask in voxels of the conformed grid, rounded up; half the box is 80, 107
    and 88 voxels. Where the brain's top slice is not below the box's top, the box goes up until 5 slices are free.
    A brain beyond the 256 voxels of the conformed grid counts too: they go on in all directions.

    Args:
        conformed: (4, 4) of the conformed grid.
        brain: the mask.
    """
    start, shape = brain.reach(conformed)
    places = np.nonzero(brain.on(shifted(conformed, start), shape))
    centre = np.array([np.ceil(axis.mean() + low) for axis, low in zip(places, start, strict=True)]).astype(int)
    first = centre - HALF
    top, end = int(places[2].max() + start[2]), int(first[2]) + BOX[2]
    if top >= end:
        first[2] += top - end + _ABOVE
    return shifted(conformed, first)


def shifted(affine: NDArray, voxels: NDArray) -> NDArray:
    """An affine whose first voxel is voxel ``voxels`` of another."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ voxels
    return moved
