"""Values of an image on another grid, straight through both affines."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_CONTEXT = 14
"""Voxels around a part that are read with it: the cubic spline's filter falls to 1e-8 over so many."""
_SAME = 1e-3
"""Voxels closer than this lie on each other: affines in float32 files round at about 1e-4 mm."""
Shape = tuple[int, int, int]


def onto(
    array: NDArray, affine: NDArray, target: NDArray, shape: Shape, *, order: int = 3, antialias: bool = False
) -> NDArray:
    """The values (shape) of an image (i, j, k) at the voxels of another grid; 0 outside the image's voxels.

    Only the part of the image that the grid reaches is read. Where axes are only permuted, flipped or shifted by
    whole voxels, the values are copied.

    Args:
        array: (i, j, k) numbers; NaN and infinity count as 0.
        affine: (4, 4) of the array, voxel index to RAS mm.
        target: (4, 4) of the grid wanted.
        shape: voxels of the grid wanted.
        order: of the spline: 3 cubic, kept in the range of the image; 1 linear; 0 the nearest voxel, of the type of
            the array (anything else is float32).
        antialias: blur first along axes that are finer than the grid wanted, see ``blurred``.

    Example:
        >>> line = np.arange(4.0).reshape(4, 1, 1)
        >>> onto(line, np.eye(4), np.diag([-1.0, 1, 1, 1]), (3, 1, 1), order=1).ravel()
        array([0., 0., 0.], dtype=float32)
        >>> onto(line, np.eye(4), np.diag([0.5, 1, 1, 1]), (3, 1, 1), order=1).ravel()
        array([0. , 0.5, 1. ], dtype=float32)
    """
    kind = array.dtype if order == 0 else np.dtype(np.float32)
    values = np.zeros(shape, dtype=kind)
    turned, matrix = _along(array, np.linalg.solve(affine, target))
    where = _reached(matrix, turned.shape, shape)
    if where is None:
        return values
    first = np.array([part.start for part in where])
    size = tuple(part.stop - part.start for part in where)
    moved = matrix.copy()
    moved[:3, 3] += matrix[:3, :3] @ first
    if _whole(moved, size):
        values[where] = _copied(turned, moved, size)
    else:
        values[where] = _spline(turned, moved, size, order, antialias)
    return values


def _along(array: NDArray, matrix: NDArray) -> tuple[NDArray, NDArray]:
    """The array with its axes in the order and direction of the grid's, and the matrix from grid to these indices."""
    scale = np.linalg.norm(np.linalg.inv(matrix[:3, :3]), axis=0)
    axes = closest_axes(matrix[:3, :3].T * scale)
    turned = array.transpose(axes)
    rows = matrix[[*axes, 3]]
    for axis in range(3):
        if rows[axis, axis] < 0:
            turned = np.flip(turned, axis)
            rows[axis] *= -1
            rows[axis, 3] += turned.shape[axis] - 1
    return turned, rows


def closest_axes(directions: NDArray) -> list[int]:
    """For each row of a (3, 3) matrix, the column that points its way most, every column once; the clearest first."""
    left = np.abs(np.asarray(directions, dtype=float))
    chosen = [0, 0, 0]
    for _ in range(3):
        row, column = np.unravel_index(np.argmax(left), left.shape)
        chosen[row] = int(column)
        left[row], left[:, column] = -1.0, -1.0
    return chosen


def _reached(matrix: NDArray, source: tuple[int, ...], shape: Shape) -> tuple[slice, ...] | None:
    """The part of the grid that may lie within the image, its outermost half voxels included."""
    edges = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in source], [1], indexing="ij")).reshape(4, -1)
    corners = np.linalg.solve(matrix, edges)[:3]
    low = np.clip(np.floor(corners.min(axis=1)), 0, shape).astype(int)
    high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, shape).astype(int)
    return tuple(map(slice, low, high)) if (high > low).all() else None


def _whole(matrix: NDArray, size: Shape) -> bool:
    """Whether all voxels of a grid lie on voxels of the image, axis by axis."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in size], [1], indexing="ij")).reshape(4, -1)
    shifted = np.eye(4)
    shifted[:3, 3] = np.round(matrix[:3, 3])
    return bool(np.abs((matrix - shifted)[:3] @ corners).max() < _SAME)


def _copied(turned: NDArray, matrix: NDArray, size: Shape) -> NDArray:
    first = np.round(matrix[:3, 3]).astype(int)
    index = [start + np.arange(n) for start, n in zip(first, size, strict=True)]
    inside = [(i >= 0) & (i < n) for i, n in zip(index, turned.shape, strict=True)]
    values = np.zeros(size, dtype=turned.dtype)
    values[np.ix_(*inside)] = turned[np.ix_(*[i[kept] for i, kept in zip(index, inside, strict=True)])]
    return finite(values)


def _spline(turned: NDArray, matrix: NDArray, size: Shape, order: int, antialias: bool) -> NDArray:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in size], [1], indexing="ij")).reshape(4, -1)
    reached = (matrix @ corners)[:3]
    begin = np.clip(np.floor(reached.min(axis=1)) - _CONTEXT, 0, np.array(turned.shape) - 1).astype(int)
    stop = np.clip(np.ceil(reached.max(axis=1)) + _CONTEXT + 1, begin + 1, turned.shape).astype(int)
    part = turned[tuple(map(slice, begin, stop))]
    part = finite(part if order == 0 else part.astype(np.float32))
    offset = matrix[:3, 3] - begin
    if antialias:
        part = blurred(part, np.linalg.norm(matrix[:3, :3], axis=1))
    bounds = (part.min(), part.max())
    if order > 1:
        part = ndimage.spline_filter(part, order, output=np.float32, mode="mirror")
    diagonal = np.abs(matrix[:3, :3] - np.diag(np.diag(matrix[:3, :3]))) @ np.array(size) < _SAME
    steps = np.diag(matrix[:3, :3]) if diagonal.all() else matrix[:3, :3]
    with warnings.catch_warnings():
        # SciPy before 1.16 tells of a change in 2016 whenever axes are scaled one by one
        warnings.filterwarnings("ignore", "The behavior of affine_transform", UserWarning)
        values = ndimage.affine_transform(
            part, steps, offset, size, order=order, mode="nearest", prefilter=False, output=part.dtype
        )
    if order > 1:
        np.clip(values, *bounds, out=values)
    return _cut(values, matrix, turned.shape)


def blurred(part: NDArray, factor: NDArray) -> NDArray:
    """A float32 image blurred along each axis of which a voxel of the grid wanted spans ``factor`` > 1 voxels.

    The Gaussian's sigma is sqrt(factor^2 - 1) / 2 voxels. A line in voxels of 0.5 mm then keeps its sum at 1 mm within
    10 %, wherever it lies between the voxels; the narrower one that only widens a point from one voxel's width to the
    other's (0.42 for 0.5) leaves 30 %, and none at all 100 %.
    """
    for axis, times in enumerate(factor):
        sigma = 0.5 * np.sqrt(max(times**2 - 1.0, 0.0))
        if sigma > 0.1:  # less changes no voxel by more than 1e-20 of its neighbour
            part = ndimage.gaussian_filter1d(part, sigma, axis=axis, mode="nearest", output=np.float32)
    return part


def _cut(values: NDArray, matrix: NDArray, source: tuple[int, ...]) -> NDArray:
    """The values with 0 where the grid leaves the image's voxels."""
    indices = np.ogrid[tuple(slice(n) for n in values.shape)]
    for row, n in zip(matrix[:3], source, strict=True):
        at = np.float32(row[3])
        for step, index in zip(row[:3], indices, strict=True):
            if abs(step) * index.size > _SAME:
                at = at + np.float32(step) * index.astype(np.float32)
        outside = (at < -0.5 - _SAME) | (at > n - 0.5 + _SAME)
        if outside.any():
            values[np.broadcast_to(outside, values.shape)] = 0
    return values


def finite(part: NDArray) -> NDArray:
    """The part with 0 in place of NaN and infinity."""
    if part.dtype.kind != "f":
        return part
    known = np.isfinite(part)
    return part if known.all() else np.where(known, part, 0).astype(part.dtype)
