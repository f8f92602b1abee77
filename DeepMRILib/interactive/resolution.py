"""A coarser grid for most of the work: voxels that are nearly cubes, of any size, and the way back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.engine import Problem

Axes = tuple[int, int, int]


@dataclass(frozen=True)
class Coarser:
    """A grid over the same place as another, with fewer voxels along some axes.

    Attributes:
        fine, coarse: the numbers of voxels along i, j and k.
    """

    fine: Axes
    coarse: Axes

    @classmethod
    def of(cls, shape: Axes, spacing: tuple[float, float, float], voxels: int) -> Coarser:
        """The grid of at most about that many voxels; no axis gets finer, long voxels are left as they are.

        Example:
            >>> Coarser.of((40, 40, 10), (1.0, 1.0, 4.0), 4000).coarse
            (20, 20, 10)
        """
        lengths = np.array(shape) * spacing
        kept = np.zeros(3, dtype=bool)
        for _ in range(3):
            # of the axes that get coarser, the pitch that leaves so many voxels; an axis coarser than that is kept
            free = max(int((~kept).sum()), 1)
            rest = np.prod(np.where(kept, shape, 1))
            pitch = (np.prod(np.where(kept, 1.0, lengths)) * rest / voxels) ** (1 / free)
            kept = kept | (np.array(spacing) >= pitch)
        coarse = np.where(kept, shape, np.maximum(np.rint(lengths / pitch), 1)).astype(int)
        return cls(tuple(shape), tuple(coarse.tolist()))

    @property
    def steps(self) -> NDArray:
        """How many fine voxels (3,) one coarse voxel is long."""
        return np.array(self.fine) / np.array(self.coarse)

    def problem(self, problem: Problem) -> Problem:
        """The same problem on the coarse grid: each voxel of the image is the mean of what it covers."""
        if self.fine == self.coarse:
            return problem
        steps = self.steps
        affine = problem.affine.copy()
        affine[:3, 3] += affine[:3, :3] @ ((steps - 1) / 2)
        affine[:3, :3] *= steps
        return dataclasses.replace(
            problem,
            image=self._means(problem.image),
            affine=affine,
            spacing=tuple((np.array(problem.spacing) * steps).tolist()),
            points=tuple(self._indices(points) for points in problem.points),
            negative=self._indices(problem.negative),
            prior=None if problem.prior is None else self._nearest(problem.prior),
        )

    def _means(self, values: NDArray) -> NDArray:
        """The mean (i, j, k, c) over the length of each coarse voxel: differences of the integral at its edges."""
        for axis, (n, m) in enumerate(zip(self.fine, self.coarse, strict=True)):
            if n == m:
                continue
            none = np.zeros_like(values.take([0], axis=axis))
            integral = np.concatenate([none, values.cumsum(axis=axis)], axis=axis)
            at_edges = _interpolated(integral, np.arange(m + 1) * n / m, axis)
            values = np.diff(at_edges, axis=axis) * np.float32(m / n)
        return values

    def back(self, values: NDArray) -> NDArray:
        """Coarse values (i, j, k) linearly interpolated onto the fine grid, float32."""
        for axis, (n, m) in enumerate(zip(self.fine, self.coarse, strict=True)):
            if n != m:
                values = _interpolated(values, (np.arange(n) + 0.5) * m / n - 0.5, axis)
        return values

    def _indices(self, fine: NDArray) -> NDArray:
        """Voxel indices (n, 3) in the coarse grid."""
        return np.clip((fine + 0.5) / self.steps - 0.5, 0, np.array(self.coarse) - 1)

    def _nearest(self, values: NDArray) -> NDArray:
        middles = [((np.arange(m) + 0.5) * n / m).astype(int) for n, m in zip(self.fine, self.coarse, strict=True)]
        return values[np.ix_(*middles)]


def _interpolated(values: NDArray, at: NDArray, axis: int) -> NDArray:
    """Values linearly interpolated along an axis at continuous indices, the last ones beyond its ends."""
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    low = np.minimum(at.astype(int), max(last - 1, 0))
    share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(values.ndim)])
    lower = values.take(low, axis=axis)
    found = values.take(np.minimum(low + 1, last), axis=axis)
    found -= lower
    found *= share
    found += lower
    return found
