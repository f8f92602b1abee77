"""Places in a head and the shapes that it is drawn from; a shape's level is about mm, negative inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Centre = Sequence[float]
Box = tuple[slice, slice, slice]
FAR = np.float32(50)
"""Levels are cut off here, in mm."""
_LATTICE = 48


class Field:
    """A smooth random field in space: mean 0, standard deviation 1, the same in mm on every grid.

    White noise on a lattice is filtered to a band of wavelengths about ``wavelength`` mm and interpolated.
    """

    def __init__(self, wavelength: float, rng: np.random.Generator, *, band: bool = False) -> None:
        self._step = wavelength / 6
        noise = rng.standard_normal((_LATTICE,) * 3).astype(np.float32)
        smooth = ndimage.gaussian_filter(noise, 1.2, mode="wrap")
        if band:  # without the slow part ridges lie at even distances, as gyri do
            smooth = smooth - ndimage.gaussian_filter(noise, 1.9, mode="wrap")
        self._values = np.pad(smooth / smooth.std(), ((0, 1),) * 3, mode="wrap")

    def __call__(self, x: NDArray, y: NDArray, z: NDArray) -> NDArray:
        """The field at places in mm, arrays of one shape."""
        places = [np.mod(axis / self._step, _LATTICE) for axis in (x, y, z)]
        return ndimage.map_coordinates(self._values, places, order=1, output=np.float32)


class Space:
    """The places of a grid's voxels in mm, bent by a few mm so that nothing is a perfect ellipse.

    Attributes:
        x, y, z: (i, j, k) float32, to the right, front and top.
    """

    def __init__(self, axes: Sequence[NDArray], bend: Sequence[Field], by: float) -> None:
        self._axes = axes
        # a bend is smooth: it is found on every fourth voxel
        few = [np.append(axis[:-1:4], axis[-1]) for axis in axes]
        coarse = np.meshgrid(*few, indexing="ij")
        weights = [_between(axis, nodes) for axis, nodes in zip(axes, few, strict=True)]
        plain = np.meshgrid(*axes, indexing="ij", sparse=True)
        self.x, self.y, self.z = (
            (axis + by * _along_all(field(*coarse), weights)).astype(np.float32)
            for axis, field in zip(plain, bend, strict=True)
        )

    def box(self, low: Centre, high: Centre, margin: float = 8.0) -> Box:
        """The voxels between two corners in mm, with some more on all sides for the bend."""
        ranges = []
        for axis, first, last in zip(self._axes, low, high, strict=True):
            start, stop = np.searchsorted(axis, [first - margin, last + margin])
            ranges.append(slice(int(start), int(stop)))
        return tuple(ranges)

    def at(self, box: Box) -> tuple[NDArray, NDArray, NDArray]:
        """x, y, z of a box."""
        return self.x[box], self.y[box], self.z[box]


def _between(axis: NDArray, nodes: NDArray) -> NDArray:
    """Weights (place, node) of linear interpolation."""
    if len(nodes) == 1:
        return np.ones((len(axis), 1), np.float32)
    right = np.clip(np.searchsorted(nodes, axis), 1, len(nodes) - 1)
    share = (axis - nodes[right - 1]) / np.maximum(nodes[right] - nodes[right - 1], 1e-9)
    weights = np.zeros((len(axis), len(nodes)), np.float32)
    places = np.arange(len(axis))
    weights[places, right - 1] += 1 - share
    weights[places, right] += share
    return weights


def _along_all(values: NDArray, weights: Sequence[NDArray]) -> NDArray:
    for matrix in weights:  # each product takes the first axis and puts the new one last
        values = np.tensordot(values, matrix, axes=(0, 1))
    return values


def ellipsoid(
    places: tuple[NDArray, NDArray, NDArray], centre: Centre, radii: Centre, tilt: tuple[float, float] = (0.0, 0.0)
) -> NDArray:
    """Level of an ellipsoid, turned about x and then z by degrees."""
    x, y, z = (axis - np.float32(place) for axis, place in zip(places, centre, strict=True))
    for angle, pair in zip(np.radians(tilt), ("yz", "xy"), strict=True):
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        if pair == "yz":
            y, z = c * y + s * z, c * z - s * y
        else:
            x, y = c * x + s * y, c * y - s * x
    a, b, c = (np.float32(1 / radius) for radius in radii)
    unit = np.sqrt((x * a) ** 2 + (y * b) ** 2 + (z * c) ** 2)
    steep = np.sqrt((x * a * a) ** 2 + (y * b * b) ** 2 + (z * c * c) ** 2)
    # first-order distance: the implicit function over its gradient
    return unit * (unit - 1) / (steep + np.float32(1e-6))


def chain(x: NDArray, y: NDArray, z: NDArray, points: NDArray) -> NDArray:
    """Level of balls (n, 4: centre and radius) joined one to the next by cones."""
    level = np.full(np.broadcast_shapes(x.shape, y.shape, z.shape), FAR, dtype=np.float32)
    for start, stop in pairwise(np.asarray(points, dtype=np.float32)):
        step = stop - start
        dx, dy, dz = x - start[0], y - start[1], z - start[2]
        along = np.clip((dx * step[0] + dy * step[1] + dz * step[2]) / (step[:3] @ step[:3]), 0, 1)
        away = np.sqrt((dx - along * step[0]) ** 2 + (dy - along * step[1]) ** 2 + (dz - along * step[2]) ** 2)
        np.minimum(level, away - start[3] - along * step[3], out=level)
    return level


def joined(a: NDArray, b: NDArray, fillet: float) -> NDArray:
    """Level of two shapes together, rounded where they meet."""
    h = np.maximum(fillet - np.abs(a - b), 0)
    return np.minimum(a, b) - h * h / np.float32(4 * fillet)
