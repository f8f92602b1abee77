"""Points that a user placed, to arrays and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import newNode, nodeName
from DeepMRILib.mrml.transaction import remember


def pointsFromFiducials(node: slicer.vtkMRMLMarkupsNode) -> NDArray:
    """(n, 3) positions in RAS mm in the world, under the node's transform; only points that have been placed.

    A point list for six points has six entries from the start: those not placed yet, or being placed just now, are
    left out.

    Raises:
        InputError: not a list of points.
    """
    if node is None or not node.IsA("vtkMRMLMarkupsNode"):
        raise InputError(f"{nodeName(node)} is not a list of points. Choose a point list.")
    points = np.zeros((node.GetNumberOfDefinedControlPoints(), 3))
    for row, n in enumerate(_definedPoints(node)):
        node.GetNthControlPointPositionWorld(n, points[row])
    return points


def pointLabels(node: slicer.vtkMRMLMarkupsNode) -> list[str]:
    """The labels of the placed points, in the order of ``pointsFromFiducials``."""
    return [node.GetNthControlPointLabel(n) for n in _definedPoints(node)]


def fiducialsFromPoints(
    points: ArrayLike,
    name: str,
    labels: Sequence[str] | None = None,
    existing: slicer.vtkMRMLMarkupsFiducialNode | None = None,
) -> slicer.vtkMRMLMarkupsFiducialNode:
    """A point list with these points: ``existing`` with new ones, or a new node.

    Args:
        points: (n, 3) in RAS mm in the world, also where an existing node is under a transform.
        labels: one for each point; by default Slicer numbers them.

    Raises:
        InputError: points that are not (n, 3), or another number of labels.
    """
    positions = np.asarray(points, dtype=float)
    if positions.ndim != 2 or positions.shape[1] != 3 or not np.isfinite(positions).all():
        raise InputError(f"Points are an array (n, 3) of finite numbers in RAS mm; got shape {positions.shape}.")
    if labels is not None and len(labels) != len(positions):
        raise InputError(f"There are {len(labels)} labels for {len(positions)} points.")
    if existing is not None:
        remember(existing)
    node = existing if existing is not None else newNode("vtkMRMLMarkupsFiducialNode", name)
    with slicer.util.NodeModify(node):
        node.RemoveAllControlPoints()
        for n, position in enumerate(positions):
            node.AddControlPointWorld(vtk.vtkVector3d(*position), labels[n] if labels is not None else "")
        node.CreateDefaultDisplayNodes()
    return node


def _definedPoints(node: slicer.vtkMRMLMarkupsNode) -> list[int]:
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    return [n for n in range(node.GetNumberOfControlPoints()) if node.GetNthControlPointPositionStatus(n) == defined]
