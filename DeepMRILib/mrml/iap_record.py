"""What a table of acquisition parameters knows of its run: kept with the scene, and found after it was loaded."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from DeepMRILib.mrml.nodes import isNode

RECORD_ATTRIBUTE = "DeepMRI.IAP"
ROLE = "DeepMRI.iap."
"""Begins the roles under which the table of parameters refers to the other nodes of its run."""
AXES = ("i", "j", "k")


@dataclass(frozen=True)
class IAPRecord:
    """How the parameters of a table were told.

    Attributes:
        axis: of the image across which its slices are counted.
        reversed: the slices are counted from the other end of that axis.
        level: of sets and intervals.
        model: name of the network; empty where the header was looked at alone.
        notes: what a reader must know, one sentence each.
    """

    axis: str = "k"
    reversed: bool = False
    level: float = 0.9
    model: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class IAPNodes:
    """The nodes of one run; None where there is none.

    Attributes:
        parametersTable: a row for each parameter; it leads the others.
        slicesTable: what each slice says.
        outsideTable: whether the images are like those of the training.
        stripChart: what each slice says about one parameter.
        saliencyVolume: how much the answer changes where the image is hidden.
    """

    parametersTable: Any = None
    slicesTable: Any = None
    outsideTable: Any = None
    stripChart: Any = None
    saliencyVolume: Any = None

    @classmethod
    def names(cls) -> list[str]:
        """All of them."""
        return [item.name for item in fields(cls)]


def recordOf(table: Any) -> IAPRecord | None:
    """How the parameters of a table were told; None when it is no such table, or its record is damaged."""
    text = table.GetAttribute(RECORD_ATTRIBUTE) if isNode(table, "vtkMRMLTableNode") else None
    if not text:
        return None
    try:
        record = IAPRecord(**json.loads(text))
        _check(record)
    except (ValueError, TypeError, RecursionError):
        return None
    return record


def _check(record: IAPRecord) -> None:
    known = record.axis in AXES and isinstance(record.model, str) and isinstance(record.level, (int, float))
    if not (known and isinstance(record.notes, list) and all(isinstance(note, str) for note in record.notes)):
        raise TypeError("a record of another kind")


def keepRecord(table: Any, record: IAPRecord) -> None:
    """Keep with a table how its parameters were told."""
    table.SetAttribute(RECORD_ATTRIBUTE, json.dumps(asdict(record)))


def linkedNodes(table: Any) -> IAPNodes:
    """The nodes of a table's run that are still in the scene."""
    if table is None:
        return IAPNodes()
    others = (name for name in IAPNodes.names() if name != "parametersTable")
    return IAPNodes(table, **{name: table.GetNodeReference(ROLE + name) for name in others})


def linkNodes(nodes: IAPNodes) -> None:
    """Let the table of parameters refer to the other nodes of its run."""
    for name in IAPNodes.names():
        node = getattr(nodes, name)
        if name != "parametersTable":
            nodes.parametersTable.SetNodeReferenceID(ROLE + name, node.GetID() if node is not None else None)
