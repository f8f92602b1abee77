"""The engines that need no network: least squares, segmented and Bayesian."""

from __future__ import annotations

from numpy.typing import ArrayLike, NDArray

from DeepMRILib.ivim.bayes import fit_bayes
from DeepMRILib.ivim.engine import AnyBounds, Engine, Estimates, Problem
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import SignalModel
from DeepMRILib.ivim.prepare import Signals
from DeepMRILib.ivim.uncertainty import biexp_sd
from DeepMRILib.progress import Progress

LEAST_SQUARES = {
    "adc": "bounded mono-exponential least squares in each voxel (DeepMRILib.ivim.adc)",
    "biexp": "bounded bi-exponential least squares in each voxel (variable projection, DeepMRILib.ivim.leastsquares)",
    "triexp": "bounded tri-exponential least squares in each voxel (DeepMRILib.ivim.triexp)",
}


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
    fits = {"biexp": fit_biexp}
    return fits[model.name](values, b_values, bounds, fit_s0=fit_s0, progress=progress)


def least_squares(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
    """Bounded least squares; standard deviations from the curvature at the optimum."""
    fit_s0 = problem.options.fit_s0
    found = fit_model(problem.model, signals.values, signals.b_values, problem.bounds, fit_s0=fit_s0, progress=progress)
    sd = biexp_sd(found, signals.b_values, problem.bounds, fit_s0=fit_s0)
    found.pop("rss")
    return Estimates(found, {name.removesuffix("_sd"): values for name, values in sd.items()}, LEAST_SQUARES["biexp"])


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
    return Estimates(values, sd, engine, seed=options.seed)


ENGINES: dict[str, Engine] = {"lsq": least_squares, "bayes": bayesian}
"""Method to engine."""


def engine_of(method: str) -> Engine:
    """The engine of a method."""
    return ENGINES[method]
