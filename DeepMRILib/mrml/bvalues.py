"""The b-values of a diffusion series in the scene, wherever Slicer or its importers put them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import slicer
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.sequences import browserOfProxy, frameValues, sequenceOfProxy
from DeepMRILib.mrml.sidecars import sidecarBValues
from DeepMRILib.volume import checked_b_values

FRAME_TAG = "MultiVolume.FrameIdentifyingDICOMTagName"
FRAME_LABELS = "MultiVolume.FrameLabels"
"""Attributes in which Slicer's DICOM importers say what tells the images of a 4D series apart, and its values."""

_INDEX_NAME = re.compile(r"^(diffusion[\s_-]*)?b([\s_-]*(val|value|values|vals))?$", re.IGNORECASE)
_INDEX_UNIT = re.compile(r"^s\s*/\s*mm\s*(\^?2|²)$", re.IGNORECASE)
_FRAME_TAG_PATTERN = re.compile(r"b-?value", re.IGNORECASE)
_GE_OFFSET = 1e9
"""GE scanners store b-values of some protocols in (0043,1039) with this added."""


def findBValues(node: slicer.vtkMRMLNode) -> tuple[NDArray | None, str]:
    """The b-values (n,) in s/mm2 of a diffusion series and where they came from, or None and what is missing.

    Looked for, in this order: the diffusion-weighted node itself; the frame labels that DICOM importers attach
    (``MultiVolume.FrameLabels``); the index of a sequence that says it is a b-value; a .bval file next to the file
    that the node was loaded from.

    Args:
        node: a volume with several values per voxel, a sequence, or the node that shows one frame of a sequence.
    """
    if node is None:
        return None, "No diffusion series is chosen."
    sequence = seriesSequence(node)
    images = imageCount(node)
    for values, place in _candidates(node, sequence):
        if not place:
            continue
        if values is None:
            return None, place
        try:
            return checked_b_values(values, images, place), place
        except InputError as error:
            return None, str(error)
    return None, (
        f"No b-values were found for {nodeName(node)}: not with the image, and no .bval file lies next to the file it "
        "was loaded from."
    )


def _candidates(
    node: slicer.vtkMRMLNode, sequence: slicer.vtkMRMLSequenceNode | None
) -> Iterator[tuple[NDArray | None, str]]:
    """b-values and their place, or what is wrong there; an empty place where there are none. Files come last."""
    yield _ofNode(node)
    yield _ofFrameLabels(node, sequence)
    yield _ofIndex(sequence)
    yield sidecarBValues(node)
    yield sidecarBValues(sequence)


def imageCount(node: slicer.vtkMRMLNode) -> int:
    """How many images a series holds: components of a volume, or frames of the sequence it is or shows."""
    sequence = seriesSequence(node)
    return _components(node) if sequence is None else sequence.GetNumberOfDataNodes()


def seriesSequence(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLSequenceNode | None:
    """The sequence whose frames are the images of a series: the node itself, or what it shows one frame of.

    None for a volume that holds a whole series by itself, also where it is one frame of a sequence of series.
    """
    if node.IsA("vtkMRMLSequenceNode"):
        return node
    return sequenceOfProxy(node) if _components(node) <= 1 else None


def _components(node: slicer.vtkMRMLNode) -> int:
    image = node.GetImageData() if node.IsA("vtkMRMLVolumeNode") else None
    return 0 if image is None else image.GetNumberOfScalarComponents()


def _ofNode(node: slicer.vtkMRMLNode) -> tuple[NDArray | None, str]:
    if not node.IsA("vtkMRMLDiffusionWeightedVolumeNode"):
        return None, ""
    # Slicer reads 500 from NRRD as 500.0000000000001, the length of a float32 gradient vector.
    values = np.array([node.GetBValue(n) for n in range(node.GetNumberOfGradients())])
    return np.round(values, 4), f"the header of {nodeName(node)}"


def _ofFrameLabels(node: slicer.vtkMRMLNode, sequence: slicer.vtkMRMLSequenceNode | None) -> tuple[NDArray | None, str]:
    for holder in (node, sequence, browserOfProxy(node)):
        tag = holder.GetAttribute(FRAME_TAG) if holder is not None else None
        labels = holder.GetAttribute(FRAME_LABELS) if tag and _FRAME_TAG_PATTERN.search(tag) else None
        values = _numbers(labels.split(",")) if labels else None
        if values is not None:
            return np.where(values >= _GE_OFFSET, values - _GE_OFFSET, values), f"the labels of its images, {tag}"
    return None, ""


def _ofIndex(sequence: slicer.vtkMRMLSequenceNode | None) -> tuple[NDArray | None, str]:
    if sequence is None:
        return None, ""
    name, unit = sequence.GetIndexName().strip(), sequence.GetIndexUnit().strip()
    if not (_INDEX_NAME.match(name) or _INDEX_UNIT.match(unit)):
        return None, ""
    values = _numbers(frameValues(sequence))
    return (None, "") if values is None else (values, f"the index of the sequence {nodeName(sequence)}")


def _numbers(texts: list[str]) -> NDArray | None:
    try:
        return checked_b_values([float(text) for text in texts])
    except (ValueError, InputError):
        return None
