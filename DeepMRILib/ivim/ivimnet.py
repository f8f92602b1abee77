"""Networks as engines of a fit: trained on one series, or trained before and applied.

No true values of patients are needed. The presets ``optim`` and ``orig`` are self-supervised: the loss is the distance
between a voxel's signals and the curve of the parameters that the network gives for them (Barbieri et al., Magn Reson
Med 2020;83:312; Kaandorp et al., 2021;86:2250). The networks of ``default`` learn from simulated signals, whose truth
is known and whose prior and noise are those of the study (``train_posterior``); they give means and standard deviations
of the posterior.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import options as settings
from DeepMRILib.device import resolve
from DeepMRILib.errors import InputError, require
from DeepMRILib.ivim.engine import Engine, Estimates, Problem
from DeepMRILib.ivim.fitting import run_engine
from DeepMRILib.ivim.options import ApplyOptions, FitOptions
from DeepMRILib.ivim.plan import NetworkPlan, plan_for
from DeepMRILib.ivim.prepare import Signals
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.ivim.study_signals import b_values_text, same_b_values
from DeepMRILib.ivim.trained import TrainedModel
from DeepMRILib.progress import Progress, part
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

if TYPE_CHECKING:
    from DeepMRILib.ivim.train_network import Trained

LOSS_COLUMNS = ("epoch", "loss", "validation_loss", "learning_rate")
FEWEST_VOXELS = 200
"""Of self-supervised networks a tenth is kept for validation, and with fewer the rest is not even one full batch of
128. Those of ``default`` learn from simulated signals, but what is usual in the study and its noise from these voxels.
"""
ALONE = (
    "The network was trained on this series alone{how}, so its estimates lean towards what this series holds, and "
    "differences between cases are biased: for a study train one network on all series with ivim.train."
)
POSTERIOR = "default"
"""The preset whose networks are trained on simulated signals."""


def train_on_series(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
    """The engine of ``FitOptions(method="ivimnet")``: train on the series alone, then apply."""
    plan, trained = learn(signals.values, signals.b_values, problem, progress=part(progress, 0.0, 0.9))
    found = _estimates(signals, problem, plan, trained.weights, part(progress, 0.9, 1.0))
    return replace(
        found,
        engine=f"{engine_words(problem.options)}, trained on this series",
        notes=(alone_note(problem), *plan_notes(plan, problem), *found.notes),
        device=trained.device,
        training=loss_curve(trained.history),
    )


def learn(
    signals: NDArray,
    b_values: NDArray,
    problem: Problem,
    *,
    epochs: int = 0,
    checkpoint: Path | None = None,
    progress: Progress,
) -> tuple[NetworkPlan, Trained]:
    """Train the network that a problem asks for.

    Args:
        signals: (voxels, n), an array or a memory map.
        b_values: (n,) in s/mm2.
        problem: its options name preset, members, seed and device.
        epochs: the most; 0 takes those of the preset.
        checkpoint: from which a stopped training goes on.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: too few voxels.
        DependencyError: PyTorch is not installed.
    """
    require("torch", "The method ivimnet")
    from DeepMRILib.ivim.train_network import train_network

    options = problem.options
    if len(signals) < FEWEST_VOXELS:
        raise InputError(
            f"There {'is 1 voxel' if len(signals) == 1 else f'are {len(signals)} voxels'} to train on, and a network "
            f"needs at least {FEWEST_VOXELS}: {_why_so_many(options)}. Take a larger mask or more series, apply a "
            "trained network, or choose the method lsq."
        )
    limit = {"epochs": epochs} if epochs else {}
    plan = plan_for(
        options.preset, problem.model.name, b_values.tolist(), problem.bounds.as_dict(), fit_s0=options.fit_s0,
        members=options.members, seed=options.seed, **limit,
    )  # fmt: skip
    trained = train_network(signals, plan, device=options.device, checkpoint=checkpoint, progress=progress)
    return plan, trained


def _why_so_many(options: FitOptions) -> str:
    if options.preset == POSTERIOR:
        return "the noise and what is usual are learned from them"
    return "a tenth of them is kept to see when to stop, and fewer do not fill one step"


def loss_curve(history: Table) -> Table:
    """What of a training's history is the same whenever it is done again."""
    return Table({name: list(history.columns[name]) for name in LOSS_COLUMNS})


def plan_notes(plan: NetworkPlan, problem: Problem) -> tuple[str, ...]:
    """Where a preset does not do what was asked for."""
    if plan.fit_s0 or not problem.options.fit_s0:
        return ()
    return (f"The network {plan.preset} does not fit S0: the mean signal at the lowest b-value stands for it.",)


def alone_note(problem: Problem) -> str:
    """What a training on one series means for the estimates."""
    if problem.options.preset != POSTERIOR:
        return ALONE.format(how="")
    learned = "noise" if problem.model.name == "triexp" else "prior and noise"
    return ALONE.format(how=f" (on simulated signals with its {learned})")


def engine_words(options: FitOptions) -> str:
    """What kind of network it is, and what it learned from."""
    posterior = options.preset == POSTERIOR
    kind = "posterior" if posterior else "self-supervised"
    networks = f"{options.members} {kind} networks" if options.members > 1 else f"{kind} network"
    if not posterior:
        return f"{networks}, preset {options.preset} (IVIM-NET, DeepMRILib.ivim.train_network)"
    prior = "a flat prior and the study's noise" if options.model == "triexp" else "the study's own prior and noise"
    return (
        f"{networks}, preset {options.preset}, supervised by signals simulated from {prior} "
        "(DeepMRILib.ivim.train_posterior)"
    )


def apply(
    model: TrainedModel | Path | str,
    volume: DiffusionVolume,
    options: ApplyOptions | FitOptions | None = None,
    *,
    mask: Volume | NDArray | None = None,
    labels: LabelVolume | None = None,
    progress: Progress | None = None,
) -> IVIMResult:
    """IVIM maps of a series by a network that was trained before.

    Averaging, the choice of b-values, the signal equation and the bounds are those of the network's training.

    Args:
        model: of ``ivim.train``: the model itself, its folder, or its name on this computer.
        volume: (i, j, k, n) with the b-values that the network was trained with, in any order.
        options: how the result is wanted; of ``FitOptions`` all that concerns the fit itself is left to the network.
        mask, labels, progress: as for ``ivim.fit``.

    Raises:
        InputError: other b-values than the network's, a bad mask, regions or settings, or no voxel to fit.
        WeightsError: no such network, or a damaged one.
        DependencyError: PyTorch or safetensors is not installed.
    """
    options = ApplyOptions() if options is None else options
    if not isinstance(options, (ApplyOptions, FitOptions)):
        raise InputError(f"The options are ApplyOptions, e.g. ApplyOptions(predicted=True); got {options!r}.")
    options = settings.validate(options)
    require("torch", "Applying a network")
    trained = model if isinstance(model, TrainedModel) else TrainedModel.load(model)
    whole_fit = isinstance(options, FitOptions)
    if whole_fit and options.model != trained.options.model:
        raise InputError(
            f"The network {trained.name} was trained for the model {trained.options.model}, not for {options.model}. "
            "Choose that model, or another network."
        )
    wanted = {name: getattr(options, name) for name in ("predicted", "seed", "device", "background")}
    problem = trained.problem(**wanted)
    result = run_engine(
        "ivim.fit" if whole_fit else "ivim.apply",
        volume,
        problem,
        applying(trained),
        mask=mask,
        labels=labels,
        progress=progress,
        options=settings.to_json(problem.options if whole_fit else options),
    )
    made = result.provenance
    network = {"name": trained.name, "preset": trained.options.preset, "voxels": trained.voxels}
    return replace(result, provenance=replace(made, inputs={**made.inputs, "network": network}))


def applying(trained: TrainedModel) -> Engine:
    """The engine that applies a network."""

    def engine(signals: Signals, problem: Problem, progress: Progress) -> Estimates:
        if not same_b_values(signals.b_values, np.array(trained.b_values)):
            raise InputError(
                f"The network {trained.name} was trained with {b_values_text(np.array(trained.b_values))}, and this "
                f"series has {b_values_text(signals.b_values)}. Choose a network for these b-values, or train one on "
                "such series with ivim.train."
            )
        found = _estimates(signals, problem, trained.plan, trained.weights, progress)
        words = f"{engine_words(trained.options)}, trained before: {trained.name}"
        return replace(found, engine=words, weights_sha256=trained.sha256)

    return engine


def _estimates(
    signals: Signals, problem: Problem, plan: NetworkPlan, weights: dict[str, NDArray], progress: Progress
) -> Estimates:
    from DeepMRILib.ivim.network_apply import estimate

    options = problem.options
    found = estimate(
        signals.values, plan, weights, bounds=problem.bounds, fit_s0=plan.fit_s0, device=options.device,
        seed=options.seed, progress=progress,
    )  # fmt: skip
    names = problem.model.parameters
    sd = {name: found[f"{name}_sd"] for name in names if f"{name}_sd" in found}
    left_out = int(np.isnan(found["D"]).sum())
    why = "whose signal rises with b were left out: no decay explains them"
    if not plan.voxel_filter:
        why = "without a positive signal at the lowest b-value were left out"
    notes = (f"{left_out:,} voxels {why}.",) if left_out else ()
    place = "cpu" if options.device == "auto" else resolve(options.device)  # such small networks gain nothing elsewhere
    return Estimates({name: found[name] for name in names}, sd, "", notes, seed=options.seed, device=place)
