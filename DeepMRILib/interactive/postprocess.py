"""What is done to a segmentation after the network: holes are filled, stray pieces dropped, in three dimensions."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Postprocessing = Literal["none", "fill", "largest", "fill+largest"]
POSTPROCESSINGS: tuple[Postprocessing, ...] = get_args(Postprocessing)

IN_WORDS = {
    "none": "none",
    "fill": "holes filled",
    "largest": "one piece kept",
    "fill+largest": "holes filled, one piece kept",
}
_TOUCHING = ndimage.generate_binary_structure(3, 2)
"""Voxels that share a face or an edge are one piece, as InteractiveNet has it (connectivity 2)."""


def postprocessed(labels: NDArray, how: Postprocessing, points: tuple[NDArray, ...] = ()) -> NDArray:
    """Labels with holes filled or stray pieces dropped.

    Of several pieces that is kept which holds the most of the label's points, and among equal ones the largest. A hole
    is background that its label encloses on all sides, in three dimensions; what another label claims stays its own.

    Args:
        labels: (i, j, k) whole numbers, 0 for none.
        how: what is done; filling comes first.
        points: of label 1, 2, ... (n, 3) voxel indices; without them the largest piece is kept.

    Returns:
        (i, j, k) of the same type.

    Example:
        >>> row = np.array([1, 1, 0, 1]).reshape(4, 1, 1)
        >>> postprocessed(row, "largest").ravel().tolist()
        [1, 1, 0, 0]
    """
    found = labels.copy()
    for label in (int(n) for n in np.unique(labels) if n != 0):
        here = found == label
        if "fill" in how:
            holes = ndimage.binary_fill_holes(here) & (found == 0)
            found[holes] = label
            here |= holes
        if "largest" in how:
            places = points[label - 1] if label <= len(points) else np.zeros((0, 3))
            found[here & ~one_piece(here, places)] = 0
    return found


def one_piece(mask: NDArray, points: NDArray) -> NDArray:
    """The piece of a mask (i, j, k) that holds the most of the points (n, 3), among equal ones the largest."""
    pieces, count = ndimage.label(mask, _TOUCHING)
    if count < 2:
        return mask
    inside = np.rint(points).astype(int)
    inside = inside[((inside >= 0) & (inside < mask.shape)).all(axis=1)]
    held = np.bincount(pieces[tuple(inside.T)], minlength=count + 1)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    best = max(range(1, count + 1), key=lambda piece: (held[piece], sizes[piece]))
    return pieces == best
