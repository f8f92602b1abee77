"""Train the network for acquisition parameters that DeepMRI ships as a demonstration: ``train_iap_demo.py OUT``.

A thin layer over ``iap.simulate``, ``iap.train`` and ``recalibrated``: everything is seeded, and no image of a patient
is used. The network learns from one slice of each of 40,000 drawn subjects, each imaged with parameters of its own, and
is calibrated on three slices of each of 1,200 others. What was stopped goes on where it was. OUT/iap-demo is the model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when numpy and torch are imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import torch

from DeepMRILib.iap import SimulateOptions, SliceSet, TrainOptions, simulate, train
from DeepMRILib.iap.recalibrating import recalibrated

NAME = "iap-demo"
LEARNED_FROM = SimulateOptions(subjects=40_000, series=1, slices=1, variation=0.03)
CALIBRATED_ON = SimulateOptions(subjects=1200, series=1, slices=3, variation=0.03)
PROCESSES = 2
TRAINING = TrainOptions(
    name=NAME, epochs=16, batch=64, learning_rate=2e-3, slices=0, held_out=0.03, calibration=0.02, device="cpu"
)
PARAMETERS = (
    "manufacturer", "field_strength", "sequence", "acquisition_type", "scan_options", "patient_position",
    {"parameter": "repetition_time", "each": "sequence"}, {"parameter": "echo_time", "each": "sequence"},
    {"parameter": "inversion_time", "only": ["sequence", ["IR"]]},
    {"parameter": "flip_angle", "only": ["sequence", ["GR"]]}, "bandwidth", "slice_thickness", "field_of_view",
)  # fmt: skip
LIMITS = (
    "This is a demonstration: it was trained on simulated slices only, and is not for real images.",
    "Of real images it says that they are unlike those of its training; its answers to them mean nothing.",
    "Repetition time and flip angle of gradient echoes, and the repetition time of inversion recovery, can hardly be "
    "told from an image: their intervals are wide, as they should be.",
)


class Lines:
    """Progress as lines of text, at most one each 20 seconds."""

    def __init__(self) -> None:
        self._start, self._last = time.perf_counter(), -20.0

    def __call__(self, fraction: float, message: str) -> None:
        seconds = time.perf_counter() - self._start
        if seconds - self._last >= 20:
            print(f"{100 * fraction:5.1f} %  {seconds:6.0f} s  {message}", flush=True)
            self._last = seconds


def drawn(options: SimulateOptions, seed: int, part: int) -> SliceSet:
    """Slices that several processes simulate, with seeds that no two parts share."""
    seeds = [1000 * (seed + 1) + 10 * part + number for number in range(PROCESSES)]
    counts = [len(range(number, options.subjects, PROCESSES)) for number in range(PROCESSES)]
    jobs = [replace(options, subjects=count, seed=one) for count, one in zip(counts, seeds, strict=True)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        return SliceSet.joined(list(pool.map(simulate, jobs)))


def main() -> None:
    """Simulate, train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the model and what is made on the way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", type=int, default=LEARNED_FROM.subjects)
    parser.add_argument("--epochs", type=int, default=TRAINING.epochs)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    plan = given.out / "parameters.json"
    plan.write_text(json.dumps(PARAMETERS, indent=2), encoding="utf-8")
    started = time.perf_counter()
    data = drawn(replace(LEARNED_FROM, subjects=given.subjects), given.seed, 0)
    others = drawn(replace(CALIBRATED_ON, subjects=min(CALIBRATED_ON.subjects, given.subjects)), given.seed, 1)
    print(f"{len(data) + len(others)} slices simulated in {time.perf_counter() - started:.0f} s", flush=True)
    options = replace(
        TRAINING,
        seed=given.seed,
        epochs=given.epochs,
        parameters=str(plan),
        checkpoint=str(given.out / "checkpoint.pt"),
    )
    torch.set_num_threads(PROCESSES)
    network = recalibrated(train(data, options, progress=Lines()), others, "cpu")
    made = network.provenance
    software = {name: value for name, value in made.software.items() if name != "platform"}
    made = replace(made, notes=(*made.notes, *LIMITS), software=software)
    network = replace(
        network,
        provenance=made,
        licence="Apache-2.0",
        source="DeepMRI, python Utilities/train_iap_demo.py OUT",
        training_data=f"DEMONSTRATION, simulated data only, not for real images: {network.training_data}",
    )
    network.save(given.out / NAME, overwrite=True)
    for row in network.history.rows:
        print(*(f"{value:.4g}" for value in row))
    print(f"{time.perf_counter() - started:.0f} s of wall time")


if __name__ == "__main__":
    main()
