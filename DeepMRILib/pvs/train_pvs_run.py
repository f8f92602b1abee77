"""From heads to a trained network: the work of ``pvs.train``."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from DeepMRILib import device as devices
from DeepMRILib import training
from DeepMRILib.errors import Cancelled, InputError, WeightsError
from DeepMRILib.network_half import channels_last, half_type
from DeepMRILib.options import to_json
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs.lifelike_heads import Heads, heads_of
from DeepMRILib.pvs.network_memory import network_device
from DeepMRILib.pvs.network_unet import build_network, folded
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.train_pvs import GENERATOR, Averaged, Judging, Learning, PatchSet
from DeepMRILib.pvs.train_pvs_scores import scored
from DeepMRILib.pvs.trained import FOLD, TrainedNetwork
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.weight_files import load_torch_file

STEPS_PER_EPOCH = 100
HELD_OUT = 10**18
"""Seeds of the patches held out begin here."""
APART = 10**8
"""Patches of one seed of the settings before those of the next."""
now = time.monotonic
ENGINE = "residual U-Net, trained on generated perivascular spaces (domain randomisation as in DRIPS, 2025)"


@dataclass(frozen=True, eq=False)
class _Learned:
    """What a training came to."""

    state: dict[str, torch.Tensor]
    history: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


def trained(options: TrainOptions, labels: Path | None, progress: Progress | None, started: float) -> TrainedNetwork:
    """See ``training.train``."""
    device = network_device(options.device)
    heads = heads_of(labels, options.heads, options.seed, part(progress, 0.0, 0.03))
    devices.seed_everything(options.seed)
    design = {"channels": list(options.channels), "images": 1, "bottom": 2, "normalised": not options.start}
    network = build_network(design)
    start = _started_from(options)
    _take_weights(network, start)
    model = channels_last(Averaged(network), half_type(device))
    held_out = PatchSet(heads.held_out, HELD_OUT + options.seed * options.held_out, options.held_out, options.patch)
    learned = _learn(model, _Lesson(heads, held_out, options, device, start), part(progress, 0.03, 0.98))
    network.load_state_dict(learned.state)
    network, design = folded(network.eval(), design)
    scores = scored(network, held_out, device)
    return _result(
        _Made(options, heads, learned, network, design, scores, start), time.perf_counter() - started, device
    )


@dataclass(frozen=True, eq=False)
class _Made:
    """All that a result says."""

    options: TrainOptions
    heads: Heads
    learned: _Learned
    network: torch.nn.Module
    design: dict[str, Any]
    scores: Table
    start: TrainedNetwork | None


def _started_from(options: TrainOptions) -> TrainedNetwork | None:
    """The network to go on from, if there is one."""
    if not options.start:
        return None
    other = TrainedNetwork.load(Path(options.start) if Path(options.start).exists() else options.start)
    if list(other.design.get("channels", ())) != list(options.channels):
        raise InputError(
            f"The network {other.name} has {other.design.get('channels')} channels, and {list(options.channels)} are "
            "set. Set the same, or start from another network."
        )
    return other


def _take_weights(network: torch.nn.Module, other: TrainedNetwork | None) -> None:
    if other is None:
        return
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in other.state().items()})
    except RuntimeError as error:
        raise WeightsError(f"The weights of {other.name} do not fit its design. Get the model again.") from error


def _sha256(start: TrainedNetwork | None) -> str:
    return "" if start is None else start.provenance.weights_sha256 or ""


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What is learned from, and how."""

    heads: Heads
    held_out: PatchSet
    options: TrainOptions
    device: str
    start: TrainedNetwork | None


def _ready(patches: PatchSet) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """All of them, made once."""
    return [patches[number] for number in range(len(patches))]


def _learn(model: Averaged, lesson: _Lesson, progress: Progress) -> _Learned:
    options, heads, device = lesson.options, lesson.heads, lesson.device
    per_epoch = min(STEPS_PER_EPOCH, options.steps)
    epochs = max(1, round(options.steps / per_epoch))
    wanted = epochs * per_epoch * options.batch
    data = PatchSet(heads.training, options.seed * APART, min(max(10 * wanted, 1000), APART), options.patch)
    same = {
        "heads": heads.digest,
        "generator": str(GENERATOR),
        "patch": str(options.patch),
        "start": _sha256(lesson.start),
    }
    with _checkpoint(options) as checkpoint:
        deadline = _Deadline(options.hours, progress)
        try:
            found = training.train(
                model,
                data,
                Learning(device, 0 if options.start else epochs * per_epoch // 2),
                _loop_options(options, epochs, per_epoch, device),
                validation=_ready(lesson.held_out),
                validation_loss=Judging(device),
                checkpoint=checkpoint,
                same=same,
                progress=deadline,
            )
        except Cancelled:
            if not deadline.over:
                raise
            return _so_far(checkpoint, options, per_epoch)
    history = [_row(vars(epoch), per_epoch) for epoch in found.history]
    return _Learned(_averages(found.last_weights), history)


def _loop_options(options: TrainOptions, epochs: int, per_epoch: int, device: str) -> training.TrainOptions:
    """The settings of the common training loop."""
    return training.TrainOptions(
        device=device,
        epochs=epochs,
        batch_size=options.batch,
        max_batches_per_epoch=per_epoch,
        validation_batch_size=8,
        optimizer="adamw",
        learning_rate=options.learning_rate,
        weight_decay=1e-4,
        schedule="poly",
        patience=0,
        restore_best=False,
        clip_gradient=1.0,
        mixed_precision=True,
        workers=options.workers,
        seed=options.seed,
    )


class _Deadline:
    """Progress that stops the training when its time is over."""

    def __init__(self, hours: float, progress: Progress) -> None:
        self.over = False
        self._progress = progress
        self._end = now() + 3600 * hours if hours else float("inf")

    def __call__(self, fraction: float, message: str) -> None:
        self._progress(fraction, message)
        if now() > self._end:
            self.over = True
            raise Cancelled("The time is over.")


@contextmanager
def _checkpoint(options: TrainOptions) -> Iterator[Path]:
    """The file that is set, or one that goes when the training is done."""
    if options.checkpoint:
        yield Path(options.checkpoint).expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="deepmri-train-") as folder:
        yield Path(folder) / "checkpoint.pt"


def _so_far(checkpoint: Path, options: TrainOptions, per_epoch: int) -> _Learned:
    """What the last epoch before the end of the time came to."""
    content = load_torch_file(checkpoint)
    if not content["history"]:
        raise InputError(
            f"In {options.hours:g} hours not one epoch of {per_epoch} steps was done. Give it more time, or take "
            "smaller patches."
        )
    history = [_row(epoch, per_epoch) for epoch in content["history"]]
    steps = history[-1]["steps"]
    note = f"The training was stopped after {steps} of {options.steps} steps, when its time was over."
    return _Learned(_averages(content["weights"]), history, (note,))


def _averages(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    prefix = "average."
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _row(epoch: dict[str, Any], per_epoch: int) -> dict[str, Any]:
    return {
        "epoch": epoch["number"],
        "steps": epoch["number"] * per_epoch,
        "loss": epoch["loss"],
        "average_precision": 1 - epoch["validation_loss"],
        "learning_rate": epoch["learning_rate"],
        "seconds": epoch["seconds"],
    }


def _result(of: _Made, seconds: float, device: str) -> TrainedNetwork:
    options, heads, learned = of.options, of.heads, of.learned
    dtype = np.float16 if options.half_weights else np.float32
    state = of.network.state_dict()
    steps = learned.history[-1]["steps"]
    made = Provenance(
        job="pvs.train",
        engine=ENGINE,
        options=to_json(options),
        seed=options.seed,
        device=device,
        seconds={"train": seconds},
        inputs={"heads": list(heads.names), "start_sha256": _sha256(of.start), "generator": GENERATOR},
        notes=(*learned.notes, *heads.notes),
    )
    return TrainedNetwork(
        provenance=made,
        name=options.name,
        design=of.design,
        weights={FOLD + name: value.numpy(force=True).astype(dtype) for name, value in state.items()},
        training_data=f"{steps * options.batch} generated patches of {options.patch} mm in parts of "
        f"{heads.in_words}; all perivascular spaces are drawn, none is a patient's."
        + (f" Before that, as {of.start.name}: {of.start.training_data}" if of.start else ""),
        metrics=_metrics(of.scores),
        history=Table.from_rows(learned.history),
        scores=of.scores,
    )


def _metrics(scores: Table) -> dict[str, float]:
    """The scores as a model's card holds them."""
    found: dict[str, float] = {}
    for values in scores.rows:
        row = dict(zip(scores.columns, values, strict=True))
        for name in ("average_precision", "dice", "cluster_f1"):
            if row[name] is not None:
                found[f"{name}, {row['method']}, {row['where']}, generated patches held out"] = round(row[name], 4)
    return found
