"""Numbers per region: what a paper's table and its decay plot need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.engine import Problem
from DeepMRILib.ivim.engines import fit_model
from DeepMRILib.ivim.goodness import on_bound
from DeepMRILib.ivim.models import MODELS, SignalModel
from DeepMRILib.ivim.prepare import Signals, b_groups
from DeepMRILib.ivim.quantities import QUANTITIES
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

WHOLE = "all fitted voxels"
CURVE_POINTS = 101
CURVE_VOXELS = 20_000
"""A region's curve is the mean over at most so many of its voxels, evenly spread."""
DIGITS = 6
"""Significant digits in tables: more than the float32 maps hold would be noise."""
WITH_UNIT = ("median", "q25", "q75", "mean", "spread", "uncertainty", "of_mean")
"""Columns in the unit of their parameter."""
Fits = dict[str, dict[str, float]]
"""Region to the parameters fitted to its mean signal."""


def roi_table(result: IVIMResult, labels: LabelVolume) -> Table:
    """Size and median, quartiles, mean and standard deviation of each parameter in each region.

    Args:
        result: of ``ivim.fit``.
        labels: regions on the grid of the maps.

    Returns:
        One row per region: ``region``, ``voxels`` (fitted ones), ``volume_mm3``, for each parameter of the model
        ``<name>_median``, ``_q25``, ``_q75``, ``_mean``, ``_spread`` (standard deviation over the region's voxels),
        ``_uncertainty`` (median of the map ``<name>_sd``: of one voxel, typically), and for all but S0 ``_at_bound``,
        the fraction of voxels whose value lies on a bound of the fit; NaN where no voxel was fitted.

    Raises:
        InputError: the regions lie on another grid.
    """
    if not labels.same_grid(result.fitted):
        raise InputError("The regions lie on another grid than the maps. Resample them to the diffusion series first.")
    inputs = result.provenance.inputs
    return _region_rows(
        result.maps, np.asarray(result.fitted) > 0, labels, model=MODELS[inputs["model"]], bounds=inputs["bounds"]
    )


def region_table(
    maps: dict[str, Volume], fitted: NDArray, labels: LabelVolume | None, problem: Problem, fits: Fits
) -> Table:
    """As ``roi_table``, of all fitted voxels when there are no regions.

    Args:
        fits: adds ``<name>_of_mean``, the least-squares fit to the region's mean signal, less noisy than a voxel's.
    """
    return _region_rows(maps, fitted, labels, model=problem.model, bounds=problem.bounds.as_dict(), fits=fits)


def _region_rows(
    maps: dict[str, Volume],
    fitted: NDArray,
    labels: LabelVolume | None,
    *,
    model: SignalModel,
    bounds: Mapping[str, Sequence[float]],
    fits: Fits | None = None,
) -> Table:
    voxel = next(iter(maps.values())).voxel_volume
    rows = []
    for region, inside in _regions(labels, fitted).items():
        row = {"region": region, "voxels": int(inside.sum()), "volume_mm3": rounded(inside.sum() * voxel)}
        for name in model.parameters:
            values = maps[name].array[inside].astype(np.float64)
            row |= {f"{name}_{key}": value for key, value in _statistics(values).items()}
            if f"{name}_sd" in maps:
                uncertain = maps[f"{name}_sd"].array[inside]
                row[f"{name}_uncertainty"] = rounded(np.median(uncertain)) if uncertain.size else float("nan")
            if name != "S0":
                row[f"{name}_at_bound"] = _part_on_bound(values, bounds[name])
            if fits is not None:
                row[f"{name}_of_mean"] = fits.get(region, {}).get(name, float("nan"))
        rows.append(row)
    return Table.from_rows(rows, _units(rows[0], model))


def _units(columns: Iterable[str], model: SignalModel) -> dict[str, str]:
    units = {"volume_mm3": "mm3"}
    for column in columns:
        for name in model.parameters:
            if column in (f"{name}_{key}" for key in WITH_UNIT):
                units[column] = QUANTITIES[name].unit
    return units


def _regions(labels: LabelVolume | None, fitted: NDArray) -> dict[str, NDArray]:
    if labels is None or not labels.names:
        return {WHOLE: fitted}
    return {name: (labels.array == label) & fitted for label, name in labels.names.items()}


def _statistics(values: NDArray) -> dict[str, float]:
    if values.size == 0:
        return dict.fromkeys(("median", "q25", "q75", "mean", "spread"), float("nan"))
    q25, median, q75 = np.percentile(values, [25, 50, 75])
    found = {"median": median, "q25": q25, "q75": q75, "mean": values.mean(), "spread": values.std()}
    return {name: rounded(value) for name, value in found.items()}


def _part_on_bound(values: NDArray, bound: Sequence[float]) -> float:
    """The fraction of values that lie on a bound; NaN of none."""
    return rounded(np.mean(on_bound(values, tuple(bound)))) if values.size else float("nan")


def rounded(value: float) -> float:
    """A number with as many digits as the maps hold."""
    return float(f"{value:.{DIGITS}g}")


def decay_tables(
    signals: Signals, labels: LabelVolume | None, problem: Problem, found: dict[str, NDArray]
) -> tuple[Table, Table, Fits]:
    """Mean signal of each region by b-value, and the mean of its voxels' fitted curves.

    Args:
        found: the parameters of each voxel, (n,).

    Returns:
        points: ``region``, ``b``, ``signal``, ``sd`` (over the region's voxels).
        curve: ``region``, ``b``, ``signal``, from b = 0 on.
        fits: the least-squares fit to each mean signal.
    """
    points, curves, means, groups = [], [], {}, b_groups(signals.b_values)
    dense = np.linspace(0, signals.b_values[-1], CURVE_POINTS)
    for region, inside in _regions(labels, signals.inside).items():
        chosen = np.flatnonzero(inside[signals.inside])
        if not chosen.size:
            continue
        values = signals.values[chosen]
        points += [{"region": region, **point} for point in _points(values, signals.b_values, groups)]
        means[region] = values.mean(axis=0, dtype=np.float64)
        curve = mean_curve(problem.model, {name: one[chosen] for name, one in found.items()}, dense)
        curves += [{"region": region, "b": rounded(b), "signal": rounded(s)} for b, s in zip(dense, curve, strict=True)]
    units = {"b": "s/mm2"}
    return Table.from_rows(points, units), Table.from_rows(curves, units), _fits(means, signals.b_values, problem)


def mean_curve(model: SignalModel, values: dict[str, NDArray], b_values: NDArray) -> NDArray:
    """The mean of the fitted curves (n_b,) of voxels whose parameters are (n,); of an even sample of many."""
    S0 = np.nan_to_num(values["S0"])
    step = -(-S0.size // CURVE_VOXELS)
    sample = [np.nan_to_num(values[name][::step]) for name in model.parameters]
    curve = model.signal(b_values, *sample).mean(axis=0)
    return curve * (S0.mean() / sample[-1].mean()) if sample[-1].any() else curve


def _fits(means: dict[str, NDArray], b_values: NDArray, problem: Problem) -> Fits:
    if not means:
        return {}
    found = fit_model(
        problem.model, np.stack(list(means.values())), b_values, problem.bounds, fit_s0=problem.options.fit_s0
    )
    return {
        region: {name: rounded(found[name][row]) for name in problem.model.parameters}
        for row, region in enumerate(means)
    }


def distinct_b_values(b_values: NDArray) -> list[float]:
    """The b-values of ``decay_tables``: one for the images that share one, their mean."""
    groups = b_groups(b_values)
    return [rounded(b_values[groups == group].mean()) for group in range(groups.max() + 1)]


def _points(values: NDArray, b_values: NDArray, groups: NDArray) -> Iterator[dict[str, float]]:
    for group, b in enumerate(distinct_b_values(b_values)):
        sample = values[:, groups == group].mean(axis=1, dtype=np.float64)
        yield {"b": b, "signal": rounded(sample.mean()), "sd": rounded(sample.std())}
