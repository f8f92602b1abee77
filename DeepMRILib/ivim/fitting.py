"""``ivim.fit``: from a diffusion series to maps, tables and curves."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import options as settings
from DeepMRILib.errors import InputError
from DeepMRILib.ivim.engine import Engine, Estimates, Problem
from DeepMRILib.ivim.engines import engine_of
from DeepMRILib.ivim.goodness import ENOUGH_R2, goodness, on_bound, predicted_signals
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.prepare import Signals, prepare
from DeepMRILib.ivim.quantities import QUANTITIES
from DeepMRILib.ivim.regions import decay_tables, region_table
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume, checked_labels

if TYPE_CHECKING:
    from DeepMRILib.ivim.trained import TrainedModel

MANY_ON_BOUND = 0.2
MANY_UNEXPLAINED = 0.5


def fit(
    volume: DiffusionVolume,
    options: FitOptions | None = None,
    *,
    mask: Volume | NDArray | None = None,
    labels: LabelVolume | None = None,
    network: TrainedModel | Path | str | None = None,
    progress: Progress | None = None,
) -> IVIMResult:
    """IVIM maps of a diffusion series: S(b) = S0 [f exp(-b D*) + (1 - f) exp(-b D)] (Le Bihan et al. 1988).

    Args:
        volume: (i, j, k, n) with n b-values in s/mm2, in any order, with repeats and without b = 0 if need be.
        options: see ``FitOptions``.
        mask: (i, j, k), only voxels inside are fitted; by default all that are not background.
        labels: regions for the table and the decay curves; by default one region of all fitted voxels.
        network: of ``ivim.train``, for the method ivimnet: applied instead of training one on this series alone. Its
            own model, bounds, averaging and b-values hold, as in ``ivim.apply``.
        progress: told how far it is; may raise ``Cancelled``.

    Returns:
        ``IVIMResult``; ``result.maps["D"]`` is a Volume in mm2/s.

    Raises:
        InputError: bad b-values, mask, regions or settings, no voxel to fit, or a network for another method.
        WeightsError: no such network, or a damaged one.
        DependencyError: the method ivimnet, and PyTorch is not installed.

    Example:
        >>> from DeepMRILib.ivim.example import fit_inputs
        >>> result = fit(**fit_inputs())
        >>> [round(value, 4) for value in result.regions.columns["D_median"]]
        [0.0011, 0.0019]
    """
    options = FitOptions() if options is None else options
    if not isinstance(options, FitOptions):
        raise InputError(f"The options of a fit are FitOptions, e.g. FitOptions(body_part='liver'); got {options!r}.")
    options = settings.validate(options)
    problem = Problem.of(options)
    if network is not None:
        return _applied(network, volume, options, mask=mask, labels=labels, progress=progress)
    return run_engine(
        "ivim.fit",
        volume,
        problem,
        engine_of(options.method),
        mask=mask,
        labels=labels,
        progress=progress,
        options=settings.to_json(options),
    )


def _applied(
    network: TrainedModel | Path | str, volume: DiffusionVolume, options: FitOptions, **given: Any
) -> IVIMResult:
    if options.method != "ivimnet":
        raise InputError(
            f"A network was given, and the method is {options.method}. Choose the method ivimnet, or give no network."
        )
    from DeepMRILib.ivim.ivimnet import apply  # it builds on this module

    return apply(network, volume, options, **given)


def run_engine(
    job: str,
    volume: DiffusionVolume,
    problem: Problem,
    engine: Engine,
    *,
    mask: Volume | NDArray | None,
    labels: LabelVolume | None,
    progress: Progress | None,
    options: dict,
) -> IVIMResult:
    """Prepare the signals, let an engine fit them, and put together what it found.

    Args:
        job: for the provenance.
        options: what the user chose, for the provenance.
    """
    started = time.perf_counter()
    if not isinstance(volume, DiffusionVolume):
        raise InputError("A fit needs a diffusion series: a 4D image with one b-value per image (DiffusionVolume).")
    if labels is not None:
        labels = checked_labels(labels, volume)
    signals = prepare(volume, problem.options, mask)
    prepared = time.perf_counter()
    found = engine(signals, problem, part(progress, 0.02, 0.95))
    signals, found = _told(signals, found)
    fitted = time.perf_counter()
    part(progress, 0.95, 1.0)(0.0, "Maps, regions and curves")
    maps = _maps(found, signals, problem, volume)
    found = replace(found, notes=found.notes + _note_on_curves(maps["R2"].array[signals.inside]))
    points, curve, fits = decay_tables(signals, labels, problem, found.values)
    regions = region_table(maps, signals.inside, labels, problem, fits)
    predicted = _predicted_series(signals, problem, found, volume) if problem.options.predicted else None
    seconds = {"prepare": prepared - started, "fit": fitted - prepared, "tables": time.perf_counter() - fitted}
    return IVIMResult(
        provenance=_provenance(job, volume, options, signals=signals, problem=problem, found=found, seconds=seconds),
        maps=maps,
        fitted=volume.like(signals.inside.astype(np.uint8)),
        regions=regions,
        decay=points,
        decay_fit=curve,
        predicted=predicted,
        training=found.training,
    )


def _told(signals: Signals, found: Estimates) -> tuple[Signals, Estimates]:
    """The voxels of which the engine has something to tell, and what it tells of them.

    Raises:
        InputError: of none.
    """
    known = np.logical_and.reduce([np.isfinite(values) for values in found.values.values()])
    if known.all():
        return signals, found
    if not known.any():
        reasons = " ".join(found.notes)
        raise InputError(f"No voxel could be fitted. {reasons} Choose another mask, series or method.")
    inside = signals.inside.copy()
    inside[signals.inside] = known
    told = {name: values[known] for name, values in found.values.items()}
    sd = {name: values[known] for name, values in found.sd.items()}
    return replace(signals, values=signals.values[known], inside=inside), replace(found, values=told, sd=sd)


def _maps(found: Estimates, signals: Signals, problem: Problem, series: DiffusionVolume) -> dict[str, Volume]:
    """Parameters, their standard deviations and quality as volumes."""
    bounds = problem.bounds.as_dict()
    maps = dict(found.values)
    for name in problem.model.parameters:
        if name in found.sd:
            maps[f"{name}_sd"] = found.sd[name] if name == "S0" else _known(found.sd[name], bounds[name])
    maps |= goodness(signals, problem, found.values)
    return {name: signals.volume(values, series) for name, values in maps.items()}


def _known(sd: NDArray, interval: tuple[float, float]) -> NDArray:
    """Standard deviations of which none is larger than that of knowing nothing but the bounds."""
    return np.fmin(sd, (interval[1] - interval[0]) / np.sqrt(12))


def _predicted_series(signals: Signals, problem: Problem, found: Estimates, series: DiffusionVolume) -> DiffusionVolume:
    array = np.zeros((*signals.inside.shape, signals.b_values.size), dtype=np.float32)
    array[signals.inside] = np.nan_to_num(predicted_signals(signals, problem, found))
    return DiffusionVolume(array, series.affine, signals.b_values)


def _provenance(
    job: str,
    series: DiffusionVolume,
    options: dict,
    *,
    signals: Signals,
    problem: Problem,
    found: Estimates,
    seconds: dict[str, float],
) -> Provenance:
    inputs = {
        "shape": list(series.array.shape),
        "spacing_mm": list(series.spacing),
        "b_values": series.b_values.tolist(),
        "b_values_fitted": signals.b_values.tolist(),
        "voxels_fitted": int(signals.inside.sum()),
        "model": problem.model.name,
        "bounds": {name: list(interval) for name, interval in problem.bounds.as_dict().items()},
    }
    return Provenance(
        job,
        found.engine,
        options,
        seed=found.seed,
        device=found.device,
        seconds=seconds,
        weights_sha256=found.weights_sha256,
        inputs=inputs,
        notes=signals.notes + found.notes + _notes_on_bounds(problem, found),
    )


def _note_on_curves(explained: NDArray) -> tuple[str, ...]:
    """Said of a fit that failed, such as a network that stopped training too soon; from each voxel's R2."""
    bad = float(np.mean(explained < ENOUGH_R2))
    if bad <= MANY_UNEXPLAINED:
        return ()
    return (
        f"The fitted curve explains less than half of the signal's variance in {bad:.0%} of the voxels: the fit failed "
        "there, or there is nothing but noise. Compare another method; a network may need more voxels to train on.",
    )


def _notes_on_bounds(problem: Problem, found: Estimates) -> tuple[str, ...]:
    notes = []
    for name, (low, high) in problem.bounds.as_dict().items():
        part_on = float(np.mean(on_bound(found.values[name], (low, high)))) if name != "S0" else 0.0
        if part_on > MANY_ON_BOUND:
            notes.append(
                f"{QUANTITIES[name].label} lies on a bound ({low:g} or {high:g}) in {part_on:.0%} of the voxels: "
                "hardly measured there."
            )
    return tuple(notes)


def predicted(result: IVIMResult, b_values: NDArray) -> NDArray:
    """The fitted signal (i, j, k, n) at b-values (n,) in s/mm2, in the image's units; 0 where nothing was fitted."""
    model = MODELS[result.provenance.inputs["model"]]
    parameters = (result.maps[name].array for name in model.parameters)
    return model.signal(np.asarray(b_values, dtype=float), *parameters)
