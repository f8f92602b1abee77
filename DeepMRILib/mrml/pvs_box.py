"""The box around the brain that the engines look at, as a region of interest that can be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.nodes import newNode, nodeName
from DeepMRILib.mrml.pvs_record import recordOf
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.pvs.engine import BOX

COLOUR = (0.98, 0.72, 0.10)


def boxCentre(imageNode: Any, segmentation: Any = None, mask: NDArray | None = None) -> NDArray:
    """(3,) RAS mm: the middle of the box, in the frame of the image.

    Args:
        segmentation: of an earlier run; its box is exact.
        mask: (i, j, k) the brain on the grid of the image, where one is chosen: the box lies around its centre.
            Without either the box lies around the middle of the image.
    """
    record = recordOf(segmentation)
    if record is not None and np.shape(record.box) == (4, 4):
        affine = np.array(record.box, dtype=float)
        return affine[:3, 3] + affine[:3, :3] @ (np.array(BOX) - 1) / 2
    image = volumeFromNode(imageNode)
    if mask is not None and np.any(mask):
        places = np.nonzero(mask)
        return image.ras_from_voxel([axis.mean() for axis in places])[0]
    return image.ras_from_voxel((np.array(image.shape) - 1) / 2)[0]


def boxNode(imageNode: Any, centre: NDArray, existing: Any = None) -> Any:
    """A region of interest of 160 x 214 x 176 mm that cannot be moved by hand, beside the image."""
    node = existing if existing is not None else newNode("vtkMRMLMarkupsROINode", f"{nodeName(imageNode)} PVS box")
    node.SetCenter(*(float(value) for value in centre))
    node.SetSize(*(float(side) for side in BOX))
    node.SetLocked(True)
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetHandlesInteractive(False)
    display.SetFillVisibility(False)
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(False)
    display.SetColor(*COLOUR)
    display.SetSelectedColor(*COLOUR)
    placeResult(node, imageNode)
    return node
