"""What a segmentation of perivascular spaces is given: nodes to volumes in the frame of the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer.util

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.frames import gridPositions, movedPoints, sampledNearest, transformBetween
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.pvs_parcellation import parcellationOn
from DeepMRILib.mrml.segments import labelsFromSegmentation, maskFromSegment
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.volume import Volume

SOFT = 0.5
"""A mask of fractions is inside above this."""


def segmentInputs(
    t1Node: Any = None,
    *,
    flairNode: Any = None,
    t2Node: Any = None,
    maskNode: Any = None,
    maskSegment: str = "",
    parcellationNode: Any = None,
    model: Path | str | None = None,
) -> dict[str, Any]:
    """The inputs of the job ``pvs.segment``: all in the frame of the T1, or of the T2 where there is no T1.

    Args:
        t1Node, flairNode, t2Node: scalar volumes; transforms are followed.
        maskNode: the brain: a label map, a volume of 0 and 1, or a segmentation, of which ``maskSegment`` may name one
            segment (all by default).
        parcellationNode: see ``pvs_parcellation.parcellationOn``.
        model: a network's folder or name.

    Raises:
        InputError: no image, or something that cannot be used; the text says what.
    """
    main = t1Node if t1Node is not None else t2Node
    if main is None:
        raise InputError("There is no image. Give a T1 image, or a T2 image.")
    return {
        "t1": imageFromNode(t1Node) if t1Node is not None else None,
        "flair": imageBeside(flairNode, main) if flairNode is not None else None,
        "t2": imageBeside(t2Node, main) if t2Node is not None else None,
        "brain_mask": maskOn(maskNode, maskSegment, main) if maskNode is not None else None,
        "parcellation": parcellationOn(parcellationNode, main) if parcellationNode is not None else None,
        "model": model or None,
    }


def imageFromNode(node: Any) -> Volume:
    """An image with one value per voxel.

    Raises:
        InputError: it has several, or is none.
    """
    volume = volumeFromNode(node)
    if volume.array.ndim != 3:
        raise InputError(f"{nodeName(node)} has several values per voxel. Choose an image with one.")
    return volume


def imageBeside(node: Any, mainNode: Any) -> Volume:
    """An image in the frame of another: its own voxels, but for a deformation between the two."""
    volume = imageFromNode(node)
    back = transformBetween(mainNode, node)
    if isinstance(back, np.ndarray):
        return Volume(volume.array, np.linalg.solve(back, volume.affine))
    from scipy.ndimage import map_coordinates

    main = volumeFromNode(mainNode)
    indices = volume.voxel_from_ras(movedPoints(gridPositions(main.shape, main.affine), back))
    values = np.asarray(volume.array, dtype=np.float32)
    return main.like(map_coordinates(values, indices.T, order=1, cval=0.0).reshape(main.shape))


def maskOn(node: Any, segment: str, imageNode: Any) -> Volume:
    """A brain mask as 0 and 1 (uint8) on the grid of an image, both brought to the same place in the world.

    Raises:
        InputError: no such segment, or nothing of the mask in the image.
    """
    if isNode(node, "vtkMRMLSegmentationNode"):
        if segment:
            return maskFromSegment(node, segment, imageNode)
        labels, _names = labelsFromSegmentation(node, imageNode)
        return labels.like((np.asarray(labels.array) > 0).astype(np.uint8))
    given, image = imageFromNode(node), volumeFromNode(imageNode)
    inside = given.array != 0 if np.issubdtype(given.array.dtype, np.integer) else given.array > SOFT
    back = transformBetween(imageNode, node)
    found = sampledNearest(inside.astype(np.uint8), given.affine, image.shape, image.affine, back)
    if not found.any():
        raise InputError(
            f"The brain mask {nodeName(node)} has no voxel inside the image {nodeName(imageNode)}. "
            "Check that both show the same head, or choose another mask."
        )
    return Volume(found, image.affine)


def likelyT1() -> Any:
    """The scene's volume that is most likely a T1: by its name, else the first that is not named after another kind."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    plain = [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData()]
    plain = [node for node in plain if not node.GetAttribute("DeepMRI.Map")]

    def has(node: Any, *words: str) -> bool:
        return any(word in (node.GetName() or "").lower() for word in words)

    named = [node for node in plain if has(node, "t1", "mprage")]
    others = [node for node in plain if not has(node, "flair", "t2", "dwi", "adc", "swi", "pd")]
    return next(iter([*named, *others]), None)
