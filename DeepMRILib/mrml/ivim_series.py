"""Diffusion series in the scene as the IVIM jobs take them: b-values found or typed, frames, masks and regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer.util
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.bvalues import parse_b_values
from DeepMRILib.ivim import FitOptions
from DeepMRILib.ivim.prepare import check_b_values
from DeepMRILib.mrml.bvalues import findBValues, imageCount
from DeepMRILib.mrml.diffusion import diffusionFromNode
from DeepMRILib.mrml.segments import labelsFromSegmentation, maskFromSegment
from DeepMRILib.mrml.sequences import frameNodes, proxyOfSequence, sequenceOfProxy
from DeepMRILib.volume import checked_b_values

SERIES_CLASSES = ("vtkMRMLDiffusionWeightedVolumeNode", "vtkMRMLVectorVolumeNode", "vtkMRMLSequenceNode")


def firstSeries() -> Any:
    """The scene's first series whose b-values are known, None when there is none."""
    for className in SERIES_CLASSES:
        for node in slicer.util.getNodesByClass(className):
            if imageCount(node) > 1 and findBValues(node)[0] is not None:
                return node
    return None


def typedBValues(bValues: ArrayLike | str | None) -> Any:
    """b-values as numbers from what a user typed; None when nothing was.

    Raises:
        InputError: it holds something that is no number.
    """
    if bValues is None or (isinstance(bValues, str) and not bValues.strip()):
        return None
    return parse_b_values(bValues) if isinstance(bValues, str) else np.asarray(bValues, dtype=float)


def seriesBValues(node: Any, typed: str) -> tuple[NDArray | None, str]:
    """The b-values typed, or else found, and where they come from; or None and what is wrong."""
    try:
        values = typedBValues(typed)
        return findBValues(node) if values is None else (checked_b_values(values, imageCount(node)), "typed")
    except InputError as error:
        return None, str(error)


def describeBValues(node: Any, typed: str) -> str:
    """What the panel says about a series: how many images, which b-values, and where they come from."""
    if node is None:
        return ""
    values, place = seriesBValues(node, typed)
    if values is None:
        return place
    shown = ", ".join(f"{value:g}" for value in np.unique(values))
    return f"{imageCount(node)} images, b = {shown} s/mm² ({place})"


def missingBValues(node: Any, typed: str, model: str = "biexp") -> str:
    """Why a model cannot be fitted to the series for want of b-values, in a sentence or two; "" when it can."""
    values, place = seriesBValues(node, typed)
    if values is None:
        return place if typed.strip() else f"{place} Type the b-values above."
    try:
        check_b_values(values, FitOptions(model=model, fit_s0=False))
    except InputError as error:
        return str(error)
    return ""


def seriesFrames(node: Any) -> list[Any]:
    """The series of a sequence of series, of which ``node`` shows one; [] when it is a series by itself."""
    if node is None or node.IsA("vtkMRMLSequenceNode") or imageCount(node) < 2:
        return []
    sequence = sequenceOfProxy(node)
    frames = frameNodes(sequence) if sequence is not None else []
    several = [frame for frame in frames if frame.GetImageData().GetNumberOfScalarComponents() > 1]
    return several if len(several) == len(frames) else []


def fitInputs(
    seriesNode: Any,
    bValues: ArrayLike | str | None = None,
    maskSegmentation: Any = None,
    maskSegment: str = "",
    regionsSegmentation: Any = None,
    *,
    geometryNode: Any = None,
) -> dict[str, Any]:
    """The inputs of the job ``ivim.fit`` from nodes.

    Args:
        seriesNode: diffusion-weighted volume, vector volume, sequence of volumes, or a proxy of one.
        bValues: in s/mm2, numbers or typed text; by default those found with the series.
        maskSegmentation, maskSegment: node and segment ID of the mask; the first segment when no ID is given.
        regionsSegmentation: its segments are the regions.
        geometryNode: the node in the scene on whose grid the segments are taken, when the series itself is a frame
            of a sequence and so is not in the scene.

    Raises:
        InputError: the nodes do not hold what is needed.
    """
    inputs: dict[str, Any] = {"volume": diffusionFromNode(seriesNode, typedBValues(bValues))}
    reference = referenceVolume(geometryNode if geometryNode is not None else seriesNode)
    if maskSegmentation is not None:
        segment = maskSegment or maskSegmentation.GetSegmentation().GetNthSegmentID(0)
        inputs["mask"] = maskFromSegment(maskSegmentation, segment, reference)
    if regionsSegmentation is not None:
        inputs["labels"] = labelsFromSegmentation(regionsSegmentation, reference)[0]
    return inputs


def referenceVolume(seriesNode: Any) -> Any:
    """A volume node with the series' grid and transform: itself, or what shows its frames."""
    if not seriesNode.IsA("vtkMRMLSequenceNode"):
        return seriesNode
    return proxyOfSequence(seriesNode) or frameNodes(seriesNode)[0]
