"""``ivim.fit``: from a diffusion series to maps, tables and curves."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import options as settings
from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import Bounds, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.prepare import Signals, prepare
from DeepMRILib.ivim.quantities import PARAMETERS, QUANTITIES
from DeepMRILib.ivim.regions import BOUNDED, decay_tables, on_bound, region_table
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume, checked_labels

MANY_ON_BOUND = 0.2
ENGINE = "bounded bi-exponential least squares in each voxel (variable projection, DeepMRILib.ivim.leastsquares)"


def fit(
    volume: DiffusionVolume,
    options: FitOptions | None = None,
    *,
    mask: Volume | NDArray | None = None,
    labels: LabelVolume | None = None,
    progress: Progress | None = None,
) -> IVIMResult:
    """IVIM maps of a diffusion series: S(b) = S0 [f exp(-b D*) + (1 - f) exp(-b D)] (Le Bihan et al. 1988).

    Args:
        volume: (i, j, k, n) with n b-values in s/mm2, in any order, with repeats and without b = 0 if need be.
        options: see ``FitOptions``.
        mask: (i, j, k), only voxels inside are fitted; by default all that are not background.
        labels: regions for the table and the decay curves; by default one region of all fitted voxels.
        progress: told how far it is; may raise ``Cancelled``.

    Returns:
        ``IVIMResult``; ``result.maps["D"]`` is a Volume in mm2/s.

    Raises:
        InputError: bad b-values, mask, regions or settings, or no voxel to fit.

    Example:
        >>> from DeepMRILib.ivim.example import fit_inputs
        >>> result = fit(**fit_inputs())
        >>> [round(value, 4) for value in result.regions.columns["D_median"]]
        [0.0011, 0.0019]
    """
    started = time.perf_counter()
    options = FitOptions() if options is None else options
    if not isinstance(options, FitOptions):
        raise InputError(f"The options of a fit are FitOptions, e.g. FitOptions(body_part='liver'); got {options!r}.")
    options = settings.validate(options)
    if not isinstance(volume, DiffusionVolume):
        raise InputError("A fit needs a diffusion series: a 4D image with one b-value per image (DiffusionVolume).")
    if labels is not None:
        labels = checked_labels(labels, volume)
    bounds = _bounds(options)
    signals = prepare(volume, options, mask)
    prepared = time.perf_counter()
    found = fit_biexp(
        signals.values, signals.b_values, bounds, fit_s0=options.fit_s0, progress=part(progress, 0.02, 0.95)
    )
    fitted = time.perf_counter()
    maps = _maps(found, signals, volume)
    part(progress, 0.95, 1.0)(0.0, "Regions and curves")
    points, curve, fits = decay_tables(signals, labels, bounds, fit_s0=options.fit_s0)
    limits = {name: list(getattr(bounds, name)) for name in PARAMETERS}
    seconds = {"prepare": prepared - started, "fit": fitted - prepared, "tables": time.perf_counter() - fitted}
    return IVIMResult(
        provenance=_provenance(volume, options, limits, signals=signals, maps=maps, seconds=seconds),
        maps=maps,
        fitted=volume.like(signals.inside.astype(np.uint8)),
        regions=region_table(maps, signals.inside, labels, limits, fits),
        decay=points,
        decay_fit=curve,
    )


def _bounds(options: FitOptions) -> Bounds:
    """The body part's bounds, with those that were given in their place."""
    usual = Bounds() if options.body_part == "custom" else body_part(options.body_part).bounds
    given = {name: getattr(options, f"{name}_bounds") for name in PARAMETERS}
    return replace(usual, **{name: interval for name, interval in given.items() if interval})


def _maps(found: dict[str, NDArray], signals: Signals, series: DiffusionVolume) -> dict[str, Volume]:
    maps = {name: signals.volume(found[name], series) for name in PARAMETERS}
    spread = signals.values.var(axis=1, dtype=np.float64) * signals.values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(spread > 0, 1 - found["rss"] / spread, 0.0)
    maps["R2"] = signals.volume(explained, series)
    maps["RMSE"] = signals.volume(np.sqrt(found["rss"] / signals.values.shape[1]), series)
    return maps


def _provenance(
    series: DiffusionVolume,
    options: FitOptions,
    limits: dict[str, list[float]],
    *,
    signals: Signals,
    maps: dict[str, Volume],
    seconds: dict[str, float],
) -> Provenance:
    inputs = {
        "shape": list(series.array.shape),
        "spacing_mm": list(series.spacing),
        "b_values": series.b_values.tolist(),
        "b_values_fitted": signals.b_values.tolist(),
        "voxels_fitted": int(signals.inside.sum()),
        "bounds": limits,
    }
    notes = signals.notes + _notes_on_bounds(maps, signals.inside, limits)
    return Provenance("ivim.fit", ENGINE, settings.to_json(options), seconds=seconds, inputs=inputs, notes=notes)


def _notes_on_bounds(maps: dict[str, Volume], inside: NDArray, limits: dict[str, list[float]]) -> tuple[str, ...]:
    notes = []
    for name in BOUNDED:
        part = on_bound(maps[name].array[inside], limits[name])
        if part > MANY_ON_BOUND:
            label, (low, high) = QUANTITIES[name].label, limits[name]
            notes.append(
                f"{label} lies on a bound ({low:g} or {high:g}) in {part:.0%} of the voxels: hardly measured there."
            )
    return tuple(notes)


def predicted(result: IVIMResult, b_values: NDArray) -> NDArray:
    """The fitted signal (i, j, k, n) at b-values (n,) in s/mm2, in the image's units; 0 where nothing was fitted."""
    D, f, D_star, S0 = (result.maps[name].array for name in PARAMETERS)
    return biexp(np.asarray(b_values, dtype=float), D, f, D_star, S0)
