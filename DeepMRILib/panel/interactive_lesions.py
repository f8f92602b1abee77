"""The lesions of the InteractiveSeg panel: each has points inside, points outside, and a segment."""

from __future__ import annotations

from itertools import count
from typing import Any

import slicer
from slicer.i18n import tr as _

from DeepMRILib.mrml.interactive_record import imageOf, pointsOfSegment, recordOf, restorePrompts, segmentOfPoints
from DeepMRILib.mrml.nodes import newNode

NEGATIVE_ROLE = "DeepMRI.negative"
"""The node reference from a lesion's points to those outside of it."""
INSIDE_COLOUR, OUTSIDE_COLOUR = (1.0, 0.72, 0.10), (0.93, 0.20, 0.16)
GLYPH_SCALE, TEXT_SCALE, PROJECTED = 2.2, 2.8, 0.4


def newPoints(volumeNode: Any = None, name: str = "") -> Any:
    """An empty list for the points of a lesion, under the image's transform."""
    return _newList(name or _("lesion"), INSIDE_COLOUR, volumeNode)


def newNegativePoints(pointsNode: Any, volumeNode: Any = None) -> Any:
    """An empty list for the points outside of a lesion, found again by the lesion's points."""
    name = _("{lesion} outside").format(lesion=pointsNode.GetName()) if pointsNode is not None else _("outside")
    node = _newList(name, OUTSIDE_COLOUR, volumeNode)
    linkNegative(pointsNode, node)
    return node


def negativeOf(pointsNode: Any) -> Any:
    """The points outside of a lesion; None where there are none."""
    return pointsNode.GetNodeReference(NEGATIVE_ROLE) if pointsNode is not None else None


def linkNegative(pointsNode: Any, negativeNode: Any) -> None:
    """Remember which points are outside of a lesion."""
    if pointsNode is not None and negativeOf(pointsNode) is not negativeNode:
        pointsNode.SetNodeReferenceID(NEGATIVE_ROLE, negativeNode.GetID() if negativeNode is not None else None)


def otherLesions(pointsNode: Any, fewest: int) -> list[Any]:
    """The other point lists of the scene with enough points, but for those outside of lesions."""
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    outside = {negativeOf(node) for node in nodes}
    enough = (node for node in nodes if node.GetNumberOfDefinedControlPoints() >= fewest)
    return [node for node in enough if node is not pointsNode and node not in outside]


class Lesions:
    """Keeps points, outside points and segment together while the user goes from one lesion to another."""

    def __init__(self) -> None:
        self._points: Any = None
        self._segmentation: Any = None
        self._known = False

    def forget(self) -> None:
        """Another scene: what its parameter node says belongs together."""
        self._points = self._segmentation = None
        self._known = False

    def follow(self, parameters: Any) -> bool:
        """Choose what belongs to the chosen points; returns whether that is another lesion."""
        points, segmentation = parameters.points, parameters.segmentation
        moved = self._known and points is not self._points
        other = moved and self._points is not None
        found = segmentOfPoints(points, segmentation)
        if other:
            self._change(parameters, negativePoints=negativeOf(points), segment=found)
            if len(parameters.otherPoints):
                parameters.otherPoints = []  # they were segmented together with the one before
        elif moved or (self._known and segmentation is not self._segmentation):
            self._change(parameters, segment=found or _existing(segmentation, parameters.segment))
        linkNegative(points, parameters.negativePoints)
        self._points, self._segmentation, self._known = points, segmentation, True
        return other

    def begin(self, parameters: Any) -> Any:
        """A new lesion without points; the others stay. Returns its point list."""
        points = newPoints(parameters.inputVolume)
        self.choose(parameters, points)
        return points

    def choose(self, parameters: Any, points: Any) -> None:
        """Go to the lesion of these points."""
        with slicer.util.NodeModify(parameters):
            parameters.points, parameters.negativePoints = points, negativeOf(points)
            parameters.segment = segmentOfPoints(points, parameters.segmentation)

    def goTo(self, parameters: Any, segmentId: str) -> None:
        """Go on with a segment: with the points that it was made from, where there are such."""
        segmentation = parameters.segmentation
        points, negative = pointsOfSegment(segmentation, segmentId) if segmentId else None, parameters.negativePoints
        if segmentId and points is None and recordOf(segmentation, segmentId) is not None:
            image = imageOf(segmentation, segmentId) or parameters.inputVolume
            points, negative = restorePrompts(segmentation, segmentId, volumeNode=image)
            dress(points, INSIDE_COLOUR)
            if negative is not None:
                dress(negative, OUTSIDE_COLOUR)
            linkNegative(points, negative)
        with slicer.util.NodeModify(parameters):
            if points is not None:
                parameters.points, parameters.negativePoints = points, negativeOf(points)
                self._points = points
            parameters.segment = segmentId

    @staticmethod
    def _change(parameters: Any, **values: Any) -> None:
        with slicer.util.NodeModify(parameters):
            for name, value in values.items():
                if getattr(parameters, name) is not value and getattr(parameters, name) != value:
                    setattr(parameters, name, value)


def dress(node: Any, colour: tuple[float, float, float]) -> None:
    """Show points large enough to be caught, in the colour of their meaning."""
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetSelectedColor(*colour)
    display.SetColor(*colour)
    display.SetActiveColor(*(0.5 + 0.5 * part for part in colour))
    display.SetGlyphScale(GLYPH_SCALE)
    display.SetTextScale(TEXT_SCALE)
    display.SetSliceProjection(True)  # where points of other slices lie, fainter
    display.SetSliceProjectionUseFiducialColor(True)
    display.SetSliceProjectionOpacity(PROJECTED)


def _existing(segmentationNode: Any, segmentId: str) -> str:
    segments = segmentationNode.GetSegmentation().GetSegmentIDs() if segmentationNode is not None else ()
    return segmentId if segmentId in segments else ""


def _freeName(name: str) -> str:
    """That name, or "name 2", "name 3", ...: the lesion's segment will be called like it."""
    taken = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")}
    numbered = (f"{name} {number}" for number in count(2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def _newList(name: str, colour: tuple[float, float, float], volumeNode: Any) -> Any:
    node = newNode("vtkMRMLMarkupsFiducialNode", _freeName(name))
    dress(node, colour)
    if volumeNode is not None:
        node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    return node
