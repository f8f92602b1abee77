"""A small training in a process of its own, which waits in the middle to be killed: ``FOLDER`` and the workspace."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from DeepMRILib import train_run
from DeepMRILib.interactive.options_training import TrainOptions
from DeepMRILib.interactive.training import train

SETTINGS = {"epochs": 3, "folds": 2, "accumulate": 2, "device": "cpu", "baselines": False, "seed": 5}


def wait_in_fold_1(fraction: float, message: str) -> None:
    """Stand still in the second epoch of the second fold."""
    if message.startswith("Fold 1: epoch 2") and "validation" not in message:
        sys.stdout.write("in the middle\n")
        sys.stdout.flush()
        time.sleep(120)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_run.REPORT_SECONDS = 0.0  # each step is reported, so that one can be chosen to stop in
    train(Path(sys.argv[1]), TrainOptions(**SETTINGS, workspace=sys.argv[2]), progress=wait_in_fold_1)
