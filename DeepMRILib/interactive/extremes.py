"""What six points just inside the margin tell of a lesion's extent: a box that it touches, and a tilted ellipsoid.

An ellipsoid x^T S^-1 x = 1 touches the planes x_a = h_a of its box, h_a^2 = S_aa, at the points S e_a / h_a. The point
of each side, moved out by its depth, is such a point of contact, so that the six give S: its diagonal by where the
sides are, the rest by how far the points of opposite sides lie apart along the other axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.engine import Problem

TRUST = 0.7
"""How much of the tilt that the points show is believed: they are placed anywhere on a flat side."""

MOST_TILT = 0.8
"""The largest correlation of two axes."""

SMALL_RADIUS, LEAST = 8.0, 0.25
"""Lesions of a smaller radius in mm are smoothed and sharpened less, as their surface, down to a quarter."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """The box and the ellipsoid of one label's points.

    Attributes:
        low, high: (3,) the sides of the box in mm along i, j and k.
        shape: (3, 3) S of the ellipsoid, mm2.
    """

    low: NDArray
    high: NDArray
    shape: NDArray

    @classmethod
    def of(cls, points: NDArray, depth: float, edges: NDArray) -> Extremes:
        """From points (n, 3) in mm, so far inside the margin but at least a voxel, of ``edges`` (3,) in mm."""
        depth = np.maximum(depth, edges)
        low, high = points.min(axis=0) - depth, points.max(axis=0) + depth
        half = (high - low) / 2
        apart = np.stack([points[points[:, a].argmax()] - points[points[:, a].argmin()] for a in range(3)]) / 2
        tilt = (apart / half + (apart / half).T) / 2
        tilt = np.clip(TRUST * tilt, -MOST_TILT, MOST_TILT)
        np.fill_diagonal(tilt, 1.0)
        values, vectors = np.linalg.eigh(tilt)
        tilt = (vectors * np.maximum(values, 1 - MOST_TILT)) @ vectors.T
        tilt /= np.sqrt(np.outer(np.diag(tilt), np.diag(tilt)))
        middle = (low + high) / 2
        return cls(middle - half, middle + half, tilt * np.outer(half, half))

    @property
    def radius(self) -> float:
        """The radius in mm of the ball as large as the box's ellipsoid."""
        return float(np.prod((self.high - self.low) / 2) ** (1 / 3))

    def distance_to_box(self, positions: tuple[NDArray, NDArray, NDArray]) -> NDArray:
        """How far outside the box (negative: inside), the largest over the axes, in mm, float32."""
        sides = [np.maximum(self.low[a] - positions[a], positions[a] - self.high[a]) for a in range(3)]
        return np.maximum(np.maximum(sides[0], sides[1]), sides[2]).astype(np.float32)

    def radii(self, positions: tuple[NDArray, NDArray, NDArray]) -> NDArray:
        """The ellipsoid's radius function, 1 on its surface, float32."""
        middle = (self.low + self.high) / 2
        x, y, z = (positions[a] - np.float32(middle[a]) for a in range(3))
        q = np.linalg.inv(self.shape).astype(np.float32)
        squares = q[0, 0] * x * x + q[1, 1] * y * y + q[2, 2] * z * z
        squares = squares + 2 * (q[0, 1] * x * y + q[0, 2] * x * z + q[1, 2] * y * z)
        return np.sqrt(np.maximum(squares, 0)).astype(np.float32)


def fineness(problem: Problem) -> float:
    """1, and less for small lesions: what lengths in mm are multiplied with so that nothing of them is lost."""
    edges = np.array(problem.spacing)
    radii = [Extremes.of(points * edges, problem.options.depth, edges).radius for points in problem.points]
    return float(np.clip((min(radii) / SMALL_RADIUS) ** 2, LEAST, 1.0))
