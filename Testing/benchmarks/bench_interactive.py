"""Lesions from six points: Dice of every engine beside the ellipsoid through the points, which never saw the image.

    python Testing/benchmarks/bench_interactive.py [--engines geodesic graphcut network] [--quick]

Stored phantoms with exact and displaced points, the hard tier, the same images turned and flipped, and three real
lesions with points made from their masks. Where the mean and the worst have a bar, it stands beside them.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from interactive_baseline import ellipsoid
from real_data import DATA, Lesion, lesion_phantoms, real_lesions

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.example import segment_inputs
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.phantom import hard_tier
from DeepMRILib.interactive.synthetic import displaced, synthetic_points
from DeepMRILib.volume import LabelVolume, Volume

ENGINES = ("geodesic", "graphcut", "network")
BASELINE = "ellipsoid"
USUAL_DEPTH = 5.0
ERROR_MM = 2.0
SAME = 0.005
"""How much Dice may change with the way an image is stored."""
ABOVE = 0.10
"""How far a real lesion's Dice is to lie above the ellipsoid's."""
Method = Callable[[Volume, NDArray, float], NDArray]


def method(name: str) -> Method:
    """From an image, its points and their depth to a mask."""
    if name == BASELINE:
        return lambda image, points, depth: ellipsoid(points, image, depth)
    return lambda image, points, depth: (
        np.asarray(segment(image, points, SegmentOptions(engine=name, depth=depth)).mask.array) > 0
    )


def refusal(name: str) -> str:
    """Why an engine cannot run here; empty where it can."""
    try:
        segment(**segment_inputs(), options=SegmentOptions(engine=name))
    except DeepMRIError as error:
        return str(error)
    return ""


def available(names: list[str]) -> list[str]:
    """The engines that can run here; the others are named."""
    refusals = {name: refusal(name) for name in names}
    for name, text in refusals.items():
        if text:
            print(f"Without {name}: {text}\n")
    return [name for name, text in refusals.items() if not text]


def score(lesion: Lesion, name: str, points: NDArray, depth: float = USUAL_DEPTH) -> float:
    """Dice of one case; 0 where the points are refused."""
    try:
        found = method(name)(lesion.image, points, depth)
    except DeepMRIError as error:
        print(f"{lesion.name}, {name}: {error}", file=sys.stderr)
        return 0.0
    return dice(found, lesion.truth.array)


@functools.cache
def hard_lesions(count: int) -> tuple[Lesion, ...]:
    """The hard tier; the seeds are spread so that thick slices are among the first."""
    seeds = [0, 6, 1, 7, 2, 8, 3, 9, 4, 5][:count]
    return tuple(
        Lesion(f"hard_{seed}", made.image, made.label, made.points["lesion"])
        for seed, made in zip(seeds, hard_tier(seeds), strict=True)
    )


def cases(lesions: tuple[Lesion, ...] | list[Lesion], draws: int) -> Iterator[tuple[Lesion, NDArray]]:
    """Every lesion with its points, or with so many displacements of them."""
    for number, lesion in enumerate(lesions):
        if not draws:
            yield lesion, lesion.points
        for draw in range(draws):
            yield lesion, displaced(lesion.points, ERROR_MM, lesion.image, seed=1000 * number + draw)


def show(title: str, scores: dict[str, list[float]], bar: tuple[float, float] | None = None) -> None:
    """Print one table: a row per engine."""
    print(f"\n{title}\n\n| engine | mean Dice | sd | worst |{' bar | met |' if bar else ''}")
    print(f"|---|---|---|---|{'---|---|' if bar else ''}")
    for name, values in scores.items():
        mean, worst = np.mean(values), min(values)
        judged = ""
        if bar:
            met = "-" if name == BASELINE else "yes" if mean >= bar[0] and worst >= bar[1] else "NO"
            judged = f" {bar[0]:.2f}, {bar[1]:.2f} | {met} |"
        print(f"| {name} | {mean:.3f} | {np.std(values, ddof=1):.3f} | {worst:.3f} |{judged}", flush=True)


def tier(title: str, names: list[str], lesions: tuple[Lesion, ...] | list[Lesion], draws: int, bar: tuple) -> None:
    """The table of one set of phantoms."""
    some = list(cases(lesions, draws))
    show(title, {name: [score(lesion, name, points) for lesion, points in some] for name in names}, bar)


def by_kind(names: list[str], lesions: list[Lesion]) -> None:
    """The stored phantoms' Dice, kind by kind."""
    kinds = list(dict.fromkeys(lesion.name.rpartition("_")[0] for lesion in lesions))
    print(f"\nBy kind, stored points\n\n| engine | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}")
    for name in names:
        means = [
            np.mean([score(lesion, name, lesion.points) for lesion in lesions if lesion.name.startswith(kind)])
            for kind in kinds
        ]
        print(f"| {name} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


def stored_otherwise(lesion: Lesion) -> dict[str, Lesion]:
    """The same lesion flipped, turned in space, and with its axes in another order."""
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = lesion.image.shape[0] - 1
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", (20, -10, 25), degrees=True).as_matrix()
    order = [2, 0, 1]
    swap = np.eye(4)[:, [*order, 3]]
    affine = lesion.image.affine
    return {
        "left-handed": _with(lesion, lambda array: array[::-1], affine @ flip, np.eye(4)),
        "oblique": _with(lesion, lambda array: array, turn @ affine, turn),
        "oblique left-handed": _with(lesion, lambda array: array[::-1], turn @ affine @ flip, turn),
        "axes swapped": _with(lesion, lambda array: array.transpose(order), affine @ swap, np.eye(4)),
    }


def _with(lesion: Lesion, change: Callable[[NDArray], NDArray], affine: NDArray, moved: NDArray) -> Lesion:
    image = Volume(np.ascontiguousarray(change(lesion.image.array)), affine)
    truth = LabelVolume(np.ascontiguousarray(change(lesion.truth.array)), affine)
    return Lesion(lesion.name, image, truth, lesion.points @ moved[:3, :3].T + moved[:3, 3])


def grids(names: list[str], lesions: list[Lesion]) -> None:
    """How much Dice changes with the way that the image is stored."""
    print(f"\nThe same images stored otherwise: largest change of Dice, bar {SAME}\n")
    print("| engine | left-handed | oblique | oblique left-handed | axes swapped | met |\n|---|---|---|---|---|---|")
    for name in names:
        changes: dict[str, float] = {}
        for lesion in lesions:
            usual = score(lesion, name, lesion.points)
            for grid, other in stored_otherwise(lesion).items():
                changes[grid] = max(changes.get(grid, 0.0), abs(score(other, name, other.points) - usual))
        met = "yes" if max(changes.values()) <= SAME else "NO"
        print(f"| {name} | {' | '.join(f'{change:.4f}' for change in changes.values())} | {met} |", flush=True)


def fitting_depth(lesion: Lesion) -> float:
    """How far inside its margin a user would place points: a quarter of the shortest extent, at most 5 mm."""
    inside = np.argwhere(np.asarray(lesion.truth.array))
    extent = (np.ptp(inside, axis=0) + 1) * lesion.image.spacing
    return float(min(USUAL_DEPTH, np.round(extent.min() / 4, 1)))


def real(names: list[str], seeds: int) -> None:
    """Real lesions with points made from their masks, at a depth that fits their size and at the usual one.

    Where a lesion is too small for the usual depth, the ellipsoid is far too large: a bar that shows nothing.
    """
    print(f"\nReal lesions, {seeds} seeds each; the bar is {ABOVE:.2f} above the ellipsoid, at the depth that fits\n")
    print("| lesion | ml | depth (mm) | engine | mean Dice | sd | worst | above the ellipsoid | met |")
    print("|---|---|---|---|---|---|---|---|---|")
    for lesion in real_lesions():
        volume = np.count_nonzero(lesion.truth.array) * lesion.truth.voxel_volume / 1000
        fits = fitting_depth(lesion)
        for depth in sorted({fits, USUAL_DEPTH}):
            some = [synthetic_points(lesion.truth, depth=depth, seed=seed) for seed in range(seeds)]
            scores = {name: [score(lesion, name, points, depth) for points in some] for name in names}
            for name, values in scores.items():
                above = np.mean(values) - np.mean(scores[BASELINE])
                met = "-" if name == BASELINE or depth != fits else "yes" if above >= ABOVE else "NO"
                print(
                    f"| {lesion.name} | {volume:.2f} | {depth:g} | {name} | {np.mean(values):.3f} "
                    f"| {np.std(values, ddof=1):.3f} | {min(values):.3f} | {above:+.3f} | {met} |",
                    flush=True,
                )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--quick", action="store_true", help="fewer draws, cases and seeds")
    arguments = parser.parse_args()
    names = [BASELINE, *available(arguments.engines)]
    draws, hard_draws, hard, seeds = (2, 1, 4, 3) if arguments.quick else (10, 10, 10, 10)
    if (DATA / "lesion_phantoms").is_dir():
        lesions = lesion_phantoms()
        tier(f"{len(lesions)} stored phantoms, their points", names, lesions, 0, (0.96, 0.90))
        by_kind(names, lesions)
        tier(f"Points displaced by {ERROR_MM:g} mm, {draws} draws each", names, lesions, draws, (0.94, 0.88))
        grids(names, lesions[:4] if arguments.quick else lesions)
    tier(f"Hard tier, {hard} cases, exact points", names, hard_lesions(hard), 0, (0.94, 0.87))
    tier(f"Hard tier, points displaced, {hard_draws} draws each", names, hard_lesions(hard), hard_draws, (0.93, 0.87))
    if (DATA / "seg_pyradiomics_mr").is_dir():
        real(names, seeds)
    else:
        print(f"\nNo real data at {DATA}; set DEEPMRI_TEST_DATA.")


if __name__ == "__main__":
    main()
