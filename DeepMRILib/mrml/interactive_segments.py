"""Segments that change many times a second: only the box that holds something is kept and written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.frames import gridPositions, movedPoints, sampledNearest, transformBetween
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.segment_voxels import BINARY, SURFACE, filledBox, segmentNumbers
from DeepMRILib.volume import Volume

SAME_ANGLE = 1e-4
"""Axes that are that far from a right angle (cosine) are sheared: no grid of a segment can be."""


@dataclass(frozen=True, eq=False)
class SegmentState:
    """What a segment was: to take back what was done to it.

    Attributes:
        segment: a copy; None where there was none.
    """

    segment: Any


def checkWritable(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Refuse a segmentation that is kept as surfaces: writing voxels would change its other segments.

    Raises:
        InputError: no segmentation, or one that does not hold voxels.
    """
    if not isNode(node, "vtkMRMLSegmentationNode"):
        raise InputError(f"{nodeName(node)} is not a segmentation. Choose a segmentation, or create a new one.")
    segmentation = node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() == BINARY:
        return
    if segmentation.GetNumberOfSegments():
        kind = segmentation.GetSourceRepresentationName().lower()
        raise InputError(
            f"The segmentation {nodeName(node)} is kept as {kind}, not as voxels. Choose another, "
            "or make the binary labelmap its source in the Segmentations module."
        )
    segmentation.SetSourceRepresentationName(BINARY)


def placedIn(
    part: Volume, volumeNode: slicer.vtkMRMLVolumeNode, node: slicer.vtkMRMLSegmentationNode
) -> tuple[NDArray, NDArray, NDArray]:
    """A part of an image's grid in the frame of a segmentation: voxels, affine and the index of the first voxel.

    Where the two nodes are under one transform, or under linear ones without shear, that is the image's own grid, and
    no voxel changes. Otherwise every voxel of a grid of the same edges in the segmentation's frame looks up where it
    came from.
    """
    matrix = slicer.util.arrayFromVTKMatrix(_ijkToRas(volumeNode))
    start = np.rint(np.linalg.solve(matrix, part.affine)[:3, 3]).astype(int)
    forward = transformBetween(volumeNode, node)
    if isinstance(forward, np.ndarray):
        moved = forward @ matrix
        axes = moved[:3, :3] / np.linalg.norm(moved[:3, :3], axis=0)
        if np.abs(axes.T @ axes - np.eye(3)).max() < SAME_ANGLE:
            return np.asarray(part.array), moved, start
    return _resampled(part, forward, transformBetween(node, volumeNode))


def _resampled(part: Volume, forward: Any, backward: Any) -> tuple[NDArray, NDArray, NDArray]:
    """The voxels on a grid along the axes of the part, wide enough for it after the deformation."""
    axes = part.affine[:3, :3]
    place = movedPoints(gridPositions(part.shape, part.affine), forward)
    along = np.linalg.solve(axes, place.T).T
    low = np.floor(along.min(axis=0))
    shape = tuple(int(n) for n in np.ceil(along.max(axis=0)) - low + 1)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes, axes @ low
    array = sampledNearest(np.asarray(part.array), part.affine, shape, affine, backward)
    return array, affine, np.zeros(3, dtype=int)


def orientedImage(mask: NDArray, affine: NDArray, start: NDArray) -> slicer.vtkOrientedImageData:
    """A segment's image (values 0 and 1) of just the box of ``mask`` (i, j, k) that holds something.

    Args:
        affine: (4, 4) of the whole grid, whose voxel ``start`` is the mask's first.
    """
    image = slicer.vtkOrientedImageData()
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(affine))
    box = filledBox(mask)
    part = mask[box]
    first = np.array(start) + [found.start for found in box]
    bounds = np.stack([first, first + part.shape - 1], axis=1) if part.size else np.tile([0, -1], (3, 1))
    image.SetExtent(*bounds.ravel().astype(int).tolist())
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    if part.size:
        voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
        voxels.reshape(part.shape[::-1])[...] = part.transpose(2, 1, 0)
    return image


def writeSegment(
    node: slicer.vtkMRMLSegmentationNode, segmentId: str, image: slicer.vtkOrientedImageData, *, surface: bool = True
) -> None:
    """Replace what a segment holds; no other segment changes, also where they share one image.

    Args:
        surface: where the segmentation is shown in 3D, make the segment's surface anew too (30 to 50 ms of a segment
            of 80 x 80 x 80 voxels); otherwise the surface stays as it was.
    """
    segmentation = node.GetSegmentation()
    segmentation.SeparateSegmentLabelmap(segmentId)
    segment = segmentation.GetSegment(segmentId)
    segment.SetLabelValue(1)
    # A new image rather than new voxels in the old one: Slicer drops the surfaces of all segments when those change.
    segment.AddRepresentation(BINARY, image)
    if surface and segment.GetRepresentation(SURFACE) is not None:
        copy = slicer.vtkOrientedImageData()
        copy.DeepCopy(image)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetBinaryLabelmapToSegment(copy, node, segmentId, logic.MODE_REPLACE)
    else:
        segmentation.InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)


def voxelsOf(
    node: slicer.vtkMRMLSegmentationNode,
    segmentIds: Collection[str],
    volumeNode: slicer.vtkMRMLVolumeNode,
    part: Volume,
) -> NDArray:
    """(i, j, k) bool: where a part of an image belongs to any of these segments; only that part is looked at."""
    known = node.GetSegmentation().GetSegmentIDs()
    return segmentNumbers(node, {name: 1 for name in segmentIds if name in known}, volumeNode, part) > 0


def isFilled(node: slicer.vtkMRMLSegmentationNode | None, segmentId: str) -> bool:
    """Whether there is such a segment, and it holds something."""
    segment = node.GetSegmentation().GetSegment(segmentId) if node is not None else None
    image = segment.GetRepresentation(BINARY) if segment is not None else None
    return image is not None and image.GetNumberOfPoints() > 0


def captureSegments(
    node: slicer.vtkMRMLSegmentationNode | None, segmentIds: Collection[str]
) -> dict[str, SegmentState]:
    """What these segments are now, those that do not exist too."""
    states = {}
    for segmentId in segmentIds:
        segment = node.GetSegmentation().GetSegment(segmentId) if node is not None else None
        copy = None
        if segment is not None:
            node.GetSegmentation().SeparateSegmentLabelmap(segmentId)
            copy = slicer.vtkSegment()
            copy.DeepCopyMetadata(segment)
            copy.SetLabelValue(1)
            copy.AddRepresentation(BINARY, _copyOf(segment))
        states[segmentId] = SegmentState(copy)
    return states


def _copyOf(segment: slicer.vtkSegment) -> slicer.vtkOrientedImageData:
    """A segment's own image with the values 0 and 1."""
    image, source = slicer.vtkOrientedImageData(), segment.GetRepresentation(BINARY)
    if source is not None:
        image.DeepCopy(source)
    scalars = image.GetPointData().GetScalars()
    if scalars is not None and segment.GetLabelValue() != 1:
        values = vtk.util.numpy_support.vtk_to_numpy(scalars)
        values[...] = values == segment.GetLabelValue()
    return image


def restoreSegments(node: slicer.vtkMRMLSegmentationNode, states: dict[str, SegmentState]) -> None:
    """Make segments what they were; those that did not exist are removed, those removed since come back."""
    segmentation = node.GetSegmentation()
    for segmentId, state in states.items():
        if state.segment is None:
            if segmentation.GetSegment(segmentId) is not None:
                segmentation.RemoveSegment(segmentId)
            continue
        image = slicer.vtkOrientedImageData()
        image.DeepCopy(state.segment.GetRepresentation(BINARY))
        present = segmentation.GetSegment(segmentId)
        segment = slicer.vtkSegment() if present is None else present
        segment.DeepCopyMetadata(state.segment)
        if present is None:
            segment.AddRepresentation(BINARY, image)
            segmentation.AddSegment(segment, segmentId)
        else:
            writeSegment(node, segmentId, image)


def _ijkToRas(volumeNode: slicer.vtkMRMLVolumeNode) -> vtk.vtkMatrix4x4:
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return matrix
