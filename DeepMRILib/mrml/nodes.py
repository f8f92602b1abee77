"""Nodes in general: new ones, and their names in messages."""

from __future__ import annotations

from typing import Any

import slicer

MOST_LETTERS = 40


def newNode(nodeClass: str, name: str) -> slicer.vtkMRMLNode:
    """A new node in Slicer's scene, with a number behind its name where that is taken."""
    scene = slicer.mrmlScene
    return scene.AddNewNodeByClass(nodeClass, scene.GenerateUniqueName(name))


def nodeName(node: Any) -> str:
    """A node's name for messages; of what is no node its type."""
    if node is None:
        return "(none)"
    if not hasattr(node, "GetName"):
        return f"A value of type {type(node).__name__}"
    return node.GetName() or node.GetID() or "without a name"


def isNode(node: Any, nodeClass: str) -> bool:
    """Whether that is a node of a class or of one derived from it: in the console people give all sorts of things."""
    return hasattr(node, "IsA") and bool(node.IsA(nodeClass))


def shortened(name: str) -> str:
    """A name as a line of text has room for it."""
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
