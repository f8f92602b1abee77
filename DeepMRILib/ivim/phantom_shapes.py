"""Solid shapes in millimetres, for drawing anatomy: each knows its distance function and the box that holds it.

A shape is negative inside and positive outside, in mm. Shapes combine as sets do: ``a | b``, ``a & b``, ``a - b``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

NOISE_KNOTS = 32
"""Knots of a noise field along each axis; the field repeats after as many knot distances."""

CURVE_STEPS = 4
FAR = np.float32(40)
"""Distances of tubes are cut off here, in mm: more than any radius, growth or fillet that is drawn."""

EVERYWHERE = 1e6


class Points(NamedTuple):
    """Where shapes are evaluated: RAS mm, and two smooth noise fields that roughen outlines."""

    x: NDArray
    y: NDArray
    z: NDArray
    coarse: NDArray
    fine: NDArray


Distance = Callable[[Points], NDArray]


@dataclass(frozen=True)
class Shape:
    """A solid: its distance function, and the corners of a box (x, y, z in mm) outside of which it is not."""

    distance: Distance
    low: tuple[float, float, float] = (-EVERYWHERE,) * 3
    high: tuple[float, float, float] = (EVERYWHERE,) * 3

    def __or__(self, other: Shape) -> Shape:
        return self.joined(other, 0.0)

    def __and__(self, other: Shape) -> Shape:
        low, high = np.maximum(self.low, other.low), np.minimum(self.high, other.high)
        return Shape(lambda p: np.maximum(self.distance(p), other.distance(p)), tuple(low), tuple(high))

    def __sub__(self, other: Shape) -> Shape:
        return Shape(lambda p: np.maximum(self.distance(p), -other.distance(p)), self.low, self.high)

    def joined(self, other: Shape, blend: float) -> Shape:
        """The union, with a fillet of ``blend`` mm where the two meet."""

        def distance(p: Points) -> NDArray:
            a, b = self.distance(p), other.distance(p)
            if blend == 0:
                return np.minimum(a, b)
            overlap = np.maximum(blend - np.abs(a - b), 0)
            return np.minimum(a, b) - overlap**2 / (4 * blend)

        low, high = np.minimum(self.low, other.low) - blend, np.maximum(self.high, other.high) + blend
        return Shape(distance, tuple(low), tuple(high))

    def grown(self, by: float) -> Shape:
        """Thicker by ``by`` mm on all sides; thinner when negative."""
        low, high = np.subtract(self.low, max(by, 0)), np.add(self.high, max(by, 0))
        return Shape(lambda p: self.distance(p) - by, tuple(low), tuple(high))

    def rough(self, coarse: float = 0.0, fine: float = 0.0) -> Shape:
        """The outline moved in and out by about ``coarse`` and ``fine`` mm over centimetres and millimetres."""
        margin = 2 * (coarse + fine)
        low, high = np.subtract(self.low, margin), np.add(self.high, margin)
        return Shape(lambda p: self.distance(p) + coarse * p.coarse + fine * p.fine, tuple(low), tuple(high))


def ellipsoid(
    center: Sequence[float], radii: Sequence[float], turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Shape:
    """An ellipsoid, turned about x, then y, then z by degrees."""
    matrix = _rotation(turn)
    radii = np.asarray(radii, dtype=np.float32)
    # the half width of a turned ellipsoid along an axis is the length of its radii projected on it
    half = np.linalg.norm(matrix * radii, axis=1)

    def distance(p: Points) -> NDArray:
        offsets = (p.x - np.float32(center[0]), p.y - np.float32(center[1]), p.z - np.float32(center[2]))
        unit = far = 0
        for column, radius in zip(matrix.T.astype(np.float32), radii, strict=True):
            along = (offsets[0] * column[0] + offsets[1] * column[1] + offsets[2] * column[2]) / radius
            unit, far = unit + along**2, far + (along / radius) ** 2
        unit = np.sqrt(unit)
        # first-order distance: the implicit function over its gradient
        return unit * (unit - 1) / np.sqrt(far + np.float32(1e-12))

    return Shape(distance, tuple(np.subtract(center, half)), tuple(np.add(center, half)))


def tube(points: ArrayLike, radii: ArrayLike) -> Shape:
    """A tube along a smooth curve through points (n, 3), with a radius in mm at each of them."""
    path = _smooth_path(np.c_[np.asarray(points, dtype=float), np.broadcast_to(radii, len(points))])
    path = path.astype(np.float32)

    def distance(p: Points) -> NDArray:
        nearest = np.full(np.broadcast_shapes(p.x.shape, p.y.shape, p.z.shape), FAR, dtype=np.float32)
        bottom, top = p.z.min() - FAR, p.z.max() + FAR
        for start, stop in pairwise(path):
            if max(start[2], stop[2]) < bottom or min(start[2], stop[2]) > top:
                continue  # too far above or below to matter: three quarters of the pieces of a vessel
            step = stop - start
            x, y, z = p.x - start[0], p.y - start[1], p.z - start[2]
            along = (x * step[0] + y * step[1] + z * step[2]) / max(float(step[:3] @ step[:3]), 1e-6)
            along = np.clip(along, 0, 1)
            away = np.sqrt((x - along * step[0]) ** 2 + (y - along * step[1]) ** 2 + (z - along * step[2]) ** 2)
            nearest = np.minimum(nearest, away - start[3] - along * step[3])
        return nearest

    low, high = (path[:, :3] - path[:, 3:]).min(0), (path[:, :3] + path[:, 3:]).max(0)
    return Shape(distance, tuple(low.tolist()), tuple(high.tolist()))


def _smooth_path(path: NDArray) -> NDArray:
    """Points on the Catmull-Rom curve through the given ones."""
    if len(path) < 3:
        return path
    padded = np.r_[[2 * path[0] - path[1]], path, [2 * path[-1] - path[-2]]]
    t = np.linspace(0, 1, CURVE_STEPS, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], strict=True):
        pieces.append(b + t * (c - a) / 2 + t**2 * (a - 2.5 * b + 2 * c - d / 2) + t**3 * (1.5 * (b - c) + (d - a) / 2))
    return np.concatenate([*pieces, path[-1:]])


def _rotation(turn: tuple[float, float, float]) -> NDArray:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(turn)):
        a, b = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        matrix = step @ matrix
    return matrix


class NoiseField:
    """A smooth random field in space, of mean 0 and standard deviation about 1: a cubic B-spline of random knots.

    It depends on millimetres alone, so the same seed draws the same anatomy on any grid.

    Args:
        scale: distance of the knots in mm, about the size of its blobs.
        rng: gives the knots.
    """

    def __init__(self, scale: float, rng: np.random.Generator) -> None:
        self.scale = scale
        # a cubic B-spline keeps (sum of its squared weights)^(3/2) = 0.332 of white noise's deviation on average
        self._knots = (rng.standard_normal((NOISE_KNOTS,) * 3) / 0.332).astype(np.float32)

    def __call__(self, x: NDArray, y: NDArray, z: NDArray) -> NDArray:
        """The field on the grid of three coordinate vectors in mm: (len(x), len(y), len(z))."""
        field = self._knots
        for coordinates in (z, y, x):  # each product takes the last axis and puts the new one first
            field = np.tensordot(self._weights(coordinates), field, axes=(1, 2))
        return field

    def _weights(self, coordinates: NDArray) -> NDArray:
        place = np.asarray(coordinates, dtype=float) / self.scale
        whole = np.floor(place).astype(int)
        t = place - whole
        parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
        weights = np.zeros((len(place), NOISE_KNOTS), dtype=np.float32)
        for offset, part in enumerate(parts):
            weights[np.arange(len(place)), (whole + offset - 1) % NOISE_KNOTS] += part / 6
        return weights
