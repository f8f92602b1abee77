"""Peak memory and time of every method on a 256 x 256 x 60 volume with 16 b-values, each in a process of its own.

    python Testing/benchmarks/bench_memory.py [--networks]

Every voxel is fitted (no background). The series alone has 126 MB as 16-bit integers, 252 MB as 32-bit numbers.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from DeepMRILib import ivim
from DeepMRILib.ivim.models import biexp
from DeepMRILib.volume import DiffusionVolume

SHAPE = (256, 256, 60)
B_VALUES = (0, 5, 10, 20, 30, 40, 60, 80, 100, 150, 200, 300, 400, 500, 700, 800)
LIMIT_GB = 3.0
METHODS = {
    "lsq": {"method": "lsq"},
    "lsq, adc": {"method": "lsq", "model": "adc"},
    "lsq, triexp": {"method": "lsq", "model": "triexp"},
    "segmented": {"method": "segmented"},
    "bayes": {"method": "bayes"},
}
NETWORKS = {
    "ivimnet, optim": {"method": "ivimnet", "preset": "optim"},
    "ivimnet, default": {"method": "ivimnet", "preset": "default"},
}


def series(shape: tuple[int, int, int]) -> DiffusionVolume:
    """Signals at SNR 30 as a scanner stores them, slice by slice, so that making them takes no memory."""
    rng = np.random.default_rng(5)
    array = np.empty((*shape, len(B_VALUES)), dtype=np.int16)
    for k in range(shape[2]):
        size = shape[:2]
        D, f, D_star = (rng.uniform(*edges, size) for edges in ((5e-4, 3e-3), (0.05, 0.5), (0.01, 0.1)))
        signal = 1000 * biexp(B_VALUES, D, f, D_star) + rng.normal(0, 1000 / 30, (*size, len(B_VALUES)))
        array[:, :, k] = np.clip(np.rint(signal), 0, 32767)
    return DiffusionVolume(array, np.diag([1.5, 1.5, 3.0, 1.0]), np.array(B_VALUES, dtype=float))


def run(name: str, shape: tuple[int, int, int]) -> None:
    """Fit with one method in this process and print the seconds, the peak in GB, and how many voxels were fitted."""
    volume = series(shape)
    started = time.perf_counter()
    result = ivim.fit(volume, ivim.FitOptions(**(METHODS | NETWORKS)[name], background=0.0))
    print(time.perf_counter() - started, _peak(), result.provenance.inputs["voxels_fitted"])


def _peak() -> float:
    """The most memory that this process has held, in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", action="store_true", help="train and apply networks, too")
    parser.add_argument("--slices", type=int, default=SHAPE[2])
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *NETWORKS])
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    shape = (*SHAPE[:2], arguments.slices)
    if arguments.run:
        run(arguments.run, shape)
        return
    names = arguments.methods or [*METHODS, *(NETWORKS if arguments.networks else ())]
    print(f"{' x '.join(map(str, shape))} voxels, {len(B_VALUES)} b-values\n")
    print("| method | voxels fitted | seconds | peak GB (with the series) | under 3 GB |\n|---|---|---|---|---|")
    for name in names:
        ran = subprocess.run(
            [sys.executable, __file__, "--run", name, "--slices", str(shape[2])],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds, peak, voxels = ran.stdout.split()
        verdict = "yes" if float(peak) < LIMIT_GB else "NO"
        print(f"| {name} | {int(voxels):,} | {float(seconds):.0f} | {float(peak):.2f} | {verdict} |", flush=True)


if __name__ == "__main__":
    main()
