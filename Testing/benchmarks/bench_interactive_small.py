"""The small network beside the engines without weights, on lesions that it has not seen: it is shipped if it wins.

    python Testing/benchmarks/bench_interactive_small.py [--model FOLDER] [--card] [--quick]

The sets are those of ``bench_interactive.py``: stored phantoms and a hard tier, points exact and displaced by 2 mm, and
three lesions in real images, at the depth that fits their size and at 5 mm. None of them was used to train the network
or to choose anything about it. ``--card`` writes the network's scores into its card.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from bench_interactive import ERROR_MM, USUAL_DEPTH, cases, fitting_depth, hard_lesions
from interactive_baseline import ellipsoid
from real_data import DATA, Lesion, lesion_phantoms, real_lesions

from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.interactive.trained import SHIPPED
from DeepMRILib.model_card import read_card
from DeepMRILib.model_store import CARD

MODEL = ROOT / "DeepMRILib" / "interactive" / "data" / SHIPPED
Cases = list[tuple[Lesion, NDArray]]
Finder = Callable[[Lesion, NDArray, float], NDArray]


def finders(model: Path) -> dict[str, Finder]:
    """Name to a way from image, points and their depth to a mask."""

    def engine(name: str, place: Path | None = None) -> Finder:
        return lambda lesion, points, depth: (
            segment(lesion.image, points, SegmentOptions(engine=name, depth=depth), model=place).mask.array
        )

    return {
        "network": engine("network", model),
        "geodesic": engine("geodesic"),
        "graphcut": engine("graphcut"),
        "ellipsoid": lambda lesion, points, depth: ellipsoid(points, lesion.image, depth),
    }


def sets(draws: int, hard: int) -> dict[str, tuple[Cases, float]]:
    """Name to cases and the depth of their points."""
    phantoms, tier = lesion_phantoms(), hard_lesions(hard)
    found = {
        "phantoms, stored points": (list(cases(phantoms, 0)), USUAL_DEPTH),
        f"phantoms, {ERROR_MM:g} mm off": (list(cases(phantoms, draws)), USUAL_DEPTH),
        "hard tier, exact points": (list(cases(tier, 0)), USUAL_DEPTH),
        f"hard tier, {ERROR_MM:g} mm off": (list(cases(tier, draws)), USUAL_DEPTH),
    }
    for lesion in real_lesions():
        for depth in sorted({fitting_depth(lesion), USUAL_DEPTH}):
            some = [(lesion, synthetic_points(lesion.truth, depth=depth, seed=seed)) for seed in range(draws)]
            found[f"{lesion.name}, points {depth:g} mm deep"] = (some, depth)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--card", action="store_true", help="write the network's scores into its card")
    parser.add_argument("--quick", action="store_true", help="fewer draws and cases")
    arguments = parser.parse_args()
    if not (DATA / "lesion_phantoms").is_dir():
        sys.exit(f"No phantoms and no real data at {DATA}; set DEEPMRI_TEST_DATA.")
    if not (arguments.model / CARD).is_file():
        print(f"No network in {arguments.model}: none is shipped. Train one: Utilities/train_interactive_small.py OUT")
        return
    ways = finders(arguments.model)
    metrics: dict[str, float] = {}
    seconds = dict.fromkeys(ways, 0.0)
    print(f"Mean Dice (worst)\n\n| set | cases | {' | '.join(ways)} |\n|---|---|{'---|' * len(ways)}")
    for title, (some, depth) in sets(2 if arguments.quick else 10, 4 if arguments.quick else 10).items():
        row = []
        for name, find in ways.items():
            start = time.perf_counter()
            scores = [dice(find(lesion, points, depth), lesion.truth.array) for lesion, points in some]
            seconds[name] = (time.perf_counter() - start) / len(some)
            row.append(f"{np.mean(scores):.3f} ({min(scores):.3f})")
            if name == "network":
                metrics[f"Dice, {title}: mean"] = round(float(np.mean(scores)), 4)
                metrics[f"Dice, {title}: worst"] = round(float(min(scores)), 4)
        print(f"| {title} | {len(some)} | {' | '.join(row)} |", flush=True)
    print(f"\nSeconds for one case of the last set: {', '.join(f'{name} {s:.2f}' for name, s in seconds.items())}")
    if arguments.card:
        card = read_card(arguments.model / CARD)
        own = {name: score for name, score in card.metrics.items() if "held out" in name}
        (arguments.model / CARD).write_text(replace(card, metrics=own | metrics).to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
