"""Values of an image at the voxels of a network, and back."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.prepare_grid import Axes, Edges

_CONTEXT = 14
"""Voxels around a part that are read with it: the cubic spline's filter falls to 1e-8 over so many."""


def sampled(
    array: NDArray,
    start: Edges,
    step: Edges,
    grid: Axes,
    *,
    order: int,
    slicewise: int = -1,
    across: int = 0,
    whole_range: bool = False,
) -> NDArray:
    """The values (grid) float32 of an array (a, b, c) at ``start`` + index x ``step``; beyond its edge the edge's.

    Args:
        array: the whole image; only the part that is needed, and a little around it, is read.
        start: coordinates of the first value.
        step: voxels from one to the next along each axis.
        grid: the number of values along each axis.
        order: of the spline: 3 cubic, 1 linear. A cubic one is kept in the range of the values that it comes from.
        slicewise: an axis along which slices are taken one by one, -1 for none.
        across: the order along that axis: 0 nearest, 1 linear.
        whole_range: the range is that of the whole image (or slice) and not of the part.
    """
    begin, stop = _needed(array.shape, start, step, grid)
    part = finite(np.asarray(array[tuple(map(slice, begin, stop))], dtype=np.float32))
    moved = tuple(first - low for first, low in zip(start, begin, strict=True))
    if slicewise < 0:
        bounds = _range(array if whole_range else part) if order > 1 else None
        return _spline(part, (moved, step, grid), order, bounds)
    whole = np.moveaxis(array, slicewise, 0)[begin[slicewise] : stop[slicewise]]
    slices = np.moveaxis(part, slicewise, 0)
    flat = [axis for axis in range(3) if axis != slicewise]
    in_plane = tuple(tuple(values[axis] for axis in flat) for values in (moved, step, grid))
    # rounded: half way between two slices, the nearest is not to hang on the last digit
    wanted = np.round(moved[slicewise] + step[slicewise] * np.arange(grid[slicewise]), 9)
    below = np.clip(np.floor(wanted).astype(int), 0, len(slices) - 1)
    above = np.minimum(below + 1, len(slices) - 1)
    if across == 0:
        below = above = np.clip(np.floor(wanted + 0.5).astype(int), 0, len(slices) - 1)
    made = {}
    for index in sorted({*below.tolist(), *above.tolist()}):
        bounds = _range(whole[index] if whole_range else slices[index]) if order > 1 else None
        made[index] = _spline(slices[index], in_plane, order, bounds)
    weight = np.clip(wanted - below, 0.0, 1.0).astype(np.float32) if across else np.zeros(len(wanted), np.float32)
    planes = [(1 - w) * made[low] + w * made[high] for low, high, w in zip(below, above, weight, strict=True)]
    return np.moveaxis(np.stack(planes), 0, slicewise)


def sampled_elsewhere(array: NDArray, matrix: NDArray, grid: Axes, *, order: int) -> NDArray:
    """The values (grid) float32 of an array at coordinates ``matrix`` (4, 4) x index, for images on other grids."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid], [1], indexing="ij")).reshape(4, -1)
    reached = (matrix @ corners)[:3]
    begin = np.clip(np.floor(reached.min(axis=1)) - _CONTEXT, 0, np.array(array.shape) - 1).astype(int)
    stop = np.clip(np.ceil(reached.max(axis=1)) + _CONTEXT + 1, begin + 1, array.shape).astype(int)
    part = finite(np.asarray(array[tuple(map(slice, begin, stop))], dtype=np.float32))
    offset = matrix[:3, 3] - begin
    values = ndimage.affine_transform(
        part, matrix[:3, :3], offset, grid, order=order, mode="nearest", output=np.float32
    )
    return np.clip(values, *_range(part)) if order > 1 else values


def finite(part: NDArray) -> NDArray:
    """The part with the lowest finite value in place of NaN and infinity."""
    known = np.isfinite(part)
    if known.all():
        return part
    return np.where(known, part, part[known].min() if known.any() else 0).astype(part.dtype)


def _needed(shape: tuple[int, ...], start: Edges, step: Edges, grid: Axes) -> tuple[list[int], list[int]]:
    first = np.array(start)
    last = first + np.array(step) * (np.array(grid) - 1)
    begin = np.clip(np.floor(first) - _CONTEXT, 0, np.array(shape) - 1).astype(int)
    stop = np.clip(np.ceil(last) + _CONTEXT + 1, begin + 1, shape).astype(int)
    return begin.tolist(), stop.tolist()


_Places = tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]]
"""First coordinate, step and number of values along each axis."""


def _spline(part: NDArray, places: _Places, order: int, bounds: tuple[float, float] | None) -> NDArray:
    start, step, grid = places
    if all(s == 1 for s in step) and all(float(first).is_integer() for first in start):
        index = [np.clip(np.arange(n) + int(first), 0, size - 1)
                 for first, n, size in zip(start, grid, part.shape, strict=True)]  # fmt: skip
        return part[np.ix_(*index)]
    with warnings.catch_warnings():
        # SciPy before 1.16 tells of a change in 2016 whenever axes are scaled one by one
        warnings.filterwarnings("ignore", "The behavior of affine_transform", UserWarning)
        values = ndimage.affine_transform(
            part, np.array(step), np.array(start), grid, order=order, mode="nearest", output=np.float32
        )
    return values if bounds is None else np.clip(values, *bounds)


def _range(values: NDArray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
