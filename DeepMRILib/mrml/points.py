"""Points that a user placed, to arrays and back.

Points lie in the world: what a user sees and clicks. Volumes (``volumes.volumeFromNode``) and what is made of them lie
in their node's own frame, without its parent transform. Where points meet a volume, both functions here take that
volume's node and cross between the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import isNode, newNode, nodeName
from DeepMRILib.mrml.transaction import remember


def pointsFromFiducials(
    node: slicer.vtkMRMLMarkupsNode, referenceVolume: slicer.vtkMRMLVolumeNode | None = None
) -> NDArray:
    """(n, 3) positions of the points that have been placed, in RAS mm, in the world or in a volume's own frame.

    The point list's own transform is always followed. A point list for six points has six entries from the start:
    those not placed yet, or being placed just now, are left out.

    Args:
        referenceVolume: bring the points into this volume's own frame, by the inverse of its parent transforms
            (deformations too), where they fit ``volumeFromNode`` of it; by default they stay in the world.

    Raises:
        InputError: not a list of points, or a reference that is not a volume.
    """
    if not isNode(node, "vtkMRMLMarkupsNode"):
        raise InputError(f"{nodeName(node)} is not a list of points. Choose a point list.")
    points = np.zeros((node.GetNumberOfDefinedControlPoints(), 3))
    for row, n in enumerate(definedPoints(node)):
        node.GetNthControlPointPositionWorld(n, points[row])
    return _moved(points, None, _parent(referenceVolume))


def pointLabels(node: slicer.vtkMRMLMarkupsNode) -> list[str]:
    """The labels of the placed points, in the order of ``pointsFromFiducials``."""
    return [node.GetNthControlPointLabel(n) for n in definedPoints(node)]


def fiducialsFromPoints(
    points: ArrayLike,
    name: str,
    labels: Sequence[str] | None = None,
    existing: slicer.vtkMRMLMarkupsFiducialNode | None = None,
    referenceVolume: slicer.vtkMRMLVolumeNode | None = None,
) -> slicer.vtkMRMLMarkupsFiducialNode:
    """A point list with these points: ``existing`` with new ones, or a new node.

    Args:
        points: (n, 3) in RAS mm in the world, also where an existing node is under a transform; or, with a reference
            volume, in that volume's own frame.
        labels: one for each point; by default Slicer numbers them.
        referenceVolume: the volume in whose own frame the points are; its parent transforms, deformations too, take
            them to the world.

    Raises:
        InputError: points that are not (n, 3), another number of labels, or a reference that is not a volume.
    """
    positions = np.asarray(points, dtype=float)
    if positions.ndim != 2 or positions.shape[1] != 3 or not np.isfinite(positions).all():
        raise InputError(f"Points are an array (n, 3) of finite numbers in RAS mm; got shape {positions.shape}.")
    if labels is not None and len(labels) != len(positions):
        raise InputError(f"There are {len(labels)} labels for {len(positions)} points.")
    positions = _moved(positions, _parent(referenceVolume), None)
    if existing is not None:
        remember(existing)
    node = existing if existing is not None else newNode("vtkMRMLMarkupsFiducialNode", name)
    with slicer.util.NodeModify(node):
        node.RemoveAllControlPoints()
        for n, position in enumerate(positions):
            node.AddControlPointWorld(vtk.vtkVector3d(*position), labels[n] if labels is not None else "")
        node.CreateDefaultDisplayNodes()
    return node


def definedPoints(node: slicer.vtkMRMLMarkupsNode) -> list[int]:
    """The indices of the control points that have been placed, in the order of ``pointsFromFiducials``."""
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    return [n for n in range(node.GetNumberOfControlPoints()) if node.GetNthControlPointPositionStatus(n) == defined]


def pointEvents(node: slicer.vtkMRMLMarkupsNode) -> list[tuple[slicer.vtkMRMLMarkupsNode, int]]:
    """Pairs of node and event that tell of a point that was placed, moved or removed in the world."""
    events = (
        node.PointModifiedEvent,
        node.PointPositionDefinedEvent,
        node.PointPositionUndefinedEvent,
        node.PointRemovedEvent,
        node.TransformModifiedEvent,
    )
    return [(node, event) for event in events]


def _parent(referenceVolume: slicer.vtkMRMLVolumeNode | None) -> slicer.vtkMRMLTransformNode | None:
    """The transform from a volume's own frame; None for the world."""
    if referenceVolume is None:
        return None
    if not isNode(referenceVolume, "vtkMRMLVolumeNode"):
        raise InputError(f"{nodeName(referenceVolume)} is not a volume. Choose the image that the points belong to.")
    return referenceVolume.GetParentTransformNode()


def _moved(
    points: NDArray, source: slicer.vtkMRMLTransformNode | None, target: slicer.vtkMRMLTransformNode | None
) -> NDArray:
    """Points (n, 3) from under one transform to under another; None is the world."""
    if source is target:
        return points
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(source, target, transform)
    return np.array([transform.TransformPoint(*point) for point in points]).reshape(-1, 3)
