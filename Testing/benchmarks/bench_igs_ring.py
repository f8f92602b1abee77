"""Dice on the ring phantom with phase at x8 and x16: the recommended pattern against the usual ones, and the bars.

    python Testing/benchmarks/bench_igs_ring.py [--seeds 0 1 2] [--probabilistic]

For each seed other hearts: 192 slices to train a network under random masks, 96 to choose patterns on, 96 to test.
Hard Dice, mean over slices and structures; of random patterns the mean of five draws. One search gives both
accelerations, as its order is nested.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from igs_trial import dice_with, load, met

from DeepMRILib.igs import Pattern, PatternOptions, SliceDataset, baseline, find_pattern
from DeepMRILib.igs.options_network import TrainOptions
from DeepMRILib.igs.phantoms import ring_phantom
from DeepMRILib.igs.training import train_network

LINES = (16, 8)
DRAWS = 5
EPOCHS = 30
OVER_RANDOM, UNDER_CENTRE = 0.05, 0.01
SEARCH = PatternOptions(lines=16, rerank=3, device="cpu")


def main() -> None:
    """Print a row for each seed and acceleration, and the bars."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--probabilistic", action="store_true", help="also learn probabilities of lines (minutes)")
    arguments = parser.parse_args()
    names = ["recommended", "igs", "block", "centre", "random", "variable_density"]
    names += ["probabilistic"] if arguments.probabilistic else []
    print(f"Ring phantom with phase, 128 x 128, network trained under random masks; load {load()}\n")
    print("| seed | acceleration | " + " | ".join(names) + " | full | won on the selection set | seconds |")
    print("|---" * (len(names) + 5) + "|")
    rows = [row for seed in arguments.seeds for row in rows_of(seed, names)]
    print_bars(rows)


def rows_of(seed: int, names: list[str]) -> list[dict[str, float]]:
    """Dice of each pattern at each number of lines."""
    started = time.perf_counter()
    train, select, test = (ring_phantom(n, seed=3 * seed + part) for part, n in enumerate((192, 96, 96)))
    network = train_network(train, TrainOptions(seed=seed, epochs=EPOCHS, device="cpu"))
    pattern = find_pattern(select, network, SEARCH)
    full, rows = dice_with(network, test, np.ones(128, dtype=bool)), []
    for lines in LINES:
        row = {name: score(name, lines, pattern, network, select, test) for name in names}
        rows.append(row)
        won = f"{pattern.recommended(lines)} ({', '.join(str(line - 64) for line in sorted(lines_of(pattern, lines)))})"
        cells = " | ".join(f"{value:.4f}" for value in row.values())
        seconds = time.perf_counter() - started
        print(f"| {seed} | x{128 // lines} | {cells} | {full:.4f} | {won} | {seconds:.0f} |", flush=True)
    return rows


def score(
    name: str, lines: int, pattern: Pattern, network: torch.nn.Module, select: SliceDataset, test: SliceDataset
) -> float:
    """Dice of one pattern, or the mean of its draws."""
    if name in ("recommended", "igs", "block", "centre"):
        return dice_with(network, test, pattern.mask(lines, kind=name))
    if name == "probabilistic":
        from DeepMRILib.igs.network_rival import probabilistic_mask

        return dice_with(network, test, probabilistic_mask(select, network, SEARCH, lines)[0])
    masks = [baseline(name, 128, lines, seed=draw) for draw in range(DRAWS)]
    return float(np.mean([dice_with(network, test, mask) for mask in masks]))


def lines_of(pattern: Pattern, lines: int) -> list[int]:
    """The recommended lines."""
    return np.flatnonzero(pattern.mask(lines, kind="recommended")).tolist()


def print_bars(rows: list[dict[str, float]]) -> None:
    """The recommended pattern against random, the centre, and the better of centre and block."""
    over_random = min(row["recommended"] - row["random"] for row in rows)
    over_centre = min(row["recommended"] - row["centre"] for row in rows)
    over_both = float(np.mean([row["recommended"] - max(row["centre"], row["block"]) for row in rows]))
    print(f"\nabove random, the least: {over_random:+.4f}; bar {OVER_RANDOM} {met(over_random >= OVER_RANDOM)}")
    print(f"above the centre, the least: {over_centre:+.4f}; bar {-UNDER_CENTRE} {met(over_centre >= -UNDER_CENTRE)}")
    print(f"above the best of centre and block, mean: {over_both:+.4f}; bar above 0 {met(over_both > 0)}")


if __name__ == "__main__":
    main()
