"""Search behind a network against the loop as its authors wrote it: time, order of lines, and Dice of faster searches.

    python Testing/benchmarks/bench_igs_speed.py [--slices 96] [--repeats 2]

The same network and slices in one run, 16 of 128 lines, best of the repeats, which take turns; with as many threads as
PyTorch chooses, and with one. The network is trained for a few epochs only: the time does not depend on its weights.
Other programs lengthen the seconds, and most those of layers that wait for several threads: with one thread the ratio
is of processor seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from igs_trial import dice_with, load, met, plain_loop

from DeepMRILib.igs import PatternOptions, SliceDataset, find_pattern
from DeepMRILib.igs.options_network import TrainOptions
from DeepMRILib.igs.phantoms import ring_phantom
from DeepMRILib.igs.training import train_network

LINES = 16
FASTER, MUCH_FASTER, DICE = 1.5, 4.0, 0.01
SEARCHES = {
    "a line a step": {},
    "4 a step, 3 candidates": {"lines_per_step": 4, "rerank": 3},
}


def main() -> None:
    """Print the table for each number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=96, help="slices that the pattern is chosen on")
    parser.add_argument("--epochs", type=int, default=15, help="of the network's training")
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    network = train_network(ring_phantom(192, seed=1), TrainOptions(epochs=arguments.epochs, device="cpu"))
    select, test = ring_phantom(arguments.slices, seed=2), ring_phantom(96, seed=3)
    print(f"Ring phantom, 128 x 128, {len(select)} slices, {LINES} lines, U-Net 8 16 32 64; load {load()}")
    chosen = torch.get_num_threads()
    for threads in sorted({chosen, 1}, reverse=True):
        torch.set_num_threads(threads)
        print_table(network, select, test, arguments.repeats)
    torch.set_num_threads(chosen)


def print_table(network: torch.nn.Module, select: SliceDataset, test: SliceDataset, repeats: int) -> None:
    """One row for each search."""
    print(f"\n| search, {torch.get_num_threads()} threads | seconds | ratio | order | Dice at x8 | bar |")
    print("|---" * 6 + "|")
    ways: dict[str, Callable[[], list[int]]] = {"plain loop": lambda: plain_loop(select, network, LINES)}
    for name, settings in SEARCHES.items():
        ways[name] = lambda settings=settings: searched(select, network, settings)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    orders, clock = {}, time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for _ in range(repeats):
        for name, way in ways.items():
            started = clock()
            orders[name] = way()
            seconds[name].append(clock() - started)
    plain, scores = min(seconds["plain loop"]), {}
    for name, order in orders.items():
        mask = np.zeros(128, dtype=bool)
        mask[order] = True
        scores[name] = dice_with(network, test, mask)
        ratio, same = plain / min(seconds[name]), order == orders["plain loop"]
        close = abs(scores[name] - scores["plain loop"]) <= DICE
        passed = same and ratio >= FASTER if name == "a line a step" else close and ratio >= MUCH_FASTER
        bar = "" if name == "plain loop" else met(passed)
        told = "same" if same else "another"
        print(f"| {name} | {min(seconds[name]):.2f} | {ratio:.2f} | {told} | {scores[name]:.4f} | {bar} |", flush=True)


def searched(select: SliceDataset, network: torch.nn.Module, settings: dict[str, int]) -> list[int]:
    """The order that the library finds."""
    options = PatternOptions(lines=LINES, rivals=False, device="cpu", **settings)
    return find_pattern(select, network, options).order.tolist()


if __name__ == "__main__":
    main()
