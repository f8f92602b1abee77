"""What the user did, to be taken back: points and the segments that were made from them.

Slicer's own undo is off by default, and would take back other things too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import slicer
import slicer.util
import vtk

from DeepMRILib.mrml.interactive_segments import SegmentState, captureSegments, restoreSegments

MOST_STEPS = 50
"""A segment of 80 x 80 x 80 voxels takes half a megabyte a step."""


@dataclass(frozen=True)
class _Point:
    position: tuple[float, float, float]
    isPlaced: bool
    label: str
    description: str
    isLocked: bool
    isVisible: bool
    isSelected: bool


PointsState = tuple[_Point, ...]
"""The control points of a list, in its own frame; not one that is just being placed."""


@dataclass(frozen=True, eq=False)
class Step:
    """What was there before one action of the user.

    Attributes:
        points: of each point list its points.
        segmentation: the node, None where there was none.
        segments: ID to what the segment was.
        note: whatever the caller wants back with it.
    """

    points: dict[Any, PointsState]
    segmentation: Any
    segments: dict[str, SegmentState]
    note: Any = None


class History:
    """The last actions, the latest first to be taken back."""

    def __init__(self) -> None:
        self._steps: list[Step] = []

    def __len__(self) -> int:
        return len(self._steps)

    def clear(self) -> None:
        """Forget all."""
        self._steps.clear()

    def push(self, points: dict[Any, PointsState], segmentation: Any, ids: Iterable[str], note: Any = None) -> None:
        """Keep what was there before an action: these points, and the segments as they are now."""
        self._steps.append(Step(points, segmentation, captureSegments(segmentation, list(ids)), note))
        del self._steps[:-MOST_STEPS]

    def undo(self, segmentation: Any, ids: Collection[str]) -> tuple[Step, list[str]]:
        """Take the last action back.

        Args:
            segmentation, ids: the segments that are there now; those that were not there before are removed.

        Returns:
            What was restored, and the IDs of the segments that are gone.

        Raises:
            LookupError: there is nothing to take back.
        """
        step = self._steps.pop()
        for node, state in step.points.items():
            if slicer.mrmlScene.IsNodePresent(node):
                restorePoints(node, state)
        node = step.segmentation or segmentation
        if node is not None and slicer.mrmlScene.IsNodePresent(node):
            new = {name: SegmentState(None) for name in ids if name not in step.segments}
            restoreSegments(node, {**step.segments, **new})
        return step, [name for name in ids if name not in step.segments or step.segments[name].segment is None]


def pointsState(node: slicer.vtkMRMLMarkupsNode) -> PointsState:
    """The control points of a list as they are now."""
    preview = slicer.vtkMRMLMarkupsNode.PositionPreview
    numbers = range(node.GetNumberOfControlPoints())
    return tuple(_point(node, n) for n in numbers if node.GetNthControlPointPositionStatus(n) != preview)


def placesOf(state: PointsState) -> tuple[tuple[float, float, float] | None, ...]:
    """Where the points are, None of those without a place: what a user changes, while labels may be anybody's."""
    return tuple(point.position if point.isPlaced else None for point in state)


def placedCount(state: PointsState) -> int:
    """How many of the points have a place."""
    return sum(point.isPlaced for point in state)


def restorePoints(node: slicer.vtkMRMLMarkupsNode, state: PointsState) -> None:
    """Make the points of a list what they were."""
    with slicer.util.NodeModify(node):
        if node.GetNumberOfControlPoints() != len(state):
            node.RemoveAllControlPoints()
            for point in state:
                node.AddControlPoint(vtk.vtkVector3d(*point.position), point.label)
        for n, point in enumerate(state):
            _restorePoint(node, n, point)


def _point(node: slicer.vtkMRMLMarkupsNode, n: int) -> _Point:
    isPlaced = node.GetNthControlPointPositionStatus(n) == slicer.vtkMRMLMarkupsNode.PositionDefined
    return _Point(
        position=tuple(node.GetNthControlPointPosition(n)) if isPlaced else (0.0, 0.0, 0.0),
        isPlaced=isPlaced,
        label=node.GetNthControlPointLabel(n),
        description=node.GetNthControlPointDescription(n),
        isLocked=bool(node.GetNthControlPointLocked(n)),
        isVisible=bool(node.GetNthControlPointVisibility(n)),
        isSelected=bool(node.GetNthControlPointSelected(n)),
    )


def _restorePoint(node: slicer.vtkMRMLMarkupsNode, n: int, point: _Point) -> None:
    if point.isPlaced:
        node.SetNthControlPointPosition(n, *point.position)
    else:
        node.UnsetNthControlPointPosition(n)
    node.SetNthControlPointLabel(n, point.label)
    node.SetNthControlPointDescription(n, point.description)
    node.SetNthControlPointLocked(n, point.isLocked)
    node.SetNthControlPointVisibility(n, point.isVisible)
    node.SetNthControlPointSelected(n, point.isSelected)
