"""Speed and accuracy of segmented IVIM fits, against two calls of scipy's curve_fit per voxel in the same run.

    python Testing/benchmarks/bench_segmented.py --voxels 400000

Speed: as in bench_leastsquares.py, with S0 fitted (the library's default: two curve_fits of two unknowns) and with S0
measured (two and one unknown). Times two cores of this library against the loop in one process.
Accuracy: the same voxels and bounds, split at 75 s/mm2 as IVIMNET does; with the constant guess and the results clipped
to the simulated range beside them. IVIMNET's own segmented fit, whose S0 is measured, was found to have median errors
of D, f, D* of .164, .240, .418 at SNR 20 and .069, .100, .193 at SNR 50 on the same signals.
Splits: median errors by split, on the same signals, on OSIPI's reference tissues with noise added, and the medians of
real livers and kidneys; the defaults by body part were chosen with these in view.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from benchmarks import ivim_comparison as compare
from benchmarks.ivim_reference import B_VALUES, Simulated, curve_fit_segmented, residual_sum, simulate
from real_data import DATA, abdomen, osipi

from DeepMRILib.ivim.bounds import GENERAL, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.segmented import fit_segmented

SPLIT = 75.0
FLOOR = 1500
"""How many times faster than curve_fit the fit has to be."""

SPLITS = (50, 75, 100, 150, 200, 300, 400)
DRAWS = 300
"""Noisy signals of each OSIPI tissue."""


def main() -> None:
    """Print all tables."""
    given = compare.arguments(__doc__)
    for snr in given.snr:
        for title, fit_s0 in (("S0 fitted", True), ("S0 measured", False)):
            print(f"\n{title}:", end="")
            compare.speed(contest(fit_s0), snr, given)
    for snr in given.snr:
        accuracy(snr, given)
    for snr in given.snr:
        print_splits(f"{given.data.name}, SNR {snr}", compare.shared_signals(snr, given)[0])
    if (DATA / "ivim_osipi").is_dir():
        for snr in given.snr:
            print_splits(f"OSIPI's tissues, SNR {snr}", osipi_signals(snr))
    if (DATA / "ivim_abdomen").is_dir():
        print_abdomens()


def contest(fit_s0: bool) -> compare.Contest:
    """Loop and library, with S0 fitted or measured."""
    loop, library = (loop_fitted, library_fitted) if fit_s0 else (loop_measured, library_measured)
    return compare.Contest("two curve_fits", loop, library, FLOOR)


def loop_fitted(signals: np.ndarray) -> dict:
    """What IVIM code does, S0 fitted."""
    return curve_fit_segmented(signals, B_VALUES, GENERAL, SPLIT)


def loop_measured(signals: np.ndarray) -> dict:
    """What IVIM code does, S0 measured."""
    return curve_fit_segmented(signals, B_VALUES, GENERAL, SPLIT, fit_s0=False)


def library_fitted(signals: np.ndarray, workers: int) -> dict:
    """``loop_fitted`` by this library."""
    return fit_segmented(signals, B_VALUES, GENERAL, split=SPLIT, workers=workers)


def library_measured(signals: np.ndarray, workers: int) -> dict:
    """``loop_measured`` by this library."""
    return fit_segmented(signals, B_VALUES, GENERAL, split=SPLIT, fit_s0=False, workers=workers)


def accuracy(snr: int, given: argparse.Namespace) -> None:
    """Errors of both, S0 fitted and measured; sums of squares side by side."""
    data, source = compare.shared_signals(snr, given)
    n = len(data.signals)
    reference, measured = loop_fitted(data.signals), loop_measured(data.signals)
    ours, ours_measured = library_fitted(data.signals, 2), library_measured(data.signals, 2)
    abdomen = body_part("abdomen")
    default = fit_segmented(data.signals, data.b, abdomen.bounds, split=abdomen.split)
    print(f"\nAccuracy, SNR {snr}, {n} voxels ({source}): median |error| / true . RMSE / mean true . Spearman's rho")
    rows = {
        "constant guess": compare.constant_guess(n),
        "two curve_fits": reference,
        "this library": ours,
        "two curve_fits, S0 measured": measured,
        "this library, S0 measured": ours_measured,
        "this library, abdomen's defaults": default,
        "least squares of all at once": fit_biexp(data.signals, data.b, GENERAL),
        "two curve_fits, clipped to range": compare.clipped(reference),
        "this library, clipped to range": compare.clipped(ours),
        "same, S0 measured": compare.clipped(ours_measured),
    }
    for title, fit in rows.items():
        compare.print_errors(title, fit, data.truth)
    compare.print_sums(ours["rss"], residual_sum(data.signals, data.b, reference), "two curve_fits")
    print("median error, this library less curve_fit: " + compare.differences(ours, reference, data.truth))
    many = simulate(given.voxels, snr, seed=3)
    compare.print_errors(f"this library, {given.voxels} simulated", library_fitted(many.signals, 2), many.truth)


def osipi_signals(snr: float) -> Simulated:
    """Noisy signals of the 14 tissues of OSIPI's generic.json."""
    data = osipi()
    truth = {name: np.repeat(values, DRAWS) for name, values in data.truth.items()}
    signals = biexp(data.b, **truth)
    signals += np.random.default_rng(5).normal(0, 1 / snr, signals.shape)
    return Simulated(data.b, signals, truth)


def print_splits(title: str, data: Simulated) -> None:
    """Median errors by split: of D and D* relative, of f relative and absolute."""
    print(f"\nSplits, {title}: median |error| / true of D, f, D*; median |error| of f")
    for split in SPLITS:
        used = int(np.count_nonzero(data.b >= split))
        if used < 2:
            continue
        fit = fit_segmented(data.signals, data.b, body_part("abdomen").bounds, split=split)
        error = {name: np.abs(fit[name] - truth) for name, truth in data.truth.items()}
        relative = "   ".join(f"{name} {np.median(error[name] / data.truth[name]):.3f}" for name in compare.PARAMETERS)
        print(f"split {split:4d} ({used:2d} b-values)   {relative}   f {np.median(error['f']):.3f}")


def print_abdomens() -> None:
    """Medians of D (1e-3 mm2/s) and f of livers and kidneys by split, less those that the data's authors published."""
    splits = (50, 100, 200)
    print(f"\nSplits, real abdomens: D (1e-3 mm2/s), f less the published ones, split at {splits}")
    for volunteer in (1, 2, 3, 4):
        data = abdomen(volunteer)
        for label, organ in data.regions.names.items():
            inside = data.regions.array == label
            if organ not in {"liver", "kidney"} or inside.sum() < 2:
                continue
            part, cells = body_part("abdomen"), []
            for split in splits:
                fit = fit_segmented(data.series.array[inside], data.series.b_values, part.bounds, split=split)
                D, f = (np.nanmedian(fit[name]) - np.nanmedian(data.upstream[name][inside[..., 0]]) for name in "Df")
                cells.append(f"{1e3 * D:+.2f} {f:+.2f}")
            print(f"volunteer {volunteer} {organ:8}" + "   ".join(cells))


if __name__ == "__main__":
    main()
