"""The training of task networks: on full and masked images, and on those under one pattern."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib import training
from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset, Task
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.network_losses import loss_function
from DeepMRILib.igs.network_nets import build_network, design_for
from DeepMRILib.igs.network_opened import copied_script
from DeepMRILib.igs.options_network import FinetuneOptions, TrainOptions
from DeepMRILib.igs.train_igs_masks import MaskedSlices, MaskMix, Undersampler, drawn_once, targets_of
from DeepMRILib.network_threads import suited_threads
from DeepMRILib.options import to_json
from DeepMRILib.progress import Progress

LOSSES: dict[Task, tuple[str, ...]] = {
    "segmentation": ("dice_ce", "dice", "ce"), "classification": ("ce",), "reconstruction": ("l1",)
}  # fmt: skip
"""Of each task those that can be trained with, the first by default."""
WEIGHT_DECAY = 1e-2
STEPS, LEAST_EPOCHS = 800, 10
"""A training without a number of epochs: with fewer steps small networks have not learned what they can."""
VALIDATION_COPIES = 2
"""Of each slice held out, under masks of their own: half as much chance in which epoch is the best."""
FEW_PIXELS = 100_000
"""Of a batch. With fewer, one thread was as fast as two on idle cores, and many times as fast on busy ones."""
_HELD_OUT_SEED = 1


@dataclass(frozen=True, eq=False)
class Learned:
    """A trained network and how it came to be.

    Attributes:
        network: on the CPU, in evaluation mode.
        history: the loss curve.
        best_epoch: whose weights it has; 0 where none was better than those it began with.
        training, held_out: the slices that were used.
        device: where it ran.
    """

    network: torch.nn.Module
    history: tuple[training.Epoch, ...]
    best_epoch: int
    training: SliceDataset
    held_out: SliceDataset
    device: str


def learn(dataset: SliceDataset, options: TrainOptions, progress: Progress | None) -> Learned:
    """Train a new network; see ``training.train_network``."""
    loss = _loss(options.loss, dataset.task)
    dataset.require_classes()
    design = design_for(dataset, options.network, options.channels)
    encoding = Encoding.of(dataset.images.shape, options.axis, options.second_axis)
    mix = MaskMix(encoding, options.full if options.masks == "random" else 1.0, options.highest_acceleration)
    shown, held_out = split(dataset, options.held_out, options.seed)
    devices.seed_everything(options.seed)
    network = build_network(design)
    network.trained_on = about(dataset)
    copies = VALIDATION_COPIES if mix.full < 1 else 1
    validation = drawn_once(held_out, mix, seed=_HELD_OUT_SEED, copies=copies)
    with suited_threads(_pixels(shown, options.batch), few=FEW_PIXELS):
        found = training.train(
            network,
            MaskedSlices(shown, mix),
            _Objective(loss),
            _loop(options, len(shown)),
            validation=validation,
            collate=_as_it_is,
            checkpoint=Path(options.checkpoint).expanduser() if options.checkpoint else None,
            same=_same(dataset, options),
            progress=progress,
        )
    return Learned(network.cpu(), found.history, found.best_epoch, shown, held_out, found.device)


def adapt(
    network: torch.nn.Module,
    dataset: SliceDataset,
    masks: NDArray,
    encoding: Encoding,
    options: FinetuneOptions,
    *,
    progress: Progress | None,
) -> Learned:
    """Train a network further, in place, on images under one mask; see ``finetuning.finetune``.

    Args:
        network: is changed.
        dataset: with its targets.
        masks: (contrasts or 1, *shape) bool.
        encoding: the phase-encoded axes.
        options: of the training.
        progress: may raise ``Cancelled``.
    """
    dataset.require_classes()
    loss = _loss("auto", dataset.task)
    shown, held_out = split(dataset, options.held_out, options.seed)
    for parameter in network.cpu().parameters():  # a search leaves them frozen
        parameter.requires_grad_(True)
    validation = under_mask(held_out, masks, encoding)
    before = {name: value.detach().clone() for name, value in network.state_dict().items()}
    start = _mean_loss(network.eval(), validation, loss, options.batch)
    with suited_threads(_pixels(shown, options.batch), few=FEW_PIXELS):
        found = training.train(
            network,
            under_mask(shown, masks, encoding),
            _Objective(loss),
            _loop(options, len(shown)),
            validation=validation,
            progress=progress,
        )
    best = found.best_epoch
    network.cpu()
    if found.best_loss >= start:  # nothing was gained: as it was
        network.load_state_dict(before)
        best = 0
    return Learned(network.eval(), found.history, best, shown, held_out, found.device)


def own_copy(network: torch.nn.Module) -> torch.nn.Module:
    """A copy to train, so that the network given stays as it is.

    Raises:
        InputError: it cannot be copied.
    """
    try:
        if isinstance(network, torch.jit.ScriptModule):  # its deep copy cannot be optimised
            return copied_script(network)
        return copy.deepcopy(network)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise InputError(f"This network cannot be copied to be adapted ({error}). Give one that can.") from error


def split(dataset: SliceDataset, fraction: float, seed: int) -> tuple[SliceDataset, SliceDataset]:
    """The slices of most cases, and those of the cases held out; of one case alone a part of its slices.

    Raises:
        InputError: one slice only.
    """
    if len(dataset) < 2:
        raise InputError("There is one slice only: none is left to judge the network on. Give two slices or more.")
    random = np.random.default_rng([seed, _HELD_OUT_SEED])
    units = dataset.cases if len(set(dataset.cases.tolist())) > 1 else np.arange(len(dataset)).astype(str)
    known = np.unique(units)
    count = min(len(known) - 1, max(1, round(fraction * len(known))))
    away = np.isin(units, random.permutation(known)[:count])
    return dataset.subset(np.flatnonzero(~away)), dataset.subset(np.flatnonzero(away))


def under_mask(dataset: SliceDataset, masks: NDArray, encoding: Encoding) -> tuple[NDArray, NDArray]:
    """Normalised images (n, c, h, w) float32 under one mask, and their targets."""
    undersampler = Undersampler(dataset, encoding)
    images = (measured(dataset, masks, encoding) - undersampler.mean) / undersampler.deviation
    return images.astype(np.float32, copy=False), targets_of(dataset, undersampler)


def about(dataset: SliceDataset) -> dict[str, Any]:
    """What a network should remember of the images that it is trained on."""
    first = 0 if dataset.task == "classification" else 1  # background needs no name
    labels = {str(label): dataset.name(label) for label in range(first, dataset.classes)}
    return {"labels": labels, "size": list(dataset.images.shape[2:]), "spacing": list(dataset.spacing)}


class _Objective(torch.nn.Module):
    """The loss of a batch of images and targets."""

    def __init__(self, loss: str) -> None:
        super().__init__()
        self._loss = loss_function(loss)

    def forward(self, network: torch.nn.Module, batch: Any) -> torch.Tensor:
        images, targets = batch
        return self._loss(network(images), targets).mean()


@torch.no_grad()
def _mean_loss(network: torch.nn.Module, data: tuple[NDArray, NDArray], loss: str, batch: int) -> float:
    objective = _Objective(loss)
    total = 0.0
    for start in range(0, len(data[0]), batch):
        images, targets = (torch.from_numpy(part[start : start + batch]) for part in data)
        total += float(objective(network, (images, targets))) * len(images)
    return total / len(data[0])


def _loss(name: str, task: Task) -> str:
    known = LOSSES[task]
    if name == "auto":
        return known[0]
    if name not in known:
        raise InputError(f"The loss {name} does not train a network for {task}. Choose {' or '.join(known)}, or auto.")
    return name


def _pixels(dataset: SliceDataset, batch: int) -> int:
    """Of a batch."""
    return min(batch, len(dataset)) * int(np.prod(dataset.images.shape[2:]))


def _loop(options: TrainOptions | FinetuneOptions, slices: int) -> training.TrainOptions:
    """The settings of the common training loop for so many slices."""
    return training.TrainOptions(
        device=options.device,
        epochs=options.epochs or enough_epochs(slices, options.batch),
        batch_size=options.batch,
        validation_batch_size=max(16, options.batch),
        optimizer="adamw",
        learning_rate=options.learning_rate,
        weight_decay=WEIGHT_DECAY,
        patience=0,
        seed=options.seed,
    )


def enough_epochs(slices: int, batch: int) -> int:
    """How many epochs make about ``STEPS`` steps: few slices are shown more often.

    Example:
        >>> enough_epochs(24, 8), enough_epochs(192, 8), enough_epochs(10_000, 8)
        (267, 33, 10)
    """
    return max(LEAST_EPOCHS, round(STEPS / -(-slices // batch)))


def _same(dataset: SliceDataset, options: TrainOptions) -> dict[str, str]:
    """What a checkpoint must agree in, besides the settings of the loop."""
    if not options.checkpoint:
        return {}
    names = ("network", "channels", "loss", "masks", "full", "highest_acceleration", "axis", "second_axis", "held_out")
    values = to_json(options)
    return {"data": dataset.digest(), **{name: str(values[name]) for name in names}}


def _as_it_is(batch: Any) -> Any:
    return batch
