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

NEARLY = 0.99
"""Axes whose cosine with the patient's is higher count as these: a tilt of 8 degrees."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """The box and the ellipsoid of one label's points.

    Attributes:
        frame: (3, 3) whose rows are the directions that the points are the outermost along, in mm along i, j and k.
        low, high: (3,) the sides of the box in mm along these directions.
        shape: (3, 3) S of the ellipsoid, mm2, along these directions.
    """

    frame: NDArray
    low: NDArray
    high: NDArray
    shape: NDArray

    @classmethod
    def of(cls, points: NDArray, depth: float, edges: NDArray, frame: NDArray) -> Extremes:
        """From points (n, 3) in mm, so far inside the margin but at least a voxel, of ``edges`` (3,) in mm."""
        points, depth = points @ frame.T, np.maximum(depth, np.abs(frame) @ edges)
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
        return cls(frame, middle - half, middle + half, tilt * np.outer(half, half))

    @property
    def radius(self) -> float:
        """The radius in mm of the ball as large as the box's ellipsoid."""
        return float(np.prod((self.high - self.low) / 2) ** (1 / 3))

    def distance_to_box(self, positions: tuple[NDArray, NDArray, NDArray]) -> NDArray:
        """How far outside the box (negative: inside), the largest over the axes, in mm, float32."""
        positions = self._along(positions)
        sides = [np.maximum(self.low[a] - positions[a], positions[a] - self.high[a]) for a in range(3)]
        return np.maximum(np.maximum(sides[0], sides[1]), sides[2]).astype(np.float32)

    def radii(self, positions: tuple[NDArray, NDArray, NDArray]) -> NDArray:
        """The ellipsoid's radius function, 1 on its surface, float32."""
        positions = self._along(positions)
        middle = (self.low + self.high) / 2
        x, y, z = (positions[a] - np.float32(middle[a]) for a in range(3))
        q = np.linalg.inv(self.shape).astype(np.float32)
        squares = q[0, 0] * x * x + q[1, 1] * y * y + q[2, 2] * z * z
        squares = squares + 2 * (q[0, 1] * x * y + q[0, 2] * x * z + q[1, 2] * y * z)
        return np.sqrt(np.maximum(squares, 0)).astype(np.float32)

    def _along(self, positions: tuple[NDArray, NDArray, NDArray]) -> tuple[NDArray, NDArray, NDArray]:
        """Positions in mm along i, j and k as positions along the directions of the frame."""
        if np.array_equal(self.frame, np.eye(3)):
            return positions
        return tuple(sum(np.float32(row[a]) * positions[a] for a in range(3)) for row in self.frame)


def all_extremes(points: NDArray, problem: Problem) -> list[Extremes]:
    """What points (n, 3) in voxels may mean: the outermost along the image's axes or, if it is oblique, the patient's.

    Slicer's views show the patient's axes, other programs the image's; nobody says where the points were placed.
    """
    edges = np.array(problem.spacing)
    directions = problem.affine[:3, :3] / np.linalg.norm(problem.affine[:3, :3], axis=0)
    frames = [np.eye(3)] if np.abs(directions).max(axis=1).min() > NEARLY else [np.eye(3), directions]
    return [Extremes.of(points * edges, problem.options.depth, edges, frame) for frame in frames]


def fineness(problem: Problem) -> float:
    """1, and less for small lesions: what lengths in mm are multiplied with so that nothing of them is lost."""
    radii = [max(one.radius for one in all_extremes(points, problem)) for points in problem.points]
    return float(np.clip((min(radii) / SMALL_RADIUS) ** 2, LEAST, 1.0))
