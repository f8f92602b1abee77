"""Numbers per region: what a paper's table and its decay plot need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.prepare import Signals
from DeepMRILib.ivim.quantities import PARAMETERS, QUANTITIES
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

WHOLE = "all fitted voxels"
CURVE_POINTS = 201


def roi_table(result: IVIMResult, labels: LabelVolume) -> Table:
    """Size and median, quartiles, mean and standard deviation of each parameter in each region.

    Args:
        result: of ``ivim.fit``.
        labels: regions on the grid of the maps.

    Returns:
        One row per region: ``region``, ``voxels`` (fitted ones), ``volume_mm3``, and for D, f, D_star and S0
        ``<name>_median``, ``_q25``, ``_q75``, ``_mean``, ``_sd``; NaN where no voxel was fitted.

    Raises:
        InputError: the regions lie on another grid.
    """
    if not labels.same_grid(result.fitted):
        raise InputError("The regions lie on another grid than the maps. Resample them to the diffusion series first.")
    return _table(result.maps, _regions(labels, np.asarray(result.fitted) > 0))


def _regions(labels: LabelVolume | None, fitted: NDArray) -> dict[str, NDArray]:
    if labels is None or not labels.names:
        return {WHOLE: fitted}
    return {name: (labels.array == label) & fitted for label, name in labels.names.items()}


def _table(maps: dict[str, Volume], regions: dict[str, NDArray]) -> Table:
    voxel = next(iter(maps.values())).voxel_volume
    rows = []
    for name, inside in regions.items():
        row = {"region": name, "voxels": int(inside.sum()), "volume_mm3": float(inside.sum() * voxel)}
        for parameter in PARAMETERS:
            row |= {f"{parameter}_{key}": value for key, value in _statistics(maps[parameter].array[inside]).items()}
        rows.append(row)
    units = {"volume_mm3": "mm3"}
    for parameter in PARAMETERS:
        units |= {key: QUANTITIES[parameter].unit for key in rows[0] if key.startswith(f"{parameter}_")}
    return Table.from_rows(rows, units)


def _statistics(values: NDArray) -> dict[str, float]:
    if values.size == 0:
        return dict.fromkeys(("median", "q25", "q75", "mean", "sd"), float("nan"))
    q25, median, q75 = np.percentile(values, [25, 50, 75])
    values = values.astype(np.float64)
    found = {"median": median, "q25": q25, "q75": q75, "mean": values.mean(), "sd": values.std()}
    return {name: float(value) for name, value in found.items()}


def decay_tables(signals: Signals, labels: LabelVolume | None, bounds: Bounds, *, fit_s0: bool) -> tuple[Table, Table]:
    """Mean signal of each region by b-value, and the curve fitted to that mean.

    Returns:
        points: ``region``, ``b``, ``signal``, ``sd`` (over the region's voxels).
        curve: ``region``, ``b``, ``signal``, and the fitted ``D``, ``f``, ``D_star``, ``S0`` in each row.
    """
    points, curves = [], []
    for name, inside in _regions(labels, signals.inside).items():
        values = signals.values[inside[signals.inside]]
        if not len(values):
            continue
        distinct, index = np.unique(signals.b_values, return_inverse=True)
        mean = values.mean(axis=0, dtype=np.float64)
        for order, b in enumerate(distinct):
            sample = values[:, index == order].mean(axis=1, dtype=np.float64)
            points.append({"region": name, "b": float(b), "signal": float(sample.mean()), "sd": float(sample.std())})
        found = fit_biexp(mean[None], signals.b_values, bounds, fit_s0=fit_s0)
        fitted = {key: float(found[key][0]) for key in PARAMETERS}
        dense = np.linspace(0, distinct[-1], CURVE_POINTS)
        curve = biexp(dense, fitted["D"], fitted["f"], fitted["D_star"], fitted["S0"])
        curves += [
            {"region": name, "b": float(b), "signal": float(s), **fitted} for b, s in zip(dense, curve, strict=True)
        ]
    units = {"b": "s/mm2", "D": "mm2/s", "D_star": "mm2/s"}
    return Table.from_rows(points, units), Table.from_rows(curves, units)


def region_table(maps: dict[str, Volume], fitted: NDArray, labels: LabelVolume | None) -> Table:
    """As ``roi_table``, for the whole when there are no regions."""
    return _table(maps, _regions(labels, fitted))
