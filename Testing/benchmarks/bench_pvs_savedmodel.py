"""A network of the published size from a SavedModel against the same as a plain PyTorch module.

160 x 214 x 176 voxels, 9 levels, 8 filters, growth 1.5. The SavedModel is written here with random weights; each run
is a process of its own. Run it as ``python Testing/benchmarks/bench_pvs_savedmodel.py``; it takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import numpy as np

SHAPE, LEVELS, BASE, GROWTH = (160, 214, 176), 9, 8, 1.5
WAYS = ("plain", "plain, channels last", "imported", "imported, not folded")


def main() -> None:
    """Print one row for each way of running the network, and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a few seconds: 32 voxels, 4 levels")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--way", choices=WAYS, help="used by the script itself")
    parser.add_argument("--folder", type=Path, help="used by the script itself")
    arguments = parser.parse_args()
    shape, levels = ((32, 40, 36), 4) if arguments.small else (SHAPE, LEVELS)
    if arguments.way:
        _run(arguments, shape, levels)
        return
    with tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), arguments, shape, levels)


def _compare(folder: Path, arguments: argparse.Namespace, shape: tuple[int, ...], levels: int) -> None:
    from pvs_residual import filters, weights, write

    counts = filters(levels, BASE, GROWTH)
    values = weights(counts)
    write(folder / "model", shape, counts, values)
    millions = sum(array.size for name, array in values.items()) / 1e6
    print(f"{shape} voxels, {levels} levels, {millions:.2f} million numbers, {arguments.threads} threads")
    print("| way | steps | load s | run s | of plain | processor s | of plain | peak GB | difference |")
    print("|---|---|---|---|---|---|---|---|---|")
    expected, first = None, {}
    for way in WAYS:
        command = [sys.executable, __file__, "--way", way, "--folder", str(folder), "--threads", str(arguments.threads)]
        command += ["--repeat", str(arguments.repeat), *(["--small"] if arguments.small else [])]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        told = json.loads(done.stdout.splitlines()[-1])
        found = np.load(folder / "result.npy")
        if expected is None:
            expected, first = found, told
        difference = float(np.abs(found - expected).max())
        numbers = f"{told['steps']} | {told['load']:.2f} | {told['run']:.2f} | {told['run'] / first['run']:.2f}"
        numbers += f" | {told['busy']:.1f} | {told['busy'] / first['busy']:.2f}"
        print(f"| {way} | {numbers} | {told['peak'] / 1e9:.2f} | {difference:.1e} |", flush=True)
    print(f"\nStandard deviation of the answer {np.std(expected):.3f}")


def _run(arguments: argparse.Namespace, shape: tuple[int, ...], levels: int) -> None:
    import torch

    torch.set_num_threads(arguments.threads)
    image = torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(3))
    start = time.perf_counter()
    if arguments.way.startswith("plain"):
        network, steps = _plain(levels), 0
        if arguments.way.endswith("last"):
            network = network.to(memory_format=torch.channels_last_3d)
            image = image.to(memory_format=torch.channels_last_3d)
    else:
        network, steps = _imported(arguments)
    load = time.perf_counter() - start
    times, busy = [], []
    for _ in range(arguments.repeat):
        start, processor = time.perf_counter(), time.process_time()
        with torch.inference_mode():
            found = network(image)
        times.append(time.perf_counter() - start)
        busy.append(time.process_time() - processor)
    np.save(arguments.folder / "result.npy", found.numpy())
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(json.dumps({"steps": steps, "load": load, "run": min(times), "busy": min(busy), "peak": peak}))


def _plain(levels: int):
    from pvs_residual import Residual, filters, weights

    counts = filters(levels, BASE, GROWTH)
    return Residual(counts, weights(counts))


def _imported(arguments: argparse.Namespace):
    from DeepMRILib.pvs.importer.graph_fold import fold
    from DeepMRILib.pvs.importer.network_graph import ImageNetwork
    from DeepMRILib.pvs.importer.savedmodel import read_savedmodel

    graph = read_savedmodel(arguments.folder / "model")
    graph = graph if arguments.way.endswith("not folded") else fold(graph)
    return ImageNetwork(graph), len(graph.steps)


if __name__ == "__main__":
    main()
