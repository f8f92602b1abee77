"""An approximate brain mask of a head, where the user gives none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.brainmask_surface import Levels, balloon
from DeepMRILib.pvs.conform import SIDE, conformed_affine
from DeepMRILib.pvs.resample import Shape, onto
from DeepMRILib.volume import Volume

STEP = 2.0
"""Voxels in mm of the grid in which the brain is looked for."""


@dataclass(frozen=True, eq=False)
class BrainField:
    """A brain that can be asked for on any grid.

    Attributes:
        values: (i, j, k): bool for a mask, float for a smooth one whose surface is at 0.5.
        affine: (4, 4), voxel index to RAS mm.
    """

    values: NDArray
    affine: NDArray

    def on(self, affine: NDArray, shape: Shape) -> NDArray:
        """The brain as bool (shape): the nearest voxel of a mask, or where a smooth one is above 0.5."""
        if self.values.dtype == bool:
            return onto(self.values.view(np.uint8), self.affine, affine, shape, order=0).view(bool)
        return onto(self.values, self.affine, affine, shape, order=1) > 0.5


def approximate_brain(volume: Volume) -> BrainField:
    """The brain of a head, roughly, on a grid of 2 mm; of an image that shows only a brain, all that is not 0."""
    affine = conformed_affine(volume.affine, volume.shape)
    affine[:3, :3] *= STEP
    shape = (int(SIDE // STEP),) * 3
    inside = _stripped(volume, affine, shape)
    if inside is None:
        inside = found_in(onto(volume.array, volume.affine, affine, shape, order=1, antialias=True))
    return BrainField(ndimage.gaussian_filter(inside.astype(np.float32), 0.7), affine)


def _stripped(volume: Volume, affine: NDArray, shape: Shape) -> NDArray | None:
    """What is not 0 in an image without skull, None for a whole head."""
    shown = volume.array != 0
    if shown.mean() > 0.7 or shown.sum() * volume.voxel_volume > 3.0e6:
        return None
    inside = onto(shown.view(np.uint8), volume.affine, affine, shape, order=1, antialias=True) > 0.5
    inside = ndimage.binary_fill_holes(largest_part(ndimage.binary_opening(inside, iterations=1)))
    return inside if inside.sum() * STEP**3 < 2.4e6 else None


def largest_part(mask: NDArray) -> NDArray:
    """The largest connected part of a mask."""
    parts, count = ndimage.label(mask)
    return parts == 1 + np.argmax(np.bincount(parts.ravel(), minlength=2)[1:]) if count else mask


def found_in(head: NDArray) -> NDArray:
    """The balloon's inside in a head (i, j, k) along R, A, S in voxels of 2 mm."""
    known = head[head > 0]
    dark, bright = np.percentile(known, (2, 98))
    bar = dark + 0.1 * (bright - dark)
    solid = head > bar
    solid = ndimage.binary_opening(solid, iterations=2)
    parts, _ = ndimage.label(solid)
    solid = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    top = int(np.flatnonzero(solid.sum(axis=(0, 1)) * STEP**2 > 1000.0).max())
    low = max(0, top - int(165 / STEP))
    upper = solid.copy()
    upper[:, :, : max(0, top - int(120 / STEP))] = False
    centre = np.array(ndimage.center_of_mass(np.clip(head, 0, bright) * upper))
    centre[2] = top - 75 / STEP
    head = head.copy()
    head[:, :, :low] = 0
    radius = 70.0
    ball = np.linalg.norm((np.argwhere(solid) - centre) * STEP, axis=1) < radius * 0.8
    middle = float(np.median(head[solid][ball]))
    levels = Levels(float(dark), float(bar), middle, float(bright))
    return balloon(head, STEP, centre, radius, levels=levels, fraction=0.5)
