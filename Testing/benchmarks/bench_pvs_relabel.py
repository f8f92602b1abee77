"""Seconds from a new threshold to segmentation, clusters and tables: ``bench_pvs_relabel.py [--repeat 5]``.

A probability of 256 x 256 x 256 voxels with some hundred clusters, as the panel's sliders label it. The bar is 0.3 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from DeepMRILib.pvs.options import RelabelOptions
from DeepMRILib.pvs.regions import depth_shells
from DeepMRILib.pvs.relabel import relabelled
from DeepMRILib.volume import LabelVolume, Volume

GRID = (256, 256, 256)
BRAIN = (slice(50, 200), slice(40, 220), slice(50, 200))
BAR_S = 0.3
CLUSTERS = (100, 400, 1600)


def main() -> None:
    """Print a row for each number of clusters."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    probability, brain, regions = scene()
    print(f"{'clusters':>9} {'median s':>9} {'lowest s':>9}   bar {BAR_S} s")
    for wanted in CLUSTERS:
        options = RelabelOptions(threshold=threshold_for(probability, brain, wanted), min_size=5.0)
        seconds = []
        for _ in range(repeat):
            start = time.perf_counter()
            found = relabelled(probability, brain, regions, options)
            seconds.append(time.perf_counter() - start)
        print(f"{len(found.census):>9} {statistics.median(seconds):>9.3f} {min(seconds):>9.3f}")


def scene() -> tuple[Volume, np.ndarray, LabelVolume]:
    """Smooth noise in a brain-sized box: its peaks are the clusters."""
    inside = np.zeros(GRID, bool)
    inside[BRAIN] = True
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=inside[BRAIN].shape).astype(np.float32), 1.2)
    array = np.zeros(GRID, np.float32)
    array[BRAIN] = (noise - noise.min()) / np.ptp(noise)
    shells, names = depth_shells(inside[BRAIN])
    regions = np.zeros(GRID, np.uint8)
    regions[BRAIN] = shells
    return Volume(array), inside, LabelVolume(regions, np.eye(4), names)


def threshold_for(probability: Volume, brain: np.ndarray, clusters: int) -> float:
    """The threshold that leaves about so many clusters of 5 mm3 and more."""
    values = probability.array[brain]
    tried = [float(np.quantile(values, q)) for q in (0.9999, 0.9995, 0.999, 0.998, 0.996, 0.99)]
    counts = [
        len(relabelled(probability, brain, None, RelabelOptions(threshold=one, min_size=5.0)).census) for one in tried
    ]
    return tried[int(np.argmin([abs(count - clusters) for count in counts]))]


if __name__ == "__main__":
    main()
