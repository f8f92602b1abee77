"""Several images of the same lesion, on one grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.volume import Volume

Image = Volume | Path
"""An image in memory, or still on disk."""


def stacked(part: Volume, others: Sequence[Image]) -> NDArray:
    """The images (i, j, k, c) float32 of one part: its own, then the others brought onto its grid.

    Raises:
        InputError: no finite voxel or only one value, or another image that does not reach into the part.
    """
    check_image(part, "image")
    images = [part, *(_onto(other, part, number) for number, other in enumerate(others, start=2))]
    arrays = [image.array.reshape(*image.shape, -1) for image in images]
    found = np.concatenate(arrays, axis=3)
    found = found.astype(np.float32)
    finite = np.isfinite(found)
    for c in range(found.shape[3]):
        values = found[..., c][finite[..., c]]
        if values.size == 0 or values.min() == values.max():
            what = "no finite value" if values.size == 0 else f"only the value {values[0]:g}"
            raise InputError(f"Image {c + 1} holds {what} around the points. Check that it is the right image.")
        found[..., c][~finite[..., c]] = values.min()
    return found


def check_image(image: object, what: str) -> None:
    """Refuse what is no ``Volume`` of numbers.

    Raises:
        InputError: says what was given, and what to do.
    """
    if not isinstance(image, Volume):
        raise InputError(
            f"The {what} is of the type {type(image).__name__}; expected a Volume. Read it with files.read_volume, or "
            "make it of an array and its affine: Volume(array, affine)."
        )
    if image.array.dtype.kind == "c":
        raise InputError(f"The {what} holds complex numbers. Give its magnitude.")
    if image.array.dtype.kind not in "biuf":
        raise InputError(f"The {what} holds values of type {image.array.dtype}; expected numbers.")


def _onto(other: Image, part: Volume, number: int) -> Volume:
    """Another image, linearly interpolated onto the grid of the part."""
    from scipy.ndimage import affine_transform

    volume = files.read_volume(other) if isinstance(other, Path) else other
    check_image(volume, f"image {number}")
    if volume.array.ndim != 3:
        raise InputError(f"Image {number} has several values per voxel. Give one 3D image each.")
    matrix = np.linalg.solve(volume.affine, part.affine)
    corners = (matrix @ np.c_[np.array([[0, 0, 0], np.array(part.shape) - 1]), [1, 1]].T)[:3].T
    if (corners.max(axis=0) < 0).any() or (corners.min(axis=0) > np.array(volume.shape) - 1).any():
        raise InputError(f"Image {number} does not reach the points. Check that it shows the same place.")
    array = np.asarray(volume.array, dtype=np.float32)
    moved = affine_transform(array, matrix[:3, :3], matrix[:3, 3], part.shape, order=1, mode="nearest")
    return Volume(moved, part.affine)
