"""Train the small network for perivascular spaces that DeepMRI ships: ``train_pvs_small.py LABELS OUT``.

A thin layer over ``pvs.train``, in two parts: the first learns quickly with batch normalisation; the second goes on
without it, from its weights, so that patches and whole heads are the same to the network, and with a loss in which
voxels of spaces count no more than others, so that 0.5 is a sensible threshold. One thread for the network and one
process that makes patches; everything seeded. What was stopped goes on where it was. OUT/pvs-small is the model.

The shipped network was trained with LABELS = one label map, training_seg_01.nii.gz of SynthSeg's repository
(github.com/BBillot/SynthSeg, Apache-2.0), and ``--hours 0.5 0.95`` on two cores that had other work to do. No image of
a patient is used.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # read when numpy and torch are imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from DeepMRILib.pvs.opened import SHIPPED
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.trained import TrainedNetwork
from DeepMRILib.pvs.training import train

FIRST = {"name": "first", "steps": 1600, "heads": 0, "learning_rate": 3e-3}
SECOND = {"name": SHIPPED, "steps": 2800, "heads": 1, "learning_rate": 1e-3}
LIMITS = (
    "It was trained in an hour and a half on two cores, on generated spaces only; how well it does on spaces that "
    "people have marked is not known.",
    "Its backgrounds come from one label map of a head and one generated head: large lesions, surgery and "
    "children's brains are new to it.",
    "Spaces that fill less than a quarter of a voxel of 1 mm are background to it, and so are lacunes from 3 mm.",
)


class Lines:
    """Progress as lines of text, one for each change of the message."""

    def __init__(self) -> None:
        self._start, self._last = time.perf_counter(), ""

    def __call__(self, fraction: float, message: str) -> None:
        if message != self._last:
            print(f"{100 * fraction:5.1f} %  {time.perf_counter() - self._start:6.0f} s  {message}", flush=True)
            self._last = message


def trained(part: dict, given: argparse.Namespace, *, hours: float, start: str) -> Path:
    """The folder of a part of the training; made unless it is there."""
    out, folder = given.out, given.out / part["name"]
    if folder.exists():
        return folder
    options = TrainOptions(
        **part, hours=hours, start=start, checkpoint=str(out / f"{part['name']}.pt"), seed=given.seed, device="cpu"
    )
    network = train(options, labels=given.labels, progress=Lines())
    with_words(network, given.hours).save(folder)
    for row in network.scores.rows:
        print(*row)
    return folder


def with_words(network: TrainedNetwork, hours: list[float]) -> TrainedNetwork:
    """With licence, source and limits."""
    time_limit = f" --hours {hours[0]:g} {hours[1]:g}" if any(hours) else ""
    made = replace(network.provenance, notes=(*network.provenance.notes, *LIMITS))
    return replace(
        network,
        provenance=made,
        licence="Apache-2.0",
        source=f"DeepMRI, python Utilities/train_pvs_small.py LABELS OUT{time_limit}; label map: training_seg_01 of "
        "SynthSeg (Billot et al., Medical Image Analysis 2023;86:102789), Apache-2.0; the idea of training on "
        "generated spaces: DRIPS (medRxiv 2025.10.22.25337423)",
    )


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path, help="folder of label maps of heads")
    parser.add_argument("out", type=Path, help="folder for the model and what is made on the way")
    parser.add_argument("--hours", type=float, nargs=2, default=[0.0, 0.0], help="of each part at most; 0: all steps")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    first = trained(FIRST, given, hours=given.hours[0], start="")
    trained(SECOND, given, hours=given.hours[1], start=str(first))


if __name__ == "__main__":
    main()
