"""All or nothing in a scene: when writing the outputs fails half way, the scene is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import slicer
import vtk


@dataclass(eq=False)
class _Changes:
    """What one transaction has to undo, or still to do: copies of changed nodes by ID, and nodes to remove."""

    copies: dict[str, slicer.vtkMRMLNode] = field(default_factory=dict)
    discarded: list[slicer.vtkMRMLNode] = field(default_factory=list)


_open: list[_Changes] = []
"""The transactions under way, the innermost last."""


@contextmanager
def transaction(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """Undo what was done to ``scene`` inside the block if an exception leaves it, whatever the exception.

    Nodes and subject hierarchy items added in the block are removed, moved items go back, nodes that the functions of
    this package updated in place (they call ``remember``) get their former content, and nodes that they ``discard`` go
    only when all went well. Transactions may be nested: what an inner one did is undone when the outer one fails.

    The scene is not put into its batch state: leaving that state makes every widget rebuild itself, and code that runs
    on an added node (display, subject hierarchy) would run late or not at all.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    nodes = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    parents = {item: hierarchy.GetItemParent(item) for item in _items(hierarchy)}
    changes = _Changes()
    _open.append(changes)
    done = False
    try:
        yield
        done = True
    finally:
        _open.remove(changes)
        if done:
            _keep(scene, changes)
        else:
            _restore(scene, changes.copies)
            _removeAdded(scene, nodes)
            _restoreItems(hierarchy, parents)


def remember(node: slicer.vtkMRMLNode) -> None:
    """Keep a copy of ``node`` before it is changed, for the transaction under way; nothing to do outside of one.

    The copy holds a volume's voxels too: for the length of the transaction it takes that memory again.
    """
    if not _open or node.GetID() is None or node.GetID() in _open[-1].copies:
        return
    copy = node.CreateNodeInstance()
    copy.UnRegister(None)
    copy.Copy(node)
    _open[-1].copies[node.GetID()] = copy


def discard(node: slicer.vtkMRMLNode) -> None:
    """Remove a node that is no longer needed, inside a transaction only once it has succeeded."""
    if _open:
        _open[-1].discarded.append(node)
    else:
        slicer.mrmlScene.RemoveNode(node)


def _keep(scene: slicer.vtkMRMLScene, changes: _Changes) -> None:
    if _open:
        for nodeId, copy in changes.copies.items():
            _open[-1].copies.setdefault(nodeId, copy)
        _open[-1].discarded.extend(changes.discarded)
        return
    for node in changes.discarded:
        if scene.IsNodePresent(node):
            scene.RemoveNode(node)


def _restore(scene: slicer.vtkMRMLScene, copies: dict[str, slicer.vtkMRMLNode]) -> None:
    for nodeId, copy in copies.items():
        node = scene.GetNodeByID(nodeId)
        if node is not None:
            node.Copy(copy)


def _removeAdded(scene: slicer.vtkMRMLScene, before: set[str]) -> None:
    # Twice: a sequence browser that loses its proxy makes another before it is removed itself.
    for _ in range(2):
        nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
        # Last come, first go: a node may remove the nodes that it had added itself.
        for node in reversed([node for node in nodes if node.GetID() not in before]):
            if scene.IsNodePresent(node):
                scene.RemoveNode(node)


def _restoreItems(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, parents: dict[int, int]) -> None:
    # The application removes the items of removed nodes; slicer-core alone does not, and folders stay in both.
    for item in reversed(_items(hierarchy)):
        if item not in parents:
            hierarchy.RemoveItem(item, False, False)
        elif hierarchy.GetItemParent(item) != parents[item]:
            hierarchy.SetItemParent(item, parents[item])


def _items(hierarchy: slicer.vtkMRMLSubjectHierarchyNode) -> list[int]:
    ids = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), ids, True)
    return [ids.GetId(n) for n in range(ids.GetNumberOfIds())]
