"""From a network's memberships to the mask of a case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.cases import LoadedCase
from DeepMRILib.interactive.network_ask import Found
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.interactive.postprocess import Postprocessing, postprocessed


def found_mask(found: Found, case: LoadedCase, names: dict[int, str] | None = None) -> PlacedMask:
    """The winners of the memberships, before any postprocessing."""
    winner = found.membership.argmax(axis=0).astype(np.uint8)
    return PlacedMask(winner, found.box.start, case.image.shape, case.image.affine, names or {})


def finished_mask(mask: PlacedMask, how: Postprocessing, case: LoadedCase) -> PlacedMask:
    """A mask after postprocessing; the case tells where the points are."""
    start = np.array(mask.start)
    places = tuple(case.image.voxel_from_ras(some) - start if len(some) else some for some in case.points)
    return replace(mask, labels=postprocessed(mask.labels, how, places))


def middle_slice(case: LoadedCase, mask: PlacedMask) -> NDArray:
    """Image, truth and prediction (3, rows, columns) float32 of the middle slice of what was looked at, across k."""
    box = mask.box
    middle = (box.start[2] + box.stop[2]) // 2
    index = (*box.slices[:2], middle)
    truth = np.zeros(box.shape[:2]) if case.label is None else np.asarray(case.label.array)[index]
    layers = (case.image.array[index], truth, mask.labels[:, :, middle - box.start[2]])
    return np.stack([np.asarray(layer, dtype=np.float32) for layer in layers])
