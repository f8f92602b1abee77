"""Shapes of generated lesions: level functions of several families, stretched, turned, bent and roughened."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.random_fields import Grid, Random, log_uniform, octaves, rotation, smooth_noise

REACH = 3.0
"""Shapes lie within so many radii of their centre along each axis."""

Level = Callable[[Random, NDArray], NDArray]


def level_function(random: Random) -> Callable[[Grid], NDArray]:
    """A random shape of radius about 1: positive inside, about the distance to its surface; the same at each call."""
    family = FAMILIES[random.choice(len(FAMILIES), p=_WEIGHTS)]
    seeds = random.integers(2**32, size=4)
    stretch = np.exp(random.normal(0, random.choice([0.08, 0.28]), 3))
    matrix = rotation(random) / stretch[:, None]
    bend, bend_scale = random.uniform(0, 0.3), random.uniform(0.5, 1.3)
    rough = random.choice([0.0, random.uniform(0.01, 0.06), random.uniform(0.05, 0.16)], p=[0.25, 0.4, 0.35])
    rough_scale, depth = log_uniform(random, 0.12, 0.6), int(random.integers(1, 4))
    fall = random.uniform(0.4, 0.9)

    def level(grid: Grid) -> NDArray:
        points = grid.points()
        warp = np.random.default_rng(seeds[0])
        for axis in range(3):
            points[axis] += np.float32(bend) * smooth_noise(warp, grid, bend_scale, REACH)
        points = np.tensordot(matrix.astype(np.float32), points, axes=1)
        found = family(np.random.default_rng(seeds[1]), points)
        if rough:
            noise = octaves(np.random.default_rng(seeds[2]), grid, rough_scale, depth, fall, reach=REACH)
            found += np.float32(rough) * noise
        return found

    return level


def main_piece(inside: NDArray) -> NDArray:
    """The largest connected part of a mask, holes filled."""
    labels, count = ndimage.label(inside)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        inside = labels == sizes.argmax()
    return ndimage.binary_fill_holes(inside)


def _ridges(random: Random, points: NDArray) -> NDArray:
    """A ball whose radius is a sum of plane waves over the direction: what spherical harmonics give, but cheap."""
    radius = np.sqrt((points**2).sum(axis=0)) + np.float32(1e-3)
    direction = points / radius
    count = int(random.integers(3, 12))
    waves = random.standard_normal((count, 3)) * random.uniform(1.0, 4.5)
    size = random.uniform(0.05, 0.4) / np.sqrt(count)
    bumps = np.zeros_like(radius)
    for wave in waves.astype(np.float32):
        bumps += np.cos(np.tensordot(wave, direction, axes=1) + np.float32(random.uniform(0, 6.28)))
    return 1 + np.float32(size) * bumps - radius


def _balls(random: Random, points: NDArray) -> NDArray:
    """Balls along a random walk, melted together: lobulated."""
    centre, softness = np.zeros(3), np.float32(random.uniform(0.03, 0.15))
    total = np.zeros(points.shape[1:], dtype=np.float32)
    for _ in range(random.integers(2, 8)):
        radius = random.uniform(0.3, 0.75)
        distance = np.sqrt(((points - centre[:, None, None, None].astype(np.float32)) ** 2).sum(axis=0))
        total += np.exp(np.clip((np.float32(radius) - distance) / softness, -30, 30))
        step = random.standard_normal(3)
        centre = 0.9 * centre + radius * random.uniform(0.5, 1.1) * step / np.linalg.norm(step)
    return softness * np.log(total + np.float32(1e-12))


def _rounded_box(random: Random, points: NDArray) -> NDArray:
    """Between an ellipsoid and a box."""
    power = np.float32(log_uniform(random, 1.6, 6.0))
    return 1 - (np.abs(points) ** power).sum(axis=0) ** (1 / power)


def _clump(random: Random, points: NDArray) -> NDArray:
    """A level set of noise that falls off with the distance from the centre: irregular, with bays."""
    axes = tuple(np.linspace(-2.5, 2.5, 48, dtype=np.float32) for _ in range(3))
    noise = octaves(random, Grid(axes), random.uniform(0.35, 0.9), int(random.integers(1, 3)), 0.5)
    index = (points + np.float32(2.5)) * np.float32(47 / 5)
    radius = np.sqrt((points**2).sum(axis=0))
    noise = ndimage.map_coordinates(noise, index, order=1, mode="nearest")
    return 1 - radius + np.float32(random.uniform(0.1, 0.45)) * noise


def _sausage(random: Random, points: NDArray) -> NDArray:
    """Around an arc, with a radius that varies along it."""
    turn, radius = random.uniform(0.2, 3.5), random.uniform(0.3, 0.6)
    along = np.linspace(-0.5, 0.5, 13)
    reach = random.uniform(1.0, 2.4)
    curve = np.stack([np.sin(turn * along) / turn, (1 - np.cos(turn * along)) / turn, 0 * along]).T * reach
    radii = radius * np.exp(np.interp(along, np.linspace(-0.5, 0.5, 4), random.normal(0, 0.25, 4)))
    curve -= curve.mean(axis=0)
    best = np.full(points.shape[1:], -np.inf, dtype=np.float32)
    for centre, size in zip(curve.astype(np.float32), radii.astype(np.float32), strict=True):
        np.maximum(best, size - np.sqrt(((points - centre[:, None, None, None]) ** 2).sum(axis=0)), out=best)
    return best


def _bitten(random: Random, points: NDArray) -> NDArray:
    """A ball out of which another has taken a bite: a crescent, a kidney."""
    direction = random.standard_normal(3)
    direction /= np.linalg.norm(direction)
    size = random.uniform(0.5, 1.2)
    centre = direction * (size + random.uniform(0.1, 0.7))
    bite = np.sqrt(((points - centre[:, None, None, None].astype(np.float32)) ** 2).sum(axis=0)) - np.float32(size)
    return np.minimum(1 - np.sqrt((points**2).sum(axis=0)), bite)


FAMILIES: tuple[Level, ...] = (_ridges, _balls, _rounded_box, _clump, _sausage, _bitten)
_WEIGHTS = (0.3, 0.2, 0.12, 0.2, 0.1, 0.08)
