"""Time from points to mask of the engines without weights, against the bars; their Dice is in bench_interactive.py.

    python Testing/benchmarks/bench_interactive_speed.py

The whole of ``interactive.segment``, measuring included, median of several runs: a lesion whose part of the image is
just under 80x80x80 voxels, alone and within an image of 512x512x300, and one of 3.2 million voxels. The bars are for
two cores that do nothing else; processor time beside them says what other programs took.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.engines import ENGINES
from DeepMRILib.interactive.phantom import lesion_phantom
from DeepMRILib.volume import Volume

SECONDS = {("full", "alone"): 0.35, ("preview", "alone"): 0.15, ("full", "within 512x512x300"): 0.7}
RUNS = 7


def main() -> None:
    """Print all times."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"Seconds, median of {RUNS}; load of the computer {load}")
    print_times()


def print_times() -> None:
    """The three sizes."""
    large = lesion_phantom("hetero", 3, size=(160, 160, 160), volume=95.0)
    indices = large.image.voxel_from_ras(next(iter(large.points.values())))
    around = np.zeros((512, 512, 300), dtype=np.float32)
    around[100:260, 100:260, 100:260] = large.image.array
    within = Volume(around, np.eye(4))
    fine = lesion_phantom("hetero", 3, size=(200, 200, 200), spacing=(0.5, 0.5, 0.5), volume=95.0)
    places = {
        "alone": (large.image, next(iter(large.points.values()))),
        "within 512x512x300": (within, within.ras_from_voxel(indices + 100)),
        "of fine voxels": (fine.image, next(iter(fine.points.values()))),
    }
    for engine in sorted(ENGINES):
        for resolution in ("full", "preview"):
            for place, (image, points) in places.items():
                wall, busy, part = timed(image, points, SegmentOptions(engine=engine, resolution=resolution))
                bar = SECONDS.get((resolution, place))
                against = "" if bar is None else f"; bar {bar} {'met' if wall <= bar else 'MISSED'}"
                print(f"{engine:9s} {resolution:8s} {place:20s} {part}: {wall:.3f} s (processor {busy:.3f} s){against}")


def timed(image: Volume, points: np.ndarray, options: SegmentOptions) -> tuple[float, float, str]:
    """Wall and processor seconds, and the part of the image looked at."""
    walls, busy = [], []
    for _ in range(RUNS):
        started, used = time.perf_counter(), time.process_time()
        result = segment(image, points, options)
        walls.append(time.perf_counter() - started)
        busy.append(time.process_time() - used)
    looked = result.provenance.inputs["looked_at"]
    part = "x".join(str(stop - start) for start, stop in zip(looked["start"], looked["stop"], strict=True))
    return float(np.median(walls)), float(np.median(busy)), part


if __name__ == "__main__":
    main()
