"""``ivim.fit``: from a diffusion series to maps, tables and curves."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import options as settings
from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import Bounds, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.prepare import Signals, prepare
from DeepMRILib.ivim.quantities import PARAMETERS
from DeepMRILib.ivim.regions import decay_tables, region_table
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume, checked_mask

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
    options = settings.validate(FitOptions() if options is None else options)
    if not isinstance(volume, DiffusionVolume):
        raise InputError("A fit needs a diffusion series: a 4D image with one b-value per image (DiffusionVolume).")
    if labels is not None:
        checked_mask(labels, volume)
    bounds = _bounds(options)
    signals = prepare(volume, options, mask)
    prepared = time.perf_counter()
    found = fit_biexp(
        signals.values, signals.b_values, bounds, fit_s0=options.fit_s0, progress=part(progress, 0.02, 0.95)
    )
    fitted = time.perf_counter()
    maps = _maps(found, signals, volume)
    part(progress, 0.95, 1.0)(0.0, "Regions and curves")
    points, curve = decay_tables(signals, labels, bounds, fit_s0=options.fit_s0)
    seconds = {"prepare": prepared - started, "fit": fitted - prepared, "tables": time.perf_counter() - fitted}
    return IVIMResult(
        provenance=_provenance(volume, options, bounds, signals, seconds),
        maps=maps,
        fitted=volume.like(signals.inside.astype(np.uint8)),
        regions=region_table(maps, signals.inside, labels),
        decay=points,
        decay_fit=curve,
    )


def _bounds(options: FitOptions) -> Bounds:
    if options.body_part != "custom":
        return body_part(options.body_part).bounds
    return Bounds(D=options.D_bounds, f=options.f_bounds, D_star=options.D_star_bounds, S0=options.S0_bounds)


def _maps(found: dict[str, NDArray], signals: Signals, series: DiffusionVolume) -> dict[str, Volume]:
    maps = {name: signals.volume(found[name], series) for name in PARAMETERS}
    spread = signals.values.var(axis=1, dtype=np.float64) * signals.values.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(spread > 0, 1 - found["rss"] / spread, 0.0)
    maps["R2"] = signals.volume(explained, series)
    maps["RMSE"] = signals.volume(np.sqrt(found["rss"] / signals.values.shape[1]), series)
    return maps


def _provenance(
    series: DiffusionVolume, options: FitOptions, bounds: Bounds, signals: Signals, seconds: dict[str, float]
) -> Provenance:
    inputs = {
        "shape": list(series.array.shape),
        "spacing_mm": list(series.spacing),
        "b_values": series.b_values.tolist(),
        "voxels_fitted": int(signals.inside.sum()),
        "bounds": {name: list(getattr(bounds, name)) for name in PARAMETERS},
    }
    return Provenance(
        "ivim.fit", ENGINE, settings.to_json(options), seconds=seconds, inputs=inputs, notes=signals.notes
    )


def predicted(result: IVIMResult, b_values: NDArray) -> NDArray:
    """The fitted signal (i, j, k, n) at b-values (n,) in s/mm2, in the image's units; 0 where nothing was fitted."""
    D, f, D_star, S0 = (result.maps[name].array for name in PARAMETERS)
    return biexp(np.asarray(b_values, dtype=float), D, f, D_star, S0)
