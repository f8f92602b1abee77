"""Speed and accuracy of the IVIM networks, beside a plain PyTorch loop, least squares and the constant guess.

    python Testing/benchmarks/bench_network.py --signals 100000 --members 1 --presets optim orig default

Speed: the network ``optim``, one member, is trained on simulated signals until ten epochs bring nothing and applied to
them, by this library and by a plain loop (one nn.Sequential per parameter, DataLoader over a TensorDataset, Adam) on
the same signals in the same run, one thread each; this library also gives standard deviations. Both stop by the same
rule, but at epochs of their own: the ratio of the times per epoch is given too. CPU seconds stand beside wall seconds.
Accuracy: networks trained on simulated signals of the SNR that they are tested at, with another seed. Coverage is the
part of true values within one standard deviation; |rho| the rank correlation between two estimates, 0 at best.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from benchmarks import ivim_comparison as compare
from benchmarks.ivim_reference import B_VALUES, Simulated, simulate
from real_data import DATA

from DeepMRILib.ivim.bounds import GENERAL
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.network_apply import estimate
from DeepMRILib.ivim.network_input import CEILING, normalised, usable
from DeepMRILib.ivim.plan import plan_for
from DeepMRILib.ivim.scores import between_estimates, score
from DeepMRILib.ivim.train_network import train_network
from DeepMRILib.network_threads import one_thread

PARAMETERS = ("D", "f", "D_star")
TRAINING_SEED = 1


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "ivim_simulated", help="folder of the test signals")
    parser.add_argument("--signals", type=int, default=100_000, help="simulated signals to train on")
    parser.add_argument("--accuracy-voxels", type=int, default=5000, help="test signals, where none are stored")
    parser.add_argument("--snr", type=int, nargs="*", default=[20, 50], help="none: the speed alone")
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--presets", nargs="+", default=["optim", "orig", "default"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-loop", action="store_true", help="leave out the plain loop")
    given = parser.parse_args()
    if not given.no_loop:
        speed(given)
    for snr in given.snr:
        accuracy(snr, given)


def speed(given: argparse.Namespace) -> None:
    """Seconds of training and applying, by this library and by the plain loop."""
    from benchmarks.ivim_network_loop import apply_plain, train_plain

    data = simulate(given.signals, 20, seed=TRAINING_SEED)
    plan = plan_for("optim", "biexp", B_VALUES, seed=given.seed)
    relative, _ = normalised(data.signals, B_VALUES)
    prepared = np.minimum(relative[usable(relative, B_VALUES)], np.float32(CEILING))
    print(f"{given.signals:,} signals, SNR 20, {plan.parameter_count:,} weights")
    with one_thread():
        trained, ours = _timed(lambda: train_network(data.signals, plan))
        _, ours_applied = _timed(lambda: estimate(data.signals, plan, trained.weights, bounds=GENERAL))
        (network, epochs), theirs = _timed(lambda: train_plain(prepared, plan))
        _, theirs_applied = _timed(lambda: apply_plain(network, prepared))
    print(f"{'':14}{'epochs':>8}{'training':>20}{'each':>18}{'applying':>14}    wall . CPU seconds")
    _print_speed("this library", ours, len(trained.history), ours_applied)
    _print_speed("plain loop", theirs, epochs, theirs_applied)
    whole = (theirs + theirs_applied) / (ours + ours_applied)
    epoch = theirs / epochs / (ours / len(trained.history))
    print(
        f"ratio of the whole {whole[0]:.1f} . {whole[1]:.1f}, per epoch {epoch[0]:.1f} . {epoch[1]:.1f}\n", flush=True
    )


def _timed(work: Callable) -> tuple:
    """What the work returns, and its wall and CPU seconds: other load on the machine changes the first far more."""
    started = np.array([time.perf_counter(), time.process_time()])
    result = work()
    return result, np.array([time.perf_counter(), time.process_time()]) - started


def _print_speed(name: str, seconds: np.ndarray, epochs: int, applied: np.ndarray) -> None:
    each = seconds / epochs
    print(
        f"{name:14}{epochs:8}{seconds[0]:11.1f} . {seconds[1]:6.1f}{each[0]:9.3f} . {each[1]:6.3f}"
        f"{applied[0]:7.1f} . {applied[1]:4.1f}"
    )


def accuracy(snr: int, given: argparse.Namespace) -> None:
    """Errors, coverage and dependence of each method on the test signals."""
    data, source = compare.shared_signals(snr, given)
    print(f"SNR {snr}, {source}; trained on {given.signals:,} signals, {given.members} member(s), seed {given.seed}")
    print(f"{'':34}median error . nRMSE . Spearman . coverage")
    _print(f"constant guess (n={len(data.signals)})", compare.constant_guess(len(data.signals)), data)
    least = fit_biexp(data.signals, B_VALUES, GENERAL)
    _print("least squares", least, data)
    _print("least squares, clipped to range", compare.clipped(least), data)
    training = simulate(given.signals, snr, seed=TRAINING_SEED).signals
    for preset in given.presets:
        plan = plan_for(preset, "biexp", B_VALUES, seed=given.seed, members=given.members)
        trained, seconds = _timed(lambda plan=plan: train_network(training, plan))
        found = estimate(data.signals, plan, trained.weights, bounds=GENERAL)
        _print(f"{preset} ({seconds[0]:.0f} s, {len(trained.history)} epochs)", found, data)
    print()


def _print(title: str, found: dict, data: Simulated) -> None:
    estimates = {name: found[name] for name in PARAMETERS}
    sd = {name: found[f"{name}_sd"] for name in PARAMETERS if f"{name}_sd" in found}
    cells = [
        " . ".join(f"{row[key]:.3f}"[1:] if abs(row[key]) < 1 else f"{row[key]:.3f}" for key in
                   ("median_error", "nrmse", "spearman", "coverage"))
        for row in score(estimates, data.truth, sd)
    ]  # fmt: skip
    pairs = ", ".join(f"{row['first']}-{row['second']} {row['rho']:.2f}" for row in between_estimates(estimates))
    shown = "   ".join(f"{name} {cell}" for name, cell in zip(PARAMETERS, cells, strict=True))
    print(f"{title:34}{shown}   |rho| {pairs}", flush=True)


if __name__ == "__main__":
    main()
