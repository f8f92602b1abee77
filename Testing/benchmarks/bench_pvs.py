"""Perivascular spaces: engines beside each other on tubes with known truth, put into real T1 images.

    python Testing/benchmarks/bench_pvs.py [--seeds 20] [--heads 3] [--engines frangi jerman network] [--out FOLDER]

Tubes come from ``DeepMRILib.pvs.phantom`` (random walks, soft margins, truncated k-space), which shares no code with
what networks are trained on. Truth is a voxel of which tubes fill 25 % or more. Everything is scored on the image's own
voxels, inside the brain mask ("brain") and inside white matter and basal ganglia ("region": FreeSurfer's labels, or
white matter by brightness where there are none).

- AUPRC is exact (all distinct values, no interpolation); chance is the fraction of truth. Best Dice is that at the best
  threshold for each image: a ceiling, no result.
- Cluster F1: 26-connected clusters, one voxel in common is a hit. "default": threshold 0.5, clusters of 5 mm3 and more.
  "chosen": threshold and smallest size with the best F1 on generated heads of other seeds, never on the images here.
- A real T1 has perivascular spaces of its own, which count as false here. So each engine also looks at the T1 without
  tubes: what it marks there is listed (it may be real), and each score is given both ways, over all voxels and without
  the voxels that the engine marks (above its threshold) in the T1 without tubes ("new"). The truth lies between: "all"
  counts real spaces as false, "new" forgives every false one that has nothing to do with the tubes.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from real_data import DATA

from DeepMRILib import files
from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.progress import silent
from DeepMRILib.pvs.agreement import average_precision, by_size, cluster_agreement, precision_recall, voxel_agreement
from DeepMRILib.pvs.clusters import clusters_of, occupied
from DeepMRILib.pvs.engine import Engine
from DeepMRILib.pvs.head_labels import BASAL_GANGLIA, WHITE_MATTER
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.phantom import PhantomResult, phantom
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.pvs.phantom_tissue import room_of_image
from DeepMRILib.pvs.prepare import prepare
from DeepMRILib.volume import LabelVolume, Volume

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SIZES = (0.0, 3.0, 5.0)
FIRST_HEAD = 9000
"""Seeds of the generated heads on which thresholds are chosen begin here."""
IMAGES = ("t1_uih_A", "seg_vxm_brain")
CONTRASTS = (0.0, 0.1, 0.2, 0.3, 0.5, np.inf)
DEFAULT = (0.5, 5.0)
Setting = tuple[float, float]


@dataclass(frozen=True)
class Case:
    """An image that tubes are put into: the volume is None for generated heads; then the seeds are others."""

    name: str
    volume: Volume | None
    brain_mask: Volume | None = None
    parcellation: LabelVolume | None = None


@dataclass(frozen=True)
class Found:
    """What an engine says of an image: a score (i, j, k) on its own voxels around the brain, and how long it took."""

    score: NDArray
    seconds: float


def engine_named(name: str, model: Path | None) -> tuple[Engine, SegmentOptions]:
    """An engine and its settings; ``<filter>-alone`` is not told the parcellation, as networks are not."""
    if name in ("network", "network-flips"):
        from DeepMRILib.pvs.network_engine import segment_by_network

        def network(problem, progress):
            return segment_by_network(problem, progress, model=model)

        return network, SegmentOptions(engine="network", flips=name == "network-flips")
    from DeepMRILib.pvs.vesselness_engine import segment_by_vesselness

    def alone(problem, progress):
        return segment_by_vesselness(replace(problem, labels=None), progress)

    kind, _, told = name.partition("-")
    return alone if told else segment_by_vesselness, SegmentOptions(filter=kind)


def setting_from(text: str) -> tuple[str, Setting]:
    """An engine's name and setting, written as frangi=0.4,3."""
    name, _, values = text.partition("=")
    threshold, size = (float(value) for value in values.split(","))
    return name, (threshold, size)


def real_cases() -> list[Case]:
    """The two real T1 images."""
    uih, vxm = DATA / "t1_uih_A", DATA / "seg_vxm_brain"
    return [
        Case(
            "t1_uih_A",
            files.read_volume(uih / "uihA_t1_1mm_defaced.nii.gz"),
            brain_mask=files.read_volume(uih / "uihA_approx_brainmask.nii.gz"),
        ),
        Case(
            "seg_vxm_brain",
            files.read_volume(vxm / "vxm_test_scan_t1.nii.gz"),
            parcellation=files.read_labels(vxm / "vxm_test_scan_aseg.nii.gz"),
        ),
    ]


def with_tubes(case: Case, seed: int, tubes: int) -> PhantomResult:
    """The case with tubes."""
    options = PhantomOptions(seed=seed, tubes=tubes)
    if case.volume is None:
        return phantom(options=replace(options, seed=FIRST_HEAD + seed))
    return phantom(case.volume, options, brain_mask=case.brain_mask, parcellation=case.parcellation)


def found_by(engines: dict[str, tuple[Engine, SegmentOptions]], image: Volume, case: Case, made: PhantomResult):
    """Name to what the engine finds in an image; those that cannot run are told and left out."""
    mask, labels = (made.brain, made.parcellation) if case.volume is None else (case.brain_mask, case.parcellation)
    ready = prepare({"t1": image}, SegmentOptions(), brain_mask=mask, parcellation=labels)
    result: dict[str, Found] = {}
    for name, (engine, options) in list(engines.items()):
        start = time.perf_counter()
        try:
            answer = engine(replace(ready.problem, options=options), silent)
        except (InputError, DependencyError) as error:
            print(f"{name} is left out: {error}", flush=True)
            del engines[name]
            continue
        score = ready.to_native(answer.probability)
        seconds = time.perf_counter() - start
        result[name] = Found(np.where(made.brain.array > 0, score, 0)[box_of(made)], seconds)
    return result


def box_of(made: PhantomResult) -> tuple[slice, slice, slice]:
    """The brain's box: nothing outside it is scored."""
    return occupied(made.brain.array > 0)


def masks_of(case: Case, made: PhantomResult) -> tuple[NDArray, NDArray, NDArray]:
    """Truth, brain and region around the brain, bool."""
    box = box_of(made)
    return made.truth.array[box] > 0, made.brain.array[box] > 0, region_of(case, made)[box]


def region_of(case: Case, made: PhantomResult) -> NDArray:
    """White matter and basal ganglia, bool."""
    if made.parcellation is not None:
        return np.isin(made.parcellation.array, (*WHITE_MATTER, *BASAL_GANGLIA))
    image = np.asarray(case.volume.array, np.float32)
    return room_of_image(image, made.brain.array > 0, case.volume.affine, dark_fluid=True).inside


def marked(score: NDArray, brain: NDArray, setting: Setting, voxel_volume: float) -> NDArray:
    """The spaces at a threshold and smallest size, bool."""
    threshold, size = setting
    options = {"max_outside": 0.25, "voxel_volume": voxel_volume}
    return clusters_of(score, brain, threshold=threshold, min_size=size, **options).labels > 0


def scores(score: NDArray, truth: NDArray, brain: NDArray, region: NDArray, keep: NDArray) -> dict[str, float]:
    """Over all thresholds, in the voxels that are kept."""
    row: dict[str, float] = {}
    for where, inside in (("brain", brain & keep), ("region", region & keep)):
        row[f"auprc_{where}"] = average_precision(score, truth, inside)
        row[f"chance_{where}"] = float(truth[inside].mean())
    precision, recall, _ = precision_recall(score, truth, brain & keep)
    row["best_dice"] = float(np.max(2 * precision * recall / np.maximum(precision + recall, 1e-12), initial=0.0))
    return row


def at_setting(name: str, found: NDArray, truth: NDArray, keep: NDArray, voxel_volume: float) -> dict[str, float]:
    """At one threshold, in the voxels that are kept."""
    voxels = voxel_agreement(found & keep, truth & keep)
    clusters = cluster_agreement(found & keep, truth & keep, voxel_volume)
    large = cluster_agreement(found & keep, truth & keep, voxel_volume, min_size=5.0)
    return {
        f"dice_{name}": voxels.f1,
        f"f1_{name}": clusters.f1,
        f"sensitivity_{name}": clusters.sensitivity,
        f"precision_{name}": clusters.precision,
        f"f1_from_5mm3_{name}": large.f1,
    }


def by_contrast(found: NDArray, made: PhantomResult) -> list[dict[str, float]]:
    """Recall of tubes that have a voxel of truth, by contrast."""
    columns = made.tubes.columns
    hit = np.bincount(made.truth.array[box_of(made)][found].ravel(), minlength=len(made.tubes) + 1)[1:] > 0
    contrast, there = np.array(columns["contrast"]), np.array(columns["voxels"]) > 0
    rows = []
    for low, high in itertools.pairwise(CONTRASTS):
        inside = there & (contrast >= low) & (contrast < high)
        rows.append({"from": low, "to": high, "tubes": int(inside.sum()), "found": int(hit[inside].sum())})
    return rows


def chosen_settings(engines: dict, heads: int, tubes: int, log: Callable[[str, dict], None]) -> dict[str, Setting]:
    """For each engine the threshold and smallest size with the best mean cluster F1 on generated heads."""
    case, sums = Case("generated", None), {}
    for seed in range(heads):
        made = with_tubes(case, seed, tubes)
        image = made.images["t1"]
        truth, brain, region = masks_of(case, made)
        for name, found in found_by(engines, image, case, made).items():
            f1 = [
                [cluster_agreement(marked(found.score, brain, (t, s), 1.0), truth, 1.0).f1 for s in SIZES]
                for t in THRESHOLDS
            ]
            sums[name] = sums.get(name, 0) + np.array(f1) / heads
            keep = np.ones_like(brain)
            row = scores(found.score, truth, brain, region, keep)
            row |= at_setting("default", marked(found.score, brain, DEFAULT, 1.0), truth, keep, 1.0)
            log("scores", {"image": case.name, "seed": seed, "engine": name, "voxels": "all", **row})
    best = {name: np.unravel_index(np.argmax(table), table.shape) for name, table in sums.items()}
    return {name: (THRESHOLDS[t], SIZES[s]) for name, (t, s) in best.items()}


class Log:
    """Rows by table, kept as CSV files when a folder is given."""

    def __init__(self, folder: Path | None) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, table: str, row: dict[str, Any]) -> None:
        """Add a row, and write the table anew: a run that is stopped leaves what it has."""
        rows = self.rows.setdefault(table, [])
        rows.append(row)
        if self._folder is None:
            return
        names = list(dict.fromkeys(name for one in rows for name in one))
        with (self._folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(rows)


def run_case(case: Case, engines: dict, settings: dict[str, Setting], seeds: range, tubes: int, log: Log) -> None:
    """Score all engines on one real image."""
    edge = case.volume.voxel_volume
    plain: dict[str, Found] = {}
    for seed in seeds:
        made = with_tubes(case, seed, tubes)
        truth, brain, region = masks_of(case, made)
        if not plain:
            plain = found_by(engines, case.volume, case, made)
            for name, found in plain.items():
                for title, setting in (("default", DEFAULT), ("chosen", settings[name])):
                    clusters = clusters_of(
                        found.score, brain, threshold=setting[0], min_size=setting[1], max_outside=0.25,
                        voxel_volume=edge,
                    )  # fmt: skip
                    volume = float(clusters.voxels.sum() * edge)
                    row = {"image": case.name, "engine": name, "setting": title, "threshold": setting[0]}
                    log("untouched", {**row, "min_size": setting[1], "clusters": len(clusters), "mm3": volume})
        for name, found in found_by(engines, made.images["t1"], case, made).items():
            at = {"image": case.name, "seed": seed, "engine": name}
            masks = {"default": DEFAULT, "chosen": settings[name]}
            for voxels in ("all", "new"):
                row: dict[str, float] = {}
                for title, setting in masks.items():
                    mine = marked(found.score, brain, setting, edge)
                    old = plain[name].score > setting[0]
                    keep = ~old if voxels == "new" else np.ones_like(old)
                    if title == "default":
                        row |= scores(found.score, truth, brain, region, keep)
                    row |= at_setting(title, mine, truth, keep, edge)
                    if voxels == "all":
                        for one in by_size(mine, truth, edge):
                            log("sizes", {**at, "setting": title, **one})
                        for one in by_contrast(mine, made):
                            log("contrasts", {**at, "setting": title, **one})
                log("scores", {**at, "voxels": voxels, **row, "seconds": found.seconds})


def mean_rows(rows: list[dict], keys: tuple[str, ...], values: tuple[str, ...]) -> Iterator[list[str]]:
    """Of each group the means, NaN left out."""
    for group in dict.fromkeys(tuple(row[key] for key in keys) for row in rows):
        mine = [row for row in rows if tuple(row[key] for key in keys) == group]
        means = [np.array([row.get(value, np.nan) for row in mine], float) for value in values]
        shown = [f"{np.nanmean(m):.4g}" if np.isfinite(m).any() else "-" for m in means]
        yield [*(str(part) for part in group), str(len(mine)), *shown]


def table(title: str, heads: list[str], rows: Iterator[list[str]]) -> None:
    """Print a table."""
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    sys.stdout.flush()


def show(log: Log) -> None:
    """Print what was measured."""
    rows = log.rows
    overall = ("auprc_brain", "chance_brain", "auprc_region", "chance_region", "best_dice")
    keys = ("image", "engine", "voxels")
    table("All thresholds (means)", [*keys, "images", *overall], mean_rows(rows["scores"], keys, overall))
    for title in ("default", "chosen"):
        at = tuple(f"{m}_{title}" for m in ("dice", "f1", "sensitivity", "precision", "f1_from_5mm3"))
        some = [row for row in rows["scores"] if f"f1_{title}" in row]
        table(f"At the {title} setting (means)", [*keys, "images", *at], mean_rows(some, keys, at))
    if "sizes" not in rows:
        return
    keys = ("image", "engine", "setting", "from")
    sizes = ("reference", "sensitivity", "found", "precision")
    table("By size in mm3 (means)", [*keys, "images", *sizes], mean_rows(rows["sizes"], keys, sizes))
    contrasts = ("tubes", "found")
    table("By contrast (tubes, and how many were found)", [*keys, "images", *contrasts],
          mean_rows(rows["contrasts"], keys, contrasts))  # fmt: skip
    print("\nIn the real T1 without tubes (some of it may be real spaces):")
    for row in rows["untouched"]:
        print("  " + ", ".join(f"{key} {value}" for key, value in row.items()))


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--heads", type=int, default=3, help="generated heads on which thresholds are chosen")
    parser.add_argument("--tubes", type=int, default=150)
    parser.add_argument(
        "--engines",
        nargs="+",
        default=["frangi", "jerman", "network"],
        help="also frangi-alone, jerman-alone, network-flips",
    )
    parser.add_argument("--images", nargs="+", default=IMAGES, choices=IMAGES)
    parser.add_argument(
        "--chosen", nargs="*", default=[], metavar="ENGINE=THRESHOLD,SIZE", help="as an earlier run has chosen them"
    )
    parser.add_argument("--model", type=Path, help="a network's folder; by default the one that is shipped")
    parser.add_argument("--out", type=Path, help="folder for CSV tables")
    parser.add_argument("--quick", action="store_true", help="one seed and one head")
    arguments = parser.parse_args()
    if not (DATA / "seg_vxm_brain").is_dir():
        sys.exit(f"No real data at {DATA}; set DEEPMRI_TEST_DATA.")
    seeds, heads = (1, 1) if arguments.quick else (arguments.seeds, arguments.heads)
    engines = {name: engine_named(name, arguments.model) for name in arguments.engines}
    log = Log(arguments.out)
    settings = dict(setting_from(text) for text in arguments.chosen)
    if missing := {name: engine for name, engine in engines.items() if name not in settings}:
        settings |= chosen_settings(missing, heads, arguments.tubes, log)
        engines = {name: engine for name, engine in engines.items() if name in settings}
    for name, (threshold, size) in settings.items():
        print(f"{name}: chosen on generated heads: threshold {threshold:g}, clusters from {size:g} mm3", flush=True)
    for case in real_cases():
        if case.name not in arguments.images:
            continue
        run_case(case, engines, settings, range(seeds), arguments.tubes, log)
    show(log)
    seconds = [(row["engine"], row["seconds"]) for row in log.rows["scores"] if "seconds" in row]
    for name in engines:
        mine = [s for engine, s in seconds if engine == name]
        print(f"{name}: {np.median(mine):.1f} s for one image (median, the engine alone)")


if __name__ == "__main__":
    main()
