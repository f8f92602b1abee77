"""Numbers per region: what a paper's table and its decay plot need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.prepare import Signals, b_groups
from DeepMRILib.ivim.quantities import PARAMETERS, QUANTITIES
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

WHOLE = "all fitted voxels"
CURVE_POINTS = 201
DIGITS = 6
"""Significant digits in tables: more than the float32 maps hold would be noise."""
AT_BOUND = 1e-3
"""Values closer to a bound than this part of the interval count as lying on it."""
BOUNDED = ("D", "f", "D_star")

Fits = dict[str, dict[str, float]]
"""Region to the parameters fitted to its mean signal."""


def roi_table(result: IVIMResult, labels: LabelVolume) -> Table:
    """Size and median, quartiles, mean and standard deviation of each parameter in each region.

    Args:
        result: of ``ivim.fit``.
        labels: regions on the grid of the maps.

    Returns:
        One row per region: ``region``, ``voxels`` (fitted ones), ``volume_mm3``, for D, f, D_star and S0
        ``<name>_median``, ``_q25``, ``_q75``, ``_mean``, ``_sd``, and for the first three ``_at_bound``, the fraction
        of voxels whose value lies on a bound of the fit; NaN where no voxel was fitted.

    Raises:
        InputError: the regions lie on another grid.
    """
    if not labels.same_grid(result.fitted):
        raise InputError("The regions lie on another grid than the maps. Resample them to the diffusion series first.")
    return region_table(result.maps, np.asarray(result.fitted) > 0, labels, result.provenance.inputs["bounds"])


def region_table(
    maps: dict[str, Volume],
    fitted: NDArray,
    labels: LabelVolume | None,
    bounds: dict[str, list[float]],
    fits: Fits | None = None,
) -> Table:
    """As ``roi_table``, of all fitted voxels when there are no regions.

    Args:
        fits: adds ``<name>_of_mean``, the parameters fitted to the region's mean signal, less noisy than a voxel's.
    """
    voxel = next(iter(maps.values())).voxel_volume
    rows = []
    for region, inside in _regions(labels, fitted).items():
        row = {"region": region, "voxels": int(inside.sum()), "volume_mm3": rounded(inside.sum() * voxel)}
        for name in PARAMETERS:
            values = maps[name].array[inside].astype(np.float64)
            row |= {f"{name}_{key}": value for key, value in _statistics(values).items()}
            if name in BOUNDED:
                row[f"{name}_at_bound"] = on_bound(values, bounds[name])
            if fits is not None:
                row[f"{name}_of_mean"] = fits.get(region, {}).get(name, float("nan"))
        rows.append(row)
    return Table.from_rows(rows, _units(rows[0]))


def _units(columns: Iterable[str]) -> dict[str, str]:
    units = {"volume_mm3": "mm3"}
    for column in columns:
        for name in PARAMETERS:
            if column in (f"{name}_{key}" for key in ("median", "q25", "q75", "mean", "sd", "of_mean")):
                units[column] = QUANTITIES[name].unit
    return units


def _regions(labels: LabelVolume | None, fitted: NDArray) -> dict[str, NDArray]:
    if labels is None or not labels.names:
        return {WHOLE: fitted}
    return {name: (labels.array == label) & fitted for label, name in labels.names.items()}


def _statistics(values: NDArray) -> dict[str, float]:
    if values.size == 0:
        return dict.fromkeys(("median", "q25", "q75", "mean", "sd"), float("nan"))
    q25, median, q75 = np.percentile(values, [25, 50, 75])
    found = {"median": median, "q25": q25, "q75": q75, "mean": values.mean(), "sd": values.std()}
    return {name: rounded(value) for name, value in found.items()}


def on_bound(values: NDArray, bound: Sequence[float]) -> float:
    """The fraction of values that lie on a bound; NaN of none."""
    near = AT_BOUND * (bound[1] - bound[0])
    return rounded(np.mean((values <= bound[0] + near) | (values >= bound[1] - near))) if values.size else float("nan")


def rounded(value: float) -> float:
    """A number with as many digits as the maps hold."""
    return float(f"{value:.{DIGITS}g}")


def decay_tables(
    signals: Signals, labels: LabelVolume | None, bounds: Bounds, *, fit_s0: bool
) -> tuple[Table, Table, Fits]:
    """Mean signal of each region by b-value, and the curve fitted to that mean.

    Returns:
        points: ``region``, ``b``, ``signal``, ``sd`` (over the region's voxels).
        curve: ``region``, ``b``, ``signal``, from b = 0 on.
        fits: the parameters of each curve.
    """
    points, curves, fits, groups = [], [], {}, b_groups(signals.b_values)
    for region, inside in _regions(labels, signals.inside).items():
        values = signals.values[inside[signals.inside]]
        if not len(values):
            continue
        points += [{"region": region, **point} for point in _points(values, signals.b_values, groups)]
        found = fit_biexp(values.mean(axis=0, dtype=np.float64)[None], signals.b_values, bounds, fit_s0=fit_s0)
        fits[region] = {name: rounded(found[name][0]) for name in PARAMETERS}
        dense = np.linspace(0, signals.b_values[-1], CURVE_POINTS)
        curve = biexp(dense, *(found[name][0] for name in PARAMETERS))
        curves += [{"region": region, "b": rounded(b), "signal": rounded(s)} for b, s in zip(dense, curve, strict=True)]
    units = {"b": "s/mm2"}
    return Table.from_rows(points, units), Table.from_rows(curves, units), fits


def _points(values: NDArray, b_values: NDArray, groups: NDArray) -> Iterator[dict[str, float]]:
    for group in range(groups.max() + 1):
        sample = values[:, groups == group].mean(axis=1, dtype=np.float64)
        b = b_values[groups == group].mean()
        yield {"b": rounded(b), "signal": rounded(sample.mean()), "sd": rounded(sample.std())}
