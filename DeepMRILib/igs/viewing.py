"""How slices are turned for pictures: as radiologists look at them, while k-space stays as it was encoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.figures import PLANES

_AXES = {"k": (1, 0), "volume": (1, 0), "j": (2, 0), "i": (2, 1)}
"""Of each slice axis the voxel axes that become rows and columns."""
_ACROSS = {"k": 2, "volume": 2, "j": 1, "i": 0}
_PLANE_OF = ("sagittal", "coronal", "axial")


def view_of(affine: ArrayLike, slice_axis: str) -> tuple[int, int]:
    """Which axis of a slice (1 for h, 2 for w, negative: reversed) goes down in a picture, and which to the right.

    The picture is axial (the patient's right on the left, anterior up), coronal (right on the left, superior up) or
    sagittal (anterior on the left, superior up), whichever is nearest.

    Args:
        affine: (4, 4) voxel index to RAS mm.
        slice_axis: i, j, k or volume, as in ``DataOptions``.

    Example:
        >>> view_of(np.eye(4), "k")  # of RAS voxels, rows begin at the back and columns at the patient's left
        (-1, -2)
    """
    edges = np.asarray(affine, dtype=float)[:3, :3]
    directions = edges / np.linalg.norm(edges, axis=0)
    plane = _PLANE_OF[int(np.argmax(np.abs(directions[:, _ACROSS[slice_axis]])))]
    down, right = np.array(PLANES[plane][:2], dtype=float)
    rows, columns = (directions[:, axis] for axis in _AXES[slice_axis])
    kept, swapped = (abs(down @ one) + abs(right @ other) for one, other in ((rows, columns), (columns, rows)))
    if kept >= swapped:
        return _signed(1, down @ rows), _signed(2, right @ columns)
    return _signed(2, down @ columns), _signed(1, right @ rows)


def _signed(axis: int, along: float) -> int:
    return axis if along >= 0 else -axis


def as_seen(slices: NDArray, view: tuple[int, int]) -> NDArray:
    """Slices (..., h, w) turned so that their first row is at the top of the picture and their first column left.

    Example:
        >>> as_seen(np.array([[1, 2], [3, 4]]), (2, -1))
        array([[3, 1],
               [4, 2]])
    """
    turned = np.swapaxes(slices, -2, -1) if abs(view[0]) == 2 else slices
    for place, axis in zip((-2, -1), view, strict=True):
        if axis < 0:
            turned = np.flip(turned, place)
    return turned


def spacing_seen(spacing: tuple[float, ...], view: tuple[int, int]) -> tuple[float, float]:
    """Edge lengths of a pixel down and to the right, of spacings (..., h, w)."""
    down, right = spacing[-2:]
    return (right, down) if abs(view[0]) == 2 else (down, right)
