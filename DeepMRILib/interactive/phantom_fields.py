"""Smooth random fields in millimetres: the same seed gives the same anatomy on every grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

KNOTS = 32
"""Along each axis; a field repeats after as many knot distances."""


class Grid:
    """Places in mm along the three axes of an array, its middle at the origin.

    Attributes:
        axes: of each axis the places (n,) in mm.
        edges: of a voxel in mm.
    """

    def __init__(self, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
        self.edges = spacing
        self.axes = tuple((np.arange(n) - (n - 1) / 2) * edge for n, edge in zip(shape, spacing, strict=True))

    def offsets(self, centre: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Distances in mm from a place along each axis; they broadcast to the grid."""
        x, y, z = (axis - place for axis, place in zip(self.axes, centre, strict=True))
        return x[:, None, None], y[None, :, None], z[None, None, :]


def smooth_field(grid: Grid, distance: float, rng: np.random.Generator) -> NDArray:
    """A random field (i, j, k) float32 of mean 0 and standard deviation about 1.

    A cubic B-spline with normal coefficients: sum_n c_n B(x / distance - n) along each axis.

    Args:
        grid: where.
        distance: of its knots in mm; bumps are about twice as wide.
        rng: draws the coefficients, the same number whatever the grid.
    """
    values = rng.standard_normal((KNOTS,) * 3)
    for axis in grid.axes:
        weights = sparse.csr_array(_weights(axis / distance))  # four of a row are not 0
        along = weights @ values.reshape(KNOTS, -1)
        # the first axis goes to the end each time: after three turns they stand in their order
        values = np.moveaxis(along.reshape(len(axis), *values.shape[1:]), 0, -1)
    return values.astype(np.float32)


def _weights(places: NDArray) -> NDArray:
    """Weight (place, knot) of each coefficient, scaled so that the squares add up to about 1."""
    away = np.abs((places[:, None] - np.arange(KNOTS) + KNOTS / 2) % KNOTS - KNOTS / 2)
    near, far = 2 / 3 - away**2 + away**3 / 2, np.clip(2 - away, 0, None) ** 3 / 6
    return np.where(away < 1, near, far) / np.sqrt(151 / 315)  # the spline's mean square
