"""The part of an image that is looked at: a box around the points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.volume import Volume

ROUNDING = 1e-6
"""Voxels by which a computed place may be off: of an image and of its part, the same box is found."""


@dataclass(frozen=True)
class Box:
    """A box of voxels.

    Attributes:
        start: the first voxel along i, j and k.
        stop: one beyond the last.

    Example:
        >>> Box((1, 2, 3), (4, 4, 4)).shape
        (3, 2, 1)
    """

    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of voxels along i, j and k."""
        return tuple(last - first for first, last in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The index that takes this box out of an array."""
        return tuple(slice(first, last) for first, last in zip(self.start, self.stop, strict=True))

    def affine(self, affine: NDArray) -> NDArray:
        """The affine (4, 4) of this part of an image."""
        moved = affine.copy()
        moved[:3, 3] += affine[:3, :3] @ np.array(self.start, dtype=float)
        return moved

    def contains(self, indices: NDArray) -> NDArray:
        """Whether each of the voxel indices (n, 3) lies in the box."""
        nearest = np.rint(indices)
        return ((nearest >= self.start) & (nearest < self.stop)).all(axis=1)


def box_around(indices: NDArray, volume: Volume, options: SegmentOptions) -> Box:
    """The box around voxel indices (n, 3) with the margin that the options ask for, within the image."""
    spacing = np.array(volume.spacing)
    low, high = indices.min(axis=0), indices.max(axis=0)
    margin = np.maximum(options.margin, options.margin_fraction * (high - low) * spacing) / spacing
    # of a thick slice at least one more on each side
    margin = np.maximum(margin, 1.0)
    start = np.clip(np.floor(low - margin + ROUNDING), 0, np.array(volume.shape) - 1).astype(int)
    stop = np.clip(np.ceil(high + margin - ROUNDING) + 1, 1, volume.shape).astype(int)
    return Box(tuple(start.tolist()), tuple(stop.tolist()))


def cropped(volume: Volume, box: Box) -> Volume:
    """The part of a volume in a box; the array is a view."""
    return Volume(volume.array[box.slices], box.affine(volume.affine))
