"""What a generated lesion and its surroundings look like before they are imaged: one value per point of a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.random_fields import Grid, Random, log_uniform, octaves, smooth_noise


def scene(random: Random, grid: Grid, inside: NDArray) -> NDArray:
    """Values (i, j, k) float32 of a lesion ``inside`` (i, j, k) bool and of what lies around it; ``grid`` is in mm.

    The lesion differs from the mean of its surroundings by about 1, up or down.
    """
    depth = _depth(grid, inside)
    sign = random.choice([-1.0, 1.0])
    around = _background(random, grid, sign)
    around = _alike(random, grid, around, sign)
    around = _neighbours(random, grid, around, depth, sign)
    lesion = _lesion(random, grid, depth, sign)
    if random.random() < 0.2:
        reach, weight = random.uniform(2, 9), random.uniform(0.15, 0.6)
        halo = np.exp(-np.maximum(-depth, 0) / reach) * weight
        around = around + halo * (sign * random.uniform(0.4, 1.1) - around)
    return np.where(inside, lesion, around).astype(np.float32)


def _depth(grid: Grid, inside: NDArray) -> NDArray:
    """The signed distance to the surface in mm, positive inside."""
    step = float(grid.axes[0][1] - grid.axes[0][0])
    within = ndimage.distance_transform_edt(inside)
    without = ndimage.distance_transform_edt(~inside)
    return ((within - without) * step).astype(np.float32)


def _background(random: Random, grid: Grid, sign: float) -> NDArray:
    """Tissues as cells, layers or a continuum, around 0; the lesion will be at ``sign``."""
    spread = random.uniform(0.05, 0.6)
    kind = random.choice(["plain", "cells", "layers", "continuum"], p=[0.25, 0.3, 0.15, 0.3])
    if kind == "plain":
        found = np.zeros(grid.shape, dtype=np.float32)
    elif kind == "continuum":
        scale = log_uniform(random, 4, 30)
        found = np.float32(spread) * octaves(random, grid, scale, int(random.integers(1, 4)), random.uniform(0.3, 0.9))
    else:
        count = int(random.integers(2, 6))
        values = (random.standard_normal(count) * spread).astype(np.float32)
        values -= np.float32(sign * max(0.0, sign * values.mean()))
        index = _cells(random, grid, count) if kind == "cells" else _layers(random, grid, count)
        found = values[index]
    if random.random() < 0.15:
        found = np.where(_half_space(random, grid), np.float32(random.uniform(-2.0, -0.5)), found)
    texture = random.uniform(0, 0.25)
    return found + np.float32(texture) * octaves(random, grid, log_uniform(random, 1.5, 10), 2, 0.7)


def _cells(random: Random, grid: Grid, count: int) -> NDArray:
    """Which of ``count`` smooth fields is the highest."""
    scale = log_uniform(random, 6, 30)
    best, index = smooth_noise(random, grid, scale), np.zeros(grid.shape, dtype=np.intp)
    for number in range(1, count):
        field = smooth_noise(random, grid, scale)
        index[field > best] = number
        np.maximum(best, field, out=best)
    return index


def _layers(random: Random, grid: Grid, count: int) -> NDArray:
    """Bent layers of various thickness."""
    normal = random.standard_normal(3)
    normal /= np.linalg.norm(normal)
    positions = np.meshgrid(*grid.axes, indexing="ij", sparse=True)
    along = sum(n * axis for n, axis in zip(normal, positions, strict=True))
    along = along + random.uniform(0, 8) * smooth_noise(random, grid, random.uniform(15, 40))
    return (np.floor(along / random.uniform(3, 15) + random.uniform()) % count).astype(np.intp)


def _half_space(random: Random, grid: Grid) -> NDArray:
    """Beyond a bent plane that passes at the edge of the grid: air."""
    normal = random.standard_normal(3)
    normal /= np.linalg.norm(normal)
    points = grid.points()
    along = np.tensordot(normal.astype(np.float32), points, axes=1)
    return along + random.uniform(0, 4) * smooth_noise(random, grid, 20) > random.uniform(0.55, 0.95) * along.max()


def _alike(random: Random, grid: Grid, around: NDArray, sign: float) -> NDArray:
    """With patches that are as bright as the lesion."""
    if random.random() < 0.4:
        return around
    noise = octaves(random, grid, log_uniform(random, 3, 22), int(random.integers(1, 3)), 0.6)
    share = random.uniform(0.03, 0.35)
    patches = noise > np.quantile(noise.ravel()[::7], 1 - share)
    return np.where(patches, np.float32(sign * random.normal(1, 0.15)) + np.float32(0.3) * around, around)


def _neighbours(random: Random, grid: Grid, around: NDArray, depth: NDArray, sign: float) -> NDArray:
    """With organs that touch the lesion and vessels that pass it."""
    found = around.copy()
    points = grid.points()
    surface = np.argwhere(np.abs(depth) < 2 * float(grid.axes[0][1] - grid.axes[0][0]))
    for _ in range(random.choice([0, 1, 2], p=[0.5, 0.35, 0.15])):
        if not len(surface):
            break
        at = surface[random.integers(len(surface))]
        place = np.array([axis[n] for axis, n in zip(grid.axes, at, strict=True)])
        outward = place / (np.linalg.norm(place) + 1e-6)
        radius = random.uniform(5, 25)
        centre = place + outward * radius * random.uniform(0.8, 1.1)
        stretch = np.exp(random.normal(0, 0.25, 3)).astype(np.float32)[:, None, None, None]
        stretched = (points - centre[:, None, None, None].astype(np.float32)) * stretch
        organ = np.sqrt((stretched**2).sum(axis=0)) + 1.5 * smooth_noise(random, grid, 10) < radius
        value = sign * random.choice([random.normal(1, 0.08), random.uniform(-0.6, 1.8)])
        found[organ] = np.float32(value) + np.float32(0.1) * smooth_noise(random, grid, 5)[organ]
    for _ in range(random.choice([0, 1, 2, 3], p=[0.6, 0.2, 0.1, 0.1])):
        found[_vessel(random, grid, points)] = np.float32(random.choice([-1, 1]) * random.uniform(0.5, 2.0))
    return found


def _vessel(random: Random, grid: Grid, points: NDArray) -> NDArray:
    """A bent tube: where two fields are both close to their values at a point."""
    along = random.standard_normal(3)
    along /= np.linalg.norm(along)
    one = np.cross(along, random.standard_normal(3))
    one /= np.linalg.norm(one)
    two = np.cross(along, one)
    reach = max(float(axis[-1]) for axis in grid.axes)
    bend, radius = random.uniform(0, 6), random.uniform(1, 4)
    u = np.tensordot(one.astype(np.float32), points, axes=1) - random.uniform(-0.9, 0.9) * reach
    v = np.tensordot(two.astype(np.float32), points, axes=1) - random.uniform(-0.9, 0.9) * reach
    u += bend * smooth_noise(random, grid, 20)
    v += bend * smooth_noise(random, grid, 20)
    return u**2 + v**2 < radius**2


def _lesion(random: Random, grid: Grid, depth: NDArray, sign: float) -> NDArray:
    """The values inside: texture, a gradient, a core, a rim, septa, spots."""
    texture = random.choice([random.uniform(0, 0.1), random.uniform(0.05, 0.4)])
    scale, count = log_uniform(random, 1.5, 15), int(random.integers(1, 4))
    value = sign + np.float32(texture) * octaves(random, grid, scale, count, 0.7)
    if random.random() < 0.3:
        value = value + random.uniform(0.1, 0.4) * smooth_noise(random, grid, random.uniform(20, 50))
    deepest = max(float(depth.max()), 1.0)
    if random.random() < 0.4:
        wobble = random.uniform(0, 0.35) * deepest * smooth_noise(random, grid, log_uniform(random, 4, 16))
        core = depth + wobble > deepest * random.uniform(0.3, 0.8)
        value = np.where(core, np.float32(sign * random.uniform(-0.6, 0.7)) + np.float32(0.15) * (value - sign), value)
    if random.random() < 0.25:
        inner = np.float32(sign * random.uniform(0.0, 0.9))
        value = np.where(depth > random.uniform(1.5, 5.0), inner + 0.3 * (value - sign), value)
    if random.random() < 0.3:
        field = smooth_noise(random, grid, log_uniform(random, 5, 16))
        thin = np.abs(field) < random.uniform(0.05, 0.25)
        septa = random.choice([random.uniform(1.2, 2.2), random.uniform(-0.3, 0.6)])
        value = np.where(thin, np.float32(sign * septa), value)
    if random.random() < 0.15:
        spots = smooth_noise(random, grid, random.uniform(2, 5)) > random.uniform(1.6, 2.3)
        value = np.where(spots, np.float32(random.uniform(-1.5, 2.5)), value)
    return value
