"""From a network's memberships to the mask of a case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.figures import oriented
from DeepMRILib.interactive.cases import LoadedCase
from DeepMRILib.interactive.network_ask import Found
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.interactive.postprocess import Postprocessing, postprocessed
from DeepMRILib.volume import Volume


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
    """Image, truth and prediction (3, rows, columns) float32 of the axial slice in the middle of what was looked at.

    In radiological convention, with square pixels: any viewer shows it right.
    """
    box = mask.box
    truth = np.zeros(box.shape) if case.label is None else np.asarray(case.label.array)[box.slices]
    affine = box.affine(mask.affine)
    layers = []
    for array, order in ((case.image.array[box.slices], 1), (truth, 0), (mask.labels, 0)):
        view = oriented(Volume(np.asarray(array, dtype=np.float32), affine))
        rows, columns, _ = view.spacing
        finest = min(rows, columns)
        seen = view.array[:, :, view.array.shape[2] // 2]
        layers.append(ndimage.zoom(seen, (rows / finest, columns / finest), order=order))
    return np.stack(layers)
