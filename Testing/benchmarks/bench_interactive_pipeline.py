"""The whole pipeline of interactive segmentation on a small task: planned, trained in five folds, ensembled, tested.

    python Testing/benchmarks/bench_interactive_pipeline.py --epochs 60 --filters 16

The task: 20 generated cases to train on and 10 to test, half of them hard (``phantom_dataset``), with the points that
come with them. The networks never see the test cases. Beside them stand the engine of geodesic distances and the
ellipsoid through the points, from the same points. Then: what is interpolated on the way back to the image's grid, and
whether a training that is killed goes on to the same weights. CPU seconds stand beside wall seconds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from DeepMRILib.interactive import testing
from DeepMRILib.interactive.options_pipeline import PlanOptions
from DeepMRILib.interactive.options_training import TestOptions, TrainOptions
from DeepMRILib.interactive.phantom_dataset import phantom_dataset
from DeepMRILib.interactive.planning import plan
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.training import train

STEPS = {"accumulate": 1, "learning_rate": 0.02, "momentum": 0.95}
"""InteractiveNet's settings are for 500 epochs of larger sets; here there are 16 cases in an epoch."""
KILLED_EPOCHS = 4


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=60, help="of each fold")
    parser.add_argument("--filters", type=int, default=16, help="features at full resolution")
    parser.add_argument("--cases", type=int, default=20, help="to train on")
    parser.add_argument("--tests", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; more are slower on a busy computer")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        pipeline(Path(folder), given)
        resumed(Path(folder), given)


def pipeline(folder: Path, given: argparse.Namespace) -> None:
    """Train, ensemble and test; and compare what is interpolated."""
    with seconds("dataset"):
        dataset = phantom_dataset(folder / "Task500_Phantom", cases=given.cases, tests=given.tests, seed=given.seed)
    with seconds("plan"):
        planned = plan(dataset, PlanOptions(filters=given.filters, seed=given.seed)).save(folder / "plan")
    with seconds(f"train, five folds of {given.epochs} epochs"):
        options = TrainOptions(epochs=given.epochs, seed=given.seed, device="cpu", threads=given.threads, **STEPS)
        model = train(dataset, options, plan=planned)
    network = model.plan
    inputs = " x ".join(f"{edge:g}" for edge in network.spacing)
    print(f"\nvoxels {inputs} mm, filters {network.filters}, weights and postprocessing: "
          f"{model.provenance.inputs['weights']}, {model.postprocessing}")  # fmt: skip
    by_subtype("cross-validation (one network each, no flips)", model.scores.columns)
    place = model.save(folder / "model")
    with seconds("test, ensemble of five, eight flips"):
        result = testing.test(place, dataset, TestOptions(device="cpu"))
    by_subtype("test (ensemble, flips)", result.scores.columns)
    print("\n| interpolated | Dice | Hausdorff 95 % (mm) | surface distance (mm) |\n|---|---|---|---|")
    for how in ("probability", "weights", "label"):
        other = testing.test(place, dataset, TestOptions(device="cpu", resampling=how, baselines=False, flips=False))
        row = {name: values[0] for name, values in other.means.columns.items()}
        print(f"| {how} | {row['dice']:.4f} | {row['hausdorff_95']:.2f} | {row['surface_distance']:.3f} |")


def by_subtype(title: str, scores: dict[str, list[Any]]) -> None:
    """Mean and lowest Dice of each method by subtype."""
    print(
        f"\n{title}\n\n| cases | network | geodesic engine | ellipsoid | Hausdorff 95 % (mm) |\n|---|---|---|---|---|"
    )
    kinds = np.array(scores["subtype"])
    columns = {name: np.array(scores[name], dtype=float) for name in
               ("dice", "dice_geodesic", "dice_ellipsoid", "hausdorff_95")}  # fmt: skip
    for kind in (*sorted(set(kinds)), "all"):
        chosen = (kinds == kind) | (kind == "all")
        cells = [
            f"{np.nanmean(columns[name][chosen]):.3f} (min {np.nanmin(columns[name][chosen]):.3f})"
            for name in ("dice", "dice_geodesic", "dice_ellipsoid")
        ]
        print(f"| {kind} ({chosen.sum()}) | {' | '.join(cells)} | {np.nanmean(columns['hausdorff_95'][chosen]):.2f} |")


def resumed(folder: Path, given: argparse.Namespace) -> None:
    """Kill a training in its middle, start it again, and compare its weights with those of an unbroken one."""
    dataset = folder / "Task500_Phantom"
    settings = {"epochs": KILLED_EPOCHS, "folds": 2, "seed": given.seed, "device": "cpu", "baselines": False, **STEPS}
    settings["threads"] = given.threads
    whole = train(dataset, TrainOptions(**settings))
    work = folder / "workspace"
    code = (
        f"from pathlib import Path\nfrom DeepMRILib.interactive.training import train\n"
        f"from DeepMRILib.interactive.options_training import TrainOptions\n"
        f"train(Path({str(dataset)!r}), TrainOptions(workspace={str(work)!r}, **{settings!r}))\n"
    )
    kills = 0
    for place in ("fold0.ckpt", "fold1.ckpt"):
        process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)})
        while process.poll() is None and not (work / place).exists():
            time.sleep(0.02)
        time.sleep(0.5)  # somewhere in its epochs
        kills += process.poll() is None
        process.kill()
        process.wait()
    again = train(dataset, TrainOptions(**settings, workspace=str(work)))
    print(f"\nkilled {kills} times, resumed: the same weights: {'yes' if same(whole, again) else 'NO'}")


def same(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether two models are the same, bit by bit."""
    return all(np.array_equal(one.weights[name], other.weights[name]) for name in {**one.weights, **other.weights})


@contextmanager
def seconds(what: str) -> Iterator[None]:
    """Print how long a step took."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.0f} s, CPU {time.process_time() - cpu:.0f} s", flush=True)


if __name__ == "__main__":
    main()
