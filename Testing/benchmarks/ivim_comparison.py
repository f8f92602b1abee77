"""A library's fit of all voxels against a loop over voxels: speed in the same run, and errors side by side."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.ivim_reference import RANGES, Simulated, load, median_error, simulate
from numpy.typing import NDArray
from real_data import DATA
from scipy.stats import spearmanr

PARAMETERS = tuple(RANGES)


@dataclass(frozen=True)
class Contest:
    """Two ways to fit the same signals (n, n_b).

    Attributes:
        reference: what the loop is called.
        loop: fits voxel by voxel; a function of a module, so that other processes can import it.
        library: the same fit by this library, ``library(signals, workers)``.
        floor: how many times faster it has to be, on two cores against the loop in one process.
    """

    reference: str
    loop: Callable[[NDArray], dict]
    library: Callable[[NDArray, int], dict]
    floor: int


def arguments(description: str | None) -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = DATA / "ivim_simulated"
    parser.add_argument("--data", type=Path, default=default, help="folder with test_snr20.npz and test_snr50.npz")
    parser.add_argument("--voxels", type=int, default=400_000, help="simulated voxels to time this library on")
    parser.add_argument("--subset", type=int, default=1000, help="voxels to time the loop on, per repetition")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--accuracy-voxels", type=int, default=5000, help="voxels that both fit for the accuracy table")
    parser.add_argument("--snr", type=int, nargs="+", default=[20, 50])
    return parser.parse_args()


def speed(contest: Contest, snr: int, given: argparse.Namespace) -> None:
    """Voxels per second and ratios, taken inside each repetition: other load on the machine touches both."""
    signals = simulate(given.voxels, snr, seed=1).signals
    few = signals[: given.subset]
    halves = np.array_split(few, 2)
    rows: dict[str, list[float]] = {
        f"{contest.reference}, one process": [],
        f"{contest.reference}, two processes": [],
        "this library, one core": [],
        "this library, two cores": [],
    }
    one, two, *ours = rows.values()
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(contest.loop, [few[:2]] * 2))
        for _ in range(given.repeats):
            one.append(_rate(len(few), lambda: contest.loop(few)))
            two.append(_rate(len(few), lambda: list(pool.map(contest.loop, halves))))
            for workers, rates in enumerate(ours, start=1):
                rates.append(_rate(given.voxels, lambda w=workers: contest.library(signals, w)))
    print(f"\nSpeed, SNR {snr}, {signals.shape[1]} b-values, {given.voxels} voxels, medians of {given.repeats}")
    print(f"{'':34}{'voxels/s':>10}{'x loop':>9}{'x two processes':>17}{'ratios of each repetition to the loop':>42}")
    for title, rates in rows.items():
        to_loop, to_two = _ratios(rates, one), _ratios(rates, two)
        each = " ".join(f"{ratio:.0f}" for ratio in to_loop) if title.startswith("this library") else ""
        print(
            f"{title:34}{statistics.median(rates):>10.0f}{statistics.median(to_loop):>9.1f}"
            f"{statistics.median(to_two):>17.1f}{each:>42}"
        )
    best = statistics.median(_ratios(ours[-1], one))
    print(
        f"{best:.0f} times {contest.reference} per voxel, this library on two cores; at least {contest.floor} wanted: "
        f"{best >= contest.floor}"
    )


def _rate(voxels: int, work: Callable[[], object]) -> float:
    """Voxels per second of wall time."""
    started = time.perf_counter()
    work()
    return voxels / (time.perf_counter() - started)


def _ratios(rates: list[float], base: list[float]) -> list[float]:
    return [rate / other for rate, other in zip(rates, base, strict=True)]


def shared_signals(snr: int, given: argparse.Namespace) -> tuple[Simulated, str]:
    """The first of the stored signals of that SNR, or simulated ones; and what they are called."""
    stored = (given.data / f"test_snr{snr}.npz").is_file()
    data = load(given.data, snr) if stored else simulate(given.accuracy_voxels, snr, seed=2)
    n = min(given.accuracy_voxels, len(data.signals))
    few = Simulated(data.b, data.signals[:n], {name: values[:n] for name, values in data.truth.items()})
    return few, given.data.name if stored else "own simulation"


def constant_guess(n: int) -> dict[str, NDArray]:
    """The middle of the simulated range for every voxel."""
    return {name: np.full(n, np.mean(interval)) for name, interval in RANGES.items()}


def clipped(fit: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """A fit held in the simulated range: what a bound alone can do for the errors."""
    return {name: np.clip(fit[name], *RANGES[name]) for name in PARAMETERS}


def print_errors(title: str, fit: Mapping[str, NDArray], truth: Mapping[str, NDArray]) -> None:
    """One row: median |error| / true . RMSE / mean true . Spearman's rho with the truth."""
    print(f"{title:34}" + "   ".join(f"{name} {_score(fit[name], truth[name])}" for name in PARAMETERS))


def _score(found: NDArray, truth: NDArray) -> str:
    nrmse = np.sqrt(np.nanmean((found - truth) ** 2)) / truth.mean()
    constant = np.ptp(found) == 0
    rho = "  - " if constant else f"{spearmanr(found, truth, nan_policy='omit').statistic:.2f}"
    return f"{median_error(found, truth):.4f} . {nrmse:.3f} . {rho}"


def print_sums(ours: NDArray, reference: NDArray, name: str) -> None:
    """How often this library's sums of squares (n,) lie above or below the reference's."""
    ratio = ours / reference - 1
    print(
        f"sum of squares above {name}'s: by 1e-4 in {np.mean(ratio > 1e-4):.3%}, by 1e-3 in "
        f"{np.mean(ratio > 1e-3):.3%} of voxels; below: by 1e-4 in {np.mean(ratio < -1e-4):.3%}, "
        f"by 1e-3 in {np.mean(ratio < -1e-3):.3%}"
    )


def differences(ours: Mapping, reference: Mapping, truth: Mapping, draws: int = 500) -> str:
    """The difference of the median errors of each parameter, with its bootstrap standard error."""
    rng = np.random.default_rng(4)
    texts = []
    for name in PARAMETERS:
        errors = np.abs(np.stack([ours[name], reference[name]]) - truth[name]) / truth[name]
        picks = rng.integers(0, errors.shape[1], (draws, errors.shape[1]))
        spread = np.std([np.subtract(*np.nanmedian(errors[:, pick], axis=1)) for pick in picks])
        texts.append(f"{name} {np.subtract(*np.nanmedian(errors, axis=1)):+.4f} (standard error {spread:.4f})")
    return "   ".join(texts)
