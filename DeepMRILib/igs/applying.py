"""Images as a pattern leaves them: undersampled in k-space, zero-filled, as magnitudes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs import fitting
from DeepMRILib.igs.pattern import Kind, Pattern
from DeepMRILib.volume import Volume

SliceAxis = Literal["i", "j", "k", "volume"]

_AXES: dict[str, tuple[int, ...]] = {"k": (1, 0), "j": (2, 0), "i": (2, 1), "volume": (2, 1, 0)}
"""Which axes of (i, j, k) the rows and columns of slices lie along, by the axis across which they are stacked."""


def undersample(
    volume: Volume | ArrayLike, pattern: Pattern, lines: int | None = None, *, acceleration: float | None = None,
    kind: Kind = "igs", slice_axis: SliceAxis = "k",
) -> Volume:  # fmt: skip
    """What a scanner would show of an image if it acquired a pattern's lines only: |F^-1(mask F(x))|, zero-filled.

    Args:
        volume: (i, j, k), or (i, j, k, c) with c contrasts; magnitudes or complex.
        pattern: as long as the image along the axis that it encodes.
        lines: how many of the pattern's lines, or
        acceleration: of how many one; by default all of the pattern's lines.
        kind: which pattern: of the search, the best block, the centre, or whichever won on the selection set.
        slice_axis: across which axis of the image slices are stacked; the axes of the pattern are those of a slice.

    Returns:
        magnitudes float32 of the shape of the image, on its grid.

    Raises:
        InputError: the image is of another size than the pattern, or not finite.

    Example:
        >>> undersample(np.ones((8, 6, 2)), Pattern(((4,),), (8,), (-1,))).shape
        (8, 6, 2)
    """
    image = volume if isinstance(volume, Volume) else Volume(np.asarray(volume))
    array = image.array
    if array.dtype.kind not in "buifc" or not np.isfinite(array).all():
        raise InputError("The image holds NaN or infinite values, or no numbers. Replace them, by 0 for instance.")
    along = _AXES[slice_axis]
    contrasts = array.shape[3] if array.ndim == 4 else 1
    check_fit(pattern, [1, contrasts, *(array.shape[axis] for axis in along)])
    masks = pattern.masks(lines, acceleration, kind)
    axes = tuple(along[axis] for axis in pattern.axes)
    return image.like(_through(array, _beside(masks, axes, array.ndim), axes))


def check_fit(pattern: Pattern, shape: Sequence[int]) -> None:
    """Refuse a pattern that is not for images (n, c, h, w) or (n, c, d, h, w) of this shape.

    Raises:
        InputError: another size along an encoded axis, an axis that is not there, other contrasts.
    """
    fitting.check_fit(pattern.encoding, len(pattern.orders), shape)


def _beside(masks: NDArray, axes: Sequence[int], dimensions: int) -> NDArray:
    """Masks (contrasts or 1, *shape) as an array to multiply (i, j, k) or (i, j, k, c) with."""
    order = np.argsort(axes)  # of the encoded axes, the first of the image first
    shape = [1] * dimensions
    for place, axis in enumerate(axes):
        shape[axis] = masks.shape[place + 1]
    moved = masks.transpose(*(int(place) + 1 for place in order), 0)
    if dimensions == 4:
        shape[3] = len(masks)
    return moved.reshape(shape)


def _through(array: NDArray, mask: NDArray, axes: Sequence[int]) -> NDArray:
    """Magnitudes of an image from the k-space that a mask (DC at n // 2) leaves.

    The image is not centred for the transform: that would only turn the phase of k-space, and back again.
    """
    from scipy import fft

    single = np.complex64 if array.dtype.kind == "c" else np.float32
    kspace = fft.fftn(array.astype(single, copy=False), axes=axes, workers=-1)
    kspace *= np.fft.ifftshift(mask, axes=axes)
    return np.abs(fft.ifftn(kspace, axes=axes, overwrite_x=True, workers=-1))
