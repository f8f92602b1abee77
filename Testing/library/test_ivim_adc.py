"""Mono-exponential least squares: its optimum, its bounds, and signals that nobody planned for."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.ivim_reference import B_VALUES, curve_fit_adc, simulate
from fit_threads import assert_cancel_stops_all_threads_soon, assert_progress_rises_to_one_in_the_calling_thread
from test_ivim_leastsquares import PROTOCOLS, nasty_signals

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.adc import fit_adc
from DeepMRILib.ivim.bounds import AdcBounds
from DeepMRILib.ivim.models import adc
from DeepMRILib.ivim.monoexp import MonoExponential
from DeepMRILib.ivim.varpro import as_blocks

GENERAL = AdcBounds()
NARROW = AdcBounds(ADC=(0.8e-3, 1.2e-3), S0=(1.1, 1.3))
PINNED = AdcBounds(ADC=(1e-3, 1e-3), S0=(1.0, 1.0))
WIDE = AdcBounds(ADC=(0.0, 0.2), S0=(0.01, 10.0))


def as_matrix(fit: dict) -> np.ndarray:
    return np.stack([fit[name] for name in ("ADC", "S0", "rss")])


def residual_sum(signals: np.ndarray, b: np.ndarray, fit: dict) -> np.ndarray:
    return ((signals - adc(b, fit["ADC"], fit["S0"])) ** 2).sum(axis=1)


@pytest.mark.parametrize("fit_s0", [True, False])
def test_parameters_of_noise_free_signals_are_recovered(fit_s0: bool, rng: np.random.Generator) -> None:
    ADC, S0 = rng.uniform(1e-4, 4.9e-3, 3000), 10 ** rng.uniform(-3, 4, 3000)
    fit = fit_adc(adc(B_VALUES, ADC, S0), B_VALUES, fit_s0=fit_s0)
    np.testing.assert_allclose(fit["ADC"], ADC, rtol=1e-7)
    np.testing.assert_allclose(fit["S0"], S0, rtol=1e-7)
    assert (fit["rss"] < 1e-12 * S0**2).all()


@pytest.mark.parametrize("bounds", [GENERAL, NARROW, WIDE], ids=str)
@pytest.mark.parametrize("snr", [10, 50])
def test_the_optimum_is_that_of_curve_fit(snr: int, bounds: AdcBounds) -> None:
    signals = simulate(300, snr, seed=snr).signals
    fit, reference = fit_adc(signals, B_VALUES, bounds), curve_fit_adc(signals, B_VALUES, bounds)
    best = residual_sum(signals, B_VALUES, reference)
    assert (fit["rss"] <= best * (1 + 1e-9)).all()
    # curve_fit stays a little off the bounds; where it gets nearly as low, it gets there at the same place.
    same = fit["rss"] >= best * (1 - 1e-5)
    assert same.mean() > 0.95
    np.testing.assert_allclose(fit["ADC"][same], reference["ADC"][same], rtol=0.01, atol=1e-6)
    np.testing.assert_allclose(fit["S0"][same], reference["S0"][same], rtol=0.01)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("rates", [(0.0, 5.0), (5.0, 200.0), (0.0, 200.0)], ids=str)
@pytest.mark.parametrize("amplitude", [(0.5, 2.5), (0.0, 1.0), (1.0, 1.0)], ids=str)
def test_no_rate_on_a_fine_grid_is_better(protocol: str, rates: tuple, amplitude: tuple, rng) -> None:
    b, counts = np.unique(PROTOCOLS[protocol] / 1000, return_counts=True)
    decays = np.exp(-np.outer(rng.uniform(*rates, 256), b)) + rng.normal(0, 0.03, (256, b.size))
    signals = np.concatenate([decays, rng.normal(0, 0.05, decays.shape), rng.normal(0.3, 1, decays.shape)])
    with np.errstate(all="ignore"):
        fit = MonoExponential(b, counts.astype(float), rates).fit(as_blocks(signals), amplitude)
    fine = np.unique([np.linspace(*rates, 2000), np.geomspace(rates[0] or 1e-3, rates[1], 2000)])
    curves = np.exp(-np.outer(fine, b))
    power, product = np.maximum(curves**2 @ counts, 1e-300), (signals * counts) @ curves.T
    A = np.clip(product / power, *amplitude)
    lowest = 0.5 * signals**2 @ counts + (A * (0.5 * A * power - product)).min(axis=1)
    worse = fit.half_rss > lowest * (1 + 1e-4) + 1e-12
    assert not worse[:256].any()
    # Noise alone can have many valleys.
    assert worse.mean() <= 0.01
    model = fit.amplitudes[:, None] * np.exp(-np.outer(fit.rates, b))
    np.testing.assert_allclose(0.5 * (signals - model) ** 2 @ counts, fit.half_rss, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bounds", [GENERAL, NARROW, PINNED, WIDE], ids=str)
@pytest.mark.parametrize("fit_s0", [True, False])
@pytest.mark.filterwarnings("error")
def test_bounds_hold_for_whatever_signal(
    protocol: str, bounds: AdcBounds, fit_s0: bool, rng: np.random.Generator
) -> None:
    b = PROTOCOLS[protocol]
    signals = nasty_signals(b, rng)
    fit = fit_adc(signals, b, bounds, fit_s0=fit_s0)
    usable = np.isfinite(fit["ADC"])
    assert usable.sum() > 150
    assert fit["ADC"][usable].min() >= bounds.ADC[0]
    assert fit["ADC"][usable].max() <= bounds.ADC[1]
    assert np.isfinite(as_matrix(fit)[:, usable]).all()
    assert np.isnan(as_matrix(fit)[:, ~usable]).all()
    lowest = signals[:, b == b.min()].mean(axis=1)
    bright = usable & (lowest > 0.2 * np.abs(signals).mean(axis=1))
    low, high = bounds.S0 if fit_s0 else (1, 1)
    assert (fit["S0"] >= low * lowest * (1 - 1e-9))[bright].all()
    assert (fit["S0"] <= high * lowest * (1 + 1e-9))[bright].all()


def test_signal_at_lowest_b_is_kept_when_it_is_not_fitted(rng: np.random.Generator) -> None:
    b = np.array([50, 50, 400, 800.0])
    signals = 200 * adc(b, np.full(50, 1e-3)) + rng.normal(0, 5, (50, b.size))
    fit = fit_adc(signals, b, fit_s0=False)
    np.testing.assert_allclose(fit["S0"], signals[:, :2].mean(axis=1), rtol=1e-12)
    assert (fit_adc(signals, b)["rss"] <= fit["rss"] * (1 + 1e-9)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_voxel_is_nan_and_leaves_the_others_alone(bad: float) -> None:
    signals = simulate(600, 20, seed=1).signals
    spoiled = signals.copy()
    spoiled[::7, 3] = bad
    spoiled[3], spoiled[4] = 0.0, -1.0
    fit, expected = as_matrix(fit_adc(spoiled, B_VALUES)), as_matrix(fit_adc(signals, B_VALUES))
    hit = np.isin(np.arange(600), [*range(0, 600, 7), 3, 4])
    assert np.isnan(fit[:, hit]).all()
    np.testing.assert_array_equal(fit[:, ~hit], expected[:, ~hit])


def test_result_is_the_same_for_any_threads_and_neighbours(rng: np.random.Generator) -> None:
    signals = np.concatenate([simulate(3000, 15, seed=2).signals, nasty_signals(B_VALUES, rng, 20)])
    one = as_matrix(fit_adc(signals, B_VALUES, workers=1))
    np.testing.assert_array_equal(as_matrix(fit_adc(signals, B_VALUES, workers=3)), one)
    order = rng.permutation(len(signals))
    np.testing.assert_allclose(as_matrix(fit_adc(signals[order], B_VALUES, workers=2)), one[:, order], rtol=1e-9)


def test_order_repeats_and_scale_of_the_samples_do_not_matter(rng: np.random.Generator) -> None:
    b = np.concatenate([B_VALUES, B_VALUES[::-1], B_VALUES[3:7]])
    signals = adc(b, np.full(200, 1e-3)) + rng.normal(0, 0.03, (200, b.size))
    order = rng.permutation(b.size)
    fit, other = fit_adc(signals, b), fit_adc(317 * signals[:, order], b[order])
    for name, scale in {"ADC": 1, "S0": 317, "rss": 317**2}.items():
        np.testing.assert_allclose(other[name], scale * fit[name], rtol=1e-8)
    np.testing.assert_allclose(fit["rss"], residual_sum(signals, b, fit), rtol=1e-9)


def test_types_of_scanner_data_are_taken() -> None:
    signals = np.round(1000 * simulate(50, 30, seed=3).signals)
    exact = as_matrix(fit_adc(signals, B_VALUES))
    np.testing.assert_array_equal(as_matrix(fit_adc(signals.astype(np.int16), B_VALUES)), exact)
    np.testing.assert_array_equal(as_matrix(fit_adc(signals.astype(np.float32), B_VALUES)), exact)
    assert as_matrix(fit_adc(signals[:0], B_VALUES)).shape == (3, 0)


@pytest.mark.parametrize(
    ("signals", "b", "says"),
    [
        (np.ones((2, 3)), [500, 500, 500], "All b-values are the same.*at least 2"),
        (np.ones((2, 4)), [0, 10, 100], "3 b-values do not go with 4 samples"),
        (np.ones(4), [0, 10, 100, 500], "one row for each voxel"),
        (np.ones((2, 2), complex), [0, 500], "expected real numbers"),
        (np.ones((2, 2)), [0, -500], "not negative"),
        (np.ones((2, 2)), [0, np.nan], "finite"),
    ],
)
@pytest.mark.parametrize("fit_s0", [True, False])
def test_bad_input_is_named(signals: np.ndarray, b: list, says: str, fit_s0: bool) -> None:
    with pytest.raises(InputError, match=says):
        fit_adc(signals, b, fit_s0=fit_s0)


def test_threads_below_one_are_refused() -> None:
    with pytest.raises(InputError, match="0 threads"):
        fit_adc(np.ones((1, 2)), [0, 500], workers=0)


def test_cancel_stops_all_threads_soon() -> None:
    signals = np.tile(simulate(2000, 20, seed=4).signals, (300, 1))
    assert_cancel_stops_all_threads_soon(lambda progress: fit_adc(signals, B_VALUES, progress=progress, workers=2))


def test_progress_rises_to_one_and_is_told_from_the_calling_thread() -> None:
    signals = np.tile(simulate(1000, 20, seed=5).signals, (100, 1))
    assert_progress_rises_to_one_in_the_calling_thread(
        lambda progress: fit_adc(signals, B_VALUES, progress=progress), "ADC"
    )
