"""Interactive segmentation on nodes: a lesion from points into one segment, with what it was made from and its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive import InteractiveResult
from DeepMRILib.interactive.measures import size_of
from DeepMRILib.interactive.segmenting import UNITS
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeBeside, placeResult
from DeepMRILib.mrml.interactive_inputs import croppedInputs, promptsFromNodes
from DeepMRILib.mrml.interactive_record import (
    Prompted,
    keepRecord,
    linkPoints,
    recordOf,
    restorePrompts,
    segmentOfPoints,
)
from DeepMRILib.mrml.interactive_segments import (
    checkWritable,
    orientedImage,
    placedIn,
    voxelsOf,
    writeSegment,
)
from DeepMRILib.mrml.interactive_training import MASS, exportCase, phantomNodes, syntheticPoints
from DeepMRILib.mrml.nodes import newNode, nodeName, shortened
from DeepMRILib.mrml.points import pointsFromFiducials
from DeepMRILib.mrml.segment_voxels import BINARY
from DeepMRILib.mrml.tables import tableFromColumns
from DeepMRILib.mrml.terminology import ALTERED, terminologyEntry
from DeepMRILib.mrml.transaction import remember
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

__all__ = [
    "Delivered",
    "croppedInputs",
    "deliver",
    "exportCase",
    "phantomNodes",
    "preview",
    "promptsFromNodes",
    "restorePrompts",
    "segmentOfPoints",
    "summary",
    "syntheticPoints",
    "tableOfSegments",
]

COLOURS = (
    (0.90, 0.35, 0.20), (0.20, 0.62, 0.88), (0.95, 0.76, 0.20), (0.42, 0.75, 0.36), (0.72, 0.44, 0.80),
    (0.30, 0.76, 0.72), (0.90, 0.50, 0.66), (0.62, 0.50, 0.36),
)  # fmt: skip
"""Of the first, second, ... segment; they can be told apart on grey images, also by most who see colours otherwise."""
CONFIDENCE_WINDOW = (0.0, 1.0)
ID_COLUMN = "id"


@dataclass(frozen=True, eq=False)
class Delivered:
    """What a segmentation has put into the scene.

    Attributes:
        segmentation: the segmentation node.
        segments: of each label the ID of its segment.
        table: one row per segment made from points, None where none was asked for.
        confidence: the map of confidence around the points, None where none was asked for.
    """

    segmentation: Any
    segments: dict[str, str]
    table: Any = None
    confidence: Any = None


def deliver(
    result: InteractiveResult,
    volumeNode: Any,
    *,
    segmentationNode: Any = None,
    segments: Mapping[str, str] | None = None,
    points: Mapping[str, Any] | None = None,
    negativeNode: Any = None,
    keepOthers: bool = False,
    tableNode: Any = None,
    wantConfidence: bool = False,
    confidenceNode: Any = None,
) -> Delivered:
    """Write a result into the scene: only the chosen segments are changed, all others stay as they are.

    Args:
        result: on the grid of the image or of any part of it.
        volumeNode: the image. A new segmentation goes beside it and under its transform; into a segmentation under
            another transform the result goes through the world.
        segments: of each label the ID of its segment; new segments for labels without one.
        points: of each label its point list, to be found with the segment later.
        negativeNode: the points where no segment is, to be kept with the segments: the result knows those alone that
            lie in the part that was looked at.
        keepOthers: leave out voxels that belong to other segments already.
        tableNode: to be updated; a new one is made where there is none.
        wantConfidence: also make the map of confidence, or update ``confidenceNode``.

    Raises:
        InputError: a segmentation that is kept as surfaces.
    """
    node = _segmentation(volumeNode, segmentationNode)
    made = _segmentIds(node, result, segments or {})
    masks = _masks(result, node, made, volumeNode, keepOthers)
    _write(node, made, masks, result.mask.affine, volumeNode, surface=True)
    negative = None if negativeNode is None else pointsFromFiducials(negativeNode, volumeNode)
    for label, segmentId in made.items():
        record = Prompted.ofResult(result, label)
        if negative is not None:
            record = replace(record, negative=negative)
        if keepOthers:
            record = replace(record, size={**record.size, **size_of(masks[label], result.mask.affine)})
        keepRecord(node, segmentId, record, volumeNode)
        if points and label in points:
            linkPoints(points[label], node, segmentId)
    table = tableOfSegments(node, tableNode)
    placeResult(table, volumeNode)
    confidence = _confidence(result, volumeNode, confidenceNode) if wantConfidence else None
    return Delivered(node, made, table, confidence)


def preview(
    result: InteractiveResult,
    volumeNode: Any,
    *,
    segmentationNode: Any = None,
    segments: Mapping[str, str] | None = None,
    keepOthers: bool = False,
) -> Delivered:
    """Show a coarse result in the segments while points are being dragged: no record, no table, surfaces stay."""
    node = _segmentation(volumeNode, segmentationNode)
    made = _segmentIds(node, result, segments or {})
    masks = _masks(result, node, made, volumeNode, keepOthers)
    _write(node, made, masks, result.mask.affine, volumeNode, surface=False)
    return Delivered(node, made)


def _segmentIds(node: Any, result: InteractiveResult, segments: Mapping[str, str]) -> dict[str, str]:
    """Of each label its segment's ID; segments that are not there are made."""
    labels = [str(label) for label in result.table.columns["segment"]]
    return {label: _segmentId(node, label, segments.get(label, "")) for label in labels}


def _masks(
    result: InteractiveResult, node: Any, made: Mapping[str, str], volumeNode: Any, keepOthers: bool
) -> dict[str, NDArray]:
    """Of each label its voxels (i, j, k) bool, those without any too."""
    free = np.True_
    if keepOthers:
        others = [segmentId for segmentId in node.GetSegmentation().GetSegmentIDs() if segmentId not in made.values()]
        free = ~voxelsOf(node, others, volumeNode, result.mask)
    array = np.asarray(result.mask.array)
    return {label: (array == number) & free for number, label in enumerate(made, start=1)}


def _write(
    node: Any, made: Mapping[str, str], masks: Mapping[str, NDArray], affine: NDArray, volumeNode: Any, *, surface: bool
) -> None:
    for label, segmentId in made.items():
        placed = placedIn(Volume(masks[label], affine), volumeNode, node)
        writeSegment(node, segmentId, orientedImage(*placed), surface=surface)


def _segmentation(volumeNode: Any, existing: Any) -> Any:
    if existing is not None:
        checkWritable(existing)
        remember(existing)
        return existing
    node = newNode("vtkMRMLSegmentationNode", f"{nodeName(volumeNode)} segmentation")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    placeBeside(node, volumeNode)
    return node


def _segmentId(node: Any, label: str, segmentId: str) -> str:
    """An existing segment, or a new empty one: of the ID that it had before it was deleted, or of a new one."""
    segmentation = node.GetSegmentation()
    if segmentId and segmentation.GetSegment(segmentId) is not None:
        return segmentId
    segment = slicer.vtkSegment()
    segment.SetName(label)
    segment.SetColor(*COLOURS[segmentation.GetNumberOfSegments() % len(COLOURS)])
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminologyEntry(ALTERED, MASS))
    segment.AddRepresentation(BINARY, orientedImage(np.zeros((1, 1, 1), bool), np.eye(4), np.zeros(3)))
    segmentId = segmentId or segmentation.GenerateUniqueSegmentID("DeepMRI")
    segmentation.AddSegment(segment, segmentId)
    return segmentId


def _confidence(result: InteractiveResult, volumeNode: Any, existing: Any) -> Any:
    node = nodeFromVolume(result.confidence, f"{nodeName(volumeNode)} confidence", existing)
    if node is not existing:
        showMap(node, "Viridis", CONFIDENCE_WINDOW)
    node.SetDescription(f"Lead of the segment over the runner-up, 0 to 1; {result.provenance.engine}")
    placeResult(node, volumeNode)
    return node


def tableOfSegments(segmentationNode: Any, existing: Any = None) -> Any:
    """A table node with one row for each segment of a segmentation that was made from points."""
    segmentation = segmentationNode.GetSegmentation()
    rows = []
    for segmentId in segmentation.GetSegmentIDs():
        size = _sizeOf(segmentationNode, segmentId)
        if size:
            name = segmentation.GetSegment(segmentId).GetName()
            rows.append({**size, "segment": name, ID_COLUMN: segmentId})
    table = Table.from_rows(rows, units=UNITS)
    return tableFromColumns(table.columns, f"{nodeName(segmentationNode)} sizes", units=table.units, existing=existing)


def _sizeOf(node: Any, segmentId: str) -> dict[str, Any]:
    """The measured size of a segment that was made from points; nothing where others have damaged its record."""
    try:
        made = recordOf(node, segmentId)
    except InputError:
        return {}
    return made.size if made is not None and set(UNITS) <= set(made.size) else {}


def summary(result: InteractiveResult, seconds: float | None = None) -> str:
    """What the panel says when it is done: the size of each segment, the time it took, and what a reader must know."""
    rows = [dict(zip(result.table.columns, row, strict=True)) for row in result.table.rows]
    longest = ("diameter_axial", "diameter_coronal", "diameter_sagittal")
    sizes = [
        f"{shortened(row['segment'])}: {row['volume_ml']:.3g} ml, {max(row[name] for name in longest):.0f} mm"
        for row in rows
    ]
    took = result.provenance.seconds["segment"] if seconds is None else seconds
    return " ".join((f"{'; '.join(sizes)} ({took:.2g} s).", *result.provenance.notes))
