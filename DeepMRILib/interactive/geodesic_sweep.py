"""Geodesic distances by sweeping planes to and fro along each axis, for several sets of seeds at once.

A sweep lets each plane look back at the nine neighbours of each voxel in the plane before (Criminisi et al., GeoS, ECCV
2008); six sweeps, to and fro along three axes, use all 26 neighbours. Every value that a sweep writes is the length of
a way that exists, so the values fall towards the true distances, and repeating until nothing changes reaches them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

DIFFERENCE_FLOOR = np.float32(1e-5)
"""Added to differences of intensity, as in GeodisTK."""

KEPT_VOXELS = 2_500_000
"""Up to this many voxels the costs of all edges are kept (216 bytes per voxel), beyond they are computed again."""

Report = Callable[[float], None]
"""Told how far it is, from 0 to 1; may raise ``Cancelled``."""


def step_lengths(spacing: tuple[float, float, float], axis: int) -> NDArray:
    """The lengths (3, 3) in mm of the steps to the next plane along ``axis``, float32."""
    first, second = (spacing[other] for other in range(3) if other != axis)
    steps = np.array([-1.0, 0.0, 1.0])
    squares = spacing[axis] ** 2 + (first * steps[:, None]) ** 2 + (second * steps) ** 2
    return np.sqrt(squares).astype(np.float32)


def edge_costs(difference: NDArray, length: NDArray, weight: float) -> NDArray:
    """d / ((1 - w) + w / (|dI| + 1e-5)), the cost of edges of length d across differences |dI| (GeodisTK)."""
    difference = difference + DIFFERENCE_FLOOR
    if weight == 1.0:
        return difference * length
    return length * difference / (np.float32(1.0 - weight) * difference + np.float32(weight))


class Costs:
    """The costs of the edges from plane to plane along one axis of an image (i, j, k, c)."""

    def __init__(self, image: NDArray, spacing: tuple[float, float, float], weight: float, axis: int) -> None:
        self._planes = np.moveaxis(image, axis, 0)
        self._length = step_lengths(spacing, axis)[:, :, None, None]
        self._weight = weight
        self._keep = image[..., 0].size <= KEPT_VOXELS
        self._kept: dict[tuple[int, int], NDArray] = {}

    def between(self, target: int, source: int) -> NDArray:
        """(3, 3, rows, columns): of the edges from the neighbours in plane ``source`` to each voxel of ``target``."""
        key = (target, source)
        if key in self._kept:
            return self._kept[key]
        rows, columns, channels = self._planes.shape[1:]
        # beyond the border any value will do: nothing is reached from there
        around = np.zeros((rows + 2, columns + 2, channels), dtype=np.float32)
        around[1:-1, 1:-1] = self._planes[source]
        difference = _nine(around, 0) - self._planes[target]
        if difference.shape[-1] == 1:
            difference = np.abs(difference[..., 0])
        else:
            difference = np.sqrt(np.einsum("abijc,abijc->abij", difference, difference))
        costs = edge_costs(difference, self._length, self._weight)
        if self._keep:
            self._kept[key] = costs
        return costs


def all_costs(image: NDArray, spacing: tuple[float, float, float], weight: float) -> tuple[Costs, Costs, Costs]:
    """The costs along the three axes of an image (i, j, k, c) float32."""
    return tuple(Costs(image, spacing, weight, axis) for axis in range(3))


def swept(
    start: NDArray,
    costs: tuple[Costs, Costs, Costs],
    *,
    rounds: int,
    tolerance: float = 0.0,
    report: Report | None = None,
) -> NDArray:
    """Distances (n, i, j, k) float32 that start from ``start`` (0 at seeds, infinite elsewhere) and fall by sweeping.

    Args:
        start: (n, i, j, k), n sets of seeds.
        costs: of the edges along the three axes.
        rounds: at most this many times six sweeps.
        tolerance: stop after a round that changed no value by more than this fraction of itself.
        report: told after each plane.
    """
    padded = np.full((len(start), *(size + 2 for size in start.shape[1:])), np.inf, dtype=np.float32)
    inside = padded[:, 1:-1, 1:-1, 1:-1]
    inside[...] = start
    for number in range(rounds):
        before = inside.copy()
        for axis in range(3):
            if report is not None:
                report((number + axis / 3) / rounds)
            _to_and_fro(padded, costs[axis], axis)
        if _settled(before, inside, tolerance):
            break
    return inside


def _settled(before: NDArray, after: NDArray, tolerance: float) -> bool:
    """Whether nothing fell by more than a fraction of itself; what was not reached before has fallen."""
    return not bool((after < before * np.float32(1.0 - tolerance)).any())


def _to_and_fro(padded: NDArray, costs: Costs, axis: int) -> None:
    """Two sweeps along one axis, in place."""
    planes = np.moveaxis(padded, axis + 1, 0)
    seen = _nine(planes, 2)
    now = planes[:, :, 1:-1, 1:-1]
    count = len(planes) - 2
    order = [(target, target - 1) for target in range(1, count)]
    order += [(target, target + 1) for target in range(count - 2, -1, -1)]
    for target, source in order:
        reached = (seen[:, :, source + 1] + costs.between(target, source)[:, :, None]).min(axis=(0, 1))
        np.minimum(now[target + 1], reached, out=now[target + 1])


def _nine(planes: NDArray, axis: int) -> NDArray:
    """Views (3, 3, ...) of planes as their nine neighbours see them: rows and columns, from ``axis`` on, lose two."""
    shape, strides = list(planes.shape), planes.strides
    shape[axis] -= 2
    shape[axis + 1] -= 2
    return as_strided(planes, (3, 3, *shape), (strides[axis], strides[axis + 1], *strides), writeable=False)
