"""The OSIPI task force's reference signals: error of every method in every tissue, and whether OSIPI would pass it.

    python Testing/benchmarks/bench_osipi.py [--networks]

Networks are trained on simulated signals of the same b-values; with --networks that takes minutes. OSIPI's tolerances
are wide (that of D* covers every D* there is), so the errors themselves stand in the second table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from real_data import DATA, ReferenceSignals, osipi

from DeepMRILib import ivim
from DeepMRILib.ivim.result import IVIMResult

Limits = dict[str, tuple[float, float]]
TOLERANCES: Limits = {"D": (5e-4, 0.1), "f": (0.2, 0.1), "D_star": (0.1, 0.1)}
"""OSIPI passes |estimate - truth| <= absolute + relative * truth; D not where f >= .8, D* not where f <= .03."""
LEARNED: Limits = {"D": (8e-4, 0.3), "f": (0.2, 0.2), "D_star": (0.08, 0.4)}
"""What it allows deep learning."""
BOUNDS = {"S0_bounds": (0.7, 1.3), "f_bounds": (0.0, 1.0), "D_star_bounds": (0.005, 0.2), "D_bounds": (0.0, 0.005)}
CLASSICAL = {
    "lsq": ivim.FitOptions(method="lsq", **BOUNDS),
    "segmented": ivim.FitOptions(method="segmented", **BOUNDS),
    "bayes, flat": ivim.FitOptions(method="bayes", prior="flat", **BOUNDS),
    "bayes, data": ivim.FitOptions(method="bayes", prior="data", **BOUNDS),
}


def passes(found: dict[str, NDArray], data: ReferenceSignals, tolerances: Limits = TOLERANCES) -> NDArray:
    """Which tissues OSIPI would pass, (n,)."""
    good = np.ones(len(data.tissues), dtype=bool)
    for name, truth in data.truth.items():
        absolute, relative = tolerances[name]
        within = np.abs(found[name] - truth) <= absolute + relative * truth
        spared = {"D": data.truth["f"] >= 0.8, "D_star": data.truth["f"] <= 0.03}.get(name, False)
        good &= within | spared
    return good


def estimates(result: IVIMResult) -> dict[str, NDArray]:
    """The parameters of the row of voxels."""
    return {name: result.maps[name].array[:, 0, 0].astype(float) for name in ("D", "f", "D_star")}


def classical(data: ReferenceSignals) -> dict[str, dict[str, NDArray]]:
    """What the methods without a network find."""
    mask = np.ones((len(data.tissues), 1, 1), dtype=bool)
    return {name: estimates(ivim.fit(data.series(), options, mask=mask)) for name, options in CLASSICAL.items()}


def networks(data: ReferenceSignals, voxels: int) -> dict[str, dict[str, NDArray]]:
    """What networks find that were trained on simulated signals of SNR 5 to 100 with OSIPI's ranges."""
    training, _ = ivim.simulate(
        ivim.SimulateOptions(
            n=voxels, b_values=tuple(data.b), D_range=(0.3e-3, 3.5e-3), f_range=(0.0, 1.0),
            D_star_range=(0.005, 0.12), snr=(5.0, 100.0), seed=1,
        )
    )  # fmt: skip
    mask = np.ones((len(data.tissues), 1, 1), dtype=bool)
    found = {}
    for preset in ("optim", "default"):
        model = ivim.train(training, ivim.TrainOptions(preset=preset, **BOUNDS))
        found[f"ivimnet, {preset}"] = estimates(ivim.apply(model, data.series(), mask=mask))
    return found


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", action="store_true", help="train and judge networks, too")
    parser.add_argument("--voxels", type=int, default=100_000, help="simulated signals to train on")
    arguments = parser.parse_args()
    if not (DATA / "ivim_osipi").is_dir():
        sys.exit(f"No real data at {DATA}; set DEEPMRI_TEST_DATA.")
    data = osipi()
    constant = {name: np.full(len(data.tissues), np.median(truth)) for name, truth in data.truth.items()}
    found = {"constant guess": constant} | classical(data)
    if arguments.networks:
        found |= networks(data, arguments.voxels)
    print(
        "| method | within OSIPI's tolerances | within those for learning | largest error of D, f, D* in % | median |"
    )
    print("|---|---|---|---|---|")
    for method, values in found.items():
        errors = {name: 100 * np.abs(values[name] - truth) / truth for name, truth in data.truth.items()}
        worst, middle = (" / ".join(f"{how(error):.2f}" for error in errors.values()) for how in (np.max, np.median))
        passed = (f"{passes(values, data, limits).sum()} of {len(data.tissues)}" for limits in (TOLERANCES, LEARNED))
        print(f"| {method} | {' | '.join(passed)} | {worst} | {middle} |")
    print("\nErrors of D / f / D* in %\n")
    print("| tissue | " + " | ".join(found) + " |\n|---|" + "---|" * len(found))
    for row, tissue in enumerate(data.tissues):
        cells = (
            " / ".join(f"{100 * (values[name][row] / truth[row] - 1):+.1f}" for name, truth in data.truth.items())
            for values in found.values()
        )
        print(f"| {tissue} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
