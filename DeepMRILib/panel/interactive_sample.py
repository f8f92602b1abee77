"""The sample data of InteractiveSeg, and the images that can go with another."""

from __future__ import annotations

from typing import Any

import slicer

from DeepMRILib.interactive.phantom import lesion_phantom
from DeepMRILib.mrml.hierarchy import placeBeside
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume

KIND, SEED, LESIONS = "lobulated", 2, 2
"""Two lesions: from the six points of the first the segmentation reaches a little beyond its margin between two lobes,
where it gives way to a point outside; the second is a segment of its own."""


def sampleNodes(name: str) -> tuple[Any, Any]:
    """A generated image with two lesions, and their true outlines as a segmentation that is not shown."""
    made = lesion_phantom(KIND, SEED, lesions=LESIONS)
    image = nodeFromVolume(made.image, name)
    truth = segmentationFromLabels(made.label, made.label.names, name=f"{name} truth", source=image)
    placeBeside(truth, image)
    truth.GetDisplayNode().SetVisibility(False)
    return image, truth


def furtherImages(volumeNode: Any) -> list[Any]:
    """The other images with one value per voxel."""
    if volumeNode is None:
        return []
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    single = (node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData())
    return [node for node in single if node is not volumeNode]
