"""Nodes in general: new ones, and their names in messages."""

from __future__ import annotations

import slicer


def newNode(nodeClass: str, name: str) -> slicer.vtkMRMLNode:
    """A new node in Slicer's scene, with a number behind its name where that is taken."""
    scene = slicer.mrmlScene
    return scene.AddNewNodeByClass(nodeClass, scene.GenerateUniqueName(name))


def nodeName(node: slicer.vtkMRMLNode | None) -> str:
    """A node's name for messages."""
    return (node.GetName() or node.GetID() or "without a name") if node is not None else "(none)"
