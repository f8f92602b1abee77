"""Which part of an image a network looks at: a box around the points, on the network's own grid.

The same rule holds in training and in use, so that a network sees as much around a lesion then as it did before.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.prepare_grid import Axes, Geometry, Turn, is_anisotropic

_COARSE_MARGIN = 3
"""InteractiveNet's least margin in voxels along thick slices."""


def geometry_around(points: NDArray, shape: Axes, affine: NDArray, plan: NetworkPlan) -> Geometry:
    """The part of an image (shape, affine) around points (n, 3) in RAS mm, as the plan asks for it.

    Plans of InteractiveNet (orientation "file") follow its rules to the voxel: the whole image's new shape is cut off
    to whole numbers, points move about the image's centre, the margin at the far side is one voxel short.
    """
    turn = Turn.canonical(affine) if plan.orientation == "canonical" else Turn()
    turned = affine @ turn.matrix(shape)
    image_shape = tuple(shape[axis] for axis in turn.order)
    indices = np.linalg.solve(turned, np.c_[points, np.ones(len(points))].T)[:3].T
    edges = np.linalg.norm(turned[:3, :3], axis=0)
    part = _fixed if plan.fixed_shape else _upstream if plan.as_upstream else _spaced
    start, step, grid, slicewise = part(indices, image_shape, edges, plan)
    missing = [-n % d for n, d in zip(grid, plan.divisible_by, strict=True)]
    return Geometry(
        image_shape=tuple(int(n) for n in shape),
        image_affine=tuple(tuple(row) for row in affine.tolist()),
        order=turn.order,
        flips=turn.flips,
        start=tuple(float(first) for first in start),
        step=tuple(float(s) for s in step),
        grid=tuple(int(n) for n in grid),
        before=tuple(lack // 2 for lack in missing),
        shape=tuple(int(n) + lack for n, lack in zip(grid, missing, strict=True)),
        slicewise=slicewise,
    )


_Part = tuple[NDArray, NDArray, list[int], int]
"""First coordinate, step, number of voxels, and the axis along which slices are taken one by one."""


def _spaced(indices: NDArray, shape: Axes, edges: NDArray, plan: NetworkPlan) -> _Part:
    step = np.array(plan.spacing) / edges
    step[np.isclose(step, 1.0, rtol=1e-5)] = 1.0  # spacings that differ in their last digit only are one spacing
    whole = np.maximum(np.rint(np.array(shape) / step), 1).astype(int)
    found = np.clip(np.rint((indices + 0.5) / step - 0.5), 0, whole - 1).astype(int)
    begin, stop = _box(found, whole, plan, plan.least_margin, last=1)
    coarse = -1
    if (step != 1.0).any():
        coarse = _coarse_axis(edges) if is_anisotropic(tuple(edges)) else _coarse_axis(np.array(plan.spacing))
    start = (np.array(begin) + 0.5) * step - 0.5
    return start, step, [b - a for a, b in zip(begin, stop, strict=True)], coarse


def _upstream(indices: NDArray, shape: Axes, edges: NDArray, plan: NetworkPlan) -> _Part:
    same = np.allclose(edges, plan.spacing, rtol=1e-6)
    found, whole = _about_centre(indices, shape, edges, plan)
    slicewise = not same and (is_anisotropic(tuple(edges)) or is_anisotropic(plan.spacing))
    least = (*plan.least_margin[:2], _COARSE_MARGIN) if slicewise else plan.least_margin
    begin, stop = _box(found, whole, plan, least, last=0)
    step = np.array(shape) / whole
    start = (np.array(begin) + 0.5) * step - 0.5
    return start, step, [b - a for a, b in zip(begin, stop, strict=True)], 2 if slicewise else -1


def upstream_voxels(points: NDArray, geometry: Geometry, plan: NetworkPlan) -> NDArray:
    """The voxels (n, 3) of the network's input that InteractiveNet puts points (n, 3) in RAS mm into.

    It moves points about the image's centre, which is up to a voxel from where it moves the image.
    """
    indices = np.linalg.solve(np.array(geometry.image_affine), np.c_[points, np.ones(len(points))].T)[:3].T
    edges = np.linalg.norm(np.array(geometry.image_affine)[:3, :3], axis=0)
    found, _ = _about_centre(indices, geometry.image_shape, edges, plan)
    begin = np.rint((np.array(geometry.start) + 0.5) / geometry.step - 0.5).astype(int)
    return found - begin + geometry.before


def _about_centre(indices: NDArray, shape: Axes, edges: NDArray, plan: NetworkPlan) -> tuple[NDArray, NDArray]:
    """Voxels (n, 3) of InteractiveNet's resampled image, and its shape."""
    ratio = edges / np.array(plan.spacing)
    # the small sum: spacings that differ in their last digit only are one spacing
    whole = np.maximum((np.array(shape) * ratio + 1e-5).astype(int), 1)
    centre, new_centre = (np.array(shape) - 1) // 2, (whole - 1) // 2
    found = np.rint(np.round((np.rint(indices) - centre) * ratio, 6) + new_centre)
    return np.clip(found, 0, whole - 1).astype(int), whole


def _fixed(indices: NDArray, shape: Axes, edges: NDArray, plan: NetworkPlan) -> _Part:
    low, high = indices.min(axis=0), indices.max(axis=0)
    margin = np.maximum(plan.relax * (high - low), np.array(plan.least_margin) * plan.spacing / edges)
    margin = np.maximum(margin, 1.0)  # of thick slices at least one more on each side
    first = np.maximum(low - margin, 0) - 0.5
    last = np.minimum(high + margin, np.array(shape) - 1) + 0.5
    step = (last - first) / np.array(plan.fixed_shape)
    return first + step / 2, step, list(plan.fixed_shape), _coarse_axis(edges)


def _coarse_axis(edges: NDArray) -> int:
    """The axis of thick slices, -1 where there are none."""
    return int(np.argmax(edges)) if is_anisotropic(tuple(edges)) else -1


def _box(found: NDArray, whole: NDArray, plan: NetworkPlan, least: Axes, *, last: int) -> tuple[list[int], list[int]]:
    """First voxel and one beyond the last of the box around ``found`` (n, 3), grown until it can be divided."""
    begin, stop = [], []
    for axis in range(3):
        low, high = int(found[:, axis].min()), int(found[:, axis].max())
        margin = max(math.ceil((high - low) * plan.relax), least[axis])
        first, end = max(low - margin, 0), min(high + margin + last, int(whole[axis]))
        first, end = _grown(first, max(end, first + 1), int(whole[axis]), plan.divisible_by[axis])
        begin.append(first)
        stop.append(end)
    return begin, stop


def _grown(first: int, end: int, whole: int, divisor: int) -> tuple[int, int]:
    """An interval made longer at both ends, as far as the image goes, until its length can be divided."""
    while missing := -(end - first) % divisor:
        before, after = first > 0, end < whole
        if not (before or after):
            break
        if missing == 1:  # only one is wanted: before it, if there is one
            first, end = (first - 1, end) if before else (first, end + 1)
        else:
            first, end = first - before, end + after
    return first, end
