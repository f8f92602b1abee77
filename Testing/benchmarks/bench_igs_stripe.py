"""The planted stripe: does the search find the lines that alone hold what the task needs?

    python Testing/benchmarks/bench_igs_stripe.py

64 x 64, a region marked only by stripes of 14 cycles across the columns; and the same data transposed, with the other
axis and the network's convolutions transposed as well.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import replace

import numpy as np
import torch
from igs_trial import dice_with, load, met

from DeepMRILib.igs import PatternOptions, SliceDataset, baseline, find_pattern
from DeepMRILib.igs.options_network import TrainOptions
from DeepMRILib.igs.phantoms import stripe_phantom
from DeepMRILib.igs.training import train_network

FREQUENCY, NEAR, SIZE = 14, 5, 64
HITS, DICE, CENTRE, SECONDS = 9, 0.85, 0.3, 15.0


def main() -> None:
    """Print what is found and the bars."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(f"Planted stripe, {SIZE} x {SIZE}; load {load()}")
    started, busy = time.perf_counter(), time.process_time()
    train, select, test = (stripe_phantom(96, SIZE, FREQUENCY, seed=seed) for seed in range(3))
    network = train_network(train, TrainOptions(epochs=10, device="cpu", masks="none"))
    pattern = find_pattern(select, network, PatternOptions(lines=12, device="cpu"))
    found, centre = (dice_with(network, test, mask) for mask in (pattern.mask(8), baseline("centre", SIZE, 8)))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    offsets = pattern.order - SIZE // 2
    hits = int((np.abs(np.abs(offsets) - FREQUENCY) <= NEAR).sum())
    turned = find_pattern(
        transposed(select), transposed_network(network), PatternOptions(lines=12, axis=-2, device="cpu")
    )
    same = turned.order.tolist() == pattern.order.tolist()
    full = dice_with(network, test, np.ones(SIZE, dtype=bool))
    print(f"order: {', '.join(map(str, offsets))}")
    print(f"of the first 12 lines within {NEAR} of {FREQUENCY}: {hits}; bar {HITS} {met(hits >= HITS)}")
    print(f"order on transposed data with the other axis: {'the same' if same else 'another'}; {met(same)}")
    print(f"Dice at 8 lines: {found:.3f}; bar {DICE} {met(found >= DICE)} (full {full:.3f})")
    print(f"Dice at 8 lines of the centre: {centre:.3f}; bar {CENTRE} {met(centre <= CENTRE)}")
    within = met(seconds <= SECONDS)
    print(f"data, training, search and test: {seconds:.1f} s (processor {busy:.1f} s); bar {SECONDS:g} {within}")


def transposed(dataset: SliceDataset) -> SliceDataset:
    """Rows and columns exchanged."""
    images, targets = np.swapaxes(dataset.images, 2, 3), np.swapaxes(dataset.targets, 1, 2)
    return replace(dataset, images=images, targets=targets)


def transposed_network(network: torch.nn.Module) -> torch.nn.Module:
    """What gives for transposed images the transposed answer."""
    twin = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in twin.parameters():
            if parameter.ndim == 4:
                parameter.copy_(parameter.clone().transpose(2, 3))
    return twin


if __name__ == "__main__":
    main()
