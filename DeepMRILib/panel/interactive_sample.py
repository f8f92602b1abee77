"""The sample data of InteractiveSeg, and the images that can go with another."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from DeepMRILib.interactive.lesions import generated_lesion
from DeepMRILib.mrml.hierarchy import placeBeside
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import LabelVolume, Volume

SEED = 18


def sampleNodes(name: str) -> tuple[Any, Any]:
    """A generated image with a lesion, and its true outline as a segmentation that is not shown."""
    made = generated_lesion(SEED)
    affine = np.diag([-made.spacing[0], -made.spacing[1], made.spacing[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(made.image.shape) - 1) / 2
    image = nodeFromVolume(Volume(made.image, affine), name)
    label = LabelVolume(made.label.astype(np.uint8), affine, {1: _("true lesion")})
    truth = segmentationFromLabels(label, label.names, name=f"{name} truth", source=image)
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
