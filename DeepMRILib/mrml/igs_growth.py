"""The growth of a pattern as a sequence: one slice with more and more lines, with a browser to play it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import ArrayLike

from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.mrml.igs_live import datasetOf
from DeepMRILib.mrml.nodes import newNode
from DeepMRILib.mrml.sequences import browserOfProxy, proxyOfSequence
from DeepMRILib.mrml.transaction import discard, remember
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import Volume

RATE = 4.0
"""Pictures a second: slow enough to see each step."""


def sequenceFromSteps(volumes: Sequence[Volume], values: ArrayLike, name: str, unit: str, existing: Any = None) -> Any:
    """A sequence of images with a browser that shows one of them: ``existing`` with new frames, or a new one.

    Args:
        volumes: one for each step.
        values: what the steps are counted in, e.g. numbers of lines.
        name: of a new sequence; its browser and the image that is shown are called after it.
        unit: what ``values`` count.
    """
    if existing is not None:
        remember(existing)
    sequence = existing if existing is not None else newNode("vtkMRMLSequenceNode", name)
    frames = [nodeFromVolume(volume, f"{name} step") for volume in volumes]
    with slicer.util.NodeModify(sequence):
        sequence.RemoveAllDataNodes()
        sequence.SetIndexName(unit)
        sequence.SetIndexUnit("")
        sequence.SetIndexType(slicer.vtkMRMLSequenceNode.NumericIndex)
        for frame, value in zip(frames, values, strict=True):
            sequence.SetDataNodeAtValue(frame, str(int(value)))
    for frame in frames:
        discard(frame.GetDisplayNode())
        discard(frame)
    _browse(sequence)
    return sequence


def browserOf(sequence: Any) -> Any:
    """The browser that shows a sequence; None when there is none."""
    return browserOfProxy(proxyOfSequence(sequence)) if sequence is not None else None


def isPlaying(sequence: Any) -> bool:
    """Whether the growth is played."""
    browser = browserOf(sequence)
    return browser is not None and bool(browser.GetPlaybackActive())


def play(sequence: Any, playing: bool) -> None:
    """Play the growth over and over, or stop at the step that is shown."""
    browser = browserOf(sequence)
    if browser is not None:
        browser.SetPlaybackActive(playing)


def _browse(sequence: Any) -> None:
    browser = browserOf(sequence)
    if browser is None:
        browser = newNode("vtkMRMLSequenceBrowserNode", f"{sequence.GetName()} browser")
        browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
        browser.SetOverwriteProxyName(sequence, False)
        browser.SetPlaybackRateFps(RATE)
        browser.SetPlaybackLooped(True)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    browser.SetSelectedItemNumber(sequence.GetNumberOfDataNodes() - 1)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)
    if proxy is not None and proxy.GetDisplayNode() is None:
        proxy.CreateDefaultDisplayNodes()


def writeAnimation(path: Path, pattern: Pattern, imageNode: Any, phaseNode: Any, options: DataOptions) -> Path:
    """The growth of the pattern on one slice of an image as an animated GIF: image and k-space, line by line.

    Args:
        path: a new file.
        phaseNode: phase of the image; None for none.
        options: how the image is cut into slices.

    Raises:
        InputError: an image that the pattern does not fit.
        OutputError: the file cannot be written.
        DependencyError: matplotlib is not installed.
    """
    from DeepMRILib.igs.growth import growth_of
    from DeepMRILib.igs.growth_frames import growth_frames, write_gif

    dataset = datasetOf(imageNode, phaseNode, pattern, options)
    grown = growth_of(pattern, dataset)
    frames = growth_frames(
        pattern,
        grown.images,
        grown.lines,
        kspace=grown.kspace,
        window=float(np.percentile(grown.full, 99.5)) or None,
        view=dataset.view,
        spacing=dataset.spacing,
    )
    return write_gif(path, frames)
