"""A small training in a process of its own, which waits in the middle to be killed: label maps' folder, checkpoint."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import torch

from DeepMRILib import train_run
from DeepMRILib.pvs import train_pvs_run
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.training import train

SETTINGS: dict[str, Any] = {
    "steps": 6, "batch": 1, "patch": 16, "channels": (2, 4), "heads": 0, "held_out": 2, "workers": 0, "device": "cpu",
    "seed": 3,
}  # fmt: skip
STEPS_PER_EPOCH = 2


def wait_in_epoch_2(fraction: float, message: str) -> None:
    """Stand still in the second epoch."""
    if message.startswith("Epoch 2") and "validation" not in message:
        sys.stdout.write("in the middle\n")
        sys.stdout.flush()
        time.sleep(120)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_run.REPORT_SECONDS = 0.0  # each step is reported, so that one can be chosen to stop in
    train_pvs_run.STEPS_PER_EPOCH = STEPS_PER_EPOCH
    train(TrainOptions(**SETTINGS, checkpoint=sys.argv[2]), labels=Path(sys.argv[1]), progress=wait_in_epoch_2)
