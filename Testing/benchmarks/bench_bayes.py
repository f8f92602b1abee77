"""Bayesian bi-exponential fits: errors, coverage of the 68 % intervals and speed, beside least squares.

    python Testing/benchmarks/bench_bayes.py --voxels 100000

Sets: the shared simulated signals (D 0.5 to 3, D* 10 to 100 um2/ms, f 0.05 to 0.55), with the general bounds and those
of the abdomen; and a wide set made here (f 0 to 0.7, D* 5 to 250 um2/ms) with bounds up to D* = 300, so that no narrow
bound is the reason for a good figure; and the nested squares, of which the inner one is a rare tissue (3 % of the
voxels, each parameter unlike the others'): mean error and spread of each square. The constant guess is the middle of
the simulated range. An interval is the estimate plus and minus one standard deviation; a voxel without a standard
deviation (a least-squares parameter at its bound) counts as not covered.
Speed: voxels per second of wall time on one thread and on two, and per second of processor time on one, which other
load on the machine hardly touches; "data" includes learning the prior.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from benchmarks.ivim_reference import B_VALUES, RANGES, Simulated, load, median_error, simulate

from DeepMRILib.ivim.bayes import fit_bayes
from DeepMRILib.ivim.bounds import GENERAL, Bounds, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.prior import flat_prior
from DeepMRILib.ivim.squares import SquaresOptions, squares
from DeepMRILib.ivim.uncertainty import biexp_sd

WIDE_RANGES = {"D": (0.5e-3, 3e-3), "f": (0.0, 0.7), "D_star": (0.005, 0.25)}
WIDE_BOUNDS = Bounds(f=(0.0, 1.0), D_star=(0.005, 0.3))
OSIPI = {"D": (0.1, 5e-4), "f": (0.1, 0.2), "D_star": (0.1, 0.1)}
"""Relative and absolute part of the OSIPI test's tolerances."""


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("DEEPMRI_TEST_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="folder with ivim_simulated and ivim_osipi")
    parser.add_argument("--voxels", type=int, default=50_000, help="simulated voxels to time the fits on")
    arguments = parser.parse_args()
    for snr in (20, 50):
        data = load(arguments.data / "ivim_simulated", snr)
        accuracy(f"shared, SNR {snr}, general bounds", data, GENERAL, RANGES)
        accuracy(f"shared, SNR {snr}, bounds of the abdomen", data, body_part("abdomen").bounds, RANGES)
        accuracy(f"wide, SNR {snr}", simulate_wide(5000, snr, seed=snr), WIDE_BOUNDS, WIDE_RANGES)
    for snr in (20, 50):
        nested_squares(snr)
    osipi(arguments.data / "ivim_osipi" / "generic.json")
    speed(arguments.voxels)


def simulate_wide(n: int, snr: float, seed: int) -> Simulated:
    """As ``simulate``, with ``WIDE_RANGES``."""
    rng = np.random.default_rng(seed)
    truth = {name: rng.uniform(*interval, n) for name, interval in WIDE_RANGES.items()}
    signals = biexp(B_VALUES, **truth) + rng.normal(0, 1 / snr, (n, B_VALUES.size))
    return Simulated(B_VALUES, signals / signals[:, :1], truth)


def fits(data: Simulated, bounds: Bounds) -> dict[str, dict[str, NDArray]]:
    """All methods' estimates and standard deviations."""
    lsq = fit_biexp(data.signals, data.b, bounds)
    return {
        "least squares": {**lsq, **biexp_sd(lsq, data.b, bounds)},
        "least squares, noise pooled": {**lsq, **biexp_sd(lsq, data.b, bounds, pool=True)},
        "Bayes, flat": fit_bayes(data.signals, data.b, bounds, prior="flat"),
        "Bayes, data": fit_bayes(data.signals, data.b, bounds, prior="data"),
    }


def accuracy(title: str, data: Simulated, bounds: Bounds, ranges: dict[str, tuple[float, float]]) -> None:
    """Median relative error, root mean square error over the mean, and coverage, of D, f and D*."""
    print(f"\n{title}: median |error| / true . nRMSE . coverage of the 68 % interval\n")
    print("| method | D | f | D* |\n|---|---|---|---|")
    middle = {name: np.full(len(data.signals), np.mean(ranges[name])) for name in ranges}
    for method, found in {"constant guess": middle, **fits(data, bounds)}.items():
        cells = []
        for name, truth in data.truth.items():
            nrmse = np.sqrt(np.mean((found[name] - truth) ** 2)) / truth.mean()
            inside = f"{coverage(found, name, truth):.3f}" if f"{name}_sd" in found else "-"
            cells.append(f"{median_error(found[name], truth):.4f} . {nrmse:.3f} . {inside}")
        print(f"| {method} | {' | '.join(cells)} |")


def nested_squares(snr: float) -> None:
    """Bias and standard deviation within each square, in percent of its true value."""
    made = squares(SquaresOptions(snr=snr))
    signals, b = made.dwi.array.reshape(-1, made.dwi.b_values.size).astype(float), made.dwi.b_values
    labels = made.labels.array.ravel()
    truth = {name: made.truth[f"{name}_true"].array.ravel() for name in WIDE_RANGES}
    print(f"\nNested squares, SNR {snr}, general bounds: bias, standard deviation in percent of the true value\n")
    print("| method | square | D | f | D* |\n|---|---|---|---|---|")
    for method, found in fits(Simulated(b, signals, truth), GENERAL).items():
        if method == "least squares, noise pooled":  # the same estimates
            continue
        for label, square in made.labels.names.items():
            relative = [100 * (found[name] / truth[name] - 1)[labels == label] for name in truth]
            cells = [f"{values.mean():+.0f}, {values.std():.0f}" for values in relative]
            print(f"| {method} | {square} | {' | '.join(cells)} |")


def coverage(found: dict[str, NDArray], name: str, truth: NDArray) -> float:
    """The part of the voxels whose truth lies within one standard deviation of the estimate."""
    return float(np.mean(np.abs(found[name] - truth) <= found[f"{name}_sd"]))


def osipi(file: Path) -> None:
    """The reference tissues: each alone with a flat prior, all together with the prior from the data."""
    tissues = json.loads(file.read_text())
    b = np.array(tissues.pop("config")["bvalues"])
    signals = np.array([tissue["data"] for tissue in tissues.values()])
    signals /= signals[:, :1]
    bounds = Bounds(f=(0.0, 1.0))
    alone = [fit_bayes(signals[k : k + 1], b, bounds, prior="flat") for k in range(len(signals))]
    flat = {name: np.concatenate([fit[name] for fit in alone]) for name in alone[0]}
    print(f"\nOSIPI reference signals, {len(signals)} tissues: largest error over its tolerance\n")
    print("| prior | D | f | D* |\n|---|---|---|---|")
    truth = {"D": "D", "f": "f", "D_star": "Dp"}
    for title, found in (("flat, each alone", flat), ("data, all together", fit_bayes(signals, b, bounds))):
        worst = []
        for name, key in truth.items():
            known = np.array([tissue[key] for tissue in tissues.values()])
            relative, absolute = OSIPI[name]
            worst.append(np.max(np.abs(found[name] - known) / (absolute + relative * known)))
        print(f"| {title} | {' | '.join(f'{value:.3f}' for value in worst)} |")


def speed(n: int) -> None:
    """Voxels per second."""
    data = simulate(n, 20, seed=1)
    prior = flat_prior(data.signals, data.b)
    print(f"\nVoxels per second, {n:,} voxels, {data.b.size} b-values\n")
    print("| method | one thread | two threads | per processor second |\n|---|---|---|---|")
    methods: dict[str, Callable[[int], object]] = {
        "least squares": lambda workers: fit_biexp(data.signals, data.b, workers=workers),
        "Bayes, prior given": lambda workers: fit_bayes(data.signals, data.b, prior=prior, workers=workers),
        "Bayes, data": lambda workers: fit_bayes(data.signals, data.b, workers=workers),
    }
    for method, work in methods.items():
        work(2)
        one, processor = _timed(lambda work=work: work(1))
        two, _ = _timed(lambda work=work: work(2))
        print(f"| {method} | {n / one:,.0f} | {n / two:,.0f} | {n / processor:,.0f} |")


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
