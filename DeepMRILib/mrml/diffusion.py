"""Diffusion series in the scene to one diffusion volume, whatever kind of node holds them, and back."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.directions import unit, without_weighting
from DeepMRILib.mrml.bvalues import FRAME_LABELS, FRAME_TAG, findBValues, seriesSequence
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.sequences import frameNodes
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import DiffusionVolume, Volume

_FEWEST_SAVED = 7
"""Images from which on Slicer's NRRD writer takes a diffusion-weighted node for one and writes its gradients."""


def diffusionFromNode(node: slicer.vtkMRMLNode, bValues: ArrayLike | None = None) -> DiffusionVolume:
    """The series of a diffusion-weighted volume, a volume with several values per voxel, or a sequence of volumes.

    A node that shows one image of a sequence stands for its whole sequence. Volumes are not copied; the frames of a
    sequence are, into one array. Directions come from diffusion-weighted nodes only, in RAS of the node's own frame.

    Args:
        bValues: (n,) in s/mm2, in place of those that ``findBValues`` finds.

    Raises:
        InputError: no series, no b-values found, another number of them than of images, or frames on different grids.
    """
    if node is None:
        raise InputError("No diffusion series is chosen. Choose a 4D image, a diffusion volume or a sequence.")
    sequence = seriesSequence(node)
    volume = _fromSequence(sequence) if sequence is not None else _fromVolume(node)
    if bValues is None:
        bValues = _foundBValues(node, volume.array.shape[3])
    series = DiffusionVolume(volume.array, volume.affine, bValues)
    directions = _directions(node, series.b_values)
    return series if directions is None else DiffusionVolume(series.array, series.affine, series.b_values, directions)


def nodeFromDiffusion(
    series: DiffusionVolume, name: str, existing: slicer.vtkMRMLVolumeNode | None = None
) -> slicer.vtkMRMLVolumeNode:
    """A volume node with the images, b-values and directions of a series: ``existing`` with new content, or a new one.

    With a direction for each weighted image it is a diffusion-weighted node. Slicer saves that node's b-values as the
    lengths of its gradients, and those of seven images or more only: b-values without directions, or of fewer images,
    would be lost. Such a series becomes a vector volume with its b-values in the attributes that Slicer's
    DICOM importers use, where ``findBValues`` finds them.
    """
    directions = None if series.directions is None else unit(series.directions)
    complete = directions is not None and directions[series.b_values > 0].any(axis=1).all()
    if not complete or len(series.b_values) < _FEWEST_SAVED:
        node = nodeFromVolume(series, name, existing, "vtkMRMLVectorVolumeNode")
        node.SetAttribute(FRAME_TAG, "Standard.B-value")
        node.SetAttribute(FRAME_LABELS, ",".join(f"{value:.10g}" for value in series.b_values))
        return node
    node = nodeFromVolume(series, name, existing, "vtkMRMLDiffusionWeightedVolumeNode")
    with slicer.util.NodeModify(node):
        node.SetNumberOfGradients(len(series.b_values))
        node.SetMeasurementFrameMatrix(vtk.vtkMatrix4x4())
        for n, (value, direction) in enumerate(zip(series.b_values, directions, strict=True)):
            node.SetBValue(n, value)
            node.SetDiffusionGradient(n, direction)
    return node


def _foundBValues(node: slicer.vtkMRMLNode, images: int) -> NDArray:
    values, place = findBValues(node)
    if values is None:
        raise InputError(
            f"{place} Type the b-values, one for each of the {images} images in their order, in s/mm2, or choose a "
            ".bval file."
        )
    return values


def _fromVolume(node: slicer.vtkMRMLNode) -> Volume:
    volume = volumeFromNode(node)
    if volume.array.ndim != 4 or volume.array.shape[3] < 2:
        raise InputError(
            f"{nodeName(node)} is a single image, not a series. Choose the 4D image, the diffusion volume or the "
            "sequence that holds one image for each b-value."
        )
    return volume


def _fromSequence(sequence: slicer.vtkMRMLSequenceNode) -> Volume:
    frames = [_frame(sequence, node) for node in frameNodes(sequence)]
    if len(frames) < 2:
        raise InputError(f"The sequence {nodeName(sequence)} holds {len(frames)} image. Choose the whole series.")
    first = frames[0]
    for number, frame in enumerate(frames):
        if not frame.same_grid(first):
            raise InputError(
                f"Image {number + 1} of the sequence {nodeName(sequence)} lies on another grid than the first. "
                "Resample the images to one grid."
            )
    # In the order of Slicer's own 4D volumes: the values of one voxel side by side, as fits read them.
    return first.like(np.stack([frame.array for frame in frames], axis=-1))


def _frame(sequence: slicer.vtkMRMLSequenceNode, node: slicer.vtkMRMLNode) -> Volume:
    volume = volumeFromNode(node)
    if volume.array.ndim != 3:
        raise InputError(
            f"The sequence {nodeName(sequence)} holds 4D images. Choose one of them, or a sequence of 3D images."
        )
    return volume


def _directions(node: slicer.vtkMRMLNode, bValues: NDArray) -> NDArray | None:
    """Unit vectors (n, 3) in RAS: the measurement frame takes gradients to the space of the image, RAS in Slicer."""
    if not node.IsA("vtkMRMLDiffusionWeightedVolumeNode"):
        return None
    frame = vtk.vtkMatrix4x4()
    node.GetMeasurementFrameMatrix(frame)
    gradients = np.array([node.GetDiffusionGradient(n) for n in range(node.GetNumberOfGradients())])
    return without_weighting(unit(gradients @ slicer.util.arrayFromVTKMatrix(frame)[:3, :3].T), bValues)
