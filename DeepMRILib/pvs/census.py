"""The tables: one row for each space, and the numbers of each region."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.clusters import Clusters, longest_extent
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

WHOLE, ELSEWHERE = "Whole brain", "Elsewhere"
CENSUS_UNITS = {"volume": "mm3", "length": "mm", "r": "mm", "a": "mm", "s": "mm"}
STATISTICS_UNITS = {
    **dict.fromkeys(("total", "mean", "median", "std", "min", "max"), "mm3"),
    "region_volume": "ml",
}
_CENSUS = ("cluster", "region", "voxels", "volume", "length", "r", "a", "s", "probability")


def region_of_each(clusters: Clusters, regions: NDArray, count: int) -> NDArray:
    """The region (n,) that holds most voxels of each cluster; of equally many the lowest number, 0 where none does."""
    if not len(clusters):
        return np.zeros(0, int)
    places = np.concatenate(clusters.places)
    numbers = np.repeat(np.arange(len(clusters)), clusters.voxels)
    votes = np.bincount(numbers * (count + 1) + regions.ravel()[places], minlength=len(clusters) * (count + 1))
    votes = votes.reshape(len(clusters), count + 1)
    votes[:, 0] = 0  # a region that holds any of it comes before none
    return np.where(votes.any(axis=1), votes.argmax(axis=1), 0)


def census_of(clusters: Clusters, probability: Volume, of_each: NDArray, names: Mapping[int, str]) -> Table:
    """One row for each cluster, from the largest to the smallest.

    Args:
        clusters: on the grid of ``probability``.
        probability: (i, j, k).
        of_each: (n,) the region of each, see ``region_of_each``.
        names: of the regions.
    """
    if not len(clusters):
        return Table({name: [] for name in _CENSUS}, CENSUS_UNITS)
    edge = probability.voxel_volume ** (1 / 3)
    places = np.concatenate(clusters.places)
    starts = np.cumsum(clusters.voxels) - clusters.voxels
    all_points = probability.ras_from_voxel(np.array(np.unravel_index(places, probability.shape)).T)
    centres = np.add.reduceat(all_points, starts) / clusters.voxels[:, None]
    means = np.add.reduceat(probability.array.ravel()[places], starts, dtype=float) / clusters.voxels
    rows = []
    for index, points in enumerate(np.split(all_points, starts[1:])):
        r, a, s = centres[index].tolist()
        rows.append(
            {
                "cluster": index + 1,
                "region": names.get(int(of_each[index]), ELSEWHERE),
                "voxels": len(points),
                "volume": len(points) * probability.voxel_volume,
                "length": longest_extent(points, edge),
                "r": r,
                "a": a,
                "s": s,
                "probability": float(means[index]),
            }
        )
    return Table.from_rows(rows, CENSUS_UNITS)


def statistics_of(
    voxels: NDArray, of_each: NDArray, names: Mapping[int, str], region_voxels: Mapping[int, int], voxel_volume: float
) -> Table:
    """The whole brain and each region: number of clusters, and total, mean, spread of their volumes.

    Args:
        voxels: (n,) of each cluster.
        of_each: (n,) its region.
        names: of all regions; those without clusters have a row, too.
        region_voxels: of each region.
        voxel_volume: in mm3.
    """
    rows = [_row(WHOLE, voxels, sum(region_voxels.values()), voxel_volume)]
    for number, name in names.items():
        rows.append(_row(name, voxels[of_each == number], region_voxels.get(number, 0), voxel_volume))
    if (of_each == 0).any():
        rows.append(_row(ELSEWHERE, voxels[of_each == 0], float("nan"), voxel_volume))
    return Table.from_rows(rows, STATISTICS_UNITS)


def _row(name: str, voxels: NDArray, region_voxels: float, voxel_volume: float) -> dict[str, object]:
    sizes = voxels * voxel_volume
    some = len(sizes) > 0
    nothing = float("nan")
    return {
        "region": name,
        "clusters": len(sizes),
        "total_voxels": int(voxels.sum()),
        "total": float(sizes.sum()),
        "mean": float(sizes.mean()) if some else nothing,
        "median": float(np.median(sizes)) if some else nothing,
        "std": float(sizes.std(ddof=1)) if len(sizes) > 1 else nothing,
        "min": float(sizes.min()) if some else nothing,
        "max": float(sizes.max()) if some else nothing,
        "region_volume": region_voxels * voxel_volume / 1000,
    }
