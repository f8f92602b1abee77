"""The size of a segmented lesion, and how far two segmentations of it differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion
from scipy.optimize import linear_sum_assignment
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.distance import pdist

_PLANES = ("sagittal", "coronal", "axial")  # across R, A and S
_DIRECTIONS = 16
_HULL_FROM = 100  # points from which a convex hull costs less than all pairs


def size_of(mask: ArrayLike, affine: ArrayLike) -> dict[str, float]:
    """How large a lesion is.

    A diameter is the longest distance within one slice, from the middle of an outer voxel face to another, as
    pyradiomics measures between the vertices of a mesh (Maximum2DDiameter): a row of n cubes is n edges long.
    Slices are those of the array: the axial ones lie across the array axis nearest to S, coronal ones across that
    nearest to A, sagittal ones across that nearest to R.

    Args:
        mask: (i, j, k), what is not 0 belongs to the lesion.
        affine: (4, 4) voxel index to RAS mm; may be oblique or sheared.

    Returns:
        ``voxels`` (int), ``volume`` (mm3), ``volume_ml`` (ml), ``diameter_axial``, ``diameter_coronal``,
        ``diameter_sagittal`` (mm). All are 0 of an empty mask.

    Example:
        >>> size_of(np.ones((3, 4, 1)), np.diag([1, 1, 2, 1]))["diameter_coronal"]
        3.0
    """
    mask = np.asarray(mask) != 0
    edges = np.asarray(affine, dtype=float)[:3, :3]
    voxels = int(np.count_nonzero(mask))
    volume = voxels * float(abs(np.linalg.det(edges)))
    diameters = dict.fromkeys(_PLANES, 0.0)
    if voxels:
        mask = _cut_to_content(mask)
        for axis, plane in enumerate(slice_planes(affine)):
            in_plane = [other for other in range(3) if other != axis]
            diameters[plane] = _longest_in_slices(mask.transpose(axis, *in_plane), edges[:, in_plane])
    return {
        "voxels": voxels,
        "volume": volume,
        "volume_ml": volume / 1000.0,
        **{f"diameter_{plane}": diameters[plane] for plane in reversed(_PLANES)},
    }


def slice_planes(affine: ArrayLike) -> tuple[str, str, str]:
    """What the slices across the array axes i, j and k are: each of sagittal, coronal and axial once.

    Example:
        >>> slice_planes(np.diag([-1, -1, 3, 1]))
        ('sagittal', 'coronal', 'axial')
    """
    edges = np.asarray(affine, dtype=float)[:3, :3]
    directions = np.abs(edges / np.linalg.norm(edges, axis=0))
    _, anatomical = linear_sum_assignment(directions.T, maximize=True)
    return tuple(_PLANES[axis] for axis in anatomical)


def dice(found: ArrayLike, truth: ArrayLike) -> float:
    """Overlap 2 |A and B| / (|A| + |B|) of two masks: 1 for equal ones, 0 for separate ones, NaN where both are empty.

    Example:
        >>> dice([1, 1, 0], [0, 1, 1])
        0.5
    """
    a, b = np.asarray(found) != 0, np.asarray(truth) != 0
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else float("nan")


def volume_error(found: ArrayLike, truth: ArrayLike, affine: ArrayLike) -> float:
    """Volume of the first mask less that of the second, in mm3."""
    voxel = float(abs(np.linalg.det(np.asarray(affine, dtype=float)[:3, :3])))
    return (int(np.count_nonzero(found)) - int(np.count_nonzero(truth))) * voxel


def surface_distances(found: ArrayLike, truth: ArrayLike, affine: ArrayLike) -> dict[str, float]:
    """How far the surfaces of two masks lie apart.

    A surface is the voxels that touch the background, or the end of the array, with a face. Distances are those from
    each voxel's centre of either surface to the nearest of the other.

    Args:
        found, truth: (i, j, k), what is not 0 is inside.
        affine: (4, 4) voxel index to RAS mm; may be oblique or sheared.

    Returns:
        ``hausdorff``: the largest distance; ``hausdorff_95``: of the two directions the larger 95th percentile;
        ``surface_distance``: the mean over both surfaces (average symmetric). All in mm, NaN where a mask is empty.

    Example:
        >>> two = np.zeros((5, 1, 1)), np.zeros((5, 1, 1))
        >>> two[0][1], two[1][3] = 1, 1
        >>> surface_distances(*two, np.diag([1.5, 1, 1, 1]))["hausdorff"]
        3.0
    """
    a, b = (_surface(mask, affine) for mask in (found, truth))
    if not (len(a) and len(b)):
        return dict.fromkeys(("hausdorff", "hausdorff_95", "surface_distance"), float("nan"))
    there, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    return {
        "hausdorff": float(max(there.max(), back.max())),
        "hausdorff_95": float(max(np.percentile(there, 95), np.percentile(back, 95))),
        "surface_distance": float(np.concatenate([there, back]).mean()),
    }


def hausdorff(found: ArrayLike, truth: ArrayLike, affine: ArrayLike) -> float:
    """The largest distance in mm between two surfaces; see ``surface_distances``."""
    return surface_distances(found, truth, affine)["hausdorff"]


def surface_distance(found: ArrayLike, truth: ArrayLike, affine: ArrayLike) -> float:
    """The mean distance in mm between two surfaces; see ``surface_distances``."""
    return surface_distances(found, truth, affine)["surface_distance"]


def _surface(mask: ArrayLike, affine: ArrayLike) -> NDArray:
    """Centres (n, 3) in mm, from the first voxel, of the voxels at the surface."""
    inside = np.asarray(mask) != 0
    at = np.argwhere(inside & ~binary_erosion(inside))
    return at @ np.asarray(affine, dtype=float)[:3, :3].T


def _cut_to_content(mask: NDArray) -> NDArray:
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        mask = mask.take(range(found[0], found[-1] + 1), axis=axis)
    return mask


def _longest_in_slices(slices: NDArray, edges: NDArray) -> float:
    """The longest distance in mm within any of the slices (s, u, v); ``edges`` (3, 2) are the steps along u and v."""
    # of equal neighbours, as in a box, one will do
    changed = (slices[1:] != slices[:-1]).any(axis=(1, 2))
    points, owner = _outline(slices[np.r_[True, changed]])
    # lengths within the plane need only two coordinates: those of the triangular factor. Written out, here and below,
    # since threads of a matrix product cost more than they save where cores are busy
    (a, b), (_, c) = np.linalg.qr(edges)[1]
    points = np.stack([a * points[:, 0] + b * points[:, 1], c * points[:, 1]], axis=1)
    first = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    shadows = points[:, :1] * np.cos(angles) + points[:, 1:] * np.sin(angles)
    widths = (np.maximum.reduceat(shadows, first) - np.minimum.reduceat(shadows, first)).max(axis=1)
    # the width of a slice across the nearest of the directions is at least this much of its longest distance
    longest = widths.max()
    limits = widths / np.cos(np.pi / (2 * _DIRECTIONS))
    for number in np.argsort(-limits):
        if limits[number] < longest:
            break
        stop = first[number + 1] if number + 1 < len(first) else len(points)
        longest = max(longest, _longest(points[first[number] : stop]))
    return float(longest)


def _outline(slices: NDArray) -> tuple[NDArray, NDArray]:
    """Middles of outer voxel faces (n, 2) in voxels along u and v, all that span the slices, and their slices (n,)."""
    owner, row = np.nonzero(slices.any(axis=2))
    rows = slices[owner, row]
    low = rows.argmax(axis=1)
    high = rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)
    # of a row only its ends can be corners of the convex hull
    steps = [(0, low - 0.5), (0, high + 0.5)]
    steps += [(side, end) for side in (-0.5, 0.5) for end in (low, high)]
    points = np.stack([np.stack([row + side, end], axis=1) for side, end in steps], axis=1)
    return points.reshape(-1, 2).astype(float), np.repeat(owner, len(steps))


def _longest(points: NDArray) -> float:
    if len(points) > _HULL_FROM:
        points = points[ConvexHull(points).vertices]
    return float(pdist(points).max())
