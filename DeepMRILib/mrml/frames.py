"""From the frame of one node to that of another, and voxels read across the two."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray

NEARLY = 1e-6  # voxels; what an affine and its inverse lose to rounding
AT_ONCE = 2_000_000  # voxels that are looked up at a time: 50 bytes each

Transform = NDArray | vtk.vtkGeneralTransform
"""From the frame of one node to that of another: a matrix (4, 4), or a deformation."""


def transformBetween(source: slicer.vtkMRMLTransformableNode, target: slicer.vtkMRMLTransformableNode) -> Transform:
    """What takes positions in one node's own frame to another's: a matrix (4, 4), or a deformation."""
    transform = vtk.vtkGeneralTransform()
    between = slicer.vtkMRMLTransformNode
    between.GetTransformBetweenNodes(source.GetParentTransformNode(), target.GetParentTransformNode(), transform)
    linear = vtk.vtkTransform()
    if between.IsGeneralTransformLinear(transform, linear):
        return slicer.util.arrayFromVTKMatrix(linear.GetMatrix())
    return transform


def movedPoints(points: NDArray, transform: Transform) -> NDArray:
    """Points (n, 3) through the result of ``transformBetween``."""
    if isinstance(transform, np.ndarray):
        return points @ transform[:3, :3].T + transform[:3, 3]
    given, moved = vtk.vtkPoints(), vtk.vtkPoints()
    given.SetData(vtk.util.numpy_support.numpy_to_vtk(np.ascontiguousarray(points, dtype=float), deep=True))
    moved.SetDataTypeToDouble()
    transform.TransformPoints(given, moved)
    return vtk.util.numpy_support.vtk_to_numpy(moved.GetData()).reshape(-1, 3).copy()


def gridPositions(shape: tuple[int, int, int], affine: NDArray) -> NDArray:
    """(i * j * k, 3): where the voxels of a grid are, in RAS mm."""
    indices = np.indices(shape, dtype=float).reshape(3, -1)
    return (affine[:3, :3] @ indices).T + affine[:3, 3]


def sampledNearest(
    array: NDArray, affine: NDArray, shape: tuple[int, int, int], target: NDArray, transform: Transform
) -> NDArray:
    """The voxels of an image at those of another grid, each the nearest one; 0 outside of the image.

    Args:
        array: (i, j, k), with its affine.
        shape: of the other grid, whose affine is ``target``.
        transform: from the frame of the other grid to that of the image.
    """
    if isinstance(transform, np.ndarray):
        matrix = np.linalg.solve(affine, transform @ target)
        offset = np.rint(matrix[:3, 3])
        if np.abs(matrix[:3, :3] - np.eye(3)).max() * max(shape) < 1e-3 and np.abs(matrix[:3, 3] - offset).max() < 1e-3:
            return _shifted(array, offset.astype(int), shape)
    found = np.zeros(shape, dtype=array.dtype)
    step = max(1, AT_ONCE // max(1, shape[0] * shape[1]))
    for first in range(0, shape[2], step):
        slab = found[:, :, first : first + step]
        start = target.copy()
        start[:3, 3] += target[:3, 2] * first
        slab[...] = _lookedUp(array, affine, slab.shape, start, transform)
    return found


def _lookedUp(
    array: NDArray, affine: NDArray, shape: tuple[int, int, int], target: NDArray, transform: Transform
) -> NDArray:
    """As ``sampledNearest``, all at once."""
    if isinstance(transform, np.ndarray):
        indices = gridPositions(shape, np.linalg.solve(affine, transform @ target))
    else:
        positions = movedPoints(gridPositions(shape, target), transform)
        indices = np.linalg.solve(affine, np.c_[positions, np.ones(len(positions))].T)[:3].T
    nearest = np.rint(indices).astype(np.intp)
    inside = ((nearest >= 0) & (nearest < array.shape)).all(axis=1)
    found = np.zeros(len(nearest), dtype=array.dtype)
    found[inside] = array[tuple(nearest[inside].T)]
    return found.reshape(shape)


def _shifted(array: NDArray, offset: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """The same grid, counted from another voxel: no interpolation."""
    found = np.zeros(shape, dtype=array.dtype)
    low = np.maximum(offset, 0)
    high = np.minimum(offset + shape, array.shape)
    if (high > low).all():
        part = tuple(slice(*pair) for pair in zip(low - offset, high - offset, strict=True))
        found[part] = array[tuple(slice(*pair) for pair in zip(low, high, strict=True))]
    return found
