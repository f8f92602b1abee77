"""Random smooth fields and grids that generated lesions are made of: cubic B-splines of random control points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Grid:
    """A rectilinear grid of points.

    Attributes:
        axes: the positions along each of the three axes, in mm or in lesion radii.
    """

    axes: tuple[NDArray, NDArray, NDArray]

    @classmethod
    def centred(cls, half: NDArray, step: float) -> Grid:
        """A grid around 0 that reaches at least ``half`` (3,) to each side, with equal steps."""
        counts = np.ceil(np.asarray(half) / step).astype(int)
        return cls(tuple((step * np.arange(-n, n + 1)).astype(np.float32) for n in counts))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of points along each axis."""
        return tuple(len(axis) for axis in self.axes)

    def points(self) -> NDArray:
        """All points (3, i, j, k) float32."""
        return np.stack(np.meshgrid(*self.axes, indexing="ij")).astype(np.float32)

    def scaled(self, factor: float) -> Grid:
        """The same grid in another unit."""
        return Grid(tuple((axis * factor).astype(np.float32) for axis in self.axes))


Reach = float | tuple[float, float, float]


def smooth_noise(random: Random, grid: Grid, scale: float, reach: Reach = 0.0) -> NDArray:
    """A random field (i, j, k) float32 of mean about 0 and standard deviation about 1 that varies over ``scale``.

    A cubic B-spline with independent normal coefficients, one every ``scale`` along each axis: separable, so it costs
    milliseconds however smooth it is. With ``reach`` (of all axes, or of each) it is one field on -reach to reach along
    each axis, whatever the grid that it is asked on.
    """
    reaches = reach if isinstance(reach, tuple) else (reach,) * 3
    bases = [_spline_basis(axis, scale, random.uniform(), far) for axis, far in zip(grid.axes, reaches, strict=True)]
    field = random.standard_normal([basis.shape[1] for basis in bases]).astype(np.float32)
    for basis in bases:
        field = np.tensordot(field, basis, axes=(0, 1))
    # the mean square of a cubic B-spline's weights is 151 / 315 along each axis
    return field * np.float32((315 / 151) ** 1.5)


def _spline_basis(positions: NDArray, scale: float, shift: float, reach: float) -> NDArray:
    """The weight (n, m) of each of m control points at each of n positions."""
    start, end = (-reach, reach) if reach else (positions[0], positions[-1])
    u = (np.clip(positions, start, end) - start) / scale + shift
    first = np.floor(u).astype(int)
    last = int((end - start) / scale + shift)
    t = u - first
    weights = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    basis = np.zeros((len(u), last + 5), dtype=np.float32)
    rows = np.arange(len(u))
    for offset, weight in enumerate(weights):
        basis[rows, first + offset] = weight / 6
    return basis


def octaves(random: Random, grid: Grid, scale: float, count: int, fall: float, *, reach: Reach = 0.0) -> NDArray:
    """Noise of ``count`` scales, each half the last and weighted ``fall`` times as much, standard deviation about 1."""
    weights = fall ** np.arange(count)
    total = np.zeros(grid.shape, dtype=np.float32)
    for number, weight in enumerate(weights / np.sqrt((weights**2).sum())):
        total += np.float32(weight) * smooth_noise(random, grid, scale / 2**number, reach)
    return total


def log_uniform(random: Random, low: float, high: float) -> float:
    """A number between two others, its logarithm uniform."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def rotation(random: Random) -> NDArray:
    """A random rotation (3, 3), uniform."""
    q, r = np.linalg.qr(random.standard_normal((3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q
