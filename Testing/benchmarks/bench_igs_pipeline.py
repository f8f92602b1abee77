"""Time of the whole pipeline: data, network, a pattern of 16 lines, five baselines, report.

    python Testing/benchmarks/bench_igs_pipeline.py [--slices 192]

The jobs as the command line runs them, on the ring phantom, 128 x 128: half of the slices train, a quarter is to choose
the pattern on, a quarter to test. The bar is for two cores that do nothing else; processor time beside it says what
other programs took.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from igs_trial import load, met

from DeepMRILib.igs import FindOptions, TestOptions, TrainOptions, find, ring_phantom, test, train
from DeepMRILib.igs.report import find_report, test_report

SECONDS = 60.0
EPOCHS = 30
"""Less than the default, which trains a small set until it has learned what it can."""
BASELINES = ("centre", "block", "equispaced", "random", "variable_density")


def main() -> None:
    """Print the time of each step and the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=192)
    slices = parser.parse_args().slices
    print(f"Ring phantom, {slices} slices of 128 x 128; load {load()}\n\n| step | seconds | processor |\n|---|---|---|")
    clock = Clock()
    data = ring_phantom(slices, seed=1)
    clock.lap("data")
    network = train(data, TrainOptions(epochs=EPOCHS, device="cpu"))
    clock.lap("network")
    found = find(data, FindOptions(lines=16, device="cpu"), network=network)
    clock.lap("pattern of 16 lines and its rivals")
    tested = test(found.pattern, data, TestOptions(baselines=BASELINES, device="cpu"), network=network)
    clock.lap("test of five baselines")
    reports = {"find": find_report, "test": test_report}
    with tempfile.TemporaryDirectory() as folder:
        for name, result in (("find", found), ("test", tested)):
            written = result.save(Path(folder) / name)
            reports[name](result).write(written / "report.html")
    clock.lap("files and reports")
    print(f"\nin all {clock.total:.1f} s; bar {SECONDS:g} {met(clock.total <= SECONDS)}")


class Clock:
    """Prints what each step takes."""

    def __init__(self) -> None:
        self.started = self.lapped = time.perf_counter()
        self.busy = time.process_time()

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return self.lapped - self.started

    def lap(self, step: str) -> None:
        """One row."""
        now, busy = time.perf_counter(), time.process_time()
        print(f"| {step} | {now - self.lapped:.1f} | {busy - self.busy:.1f} |", flush=True)
        self.lapped, self.busy = now, busy


if __name__ == "__main__":
    main()
