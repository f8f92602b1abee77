"""What a training is told and what it gives: settings, the loss curve, the result. It needs no PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from DeepMRILib import device as devices
from DeepMRILib.options import option

if TYPE_CHECKING:
    import torch

Loss = Callable[["torch.nn.Module", Any], "torch.Tensor"]
"""``loss(model, batch)``: the mean loss over the batch's samples, a tensor of one number."""

Data = Any
"""Training data: an array or tensor (n, ...), a tuple of such of the same n, or a map-style dataset.

Arrays may be memory-mapped: only a batch's rows are read. A batch of an array is a tensor (batch, ...), of a tuple
a tuple of tensors, floating-point numbers as float32; a batch of a dataset is what its samples are collated to.
"""


@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained. A method derives its own options from these, with its own defaults."""

    device: devices.Device = option("auto", "Where to compute")
    epochs: int = option(1000, "The most epochs to train", range=(1, 1_000_000))
    batch_size: int = option(
        128, "Samples per step, all processes together", unit="samples", range=(1, 1_000_000), advanced=True
    )
    max_batches_per_epoch: int = option(
        0, "The most batches in an epoch; 0 takes all samples", range=(0, 1_000_000_000), advanced=True
    )
    drop_last: bool = option(False, "Leave out an epoch's last batch when it is not full", advanced=True)
    validation_batch_size: int = option(
        0, "Samples per step of validation; 0 takes batch_size", unit="samples", range=(0, 1_000_000), advanced=True
    )
    optimizer: Literal["adam", "adamw", "sgd"] = option("adam", "The optimizer; sgd is with Nesterov", advanced=True)
    learning_rate: float = option(1e-3, "Step size of the optimizer", range=(1e-10, 10))
    weight_decay: float = option(0.0, "Weight decay of the optimizer", range=(0, 10), advanced=True)
    momentum: float = option(0.9, "Momentum of sgd", range=(0, 0.9999), advanced=True)
    schedule: Literal["constant", "plateau", "poly"] = option(
        "constant",
        "The learning rate stays, is lowered when the loss no longer falls, or falls as (1 - epoch / epochs)^0.9",
        advanced=True,
    )
    plateau_patience: int = option(
        10,
        "Epochs without a better loss that plateau lets pass before it lowers the rate",
        range=(0, 1_000_000),
        advanced=True,
    )
    plateau_factor: float = option(0.2, "By how much plateau multiplies the rate", range=(0.001, 0.999), advanced=True)
    plateau_from_best: bool = option(False, "Go back to the best weights when plateau lowers the rate", advanced=True)
    patience: int = option(
        10, "Stop after this many epochs without a better loss; 0 never stops early", range=(0, 1_000_000)
    )
    min_delta: float = option(
        0.0, "A loss counts as better when it is lower by more than this", range=(0, 1e6), advanced=True
    )
    restore_best: bool = option(True, "Return the best weights rather than the last", advanced=True)
    accumulate: int = option(1, "Batches whose gradients make one step", range=(1, 10_000), advanced=True)
    clip_gradient: float = option(
        0.0, "The largest norm of the gradient; 0 leaves it as it is", range=(0, 1e9), advanced=True
    )
    mixed_precision: bool = option(
        False, "Compute in half precision where that is safe; on cuda only, elsewhere without effect", advanced=True
    )
    workers: int = option(
        0,
        "Processes that prepare batches, for datasets that compute; arrays are best with 0, none but this one",
        range=(0, 256),
        advanced=True,
    )
    checkpoint_every: int = option(1, "Epochs between two checkpoints", range=(1, 1_000_000), advanced=True)
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**32 - 1))


@dataclass(frozen=True)
class Epoch:
    """One line of a loss curve.

    Attributes:
        number: counted from 1.
        loss: mean over the epoch's training samples.
        validation_loss: mean over the validation samples, or None without validation.
        learning_rate: in this epoch.
        seconds: of wall time.
    """

    number: int
    loss: float
    validation_loss: float | None
    learning_rate: float
    seconds: float

    @property
    def monitored(self) -> float:
        """What early stopping, the best weights and the plateau look at."""
        return self.loss if self.validation_loss is None else self.validation_loss


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a training came to; the model itself holds the weights.

    Attributes:
        history: the loss curve, all epochs from the first on, also over interruptions.
        best_epoch: the number of the epoch whose loss was the best.
        stopped: why it ended: all epochs done, or no better loss for ``patience`` epochs.
        device: where it ran, e.g. ``"cpu"`` or ``"cuda:0"``.
        best_weights, last_weights: state dictionaries on the CPU, for those who choose between them.
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    stopped: Literal["epochs", "patience"]
    device: str
    best_weights: dict[str, torch.Tensor]
    last_weights: dict[str, torch.Tensor]

    @property
    def best_loss(self) -> float:
        """The validation (or, without validation, training) loss of the best epoch."""
        return self.history[self.best_epoch - 1].monitored
