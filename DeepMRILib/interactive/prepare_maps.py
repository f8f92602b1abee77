"""Maps that tell a network where the points are, beside the exponentialised geodesic one, and cheaper to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.geodesic_sweep import all_costs, swept

USUAL_DEPTH = 5.0
"""mm that the points lie inside the margin, as InteractiveNet has it."""
HEAT = 4.0
"""Standard deviation in mm of the Gaussian around a point."""
NEGATIVE_RADIUS, SLACK, ROOM = 2.0, 3.0, 1.5
EDGE_WEIGHT, ROUNDS = 0.9, 2
"""Of the map of two sides: mm around negative points, mm beyond the expected box and times the expected ellipsoid where
a lesion surely ends, and the weight and rounds of its geodesic distances. A trained network needs the same ones."""
_FAR = np.float32(1e6)
_BINS = 64
_RANGE = 4.0
_LEAST_HALF = 2.0
_SCALE = 10.0


@dataclass(frozen=True, eq=False)
class Place:
    """The points on a grid.

    Attributes:
        shape: voxels of the grid.
        points: (n, 3) continuous voxel indices.
        spacing: voxel edges in mm.
        outside: (m, 3) negative points.
        depth: mm that the points lie inside the margin.
    """

    shape: tuple[int, int, int]
    points: NDArray
    spacing: tuple[float, float, float]
    outside: NDArray = field(default_factory=lambda: np.zeros((0, 3)))
    depth: float = USUAL_DEPTH

    def offsets(self, centre: NDArray) -> list[NDArray]:
        """Distances in mm along each axis from a voxel index (3,), ready to be added up."""
        return [
            ((np.arange(n) - c) * s).astype(np.float32).reshape([-1 if a == b else 1 for b in range(3)])
            for a, (n, c, s) in enumerate(zip(self.shape, centre, self.spacing, strict=True))
        ]

    @property
    def centre(self) -> NDArray:
        """The middle (3,) of the box around the points."""
        return (self.points.min(axis=0) + self.points.max(axis=0)) / 2

    @property
    def half(self) -> NDArray:
        """Half the edges (3,) of that box in mm."""
        half = (self.points.max(axis=0) - self.points.min(axis=0)) / 2 * np.array(self.spacing)
        return np.maximum(half, _LEAST_HALF)

    def ellipsoid(self, pushed: float) -> NDArray:
        """The radius (a, b, c), 1 on the ellipsoid in the box around the points after its faces moved out by mm."""
        axes = self.half + pushed
        return np.sqrt(sum((d / np.float32(h)) ** 2 for d, h in zip(self.offsets(self.centre), axes, strict=True)))


def heat(place: Place) -> NDArray:
    """1 at the points, falling off as a Gaussian; 0 without points."""
    found = np.zeros(place.shape, dtype=np.float32)
    for point in place.points:
        x, y, z = (np.exp(-(d**2) / np.float32(2 * HEAT**2)) for d in place.offsets(point))
        np.maximum(found, x * y * z, out=found)
    return found


def box(place: Place, image: NDArray) -> NDArray:  # noqa: ARG001 - all maps are called alike
    """The signed distance to where the lesion's box is to be expected, in 10 mm, negative inside, cut off at 1."""
    offsets = place.offsets(place.centre)
    beyond = [np.abs(d) - np.float32(h + place.depth) for d, h in zip(offsets, place.half, strict=True)]
    furthest = np.maximum(np.maximum(beyond[0], beyond[1]), beyond[2])
    return np.clip(furthest / np.float32(_SCALE), -1, 1)


def ellipsoid(place: Place, image: NDArray) -> NDArray:  # noqa: ARG001
    """1 in the middle, 0 on the ellipsoid in the lesion's expected box, cut off at -1."""
    return np.maximum(1 - place.ellipsoid(place.depth), -1)


def likelihood(place: Place, image: NDArray) -> NDArray:
    """How typical each value is of the lesion rather than of what lies around it, from 0 to 1.

    The share h_in / (h_in + h_out) of two smoothed histograms: of the values in the ellipsoid through the points, and
    of those outside the one that the lesion is expected in.
    """
    index = np.clip((image + _RANGE) * (_BINS / (2 * _RANGE)), 0, _BINS - 1).astype(np.intp)
    histograms = []
    for mask in (place.ellipsoid(0.0) <= 1, place.ellipsoid(place.depth) > 1.05):
        counts = np.bincount(index[mask], minlength=_BINS)[:_BINS].astype(float)
        smoothed = ndimage.gaussian_filter1d(counts / max(counts.sum(), 1), 1.5, mode="nearest")
        histograms.append(smoothed + 1e-3)
    inside, outside = histograms
    return (inside / (inside + outside)).astype(np.float32)[index]


def sides(place: Place, image: NDArray) -> NDArray:
    """How near each voxel is to the lesion rather than to what lies around it, by the way in the image, from 0 to 1.

    The share d_out / (d_in + d_out) of two geodesic distances, as in the engine of two-sided geodesics, on every
    second voxel: a twentieth of a second, and the network sees the rest for itself.
    """
    spacing = tuple(2 * edge for edge in place.spacing)
    coarse = _halved(image)
    points, outside = ((each - 0.5) / 2 for each in (place.points, place.outside))
    within = _star(points, coarse.shape)
    beyond = _beyond(Place(coarse.shape, points, spacing, outside, place.depth))
    start = np.where(np.stack([beyond & ~within, within]), np.float32(0), np.float32(np.inf))
    costs = all_costs(coarse[..., None], spacing, EDGE_WEIGHT)
    # without a voxel that is surely outside, all is inside
    out, inside = np.minimum(swept(start, costs, rounds=ROUNDS), _FAR)
    return _doubled(out / np.maximum(out + inside, np.float32(1e-6)), image.shape)


def _star(points: NDArray, shape: tuple[int, int, int]) -> NDArray:
    """The voxels on straight lines from the points to their mean."""
    found = np.zeros(shape, dtype=bool)
    middle = points.mean(axis=0)
    for point in points:
        steps = int(np.ceil(np.abs(point - middle).max())) * 2 + 1
        line = point + np.linspace(0.0, 1.0, steps)[:, None] * (middle - point)
        found[_nearest(line, shape)] = True
    return found


def _beyond(place: Place) -> NDArray:
    """Where no lesion is: far outside of the box and of the ellipsoid that the points allow, and at negative points."""
    edges = np.array(place.spacing)
    half = np.ptp(place.points, axis=0) * edges / 2 + place.depth
    offsets = place.offsets(place.centre)
    found = sum((d / np.float32(h)) ** 2 for d, h in zip(offsets, half, strict=True)) > ROOM**2
    for d, h in zip(offsets, half, strict=True):
        found = found | (np.abs(d) > h + SLACK)
    for axis in range(3):
        np.moveaxis(found, axis, 0)[[0, -1]] = True
    for point in place.outside:
        found |= sum(d**2 for d in place.offsets(point)) <= NEGATIVE_RADIUS**2
    found[_nearest(place.outside, place.shape)] = True
    return found


def _nearest(points: NDArray, shape: tuple[int, int, int]) -> tuple[NDArray, ...]:
    """The index of the voxels nearest to points (n, 3)."""
    return tuple(np.clip(np.rint(points).astype(int), 0, np.array(shape) - 1).T)


def _halved(image: NDArray) -> NDArray:
    """Means of 2 x 2 x 2 voxels, the last one twice where their number is odd."""
    even = np.pad(image, [(0, n % 2) for n in image.shape], mode="edge")
    a, b, c = (n // 2 for n in even.shape)
    return even.reshape(a, 2, b, 2, c, 2).mean(axis=(1, 3, 5))


def _doubled(coarse: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Linearly interpolated, each value in the middle of the 2 x 2 x 2 voxels that it stands for."""
    found = coarse
    for axis, count in enumerate(shape):
        at = np.clip((np.arange(count) - 0.5) / 2, 0, found.shape[axis] - 1)
        low = np.minimum(at.astype(np.intp), max(found.shape[axis] - 2, 0))
        high = np.minimum(low + 1, found.shape[axis] - 1)
        weight = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        found = (1 - weight) * found.take(low, axis) + weight * found.take(high, axis)
    return found


MAPS: dict[str, Callable[[Place, NDArray], NDArray]] = {
    "points": lambda place, image: heat(place),  # noqa: ARG005
    "box": box,
    "ellipsoid": ellipsoid,
    "likelihood": likelihood,
    "sides": sides,
}
"""Name to map (a, b, c) float32 of the points and of the normalised first image."""
