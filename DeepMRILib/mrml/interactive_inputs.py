"""What a segmentation from points is given: points in the image's own frame, and the part of the image around them.

An image of 512 x 512 x 300 voxels never travels: only a box is copied, which is exactly the box that the segmentation
would choose in the whole image, so that the answer is the same to the voxel. Only a network with a grid of its own may
count its voxels from another place then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.crop import cropped
from DeepMRILib.interactive.looked_at import part_around
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.prompts import Prompts
from DeepMRILib.mrml.frames import gridPositions, movedPoints, transformBetween
from DeepMRILib.mrml.interactive_segments import voxelsOf
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.points import pointsFromFiducials
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.volume import LabelVolume, Volume

PointNodes = Any
"""A point list, or point lists by the name of their segment."""


def furtherImages(volumeNode: slicer.vtkMRMLVolumeNode | None) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """What can be a further image of the same place: the other images with one value per voxel."""
    if volumeNode is None:
        return []
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    single = (node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData())
    return [node for node in single if node is not volumeNode]


def promptsFromNodes(
    volumeNode: slicer.vtkMRMLVolumeNode,
    points: PointNodes | Mapping[str, PointNodes],
    negativeNode: slicer.vtkMRMLMarkupsNode | None = None,
) -> Prompts:
    """The points of one or several segments in the image's own frame, in RAS mm, checked.

    Transforms of the point lists and of the image are followed, deformations too.

    Args:
        points: a point list, whose name is then that of the segment, or point lists by segment.
        negativeNode: points where no segment is; those outside the image are left out.

    Raises:
        InputError: no image, no point list, or points from which nothing can be segmented.
    """
    volume = volumeFromNode(volumeNode)
    given = dict(points) if isinstance(points, Mapping) else {nodeName(points): points}
    positive = {name: pointsFromFiducials(node, volumeNode) for name, node in given.items()}
    negative = None if negativeNode is None else pointsFromFiducials(negativeNode, volumeNode)
    return Prompts.of(positive, negative, volume)


def croppedInputs(
    volumeNode: slicer.vtkMRMLVolumeNode,
    prompts: Prompts,
    options: SegmentOptions,
    *,
    channels: Sequence[slicer.vtkMRMLVolumeNode] = (),
    priorSegmentation: slicer.vtkMRMLSegmentationNode | None = None,
    priorSegments: Mapping[str, str] | None = None,
    model: Path | str | None = None,
) -> dict[str, Any]:
    """The inputs of the job ``interactive.segment``, cut to the part around the points.

    Args:
        channels: further images of the same place; transforms are followed.
        priorSegmentation, priorSegments: an earlier segmentation to start from: of each name of ``prompts`` the ID of
            its segment.
        model: a network's folder or name.

    Raises:
        InputError: an image that does not reach the points.
        WeightsError: the model that was given is missing or damaged.
    """
    volume = volumeFromNode(volumeNode)
    part = cropped(volume, part_around(volume, prompts, options, model))
    images = tuple(channelPart(node, volumeNode, part) for node in channels)
    return {
        # in one piece: a view with gaps takes ten times as long to be written for the worker (8 against 0.8 ms)
        "volume": Volume(np.asfortranarray(part.array), part.affine),
        "points_ras": prompts.positive,
        "negative_points": prompts.negative if len(prompts.negative) else None,
        "prior": _prior(list(prompts.positive), priorSegmentation, priorSegments or {}, volumeNode, part),
        "model": model,
        "channels": images or None,
    }


def _prior(
    names: Sequence[str],
    node: slicer.vtkMRMLSegmentationNode | None,
    segments: Mapping[str, str],
    volumeNode: slicer.vtkMRMLVolumeNode,
    part: Volume,
) -> LabelVolume | None:
    """The segments as labels 1, 2, 3... in the part that is looked at; None where they are empty there."""
    labels = np.zeros(part.shape, dtype=np.uint8)
    if node is not None:
        for number, name in enumerate(names, start=1):
            if name in segments:
                labels[voxelsOf(node, [segments[name]], volumeNode, part)] = number
    return LabelVolume(labels, part.affine, dict(enumerate(names, start=1))) if labels.any() else None


def channelPart(node: slicer.vtkMRMLVolumeNode, volumeNode: slicer.vtkMRMLVolumeNode, part: Volume) -> Volume:
    """The part of a further image that is needed, in the frame of the first."""
    other = volumeFromNode(node)
    if other.array.ndim != 3:
        raise InputError(f"{nodeName(node)} has several values per voxel. Choose images with one.")
    back = transformBetween(volumeNode, node)
    if not isinstance(back, np.ndarray):
        return _resampled(other, part, back, nodeName(node))
    matrix = np.linalg.solve(other.affine, back @ part.affine)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in part.shape], indexing="ij")).reshape(3, -1).T
    low, box = _reached(movedPoints(corners, matrix), other, nodeName(node))
    inFrame = np.linalg.solve(back, other.affine)
    inFrame[:3, 3] += inFrame[:3, :3] @ low
    return Volume(other.array[box], inFrame)


def _resampled(other: Volume, part: Volume, back: Any, name: str) -> Volume:
    """A further image through a deformation onto the grid of the part."""
    from scipy.ndimage import map_coordinates

    indices = other.voxel_from_ras(movedPoints(gridPositions(part.shape, part.affine), back))
    low, box = _reached(indices, other, name)
    values = np.asarray(other.array[box], dtype=np.float32)
    return Volume(map_coordinates(values, (indices - low).T, order=1, mode="nearest").reshape(part.shape), part.affine)


def _reached(indices: NDArray, image: Volume, name: str) -> tuple[NDArray, tuple[slice, ...]]:
    """The part of an image that interpolation at these voxel indices (n, 3) needs, and its first voxel."""
    # one voxel more on each side: what lies between two voxels needs both
    low = np.clip(np.floor(indices.min(axis=0)) - 1, 0, image.shape).astype(int)
    high = np.clip(np.ceil(indices.max(axis=0)) + 2, 0, image.shape).astype(int)
    if (indices.max(axis=0) < 0).any() or (indices.min(axis=0) > np.array(image.shape) - 1).any():
        raise InputError(f"The image {name} does not reach the points. Check that it shows the same place.")
    return low, tuple(slice(*pair) for pair in zip(low, high, strict=True))
