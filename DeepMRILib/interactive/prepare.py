"""From images and points to the input of a network, and from its output back to the image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.crop import Box
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.prepare_box import geometry_around, upstream_voxels
from DeepMRILib.interactive.prepare_grid import Geometry
from DeepMRILib.interactive.prepare_maps import MAPS, Place
from DeepMRILib.interactive.prepare_resample import sampled, sampled_elsewhere
from DeepMRILib.interactive.prepare_values import normalised, points_by_label, single_images
from DeepMRILib.interactive.prompts import as_points
from DeepMRILib.volume import Volume

How = Literal["probability", "weights", "label"]
"""What is interpolated on the way back: see ``restore``."""
_BESIDE_INPUT = 3
"""float32 arrays of the input's size that are needed at least beside it and the target's shares."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One case as a network takes it.

    Attributes:
        input: (channels, a, b, c) float32: the normalised images, the plan's maps of the points of each label (by
            default one exponentialised geodesic map, 1 at the points, falling to 0), and one of the negative points
            where the plan has it.
        target: (a, b, c) uint8, 0 background, 1 the first label, ...; None without a label image.
        geometry: where these voxels lie in the first image.
        points: of each label (n, 3) continuous voxel indices in the input.
        notes: what a reader must know, one sentence each.
    """

    input: NDArray
    target: NDArray | None
    geometry: Geometry
    points: tuple[NDArray, ...]
    notes: tuple[str, ...] = ()


def prepare(
    images: Sequence[Volume],
    points: Mapping[str, ArrayLike] | ArrayLike,
    plan: NetworkPlan,
    *,
    negative: ArrayLike | None = None,
    label: Volume | None = None,
) -> Prepared:
    """The input of a network for one case.

    Only the part of the images around the points is read, so the size of the images does not matter. It is
    interpolated with a cubic spline onto the plan's grid, slice by slice where slices are thick; the others are brought
    onto the first image's place through their affines. Each is normalised over that part. Points move as points, so
    that two in one voxel remain two.

    Args:
        images: one for each of the plan's channels, in order, (i, j, k) or several in one (i, j, k, c).
        points: of each label (n, 3) in RAS mm; of a single label also without its name.
        plan: of the network.
        negative: (m, 3) in RAS mm, where no label is.
        label: 0 none, 1 the plan's first label, ...

    Raises:
        InputError: another number of images, points outside the image or of an unknown label, an image that is
            constant around the points or lies elsewhere, a label image with unknown labels.
        DeviceMemoryError: the plan's voxels are so small that the part does not fit into memory.
    """
    singles = single_images(images, plan)
    first = singles[0]
    positive = points_by_label(points, plan, first)
    geometry = geometry_around(np.concatenate(positive), first.shape, first.affine, plan)
    _check_memory(geometry, plan)
    parts = [_part(image, first, geometry, plan, name) for image, name in zip(singles, plan.channels, strict=True)]
    if plan.as_upstream:  # which pads before it normalises
        parts = [_padded(part, geometry) for part in parts]
    scaled = [normalised(*each) for each in zip(parts, plan.normalisation, plan.channels, strict=True)]
    channels = [values for values, _ in scaled]
    seen = np.stack([values for _, values in scaled], axis=-1)
    outside, notes = _negative(negative, plan, geometry)
    moved = tuple(geometry.network_indices(some) if len(some) else some for some in positive)
    for some in positive:
        channels += [_map(name, seen, (some, outside), geometry, plan) for name in plan.maps]
    if plan.negative:
        kind = "geodesic" if "geodesic" in plan.maps else "points"
        channels.append(_map(kind, seen, (outside, outside), geometry, plan))
    if not plan.as_upstream:
        channels = [_padded(values, geometry) for values in channels]
    target = None if label is None else _target(label, first, geometry, plan)
    return Prepared(np.stack(channels).astype(np.float32, copy=False), target, geometry, moved, notes)


def looked_at(points: Mapping[str, ArrayLike] | ArrayLike, image: Volume, plan: NetworkPlan) -> Box:
    """The voxels of the first image that ``prepare`` covers; raises as it does for points."""
    positive = points_by_label(points, plan, image)
    return geometry_around(np.concatenate(positive), image.shape, image.affine, plan).box


def input_voxels(images: Sequence[Volume], points: Mapping[str, ArrayLike] | ArrayLike, plan: NetworkPlan) -> int:
    """The voxels of the input that ``prepare`` would make; raises as it does for images and points."""
    first = single_images(images, plan)[0]
    positive = np.concatenate(points_by_label(points, plan, first))
    return math.prod(geometry_around(positive, first.shape, first.affine, plan).shape)


def _check_memory(geometry: Geometry, plan: NetworkPlan) -> None:
    voxels = math.prod(geometry.shape)
    devices.needs(
        "cpu",
        4 * voxels * (plan.inputs + plan.outputs + _BESIDE_INPUT),
        f"A part of {' x '.join(map(str, geometry.shape))} voxels for the network",
        "Plan with larger voxels (spacing), or check the spacing of the image.",
    )


def restore(probability: NDArray, geometry: Geometry, *, how: How = "probability") -> tuple[NDArray, Box]:
    """A network's output on the voxels of the first image.

    Args:
        probability: (outputs, a, b, c), the background first: from 0 to 1, or before the softmax for "weights".
        geometry: of the prepared case.
        how: what is interpolated. "probability": each output linearly, which keeps their sum at 1. "weights": the
            values before the softmax, with a cubic spline as InteractiveNet does, and the softmax after. "label": the
            winner at each network voxel, linearly.

    Returns:
        (outputs, i, j, k) float32 from 0 to 1 on a part of the first image, and where that part lies. Outside it there
        is only background.

    Raises:
        InputError: an output of another shape than the case's input.
    """
    if probability.ndim != 4 or probability.shape[1:] != geometry.shape:
        raise InputError(
            f"The network's output has shape {probability.shape}; expected (outputs, "
            f"{', '.join(map(str, geometry.shape))}), as its input."
        )
    values = probability[(slice(None), *geometry.inside)]
    if how == "label":
        winner = values.argmax(axis=0)
        values = np.stack([winner == number for number in range(len(values))])
    step = tuple(1.0 / s for s in geometry.step)
    box = geometry.turned_box
    start = tuple((b - first) * s for b, first, s in zip(box.start, geometry.start, step, strict=True))
    order, slicewise = (3, geometry.slicewise) if how == "weights" else (1, -1)
    found = np.stack([sampled(each, start, step, box.shape, order=order, slicewise=slicewise) for each in values])
    if how == "weights":
        found = np.exp(found - found.max(axis=0))
        found /= found.sum(axis=0)
    return np.ascontiguousarray(geometry.turn.undo(found)), geometry.box


def _part(image: Volume, first: Volume, geometry: Geometry, plan: NetworkPlan, name: str) -> NDArray:
    if image is first or image.same_grid(first):
        return sampled(
            geometry.turn.apply(image.array),
            geometry.start,
            geometry.step,
            geometry.grid,
            order=3,
            slicewise=geometry.slicewise,
            across=0 if plan.as_upstream else 1,
            whole_range=plan.as_upstream,
        )
    return sampled_elsewhere(image.array, _matrix(image, geometry, f"image {name}"), geometry.grid, order=3)


def _matrix(other: Volume, geometry: Geometry, name: str) -> NDArray:
    """(4, 4), from unpadded network voxel indices to those of another image, which must reach the part."""
    unpadded = geometry.affine.copy()
    unpadded[:3, 3] += unpadded[:3, :3] @ np.array(geometry.before)
    matrix = np.linalg.solve(other.affine, unpadded)
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in geometry.grid], [1], indexing="ij")).reshape(4, -1)
    reached = (matrix @ corners)[:3].T
    if (reached.max(axis=0) < 0).any() or (reached.min(axis=0) > np.array(other.shape) - 1).any():
        raise InputError(f"The {name} does not reach the points. Check that it shows the same place.")
    return matrix


def _padded(values: NDArray, geometry: Geometry) -> NDArray:
    after = [whole - first - n for whole, first, n in zip(geometry.shape, geometry.before, geometry.grid, strict=True)]
    return np.pad(values, list(zip(geometry.before, after, strict=True)))


def _map(kind: str, seen: NDArray, told: tuple[NDArray, NDArray], geometry: Geometry, plan: NetworkPlan) -> NDArray:
    """A map of points (n, 3), and of negative ones (m, 3), in RAS mm on the grid of ``seen`` (a, b, c, images)."""
    points = told[0]
    if not len(points):
        return np.zeros(seen.shape[:3], dtype=np.float32)
    if kind != "geodesic":
        places = [geometry.network_indices(each) - geometry.before if len(each) else each for each in told]
        place = Place(seen.shape[:3], places[0], geometry.spacing, places[1], plan.depth)
        return MAPS[kind](place, seen[..., 0])
    from DeepMRILib.interactive.geodesic import exponential

    seeds = seed_voxels(points, geometry, plan)
    if not plan.as_upstream:
        seeds = seeds - geometry.before
    spacing = plan.spacing if plan.as_upstream else geometry.spacing
    return exponential(seen, seeds, spacing, edge_weight=plan.edge_weight, kind=plan.geodesic)


def seed_voxels(points: NDArray, geometry: Geometry, plan: NetworkPlan) -> NDArray:
    """The voxels (n, 3) of the network's input that points (n, 3) in RAS mm fall into, none outside the image."""
    low = np.array(geometry.before)
    own = not plan.as_upstream
    found = np.rint(geometry.network_indices(points)) if own else upstream_voxels(points, geometry, plan)
    return np.clip(found, low, low + geometry.grid - 1).astype(int)


def _negative(negative: ArrayLike | None, plan: NetworkPlan, geometry: Geometry) -> tuple[NDArray, tuple[str, ...]]:
    """The negative points in the part, and what is to be said of them."""
    points = as_points(() if negative is None else negative, "negative points")
    if len(points) and not plan.negative:
        return points[:0], ("The network takes no negative points; they were not used.",)
    if not len(points):
        return points, ()
    indices = geometry.network_indices(points) - geometry.before
    inside = ((indices > -0.5) & (indices < np.array(geometry.grid) - 0.5)).all(axis=1)
    return points[inside], ()


def _target(label: Volume, first: Volume, geometry: Geometry, plan: NetworkPlan) -> NDArray:
    """The label image on the network's grid: of each label the share that it has of a voxel, and the largest wins."""
    array = label.array[..., 0] if label.array.ndim == 4 and label.array.shape[3] == 1 else label.array
    if array.ndim != 3:
        raise InputError("The label image has several values per voxel. Give one whole number for each voxel.")
    unknown = sorted(set(np.unique(array[array != 0]).tolist()) - set(range(plan.outputs)))
    if unknown:
        raise InputError(
            f"The label image holds the value {unknown[0]:g}; expected 0 for none and 1 to {len(plan.labels)} for "
            f"{', '.join(plan.labels)}."
        )
    same = label.same_grid(first)
    matrix = None if same else _matrix(label, geometry, "label image")
    turned = geometry.turn.apply(array) if same else array
    shares = np.zeros((plan.outputs, *geometry.grid), dtype=np.float32)
    for number in range(1, plan.outputs):
        mask = turned == number
        if matrix is not None:
            shares[number] = sampled_elsewhere(mask, matrix, geometry.grid, order=1)
        else:
            shares[number] = sampled(
                mask, geometry.start, geometry.step, geometry.grid, order=1,
                slicewise=geometry.slicewise if plan.as_upstream else -1,
            )  # fmt: skip
    shares[0] = 1 - shares[1:].sum(axis=0)
    # half a voxel is enough, as in InteractiveNet: the background comes last among equals
    winner = (plan.outputs - 1) - shares[::-1].argmax(axis=0)
    return _padded(winner.astype(np.uint8), geometry)
