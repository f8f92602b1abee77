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
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from benchmarks import ivim_comparison as compare
from benchmarks.ivim_reference import B_VALUES, curve_fit_biexp, residual_sum, simulate

from DeepMRILib.ivim.bounds import GENERAL, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp

OSIPY_D_STAR, OSIPY_SIGNALS = 0.1, 20_000
"""osipy's upper bound of D* by default, and how many signals it was measured on elsewhere."""

FLOOR = 900
"""How many times faster than curve_fit the fit has to be."""


def main() -> None:
    """Print all tables."""
    given = compare.arguments(__doc__)
    contest = compare.Contest("curve_fit", loop, library, FLOOR)
    for snr in given.snr:
        compare.speed(contest, snr, given)
    for snr in given.snr:
        accuracy(snr, given)


def loop(signals: np.ndarray) -> dict:
    """What IVIM code does."""
    return curve_fit_biexp(signals, B_VALUES, GENERAL)


def library(signals: np.ndarray, workers: int) -> dict:
    """The same by this library."""
    return fit_biexp(signals, B_VALUES, GENERAL, workers=workers)


def accuracy(snr: int, given: argparse.Namespace) -> None:
    """Median relative error, nRMSE and rank correlation with the truth; and sums of squares side by side."""
    data, source = compare.shared_signals(snr, given)
    n = len(data.signals)
    reference, ours = loop(data.signals), library(data.signals, 2)
    print(f"\nAccuracy, SNR {snr}, {n} voxels ({source}): median |error| / true . RMSE / mean true . Spearman's rho")
    rows = {
        "constant guess": compare.constant_guess(n),
        "curve_fit": reference,
        "this library": ours,
        "this library, abdomen's bounds": fit_biexp(data.signals, data.b, body_part("abdomen").bounds),
        "curve_fit, clipped to range": compare.clipped(reference),
        "this library, clipped to range": compare.clipped(ours),
    }
    for title, fit in rows.items():
        compare.print_errors(title, fit, data.truth)
    compare.print_sums(ours["rss"], residual_sum(data.signals, data.b, reference), "curve_fit")
    print("median error, this library less curve_fit: " + compare.differences(ours, reference, data.truth))
    capped = {"general bounds": GENERAL, "abdomen's bounds": body_part("abdomen").bounds}
    fewer = simulate(OSIPY_SIGNALS, snr, seed=11)
    for name, usual in capped.items():
        bounds = replace(usual, D_star=(usual.D_star[0], OSIPY_D_STAR))
        compare.print_errors(f"{name}, D* to {OSIPY_D_STAR:g}", fit_biexp(data.signals, data.b, bounds), data.truth)
        own = fit_biexp(fewer.signals, fewer.b, bounds)
        compare.print_errors(f"the same, {OSIPY_SIGNALS} simulated", own, fewer.truth)
    many = simulate(given.voxels, snr, seed=3)
    compare.print_errors(f"this library, {given.voxels} simulated", library(many.signals, 2), many.truth)


if __name__ == "__main__":
    main()
