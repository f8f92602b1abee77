"""Networks of other programs at full size: an imported one against the same network written for PyTorch by hand.

    nice -n 10 python Testing/benchmarks/bench_pvs_import.py [--networks v1] [--threads 2]

SHIVA's v1 architecture (seven levels, 40 million parameters) with random weights on an image of 160 x 214 x 176 voxels,
float32. Each runs in a process of its own; the memory is the process's peak with everything in it; the ratio is that of
the processors' time, which others that compute at the same time hardly change. About 3 minutes.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing"), str(ROOT / "Testing" / "benchmarks")]

LIMIT_GB = 3.0
LIMIT_RATIO = 1.1
LIMIT_DIFFERENCE = 1e-4
FILTERS = (10, 18, 32, 58, 104, 187, 337)
GRID = (160, 214, 176)
Measured = tuple[float, float, float]


def image() -> np.ndarray:
    """(1, 1, x, y, z) between 0 and 1."""
    return np.random.default_rng(0).random((1, 1, *GRID), dtype=np.float32)


def v1_weights() -> tuple[list[np.ndarray], list[dict[str, np.ndarray]]]:
    """Random kernels (x, y, z, in, out) of a size that keeps values alive, and normalisations that do something."""
    from DeepMRILib.pvs.importer.keras_antspynet import kernels

    rng = np.random.default_rng(1)
    shapes = list(kernels(1))
    convs = [(rng.standard_normal(s, dtype=np.float32) / np.sqrt(np.prod(s[:-1]))).astype(np.float32) for s in shapes]
    norms = [
        {
            "gamma": rng.uniform(0.8, 1.6, s[-1]).astype(np.float32),
            "beta": rng.uniform(-0.2, 0.4, s[-1]).astype(np.float32),
            "moving_mean": rng.uniform(-0.1, 0.1, s[-1]).astype(np.float32),
            "moving_variance": rng.uniform(0.3, 1.0, s[-1]).astype(np.float32),
        }
        for s in shapes[:-1]
    ]
    return convs, norms


def v1_imported() -> Any:
    """As the importer makes it."""
    from DeepMRILib.pvs.importer.graph_fold import fold
    from DeepMRILib.pvs.importer.keras_antspynet import v1_graph
    from DeepMRILib.pvs.importer.network_graph import ImageNetwork

    convs, norms = v1_weights()
    return ImageNetwork(fold(v1_graph(convs, norms, np.array([-0.1], np.float32))))


def v1_bare() -> Any:
    """The same network written down in PyTorch, layer by layer, channels first."""
    import torch
    from torch.nn import functional

    convs, norms = v1_weights()

    class Row(torch.nn.Module):
        def __init__(self, kernel: np.ndarray, norm: dict[str, np.ndarray]) -> None:
            super().__init__()
            self.conv = torch.nn.Conv3d(kernel.shape[3], kernel.shape[4], 3, padding=1, bias=False)
            self.norm = torch.nn.BatchNorm3d(kernel.shape[4], eps=1e-3)
            self.conv.weight.data = torch.from_numpy(np.ascontiguousarray(kernel.transpose(4, 3, 0, 1, 2)))
            self.norm.weight.data = torch.from_numpy(norm["gamma"])
            self.norm.bias.data = torch.from_numpy(norm["beta"])
            self.norm.running_mean.data = torch.from_numpy(norm["moving_mean"])
            self.norm.running_var.data = torch.from_numpy(norm["moving_variance"])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.silu(self.norm(self.conv(x)), inplace=True)

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = torch.nn.ModuleList(Row(kernel, norm) for kernel, norm in zip(convs, norms, strict=False))
            self.head = torch.nn.Conv3d(FILTERS[0], 1, 1)
            self.head.weight.data = torch.from_numpy(np.ascontiguousarray(convs[-1].transpose(4, 3, 0, 1, 2)))
            self.head.bias.data = torch.tensor([-0.1])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = iter(self.rows)
            skips = []
            for _ in FILTERS:
                x = self._two(rows, x)
                skips.append(x)
                x = functional.max_pool3d(x, 2)
            for _ in FILTERS:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
                skip = skips.pop()
                gaps = [b - a for a, b in zip(x.shape[2:], skip.shape[2:], strict=True)]
                x = functional.pad(x, [n for d in reversed(gaps) for n in (d // 2, d - d // 2)])
                x = torch.cat([x, skip], 1)
                del skip
                x = self._two(rows, x)
            return torch.sigmoid(self.head(self._two(rows, x)))

        @staticmethod
        def _two(rows: Any, x: torch.Tensor) -> torch.Tensor:
            x = next(rows)(x)
            return next(rows)(x)

    return Net().eval()


NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {"v1": (v1_imported, v1_bare)}
"""For each network the imported form, and the one written by hand."""


def run(name: str, which: int, threads: int, output: Path) -> None:
    """Run one form in this process; print the seconds, those of all processors, and the peak in GB."""
    import torch

    torch.set_num_threads(threads)
    network = NETWORKS[name][which]()
    x = torch.from_numpy(image())
    with torch.inference_mode():
        started, busy = time.perf_counter(), time.process_time()
        made = network(x)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    np.save(output, made.numpy())
    print(seconds, busy, _peak())


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**30 if sys.platform == "darwin" else peak / 2**20


def _measured(name: str, which: int, threads: int, output: Path) -> Measured:
    command = [sys.executable, __file__, "--run", name, str(which), "--threads", str(threads), "--output", str(output)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, busy, peak = map(float, text.split())
    return seconds, busy, peak


def row(name: str, threads: int, repeats: int) -> bool:
    """Measure a network in both forms, print its row, and say whether it is within the limits."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{which}.npy" for which in (0, 1)]
        rounds = [[_measured(name, which, threads, file) for which, file in enumerate(files)] for _ in range(repeats)]
        theirs = np.load(files[1])
        difference = float(np.abs(np.load(files[0]) - theirs).max())
    seconds, busy = ([min(one[which][k] for one in rounds) for which in (0, 1)] for k in (0, 1))
    peaks = [max(one[which][2] for one in rounds) for which in (0, 1)]
    ratio = busy[0] / busy[1]
    print(
        f"{name:8s} {seconds[0]:11.1f} {seconds[1]:8.1f} {ratio:10.2f} {peaks[0]:6.2f} {peaks[1]:8.2f} "
        f"{difference:11.1e} {float(theirs.std()):8.3f}"
    )
    return ratio <= LIMIT_RATIO and peaks[0] <= LIMIT_GB and difference <= LIMIT_DIFFERENCE


def main() -> int:
    """Print a row for each network; 1 if one is beyond its limits."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--run", nargs=2, metavar=("NETWORK", "FORM"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run(options.run[0], int(options.run[1]), options.threads, options.output)
        return 0
    print("network   imported s   bare s  CPU ratio     GB  bare GB  difference   spread")
    within = [row(name, options.threads, options.repeats) for name in options.networks]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
