"""Several series of the scene as one study, and the network that is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer.util
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.bvalues import findBValues, imageCount
from DeepMRILib.mrml.diffusion import diffusionFromNode
from DeepMRILib.mrml.ivim_series import seriesBValues, seriesFrames
from DeepMRILib.mrml.losses import chartFromLosses
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.sequences import browserOfProxy, proxyOfSequence, sourceNodes
from DeepMRILib.volume import DiffusionVolume

VOLUME_CLASSES = ("vtkMRMLDiffusionWeightedVolumeNode", "vtkMRMLVectorVolumeNode")
FEWEST_IMAGES = 4
"""Fewer cannot be fitted, and images in colour have three values in each voxel."""


def studyCandidates(typed: str) -> list[tuple[Any, str]]:
    """The series of the scene that a network can learn from, each with a line that tells it from others.

    Args:
        typed: b-values as typed in the panel: they count for series whose own are not known.
    """
    found = []
    for node in _shownSeries():
        values, _ = _bValues(node, typed)
        frames = len(seriesFrames(node))
        several = f"{frames} frames of " if frames > 1 else ""
        highest = f", b up to {max(values):g}" if values is not None else ", b-values unknown"
        found.append((node, f"{nodeName(node)}: {several}{imageCount(node)} images{highest}"))
    return found


def _shownSeries() -> list[Any]:
    """Series as users see them: a sequence of images by its proxy, a sequence of series by the one that it shows."""
    volumes = [node for className in VOLUME_CLASSES for node in slicer.util.getNodesByClass(className)]
    sequences = slicer.util.getNodesByClass("vtkMRMLSequenceNode")
    ofImages = [node for node in sequences if imageCount(node) >= FEWEST_IMAGES and findBValues(node)[0] is not None]
    proxies = [proxyOfSequence(node) or node for node in ofImages]
    return [node for node in volumes if imageCount(node) >= FEWEST_IMAGES] + proxies


def studySources(nodes: Sequence[Any]) -> list[Any]:
    """All nodes that a training on these series depends on."""
    found: dict[str, Any] = {}
    for node in nodes:
        for source in (*sourceNodes(node), browserOfProxy(node)):
            if source is not None:
                found[source.GetID()] = source
    return list(found.values())


def studyRefusal(nodes: Sequence[Any], typed: str) -> str:
    """Why one network cannot learn from these series, in a sentence or two; "" when it can.

    Series that differ in their b-values may still go together once their images are averaged or left out, as the
    training's settings say; only the training itself can tell.
    """
    for node in nodes:
        values, reason = _bValues(node, typed)
        if values is None:
            return f"{nodeName(node)} has no b-values: {reason} Leave it out, or type the b-values under Inputs."
    return ""


def studyVolumes(nodes: Sequence[Any], typed: str) -> tuple[DiffusionVolume, ...]:
    """The series of a study, all frames of those that are frames of a sequence.

    Raises:
        InputError: a series cannot be read, or its b-values are not known.
    """
    volumes = []
    for node in nodes:
        values, reason = _bValues(node, typed)
        if values is None:
            raise InputError(f"{nodeName(node)} has no b-values: {reason}")
        volumes += [diffusionFromNode(frame, values) for frame in seriesFrames(node) or [node]]
    return tuple(volumes)


def deliverNetwork(trained: Any, existing: Any = None) -> Any:
    """The loss curve of a trained network as a chart: ``existing`` with new content, or a new one."""
    chart = chartFromLosses(trained.history, f"{trained.name} loss", existing)
    chart.SetTitle(f"{trained.name}: loss of the training")
    return chart


def _bValues(node: Any, typed: str) -> tuple[NDArray | None, str]:
    """The series' own b-values, or else those typed."""
    values, place = seriesBValues(node, "")
    if values is None and typed.strip():
        return seriesBValues(node, typed)
    return values, place
