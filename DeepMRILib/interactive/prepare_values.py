"""Values on a common scale, and what must hold of images and points before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.network_plan import NetworkPlan, Normalisation
from DeepMRILib.interactive.prompts import as_points
from DeepMRILib.volume import Volume

ROBUST_RANGE = 4.0
"""Standard deviations from the median that "robust" values reach."""


def normalised(part: NDArray, rule: Normalisation, name: str) -> tuple[NDArray, NDArray]:
    """An image's values (a, b, c) for the network, and those that geodesic distances are taken in.

    They are the same, but for "fixed", whose geodesic values are not clipped.

    Raises:
        InputError: the part holds only one value.
    """
    if part.min() == part.max():
        raise InputError(
            f"The image {name} holds only the value {part.min():g} around the points. Check that it is the right image."
        )
    if rule.kind == "fixed":
        scale = rule.sd if rule.sd > 0 else 1.0
        raw = ((part - rule.mean) / scale).astype(np.float32)
        return ((np.clip(part, rule.low, rule.high) - rule.mean) / scale).astype(np.float32), raw
    if rule.kind == "robust":
        low, middle, high = np.percentile(part, [1, 50, 99])
        spread = float(np.clip(part, low, high).std()) or 1.0
        scaled = np.clip((part - middle) / spread, -ROBUST_RANGE, ROBUST_RANGE).astype(np.float32)
        return scaled, scaled
    nonzero = part != 0
    values = part[nonzero].astype(np.float64)
    spread = float(values.std()) or 1.0
    scaled = np.where(nonzero, (part - values.mean()) / spread, 0).astype(np.float32)
    return scaled, scaled


def single_images(images: Sequence[Volume], plan: NetworkPlan) -> list[Volume]:
    """One 3D image for each of the plan's channels; an image with several values per voxel counts as several.

    Raises:
        InputError: another number of images than the plan's, complex values.
    """
    found = parted(images)
    if len(found) != len(plan.channels):
        wanted = f"{len(plan.channels)} image{'s' * (len(plan.channels) != 1)} ({', '.join(plan.channels)})"
        given = f"{len(found)} {'was' if len(found) == 1 else 'were'}"
        raise InputError(f"The network takes {wanted}; {given} given. Give them in that order.")
    return found


def parted(images: Sequence[Volume]) -> list[Volume]:
    """3D images, of each that has several values per voxel one for each.

    Raises:
        InputError: complex values.
    """
    found: list[Volume] = []
    for image in images:
        if image.array.dtype.kind == "c":
            raise InputError("The image holds complex numbers. Give its magnitude.")
        single = image.array.ndim == 3
        found += [image] if single else [image.like(image.array[..., c]) for c in range(image.array.shape[3])]
    return found


def points_by_label(
    points: Mapping[str, ArrayLike] | ArrayLike, plan: NetworkPlan, image: Volume
) -> tuple[NDArray, ...]:
    """The points (n, 3) in RAS mm of each of the plan's labels, in their order; none for a label that has none.

    Raises:
        InputError: a label that the plan lacks, no point at all, not finite, or outside the image.
    """
    given = dict(points) if isinstance(points, Mapping) else {plan.labels[0]: points}
    if len(given) == len(plan.labels) == 1:
        given = {plan.labels[0]: next(iter(given.values()))}
    unknown = sorted(set(given) - set(plan.labels))
    if unknown:
        raise InputError(f"There are points of {unknown[0]}; the network segments {', '.join(plan.labels)}.")
    found = tuple(as_points(given.get(name, ()), name) for name in plan.labels)
    if not any(len(some) for some in found):
        raise InputError(
            "There is no point. Place six points just inside the lesion's margin, the outermost in each direction."
        )
    for name, some in zip(plan.labels, found, strict=True):
        check_inside(some, image, name)
    return found


def check_inside(points: NDArray, image: Volume, name: str) -> None:
    """Refuse points (n, 3) in RAS mm outside an image, naming the first."""
    if not len(points):
        return
    indices = image.voxel_from_ras(points)
    outside = ((indices < -0.5) | (indices > np.array(image.shape) - 0.5)).any(axis=1)
    if outside.any():
        number = int(np.argmax(outside))
        place = ", ".join(f"{value:.1f}" for value in points[number])
        raise InputError(
            f"Point {number + 1} of {name} at ({place}) mm lies outside the image. Place it on the image, or check "
            "that the points belong to it."
        )
