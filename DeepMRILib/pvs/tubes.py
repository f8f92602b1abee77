"""Tubes for testing: their centre-lines, their cross-sections, and how much of each voxel they fill.

A centre-line is a random walk with persistent direction (a worm-like chain), drawn towards where vessels go, with a
faint helix around it. A cross-section is an ellipse whose margin is not sharp: a super-Gaussian
f = 2^-(rho^2p) or a parabola f = 1 - rho^2 / 2, both one half at rho = 1; rho is the distance from the centre-line over
the half axis. Tubes are thinner at their ends, and some are beaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import gamma, log

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

STEP_MM = 0.25
FINE_MM = 0.25
"""Tubes are drawn on voxels parted at least so finely."""
_REACH = 1.6  # half axes; beyond that nothing of a tube is left
_LEAST_END = 0.35  # of the radius, at a tube's ends
_BEADED = 0.2  # of the tubes
_RING_VOXELS = 5  # so far a tube's ringing is kept
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)  # of the point spread's integral

Pull = Callable[[NDArray], NDArray]
"""From places (n, 3) in RAS mm to the directions (n, 3) in which vessels go there."""


@dataclass(frozen=True, eq=False)
class Tube:
    """A tube in space.

    Attributes:
        line: (n, 3) RAS mm, about ``STEP_MM`` apart.
        radii: (n,) mm: half the width at which its profile falls to one half; of an ellipse the geometric mean.
        broad: (n, 3) unit vectors along the ellipse's longer axis.
        ratio: of the ellipse's axes, 1 or more.
        power: p of a super-Gaussian, or 0 for a parabola.
        diameter: nominal diameter in mm.
        region: where it lies, in words.
    """

    line: NDArray
    radii: NDArray
    broad: NDArray
    ratio: float
    power: float
    diameter: float
    region: str

    @property
    def length(self) -> float:
        """Along its centre-line, in mm."""
        return float(np.linalg.norm(np.diff(self.line, axis=0), axis=1).sum())

    @property
    def volume(self) -> float:
        """In mm3: the integral of its profile.

        A section integrates to pi r^2 for a parabola, and to pi r^2 Gamma(1 + 1/p) / ln(2)^(1/p) for a super-Gaussian.
        """
        factor = gamma(1 + 1 / self.power) / log(2) ** (1 / self.power) if self.power else 1.0
        steps = np.linalg.norm(np.diff(self.line, axis=0), axis=1)
        square = (self.radii[1:] ** 2 + self.radii[:-1] ** 2) / 2
        return float(np.pi * factor * (square * steps).sum())


@dataclass(frozen=True, eq=False)
class Filled:
    """What a tube fills of a grid's voxels.

    Attributes:
        box: of the grid.
        fraction: (i, j, k) of the box: how much of each voxel the tube fills.
        seen: (i, j, k) of the box: the same as a scanner sees it, with blur and ringing.
    """

    box: tuple[slice, slice, slice]
    fraction: NDArray
    seen: NDArray


def walks(starts: NDArray, lengths: NDArray, pull: Pull, rng: np.random.Generator) -> list[NDArray]:
    """A centre-line (m, 3) in RAS mm from each start (n, 3), of about the wanted length in mm."""
    count, steps = len(starts), int(np.ceil(lengths.max() / STEP_MM)) + 1
    stiff = rng.uniform(15.0, 60.0, (count, 1))  # mm over which a direction persists
    drawn = rng.uniform(0.02, 0.12, (count, 1)) * STEP_MM / 0.25
    direction = _unit(pull(starts) + 0.35 * rng.standard_normal((count, 3)))
    shake = np.zeros((count, 3))
    points = np.empty((steps, count, 3))
    points[0] = starts
    # successive shakes are alike over about 1.5 mm: a vessel has no kinks
    keep = np.exp(-STEP_MM / 1.5)
    gain = np.sqrt(2 * STEP_MM / stiff) * (1 - keep)
    for n in range(1, steps):
        shake = keep * shake + gain * rng.standard_normal((count, 3))
        direction = _unit(direction + shake + drawn * pull(points[n - 1]))
        points[n] = points[n - 1] + STEP_MM * direction
    numbers = np.maximum(np.round(lengths / STEP_MM).astype(int) + 1, 3)
    return [_with_helix(points[:number, n], rng) for n, number in enumerate(numbers)]


def _with_helix(line: NDArray, rng: np.random.Generator) -> NDArray:
    """The line wound a little around itself."""
    turn = 2 * np.pi * STEP_MM / rng.uniform(6.0, 14.0) * np.arange(len(line)) + rng.uniform(0, 2 * np.pi)
    first, second = _frame(line)
    return line + rng.uniform(0.0, 0.25) * (np.cos(turn)[:, None] * first + np.sin(turn)[:, None] * second)


def shaped(line: NDArray, diameter: float, region: str, rng: np.random.Generator) -> Tube:
    """A tube along a line: its ellipse, profile, taper and beads are drawn."""
    along = np.linspace(0, 1, len(line))
    taper = rng.uniform(0.15, 0.45)
    ends = _LEAST_END + (1 - _LEAST_END) * np.sin(np.pi / 2 * np.minimum(np.minimum(along, 1 - along) / taper, 1))
    beads, turn = rng.uniform(0.1, 0.3) * (rng.random() < _BEADED), rng.uniform(0, 2 * np.pi)
    wave = 2 * np.pi * STEP_MM / rng.uniform(2.5, 5.0) * np.arange(len(line))
    radii = diameter / 2 * ends * (1 + beads * np.sin(wave + turn))
    first, second = _frame(line)
    angle = rng.uniform(0, np.pi)
    power = float(rng.uniform(2.5, 5.0)) if rng.random() < 0.7 else 0.0
    broad = np.cos(angle) * first + np.sin(angle) * second
    return Tube(line, radii, broad, float(rng.uniform(1.0, 1.6)), power, float(diameter), region)


def cut(tube: Tube, points: int) -> Tube:
    """The tube's first ``points`` points."""
    return replace(tube, line=tube.line[:points], radii=tube.radii[:points], broad=tube.broad[:points])


def filled(tube: Tube, affine: NDArray, shape: tuple[int, ...], blur: tuple[float, float, float]) -> Filled | None:
    """How much of the voxels of a grid a tube fills; None where it lies outside.

    Args:
        tube: in RAS mm.
        affine: (4, 4) of the grid.
        shape: of the grid.
        blur: width at half height of the point spread in voxels, along i, j and k.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    parts = np.maximum(np.ceil(spacing / FINE_MM - 1e-6).astype(int), 2)
    voxels = _voxels(tube.line, affine)
    wide = (_REACH * tube.radii.max() * np.sqrt(tube.ratio) + STEP_MM) / spacing + 1
    low = np.floor(voxels.min(0) - wide).astype(int)
    high = np.ceil(voxels.max(0) + wide).astype(int) + 1
    fine = _drawn(tube, affine, low, high - low, parts)
    fraction = fine.reshape(np.c_[high - low, parts].ravel()).mean(axis=(1, 3, 5))
    first, last = np.maximum(low - _RING_VOXELS, 0), np.minimum(high + _RING_VOXELS, shape)
    if (first >= last).any():
        return None
    seen = fine
    for axis in range(3):
        places = low[axis] + (np.arange(fine.shape[axis]) + 0.5) / parts[axis] - 0.5
        spread = _point_spread(places, np.arange(first[axis], last[axis]), blur[axis]) / parts[axis]
        # each product takes the first axis and puts the new one last: after three turns they stand in their order
        seen = np.tensordot(seen, spread.astype(np.float32), axes=(0, 0))
    whole = np.zeros(last - first, np.float32)
    inner = [(max(a, f), min(b, z)) for a, b, f, z in zip(low, high, first, last, strict=True)]
    if all(a < b for a, b in inner):
        there = tuple(slice(a - f, b - f) for (a, b), f in zip(inner, first, strict=True))
        whole[there] = fraction[tuple(slice(a - f, b - f) for (a, b), f in zip(inner, low, strict=True))]
    return Filled(tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True)), whole, seen)


def _drawn(tube: Tube, affine: NDArray, low: NDArray, size: NDArray, parts: NDArray) -> NDArray:
    """The tube's profile on the parts of the voxels of a box."""
    fine = np.zeros(size * parts, dtype=np.float32)
    edges = np.linalg.norm(affine[:3, :3], axis=0) / parts
    wide = _REACH * tube.radii.max() * np.sqrt(tube.ratio)
    ranges = [np.arange(-n, n + 1) for n in np.ceil((wide + STEP_MM) / edges).astype(int)]
    ball = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    ball = ball[np.linalg.norm(ball * edges, axis=1) <= wide + STEP_MM + edges.max()]
    near = np.round((_voxels(tube.line, affine) - low + 0.5) * parts - 0.5).astype(int)
    marked = np.zeros(fine.shape, bool)
    for point in np.unique(near, axis=0):
        marked[tuple((point + ball).T)] = True
    places = np.argwhere(marked)
    index = (places + 0.5) / parts - 0.5 + low
    fine[tuple(places.T)] = _profile(tube, index @ affine[:3, :3].T + affine[:3, 3])
    return fine


def _voxels(points: NDArray, affine: NDArray) -> NDArray:
    return np.linalg.solve(affine, np.c_[points, np.ones(len(points))].T).T[:, :3]


def _profile(tube: Tube, points: NDArray) -> NDArray:
    """How much of a tube is at points (n, 3) in RAS mm, from 0 to 1."""
    _, nearest = cKDTree(tube.line).query(points)
    tangent = _unit(np.gradient(tube.line, axis=0))
    away = points - tube.line[nearest]
    along = np.einsum("nd,nd->n", away, tangent[nearest])
    away = away - along[:, None] * tangent[nearest]
    broad = np.einsum("nd,nd->n", away, tube.broad[nearest])
    narrow = np.sqrt(np.maximum(np.einsum("nd,nd->n", away, away) - broad**2, 0))
    radius = np.interp(nearest + along / STEP_MM, np.arange(len(tube.line)), tube.radii)
    square = (broad**2 / tube.ratio + narrow**2 * tube.ratio) / radius**2
    values = np.exp2(-(np.minimum(square, 1e3) ** tube.power)) if tube.power else np.maximum(1 - square / 2, 0)
    beyond = ((nearest == 0) & (along < 0)) | ((nearest == len(tube.line) - 1) & (along > 0))
    return np.where(beyond, 0, values)


def _point_spread(places: NDArray, voxels: NDArray, width: float) -> NDArray:
    """What voxels (m,) see of something at places (n,), both in voxels: (n, m).

    A Gaussian, and of its wave numbers those below Nyquist's: h(u) = 1/pi int_0^pi cos(k u) exp(-k^2 sigma^2 / 2) dk.
    """
    k = np.pi * (_NODES + 1) / 2
    weights = _WEIGHTS / 2 * np.exp(-((k * width / 2.3548) ** 2) / 2)
    middle = places.mean()
    turned = np.exp(1j * np.outer(places - middle, k)) * weights
    return (turned @ np.exp(-1j * np.outer(k, voxels - middle))).real


def _frame(line: NDArray) -> tuple[NDArray, NDArray]:
    """Two directions (n, 3) across a line, which turn with it as little as they can."""
    tangent = _unit(np.gradient(line, axis=0))
    helper = np.eye(3)[np.abs(tangent).max(axis=0).argmin()]
    first = _unit(helper - tangent * (tangent @ helper)[:, None])
    return first, np.cross(tangent, first)


def _unit(vectors: NDArray) -> NDArray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
