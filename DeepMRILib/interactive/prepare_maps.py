"""Maps that tell a network where the points are, beside the geodesic one: smooth, and cheap to make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

USUAL_DEPTH = 5.0
"""mm that the points lie inside the margin, as InteractiveNet has it."""
HEAT = 4.0
"""Standard deviation in mm of the Gaussian around a point."""
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
    """

    shape: tuple[int, int, int]
    points: NDArray
    spacing: tuple[float, float, float]

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
    beyond = [np.abs(d) - np.float32(h + USUAL_DEPTH) for d, h in zip(offsets, place.half, strict=True)]
    furthest = np.maximum(np.maximum(beyond[0], beyond[1]), beyond[2])
    return np.clip(furthest / np.float32(_SCALE), -1, 1)


def ellipsoid(place: Place, image: NDArray) -> NDArray:  # noqa: ARG001
    """1 in the middle, 0 on the ellipsoid in the lesion's expected box, cut off at -1."""
    return np.maximum(1 - place.ellipsoid(USUAL_DEPTH), -1)


def likelihood(place: Place, image: NDArray) -> NDArray:
    """How typical each value is of the lesion rather than of what lies around it, from 0 to 1.

    The share h_in / (h_in + h_out) of two smoothed histograms: of the values in the ellipsoid through the points, and
    of those outside the one that the lesion is expected in.
    """
    index = np.clip((image + _RANGE) * (_BINS / (2 * _RANGE)), 0, _BINS - 1).astype(np.intp)
    histograms = []
    for mask in (place.ellipsoid(0.0) <= 1, place.ellipsoid(USUAL_DEPTH) > 1.05):
        counts = np.bincount(index[mask], minlength=_BINS)[:_BINS].astype(float)
        smoothed = ndimage.gaussian_filter1d(counts / max(counts.sum(), 1), 1.5, mode="nearest")
        histograms.append(smoothed + 1e-3)
    inside, outside = histograms
    return (inside / (inside + outside)).astype(np.float32)[index]


MAPS: dict[str, Callable[[Place, NDArray], NDArray]] = {
    "points": lambda place, image: heat(place),  # noqa: ARG005
    "box": box,
    "ellipsoid": ellipsoid,
    "likelihood": likelihood,
}
"""Name to map (a, b, c) float32 of the points and of the normalised first image."""
