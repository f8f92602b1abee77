"""A parcellation of the brain as nodes hold it, with FreeSurfer's label numbers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.frames import sampledNearest, transformBetween
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.segments import labelsFromSegmentation
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.volume import LabelVolume

_OF_A_SIDE = {
    "Cerebral-White-Matter": (2, 41),
    "Cerebral-Cortex": (3, 42),
    "Lateral-Ventricle": (4, 43),
    "Inf-Lat-Vent": (5, 44),
    "Inferior-Lateral-Ventricle": (5, 44),
    "Cerebellum-White-Matter": (7, 46),
    "Cerebellum-Cortex": (8, 47),
    "Thalamus": (10, 49),
    "Thalamus-Proper": (10, 49),
    "Caudate": (11, 50),
    "Putamen": (12, 51),
    "Pallidum": (13, 52),
    "Hippocampus": (17, 53),
    "Amygdala": (18, 54),
    "Accumbens-area": (26, 58),
    "VentralDC": (28, 60),
    "Vessel": (30, 62),
    "Choroid-Plexus": (31, 63),
    "Insula": (1035, 2035),
}
_OF_BOTH = {
    "3rd-Ventricle": 14,
    "4th-Ventricle": 15,
    "Brain-Stem": 16,
    "CSF": 24,
    "WM-hypointensities": 77,
    "Optic-Chiasm": 85,
    "CC_Posterior": 251,
    "CC_Mid_Posterior": 252,
    "CC_Central": 253,
    "CC_Mid_Anterior": 254,
    "CC_Anterior": 255,
}
_CORTEX = {"lh": 3, "rh": 42}
_INSULA = {"lh": 1035, "rh": 2035}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_NUMBERS = {_plain(name): number for name, number in _OF_BOTH.items()} | {
    _plain(side + name): number
    for name, numbers in _OF_A_SIDE.items()
    for side, number in zip(("Left", "Right"), numbers, strict=True)
}


def freeSurferNumber(name: str) -> int | None:
    """The label number that a segment's name means; None where it means none.

    FreeSurfer's and SynthSeg's names are known in whatever spelling, cortical parcels as the cortex of their side, and
    numbers: "41", "Label_41". Slicer's own "Segment_41" says nothing.

    Example:
        >>> freeSurferNumber("Left-Cerebral-White-Matter"), freeSurferNumber("right ventral DC"), freeSurferNumber("41")
        (2, 60, 41)
        >>> freeSurferNumber("ctx-lh-cuneus"), freeSurferNumber("Segment_41") is None
        (3, True)
    """
    known = _NUMBERS.get(_plain(name))
    if known is not None:
        return known
    parcel = re.fullmatch(r"ctx[-_ ](lh|rh)[-_ ](.+)", name.strip().lower())
    if parcel is not None:
        return (_INSULA if parcel[2] == "insula" else _CORTEX)[parcel[1]]
    number = re.fullmatch(r"(?:label|aseg)?[-_ ]*(\d{1,5})", name.strip().lower())
    return int(number[1]) if number else None


def parcellationOn(node: Any, imageNode: Any) -> LabelVolume:
    """A parcellation on the grid of an image, both brought to the same place in the world.

    Args:
        node: a label map, a volume with whole numbers, or a segmentation whose segments have FreeSurfer's names or
            numbers; its other segments are left out.

    Raises:
        InputError: no parcellation, no number known, or nothing of it in the image.
    """
    image = volumeFromNode(imageNode)
    if isNode(node, "vtkMRMLSegmentationNode"):
        labels = LabelVolume(_ofSegments(node, imageNode), image.affine)
    else:
        given = volumeFromNode(node)
        if given.array.ndim != 3:
            raise InputError(f"{nodeName(node)} has several values per voxel. Choose a label map.")
        LabelVolume(given.array, given.affine)  # refuses fractions
        array = sampledNearest(given.array, given.affine, image.shape, image.affine, transformBetween(imageNode, node))
        labels = LabelVolume(array, image.affine)
    if not labels.names:
        raise InputError(
            f"The parcellation {nodeName(node)} has no voxel inside the image {nodeName(imageNode)}. "
            "Check that both show the same head, or choose another."
        )
    return labels


def _ofSegments(node: Any, imageNode: Any) -> NDArray:
    segmentation = node.GetSegmentation()
    names = {one: segmentation.GetSegment(one).GetName() for one in segmentation.GetSegmentIDs()}
    numbers = {one: freeSurferNumber(name) for one, name in names.items()}
    known = [one for one, number in numbers.items() if number is not None]
    if not known:
        raise InputError(
            f"No segment of {nodeName(node)} has one of FreeSurfer's names or numbers, such as "
            "Left-Cerebral-White-Matter or 2. Rename the segments, or choose a label map."
        )
    found, _names = labelsFromSegmentation(node, imageNode, known)
    table = np.array([0, *(numbers[one] for one in known)], dtype=np.int32)
    return table[np.asarray(found.array)]
