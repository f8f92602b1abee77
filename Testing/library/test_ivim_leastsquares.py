"""Bi-exponential least squares: its optimum, its bounds, and what it does with signals that nobody planned for."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from benchmarks.ivim_reference import B_VALUES, curve_fit_biexp, load, median_error, residual_sum, simulate

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.bounds import BODY_PARTS, BROAD, GENERAL, Bounds, body_part
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import BIEXP_PARAMETERS, biexp, biexp_jacobian
from DeepMRILib.ivim.uncertainty import biexp_sd
from DeepMRILib.ivim.varpro import BLOCK, ReducedProblem, as_blocks

NARROW = Bounds(D=(0.8e-3, 1.2e-3), f=(0.2, 0.3), D_star=(0.01, 0.02), S0=(1.1, 1.3))
OVERLAPPING = Bounds(D=(0.0, 0.02), f=(0.0, 1.0), D_star=(0.0, 0.02), S0=(0.1, 5.0))
PINNED = Bounds(D=(1e-3, 1e-3), f=(0.2, 0.2), D_star=(0.02, 0.02))

PROTOCOLS = {
    "eleven": B_VALUES,
    "without b = 0": np.array([50, 100, 200, 400, 800.0]),
    "repeated and unordered": np.array([700, 0, 0, 20, 300, 50, 50, 0, 100.0]),
    "low b only": np.array([0, 0, 1, 2, 3.0]),
    "high b only": np.array([0, 1000, 2000, 3000.0]),
    "sixty": np.linspace(0, 1000, 60),
}


def nasty_signals(b: np.ndarray, rng: np.random.Generator, n: int = 100) -> np.ndarray:
    """Flat, rising, single, negative, mono-exponential, huge, tiny and random signals, (m, n_b)."""
    q = b.size
    first = np.zeros(q)
    first[0] = 1
    shapes = [np.zeros(q), np.ones(q), -np.ones(q), np.linspace(0.1, 1, q), first, 1 - first, 5 - 6 * first]
    shapes += [np.exp(-b * rate) for rate in (1e-4, 1e-3, 4.999e-3, 5e-3, 1e-2, 0.05, 0.5)]
    shapes += [scale * np.exp(-b * 1e-3) for scale in (1e-30, 1e30)]
    shapes += [rng.normal(mean, 1, q) for mean in (0, 0.3) for _ in range(n)]
    shapes += [10 ** rng.uniform(-6, 6, q) for _ in range(n)]
    return np.array(shapes)


def as_matrix(fit: dict) -> np.ndarray:
    return np.stack([fit[name] for name in (*BIEXP_PARAMETERS, "rss")])


def test_parameters_of_noise_free_signals_are_recovered(rng: np.random.Generator) -> None:
    n = 2000
    truth = {"D": rng.uniform(3e-4, 3e-3, n), "f": rng.uniform(0.05, 0.6, n), "D_star": rng.uniform(0.01, 0.15, n)}
    S0 = 10 ** rng.uniform(-3, 4, n)
    fit = fit_biexp(biexp(B_VALUES, **truth, S0=S0), B_VALUES)
    for name, values in {**truth, "S0": S0}.items():
        np.testing.assert_allclose(fit[name], values, rtol=1e-3)
        assert median_error(fit[name], values) < 1e-7
    assert (fit["rss"] < 1e-11 * S0**2).all()


@pytest.mark.parametrize(("snr", "bounds"), [(20, GENERAL), (50, BROAD), (10, Bounds(S0=(0.5, 2.5)))])
def test_no_worse_than_curve_fit_in_nearly_all_voxels(snr: int, bounds: Bounds) -> None:
    data = simulate(400, snr, seed=snr)
    reference = curve_fit_biexp(data.signals, data.b, bounds)
    ratio = fit_biexp(data.signals, data.b, bounds)["rss"] / residual_sum(data.signals, data.b, reference) - 1
    assert np.mean(ratio > 1e-4) <= 0.005
    assert np.median(np.abs(ratio)) < 1e-6


def test_no_worse_than_curve_fit_on_random_numbers(rng: np.random.Generator) -> None:
    signals = rng.normal(0.5, 0.3, (300, B_VALUES.size))
    signals = signals[signals[:, 0] > 0.4]
    signals /= signals[:, :1]
    reference = curve_fit_biexp(signals, B_VALUES, OVERLAPPING)
    ratio = fit_biexp(signals, B_VALUES, OVERLAPPING)["rss"] / residual_sum(signals, B_VALUES, reference) - 1
    assert np.mean(ratio > 1e-3) <= 0.02


@pytest.mark.parametrize("snr", [20, 50])
def test_median_errors_are_those_of_curve_fit_or_better(shared_data: Path, snr: int) -> None:
    data = load(shared_data / "ivim_simulated", snr)
    few = slice(0, 1200)
    reference = curve_fit_biexp(data.signals[few], data.b, GENERAL)
    fit = fit_biexp(data.signals[few], data.b, GENERAL)
    for name, truth in data.truth.items():
        # The few voxels where curve_fit misses the optimum move a median by up to a hundredth, either way.
        assert median_error(fit[name], truth[few]) <= 1.02 * median_error(reference[name], truth[few])


@pytest.mark.parametrize("file", ["generic.json", "generic_brain.json"])
def test_osipi_reference_tissues(shared_data: Path, file: str) -> None:
    """Their tolerance: a tenth of the value and 5e-4 (D), 0.2 (f), 0.1 (D*) more; here a fiftieth of that more."""
    tissues = json.loads((shared_data / "ivim_osipi" / file).read_text())
    b = np.array(tissues.pop("config")["bvalues"])
    fit = fit_biexp([tissue["data"] for tissue in tissues.values()], b, Bounds(f=(0, 1)))
    for k, (name, tissue) in enumerate(tissues.items()):
        assert abs(fit["D"][k] - tissue["D"]) <= 1e-5 + 0.01 * tissue["D"], name
        assert abs(fit["f"][k] - tissue["f"]) <= 0.004 + 0.02 * tissue["f"], name
        assert abs(fit["D_star"][k] - tissue["Dp"]) <= 0.002 + 0.05 * tissue["Dp"], name
        assert abs(fit["S0"][k] - 1) <= 0.002, name


def test_real_abdomen_is_fitted_no_worse_than_by_curve_fit(shared_data: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    data = scipy_io.loadmat(shared_data / "ivim_abdomen" / "volunteer1.mat")
    b = data["b"].ravel().astype(float)
    chosen = (data["betta"].ravel() == 1) | (b == 0)
    b, images = b[chosen], data["data"][chosen].astype(float)
    signals = images[:, data["mask"] > 0].T[::12]
    fit = fit_biexp(signals, b)
    scale = signals[:, b == 0].mean(axis=1, keepdims=True)
    reference = curve_fit_biexp(signals / scale, b, GENERAL)
    rss = residual_sum(signals / scale, b, reference)
    assert (fit["rss"] / scale[:, 0] ** 2 <= rss * (1 + 1e-4)).mean() > 0.99


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bounds", [GENERAL, BROAD, NARROW, OVERLAPPING, PINNED], ids=str)
@pytest.mark.parametrize("fit_s0", [True, False])
@pytest.mark.filterwarnings("error")
def test_bounds_hold_for_whatever_signal(protocol: str, bounds: Bounds, fit_s0: bool, rng: np.random.Generator) -> None:
    b = PROTOCOLS[protocol]
    signals = nasty_signals(b, rng)
    fit = fit_biexp(signals, b, bounds, fit_s0=fit_s0)
    usable = np.isfinite(fit["D"])
    assert usable.sum() > 150
    for name in ("D", "f", "D_star"):
        low, high = getattr(bounds, name)
        assert fit[name][usable].min() >= low
        assert fit[name][usable].max() <= high
    assert (fit["D_star"] > fit["D"])[usable].all()
    assert np.isfinite(as_matrix(fit)[:, usable]).all()
    assert np.isnan(as_matrix(fit)[:, ~usable]).all()
    assert not (usable & (signals.mean(axis=1) < 0)).any()


def test_signal_at_lowest_b_is_kept_when_it_is_not_fitted(rng: np.random.Generator) -> None:
    b = np.array([0, 0, 10, 50, 200, 800.0])
    signals = 200 * biexp(b, D=1e-3, f=0.2, D_star=0.04) + rng.normal(0, 5, (50, b.size))
    fit = fit_biexp(signals, b, fit_s0=False)
    np.testing.assert_allclose(fit["S0"], signals[:, :2].mean(axis=1), rtol=1e-12)
    free = fit_biexp(signals, b)
    assert (free["rss"] <= fit["rss"] * (1 + 1e-6)).all()


@pytest.mark.parametrize(("f", "bounds"), [(0.0, GENERAL), (0.7, GENERAL), (1.0, BROAD)])
def test_fraction_at_its_bound(f: float, bounds: Bounds) -> None:
    fit = fit_biexp(biexp(B_VALUES, [1.2e-3], f, 0.03), B_VALUES, bounds)
    assert abs(fit["f"][0] - f) < 1e-5
    if f:
        assert abs(fit["D_star"][0] - 0.03) < 1e-5
    if f < 1:
        assert abs(fit["D"][0] - 1.2e-3) < 1e-8


def test_no_perfusion_gives_the_lowest_d_star() -> None:
    fit = fit_biexp([np.linspace(1, 2, B_VALUES.size)], B_VALUES)
    assert (fit["f"][0], fit["D_star"][0]) == (0.0, 0.005)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_voxel_is_nan_and_leaves_the_others_alone(bad: float) -> None:
    signals = simulate(600, 20, seed=1).signals
    spoiled = signals.copy()
    spoiled[::7, 3] = bad
    spoiled[3] = 0.0
    spoiled[4] = -1.0
    fit, expected = as_matrix(fit_biexp(spoiled, B_VALUES)), as_matrix(fit_biexp(signals, B_VALUES))
    hit = np.isin(np.arange(600), [*range(0, 600, 7), 3, 4])
    assert np.isnan(fit[:, hit]).all()
    np.testing.assert_array_equal(fit[:, ~hit], expected[:, ~hit])


def test_result_is_the_same_for_any_threads_and_neighbours(rng: np.random.Generator) -> None:
    signals = np.concatenate([simulate(3000, 15, seed=2).signals, nasty_signals(B_VALUES, rng, 20)])
    one = as_matrix(fit_biexp(signals, B_VALUES, workers=1))
    np.testing.assert_array_equal(as_matrix(fit_biexp(signals, B_VALUES, workers=3)), one)
    order = rng.permutation(len(signals))
    shuffled = as_matrix(fit_biexp(signals[order], B_VALUES, workers=2))
    np.testing.assert_allclose(shuffled, one[:, order], rtol=1e-9)
    alone = np.concatenate([as_matrix(fit_biexp(signals[k : k + 1], B_VALUES)) for k in range(20)], axis=1)
    np.testing.assert_allclose(alone, one[:, :20], rtol=1e-9)


def test_order_repeats_and_scale_of_the_samples_do_not_matter(rng: np.random.Generator) -> None:
    b = np.concatenate([B_VALUES, B_VALUES[::-1], B_VALUES[3:7]])
    signals = biexp(b, 1e-3, 0.2, 0.05) + rng.normal(0, 0.03, (200, b.size))
    order = rng.permutation(b.size)
    fit, other = fit_biexp(signals, b), fit_biexp(317 * signals[:, order], b[order])
    for name, scale in {"D": 1, "f": 1, "D_star": 1, "S0": 317, "rss": 317**2}.items():
        np.testing.assert_allclose(other[name], scale * fit[name], rtol=1e-8)
    np.testing.assert_allclose(fit["rss"], residual_sum(signals, b, fit), rtol=1e-9)


def test_types_of_scanner_data_are_taken() -> None:
    signals = 1000 * simulate(50, 30, seed=3).signals
    exact = as_matrix(fit_biexp(np.round(signals), B_VALUES))
    np.testing.assert_array_equal(as_matrix(fit_biexp(np.round(signals).astype(np.int16), B_VALUES)), exact)
    np.testing.assert_array_equal(as_matrix(fit_biexp(np.round(signals).astype(np.float32), B_VALUES)), exact)
    assert as_matrix(fit_biexp(signals[:0], B_VALUES)).shape == (5, 0)


@pytest.mark.parametrize(
    ("signals", "b", "fit_s0", "says"),
    [
        (np.ones((2, 4)), [0, 10, 10, 500], True, "3 distinct b-values.*needs at least 4"),
        (np.ones((2, 3)), [0, 10, 10], False, "2 distinct b-values.*needs at least 3"),
        (np.ones((2, 4)), [0, 10, 100], True, "3 b-values do not go with 4 samples"),
        (np.ones(4), [0, 10, 100, 500], True, "one row for each voxel"),
        (np.ones((2, 4), complex), [0, 10, 100, 500], True, "expected real numbers"),
        (np.ones((2, 4)), [0, 10, 100, -500], True, "not negative"),
        (np.ones((2, 4)), [0, 10, 100, np.nan], True, "finite"),
    ],
)
def test_bad_input_is_named(signals: np.ndarray, b: list, fit_s0: bool, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_biexp(signals, b, fit_s0=fit_s0)


def test_threads_below_one_are_refused() -> None:
    with pytest.raises(InputError, match="0 threads"):
        fit_biexp(np.ones((1, 4)), [0, 10, 100, 500], workers=0)


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"f": (0.0, 1.2)}, "cannot exceed 1"),
        ({"D": (0.003, 0.001)}, "lowest <= highest"),
        ({"D": (-0.001, 0.001)}, "0 <= lowest"),
        ({"S0": (0.0, 1.0)}, "above 0"),
        ({"D": (0.004, 0.005), "D_star": (0.001, 0.003)}, "upper bound of D\\*"),
        ({"f": (0.1, 0.2, 0.3)}, "lowest and the highest"),
    ],
)
def test_bad_bounds_are_named(bounds: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        Bounds(**bounds)


def test_typical_values_lie_within_the_bounds_of_each_body_part() -> None:
    for name, part in BODY_PARTS.items():
        for parameter in BIEXP_PARAMETERS:
            low, high = getattr(part.bounds, parameter)
            assert low <= getattr(part.typical, parameter) <= high, (name, parameter)
    with pytest.raises(InputError, match="abdomen, brain"):
        body_part("elbow")


def test_cancel_stops_all_threads_soon() -> None:
    signals = np.tile(simulate(2000, 20, seed=4).signals, (200, 1))
    calls = []

    def cancel(fraction: float, message: str) -> None:
        calls.append((fraction, threading.get_ident()))
        if len(calls) == 2:
            calls.append((time.perf_counter(), 0))
            raise Cancelled

    with pytest.raises(Cancelled):
        fit_biexp(signals, B_VALUES, progress=cancel, workers=2)
    assert time.perf_counter() - calls[-1][0] < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ivim")]


def test_progress_rises_to_one_and_is_told_from_the_calling_thread() -> None:
    told = []
    fit_biexp(
        np.tile(simulate(1000, 20, seed=5).signals, (100, 1)), B_VALUES,
        progress=lambda fraction, message: told.append((time.perf_counter(), fraction, threading.get_ident())),
    )  # fmt: skip
    times, fractions, threads = zip(*told, strict=True)
    assert set(threads) == {threading.get_ident()}
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert all(np.diff(fractions) >= 0)
    assert max(np.diff(times)) < 1.5


def test_derivatives_of_the_reduced_problem_are_exact(rng: np.random.Generator) -> None:
    problem = ReducedProblem(B_VALUES / 1000, np.ones(B_VALUES.size), f=(0, 0.7), S0=(0.7, 1.3))
    signals = as_blocks(simulate(BLOCK, 20, seed=6).signals)
    rates = np.stack([rng.uniform(0.3, 3, BLOCK), rng.uniform(6, 100, BLOCK)])
    here = problem.evaluate(signals, rates)
    for k in (0, 1):
        h = 1e-5 * np.eye(2)[:, k : k + 1]
        ahead, behind = problem.evaluate(signals, rates + h), problem.evaluate(signals, rates - h)
        np.testing.assert_allclose((ahead.cost - behind.cost) / 2e-5, here.gradient[k], atol=1e-7)
        np.testing.assert_allclose(problem.cost(signals, rates + h), ahead.cost, rtol=1e-12)
        slopes = (ahead.gradient - behind.gradient) / 2e-5
        # Where F is not convex the Hessian is Gauss-Newton's instead: about half of these random places.
        assert np.mean(np.abs(slopes[1] - here.hessian[k + 1]) < 1e-7) > 0.3


def test_jacobian_is_the_derivative_of_the_signal() -> None:
    point = np.array([1e-3, 0.2, 0.04, 150.0])
    jacobian = biexp_jacobian(B_VALUES, *point)
    for k, h in enumerate(1e-6 * point):
        step = h * np.eye(4)[k]
        slope = (biexp(B_VALUES, *(point + step)) - biexp(B_VALUES, *(point - step))) / (2 * h)
        np.testing.assert_allclose(jacobian[:, k], slope, rtol=1e-6, atol=1e-6)


def test_standard_deviations_match_the_scatter_of_repeated_fits(rng: np.random.Generator) -> None:
    b = np.tile(B_VALUES, 4)
    signals = biexp(b, 1e-3, 0.3, 0.03, 500) + rng.normal(0, 5, (4000, b.size))
    fit = fit_biexp(signals, b)
    sd = biexp_sd(fit, b)
    for name in BIEXP_PARAMETERS:
        assert np.nanmedian(sd[f"{name}_sd"]) == pytest.approx(np.std(fit[name]), rel=0.1)


def test_standard_deviations_of_parameters_at_bounds_or_fixed_are_nan() -> None:
    fit = {"D": [1e-3] * 4, "f": [0.2, 0.7, 0.0, np.nan], "D_star": [0.2, 0.03, 0.03, 0.03], "S0": [1.0] * 4}
    fit = {name: np.array(values) for name, values in {**fit, "rss": [1e-3] * 4}.items()}
    sd = biexp_sd(fit, B_VALUES)
    assert np.isnan(sd["D_star_sd"]).tolist() == [True, False, True, True]
    assert np.isnan(sd["f_sd"]).tolist() == [False, True, True, True]
    assert np.isfinite(sd["D_sd"]).tolist() == [True, True, True, False]
    assert np.isnan(biexp_sd(fit, B_VALUES, fit_s0=False)["S0_sd"]).all()
