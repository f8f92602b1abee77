"""How a map looks: colours and window, so that it can be read without touching a slider."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.transaction import remember

DEFAULT_COLOUR = "Grey"


def showMap(
    node: slicer.vtkMRMLScalarVolumeNode, colour: str = DEFAULT_COLOUR, window: tuple[float, float] | None = None
) -> None:
    """Set the colours of a map and the lowest and highest value that they span.

    Args:
        colour: name or ID of a colour node, e.g. "Viridis"; capital letters and blanks do not matter, and where this
            Slicer has no such colours the map is grey.
        window: lowest and highest value shown; by default the middle 98 % of the values that are not 0, since most
            maps are 0 outside.

    Raises:
        InputError: a window whose upper end is not above its lower.
    """
    low, high = robustRange(node) if window is None else window
    if not high > low:
        raise InputError(f"The window of {nodeName(node)} runs from {low:g} to {high:g}; its upper end must be higher.")
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    remember(display)
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID((colourNode(colour) or colourNode(DEFAULT_COLOUR)).GetID())
        display.AutoWindowLevelOff()
        display.SetWindowLevelMinMax(low, high)


def colourNode(name: str) -> slicer.vtkMRMLColorNode | None:
    """The colour node of this ID or name, in whatever capitals; None when there is none."""
    node = slicer.mrmlScene.GetNodeByID(name)
    if node is not None and node.IsA("vtkMRMLColorNode"):
        return node
    nodes = slicer.util.getNodesByClass("vtkMRMLColorNode")
    return next((node for node in nodes if _plain(node.GetName()) == _plain(name)), None)


def robustRange(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[float, float]:
    """First and ninety-ninth percentile of the finite values that are not 0; (0, 1) where there are none."""
    values = slicer.util.arrayFromVolume(node)
    values = values[np.isfinite(values) & (values != 0)]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(values, (1, 99)))
    # One value everywhere still needs a window with an extent.
    return (low, high) if high > low else (min(low, 0.0), max(high, 0.0))


def _plain(name: str | None) -> str:
    return "".join((name or "").split()).casefold()
