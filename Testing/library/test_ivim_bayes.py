"""Bayesian bi-exponential fits: moments against plain sums, calibration, and signals that nobody planned for."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.ivim_reference import B_VALUES, Simulated, load, median_error, simulate
from test_ivim_leastsquares import GENERAL, NARROW, OVERLAPPING, PINNED, PROTOCOLS, nasty_signals

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.bayes import fit_bayes
from DeepMRILib.ivim.bayes_noise import Noise
from DeepMRILib.ivim.bounds import BROAD, Bounds, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import BIEXP_PARAMETERS, biexp
from DeepMRILib.ivim.prior import Prior, estimate_prior, flat_prior

QUADRATURE = 0.07
"""What the nodes may cost where the prior is learned, in standard deviations; see ``bayes_grid``."""

NAMES = (*BIEXP_PARAMETERS, *(f"{name}_sd" for name in BIEXP_PARAMETERS))


def as_matrix(fit: dict) -> np.ndarray:
    return np.stack([fit[name] for name in (*NAMES, "rss")])


def coverage(fit: dict, truth: dict) -> dict[str, float]:
    return {name: float(np.mean(np.abs(fit[name] - known) <= fit[f"{name}_sd"])) for name, known in truth.items()}


def plain_moments(signal: np.ndarray, prior: Prior, bounds: Bounds, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of D, f, D*, S0 by sums over an even grid that is zoomed to where mass is.

    The signal's value at b = 0 is 1; S0 and the noise are integrated out as the method's documentation says.
    """
    limits = np.array([bounds.D, bounds.f, np.log(bounds.D_star)])
    low, high = limits.T.copy()
    for _ in range(6):
        axes = [start + (stop - start) * (np.arange(n) + 0.5) / n for start, stop in zip(low, high, strict=True)]
        D, f, place = np.meshgrid(*axes, indexing="ij", sparse=True)
        curves = [(1 - f) * np.exp(-b * D) + f * np.exp(-b * np.exp(place)) for b in B_VALUES]
        power = sum(curve**2 for curve in curves)
        S0 = np.clip(sum(y * curve for y, curve in zip(signal, curves, strict=True)) / power, *bounds.S0)
        Q = sum((y - S0 * curve) ** 2 for y, curve in zip(signal, curves, strict=True))
        degrees = prior.noise.nu0 + signal.size - 1
        known = prior.noise.nu0 * prior.noise.s2
        logs = -0.5 * degrees * np.log(known + Q) - 0.5 * np.log(power)
        logs = logs + prior.log_density(D, f, place)
        mass = np.exp(logs - logs.max())
        mass /= mass.sum()
        margins = [mass.sum(axis=tuple({0, 1, 2} - {k})) for k in range(3)]
        for k, margin in enumerate(margins):
            there = np.flatnonzero(margin > 1e-7 * margin.max())
            step = (high[k] - low[k]) / n
            start = axes[k][0]
            low[k] = max(start + (there[0] - 2) * step, limits[k, 0])
            high[k] = min(start + (there[-1] + 2) * step, limits[k, 1])
    values = [D, f, np.exp(place), S0]
    means = np.array([(mass * value).sum() for value in values])
    variances = [(mass * (value - mean) ** 2).sum() for value, mean in zip(values, means, strict=True)]
    variances[3] += (known + Q.min()) / (degrees - 2) * (mass / power).sum()
    return means, np.sqrt(variances)


@pytest.mark.parametrize(("snr", "nu0"), [(10, 1e4), (20, 15.0), (50, 15.0), (200, 1e4)])
def test_moments_are_those_of_plain_sums(snr: float, nu0: float) -> None:
    data = simulate(300, snr, seed=int(snr))
    bounds = Bounds(S0=(0.3, 3.0))
    prior = replace(flat_prior(data.signals, data.b, bounds), noise=Noise(1 / snr**2, nu0, True, np.full(2, 1 / snr)))
    few = data.signals[:4]
    fit = fit_bayes(few, data.b, bounds, prior=prior)
    for k, signal in enumerate(few):
        means, sds = plain_moments(signal, prior, bounds)
        found = np.array([fit[name][k] for name in NAMES])
        np.testing.assert_array_less(np.abs(found[:4] - means), 0.03 * sds)
        np.testing.assert_allclose(found[4:], sds, rtol=0.03)


@pytest.mark.parametrize("snr", [20, 50])
def test_errors_lie_below_least_squares_and_intervals_cover(shared_data: Path, snr: int) -> None:
    data = load(shared_data / "ivim_simulated", snr)
    bounds = body_part("abdomen").bounds
    fit, lsq = fit_bayes(data.signals, data.b, bounds), fit_biexp(data.signals, data.b, bounds)
    for name, truth in data.truth.items():
        assert median_error(fit[name], truth) < 0.95 * median_error(lsq[name], truth)
        assert 0.60 <= coverage(fit, data.truth)[name] <= 0.76


def wide(n: int, snr: float) -> Simulated:
    rng = np.random.default_rng(7)
    truth = {"D": rng.uniform(5e-4, 3e-3, n), "f": rng.uniform(0, 0.7, n), "D_star": rng.uniform(5e-3, 0.25, n)}
    signals = biexp(B_VALUES, **truth) + rng.normal(0, 1 / snr, (n, B_VALUES.size))
    return Simulated(B_VALUES, signals / signals[:, :1], truth)


@pytest.mark.parametrize("prior", ["flat", "data"])
def test_intervals_cover_where_no_bound_helps(prior: str) -> None:
    data = wide(1500, 20)
    bounds = Bounds(f=(0.0, 1.0), D_star=(0.005, 0.3))
    fit, lsq = fit_bayes(data.signals, data.b, bounds, prior=prior), fit_biexp(data.signals, data.b, bounds)
    for name, truth in data.truth.items():
        assert 0.62 <= coverage(fit, data.truth)[name] <= 0.76
        assert median_error(fit[name], truth) < 1.1 * median_error(lsq[name], truth)


def test_true_values_drawn_from_the_prior_are_covered_at_all_noise_levels() -> None:
    """What makes an interval Bayesian: averaged over the prior, the posterior's mean and spread are exact."""
    rng = np.random.default_rng(5)
    n, noise = 4000, 10 ** rng.uniform(-2.3, -0.9, 4000)
    bounds = Bounds(S0=(0.2, 5.0))
    truth = {name: rng.uniform(*getattr(bounds, name), n) for name in ("D", "f", "D_star")}
    signals = biexp(B_VALUES, **truth) + noise[:, None] * rng.normal(size=(n, B_VALUES.size))
    fit = fit_bayes(signals, B_VALUES, bounds, prior="flat")
    for name, known in truth.items():
        z = (fit[name] - known) / fit[f"{name}_sd"]
        assert abs(z.mean()) < 0.08
        assert np.sqrt(np.mean(z**2)) == pytest.approx(1, abs=0.12)


def test_flat_prior_and_little_noise_give_least_squares() -> None:
    data = simulate(500, 3000, seed=9)
    fit, lsq = fit_bayes(data.signals, data.b, prior="flat"), fit_biexp(data.signals, data.b)
    for name in BIEXP_PARAMETERS:
        away = np.abs(fit[name] - lsq[name]) / fit[f"{name}_sd"]
        assert np.median(away) < 0.05
        assert np.quantile(away, 0.98) < 0.5
    np.testing.assert_allclose(fit["rss"], lsq["rss"], rtol=0.2)


def test_moments_with_a_learned_prior_are_those_of_plain_sums() -> None:
    data = simulate(1000, 20, seed=31)
    bounds = Bounds(S0=(0.3, 3.0))
    prior = estimate_prior(data.signals, data.b, bounds)
    fit = fit_bayes(data.signals[:4], data.b, bounds, prior=prior)
    for k, signal in enumerate(data.signals[:4]):
        means, sds = plain_moments(signal, prior, bounds)
        found = np.array([fit[name][k] for name in NAMES])
        np.testing.assert_array_less(np.abs(found[:4] - means), QUADRATURE * sds)
        np.testing.assert_allclose(found[4:], sds, rtol=0.05)


def test_moments_with_a_prior_of_several_classes_are_those_of_plain_sums() -> None:
    signals, b, _ = two_tissues(2000, 20, seed=32)
    bounds = Bounds(S0=(0.3, 3.0))
    prior = estimate_prior(signals, b, bounds)
    assert len(prior.classes) >= 3
    fit = fit_bayes(signals[:4], b, bounds, prior=prior)
    for k, signal in enumerate(signals[:4]):
        means, sds = plain_moments(signal, prior, bounds)
        found = np.array([fit[name][k] for name in NAMES])
        np.testing.assert_array_less(np.abs(found[:4] - means), QUADRATURE * sds)
        np.testing.assert_allclose(found[4:], sds, rtol=0.05)


COMMON, RARE = {"D": 1e-3, "f": 0.4, "D_star": 0.07}, {"D": 2e-3, "f": 0.15, "D_star": 0.03}


def two_tissues(n: int, snr: float, seed: int, part: float = 0.03) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signals, b-values, and which voxels are of the rare tissue."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < part
    truth = {name: np.where(rare, RARE[name], COMMON[name]) for name in COMMON}
    return biexp(B_VALUES, **truth) + rng.normal(0, 1 / snr, (n, B_VALUES.size)), B_VALUES, rare


@pytest.mark.parametrize("snr", [20, 40])
def test_a_rare_tissue_keeps_its_values(snr: float) -> None:
    """One product of densities makes it all but impossible: D then comes out far too low and f far too high."""
    signals, b, rare = two_tissues(4000, snr, seed=33)
    fit = fit_bayes(signals, b)
    for name, margin in {"D": 0.12, "f": 0.3, "D_star": 0.8}.items():
        assert abs(fit[name][rare].mean() / RARE[name] - 1) < margin
        assert fit[name][~rare].mean() == pytest.approx(COMMON[name], rel=0.05)


def test_a_known_posterior_without_perfusion() -> None:
    """Where b-values are too low for D* to matter, its posterior is its prior: uniform from 0.1 to 0.2."""
    b = np.array([0, 300, 400, 500, 600, 700, 800.0])
    rng = np.random.default_rng(2)
    signals = biexp(b, 1e-3, 0.0, 0.1) + rng.normal(0, 0.01, (300, b.size))
    fit = fit_bayes(signals, b, Bounds(D_star=(0.1, 0.2)), prior="flat")
    np.testing.assert_allclose(fit["D_star"], 0.15, rtol=1e-3)
    np.testing.assert_allclose(fit["D_star_sd"], 0.1 / np.sqrt(12), rtol=5e-3)


@pytest.mark.parametrize("together", [False, True])
def test_osipi_reference_tissues(shared_data: Path, together: bool) -> None:
    """Their tolerance: a tenth of the value and 5e-4 (D), 0.2 (f), 0.1 (D*) more; here far tighter."""
    tissues = json.loads((shared_data / "ivim_osipi" / "generic.json").read_text())
    b = np.array(tissues.pop("config")["bvalues"])
    signals, bounds = np.array([tissue["data"] for tissue in tissues.values()]), Bounds(f=(0, 1))
    if together:
        fit = fit_bayes(signals, b, bounds)
    else:
        alone = [fit_bayes(signal[None], b, bounds, prior="flat") for signal in signals]
        fit = {name: np.concatenate([one[name] for one in alone]) for name in NAMES}
    for k, (name, tissue) in enumerate(tissues.items()):
        assert abs(fit["D"][k] - tissue["D"]) <= 1e-5 + 0.01 * tissue["D"], name
        assert abs(fit["f"][k] - tissue["f"]) <= 0.004 + 0.03 * tissue["f"], name
        assert abs(fit["D_star"][k] - tissue["Dp"]) <= 0.002 + 0.05 * tissue["Dp"], name
        for parameter, key in {"D": "D", "f": "f", "D_star": "Dp"}.items():
            assert abs(fit[parameter][k] - tissue[key]) < 5 * fit[f"{parameter}_sd"][k], name


@pytest.mark.parametrize("protocol", [name for name, b in PROTOCOLS.items() if b.size > 4])
@pytest.mark.parametrize("bounds", [GENERAL, BROAD, NARROW, OVERLAPPING, PINNED], ids=str)
@pytest.mark.parametrize(("prior", "fit_s0"), [("data", True), ("flat", False)])
@pytest.mark.filterwarnings("error")
def test_bounds_hold_for_whatever_signal(
    protocol: str, bounds: Bounds, prior: str, fit_s0: bool, rng: np.random.Generator
) -> None:
    b = PROTOCOLS[protocol]
    signals = nasty_signals(b, rng, n=30)
    fit = fit_bayes(signals, b, bounds, prior=prior, fit_s0=fit_s0)
    usable = np.isfinite(fit_biexp(signals, b, bounds, fit_s0=fit_s0)["D"])
    assert usable.sum() > 50
    for name in ("D", "f", "D_star"):
        low, high = getattr(bounds, name)
        assert fit[name][usable].min() >= low
        assert fit[name][usable].max() <= high
        assert fit[f"{name}_sd"][usable].min() >= 0
        assert fit[f"{name}_sd"][usable].max() <= 0.51 * (high - low) + 1e-9
    assert (fit["D_star"] > fit["D"])[usable].all()
    assert np.isfinite(as_matrix(fit)[:4, usable]).all()
    assert np.isnan(as_matrix(fit)[:, ~usable]).all()


def test_signal_at_lowest_b_is_kept_when_it_is_not_fitted(rng: np.random.Generator) -> None:
    b = np.array([0, 0, 10, 50, 200, 800.0])
    signals = 200 * biexp(b, D=1e-3, f=0.2, D_star=0.04) + rng.normal(0, 5, (50, b.size))
    fit = fit_bayes(signals, b, fit_s0=False)
    np.testing.assert_allclose(fit["S0"], signals[:, :2].mean(axis=1), rtol=1e-12)
    assert np.isnan(fit["S0_sd"]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_voxel_is_nan_and_leaves_the_others_alone(bad: float) -> None:
    signals = simulate(300, 20, seed=1).signals
    prior = flat_prior(signals, B_VALUES)
    spoiled = signals.copy()
    spoiled[::7, 3] = bad
    spoiled[4] = -1.0
    fit, expected = (as_matrix(fit_bayes(values, B_VALUES, prior=prior)) for values in (spoiled, signals))
    hit = np.isin(np.arange(300), [*range(0, 300, 7), 4])
    assert np.isnan(fit[:, hit]).all()
    np.testing.assert_allclose(fit[:, ~hit], expected[:, ~hit], rtol=1e-6)
    assert np.isfinite(as_matrix(fit_bayes(spoiled, B_VALUES))[:, ~hit]).all()


def test_no_usable_voxel_and_no_voxel() -> None:
    assert np.isnan(as_matrix(fit_bayes(np.full((3, 11), np.nan), B_VALUES))).all()
    assert as_matrix(fit_bayes(np.ones((0, 11)), B_VALUES)).shape == (9, 0)


def test_one_voxel_is_enough() -> None:
    signal = biexp(B_VALUES, [1e-3], 0.3, 0.03, 500) + np.random.default_rng(4).normal(0, 5, 11)
    fit = fit_bayes(signal, B_VALUES)
    truth = {"D": 1e-3, "f": 0.3, "D_star": 0.03, "S0": 500}
    for name, value in truth.items():
        assert abs(fit[name][0] - value) < 3 * fit[f"{name}_sd"][0]
    assert fit["D_sd"][0] < 0.2e-3


def test_result_is_the_same_for_any_threads_and_with_a_given_prior_for_any_neighbours(rng: np.random.Generator) -> None:
    signals = simulate(1000, 15, seed=2).signals
    one = fit_bayes(signals, B_VALUES, workers=1)
    np.testing.assert_array_equal(as_matrix(fit_bayes(signals, B_VALUES, workers=3)), as_matrix(one))
    prior = estimate_prior(signals, B_VALUES)
    np.testing.assert_allclose(as_matrix(fit_bayes(signals, B_VALUES, prior=prior)), as_matrix(one), rtol=1e-9)
    order = rng.permutation(1000)[:200]
    few = as_matrix(fit_bayes(signals[order], B_VALUES, prior=prior))
    np.testing.assert_allclose(few, as_matrix(one)[:, order], rtol=1e-4)


def test_order_repeats_and_scale_of_the_samples_do_not_matter(rng: np.random.Generator) -> None:
    b = np.concatenate([B_VALUES, B_VALUES[::-1], B_VALUES[3:7]])
    signals = biexp(b, 1e-3, 0.2, 0.05) + rng.normal(0, 0.03, (200, b.size))
    order = rng.permutation(b.size)
    fit, other = fit_bayes(signals, b), fit_bayes(317 * signals[:, order], b[order])
    for name in NAMES:
        scale = 317 if name.startswith("S0") else 1
        np.testing.assert_allclose(other[name], scale * fit[name], rtol=1e-4)


def test_repeats_narrow_the_posterior_as_they_should(rng: np.random.Generator) -> None:
    """Four times the samples, the same truth: half the standard deviation, where the noise is small."""
    once = biexp(B_VALUES, 1e-3, 0.3, 0.03) + rng.normal(0, 0.01, (400, 11))
    b = np.tile(B_VALUES, 4)
    often = biexp(b, 1e-3, 0.3, 0.03) + rng.normal(0, 0.01, (400, b.size))
    single, many = fit_bayes(once, B_VALUES, prior="flat"), fit_bayes(often, b, prior="flat")
    for name in ("D_sd", "f_sd", "D_star_sd", "S0_sd"):
        assert np.median(single[name]) / np.median(many[name]) == pytest.approx(2, rel=0.12)
    for name in ("D", "f", "D_star", "S0"):
        assert np.median(many[f"{name}_sd"]) == pytest.approx(np.std(many[name]), rel=0.12)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"b_values": [0, 10, 100, 500], "signals": np.ones((2, 4))}, "4 samples per voxel.*at least 5"),
        ({"b_values": [0, 0, 0, 10, 10]}, "2 distinct b-values"),
        ({"prior": "normal"}, "not a known prior"),
        ({"workers": 0}, "0 threads"),
        ({"b_values": [0, 10, 100, 500]}, "4 b-values do not go with 5"),
    ],
)
def test_bad_input_is_named(arguments: dict, says: str) -> None:
    given = {"signals": np.ones((2, 5)), "b_values": [0, 10, 50, 100, 500], **arguments}
    with pytest.raises(InputError, match=says):
        fit_bayes(given.pop("signals"), given.pop("b_values"), **given)


def test_a_prior_of_other_bounds_is_refused() -> None:
    data = simulate(50, 20, seed=3)
    with pytest.raises(InputError, match="The prior of D_star reaches from"):
        fit_bayes(data.signals, data.b, Bounds(D_star=(0.005, 0.3)), prior=flat_prior(data.signals, data.b))


def test_cancel_stops_all_threads_soon() -> None:
    signals = np.tile(simulate(2000, 20, seed=4).signals, (30, 1))
    raised = []

    def cancel(fraction: float, message: str) -> None:
        if fraction > 0.5:
            raised.append(time.perf_counter())
            raise Cancelled

    with pytest.raises(Cancelled):
        fit_bayes(signals, B_VALUES, prior="flat", progress=cancel, workers=2)
    assert time.perf_counter() - raised[0] < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ivim")]


def test_progress_rises_to_one_and_is_told_from_the_calling_thread() -> None:
    told = []
    fit_bayes(
        simulate(3000, 20, seed=5).signals, B_VALUES,
        progress=lambda fraction, message: told.append((fraction, threading.get_ident())),
    )  # fmt: skip
    fractions, threads = zip(*told, strict=True)
    assert set(threads) == {threading.get_ident()}
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert all(np.diff(fractions) >= 0)
