"""Tri-exponential fits: speed and accuracy against scipy's curve_fit with the same bounds, in the same run.

    python Testing/benchmarks/bench_triexp.py

Signals are simulated as published for the tri-exponential network (Troelstra et al. 2022: 18 b-values). curve_fit
starts once, where IVIMNET starts. The constant guess and the results held in the simulated range stand beside.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from DeepMRILib import ivim
from DeepMRILib.ivim.bounds import TRIEXP_SPLITS, TriexpBounds
from DeepMRILib.ivim.models import TRIEXP_PARAMETERS, triexp
from DeepMRILib.ivim.triexp import fit_triexp
from DeepMRILib.ivim.triexp_segmented import fit_triexp_segmented

BOUNDS = TriexpBounds()
EARLY_SPLITS = (10.0, 100.0)
"""Instead of the usual ones: 18 b-values leave four below 10 s/mm2."""
START = {"D": 0.001, "f1": 0.1, "D_star1": 0.03, "f2": 0.1, "D_star2": 0.15, "S0": 1.0}
SCALES = {"D": 1e3, "f1": 10.0, "D_star1": 100.0, "f2": 10.0, "D_star2": 10.0, "S0": 1.0}
"""Parameters times these are near 1, which curve_fit needs."""
FLOOR = 100
"""How many times faster than curve_fit in one process least squares has to be on two cores."""
SHOWN = TRIEXP_PARAMETERS[:-1]


def simulated(n: int, snr: float, seed: int) -> tuple[NDArray, NDArray, dict[str, NDArray], dict]:
    """b-values, signals (n, n_b) over their sample at b = 0, the truth, and the ranges it was drawn from."""
    options = ivim.SimulateOptions(model="triexp", n=n, snr=(snr,), seed=seed)
    series, truth = ivim.simulate(options)
    signals = series.array.reshape(-1, series.b_values.size).astype(float)[:n]
    known = {name: truth[name].array.ravel()[:n].astype(float) for name in SHOWN}
    return series.b_values, signals / signals[:, :1], known, options.ranges


def curve_fit_triexp(signals: NDArray, b: NDArray, start: Mapping[str, float] = START) -> dict[str, NDArray]:
    """scipy's bounded least squares of each voxel; NaN where it does not converge."""
    scale = np.array([SCALES[name] for name in TRIEXP_PARAMETERS])
    low, high = (scale * [BOUNDS.as_dict()[name][end] for name in TRIEXP_PARAMETERS] for end in (0, 1))
    first = scale * [start[name] for name in TRIEXP_PARAMETERS]

    def model(b: NDArray, *parameters: float) -> NDArray:
        return triexp(b, *(np.array(parameters) / scale))

    def fitted(signal: NDArray) -> NDArray:
        try:
            return curve_fit(model, b, signal, p0=first, bounds=(low, high))[0] / scale
        except RuntimeError:
            return np.full(len(scale), np.nan)

    found = np.array([fitted(signal) for signal in signals])
    return dict(zip(TRIEXP_PARAMETERS, found.T, strict=True))


def rss(fit: Mapping[str, NDArray], signals: NDArray, b: NDArray) -> NDArray:
    """Residual sum of squares of each voxel."""
    return ((triexp(b, *(fit[name] for name in TRIEXP_PARAMETERS)) - signals) ** 2).sum(axis=1)


def speed(snr: float, arguments: argparse.Namespace) -> None:
    """Voxels per second, and ratios of each repetition."""
    b, signals, _, _ = simulated(arguments.voxels, snr, seed=1)
    few = signals[: arguments.subset]
    rates: dict[str, list[float]] = {
        "curve_fit": [],
        "least squares, one core": [],
        "least squares": [],
        "segmented": [],
    }
    for _ in range(arguments.repeats):
        for name, work, n in (
            ("curve_fit", lambda: curve_fit_triexp(few, b), len(few)),
            ("least squares, one core", lambda: fit_triexp(signals, b, BOUNDS, workers=1), len(signals)),
            ("least squares", lambda: fit_triexp(signals, b, BOUNDS), len(signals)),
            ("segmented", lambda: fit_triexp_segmented(signals, b, BOUNDS, splits=TRIEXP_SPLITS), len(signals)),
        ):
            started = time.perf_counter()
            work()
            rates[name].append(n / (time.perf_counter() - started))
    print(f"\nSpeed, SNR {snr:g}, {b.size} b-values, medians of {arguments.repeats}, all cores\n")
    print("| fit | voxels/s | times curve_fit |\n|---|---|---|")
    for name, values in rates.items():
        ratio = statistics.median(one / base for one, base in zip(values, rates["curve_fit"], strict=True))
        print(f"| {name} | {statistics.median(values):,.0f} | {ratio:.0f} |")
        if name == "least squares":
            reached = ratio
    print(f"\nLeast squares on all cores: {reached:.0f} times curve_fit; at least {FLOOR} wanted: {reached >= FLOOR}")


def accuracy(snr: float, arguments: argparse.Namespace) -> None:
    """Median relative error and nRMSE of each parameter."""
    b, signals, truth, ranges = simulated(arguments.accuracy_voxels, snr, seed=2)
    reference, ours = curve_fit_triexp(signals, b), fit_triexp(signals, b, BOUNDS)
    middle = {name: np.full(len(signals), np.mean(ranges[name])) for name in SHOWN}

    def held(fit: Mapping[str, NDArray]) -> dict[str, NDArray]:
        return {name: np.clip(fit[name], *ranges[name]) for name in SHOWN}

    rows = {
        "constant guess": middle,
        "curve_fit": reference,
        "least squares": ours,
        "curve_fit, clipped to range": held(reference),
        "least squares, clipped to range": held(ours),
        "segmented": fit_triexp_segmented(signals, b, BOUNDS, splits=TRIEXP_SPLITS),
        "segmented at 10 and 100": fit_triexp_segmented(signals, b, BOUNDS, splits=EARLY_SPLITS),
    }
    print(f"\nSNR {snr:g}, {len(signals)} voxels: median |error| / truth . RMSE / mean truth\n")
    print(f"| fit | {' | '.join(SHOWN)} |\n|---|{'---|' * len(SHOWN)}")
    for title, fit in rows.items():
        cells = []
        for name in SHOWN:
            error = np.abs(fit[name] - truth[name])
            nrmse = np.sqrt(np.nanmean(error**2)) / truth[name].mean()
            cells.append(f"{np.nanmedian(error / truth[name]):.3f} . {nrmse:.3f}")
        print(f"| {title} | {' | '.join(cells)} |")
    found = np.isfinite(reference["D"])
    theirs = rss(reference, signals, b)[found]
    ratio = ours["rss"][found] / theirs - 1
    print(f"\nMedian sum of squares {np.median(ours['rss'][found]):.6f}, curve_fit {np.median(theirs):.6f}.")
    print(
        f"Sum of squares above curve_fit's by 1e-3 in {np.mean(ratio > 1e-3):.2%} of the voxels, below it in "
        f"{np.mean(ratio < -1e-3):.2%}; curve_fit failed in {np.mean(~found):.2%}."
    )


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=100_000, help="voxels to time this library on")
    parser.add_argument("--subset", type=int, default=200, help="voxels to time curve_fit on, per repetition")
    parser.add_argument("--accuracy-voxels", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    for snr in (20, 50):
        speed(snr, arguments)
        accuracy(snr, arguments)


if __name__ == "__main__":
    main()
