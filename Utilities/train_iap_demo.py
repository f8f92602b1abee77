"""Train the network for acquisition parameters that DeepMRI ships as a demonstration: ``train_iap_demo.py OUT``.

A thin layer over ``iap.simulate`` and ``iap.train``: everything is seeded, and no image of a patient is used. Each of
1,800 drawn subjects is imaged three times with parameters of its own; one fifth of the subjects is kept for
calibration. What was stopped goes on where it was. OUT/iap-demo is the model. One thread: it shares its computer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when numpy and torch are imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from DeepMRILib.iap import SimulateOptions, TrainOptions, simulate, train

NAME = "iap-demo"
DATA = SimulateOptions(subjects=1800, series=3, slices=3, variation=0.03)
TRAINING = TrainOptions(
    name=NAME, epochs=12, batch=64, learning_rate=3e-3, slices=0, held_out=0.05, calibration=0.2, device="cpu"
)
PARAMETERS = (
    "manufacturer", "field_strength", "sequence", "acquisition_type", "scan_options", "patient_position",
    "repetition_time", "echo_time", {"parameter": "inversion_time", "only": ["sequence", ["IR"]]},
    {"parameter": "flip_angle", "only": ["sequence", ["GR"]]}, "bandwidth", "slice_thickness", "field_of_view",
)  # fmt: skip
LIMITS = (
    "This is a demonstration: it was trained on simulated slices only, and is not for real images.",
    "Of real images it says that they are unlike those of its training; its answers to them mean nothing.",
    "Its vendors do not exist, and how it tells them apart is invented.",
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


def main() -> None:
    """Simulate, train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the model and what is made on the way")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--subjects", type=int, default=DATA.subjects)
    parser.add_argument("--epochs", type=int, default=TRAINING.epochs)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    plan = given.out / "parameters.json"
    plan.write_text(json.dumps(PARAMETERS, indent=2), encoding="utf-8")
    started, used = time.perf_counter(), time.process_time()
    data = simulate(replace(DATA, subjects=given.subjects, seed=given.seed), progress=Lines())
    options = replace(
        TRAINING,
        seed=given.seed,
        epochs=given.epochs,
        parameters=str(plan),
        checkpoint=str(given.out / "checkpoint.pt"),
    )
    network = train(data, options, progress=Lines())
    made = replace(network.provenance, notes=(*network.provenance.notes, *LIMITS))
    network = replace(
        network,
        provenance=made,
        licence="Apache-2.0",
        source="DeepMRI, python Utilities/train_iap_demo.py OUT",
        training_data=f"DEMONSTRATION, simulated data only, not for real images: {network.training_data}",
    )
    network.save(given.out / NAME)
    for row in network.history.rows:
        print(*(f"{value:.4g}" for value in row))
    print(f"{time.perf_counter() - started:.0f} s of wall time, {time.process_time() - used:.0f} s of processor time")


if __name__ == "__main__":
    main()
