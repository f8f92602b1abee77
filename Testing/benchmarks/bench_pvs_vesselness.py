"""Vesselness of a whole brain of 160 x 214 x 176 voxels: seconds, peak memory, and the difference to a plain reference.

    python Testing/benchmarks/bench_pvs_vesselness.py [--quality] [--heads 6]

Each runs in a process of its own, one after the other. The reference computes scipy's Gaussian derivatives everywhere,
one by one with 64 bits, and numpy.linalg.eigvalsh for every voxel, and takes Frangi's formula from the same code;
differences are those inside the region that the engine looks at. Below a scale of 0.7 voxel they are large on purpose:
there scipy's samples of the second derivative do not add up to 0 (``hessian.kernels``). Bar: 10 s and 1.5 GB.

``--quality`` scores both filters on generated heads (``DeepMRILib.pvs.phantom``), which takes some minutes a head. The
area under precision over recall is compared with chance, the fraction of the brain that spaces fill; cluster F1 and
Dice are those above 0.5, of clusters of at least 5 mm3.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from DeepMRILib.progress import silent
from DeepMRILib.pvs import vesselness_engine
from DeepMRILib.pvs.clusters import connected
from DeepMRILib.pvs.engine import BOX, Problem
from DeepMRILib.pvs.head import generated_head
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.phantom import phantom
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.pvs.vesselness import eigenvalues_at, frangi

BAR_SECONDS, BAR_GB = 10.0, 1.5
SCALES = (0.6, 0.8, 1.0)
BRIGHTNESS = {2: 750, 41: 750, 3: 520, 42: 520, 7: 730, 46: 730, 8: 520, 47: 520, 10: 640, 49: 640, 16: 700}
FLUID = (4, 43, 5, 44, 14, 15, 24)


def a_brain(seed: int = 0) -> Problem:
    """A generated head in the box, with noise, without spaces."""
    labels = generated_head(seed).parcellation.array
    cut = [(max((n - size) // 2, 0), min(size, n)) for n, size in zip(labels.shape, BOX, strict=True)]
    labels = labels[tuple(slice(low, low + length) for low, length in cut)]
    labels = np.pad(labels, [(0, size - n) for n, size in zip(labels.shape, BOX, strict=True)]).astype(np.int32)
    table = np.full(int(labels.max()) + 1, 600.0)
    for number, value in BRIGHTNESS.items():
        table[number] = value
    table[[number for number in FLUID if number < len(table)]] = 150
    image = ndimage.gaussian_filter(table[labels], 0.5) + np.random.default_rng(seed).normal(0, 25, BOX)
    return Problem({"t1": image.astype(np.float32)}, labels > 0, labels, np.eye(4), SegmentOptions())


def run(name: str) -> None:
    """Measure one way in this process and print it as JSON."""
    problem = a_brain()
    before, started, busy = peak(), time.perf_counter(), time.process_time()
    if name == "reference":
        found = reference(problem)
    elif name == "filters":
        scene = vesselness_engine.scene_of(problem)
        found = differences(scene)
    else:
        if name == "no parcellation":
            problem = Problem(problem.images, problem.brain, None, problem.affine, problem.options)
        vesselness_engine.segment_by_vesselness(problem, silent)
        found = {}
    seconds = time.perf_counter() - started
    busy = time.process_time() - busy
    print(json.dumps({"seconds": seconds, "processor": busy, "before": before, "peak": peak(), **found}))


def reference(problem: Problem) -> dict[str, float]:
    """Vesselness of every voxel of the box at all scales."""
    scene = vesselness_engine.scene_of(problem)
    darkness = np.ones(BOX)
    darkness[scene.box] = scene.darkness
    best = np.zeros(BOX, np.float32)
    for sigma in SCALES:
        np.maximum(best, plain(darkness, sigma), out=best)
    return {"highest": float(best.max())}


def plain(darkness: NDArray, sigma: float) -> NDArray:
    """Frangi's vesselness of every voxel from scipy's derivatives and numpy's eigenvalues."""
    matrices = np.empty((*darkness.shape, 3, 3))
    for a in range(3):
        for b in range(a, 3):
            order = [(axis == a) + (axis == b) for axis in range(3)]
            matrices[..., a, b] = matrices[..., b, a] = sigma**2 * ndimage.gaussian_filter(
                darkness.astype(float), sigma, order
            )
    values = np.linalg.eigvalsh(matrices).reshape(-1, 3)
    values = np.take_along_axis(values, np.abs(values).argsort(axis=1), axis=1).T
    return frangi(values.astype(np.float32), bright=True, noise=vesselness_engine.NOISE).reshape(darkness.shape)


def differences(scene: vesselness_engine.Scene) -> dict[str, float]:
    """The largest difference of Frangi's vesselness to the plain one, at each scale."""
    found = {}
    for sigma, values in zip(SCALES, eigenvalues_at(scene.darkness, scene.region, SCALES), strict=True):
        own = frangi(values, bright=True, noise=vesselness_engine.NOISE)
        found[f"{sigma:g} mm"] = float(np.abs(own - plain(scene.darkness, sigma)[scene.region]).max())
    return found


def peak() -> float:
    """The most memory that this process has held, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def quality(heads: int) -> None:
    """Print how well each filter finds the spaces of generated heads."""
    scores: dict[tuple[str, str], list[list[float]]] = {}
    for seed in range(heads):
        rng = np.random.default_rng(1000 + seed)
        options = PhantomOptions(
            seed=1000 + seed, tubes=int(rng.integers(60, 250)), snr=float(rng.uniform(15, 40)),
            lacunes=int(rng.integers(0, 4)), wmh=int(rng.integers(0, 20)), bias=float(rng.uniform(0.1, 0.4)),
        )  # fmt: skip
        made = phantom(options=options)
        image, brain = np.asarray(made.images["t1"].array, np.float32), np.asarray(made.brain.array) > 0
        truth, labels = np.asarray(made.truth.array) > 0, np.asarray(made.parcellation.array).astype(np.int32)
        for name in ("frangi", "jerman"):
            for with_labels in (True, False):
                problem = Problem(
                    {"t1": image}, brain, labels if with_labels else None, np.eye(4), SegmentOptions(filter=name)
                )
                found = vesselness_engine.segment_by_vesselness(problem, silent).probability
                key = name, "parcellation" if with_labels else "brain mask only"
                chance = truth.sum() / brain.sum()
                scores.setdefault(key, []).append([average_precision(found, truth), chance, *agreement(found, truth)])
    print("\n| filter | given | AUPRC | chance | Dice | cluster F1 | precision | recall |")
    print("|---|---|---|---|---|---|---|---|")
    for key, rows in scores.items():
        print(f"| {' | '.join(key)} | {' | '.join(f'{value:.3f}' for value in np.mean(rows, axis=0))} |")


def average_precision(score: NDArray, truth: NDArray) -> float:
    """Area under precision over recall; what scores 0 is never found."""
    order = np.argsort(-score, axis=None, kind="stable")
    right = truth.ravel()[order]
    precision = np.cumsum(right) / np.arange(1, right.size + 1)
    return float((precision * right * (score.ravel()[order] > 0)).sum() / right.sum())


def agreement(score: NDArray, truth: NDArray, least: int = 5) -> list[float]:
    """Dice, and F1, precision and recall of clusters, which are found where they touch."""
    labels, count = connected(score > 0.5)
    large = np.bincount(labels.ravel(), minlength=count + 1) >= least
    large[0] = False
    found, number = large[labels], int(large.sum())
    true, true_number = connected(truth)
    right = len(np.setdiff1d(np.unique(true[found]), 0))
    wrong = number - len(np.setdiff1d(np.unique(labels[found & truth]), 0))
    precision, recall = right / max(right + wrong, 1), right / max(true_number, 1)
    dice = 2 * (found & truth).sum() / max(found.sum() + truth.sum(), 1)
    return [float(dice), 2 * precision * recall / max(precision + recall, 1e-9), precision, recall]


def main() -> None:
    """Print times, memory and differences, and the quality where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", action="store_true")
    parser.add_argument("--heads", type=int, default=6)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run)
        return
    if given.quality:
        quality(given.heads)
        return
    results = {}
    for name in ("parcellation", "no parcellation", "reference", "filters"):
        ran = subprocess.run([sys.executable, __file__, "--run", name], capture_output=True, text=True, check=True)
        results[name] = json.loads(ran.stdout.splitlines()[-1])
        if name != "filters":
            result = results[name]
            print(
                f"{name:16s} {result['seconds']:6.1f} s ({result['processor']:.1f} s of processor), "
                f"peak {result['peak']:.2f} GB, of which {result['before']:.2f} to make the head"
            )
    for name, value in results["filters"].items():
        if name.endswith("mm"):
            print(f"largest difference to scipy and numpy at {name}: {value:.1e}")
    own = [results[name] for name in ("parcellation", "no parcellation")]
    met = all(one["seconds"] < BAR_SECONDS and one["peak"] < BAR_GB for one in own)
    print(f"bar {BAR_SECONDS:g} s and {BAR_GB:g} GB: {'met' if met else 'MISSED'}")


if __name__ == "__main__":
    main()
