"""What a parcellation says of the brain as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.brainmask import BrainField
from DeepMRILib.volume import LabelVolume, Volume

TABLE_LABELS = (2, 41, 7, 8, 46, 47, 10, 49, 11, 12, 13, 26, 50, 51, 52, 58, 16, 17, 18, 53, 54, 28, 60)
"""Labels of FreeSurfer and SynthSeg that the tables' regions are made of."""
_NOT_BRAIN = (1, 6, 21, 22, 23, 24, 29, 40, 45, 61, 118, 119, 120, 121, 122, 123, 165)
"""Numbers below 200 for exteriors, cerebrospinal fluid around the brain, skull, skin and eyes."""
_CLOSE_MM = 2.0


def checked_parcellation(parcellation: Volume) -> LabelVolume:
    """A parcellation as whole numbers.

    Raises:
        InputError: fractions, or none of the labels that FreeSurfer and SynthSeg give to the brain's tissues.
    """
    array = parcellation.array
    if array.ndim == 4 and array.shape[3] == 1:
        parcellation = Volume(array[..., 0], parcellation.affine)
    labels = (
        parcellation if isinstance(parcellation, LabelVolume) else LabelVolume(parcellation.array, parcellation.affine)
    )
    present = set(labels.names)
    if len(present.intersection(TABLE_LABELS)) < 2:
        some = ", ".join(str(label) for label in sorted(present)[:6]) or "none"
        raise InputError(
            f"The parcellation has none of the labels of FreeSurfer or SynthSeg (2 and 41 for white matter, 10 and 49 "
            f"for the thalamus, ...); its labels are {some}. Give an aseg, an aparc+aseg or SynthSeg's labels."
        )
    return labels


def brain_of_labels(labels: LabelVolume) -> BrainField:
    """The brain that a parcellation covers, as a smooth mask.

    All labels of the brain count, ventricles too; cerebrospinal fluid around the brain (24, 257) does not, and no
    label of the head (118 to 123, 165, 258 and SynthSeg's 500 to 530). Gaps up to 2 mm are closed and holes filled.
    """
    inside = is_brain(labels.array)
    spacing = np.array(labels.spacing)
    steps = np.maximum(1, np.round(_CLOSE_MM / spacing)).astype(int)
    # within a margin, so that closing does not eat the mask at the image's edge
    where = ndimage.find_objects(inside.astype(np.uint8))[0]
    margin = [(int(n) + 1,) * 2 for n in steps]
    padded = np.pad(inside[where], margin)
    away = ndimage.distance_transform_edt(~padded, sampling=spacing)
    grown = away <= _CLOSE_MM
    closed = ndimage.distance_transform_edt(grown, sampling=spacing) > _CLOSE_MM
    filled = ndimage.binary_fill_holes(closed | padded)
    whole = inside.copy()
    whole[where] = filled[tuple(slice(low, -high) for low, high in margin)]
    return BrainField(whole, labels.affine)


def is_brain(array: NDArray) -> NDArray:
    """Where labels are those of a part of the brain, bool."""
    known = (array > 0) & ((array < 200) | ((array >= 250) & (array < 256)) | (array >= 1000))
    return known & ~np.isin(array, _NOT_BRAIN)
