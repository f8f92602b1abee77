"""Speed and accuracy of bi-exponential least squares, against scipy's curve_fit in the same run.

    python Testing/benchmarks/bench_leastsquares.py --voxels 400000

Speed: in each repetition curve_fit fits a subset voxel by voxel in one process, then this library fits all voxels on
one core and on two; ratios are taken inside a repetition, so that other load on the machine touches both, and the
medians are printed. The bar is the last ratio: this library on two cores over the plain loop of curve_fit. For
fairness curve_fit in two processes is timed as well.
Accuracy: both fit the same voxels with the same bounds; the constant guess (middle of the simulated range) and the
results clipped to the simulated range stand beside them, since nRMSE is ruled by how far a bad D* can go. Where
curve_fit ends in a valley that is not the deepest, the fits differ; the difference of the medians is given with its
standard error over resampled voxels.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from benchmarks.ivim_reference import RANGES, Simulated, curve_fit_biexp, load, median_error, residual_sum, simulate

from DeepMRILib.ivim.bounds import GENERAL, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp

PARAMETERS = tuple(RANGES)
FLOOR = 900
"""How many times faster than curve_fit the fit has to be."""


def main() -> None:
    """Print all tables."""
    arguments = _arguments()
    for snr in arguments.snr:
        speed(snr, arguments)
    for snr in arguments.snr:
        accuracy(snr, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("DEEPMRI_TEST_DATA", ROOT.parent / "shared" / "data")) / "ivim_simulated"
    parser.add_argument("--data", type=Path, default=default, help="folder with test_snr20.npz and test_snr50.npz")
    parser.add_argument("--voxels", type=int, default=400_000, help="simulated voxels to time this library on")
    parser.add_argument("--subset", type=int, default=1000, help="voxels to time curve_fit on, per repetition")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--accuracy-voxels", type=int, default=5000, help="voxels that both fit for the accuracy table")
    parser.add_argument("--snr", type=int, nargs="+", default=[20, 50])
    return parser.parse_args()


def rate(voxels: int, work: Callable[[], object]) -> float:
    """Voxels per second of wall time."""
    started = time.perf_counter()
    work()
    return voxels / (time.perf_counter() - started)


def speed(snr: int, arguments: argparse.Namespace) -> None:
    """Voxels per second and ratios."""
    data = simulate(arguments.voxels, snr, seed=1)
    few = data.signals[: arguments.subset]
    halves = np.array_split(few, 2)
    rows: dict[str, list[float]] = {"loop": [], "two processes": [], "one core": [], "two cores": []}
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_loop, [few[:2]] * 2))
        for _ in range(arguments.repeats):
            rows["loop"].append(rate(len(few), lambda: _loop(few)))
            rows["two processes"].append(rate(len(few), lambda: list(pool.map(_loop, halves))))
            for name, workers in (("one core", 1), ("two cores", 2)):
                rows[name].append(
                    rate(arguments.voxels, lambda w=workers: fit_biexp(data.signals, data.b, GENERAL, workers=w))
                )
    print(f"\nSpeed, SNR {snr}, 11 b-values, {arguments.voxels} voxels, medians of {arguments.repeats} repetitions")
    print(f"{'':34}{'voxels/s':>10}{'x loop':>9}{'x two processes':>17}{'ratios of each repetition to the loop':>42}")
    titles = ("curve_fit, one process", "curve_fit, two processes", "this library, one core", "this library, two cores")
    for title, (name, rates) in zip(titles, rows.items(), strict=True):
        to_loop, to_two = _ratios(rates, rows["loop"]), _ratios(rates, rows["two processes"])
        each = " ".join(f"{ratio:.0f}" for ratio in to_loop) if name.endswith(("core", "cores")) else ""
        print(
            f"{title:34}{statistics.median(rates):>10.0f}{statistics.median(to_loop):>9.1f}"
            f"{statistics.median(to_two):>17.1f}{each:>42}"
        )
    best = statistics.median(_ratios(rows["two cores"], rows["loop"]))
    print(f"{best:.0f} times curve_fit per voxel, this library on two cores; at least {FLOOR} wanted: {best >= FLOOR}")


def _loop(signals: np.ndarray) -> dict:
    return curve_fit_biexp(signals, simulate(1, 20, 0).b, GENERAL)


def _ratios(rates: list[float], base: list[float]) -> list[float]:
    return [rate / other for rate, other in zip(rates, base, strict=True)]


def accuracy(snr: int, arguments: argparse.Namespace) -> None:
    """Median relative error, nRMSE and rank correlation with the truth; and sums of squares side by side."""
    stored = (arguments.data / f"test_snr{snr}.npz").is_file()
    data = load(arguments.data, snr) if stored else simulate(arguments.accuracy_voxels, snr, seed=2)
    n = min(arguments.accuracy_voxels, len(data.signals))
    data = Simulated(data.b, data.signals[:n], {name: values[:n] for name, values in data.truth.items()})
    reference = curve_fit_biexp(data.signals, data.b, GENERAL)
    ours = fit_biexp(data.signals, data.b, GENERAL)
    middle = {name: np.full(n, np.mean(interval)) for name, interval in RANGES.items()}
    source = arguments.data.name if stored else "own simulation"
    print(f"\nAccuracy, SNR {snr}, {n} voxels ({source}): median |error| / true . RMSE / mean true . Spearman's rho")
    abdomen = fit_biexp(data.signals, data.b, body_part("abdomen").bounds)
    rows = (("constant guess", middle), ("curve_fit", reference), ("this library", ours))
    for title, fit in (*rows, ("this library, abdomen's bounds", abdomen)):
        print(f"{title:34}" + "   ".join(f"{name} {_score(fit[name], data.truth[name])}" for name in PARAMETERS))
    for title, fit in (("curve_fit, clipped to range", reference), ("this library, clipped to range", ours)):
        clipped = {name: np.clip(fit[name], *RANGES[name]) for name in PARAMETERS}
        print(f"{title:34}" + "   ".join(f"{name} {_score(clipped[name], data.truth[name])}" for name in PARAMETERS))
    ratio = ours["rss"] / residual_sum(data.signals, data.b, reference) - 1
    print(
        f"sum of squares above curve_fit's: by 1e-4 in {np.mean(ratio > 1e-4):.3%}, by 1e-3 in "
        f"{np.mean(ratio > 1e-3):.3%} of voxels; below: by 1e-4 in {np.mean(ratio < -1e-4):.3%}, "
        f"by 1e-3 in {np.mean(ratio < -1e-3):.3%}"
    )
    print("median error, this library less curve_fit: " + _differences(ours, reference, data.truth))
    many = simulate(arguments.voxels, snr, seed=3)
    large = fit_biexp(many.signals, many.b, GENERAL)
    errors = "   ".join(f"{name} {_score(large[name], many.truth[name])}" for name in PARAMETERS)
    print(f"{'this library, ' + str(arguments.voxels) + ' simulated':34}{errors}")


def _differences(ours: dict, reference: dict, truth: dict, draws: int = 500) -> str:
    """The difference of the median errors of each parameter, with its bootstrap standard error."""
    rng = np.random.default_rng(4)
    texts = []
    for name in PARAMETERS:
        errors = np.abs(np.stack([ours[name], reference[name]]) - truth[name]) / truth[name]
        picks = rng.integers(0, errors.shape[1], (draws, errors.shape[1]))
        spread = np.std([np.subtract(*np.nanmedian(errors[:, pick], axis=1)) for pick in picks])
        texts.append(f"{name} {np.subtract(*np.nanmedian(errors, axis=1)):+.4f} (standard error {spread:.4f})")
    return "   ".join(texts)


def _score(found: np.ndarray, truth: np.ndarray) -> str:
    nrmse = np.sqrt(np.nanmean((found - truth) ** 2)) / truth.mean()
    constant = np.ptp(found) == 0
    rho = "  - " if constant else f"{spearmanr(found, truth, nan_policy='omit').statistic:.2f}"
    return f"{median_error(found, truth):.4f} . {nrmse:.3f} . {rho}"


if __name__ == "__main__":
    main()
