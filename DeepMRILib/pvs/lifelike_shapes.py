"""Thin things that life-like patches hold: tubes around a bent line, and plates. They are drawn as clouds of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from DeepMRILib.random_fields import Random

STEPS, AROUND = 96, 32
"""Points along a tube, and in each cross-section: of a tube of 1 mm and 10 mm, 0.1 to 0.2 mm apart."""
_KNOTS = 5


@dataclass(frozen=True, eq=False)
class Tubes:
    """Tubes around cubic splines.

    Attributes:
        points: (n, 96, 32, 3) float32, voxels.
        weights: (n, 96, 32) float32, the volume that each point stands for, mm3.
    """

    points: NDArray
    weights: NDArray

    def kept(self, inside: NDArray) -> Tubes:
        """Without the points outside a mask (x, y, z); where more than half of a cross-section is lost, all of it."""
        within = lookup(inside, self.points)
        within &= within.mean(axis=2, keepdims=True) > 0.5
        return Tubes(self.points, self.weights * within)


def tubes(
    random: Random, starts: NDArray, directions: NDArray, lengths: NDArray, diameters: NDArray, *, bend: float = 0.05
) -> Tubes:
    """Tubes that begin at points and run in directions.

    A tube is elliptic (up to 1 : 1.6), tapers by up to 40 %, and one in five is beaded or interrupted.

    Args:
        starts: (n, 3) voxels.
        directions: (n, 3) unit vectors.
        lengths, diameters: (n,) mm.
        bend: how far the inner knots of the spline lie beside a straight line, as a fraction of the length.
    """
    count = len(starts)
    first, second = _across(random, directions)
    t = np.linspace(0, 1, STEPS)
    aside = random.normal(0, 1, (count, _KNOTS, 2)) * (bend * lengths)[:, None, None]
    knots = (
        starts[:, None]
        + directions[:, None] * (lengths[:, None] * np.linspace(0, 1, _KNOTS))[:, :, None]
        + first[:, None] * aside[:, :, :1]
        + second[:, None] * aside[:, :, 1:]
    )
    line = CubicSpline(np.linspace(0, 1, _KNOTS), knots, axis=1)(t)
    radii = _radii(random, lengths, diameters, t)
    number = np.arange(AROUND) + 0.5
    distance, angle = np.sqrt(number / AROUND), number * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(random.uniform(1.0, 1.6, count))[:, None, None]
    offsets = [radii[:, :, None] * distance * shape for shape in (np.cos(angle), np.sin(angle))]
    points = (
        line[:, :, None]
        + first[:, None, None] * (offsets[0] * flat)[..., None]
        + second[:, None, None] * (offsets[1] / flat)[..., None]
    )
    step = np.linalg.norm(np.gradient(line, axis=1), axis=2)
    weights = np.pi * radii**2 * step / AROUND
    return Tubes(points.astype(np.float32), np.repeat(weights[:, :, None], AROUND, axis=2).astype(np.float32))


def _radii(random: Random, lengths: NDArray, diameters: NDArray, t: NDArray) -> NDArray:
    """(n, steps) mm; 0 where a tube is interrupted."""
    count = len(lengths)
    taper = random.uniform(-0.4, 0.4, (count, 1))
    radii = diameters[:, None] / 2 * (1 + taper * (t - 0.5))
    waves = lengths[:, None] / random.uniform(2, 5, (count, 1)) * t + random.uniform(0, 1, (count, 1))
    wave = np.sin(2 * np.pi * waves)
    kind = random.uniform(0, 1, (count, 1))
    radii = np.where(kind < 0.12, radii * (1 + 0.4 * wave), radii)
    radii = np.where((kind > 0.92) & (wave < -0.3), 0.0, radii)
    return radii * np.sqrt(np.clip(12 * t * (1 - t), 0, 1))  # rounded ends


def plate(random: Random, middle: NDArray, normal: NDArray, size: tuple[float, float], thickness: float) -> NDArray:
    """Points (n, 3), voxels, of a bent plate; each stands for 1/64 mm3."""
    first, second = _across(random, normal[None])
    counts = [max(4, round(4 * extent)) for extent in (*size, thickness)]
    u, v, w = ((np.linspace(-0.5, 0.5, n) * extent) for n, extent in zip(counts, (*size, thickness), strict=True))
    u, v, w = (part.ravel() for part in np.meshgrid(u, v, w, indexing="ij"))
    round_edge = (u / size[0]) ** 2 + (v / size[1]) ** 2 < 0.25
    u, v, w = u[round_edge], v[round_edge], w[round_edge]
    bends = random.normal(0, 0.012, 3)
    height = bends[0] * u**2 + bends[1] * v**2 + bends[2] * u * v + w
    return (middle + u[:, None] * first + v[:, None] * second + height[:, None] * normal).astype(np.float32)


def filled(points: NDArray, weights: NDArray | float, shape: tuple[int, ...]) -> NDArray:
    """How much of each voxel (x, y, z) points (..., 3) of given volumes (mm3) fill, from 0 to 1, float32."""
    where = np.rint(points.reshape(-1, 3)).astype(np.intp)
    inside = ((where >= 0) & (where < shape)).all(axis=1)
    where = where[inside]
    volumes = np.broadcast_to(weights, points.shape[:-1]).reshape(-1)[inside]
    flat = (where[:, 0] * shape[1] + where[:, 1]) * shape[2] + where[:, 2]
    return np.bincount(flat, volumes, int(np.prod(shape))).reshape(shape).astype(np.float32)


def lookup(mask: NDArray, points: NDArray) -> NDArray:
    """What a mask (x, y, z) says at points (..., 3), False beyond its edges."""
    where = np.rint(points).astype(np.intp)
    inside = ((where >= 0) & (where < mask.shape)).all(axis=-1)
    where = np.where(inside[..., None], where, 0)
    return mask[where[..., 0], where[..., 1], where[..., 2]] & inside


def _across(random: Random, directions: NDArray) -> tuple[NDArray, NDArray]:
    """Two unit vectors (n, 3) each, at right angles to directions and to one another."""
    other = random.standard_normal(directions.shape)
    first = np.cross(directions, other)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return first, np.cross(directions, first)
