"""Reading and writing nodes for ``slicer.util.loadVolume``, ``saveNode`` and the like, by the real storage nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk
from PySide6.QtCore import QObject

NODE_CLASSES = {
    "VolumeFile": "vtkMRMLScalarVolumeNode",
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "SequenceFile": "vtkMRMLSequenceNode",
    "TableFile": "vtkMRMLTableNode",
    "TextFile": "vtkMRMLTextNode",
    "TransformFile": "vtkMRMLTransformNode",
    "ModelFile": "vtkMRMLModelNode",
    "ColorTableFile": "vtkMRMLColorTableNode",
    "MarkupsFile": "vtkMRMLMarkupsNode",
}
"""File type -> the class of node that such a file holds; writing goes by the node's class."""

SUFFIXES = {
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
    ".seg.nrrd": "SegmentationFile",
    ".seq.nrrd": "SequenceFile",
    ".mrk.json": "MarkupsFile",
    ".fcsv": "MarkupsFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
    ".txt": "TextFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".vtk": "ModelFile",
    ".stl": "ModelFile",
    ".ctbl": "ColorTableFile",
    ".nrrd": "VolumeFile",
    ".nhdr": "VolumeFile",
    ".nii": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".mha": "VolumeFile",
}


class CoreIOManager(QObject):
    """What ``slicer.app.coreIOManager()`` is asked by ``slicer.util``."""

    def fileType(self, path: str) -> str:
        """The type of a file by the end of its name; "NoFile" when it is not known."""
        ends = [end for end in SUFFIXES if str(path).lower().endswith(end)]
        return SUFFIXES[max(ends, key=len)] if ends else "NoFile"

    def fileWriterFileType(self, node: slicer.vtkMRMLNode, fileFormat: str = "") -> str:
        """The type of file that a node is written to."""
        return next((kind for kind, name in NODE_CLASSES.items() if node.IsA(name)), "NoFile")

    def loadNodes(
        self,
        fileType: str,
        properties: dict[str, Any],
        loaded: vtk.vtkCollection | None = None,
        messages: slicer.vtkMRMLMessageCollection | None = None,
    ) -> bool:
        """Read a file into the scene; the nodes are appended to ``loaded``, what went wrong to ``messages``."""
        path = Path(properties["fileName"])
        if fileType == "SceneFile":
            return _load_scene(path)
        if fileType not in NODE_CLASSES:
            return _fail(messages, f"slicerapp cannot read files of type {fileType}: {path}")
        if not path.is_file():
            return _fail(messages, f"File not found: {path}")
        node = _read(fileType, path, properties, messages)
        if node is None:
            return _fail(messages, f"Cannot read {path} as {fileType}")
        if loaded is not None:
            loaded.AddItem(node)
        return True

    def saveNodes(
        self,
        fileType: str,
        properties: dict[str, Any],
        messages: slicer.vtkMRMLMessageCollection | None = None,
    ) -> bool:
        """Write a node, or the scene as .mrb or .mrml."""
        path = str(properties["fileName"])
        scene = slicer.mrmlScene
        if fileType == "SceneFile":
            if path.endswith(".mrb"):
                return bool(scene.WriteToMRB(path))
            scene.SetURL(path)
            return bool(scene.Commit(path))
        node = scene.GetNodeByID(properties["nodeID"])
        if node is None:
            return _fail(messages, f"No node {properties['nodeID']} in the scene")
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(path)
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node)) or _fail(messages, f"Cannot write {path}")


def _load_scene(path: Path) -> bool:
    scene = slicer.mrmlScene
    if path.suffix == ".mrb":
        return bool(scene.ReadFromMRB(str(path), False))
    scene.SetURL(str(path))
    return bool(scene.Import())


def _read(
    fileType: str, path: Path, properties: dict[str, Any], messages: slicer.vtkMRMLMessageCollection | None
) -> slicer.vtkMRMLNode | None:
    name = properties.get("name") or _node_name(path)
    if fileType == "VolumeFile":
        options = 0
        if properties.get("labelmap"):
            options |= 1
        return slicer.modules.volumes.logic().AddArchetypeVolume(str(path), name, options, None, messages)
    if fileType == "MarkupsFile":
        nodeID = slicer.modules.markups.logic().LoadMarkups(str(path), name, messages)
        return slicer.mrmlScene.GetNodeByID(nodeID) if nodeID else None
    if fileType == "SequenceFile":
        return slicer.modules.sequences.logic().AddSequence(str(path), messages)
    return _read_by_storage(NODE_CLASSES[fileType], path, name)


def _read_by_storage(className: str, path: Path, name: str) -> slicer.vtkMRMLNode | None:
    node = slicer.mrmlScene.AddNewNodeByClass(className, name)
    node.AddDefaultStorageNode(str(path))
    storage = node.GetStorageNode()
    storage.SetFileName(str(path))
    if not storage.ReadData(node):
        slicer.mrmlScene.RemoveNode(storage)
        slicer.mrmlScene.RemoveNode(node)
        return None
    if hasattr(node, "CreateDefaultDisplayNodes"):
        node.CreateDefaultDisplayNodes()
    return node


def _node_name(path: Path) -> str:
    ends = [end for end in SUFFIXES if path.name.lower().endswith(end)]
    return path.name[: -len(max(ends, key=len))] if ends else path.stem


def _fail(messages: slicer.vtkMRMLMessageCollection | None, text: str) -> bool:
    if messages is not None:
        messages.AddMessage(vtk.vtkCommand.ErrorEvent, text)
    return False
