"""What a segmentation of perivascular spaces knows of itself: kept with the scene, and found after it was loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from DeepMRILib.mrml.nodes import isNode
from DeepMRILib.pvs.options import RelabelOptions

RECORD_ATTRIBUTE = "DeepMRI.PVS"
ROLE = "DeepMRI.pvs."
"""Begins the roles under which the segmentation refers to the other nodes of its run."""


@dataclass(frozen=True)
class PVSRecord:
    """How the segment was made.

    Attributes:
        segment: its ID.
        threshold, min_size, max_outside: what it was labelled with last.
        regions: label of each region to its name.
        provenance: ``results.Provenance`` of the run, as plain values.
        box: (4, 4) affine of the box that the engine looked at, as lists; empty where it is not known.
    """

    segment: str
    threshold: float = 0.5
    min_size: float = 5.0
    max_outside: float = 0.25
    regions: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    box: list[list[float]] = field(default_factory=list)

    @property
    def options(self) -> RelabelOptions:
        """What it was labelled with last."""
        return RelabelOptions(self.threshold, self.min_size, self.max_outside)

    @property
    def regionNames(self) -> dict[int, str]:
        """Label to name."""
        return {int(label): name for label, name in self.regions.items()}


@dataclass(frozen=True)
class PVSNodes:
    """The nodes of one run; None where there is none.

    Attributes:
        segmentation: with the segment of the spaces.
        probabilityMap: from 0 to 1, on the grid of the image.
        regionsTable: a row for the whole brain and for each region.
        censusTable: a row for each cluster.
        qcTable: quality control.
        sizeChart: how many clusters there are of which size.
        brainMap, regionsMap: label maps of the brain mask and the regions that were used.
    """

    segmentation: Any = None
    probabilityMap: Any = None
    regionsTable: Any = None
    censusTable: Any = None
    qcTable: Any = None
    sizeChart: Any = None
    brainMap: Any = None
    regionsMap: Any = None

    @classmethod
    def names(cls) -> list[str]:
        """All of them."""
        return [item.name for item in fields(cls)]


def recordOf(segmentation: Any) -> PVSRecord | None:
    """How a segmentation was made; None when it was not made here, or its record is damaged."""
    text = segmentation.GetAttribute(RECORD_ATTRIBUTE) if isNode(segmentation, "vtkMRMLSegmentationNode") else None
    if not text:
        return None
    try:
        record = PVSRecord(**json.loads(text))
        record = PVSRecord(**{**asdict(record), **asdict(record.options)})
        _check(record)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return record


def _check(record: PVSRecord) -> None:
    numbers = (record.threshold, record.min_size, record.max_outside)
    if not all(isinstance(number, (int, float)) for number in numbers) or not isinstance(record.segment, str):
        raise TypeError("a record of another kind")
    if not isinstance(record.provenance, dict):
        raise TypeError("a record of another kind")
    dict(record.regionNames)


def keepRecord(segmentation: Any, record: PVSRecord) -> None:
    """Keep with a segmentation how it was made."""
    segmentation.SetAttribute(RECORD_ATTRIBUTE, json.dumps(asdict(record), default=str))


def linkedNodes(segmentation: Any) -> PVSNodes:
    """The nodes of a segmentation's run that are still in the scene."""
    if segmentation is None:
        return PVSNodes()
    others = (name for name in PVSNodes.names() if name != "segmentation")
    return PVSNodes(segmentation, **{name: segmentation.GetNodeReference(ROLE + name) for name in others})


def linkNodes(nodes: PVSNodes) -> None:
    """Let the segmentation refer to the other nodes of its run."""
    for name in PVSNodes.names():
        node = getattr(nodes, name)
        if name != "segmentation":
            nodes.segmentation.SetNodeReferenceID(ROLE + name, node.GetID() if node is not None else None)
