"""Training the networks of a cross-validation, one fold after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.checkpoint import checkpoint as computed_again

from DeepMRILib import device as devices
from DeepMRILib import training
from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.network_forward import once
from DeepMRILib.interactive.network_memory import training_bytes
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.options_training import TrainOptions
from DeepMRILib.interactive.train_augment import Augmentation
from DeepMRILib.interactive.train_loss import one_minus_dice, supervised
from DeepMRILib.interactive.train_store import CaseStore
from DeepMRILib.network_half import channels_last, computing, half_type
from DeepMRILib.progress import Progress

WAY_OUT = (
    "Set memory_limit, so that large cases are looked at more coarsely, or save_memory, or train on another device."
)


@dataclass(frozen=True)
class Fold:
    """A part of a cross-validation.

    Attributes:
        number: from 0.
        train, held_back: numbers of cases; nothing is held back where a single network is trained on all.
    """

    number: int
    train: tuple[int, ...]
    held_back: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class TrainedFold:
    """The network of a fold.

    Attributes:
        fold: which.
        last, best: its weights by DynUNet's names, after the last epoch and after that with the best Dice.
        history: a row for each epoch.
        best_epoch: counted from 1.
        device: where it was trained.
    """

    fold: Fold
    last: dict[str, NDArray]
    best: dict[str, NDArray]
    history: list[dict[str, Any]]
    best_epoch: int
    device: str


def train_fold(
    fold: Fold, store: CaseStore, plan: NetworkPlan, options: TrainOptions, *, folder: Path, progress: Progress
) -> TrainedFold:
    """Train the network of a fold, or go on with it, or take it from its finished checkpoint.

    The loss is Dice and cross entropy at every depth (``train_loss.supervised``), the optimizer SGD with Nesterov
    momentum, its rate falls as (1 - epoch / epochs)^0.9. After each epoch the Dice of the cases that are held back is
    taken, on the network's voxels. All that is random follows from the seed and the fold's number.

    Args:
        fold: which cases.
        store: the prepared cases.
        plan: the network.
        options: the settings.
        folder: where the checkpoint is.
        progress: may raise ``Cancelled``.

    Raises:
        DeviceMemoryError: the largest case does not fit.
        InputError, WeightsError, OutputError: as ``training.train``.
    """
    seed = fold_seed(options.seed, fold.number)
    device = network_device(options.device)
    _check_memory(plan, store, options, device)
    dtype = half_type(device) if options.mixed_precision else None
    devices.seed_everything(seed)
    network = channels_last(build(plan), dtype)
    if options.save_memory:
        compute_again(network)
    augment = Augmentation(len(plan.channels), plan.spacing) if options.augment else None
    result = training.train(
        network,
        store.chosen(fold.train),
        _Loss(augment, device, dtype),
        loop_options(options, seed, device),
        validation=store.chosen(fold.held_back) if fold.held_back else None,
        validation_loss=_Validation(device, dtype),
        checkpoint=folder / f"fold{fold.number}.ckpt",
        same={"cases": store.digest, "plan": str(plan.to_json()), "augment": str(augment), "fold": str(fold)},
        progress=progress,
    )
    return TrainedFold(
        fold=fold,
        last=once(result.last_weights),
        best=once(result.best_weights),
        history=[_row(fold, epoch) for epoch in result.history],
        best_epoch=result.best_epoch,
        device=result.device,
    )


def loop_options(options: TrainOptions, seed: int, device: str) -> training.TrainOptions:
    """The settings of the common training loop."""
    return training.TrainOptions(
        device=device,
        epochs=options.epochs,
        batch_size=1,  # cases differ in size
        accumulate=options.accumulate,
        optimizer="sgd",
        learning_rate=options.learning_rate,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        schedule="poly",
        patience=0,
        restore_best=False,
        mixed_precision=options.mixed_precision,
        seed=seed,
    )


def fold_seed(seed: int, number: int) -> int:
    """The seed of a fold: the same whichever other folds are trained.

    Example:
        >>> fold_seed(0, 1) == fold_seed(0, 1), fold_seed(0, 1) == fold_seed(0, 2)
        (True, False)
    """
    return int(np.random.SeedSequence(seed, spawn_key=(number,)).generate_state(1)[0])


class _Forward:
    """A network's outputs, in 16 bits where that is wanted."""

    def __init__(self, device: str, dtype: torch.dtype | None) -> None:
        self.device, self.dtype = device, dtype

    def outputs(self, model: torch.nn.Module, values: torch.Tensor) -> torch.Tensor:
        if self.dtype is not None:
            values = values.contiguous(memory_format=torch.channels_last_3d)
        with computing(self.device, self.dtype):
            return model(values)


class _Loss(_Forward):
    """The loss of a batch, whose cases are changed first while the network learns."""

    def __init__(self, augment: Augmentation | None, device: str, dtype: torch.dtype | None) -> None:
        super().__init__(device, dtype)
        self.augment = augment

    def __call__(self, model: torch.nn.Module, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        values, target = batch
        with torch.autocast(values.device.type, enabled=False):
            if self.augment is not None:
                with torch.no_grad():
                    values, target = self.augment(values, target)
        outputs = self.outputs(model, values)
        with torch.autocast(values.device.type, enabled=False):
            return supervised(outputs, target)


class _Validation(_Forward):
    """1 - Dice of a batch, as it is."""

    def __call__(self, model: torch.nn.Module, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        values, target = batch
        return one_minus_dice(self.outputs(model, values), target)


def compute_again(network: torch.nn.Module) -> None:
    """Let a network compute its blocks a second time for the gradient instead of keeping what they gave; same bits."""
    blocks = [network.input_block, *network.downsamples, network.bottleneck, *network.upsamples]
    for block in blocks:
        block.forward = _Again(block.forward)


class _Again:
    def __init__(self, forward: Any) -> None:
        self.forward = forward

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return self.forward(*inputs)
        return computed_again(self.forward, *inputs, use_reentrant=False, preserve_rng_state=False)


def _check_memory(plan: NetworkPlan, store: CaseStore, options: TrainOptions, device: str) -> None:
    half = options.mixed_precision and half_type(device) is not None
    needed = training_bytes(plan, store.largest, checkpointed=options.save_memory, half=half)
    devices.needs(device, needed, f"Training on a case of {store.largest / 1e6:.1f} million voxels", WAY_OUT)


def _row(fold: Fold, epoch: training.Epoch) -> dict[str, Any]:
    return {
        "fold": fold.number,
        "epoch": epoch.number,
        "loss": epoch.loss,
        "dice": None if epoch.validation_loss is None else 1 - epoch.validation_loss,
        "learning_rate": epoch.learning_rate,
    }
