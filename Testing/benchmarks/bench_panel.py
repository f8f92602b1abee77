"""The IVIMFit panel: what Apply costs over the bare job, and whether a hundred jobs leave anything behind.

    python Testing/benchmarks/bench_panel.py

Runs the real panel on Qt and Slicer's MRML libraries, with a real worker process.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import psutil
import slicerapp


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--jobs", type=int, default=100)
    arguments = parser.parse_args()
    slicerapp.start()
    overhead(arguments.repeats)
    endurance(arguments.jobs)


class Panel:
    """The loaded panel on one series."""

    def __init__(self, **options: object) -> None:
        import slicer

        from DeepMRILib.ivim import PhantomOptions
        from DeepMRILib.mrml import ivim as nodes

        slicer.mrmlScene.Clear(0)
        self.series, organs = nodes.phantomNodes(PhantomOptions(**options))
        self.loaded = slicerapp.load_module("IVIMFit")
        self.loaded.enter()
        parameters = self.loaded.logic.getParameterNode()
        parameters.inputSeries, parameters.regionsSegmentation = self.series, organs
        self.parameters = parameters

    def apply(self) -> float:
        """Seconds from the click to the maps in the scene."""
        started = time.perf_counter()
        self.loaded.widget.bar.applyButton.click()
        slicerapp.wait_until(lambda: not self.loaded.widget.runner.isBusy(), 300, "the fit")
        seconds = time.perf_counter() - started
        assert self.loaded.widget.bar.statusLabel.text.startswith("Fitted"), self.loaded.widget.bar.statusLabel.text
        return seconds

    def bare(self) -> float:
        """Seconds of the same job in this process: nodes are read, the job runs, nothing is written."""
        logic = self.loaded.logic
        started = time.perf_counter()
        logic.job.run(logic.collect(self.parameters, self.series), logic.options(self.parameters))
        return time.perf_counter() - started


def overhead(repeats: int) -> None:
    """Apply to result against the bare job, worker warm, for a small and for a full-size series."""
    print("| series | first Apply, worker cold, s | Apply, worker warm, s | bare job, s | Apply minus job, s |")
    print("|---|---|---|---|---|")
    small = {"size": (72, 56, 6), "spacing": (5.2, 5.2, 24.0)}
    for name, options in (("72 x 56 x 6 x 13", small), ("144 x 112 x 24 x 13", {})):
        panel = Panel(**options)
        cold = panel.apply()
        pairs = [(panel.apply(), panel.bare()) for _ in range(repeats)]
        warm = statistics.median(pair[0] for pair in pairs)
        bare = statistics.median(pair[1] for pair in pairs)
        difference = statistics.median(pair[0] - pair[1] for pair in pairs)
        print(f"| {name} | {cold:.2f} | {warm:.2f} | {bare:.2f} | {difference:.2f} |", flush=True)
        panel.loaded.close()


def endurance(jobs: int) -> None:
    """What grows over many jobs in a row."""
    import slicer

    panel = Panel(size=(36, 28, 3), spacing=(10.4, 10.4, 48.0), b_values=(0, 20, 60, 150, 400, 800))
    me = psutil.Process()
    for _ in range(max(3, jobs // 10)):
        panel.apply()
    worker = psutil.Process(panel.loaded.widget.runner.workerPid())
    measures: dict[str, Callable[[], float]] = {
        "processes": lambda: len(me.children(recursive=True)),
        "handles of the panel's process": me.num_fds if hasattr(me, "num_fds") else me.num_handles,
        "handles of the worker": worker.num_fds if hasattr(worker, "num_fds") else worker.num_handles,
        "threads of the panel's process": me.num_threads,
        "threads of the worker": worker.num_threads,
        "nodes in the scene": slicer.mrmlScene.GetNumberOfNodes,
        "job folders": lambda: len(list(Path(slicer.app.temporaryPath).glob("DeepMRI-*"))),
        "memory of the panel's process, MB": lambda: me.memory_info().rss / 1e6,
        "memory of the worker, MB": lambda: worker.memory_info().rss / 1e6,
    }
    before = snapshot(measures)
    for _ in range(jobs):
        panel.apply()
    after = snapshot(measures)
    print(f"\n| after {jobs} more jobs | before | after | growth |\n|---|---|---|---|")
    for name in measures:
        print(f"| {name} | {before[name]:.0f} | {after[name]:.0f} | {after[name] - before[name]:+.1f} |")
    panel.loaded.close()


def snapshot(measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    """All measures now, after the rubbish is collected."""
    gc.collect()
    return {name: float(measure()) for name, measure in measures.items()}


if __name__ == "__main__":
    main()
