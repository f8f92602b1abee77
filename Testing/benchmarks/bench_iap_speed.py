"""The published breast-MRI network: time against the same network in a plain loop, and of a volume by sampled slices.

    python Testing/benchmarks/bench_iap_speed.py

Random weights in the published format; the plain loop is MONAI's ResNet-18 with the same weights, which prepares and
sees one slice after the other, as does ours at batch 1. Processor time of one thread, best and median, in turns, so
that what else the computer does falls on both. Then a volume of 160 slices by the 24 that are looked at by default,
and by all of them, and whether the verdicts are the same; its header says what all slices tell of every other
parameter, and something else of the rest. The bar is for the processor time, which is what one thread takes where
nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing" / "library")]

from iap_published import breast, plain_logits, plain_network, saved
from monai.networks.nets import resnet18

from DeepMRILib import iap
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.verdicts import same
from DeepMRILib.volume import Volume

RATIO, SECONDS = 1.2, 3.0
SLICES, RUNS = 160, 10


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    print(f"One thread; load of the computer {load}; torch {torch.__version__}\n")
    print("| layout | plain loop, ms a slice: best (median) | ours, batch 1 | batch 16 | ratio at batch 1 | logits |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        models = {outputs: _model(Path(folder), outputs) for outputs in (96, 47)}
        for outputs, (plain, model) in models.items():
            print_slices(outputs, plain, model)
        print("\n| layout | slices looked at | s of the processor (of the clock) | same verdicts as all slices | bar |")
        print("|---|---|---|---|---|")
        for outputs, (_, model) in models.items():
            print_volume(outputs, model)


def _model(folder: Path, outputs: int) -> tuple[torch.nn.Module, iap.Model]:
    """The same weights in MONAI's network and in ours."""
    network = plain_network(outputs, seed=outputs)
    plain = resnet18(
        spatial_dims=2,
        n_input_channels=1,
        num_classes=outputs,
        conv1_t_stride=2,
        shortcut_type="B",
        bias_downsample=False,
    ).eval()
    plain.load_state_dict(network.state_dict(), strict=True)
    return plain, iap.load_model(saved(network, folder / f"{outputs}.h5"), device="cpu")


def print_slices(outputs: int, plain: torch.nn.Module, model: iap.Model) -> None:
    """Time of one slice, and how equal the answers are."""
    random = np.random.default_rng(0)
    slices = [breast(random) for _ in range(16)]
    loop, single, batch = timed(
        lambda: plain_logits(plain, slices[:4]),
        lambda: [model.logits([image]) for image in slices[:4]],
        lambda: model.logits(slices),
        counts=(4, 4, 16),
    )
    wanted, found = plain_logits(plain, slices), model.logits(slices)
    error = np.abs(wanted - found).max() / np.abs(wanted).max()
    classes = [head for head in model.layout.heads if head.kind != "continuous"]
    alike = all((head.outputs(wanted).argmax(1) == head.outputs(found).argmax(1)).all() for head in classes)
    ratio = min(loop) / min(single)
    print(
        f"| {outputs} | {_shown(loop)} | {_shown(single)} | {_shown(batch)} | {ratio:.2f} "
        f"({np.median(loop) / np.median(single):.2f}); bar {RATIO} {_met(ratio >= RATIO)} | "
        f"equal to {error:.0e} of the largest, argmax {'identical' if alike else 'DIFFERENT'} |",
        flush=True,
    )


def timed(*calls: Callable[[], object], counts: tuple[int, ...]) -> list[list[float]]:
    """Milliseconds of processor time a slice of each call, called in turns."""
    found: list[list[float]] = [[] for _ in calls]
    for run in range(RUNS + 1):
        for times, call, count in zip(found, calls, counts, strict=True):
            start = time.process_time()
            call()
            if run:
                times.append((time.process_time() - start) * 1e3 / count)
    return found


def print_volume(outputs: int, model: iap.Model) -> None:
    """A volume whose slices change slowly from its ends to its middle, as those of a body do."""
    image = _volume()
    header = _header(model, image)
    seconds, clock, verdicts = {}, {}, {}
    for slices in (24, 0):
        started, start = time.perf_counter(), time.process_time()
        result = iap.predict(image, model, iap.PredictOptions(slices=slices), header=header)
        seconds[slices], clock[slices] = time.process_time() - start, time.perf_counter() - started
        verdicts[slices] = result.parameters.columns["verdict"]
    alike = sum(one == other for one, other in zip(verdicts[24], verdicts[0], strict=True))
    equal = f"{alike} of {len(verdicts[0])} ({verdicts[0].count('agree')} agree)"
    bar = f"{SECONDS} s {_met(seconds[24] < SECONDS)}"
    print(f"| {outputs} | 24 of {SLICES} | {seconds[24]:.2f} ({clock[24]:.2f}) | {equal} | {bar} |")
    print(f"| {outputs} | all | {seconds[0]:.2f} ({clock[0]:.2f}) | | |", flush=True)


def _volume() -> Volume:
    ends = [breast(np.random.default_rng(seed)).astype(float) for seed in (1, 2)]
    noise = np.random.default_rng(3)
    shares = np.sin(np.linspace(0, np.pi, SLICES))
    slices = [np.abs((1 - s) * ends[0] + s * ends[1] + noise.normal(0, 15, ends[0].shape)) for s in shares]
    return Volume(np.stack(slices, axis=-1).transpose(1, 0, 2).astype(np.uint16), np.diag([-1.1, -1.1, 1.2, 1.0]))


def _header(model: iap.Model, image: Volume) -> Header:
    told = iap.predict(image, model, iap.PredictOptions(slices=0)).parameters
    values = dict.fromkeys(BY_NAME)
    for number, (name, answer) in enumerate(zip(told.columns["parameter"], told.columns["predicted"], strict=True)):
        values[name] = answer if number % 2 else _other(model, name, answer)
    return Header(values)


def _other(model: iap.Model, name: str, answer: str | float) -> str | float:
    classes = model.layout.head(name).classes
    if not classes:
        return 1.5 * float(answer)
    return next(one for one in (classes[0], classes[-1]) if not same(name, one, answer))


def _shown(times: list[float]) -> str:
    return f"{min(times):.1f} ({np.median(times):.1f})"


def _met(met: bool) -> str:
    return "met" if met else "MISSED"


if __name__ == "__main__":
    main()
