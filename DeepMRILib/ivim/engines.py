"""The engine of each method: least squares, segmented, Bayesian, and a network trained on the series."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.adc import fit_adc
from DeepMRILib.ivim.bayes import fit_bayes
from DeepMRILib.ivim.bounds import AnyBounds
from DeepMRILib.ivim.engine import Engine, Estimates, Problem
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import SignalModel
from DeepMRILib.ivim.prepare import Signals
from DeepMRILib.ivim.segmented import fit_segmented
from DeepMRILib.ivim.triexp import fit_triexp
from DeepMRILib.ivim.triexp_segmented import fit_triexp_segmented
from DeepMRILib.ivim.uncertainty import parameter_sd
from DeepMRILib.progress import Progress

LEAST_SQUARES = {
    "adc": "bounded mono-exponential least squares in each voxel (DeepMRILib.ivim.adc)",
    "biexp": "bounded bi-exponential least squares in each voxel (variable projection, DeepMRILib.ivim.leastsquares)",
    "triexp": "bounded tri-exponential least squares in each voxel (DeepMRILib.ivim.triexp)",
}
OWN_PRIOR = (
    "The prior was learned from this series alone, so estimates lean towards what is common in it; rare tissue is best "
    "compared with least squares or a flat prior."
)


def fit_model(
    model: SignalModel,
    values: ArrayLike,
    b_values: ArrayLike,
    bounds: AnyBounds,
    *,
    fit_s0: bool,
    progress: Progress | None = None,
) -> dict[str, NDArray]:
    """Least squares of any model: its parameters and ``rss`` of each row of ``values`` (n, n_b)."""
    fits = {"adc": fit_adc, "biexp": fit_biexp, "triexp": fit_triexp}
    return fits[model.name](values, b_values, bounds, fit_s0=fit_s0, progress=progress)


def least_squares(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
    """Bounded least squares; standard deviations from the curvature at the optimum."""
    found = fit_model(
        problem.model, signals.values, signals.b_values, problem.bounds,
        fit_s0=problem.options.fit_s0, progress=progress,
    )  # fmt: skip
    return _with_sd(found, signals, problem, LEAST_SQUARES[problem.model.name])


def segmented(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
    """Tissue from high b-values first; standard deviations as if all parameters had been fitted together."""
    splits = _splits(problem)
    given = signals.values, signals.b_values, problem.bounds
    common = {"fit_s0": problem.options.fit_s0, "progress": progress}
    if problem.model.name == "triexp":
        found = fit_triexp_segmented(*given, splits=splits, **common)
    else:
        found = fit_segmented(*given, split=splits[0], **common)
    limits = " and ".join(f"{split:g}" for split in splits)
    return _with_sd(found, signals, problem, f"segmented least squares, b = {limits} s/mm2 parts the compartments")


def _splits(problem: Problem) -> tuple[float, ...]:
    """The b-values that part the compartments: those given, or the body part's.

    Raises:
        InputError: another number of them than the model has kinds of blood.
    """
    usual = {"biexp": (problem.part.split,), "triexp": problem.part.triexp_splits}[problem.model.name]
    given = problem.options.splits
    if given and len(given) != len(usual):
        raise InputError(
            f"{len(given)} b-values were given to part the compartments; the model {problem.model.name} needs "
            f"{len(usual)}, for example {' '.join(f'{split:g}' for split in usual)}."
        )
    return given or usual


def _with_sd(found: dict[str, NDArray], signals: Signals, problem: Problem, engine: str) -> Estimates:
    """Least squares with standard deviations; what the residuals of all voxels tell of the noise is shared."""
    sd = parameter_sd(problem.model, found, signals.b_values, problem.bounds, fit_s0=problem.options.fit_s0, pool=True)
    values = {name: found[name] for name in problem.model.parameters}
    return Estimates(values, {name: sd[f"{name}_sd"] for name in values}, engine, _left_out(values))


def _left_out(values: dict[str, NDArray]) -> tuple[str, ...]:
    """A note on voxels that no curve can be scaled to: bright at low b-values, and negative on the whole."""
    voxels = int(np.isnan(values["S0"]).sum())
    return (f"{voxels:,} voxels whose mean over all images is not positive were left out.",) if voxels else ()


def bayesian(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
    """Posterior means and standard deviations."""
    options = problem.options
    found = fit_bayes(
        signals.values, signals.b_values, problem.bounds,
        prior=options.prior, fit_s0=options.fit_s0, seed=options.seed, progress=progress,
    )  # fmt: skip
    values = {name: found[name] for name in problem.model.parameters}
    sd = {name: found[f"{name}_sd"] for name in values}
    prior = "learned from all voxels" if options.prior == "data" else "flat within the bounds"
    engine = f"mean of the Bayesian posterior in each voxel, prior {prior} (DeepMRILib.ivim.bayes)"
    notes = (OWN_PRIOR,) if options.prior == "data" else ()
    return Estimates(values, sd, engine, notes + _left_out(values), seed=options.seed)


def network(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
    """A network that is trained on this series alone."""
    from DeepMRILib.ivim.ivimnet import train_on_series  # it builds on the pipeline, which builds on this module

    return train_on_series(signals, problem, progress)


ENGINES: dict[str, Engine] = {"lsq": least_squares, "segmented": segmented, "bayes": bayesian, "ivimnet": network}
"""Method to engine."""


def engine_of(method: str) -> Engine:
    """The engine of a method."""
    return ENGINES[method]
