"""Where results go: beside their input in the subject hierarchy, under its transform, with references back to it."""

from __future__ import annotations

import slicer
import vtk

from DeepMRILib.mrml.sequences import proxyOfSequence

SOURCE_ROLE = "DeepMRI.source"
"""The node reference from a result to the image it was made from."""

_DICOM_INSTANCES = "DICOM.instanceUIDs"


def placeBeside(node: slicer.vtkMRMLNode, source: slicer.vtkMRMLNode, folder: str | None = None) -> None:
    """Put a result where its input is.

    - in the subject hierarchy, under the input's parent: in a DICOM study, that is what makes Slicer offer the result
      for DICOM export into the same study of the same patient
    - under the input's transform
    - with a node reference to the input, and, if the input came from DICOM, with the UIDs of its instances as the
      referenced ones, without which Slicer does not offer DICOM SEG export

    The result never gets the input's own instance UIDs: it is another series.

    Args:
        folder: put it into a folder of that name beside the input, made when absent. Slicer's scalar volume export
            takes the item above a volume for its study, so use none where results should be exported.
    """
    source = seenNode(source)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    parent = hierarchy.GetItemParent(itemOf(source))
    if folder:
        parent = _childFolder(hierarchy, parent, folder)
    # Moves the item where there is one already: the application makes them, slicer-core alone does not.
    hierarchy.CreateItem(parent, node)
    _follow(node, source)


def placeResult(node: slicer.vtkMRMLNode, source: slicer.vtkMRMLNode, folder: str | None = None) -> None:
    """Put a result where its input is, as ``placeBeside``, unless it is a result of that input already.

    Then it stays where the user has put it in the subject hierarchy; only its transform and its references follow the
    input, whose frame its voxels are in.
    """
    if sourceOf(node) is not seenNode(source):
        placeBeside(node, source, folder)
    else:
        _follow(node, seenNode(source))


def sourceOf(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLNode | None:
    """The image that a result was made from; None when it is no result or the image is gone."""
    return node.GetNodeReference(SOURCE_ROLE)


def itemOf(node: slicer.vtkMRMLNode) -> int:
    """The subject hierarchy item of a node; made under the scene when there is none."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node)
    return item or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def seenNode(source: slicer.vtkMRMLNode) -> slicer.vtkMRMLNode:
    """What is seen of a sequence, and has a place and a transform, is its proxy; any other node is that itself."""
    return (proxyOfSequence(source) or source) if source.IsA("vtkMRMLSequenceNode") else source


def _follow(node: slicer.vtkMRMLNode, source: slicer.vtkMRMLNode) -> None:
    """The input's transform, and references to the input."""
    if node.IsA("vtkMRMLTransformableNode") and source.IsA("vtkMRMLTransformableNode"):
        node.SetAndObserveTransformNodeID(source.GetTransformNodeID())
    if node is not source:
        node.SetNodeReferenceID(SOURCE_ROLE, source.GetID())
        _referToInstances(node, source)


def _childFolder(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, parent: int, name: str) -> int:
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent, children)
    for item in (children.GetId(n) for n in range(children.GetNumberOfIds())):
        if hierarchy.GetItemLevel(item) == "Folder" and hierarchy.GetItemName(item) == name:
            return item
    return hierarchy.CreateFolderItem(parent, name)


def _referToInstances(node: slicer.vtkMRMLNode, source: slicer.vtkMRMLNode) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item, sourceItem = itemOf(node), itemOf(source)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    referenced = constants.GetDICOMReferencedInstanceUIDsAttributeName()
    instances = (
        source.GetAttribute(_DICOM_INSTANCES)
        or hierarchy.GetItemUID(sourceItem, constants.GetDICOMInstanceUIDName())
        # The input is a result itself: refer to what it was made from.
        or hierarchy.GetItemAttribute(sourceItem, referenced)
    )
    if instances:
        hierarchy.SetItemAttribute(item, referenced, instances)
