"""What a search for k-space lines is given: nodes to volumes in the frame of the image, or the path of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer.util

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.frames import sampledNearest, transformBetween
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.pvs_inputs import imageBeside, imageFromNode
from DeepMRILib.mrml.segments import labelsFromSegmentation
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.volume import LabelVolume

TRUTH = "DeepMRI.Truth"
"""Attribute of segmentations that say what is where, and are no result."""


def dataInputs(
    imageNode: Any = None,
    *,
    labelsNode: Any = None,
    segments: Sequence[str] = (),
    phaseNode: Any = None,
    folder: Path | str = "",
) -> dict[str, Any]:
    """The inputs ``data``, ``labels`` and ``phase`` of the jobs of KSpaceIGS.

    Args:
        imageNode: the image, its slices stacked along one axis.
        labelsNode: a segmentation or a label map; transforms are followed.
        segments: IDs of the segments that count; all by default.
        phaseNode: phase of the image in radians.
        folder: a folder or file instead of an image, which the job reads itself, with its labels.

    Raises:
        InputError: no image, or something that cannot be used; the text says what.
    """
    if folder:
        if imageNode is not None:
            raise InputError("An image and a folder are given. Give one of them.")
        return {"data": existingPath(folder), "labels": None, "phase": None}
    if imageNode is None:
        raise InputError("There is no image. Choose an image, or a folder with images.")
    return {
        "data": imageFromNode(imageNode),
        "labels": labelsOn(labelsNode, segments, imageNode) if labelsNode is not None else None,
        "phase": imageBeside(phaseNode, imageNode) if phaseNode is not None else None,
    }


def existingPath(text: Path | str) -> Path:
    """A file or folder that is there.

    Raises:
        InputError: it is not, or cannot be looked at.
    """
    try:
        path = Path(text).expanduser()
        if path.exists():
            return path
    except (OSError, RuntimeError, ValueError):  # a name that is too long, the home of nobody
        pass
    raise InputError(f"There is nothing at {text}. Choose a folder with images, or a file of raw data.")


def labelsOn(node: Any, segments: Sequence[str], imageNode: Any) -> LabelVolume:
    """A segmentation or a label map on the grid of an image, both brought to the same place in the world.

    Segments become the labels 1, 2, 3...; a label map keeps its numbers, and is called as its colours are.

    Args:
        segments: IDs of the segments that count; all of them when there are none.

    Raises:
        InputError: no labels, no such segment, or nothing of them in the image.
    """
    if isNode(node, "vtkMRMLSegmentationNode"):
        return labelsFromSegmentation(node, imageNode, list(segments) or None)[0]
    given, image = imageFromNode(node), volumeFromNode(imageNode)
    plain = LabelVolume(given.array, given.affine)  # refuses fractions
    back = transformBetween(imageNode, node)
    array = sampledNearest(np.asarray(plain.array), given.affine, image.shape, image.affine, back)
    if not array.any():
        raise InputError(
            f"The labels {nodeName(node)} have no voxel inside the image {nodeName(imageNode)}. "
            "Check that both show the same place, or choose others."
        )
    return LabelVolume(array, image.affine, _colourNames(node))


def _colourNames(node: Any) -> dict[int, str]:
    """What the colours of a label map are called; Slicer's plain tables name them after their number."""
    display = node.GetDisplayNode()
    colours = display.GetColorNode() if display is not None else None
    if colours is None or not isNode(node, "vtkMRMLLabelMapVolumeNode"):
        return {}
    names = {label: colours.GetColorName(label) for label in range(1, min(colours.GetNumberOfColors(), 256))}
    return {label: name for label, name in names.items() if name and name != "(none)"}


def likelyImage() -> Any:
    """The scene's first image that is no result of ours."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    plain = (node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData())
    return next((node for node in plain if not node.GetAttribute("DeepMRI.Map") and not _isPhase(node)), None)


def companionsOf(imageNode: Any) -> tuple[Any, Any]:
    """The labels and the phase that were made with an image, as sample data are; None where there are none."""
    made = [node for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode") if sourceOf(node) is imageNode]
    labels = (node for node in made if node.IsA("vtkMRMLSegmentationNode") and node.GetAttribute(TRUTH) is not None)
    phases = (node for node in made if node.IsA("vtkMRMLScalarVolumeNode") and _isPhase(node))
    return next(labels, None), next(phases, None)


def _isPhase(node: Any) -> bool:
    return "phase" in (node.GetName() or "").lower()
