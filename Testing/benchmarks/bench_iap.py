"""How well the shipped demonstration network tells parameters: ``bench_iap.py [--model FOLDER] [--subjects 250]``.

Simulated subjects that it has not seen, with ordinary combinations of parameters and with combinations that its
training left out; then real slices, which it must call unlike its training's. The bars are those of the project's page.
Times are told for a sequence: so they are scored for the one that the network sees, for those that it sees rightly, and
for the one that the header says.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "Testing"))
from real_data import DATA

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.iap import EvaluateOptions, IAPModel, SimulateOptions, SliceSet, evaluate, simulate
from DeepMRILib.iap.measures import r2
from DeepMRILib.iap.outside import is_outside, outside
from DeepMRILib.iap.report_words import rows_of
from DeepMRILib.iap.result import EvaluationResult
from DeepMRILib.iap.series import SeriesPlace, find_series, read_series
from DeepMRILib.tables import Table

DEMO = ROOT / "DeepMRILib" / "iap" / "data" / "iap-demo"
SEEDS = {"unseen subjects": 101, "unseen combinations": 102}
SLICES = 3
VARIATION = 0.03  # as in the network's training
SPIN_ECHO_BAR = 0.80
BARS = {
    ("repetition_time", "SE"): ("r2", SPIN_ECHO_BAR),
    ("echo_time", "SE"): ("r2", SPIN_ECHO_BAR),
    ("inversion_time", "all"): ("r2", 0.80),
    ("field_strength", "all"): ("balanced_accuracy", 0.90),
}
TIMES = {"repetition_time": ("SE", "GR", "IR"), "echo_time": ("SE", "GR", "IR")}
CONFOUNDED = (("repetition_time", "GR"), ("flip_angle", "all"), ("repetition_time", "IR"))
REAL = ("t1_uih_A", "seg_vxm_brain", "seg_sct_cord", "seg_pyradiomics_mr", "dicom_iap", "dwi_dipy_small")
COLUMNS = (
    "parameter", "group", "series", "accuracy", "balanced_accuracy", "majority", "r2", "vendor_mean_r2", "coverage",
    "relative_width", "ece",
)  # fmt: skip


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DEMO)
    parser.add_argument("--subjects", type=int, default=250)
    given = parser.parse_args()
    model = IAPModel.load(given.model, device="cpu")
    seen = None
    for name, seed in SEEDS.items():
        started = time.process_time()
        options = SimulateOptions(
            subjects=given.subjects,
            series=3,
            slices=SLICES,
            variation=VARIATION,
            seed=seed,
            held_out=name == "unseen combinations",
        )
        data = simulate(options)
        spent = time.process_time() - started
        seen = data if seen is None else seen
        print(f"### {name} (seed {seed}, {len(data)} slices, simulated at {len(data) / spent:.0f} a second)\n")
        blind = evaluate(model, data, EvaluateOptions(slices=0, batch=64))
        known = evaluate(model, data, EvaluateOptions(slices=0, batch=64, sequence="header"))
        table(blind.scores)
        times(blind, known)
    real_slices(model, seen)


def table(scores: Table) -> None:
    """All scores, then those that have a bar."""
    rows = rows_of(scores)
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS))
    for row in rows:
        print("| " + " | ".join(shown(row[name]) for name in COLUMNS) + " |")
    print()
    for row in rows:
        key = (row["parameter"], row["group"])
        if key in BARS:
            name, bar = BARS[key]
            print(f"{'met ' if row[name] >= bar else 'MISSED'} {key[0]}, {key[1]}: {name} {row[name]:.3f}, bar {bar}")
        if key in CONFOUNDED:
            print(
                f"confounded {key[0]}, {key[1]}: interval {row['relative_width']:.2f} of the range, R2 {row['r2']:.2f}"
            )
    held = {row["parameter"]: row["coverage"] for row in rows if row["group"] == "all" and row["coverage"] is not None}
    within = [name for name, one in held.items() if 0.87 <= one <= 0.93]
    print(
        f"coverage at 90 %: {len(within)} of {len(held)} parameters within 87 to 93 %, mean "
        f"{np.mean(list(held.values())):.3f}"
    )
    print("out of that:", {name: round(one, 3) for name, one in held.items() if name not in within}, "\n")


def times(blind: EvaluationResult, known: EvaluationResult) -> None:
    """Repetition and echo time of each sequence, three ways."""
    rows = rows_of(blind.predictions)
    if not any(row["parameter"] == "sequence" for row in rows):
        return
    taken = {row["series"]: row["predicted"] for row in rows if row["parameter"] == "sequence"}
    print("| | sequence | taken for it | R2 image alone | R2 of these | R2 sequence given | covered | width |")
    print("|---|---|---|---|---|---|---|---|")
    bars = []
    for name, words in TIMES.items():
        for word in words:
            mine = [row for row in rows if row["parameter"] == name and row["group"] == word]
            right = [row for row in mine if taken[row["series"]] == word]
            alone, given = score_of(blind, name, word)["r2"], score_of(known, name, word)
            print(
                f"| {name} | {word} | {len(right)} of {len(mine)} | {alone:.3f} | {r2_of(right):.3f} "
                f"| {given['r2']:.3f} | {given['coverage']:.3f} | {given['relative_width']:.2f} |"
            )
            if word == "SE":
                bars += [(name, "of those taken for it", r2_of(right)), (name, "sequence given", given["r2"])]
    for name, what, found in bars:
        print(
            f"{'met ' if found >= SPIN_ECHO_BAR else 'MISSED'} {name}, SE, {what}: r2 {found:.3f}, bar {SPIN_ECHO_BAR}"
        )
    print()


def score_of(result: EvaluationResult, name: str, group: str) -> dict[str, Any]:
    """One row of the scores."""
    return next(row for row in rows_of(result.scores) if (row["parameter"], row["group"]) == (name, group))


def r2_of(rows: list[dict[str, Any]]) -> float:
    """Of logarithms, as the network learns times."""
    truth, told = (np.log([row[name] for row in rows]) for name in ("truth", "predicted"))
    return r2(truth, told)


def shown(value: object) -> str:
    """A cell."""
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def real_slices(model: IAPModel, simulated: SliceSet) -> None:
    """How many real slices, and simulated ones, are called unlike the training's."""
    if not DATA.is_dir():
        sys.exit(f"No real data at {DATA}; set DEEPMRI_TEST_DATA.")
    print("### unlike the training's images\n\n| data | slices | flagged |\n|---|---|---|")
    alarms = [is_outside(outside(model, [one])) for one in simulated.slices[:600]]
    print(f"| simulated, each slice alone (false alarms) | {len(alarms)} | {np.mean(alarms):.3f} |")
    series = list(dict.fromkeys(simulated.series.tolist()))[:400]
    whole = [is_outside(outside(model, simulated.subset(simulated.series == one).slices)) for one in series]
    print(f"| simulated, whole series (false alarms) | {len(whole)} | {np.mean(whole):.3f} |")
    total: list[bool] = []
    for name in REAL:
        flagged = [is_outside(outside(model, [one])) for one in slices_of(DATA / name)]
        total += flagged
        print(f"| {name} | {len(flagged)} | {np.mean(flagged) if flagged else float('nan'):.3f} |")
    print(f"| all real slices | {len(total)} | {np.mean(total):.3f} |\n")
    print(f"{'met ' if np.mean(total) >= 0.9 else 'MISSED'} real slices flagged: {np.mean(total):.3f}, bar 0.9")


def slices_of(place: Path) -> list[np.ndarray]:
    """Some slices of each series of a folder that can be read and is not all zero."""
    return [image for one in find_series(place) for image in readable(one) if np.any(image)]


def readable(one: SeriesPlace) -> list[np.ndarray]:
    """Up to twelve slices of a series; none of one without pixels."""
    try:
        return read_series(one, most=12).slices
    except DeepMRIError:
        return []


if __name__ == "__main__":
    main()
