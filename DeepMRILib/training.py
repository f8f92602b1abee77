"""Training a network: one loop for all methods.

It stops early, keeps the best weights, can be cancelled or killed and goes on where it was with the same result,
and runs on several devices under ``torchrun`` without a changed setting. PyTorch is imported when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import require
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress
from DeepMRILib.train_options import Data, Epoch, Loss, TrainOptions, TrainResult

if TYPE_CHECKING:
    import torch

__all__ = ["Data", "Epoch", "Loss", "TrainOptions", "TrainResult", "train"]


def train(
    model: torch.nn.Module,
    data: Data,
    loss: Loss,
    options: TrainOptions = TrainOptions(),
    *,
    validation: Data | None = None,
    validation_loss: Loss | None = None,
    collate: Callable[[list], Any] | None = None,
    checkpoint: Path | None = None,
    same: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> TrainResult:
    """Train ``model`` in place, and leave it in evaluation mode with its best weights on the device of the training.

    The same seed gives the same result on a CPU. Everything random in an epoch (the order of the samples, dropout,
    augmentation) is drawn from (seed, epoch, process) and from nothing else, so a training that was interrupted
    and resumed ends with the same bits as one that was not. A model's first weights are drawn before it comes here:
    call ``device.seed_everything`` before it is made. A dataset, or its ``transform``, with MONAI's
    ``set_random_state(seed=...)`` is seeded as well; other generators of a dataset's own are not known here.

    Under ``torchrun`` (PyTorch's DistributedDataParallel; gloo on CPUs, NCCL on CUDA) each process takes its share
    of each batch, so that n processes make the same steps as one, up to rounding and to layers that look at a
    whole batch (batch normalisation). All processes return the result; only the first writes and reports.

    Args:
        model: the network; its trainable parameters are optimised.
        data: see ``Data``.
        loss: mean loss over a batch. The model may be called in any way and any number of times.
        options: the settings.
        validation: data whose loss decides on stopping and on the best weights; without it the training loss does.
        validation_loss: another loss for validation, e.g. 1 - Dice.
        collate: makes a batch of a list of a dataset's samples; PyTorch's by default.
        checkpoint: a file that is written at the start and every ``options.checkpoint_every`` epochs. If it is
            there, training goes on from it; if it is of a finished training, that is returned.
        same: what else must not differ when training goes on from the checkpoint, e.g. a digest of the data.
        progress: told of each step, about twenty times a second at most; may raise ``Cancelled`` to stop.

    Raises:
        InputError: no data, nothing to train, a bad setting, a loss that is no finite number, or a checkpoint of
            another model, other data or other settings.
        WeightsError: the checkpoint is damaged.
        OutputError: the checkpoint cannot be written, or another running training writes to it.
        DeviceMemoryError: the device's memory does not suffice.
        DependencyError: PyTorch is not installed.
        Cancelled: by ``progress``; the checkpoint is that of the last epoch written.
    """
    require("torch", "Training a network")
    from DeepMRILib.train_run import Task, run

    task = Task(
        model=model,
        data=data,
        loss=loss,
        options=validate(options),
        validation=validation,
        validation_loss=validation_loss or loss,
        collate=collate,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        progress=progress,
        same=dict(same or {}),
    )
    return run(task)
