"""A small training, for the tests that run it in processes of its own (one that is killed, several under torchrun)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from DeepMRILib import train_run
from DeepMRILib.device import seed_everything
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.training import TrainOptions, TrainResult, train

SETTINGS = {"device": "cpu", "epochs": 6, "batch_size": 8, "learning_rate": 0.01, "patience": 0, "seed": 4}
RESUMED = {"schedule": "plateau", "plateau_patience": 0, "min_delta": 0.1, "checkpoint_every": 2}


def a_network(dropout: float = 0.0) -> torch.nn.Module:
    seed_everything(11)
    return torch.nn.Sequential(
        torch.nn.Linear(5, 16), torch.nn.Tanh(), torch.nn.Dropout(dropout), torch.nn.Linear(16, 2)
    )


def some_data(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, 5) and the targets (n, 2) that a network can learn from them."""
    random = np.random.default_rng(seed)
    inputs = random.normal(size=(n, 5))
    return inputs, np.c_[np.sin(inputs[:, 0]), inputs[:, 1:3].sum(axis=1)] + 0.1 * random.normal(size=(n, 2))


def squared_error(model: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    inputs, targets = batch
    return torch.nn.functional.mse_loss(model(inputs), targets)


def run(settings: dict[str, Any], *, dropout: float = 0.0, samples: int = 35, **more: Any) -> TrainResult:
    """35 samples in batches of 8: of the last three, two processes have two and one."""
    options = TrainOptions(**{**SETTINGS, **settings})
    return train(a_network(dropout), some_data(samples), squared_error, options, validation=some_data(7, 1), **more)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of weights are the same, bit by bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def losses(result: TrainResult) -> list[tuple]:
    return [(epoch.loss, epoch.validation_loss, epoch.learning_rate) for epoch in result.history]


def stopper(epoch: float, action: Callable[[], None]) -> Callable[[float, str], None]:
    """A progress that acts in the first step after ``epoch`` epochs, which may be a broken number."""

    def progress(fraction: float, message: str) -> None:
        if fraction * SETTINGS["epochs"] > epoch:
            action()

    return progress


def cancel() -> None:
    raise Cancelled


def wait_to_be_killed() -> None:
    sys.stdout.write("in the middle\n")
    sys.stdout.flush()
    time.sleep(60)


def kill_me(folder: Path) -> None:
    """Train until the third step of epoch 4 and wait there."""
    run(RESUMED, dropout=0.3, checkpoint=folder / "run.ckpt", progress=stopper(3.5, wait_to_be_killed))


def parallel(folder: Path) -> None:
    """In each process: a training, one that is cancelled and goes on, with batch norm, with NaN, stopped early."""
    rank = int(os.environ["RANK"])
    reports: list[float] = []
    whole = run({}, progress=lambda fraction, message: reports.append(fraction), checkpoint=folder / f"{rank}.ckpt")
    cancelled = False
    try:
        run({}, progress=stopper(2, cancel), checkpoint=folder / "shared.ckpt")
    except Cancelled:
        cancelled = True
    resumed = run({}, checkpoint=folder / "shared.ckpt")
    inputs, targets = some_data(32)
    options = TrainOptions(**SETTINGS)
    norm = torch.nn.Sequential(torch.nn.BatchNorm1d(5), a_network())
    normed = train(norm, (inputs, targets), squared_error, options)
    inputs[3] = np.nan  # one sample, so that one process meets it
    try:
        train(a_network(), (inputs, targets), squared_error, options)
        poisoned = ""
    except InputError as error:
        poisoned = str(error)
    early = run(
        {"epochs": 50, "patience": 2, "learning_rate": 0.5}, samples=33
    )  # the second has none of the last batch
    summary = {
        "reports": len(reports),
        "cancelled": cancelled,
        "losses": [[epoch.loss, epoch.validation_loss] for epoch in whole.history],
        "early": [epoch.validation_loss for epoch in early.history],
        "stopped": early.stopped,
        "poisoned": poisoned,
    }
    weights = {"whole": whole.last_weights, "resumed": resumed.last_weights, "normed": normed.last_weights}
    torch.save(weights, folder / f"weights{rank}.pt")
    (folder / f"summary{rank}.json").write_text(json.dumps(summary))


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_run.REPORT_SECONDS = 0.0  # each step is reported, so that one can be chosen to stop in
    {"kill_me": kill_me, "parallel": parallel}[sys.argv[1]](Path(sys.argv[2]))
