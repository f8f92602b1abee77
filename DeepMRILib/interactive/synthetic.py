"""Points as a user would place them, made from a known segmentation: for training and for measuring methods.

The rule is InteractiveNet's (Spaanderman et al., arXiv 2402.07746, mimic_interactions): on each side of the lesion one
of its outermost voxels, drawn at random, then inward by a few millimetres. Lengths are in mm here, a thick slice
needs no rule of its own, and what is drawn follows from the seed.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.optimize import linear_sum_assignment

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.points import SIDES, coincident
from DeepMRILib.volume import Volume

UserError = Literal["fixed", "gaussian", "uniform"]
"""How far a displaced point goes: by exactly the distance, by a Gaussian of that standard deviation along each axis,
or to anywhere within that distance."""

_DRAWS = 100  # nobody places two points in one place on purpose
_OFF_CENTRE = 0.3  # voxels: still in the voxel, yet apart from a point of the opposite side


def synthetic_points(
    mask: Volume,
    *,
    label: int = 1,
    depth: float = 5.0,
    jitter: float = 0.0,
    error: UserError = "fixed",
    seed: int = 0,
    extra: int = 0,
) -> NDArray:
    """Points just inside the margin of a known lesion: (6 + extra, 3) in RAS mm.

    The six come in the order of ``points.SIDES``. Each starts at an outermost voxel and goes inward along the array
    axis nearest to that anatomical direction, by ``depth`` rounded to whole voxels and at least one, but at most a
    third of the way through the lesion there: a thin lesion gets shallow points, on both its sides. A side with one
    layer of voxels gets its points off the voxels' centres, so that they do not lie in one plane; points of a lesion
    of a few voxels that would fall together are spread over its other voxels.

    Args:
        mask: (i, j, k) segmentation.
        label: which of its labels.
        depth: from the outermost voxel's centre, in mm.
        jitter: displacement of every point in mm, in random directions; points stay within the image, and apart.
        error: how that displacement is distributed.
        seed: the same seed gives the same points.
        extra: so many further points anywhere inside, at least as deep where the lesion is deep enough.

    Raises:
        InputError: no voxel has this label.

    Example:
        >>> ball = np.linalg.norm(np.indices((21, 21, 21)) - 10, axis=0) < 9
        >>> synthetic_points(Volume(ball), depth=3.0).min(axis=0)
        array([5., 5., 5.])
    """
    rng = np.random.default_rng(seed)
    inside, start = _cut(mask, label)
    sides = _side_voxels(inside, mask.affine, depth, rng)
    points = np.concatenate(
        [_apart(sides, inside, mask.affine), _inner_voxels(inside, mask.spacing, depth, extra, rng)]
    )
    exact = mask.ras_from_voxel(points + start)
    return _displaced(exact, jitter, mask, error, rng) if jitter else exact


def synthetic_negative_points(
    mask: Volume, *, label: int = 1, count: int = 1, distance: float = 5.0, seed: int = 0
) -> NDArray:
    """Points (n, 3) in RAS mm around a known lesion, where no label is; none where there is no background.

    Args:
        mask: (i, j, k) segmentation.
        label: the lesion that they surround.
        count: how many at most.
        distance: from the margin in mm, or a little more.
        seed: the same seed gives the same points.

    Raises:
        InputError: no voxel has this label.
    """
    spacing = np.array(mask.spacing)
    reach = np.ceil(2 * distance / spacing).astype(int) + 1
    lesion, start = _cut(mask, label, reach)
    box = tuple(slice(first, first + size) for first, size in zip(start, lesion.shape, strict=True))
    away = distance_transform_edt(~lesion, sampling=spacing)
    free = np.argwhere((np.asarray(mask.array[box]) == 0) & (away > 0))
    far = away[tuple(free.T)]
    # those at the distance first, then the nearest to it, where the image ends or another label begins
    misfit = np.abs(far - np.clip(far, distance, distance + max(spacing)))
    order = np.random.default_rng(seed).permutation(len(free))
    chosen = order[np.argsort(misfit[order], kind="stable")][:count]
    return mask.ras_from_voxel(free[chosen] + start) if len(chosen) else np.zeros((0, 3))


def displaced(
    points: NDArray, distance: float, volume: Volume, *, error: UserError = "fixed", seed: int = 0
) -> NDArray:
    """The same points (n, 3) in RAS mm as an inexact user places them; none leaves the image."""
    return _displaced(points, distance, volume, error, np.random.default_rng(seed))


def anatomical_axes(affine: NDArray) -> tuple[tuple[int, int], ...]:
    """Of R, A and S: the array axis nearest to it, each once, and whether it runs along (1) or against it (-1).

    Example:
        >>> anatomical_axes(np.diag([-1, -1, 3, 1]))
        ((0, -1), (1, -1), (2, 1))
    """
    edges = np.asarray(affine, dtype=float)[:3, :3]
    directions = edges / np.linalg.norm(edges, axis=0)
    _, axes = linear_sum_assignment(np.abs(directions), maximize=True)
    return tuple((int(axis), 1 if directions[row, axis] > 0 else -1) for row, axis in enumerate(axes))


def _cut(mask: Volume, label: int, margin: NDArray | int = 0) -> tuple[NDArray, NDArray]:
    """The lesion as bool in the smallest box that holds it and a margin, and the box's first voxel."""
    inside = np.asarray(mask.array) == label
    if not inside.any():
        raise InputError(f"No voxel of the segmentation has the label {label}. Choose a label that it holds.")
    found = [np.flatnonzero(inside.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
    start = np.maximum(np.array([first[0] for first in found]) - margin, 0)
    stop = np.minimum(np.array([first[-1] for first in found]) + 1 + margin, inside.shape)
    return inside[tuple(slice(first, last) for first, last in zip(start, stop, strict=True))], start


def _side_voxels(inside: NDArray, affine: NDArray, depth: float, rng: np.random.Generator) -> NDArray:
    """One voxel (6, 3) for each of ``SIDES``."""
    chosen = []
    for axis, sign in anatomical_axes(affine):
        edge = float(np.linalg.norm(affine[:3, axis]))
        steps = max(round(depth / edge), 1) if depth > 0 else 0
        for outward in (-sign, sign):
            layer = 0 if outward < 0 else inside.shape[axis] - 1
            start = rng.choice(np.argwhere(inside.take(layer, axis=axis)))
            chosen.append(_moved_inward(np.insert(start, axis, layer), axis, -outward, steps, inside))
    return np.array(chosen)


def _moved_inward(start: NDArray, axis: int, step: int, steps: int, inside: NDArray) -> NDArray:
    """``steps`` voxels along an axis, but at most a third of the way through the lesion there."""
    line = inside[tuple(slice(None) if other == axis else start[other] for other in range(3))]
    ahead = line[start[axis] :] if step > 0 else line[start[axis] :: -1]
    length = len(ahead) if ahead.all() else int(ahead.argmin())
    moved = start.copy()
    moved[axis] += step * min(steps, (length - 1) // 3)
    return moved


def _apart(sides: NDArray, inside: NDArray, affine: NDArray) -> NDArray:
    """The voxels of the six sides as places (6, 3) that differ, as far as the lesion has room."""
    voxels = np.argwhere(inside)
    taken = {tuple(voxel) for voxel in sides.tolist()}
    axes = [(axis, outward) for axis, sign in anatomical_axes(affine) for outward in (-sign, sign)]
    places = sides.copy()
    for number in range(1, len(SIDES)):
        if (places[:number] == places[number]).all(axis=1).any():
            free = voxels[[tuple(voxel) not in taken for voxel in voxels.tolist()]]
            if len(free):
                axis, outward = axes[number]
                places[number] = free[np.argmax(outward * free[:, axis])]
                taken.add(tuple(places[number].tolist()))
    shifted = places.astype(float)
    for number, (axis, outward) in enumerate(axes):
        if inside.shape[axis] == 1:
            shifted[number, axis] += outward * _OFF_CENTRE
    return shifted


def _inner_voxels(
    inside: NDArray, spacing: tuple[float, ...], depth: float, count: int, rng: np.random.Generator
) -> NDArray:
    if not count:
        return np.zeros((0, 3))
    within = distance_transform_edt(np.pad(inside, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    deep = np.argwhere(within >= min(depth, within.max()))
    return rng.choice(deep, size=count, replace=len(deep) < count).astype(float)


def _displaced(points: NDArray, distance: float, volume: Volume, error: UserError, rng: np.random.Generator) -> NDArray:
    for _ in range(_DRAWS):
        moved = _within(points + _displacements(len(points), distance, error, rng), volume)
        if not list(coincident(moved, volume)):
            break
    return moved


def _displacements(count: int, distance: float, error: UserError, rng: np.random.Generator) -> NDArray:
    """Random vectors (count, 3) in mm."""
    vectors = rng.standard_normal((count, 3))
    if error == "gaussian":
        return distance * vectors
    radii = np.ones(count) if error == "fixed" else rng.random(count) ** (1 / 3)
    return distance * radii[:, None] * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _within(points: NDArray, volume: Volume) -> NDArray:
    """Points outside the image at its outermost voxels instead."""
    indices = volume.voxel_from_ras(points)
    inside = np.clip(indices, 0, np.array(volume.shape) - 1)
    return np.where((inside == indices).all(axis=1)[:, None], points, volume.ras_from_voxel(inside))
