"""``ivim.train``: one network for all series of a study."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from DeepMRILib import device as devices
from DeepMRILib import options as settings
from DeepMRILib.errors import InputError, OutputError, require
from DeepMRILib.ivim.engine import Problem
from DeepMRILib.ivim.ivimnet import alone_note, engine_words, learn, loss_curve, plan_notes
from DeepMRILib.ivim.options import (
    Average,
    BodyPart,
    FitOptions,
    Preset,
    average_option,
    b_limit_option,
    background_option,
    body_part_option,
    bounds_option,
    fit_s0_option,
    members_option,
    preset_option,
    seed_option,
)
from DeepMRILib.ivim.study_signals import Mask, Series, Study, sources, study_signals
from DeepMRILib.ivim.trained import TrainedModel
from DeepMRILib.model_card import check_name
from DeepMRILib.options import option
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.trained import weights_sha256

if TYPE_CHECKING:
    from DeepMRILib.ivim.train_network import Trained


@dataclass(frozen=True)
class TrainOptions:
    """How one network is trained for all series of a study."""

    preset: Preset = preset_option()
    model: Literal["biexp", "triexp"] = option(
        "biexp", "Signal equation: biexp (D, f, D*), triexp (two kinds of blood)"
    )
    body_part: BodyPart = body_part_option()
    name: str = option(
        "", "Name of the network in lists of models; empty takes one made of preset, model and number of images"
    )
    average: Average = average_option()
    fit_s0: bool = fit_s0_option()
    seed: int = seed_option()
    members: int = members_option(5)
    epochs: int = option(0, "The most epochs of training; 0 takes those of the preset", range=(0, 1_000_000))
    max_voxels: int = option(
        0, "Train on at most so many voxels, drawn at random from all series; 0 takes all", range=(0, 10**9),
        advanced=True,
    )  # fmt: skip
    checkpoint: str = option(
        "", "File from which a stopped training goes on when the same is started again; empty keeps none",
        advanced=True,
    )  # fmt: skip
    device: devices.Device = option("auto", "Where to compute", advanced=True)
    background: float = background_option()
    b_min: float = b_limit_option("lowest")
    b_max: float = b_limit_option("highest")
    D_bounds: tuple[float, ...] = bounds_option("D")
    f_bounds: tuple[float, ...] = bounds_option("f")
    D_star_bounds: tuple[float, ...] = bounds_option("D_star")
    S0_bounds: tuple[float, ...] = bounds_option("S0")
    f1_bounds: tuple[float, ...] = bounds_option("f1")
    D_star1_bounds: tuple[float, ...] = bounds_option("D_star1")
    f2_bounds: tuple[float, ...] = bounds_option("f2")
    D_star2_bounds: tuple[float, ...] = bounds_option("D_star2")


def train(
    volumes: Series | Sequence[Series],
    options: TrainOptions | None = None,
    *,
    masks: Mask | Sequence[Mask | None] | None = None,
    progress: Progress | None = None,
) -> TrainedModel:
    """One network trained on all series of a study, to be applied to each of them and to later ones.

    The estimates of a network lean towards what it was trained on. Trained on each case alone, they differ between
    cases for that reason too, so the makers of IVIM-NET advise one network for a whole study. All voxels of all series
    train it together; series that are paths are read one after the other, and signals that do not fit into memory go
    into a temporary file.

    Args:
        volumes: one series or several: ``DiffusionVolume``, or files as ``files.read_diffusion`` reads them. After
            averaging and the choice of b-values all have the same b-values.
        options: see ``TrainOptions``.
        masks: one for each series, images or files; by default all voxels that are not background.
        progress: told how far it is; may raise ``Cancelled``. With ``checkpoint`` the training goes on from there
            when it is called again with the same series and settings, and ends with the same network.

    Returns:
        ``TrainedModel``; ``save`` makes a folder of it that ``ivim.apply`` and ``deepmri models add`` take.

    Raises:
        InputError: bad series, masks or settings, series with different b-values, or too few voxels.
        WeightsError: the checkpoint is damaged.
        OutputError: the checkpoint cannot be written, or the disk of the temporary files is full.
        DependencyError: PyTorch or safetensors is not installed.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = _checked(options)
    problem = Problem.of(fit_options(options))
    _check_ready(options)
    given = sources(volumes, masks)
    reading = part(progress, 0.0, 0.1)
    with study_signals(given, problem.options, most=options.max_voxels, seed=options.seed, progress=reading) as study:
        prepared = time.perf_counter()
        plan, trained = learn(
            study.signals,
            study.b_values,
            problem,
            epochs=options.epochs,
            checkpoint=Path(options.checkpoint) if options.checkpoint else None,
            progress=part(progress, 0.1, 1.0),
        )
        voxels = len(study.signals)
    seconds = {"prepare": prepared - started, "train": time.perf_counter() - prepared}
    bounds = {f"{name}_bounds": interval for name, interval in problem.bounds.as_dict().items()}
    return TrainedModel(
        provenance=_provenance(options, problem, study, trained, notes=plan_notes(plan, problem), seconds=seconds),
        name=options.name or f"ivim-{options.preset}-{options.model}-{len(study.b_values)}",
        plan=plan,
        weights=trained.weights,
        history=loss_curve(trained.history),
        options=replace(problem.options, fit_s0=plan.fit_s0, seed=0, device="auto", **bounds),
        b_values=tuple(study.b_values.tolist()),
        voxels=voxels,
        series=study.series,
    )


def fit_options(options: TrainOptions) -> FitOptions:
    """The fit that the network will make."""
    names = {item.name for item in fields(FitOptions)} & {item.name for item in fields(TrainOptions)}
    return FitOptions(method="ivimnet", **{name: getattr(options, name) for name in names})


def _checked(options: TrainOptions | None) -> TrainOptions:
    options = TrainOptions() if options is None else options
    if not isinstance(options, TrainOptions):
        raise InputError(f"The options of a training are TrainOptions, e.g. TrainOptions(members=1); got {options!r}.")
    return settings.validate(options)


def _check_ready(options: TrainOptions) -> None:
    """What would fail after an hour of training is said before it."""
    require("torch", "Training a network")
    require("safetensors", "Keeping a trained network")
    devices.resolve(options.device)
    if options.name:
        check_name(options.name)
    if options.checkpoint:
        if Path(options.checkpoint).is_dir():
            raise OutputError(f"The checkpoint {options.checkpoint} is a folder. Give the name of a file in it.")
        folder = Path(options.checkpoint).absolute().parent
        if not folder.is_dir():
            raise OutputError(f"The folder {folder} of the checkpoint does not exist. Make it, or choose another file.")


def _provenance(
    options: TrainOptions,
    problem: Problem,
    study: Study,
    trained: Trained,
    *,
    notes: tuple[str, ...],
    seconds: dict[str, float],
) -> Provenance:
    alone = () if len(study.series) > 1 else (alone_note(problem),)
    return Provenance(
        "ivim.train",
        engine_words(problem.options),
        settings.to_json(options),
        seed=options.seed,
        device=trained.device,
        seconds=seconds,
        weights_sha256=weights_sha256(trained.weights),
        inputs={
            "series": len(study.series),
            "voxels": len(study.signals),
            "b_values": study.b_values.tolist(),
            "model": problem.model.name,
            "bounds": {name: list(interval) for name, interval in problem.bounds.as_dict().items()},
            "best_epoch": trained.best_epoch,
            "stopped": trained.stopped,
            "validation_loss": min(trained.history.columns["validation_loss"]),
        },
        notes=study.notes + notes + alone,
    )
