"""Where the voxels of an image belong to segments, also where transforms or deformations lie between the two nodes.

Slicer's own merging of segments (``GenerateMergedLabelmapInReferenceGeometry``) loses parts of a segment under a
deformation: a ball of 6,431 voxels kept 2,458. Here every voxel of the image looks up its own place instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.frames import Transform, movedPoints, sampledNearest, transformBetween
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.volume import Volume

BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
Box = tuple[slice, ...]
_ROOM = 2  # voxels around a box that went through a transform


def segmentNumbers(
    node: slicer.vtkMRMLSegmentationNode,
    numbers: Mapping[str, int],
    volumeNode: slicer.vtkMRMLVolumeNode,
    part: Volume,
) -> NDArray:
    """(i, j, k) uint16: the number of the segment that each voxel belongs to, 0 for none; of several the largest.

    Args:
        numbers: ID of each segment that counts to its number, from 1.
        volumeNode: the image.
        part: the grid of the image, or of a box of it; only that box is looked at.

    Raises:
        InputError: a segmentation that cannot be turned into voxels.
    """
    found = np.zeros(part.shape, dtype=np.uint16)
    if not _hasVoxels(node, numbers):
        return found
    segmentation = node.GetSegmentation()
    backward, forward = transformBetween(volumeNode, node), transformBetween(node, volumeNode)
    for layer in range(segmentation.GetNumberOfLayers(BINARY)):
        ids = [name for name in segmentation.GetSegmentIDsForLayer(layer, BINARY) if name in numbers]
        image = segmentation.GetLayerDataObject(layer, BINARY)
        if not ids or image is None or not image.GetNumberOfPoints():
            continue
        labels = {segmentation.GetSegment(name).GetLabelValue(): numbers[name] for name in ids}
        array, affine = imageArray(image)
        array, affine = _boxed(array, affine, _reach(part.shape, part.affine, backward, array.shape, affine))
        array = _renumbered(array, labels)
        array, affine = _boxed(array, affine, filledBox(array > 0))
        box = _reach(array.shape, affine, forward, part.shape, part.affine)
        seen = found[box]
        if seen.size and array.size:
            target = part.affine.copy()
            target[:3, 3] += target[:3, :3] @ [along.start for along in box]
            np.maximum(seen, sampledNearest(array, affine, seen.shape, target, backward), out=seen)
    return found


def imageArray(image: slicer.vtkOrientedImageData) -> tuple[NDArray, NDArray]:
    """A segment's image as (i, j, k) with the affine of its own box, without a copy."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    affine[:3, 3] += affine[:3, :3] @ np.array(image.GetExtent()[::2], dtype=float)
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return voxels.reshape(image.GetDimensions()[::-1]).transpose(2, 1, 0), affine


def filledBox(mask: NDArray) -> Box:
    """The box that holds what is in a mask; empty where that is nothing."""
    along = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(slice(int(n[0]), int(n[-1]) + 1) if n.size else slice(0, 0) for n in along)


def _hasVoxels(node: slicer.vtkMRMLSegmentationNode, ids: Mapping[str, int]) -> bool:
    """Whether any of the segments holds something; what was drawn as a surface is turned into voxels for that."""
    segmentation = node.GetSegmentation()
    source = segmentation.GetSourceRepresentationName()
    drawn = [segmentation.GetSegment(name).GetRepresentation(source) for name in ids]
    if not any(data is not None and data.GetNumberOfPoints() for data in drawn):
        return False
    if not segmentation.CreateRepresentation(BINARY):
        raise InputError(
            f"The segmentation {nodeName(node)} cannot be turned into voxels. "
            "Convert it to a binary labelmap in the Segmentations module."
        )
    return True


def _boxed(array: NDArray, affine: NDArray, box: Box) -> tuple[NDArray, NDArray]:
    moved = affine.copy()
    moved[:3, 3] += moved[:3, :3] @ [along.start for along in box]
    return array[box], moved


def _renumbered(array: NDArray, labels: Mapping[int, int]) -> NDArray:
    found = np.zeros(array.shape, dtype=np.uint16)
    for label, number in labels.items():
        found[array == label] = number
    return found


def _reach(
    shape: tuple[int, ...], affine: NDArray, transform: Transform, target: tuple[int, ...], targetAffine: NDArray
) -> Box:
    """The box of another grid that a grid reaches through a transform: what bounds the one bounds the other."""
    if 0 in shape or 0 in target:
        return (slice(0, 0),) * 3
    places = movedPoints(_surface(shape, affine, corners=isinstance(transform, np.ndarray)), transform)
    indices = np.linalg.solve(targetAffine, np.c_[places, np.ones(len(places))].T)[:3]
    low = np.clip(np.floor(indices.min(axis=1)) - _ROOM, 0, target).astype(int)
    high = np.clip(np.ceil(indices.max(axis=1)) + _ROOM + 1, 0, target).astype(int)
    return tuple(slice(*pair) for pair in zip(low.tolist(), high.tolist(), strict=True))


def _surface(shape: tuple[int, ...], affine: NDArray, *, corners: bool) -> NDArray:
    """(n, 3): places on the surface of the box that a grid's voxels fill, or its eight corners only."""
    # voxels reach half their edge beyond their centre: of thick slices that is far for an image with thin ones
    ends = [np.array([-0.5, n - 0.5]) for n in shape]
    along = [np.arange(n + 1) - 0.5 for n in shape]
    axes = [ends] if corners else [[*along[:axis], ends[axis], *along[axis + 1 :]] for axis in range(3)]
    indices = np.concatenate([np.stack(np.meshgrid(*grid, indexing="ij"), axis=-1).reshape(-1, 3) for grid in axes])
    return indices @ affine[:3, :3].T + affine[:3, 3]
