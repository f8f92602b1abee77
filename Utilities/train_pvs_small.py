"""Train the small network for perivascular spaces that DeepMRI ships: ``train_pvs_small.py LABELS OUT``.

A thin layer over ``pvs.train``: one thread for the network and one process that makes patches, everything seeded, and
what was stopped goes on where it was. No image of a patient is used.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when numpy and torch are imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.training import train


class Lines:
    """Progress as lines of text, one for each change of the message."""

    def __init__(self) -> None:
        self._start, self._last = time.perf_counter(), ""

    def __call__(self, fraction: float, message: str) -> None:
        if message != self._last:
            print(f"{100 * fraction:5.1f} %  {time.perf_counter() - self._start:6.0f} s  {message}", flush=True)
            self._last = message


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, help="folder of label maps of heads")
    parser.add_argument("out", type=Path, help="folder of the model, and beside it OUT.pt of the training's state")
    parser.add_argument("--steps", type=int, default=TrainOptions.steps)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=TrainOptions.learning_rate)
    parser.add_argument("--heads", type=int, default=0)
    parser.add_argument("--start", default="")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    options = TrainOptions(
        name=given.out.name,
        steps=given.steps,
        hours=given.hours,
        heads=given.heads,
        learning_rate=given.rate,
        start=given.start,
        checkpoint=str(given.out.with_suffix(".pt")),
        seed=given.seed,
        device="cpu",
    )
    network = train(options, labels=given.labels, progress=Lines())
    network.save(given.out, overwrite=True)
    for row in network.scores.rows:
        print(*row)


if __name__ == "__main__":
    main()
