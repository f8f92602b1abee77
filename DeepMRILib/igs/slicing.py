"""Slices of a volume and back: which axis is cut across, and how slices get a common size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.volume import Volume

_ACROSS = {"k": -3, "j": -2, "i": -1}
"""Where each axis of an image stands in an array (..., k, j, i)."""
_ROWS_COLUMNS = {"k": ("j", "i"), "j": ("k", "i"), "i": ("k", "j"), "volume": ("k", "j", "i")}


class Window(NamedTuple):
    """Where the pixels of one axis lie in another size of it, the centres (n // 2) on each other."""

    source: slice
    target: slice


def slices_of(volume: Volume, options: DataOptions) -> NDArray:
    """The slices (n, c, h, w) of an image, or (1, c, d, h, w) where the axis is "volume".

    Across k a slice has the rows j and the columns i, as Slicer's arrayFromVolume has them; across i the rows k and the
    columns j; across j the rows k and the columns i.

    Args:
        volume: (i, j, k), or (i, j, k, c) with c contrasts; of any type.
        options: ``slice_axis``, ``slices`` and ``size`` are used.

    Example:
        >>> slices_of(Volume(np.zeros((4, 5, 6))), DataOptions(slice_axis="i", slices=2)).shape
        (2, 1, 6, 5)
    """
    array = np.asarray(volume.array)
    contrasts_first = array[None] if array.ndim == 3 else np.moveaxis(array, 3, 0)
    slices = stacked(contrasts_first.transpose(0, 3, 2, 1), options.slice_axis)
    if options.slice_axis != "volume" and options.slices:
        slices = slices[even_rows(len(slices), options.slices)]
    return fitted(slices, options.size)


def volume_of(slices: NDArray, like: Volume, options: DataOptions) -> Volume:
    """The image whose slices are given: the inverse of ``slices_of``, 0 where a slice was not taken or was cut.

    Args:
        slices: (n, c, h, w), or label maps (n, h, w); with the axis "volume" (1, c, d, h, w) or (1, d, h, w).
        like: the image that was sliced.
        options: those it was sliced with.

    Returns:
        (i, j, k), or (i, j, k, c) of several contrasts, of the type of ``slices``, on the grid of ``like``.

    Raises:
        InputError: another number of slices, or of another size, than this image has.
    """
    slices = np.asarray(slices)
    whole = options.slice_axis == "volume"
    if slices.ndim == (4 if whole else 3):
        slices, plain = slices[:, None], True
    else:
        plain = like.array.ndim == 3 and slices.ndim > 1 and slices.shape[1] == 1
    i, j, k = like.shape
    empty = np.broadcast_to(np.zeros((), slices.dtype), (slices.shape[1] if slices.ndim > 1 else 1, k, j, i))
    kept = stacked(empty, options.slice_axis)
    rows = np.arange(len(kept)) if whole or not options.slices else even_rows(len(kept), options.slices)
    size = wanted_size(kept.shape[-2:], options.size)
    expected = (len(rows), *kept.shape[1:-2], *size)
    if slices.shape != expected:
        raise InputError(
            f"Slices of shape {slices.shape} are not those of this image: expected {expected}. Give the slices and the "
            "settings that belong together."
        )
    filled = np.zeros(kept.shape, slices.dtype)
    # a cut or padding is undone by the opposite one
    filled[rows] = fitted(slices, kept.shape[-2:])
    array = _unstacked(filled, options.slice_axis).transpose(3, 2, 1, 0)
    return like.like(array[..., 0] if plain else array)


def pixel_spacing(volume: Volume, options: DataOptions) -> tuple[float, ...]:
    """Edge lengths in mm of a slice's pixel along rows and columns (h, w), of a whole volume along (d, h, w)."""
    by_axis = dict(zip("ijk", volume.spacing, strict=True))
    return tuple(by_axis[axis] for axis in _ROWS_COLUMNS[options.slice_axis])


def stacked(array: NDArray, slice_axis: str) -> NDArray:
    """Slices (n, ..., h, w) of an array (..., k, j, i); with the axis "volume" (1, ..., k, j, i)."""
    return array[None] if slice_axis == "volume" else np.moveaxis(array, _ACROSS[slice_axis], 0)


def _unstacked(slices: NDArray, slice_axis: str) -> NDArray:
    return slices[0] if slice_axis == "volume" else np.moveaxis(slices, 0, _ACROSS[slice_axis])


def even_rows(count: int, most: int) -> NDArray:
    """At most ``most`` of ``count`` numbers from 0 on, each in the middle of its share; all of them where most is 0.

    Example:
        >>> even_rows(9, 3).tolist(), even_rows(9, 1).tolist(), even_rows(2, 5).tolist()
        ([1, 4, 7], [4], [0, 1])
    """
    most = min(most, count) or count
    return ((2 * np.arange(most) + 1) * count) // (2 * most)


def wanted_size(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of slices of this shape after they are padded or cut to ``size``, where 0 leaves them."""
    return tuple(wanted or given for given, wanted in zip(shape, size, strict=True))


def fitted(slices: NDArray, size: tuple[int, ...]) -> NDArray:
    """The last axes (rows and columns, or more) padded with 0 or cut to ``size``, the centre n // 2 kept; 0 leaves one.

    Example:
        >>> fitted(np.arange(5), (3,)).tolist(), fitted(np.arange(3), (6,)).tolist()
        ([1, 2, 3], [0, 0, 0, 1, 2, 0])
    """
    kept = slices.shape[-len(size) :]
    wanted = tuple(new or old for old, new in zip(kept, size, strict=True))
    if wanted == kept:
        return slices
    windows = [_window(old, new) for old, new in zip(kept, wanted, strict=True)]
    result = np.zeros((*slices.shape[: -len(size)], *wanted), slices.dtype)
    result[(..., *(window.target for window in windows))] = slices[(..., *(window.source for window in windows))]
    return result


def _window(old: int, new: int) -> Window:
    shift = new // 2 - old // 2
    start, stop = max(0, shift), min(new, old + shift)
    return Window(slice(start - shift, stop - shift), slice(start, stop))
