"""Segments to masks and labels on an image's grid, and labels to a segmentation."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import isNode, newNode, nodeName
from DeepMRILib.mrml.segment_voxels import BINARY, SURFACE, segmentNumbers
from DeepMRILib.mrml.transaction import remember
from DeepMRILib.mrml.volumes import affineFromNode, imageFromArray
from DeepMRILib.volume import LabelVolume, Volume, unique_names

LABEL_TAG = "DeepMRI.Label"
"""Marks the segments that ``segmentationFromLabels`` made: a second run replaces these and no others."""

Colour = tuple[float, float, float]


def maskFromSegment(
    segmentationNode: slicer.vtkMRMLSegmentationNode, segmentId: str, referenceVolumeNode: slicer.vtkMRMLVolumeNode
) -> Volume:
    """One segment as 0 and 1 (uint8) on the grid of an image, both brought to the same place in the world.

    Raises:
        InputError: no such segment, no image, or no voxel of the segment inside the image.
    """
    _checkSegments(segmentationNode, [segmentId])
    mask = _numbered(segmentationNode, [segmentId], referenceVolumeNode).astype(np.uint8)
    if not mask.any():
        raise InputError(
            f"The segment {_segmentName(segmentationNode, segmentId)} has no voxel inside the image "
            f"{nodeName(referenceVolumeNode)}. Draw it there, or choose another segment."
        )
    return Volume(mask, affineFromNode(referenceVolumeNode))


def labelsFromSegmentation(
    segmentationNode: slicer.vtkMRMLSegmentationNode,
    referenceVolumeNode: slicer.vtkMRMLVolumeNode,
    segmentIds: Sequence[str] | None = None,
) -> tuple[LabelVolume, dict[int, str]]:
    """Segments as labels 1, 2, 3... on the grid of an image, with the name of each.

    Where segments overlap, the later one counts; where names are equal, the later one gets a number behind it. A
    segment without a voxel in the image keeps its label and its name in the second value, but does not occur in the
    first.

    Args:
        segmentIds: which segments, in the order of their labels; all when None.

    Raises:
        InputError: no such segment, no image, or no voxel of any segment inside the image.
    """
    ids = list(_segmentIds(segmentationNode) if segmentIds is None else segmentIds)
    _checkSegments(segmentationNode, ids)
    array = _numbered(segmentationNode, ids, referenceVolumeNode)
    if not array.any():
        raise InputError(
            f"No segment of {nodeName(segmentationNode)} has a voxel inside the image {nodeName(referenceVolumeNode)}. "
            "Draw the segments there, or choose another segmentation."
        )
    names = unique_names({n: _segmentName(segmentationNode, segmentId) for n, segmentId in enumerate(ids, start=1)})
    return LabelVolume(array, affineFromNode(referenceVolumeNode), names), names


def segmentationFromLabels(
    volume: Volume,
    names: Mapping[int, str],
    colours: Mapping[int, Colour] | None = None,
    *,
    name: str = "Segmentation",
    existing: slicer.vtkMRMLSegmentationNode | None = None,
    source: slicer.vtkMRMLVolumeNode | None = None,
    terminology: Mapping[int, str] | None = None,
) -> slicer.vtkMRMLSegmentationNode:
    """A segmentation with one segment per label: ``existing`` with these segments, or a new node.

    In an existing node the segments of an earlier run are replaced (those of the same name keep their ID, and so their
    visibility); segments that the user made stay untouched.

    Args:
        volume: (i, j, k) whole numbers, 0 for none, in the frame that the node's transform will carry.
        names: label to segment name; every label here becomes a segment, also one without a voxel.
        colours: label to red, green and blue from 0 to 1; Slicer's own choice where absent.
        name: of a new node.
        source: the image that was segmented: sets the segmentation's geometry, which DICOM SEG export needs.
        terminology: label to a terminology entry in Slicer's text form
            (``context~category~type~modifier~anatomic context~region~region modifier``).

    Raises:
        InputError: a label of the image that has no name, or an image of fractions.
    """
    labels = LabelVolume(volume.array, volume.affine)
    unnamed = sorted(set(labels.names) - set(names))
    if unnamed:
        raise InputError(f"The label {unnamed[0]} has no name. Give a name for each label of the image.")
    if existing is not None:
        remember(existing)
    node = existing if existing is not None else newNode("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    with slicer.util.NodeModify(node):
        if source is not None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(source)
        _replaceSegments(node, labels, names, colours or {}, terminology or {})
    return node


def _replaceSegments(
    node: slicer.vtkMRMLSegmentationNode,
    labels: LabelVolume,
    names: Mapping[int, str],
    colours: Mapping[int, Colour],
    terminology: Mapping[int, str],
) -> None:
    segmentation = node.GetSegmentation()
    shown3D = segmentation.ContainsRepresentation(SURFACE)
    if shown3D:
        segmentation.RemoveRepresentation(SURFACE)
    image = _orientedImage(labels, max(names, default=0))
    current: dict[int, str] = {}
    for label, text in names.items():
        current[label] = _segmentIdFor(segmentation, text, current.values())
    for segmentId in _segmentIds(node):
        if _hasTag(segmentation.GetSegment(segmentId)) and segmentId not in current.values():
            segmentation.RemoveSegment(segmentId)
    for label, segmentId in current.items():
        segment = segmentation.GetSegment(segmentId) or slicer.vtkSegment()
        _fill(segment, image, label, names[label])
        if label in colours:
            segment.SetColor(*colours[label])
        if label in terminology:
            segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology[label])
        if segmentation.GetSegment(segmentId) is None:
            segmentation.AddSegment(segment, segmentId)
    if shown3D:
        segmentation.CreateRepresentation(SURFACE)


def _fill(segment: slicer.vtkSegment, image: slicer.vtkOrientedImageData, label: int, name: str) -> None:
    """All segments share one label image, as they do after Slicer's own import: memory of one mask, not of each."""
    segment.SetName(name)
    segment.SetLabelValue(label)
    segment.AddRepresentation(BINARY, image)
    segment.SetTag(LABEL_TAG, str(label))


def _segmentIdFor(segmentation: slicer.vtkSegmentation, name: str, taken: Collection[str]) -> str:
    """An ID made from the name: the same in every run, and never that of a segment which the user made."""
    base = "DeepMRI_" + (re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "segment")
    candidate, number = base, 1
    while True:
        segment = segmentation.GetSegment(candidate)
        ours = segment is None or (_hasTag(segment) and segment.GetName() == name)
        if ours and candidate not in taken:
            return candidate
        number += 1
        candidate = f"{base}_{number}"


def _hasTag(segment: slicer.vtkSegment) -> bool:
    return segment.HasTag(LABEL_TAG)


def _orientedImage(labels: LabelVolume, top: int) -> slicer.vtkOrientedImageData:
    """The label image in the smallest type that holds labels up to ``top``, those without a voxel too."""
    low = min([*labels.names, 0])
    small = np.uint8 if low >= 0 and top <= np.iinfo(np.uint8).max else np.int16
    if low < np.iinfo(np.int16).min or top > np.iinfo(np.int16).max:
        small = np.int32
    image = slicer.vtkOrientedImageData()
    image.ShallowCopy(imageFromArray(labels.array.astype(small, copy=False)))
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(labels.affine))
    return image


def _numbered(
    segmentationNode: slicer.vtkMRMLSegmentationNode, ids: Sequence[str], reference: slicer.vtkMRMLVolumeNode
) -> NDArray:
    """(i, j, k) int16: the segments as 1, 2, 3... on the grid of ``reference``."""
    if not isNode(reference, "vtkMRMLVolumeNode") or reference.GetImageData() is None:
        raise InputError(f"{nodeName(reference)} holds no image. Choose the image that the segments belong to.")
    numbers = {segmentId: number for number, segmentId in enumerate(ids, start=1)}
    # the voxels' values do not count, only their places
    grid = Volume(np.broadcast_to(np.uint8(0), reference.GetImageData().GetDimensions()), affineFromNode(reference))
    return segmentNumbers(segmentationNode, numbers, reference, grid).astype(np.int16)


def _checkSegments(node: slicer.vtkMRMLSegmentationNode | None, ids: Sequence[str]) -> None:
    if not isNode(node, "vtkMRMLSegmentationNode"):
        raise InputError(f"{nodeName(node)} is not a segmentation. Choose a segmentation and one of its segments.")
    known = _segmentIds(node)
    missing = [segmentId for segmentId in ids if segmentId not in known]
    if missing or not known:
        names = ", ".join(_segmentName(node, segmentId) for segmentId in known) or "none"
        raise InputError(
            f"The segmentation {nodeName(node)} has no segment {missing[0] if missing else ''}. "
            f"Choose one of its segments: {names}."
        )


def _segmentIds(node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    if not isNode(node, "vtkMRMLSegmentationNode"):
        return []
    return list(node.GetSegmentation().GetSegmentIDs())


def _segmentName(node: slicer.vtkMRMLSegmentationNode, segmentId: str) -> str:
    return node.GetSegmentation().GetSegment(segmentId).GetName()
