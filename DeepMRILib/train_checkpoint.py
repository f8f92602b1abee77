"""What a training needs to go on after it was stopped or killed, in one file that is whole or the one before."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from DeepMRILib.errors import InputError
from DeepMRILib.options import to_json
from DeepMRILib.train_options import Epoch, TrainOptions
from DeepMRILib.weight_files import load_torch_file
from DeepMRILib.writing import replacing

FORMAT = 1
# Settings that do not change the steps already made: they may differ when a training goes on.
_FREE = {"device", "epochs", "patience", "workers", "checkpoint_every", "restore_best", "validation_batch_size"}


@dataclass
class State:
    """How far a training has come, its history and best weights; the rest is in model and optimizer.

    No random state is kept: an epoch's random numbers come from (seed, epoch, process) alone.
    """

    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def stopped(self, options: TrainOptions) -> str:
        """Why the training is over: ``"epochs"``, ``"patience"``, or ``""`` while it is not."""
        if options.patience and self.epoch - self.best_epoch >= options.patience:
            return "patience"
        return "epochs" if self.epoch >= options.epochs else ""

    def is_better(self, epoch: Epoch, min_delta: float) -> bool:
        """Whether an epoch's loss is lower than the best so far by more than ``min_delta``."""
        return not self.best_epoch or epoch.monitored < self.history[self.best_epoch - 1].monitored - min_delta


def signature(model: torch.nn.Module, options: TrainOptions, samples: tuple[int, int]) -> dict[str, Any]:
    """What must be the same when a training goes on: settings, weights by name and shape, the number of samples."""
    free = _FREE - {"epochs"} if options.schedule == "poly" else _FREE
    return {
        "settings": {name: value for name, value in to_json(options).items() if name not in free},
        "weights": {name: list(value.shape) for name, value in model.state_dict().items()},
        "samples": list(samples),
    }


def write(path: Path, identity: dict[str, Any], state: State, parts: Mapping[str, Any]) -> None:
    """Write a checkpoint beside the old one, then put it in its place in one step.

    Args:
        path: of the checkpoint.
        identity: from ``signature``.
        state: how far it has come.
        parts: state dictionaries of model, optimizer and what else goes on.

    Raises:
        OutputError: no such folder, no right, or no space.
    """
    buffer = io.BytesIO()
    torch.save(
        {
            "format": FORMAT,
            "identity": identity,
            "history": [dataclasses.asdict(epoch) for epoch in state.history],
            "best_epoch": state.best_epoch,
            "best_weights": state.best_weights,
            **parts,
        },
        buffer,
    )
    with replacing(path) as (part,), part.open("wb") as file:
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, identity: dict[str, Any]) -> tuple[State, dict[str, Any]]:
    """The state and the parts that ``write`` wrote.

    Raises:
        WeightsError: the file is damaged or not safe to read.
        InputError: it is no checkpoint, or one of another training.
    """
    content = load_torch_file(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT or "identity" not in content:
        raise InputError(
            f"{path} is no checkpoint of this version of DeepMRI. Choose another file name for the checkpoint."
        )
    _check_same(path, content["identity"], identity)
    history = [Epoch(**epoch) for epoch in content["history"]]
    return State(history, content["best_epoch"], content["best_weights"]), content


def _check_same(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    begin = "Go on with the same, or choose another checkpoint file to begin anew."
    for name in sorted(set(old["settings"]) | set(new["settings"])):
        before, now = (values["settings"].get(name, "unknown") for values in (old, new))
        if before != now:
            raise InputError(f"The checkpoint {path} was made with {name} {before}, and now it is {now}. {begin}")
    if old["weights"] != new["weights"]:
        names = sorted(
            name
            for name in set(old["weights"]) | set(new["weights"])
            if old["weights"].get(name) != new["weights"].get(name)
        )
        raise InputError(f"The checkpoint {path} is of another network: its weights {names[0]!r} differ. {begin}")
    if old["samples"] != new["samples"]:
        before, now = (" and ".join(map(str, counts)) for counts in (old["samples"], new["samples"]))
        raise InputError(
            f"The checkpoint {path} was made with {before} samples for training and validation, and now there are "
            f"{now}. {begin}"
        )
