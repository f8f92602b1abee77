"""An approximate brain mask of a head, where the user gives none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.brainmask_tissue import evened, largest_part, tissue_in
from DeepMRILib.pvs.conform import SIDE, conformed_affine
from DeepMRILib.pvs.resample import Shape, onto
from DeepMRILib.volume import Volume

STEP = 2.0
"""Voxels in mm of the grid in which the brain is looked for."""
_SMALLEST_HEAD, _LARGEST_BRAIN = 2.0e5, 2.4e6
"""mm3: less shows nothing; more that is not 0 is a head with its skull."""
_NOTHING = "No brain was found in the image. Give a brain mask, or check that the image shows a whole head."


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

    def reach(self, affine: NDArray) -> tuple[NDArray, Shape]:
        """First voxel (3,) and shape of the part of a grid that holds all of the brain."""
        inside = self.values if self.values.dtype == bool else self.values > 0.5
        lines = [np.flatnonzero(inside.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
        ends = [(line[0] - 1.0, line[-1] + 1.0) for line in lines]
        corners = np.array(np.meshgrid(*ends, [1.0], indexing="ij")).reshape(4, -1)
        there = np.linalg.solve(affine, self.affine @ corners)[:3]
        first = np.floor(there.min(axis=1)).astype(int)
        size = np.ceil(there.max(axis=1)).astype(int) - first + 1
        return first, (int(size[0]), int(size[1]), int(size[2]))


def approximate_brain(volume: Volume, fluid_bright: bool = False) -> BrainField:
    """The brain of a head, roughly, on a grid of 2 mm; of an image that shows only a brain, all that is not 0.

    On heads of known brain drawn in T1, T2 and FLAIR contrasts its Dice is 0.92 to 0.94 (bench_pvs_prepare.py). What it
    holds too much lies in the eye sockets and in the fluid around the brain.

    Args:
        volume: any orientation, voxels and scale.
        fluid_bright: a T2.

    Raises:
        InputError: there is nothing like a head.
    """
    affine = conformed_affine(volume.affine, volume.shape)
    affine[:3, :3] *= STEP
    shape = (int(SIDE // STEP),) * 3
    inside = _stripped(volume, affine, shape)
    if inside is None:
        inside = found_in(
            onto(_from_zero(volume.array), volume.affine, affine, shape, order=1, antialias=True), fluid_bright
        )
    return BrainField(ndimage.gaussian_filter(inside.astype(np.float32), 0.7), affine)


def _from_zero(array: NDArray) -> NDArray:
    """An image whose air is about 0: as it is, or lifted by its least value where much of it is negative."""
    some = array[tuple(slice(None, None, max(1, n // 64)) for n in array.shape)].astype(np.float32)
    some = some[np.isfinite(some)]
    low = float(np.percentile(some, 5)) if some.size else 0.0
    # values in standard deviations, say; a few negative ones are an interpolation's
    return array if low >= 0 else array.astype(np.float32) - np.float32(some.min())


def _stripped(volume: Volume, affine: NDArray, shape: Shape) -> NDArray | None:
    """What is not 0 in an image without skull, None for a whole head."""
    shown = volume.array != 0
    if shown.mean() > 0.7 or shown.sum() * volume.voxel_volume > 3.0e6:
        return None
    inside = onto(shown.view(np.uint8), volume.affine, affine, shape, order=1, antialias=True) > 0.5
    inside = ndimage.binary_fill_holes(largest_part(ndimage.binary_opening(inside, iterations=1)))
    return inside if _SMALLEST_HEAD < inside.sum() * STEP**3 < _LARGEST_BRAIN else None


def found_in(head: NDArray, fluid_bright: bool = False) -> NDArray:
    """The brain in a head (i, j, k) along R, A, S in voxels of 2 mm."""
    if not (head > 0).any():
        raise InputError(_NOTHING)
    dark, bright = np.percentile(head[head > 0], (2, 98))
    solid = largest_part(ndimage.binary_opening(head > dark + 0.1 * (bright - dark), iterations=2))
    if solid.sum() * STEP**3 < _SMALLEST_HEAD:
        raise InputError(_NOTHING)
    possible, centre = _possible(solid)
    head = evened(head, solid, 30.0 / STEP)
    ball = solid & (_away(head.shape, centre) * STEP < 50.0)
    middle = float(np.median(head[ball]))
    if fluid_bright:  # as dark as bone, so that tissue alone is bright
        head = np.minimum(head, np.maximum(4 * 1.25 * middle - 3 * head, 0))
    outline = ndimage.binary_fill_holes(ndimage.binary_closing(solid, iterations=3) | solid)
    return tissue_in(head, outline, possible, STEP, ringed=fluid_bright)


def _possible(solid: NDArray) -> tuple[NDArray, NDArray]:
    """Where a brain may lie in a head's outline, and about its middle, from the skull's vault above the ears."""
    top = int(np.flatnonzero(solid.sum(axis=(0, 1)) * STEP**2 > 1000.0).max())
    vault = solid[:, :, max(0, top - int(80 / STEP)) : top].any(axis=2)
    (x0, x1), (y0, y1) = (_extent(vault.any(axis=1)), _extent(vault.any(axis=0)))
    x, y, z = (grid * STEP for grid in np.ogrid[tuple(slice(n) for n in solid.shape)])
    wide, long, tall = (x1 - x0) * STEP / 2, (y1 - y0) * STEP / 2, 80.0
    middle = np.array([(x0 + x1) * STEP / 2, (y0 + y1) * STEP / 2, top * STEP - tall])
    r, a, s = x - middle[0], y - middle[1], z - middle[2]
    deep = np.interp(a, (5.0, 35.0, 50.0, 75.0), (75.0, 52.0, 38.0, 25.0))
    height = np.where(s > 0, tall, deep + 12.0)
    inside = (r / wide) ** 2 + (a / long) ** 2 + (s / height) ** 2 < 1
    return inside & (s > -deep), middle / STEP


def _extent(line: NDArray) -> tuple[int, int]:
    where = np.flatnonzero(line)
    return int(where[0]), int(where[-1])


def _away(shape: tuple[int, ...], centre: NDArray) -> NDArray:
    grids = np.ogrid[tuple(slice(n) for n in shape)]
    return np.sqrt(sum((grid - at) ** 2 for grid, at in zip(grids, centre, strict=True)))
