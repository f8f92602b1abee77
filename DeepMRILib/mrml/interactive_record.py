"""What a segment was made from, kept with it: points, settings and engine, so that a saved scene can go on.

The record is a tag of the segment, so it travels in .seg.nrrd files and scene bundles. Points are kept in the frame of
the image that was segmented, and the segmentation refers to that image.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.points import side_names
from DeepMRILib.interactive.result import InteractiveResult
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.points import fiducialsFromPoints
from DeepMRILib.tables import Table

RECORD_TAG = "DeepMRI.Prompts"
IMAGE_ROLE = "DeepMRI.image."
"""Begins the role under which a segmentation refers to the image that one of its segments was made from."""
SEGMENTATION_ROLE, SEGMENT_ATTRIBUTE = "DeepMRI.segmentation", "DeepMRI.segment"
"""Of a point list: where its segment is."""


@dataclass(frozen=True, eq=False)
class Prompted:
    """What a segment was made from.

    Attributes:
        points: (n, 3) in RAS mm, in the frame of the image.
        negative: (m, 3), likewise.
        engine: the method, in words.
        options: the settings by name.
        version: of DeepMRI.
        weights_sha256: of the network, where one was used.
        size: the segment's row of the result's table.
    """

    points: NDArray
    negative: NDArray = field(default_factory=lambda: np.zeros((0, 3)))
    engine: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    weights_sha256: str | None = None
    size: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def ofResult(cls, result: InteractiveResult, label: str) -> Prompted:
        """What one label of a result was made from."""
        columns, made = result.points.columns, result.provenance
        places = np.array([columns[axis] for axis in "ras"], dtype=float).T.reshape(-1, 3)
        labels, names = np.array(columns["segment"], dtype=object), np.array(columns["name"], dtype=object)
        return cls(
            points=places[(labels == label) & (names != "negative")],
            negative=places[names == "negative"],
            engine=made.engine,
            options=made.options,
            version=made.version,
            weights_sha256=made.weights_sha256,
            size=next(row for row in _rows(result.table) if row["segment"] == label),
        )

    def text(self) -> str:
        """As a tag keeps it."""
        values = {**vars(self), "points": _rounded(self.points), "negative": _rounded(self.negative)}
        # In .seg.nrrd files a bar ends a tag.
        return json.dumps(values, ensure_ascii=True, separators=(",", ":")).replace("|", "\\u007c")

    @classmethod
    def fromText(cls, text: str) -> Prompted:
        """What ``text`` has told.

        Raises:
            InputError: it was changed by something else and cannot be understood.
        """
        try:
            values = json.loads(text)
            places = {name: np.array(values.pop(name), dtype=float).reshape(-1, 3) for name in ("points", "negative")}
            known = {item.name for item in fields(cls)}
            return cls(**places, **{name: value for name, value in values.items() if name in known})
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise InputError("What the segment was made from cannot be read. Place its points again.") from error


def keepRecord(node: Any, segmentId: str, prompted: Prompted, volumeNode: Any) -> None:
    """Keep with a segment what it was made from."""
    node.GetSegmentation().GetSegment(segmentId).SetTag(RECORD_TAG, prompted.text())
    node.SetNodeReferenceID(_role(segmentId), volumeNode.GetID())


def hasRecord(node: Any, segmentId: str) -> bool:
    """Whether a segment was made from points."""
    segment = node.GetSegmentation().GetSegment(segmentId) if node is not None else None
    return segment is not None and segment.HasTag(RECORD_TAG)


def recordOf(node: Any, segmentId: str) -> Prompted | None:
    """What a segment was made from; None where it was not made here.

    Raises:
        InputError: the record cannot be understood.
    """
    if not hasRecord(node, segmentId):
        return None
    return Prompted.fromText(_tag(node.GetSegmentation().GetSegment(segmentId), RECORD_TAG))


def imageOf(node: Any, segmentId: str) -> Any:
    """The image that a segment was made from; None when it is gone."""
    return node.GetNodeReference(_role(segmentId)) or sourceOf(node)


def restorePrompts(
    segmentationNode: Any,
    segmentId: str,
    *,
    volumeNode: Any = None,
    pointsNode: Any = None,
    negativeNode: Any = None,
) -> tuple[Any, Any]:
    """Point lists with the points that a segment was made from: the lesion's, and the negative ones or None.

    Args:
        volumeNode: the image, where the segmentation no longer refers to it.
        pointsNode, negativeNode: lists to fill; by default those that the scene still has for the segment, or new ones.

    Raises:
        InputError: the segment has no record, or its image is not in the scene.
    """
    made = recordOf(segmentationNode, segmentId)
    if made is None:
        raise InputError(
            f"The segment {segmentId} of {nodeName(segmentationNode)} was not made from points. Choose another segment."
        )
    image = volumeNode or imageOf(segmentationNode, segmentId)
    if image is None:
        raise InputError("The image that the segment was made from is not in the scene. Load it, and choose it.")
    name = segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()
    target = pointsNode or pointsOfSegment(segmentationNode, segmentId)
    points = fiducialsFromPoints(made.points, name, side_names(made.points), target, image)
    linkPoints(points, segmentationNode, segmentId)
    if not len(made.negative):
        return points, negativeNode
    return points, fiducialsFromPoints(made.negative, f"{name} negative", None, negativeNode, image)


def linkPoints(pointsNode: Any, segmentationNode: Any, segmentId: str) -> None:
    """Remember at a point list which segment it makes."""
    pointsNode.SetNodeReferenceID(SEGMENTATION_ROLE, segmentationNode.GetID())
    pointsNode.SetAttribute(SEGMENT_ATTRIBUTE, segmentId)


def segmentOfPoints(pointsNode: Any, segmentationNode: Any) -> str:
    """The ID of the segment that a point list makes in a segmentation; empty where there is none."""
    if pointsNode is None or segmentationNode is None:
        return ""
    segmentId = pointsNode.GetAttribute(SEGMENT_ATTRIBUTE) or ""
    linked = pointsNode.GetNodeReference(SEGMENTATION_ROLE) is segmentationNode
    return segmentId if linked and segmentationNode.GetSegmentation().GetSegment(segmentId) is not None else ""


def pointsOfSegment(segmentationNode: Any, segmentId: str) -> Any:
    """The point list that makes a segment; None where there is none."""
    nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    return next((node for node in nodes if segmentOfPoints(node, segmentationNode) == segmentId), None)


def _role(segmentId: str) -> str:
    return IMAGE_ROLE + re.sub(r"\W", "_", segmentId, flags=re.ASCII)


def _rounded(points: NDArray) -> list[list[float]]:
    # micrometres: more digits say nothing, and tags are read by people too
    return np.round(points, 3).tolist()


def _rows(table: Table) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _tag(segment: Any, name: str) -> str:
    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)
