"""The InteractiveSeg panel: how soon the segment follows a point, what holds Slicer up, and what a hundred drags leave.

    python Testing/benchmarks/bench_interactive_live.py

Runs the real panel on Qt and Slicer's MRML libraries, with a real worker process, on a lesion that takes a box of
80 x 80 x 80 voxels of an image of 512 x 512 x 300. Seconds are from the moved point to the segment in the scene: the
full answer waits until the hand has rested for 0.3 s. A turn is what is computed between two looks at Qt's events; its
processor time is the panel's own, its clock also that of other programs on the same cores.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

import numpy as np
import psutil
import slicerapp

SHAPE, RADIUS, DEPTH = (512, 512, 300), 31.6, 5.0
CENTRE = np.array([300.0, 240.0, 140.0])
AROUND = np.concatenate([np.eye(3), -np.eye(3)])
SETTLED_S = 60


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--drags", type=int, default=100)
    parser.add_argument("--engine", default="geodesic")
    arguments = parser.parse_args()
    slicerapp.start()
    print(f"load of the last minute: {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores\n")
    first_answers()
    panel = Panel(arguments.engine)
    panel.place()
    latency(panel, arguments.repeats, "one moved point")
    panel.parameters.segmentation.CreateClosedSurfaceRepresentation()
    latency(panel, arguments.repeats, "one moved point, the segment shown in 3D")
    panel.parameters.segmentation.RemoveClosedSurfaceRepresentation()
    endurance(panel, arguments.drags)
    panel.loaded.close()


def large_image() -> Any:
    """A bright ball in noise; the box around its points has 80 voxels a side."""
    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    rng = np.random.default_rng(0)
    array = rng.normal(100, 8, SHAPE[:2]).astype(np.int16)[:, :, None] + np.zeros(SHAPE, np.int16)
    half = int(RADIUS) + 20
    box = tuple(slice(int(c) - half, int(c) + half) for c in CENTRE)
    places = np.indices([2 * half] * 3) - half
    inside = np.linalg.norm(places, axis=0) < RADIUS
    array[box] = 80 + 60 * inside + rng.normal(0, 8, inside.shape)
    return nodeFromVolume(Volume(array, np.diag([-1.0, -1.0, 1.0, 1.0])), "large")


class Panel:
    """The opened panel on the large image, and a watch on what it does."""

    def __init__(self, engine: str = "geodesic") -> None:
        import slicer

        slicer.mrmlScene.Clear(0)
        self.loaded = slicerapp.load_module("InteractiveSeg")
        self.loaded.enter()
        self.widget, self.live, self.ui = self.loaded.widget, self.loaded.widget.live, self.loaded.widget.ui
        self.parameters = self.loaded.logic.getParameterNode()
        self.parameters.inputVolume = self.image = large_image()
        self.parameters.engine = engine
        self.moves = 0
        self.places = (CENTRE + (RADIUS - DEPTH) * AROUND) * [-1, -1, 1]

    def place(self) -> None:
        """Six points, and the answer."""
        import vtk

        self.ui.placeButton.click()
        for place in self.places:
            self.parameters.points.AddControlPointWorld(vtk.vtkVector3d(*place))
        self.settle()
        size = self.loaded.logic.collect(self.parameters)["volume"].shape
        print(f"the box around the points has {' x '.join(map(str, size))} voxels")

    def move(self, number: int, by: tuple[float, float, float]) -> None:
        """Drag a point to its place plus some mm."""
        self.parameters.points.SetNthControlPointPositionWorld(number, *(self.places[number] + by))

    def settle(self) -> None:
        """Wait for the full answer."""
        slicerapp.wait_until(self.rests, SETTLED_S, "the full answer")

    def rests(self) -> bool:
        """Whether all is answered."""
        live = self.live
        waits = live._rest.isActive() or live._follower._timer.isActive() or bool(live._wanted)
        return not (waits or live.state.isBusy or live.state.isPreview) and live.state.lastSeconds is not None


class Turns:
    """The longest turns of the event loop while it is entered, in ms: of the clock, and of the processor."""

    def __enter__(self) -> Turns:
        import qt

        self._ticks: list[tuple[float, float]] = []
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", lambda: self._ticks.append((time.perf_counter(), time.thread_time())))
        self._timer.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._timer.stop()
        self._timer.deleteLater()
        self.clock, self.computed = (1000 * np.diff(self._ticks, axis=0)).max(axis=0)


def first_answers() -> None:
    """From the sixth click to the first full answer, where the worker was started by the button, and where it was not.

    A user takes some seconds for six clicks; here the worker gets 5 s.
    """
    import vtk

    print("| first answer after the sixth click, s | |\n|---|---|")
    for name, early in (("worker started with placing", True), ("worker started with the sixth click", False)):
        panel = Panel()
        if not early:
            panel.widget.runner.prepare = lambda _job: None
        panel.ui.placeButton.click()
        for place in panel.places[:5]:
            panel.parameters.points.AddControlPointWorld(vtk.vtkVector3d(*place))
        pause(5)
        started = time.perf_counter()
        panel.parameters.points.AddControlPointWorld(vtk.vtkVector3d(*panel.places[5]))
        panel.settle()
        print(f"| {name} | {time.perf_counter() - started:.2f} |", flush=True)
        panel.loaded.close()
    print()


def latency(panel: Panel, repeats: int, title: str) -> None:
    """From a moved point to the coarse and to the full answer, and the longest turn meanwhile."""
    previews, fulls, clocks, computed = [], [], [], []
    for number in range(repeats):
        with Turns() as turns:
            started = time.perf_counter()
            panel.moves += 1  # no place twice: what is answered already is not asked again
            panel.move(number % 6, (1.0 + 0.05 * panel.moves, -0.7, 0.3))
            slicerapp.wait_until(lambda: panel.live.state.isPreview, SETTLED_S, "the preview")
            previews.append(time.perf_counter() - started)
            panel.settle()
            fulls.append(time.perf_counter() - started)
        clocks.append(turns.clock)
        computed.append(turns.computed)
    print(f"\n| {title} | median | worst |\n|---|---|---|")
    for name, values in (
        ("to the preview, s", previews),
        ("to the full answer, s", fulls),
        ("longest turn, clock, ms", clocks),
        ("longest turn, processor, ms", computed),
    ):
        print(f"| {name} | {statistics.median(values):.3g} | {max(values):.3g} |", flush=True)


def endurance(panel: Panel, drags: int) -> None:
    """What grows over many drags in a row, each of five moves and an answer."""
    import slicer

    def drag(number: int) -> None:
        for step in range(5):
            panel.move(number % 6, (0.4 * step, 0.2 * (number % 5), -0.2 * step))
            pause(0.03)
        panel.settle()

    for number in range(60):  # more than are kept to be taken back
        drag(number)
    me, worker = psutil.Process(), psutil.Process(panel.widget.runner.workerPid())
    handles = "num_fds" if hasattr(me, "num_fds") else "num_handles"
    measures: dict[str, Callable[[], float]] = {
        "processes": lambda: len(me.children(recursive=True)),
        "handles of the panel's process": getattr(me, handles),
        "handles of the worker": getattr(worker, handles),
        "threads of the panel's process": me.num_threads,
        "threads of the worker": worker.num_threads,
        "nodes in the scene": slicer.mrmlScene.GetNumberOfNodes,
        "segments": lambda: panel.parameters.segmentation.GetSegmentation().GetNumberOfSegments(),
        "job folders": lambda: len(list(Path(slicer.app.temporaryPath).glob("DeepMRI-*"))),
        "memory of the panel's process, MB": lambda: me.memory_info().rss / 1e6,
        "memory of the worker, MB": lambda: worker.memory_info().rss / 1e6,
    }
    before = snapshot(measures)
    with Turns() as turns:
        for number in range(drags):
            drag(number)
    after = snapshot(measures)
    print(f"\n| after {drags} more drags | before | after | growth |\n|---|---|---|---|")
    for name in measures:
        print(f"| {name} | {before[name]:.0f} | {after[name]:.0f} | {after[name] - before[name]:+.1f} |")
    print(f"| longest turn, ms: clock, processor | | {turns.clock:.0f}, {turns.computed:.0f} | |")


def pause(seconds: float) -> None:
    """Let Qt work that long."""
    until = time.perf_counter() + seconds
    slicerapp.wait_until(lambda: time.perf_counter() > until, seconds + 5, "the clock")


def snapshot(measures: dict[str, Callable[[], float]]) -> dict[str, float]:
    """All measures now, after the rubbish is collected."""
    gc.collect()
    return {name: float(measure()) for name, measure in measures.items()}


if __name__ == "__main__":
    main()
