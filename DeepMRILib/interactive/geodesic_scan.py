"""Geodesic distances as GeodisTK's raster scan finds them, for networks that were trained on its maps.

GeodisTK's scan (Wang et al., DeepIGeoS, TPAMI 2019) visits voxels in raster order (d, h, w), forth and back, four
times. Its set of neighbours holds four of the next plane, which the same pass has not visited, so the result has not
converged, and depends on the order of the axes. The order of visits matters only between neighbours: voxels of equal
4 d + 2 h + w are no neighbours of each other in that set, all neighbours already visited have a smaller sum and all
others a larger one. So a pass can visit all voxels of one sum at once, in vectorised steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.geodesic_sweep import Report, edge_costs

ITERATIONS = 4
UNREACHED = np.float32(1e10)
FORWARD = np.array(
    [
        (-1, -1, -1), (-1, -1, 0), (-1, -1, 1), (-1, 0, -1), (-1, 0, 0),
        (0, -1, -1), (0, -1, 0), (0, -1, 1), (0, 0, -1),
        (1, -1, -1), (1, -1, 0), (1, -1, 1), (1, 0, -1),
    ]
)  # fmt: skip
"""The neighbours (13, 3) that a forward pass looks at; a backward pass looks at those opposite."""
SUM = np.array([4, 2, 1])


def scanned(
    image: NDArray, seeds: NDArray, spacing: tuple[float, float, float], weight: float, report: Report | None = None
) -> NDArray:
    """Distances (i, j, k) float32 of an image (i, j, k, c) float32 to seeds (i, j, k) bool, i being GeodisTK's d."""
    shape = seeds.shape
    order, waves = _waves(shape)
    padded = tuple(n + 2 for n in shape)
    where = np.stack(np.unravel_index(order, shape))
    flat = np.ravel_multi_index(where + 1, padded)
    offsets = FORWARD @ np.array([padded[1] * padded[2], padded[2], 1])
    values = np.pad(image, [(1, 1)] * 3 + [(0, 0)], mode="edge").reshape(-1, image.shape[3])
    distances = np.full(padded, UNREACHED, dtype=np.float32)
    distances[1:-1, 1:-1, 1:-1][seeds] = 0
    distances = distances.ravel()
    costs = [_costs(values, flat, side * offsets, spacing, weight) for side in (1, -1)]
    for number in range(ITERATIONS):
        for step, (first, last) in enumerate(waves):
            if report is not None and step % 64 == 0:
                report((number + step / len(waves) / 2) / ITERATIONS)
            _visit(distances, flat[first:last], offsets, costs[0][:, first:last])
        for step, (first, last) in enumerate(reversed(waves)):
            if report is not None and step % 64 == 0:
                report((number + 0.5 + step / len(waves) / 2) / ITERATIONS)
            _visit(distances, flat[first:last], -offsets, costs[1][:, first:last])
    return distances.reshape(padded)[1:-1, 1:-1, 1:-1].copy()


def _waves(shape: tuple[int, int, int]) -> tuple[NDArray, list[tuple[int, int]]]:
    """The flat indices of all voxels by the sum 4 d + 2 h + w, and where each sum begins and ends."""
    sums = sum(SUM[a] * np.arange(n).reshape([-1 if b == a else 1 for b in range(3)]) for a, n in enumerate(shape))
    sums = sums.ravel()
    order = np.argsort(sums, kind="stable")
    ends = np.cumsum(np.bincount(sums))
    starts = np.r_[0, ends[:-1]]
    return order, [(int(a), int(b)) for a, b in zip(starts, ends, strict=True) if b > a]


def _costs(
    values: NDArray, flat: NDArray, offsets: NDArray, spacing: tuple[float, float, float], weight: float
) -> NDArray:
    """The costs (13, n) of the edges from each voxel to its neighbours; beyond the image nothing is reached anyway."""
    lengths = np.sqrt(((FORWARD * np.array(spacing)) ** 2).sum(axis=1)).astype(np.float32)
    found = np.empty((len(offsets), len(flat)), dtype=np.float32)
    for row, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        difference = values[flat + offset] - values[flat]
        difference = np.abs(difference[:, 0]) if difference.shape[1] == 1 else np.linalg.norm(difference, axis=1)
        found[row] = edge_costs(difference, length, weight)
    return found


def _visit(distances: NDArray, voxels: NDArray, offsets: NDArray, costs: NDArray) -> None:
    """Look at the neighbours of voxels that do not depend on each other, in place."""
    reached = (distances[voxels + offsets[:, None]] + costs).min(axis=0)
    distances[voxels] = np.minimum(distances[voxels], reached)
