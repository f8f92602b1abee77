"""All or nothing in a scene: when writing the outputs fails half way, the scene is as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import slicer
import vtk

_open: list[dict[str, slicer.vtkMRMLNode]] = []
"""One entry per transaction under way: ID of a node that was about to change -> its copy from before."""


@contextmanager
def transaction(scene: slicer.vtkMRMLScene) -> Iterator[None]:
    """Undo what was done to ``scene`` inside the block if an exception leaves it, whatever the exception.

    Nodes and subject hierarchy items added in the block are removed, moved items go back, and nodes that the functions
    of this package updated in place (they call ``remember``) get their former content. Nodes removed in the block do
    not come back. Transactions may be nested; each undoes its own part.

    The scene is not put into its batch state: leaving that state makes every widget rebuild itself, and code that runs
    on an added node (display, subject hierarchy) would run late or not at all.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    nodes = {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}
    parents = {item: hierarchy.GetItemParent(item) for item in _items(hierarchy)}
    copies: dict[str, slicer.vtkMRMLNode] = {}
    _open.append(copies)
    done = False
    try:
        yield
        done = True
    finally:
        # By identity: two empty transactions are equal.
        _open[:] = [entry for entry in _open if entry is not copies]
        if not done:
            _restore(scene, copies)
            _removeAdded(scene, nodes)
            _restoreItems(hierarchy, parents)


def remember(node: slicer.vtkMRMLNode) -> None:
    """Keep a copy of ``node`` before it is changed, for the transaction under way; nothing to do outside of one.

    The copy holds a volume's voxels too: for the length of the transaction it takes that memory again.
    """
    if not _open or node.GetID() is None or node.GetID() in _open[-1]:
        return
    copy = node.CreateNodeInstance()
    copy.UnRegister(None)
    copy.Copy(node)
    _open[-1][node.GetID()] = copy


def _restore(scene: slicer.vtkMRMLScene, copies: dict[str, slicer.vtkMRMLNode]) -> None:
    for nodeId, copy in copies.items():
        node = scene.GetNodeByID(nodeId)
        if node is not None:
            node.Copy(copy)


def _removeAdded(scene: slicer.vtkMRMLScene, before: set[str]) -> None:
    added = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    # Last come, first go: a node may remove the nodes that it had added itself.
    for node in reversed([node for node in added if node.GetID() not in before]):
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
