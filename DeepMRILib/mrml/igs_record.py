"""What a k-space pattern in the scene knows of itself: kept as a text with its table, and found after loading."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import slicer.util

from DeepMRILib.errors import InputError
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.pattern_file import parsed_pattern
from DeepMRILib.mrml.nodes import isNode, newNode, nodeName
from DeepMRILib.mrml.transaction import remember
from DeepMRILib.options import from_json, settings, to_json

RECORD_ATTRIBUTE = "DeepMRI.IGS"
ROLE = "DeepMRI.igs."
"""Begins the roles under which the table of lines refers to the other nodes of its run."""
PATTERN = "patternText"


@dataclass(frozen=True)
class IGSRecord:
    """How the pattern of a table was found.

    Attributes:
        data: the settings with which the image was cut into slices and its k-space simulated, as plain values.
        network: name of the network whose task the pattern serves; empty for the image itself.
        loss: what the lines were chosen by.
    """

    data: dict[str, Any] = field(default_factory=dict)
    network: str = ""
    loss: str = ""

    @property
    def options(self) -> DataOptions:
        """The settings of the data, of all slices.

        Raises:
            InputError: another version has written settings that this one does not know.
        """
        return dataclasses.replace(from_json(DataOptions, self.data), part="all", slices=0)


@dataclass(frozen=True)
class IGSNodes:
    """The nodes of one search; None where there is none.

    Attributes:
        linesTable: a row for each line in order; it leads the others.
        rivalsTable: how the search, the best block and the centre did.
        lossChart: their losses against lines.
        maskVolume: picture of the k-space lines.
        undersampledVolume: the image that these lines give.
        growthSequence: one slice with more and more lines.
        patternText: the pattern, as in pattern.json.
    """

    linesTable: Any = None
    rivalsTable: Any = None
    lossChart: Any = None
    maskVolume: Any = None
    undersampledVolume: Any = None
    growthSequence: Any = None
    patternText: Any = None

    @classmethod
    def names(cls) -> list[str]:
        """All of them."""
        return [item.name for item in fields(cls)]


def recordOf(table: Any) -> IGSRecord | None:
    """How the pattern of a table was found; None when it is no such table, or its record is damaged."""
    text = table.GetAttribute(RECORD_ATTRIBUTE) if isNode(table, "vtkMRMLTableNode") else None
    if not text:
        return None
    try:
        record = IGSRecord(**json.loads(text))
        _check(record)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return record


def _check(record: IGSRecord) -> None:
    if not (isinstance(record.data, dict) and isinstance(record.network, str) and isinstance(record.loss, str)):
        raise TypeError("a record of another kind")
    _ = record.options


def keepRecord(table: Any, options: dict[str, Any], network: str, loss: str) -> None:
    """Keep with a table how its pattern was found.

    Args:
        options: all settings of the search, as plain values; those of the data are kept.
    """
    known = {setting.name for setting in settings(DataOptions)}
    given = from_json(DataOptions, {name: value for name, value in options.items() if name in known})
    table.SetAttribute(RECORD_ATTRIBUTE, json.dumps(asdict(IGSRecord(to_json(given), network, loss))))


def keepPattern(pattern: Pattern, name: str, existing: Any = None) -> Any:
    """A text node that holds a pattern as JSON: ``existing`` with new content, or a new one."""
    if existing is not None:
        remember(existing)
    node = existing if existing is not None else newNode("vtkMRMLTextNode", name)
    with slicer.util.NodeModify(node):
        node.SetText(pattern.to_json())
    return node


def patternOf(table: Any) -> Pattern:
    """The pattern that belongs to a table of lines.

    Raises:
        InputError: another table, or its pattern was deleted or is damaged.
    """
    if not isNode(table, "vtkMRMLTableNode"):
        raise InputError(f"{nodeName(table)} is not a table of k-space lines. Choose one, or press Apply to make one.")
    node = table.GetNodeReference(ROLE + PATTERN)
    if not isNode(node, "vtkMRMLTextNode") or not node.GetText():
        raise InputError(
            f"The table {nodeName(table)} has no pattern with it: it is another table, or its pattern was deleted. "
            "Choose another table, or press Apply to find a pattern."
        )
    return parsed_pattern(node.GetText(), f"The text {nodeName(node)}")


def hasPattern(table: Any) -> bool:
    """Whether a table came with a pattern that is still there; it may be damaged."""
    return recordOf(table) is not None and isNode(table.GetNodeReference(ROLE + PATTERN), "vtkMRMLTextNode")


def linkedNodes(table: Any) -> IGSNodes:
    """The nodes of a table's search that are still in the scene."""
    if table is None:
        return IGSNodes()
    others = (name for name in IGSNodes.names() if name != "linesTable")
    return IGSNodes(table, **{name: table.GetNodeReference(ROLE + name) for name in others})


def linkNodes(nodes: IGSNodes) -> None:
    """Let the table of lines refer to the other nodes of its search."""
    for name in IGSNodes.names():
        node = getattr(nodes, name)
        if name != "linesTable":
            nodes.linesTable.SetNodeReferenceID(ROLE + name, node.GetID() if node is not None else None)
