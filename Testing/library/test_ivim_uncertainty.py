"""Standard deviations of least-squares fits: their scatter, their coverage, and parameters on a bound."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.ivim_reference import B_VALUES, simulate

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import AdcBounds, Bounds, TriexpBounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import BIEXP_PARAMETERS, MODELS, biexp
from DeepMRILib.ivim.uncertainty import biexp_sd, parameter_sd

TRUTH = {
    "adc": ({"ADC": 1.2e-3, "S0": 100.0}, AdcBounds()),
    "biexp": ({"D": 1e-3, "f": 0.3, "D_star": 0.03, "S0": 100.0}, Bounds()),
    "triexp": ({"D": 1e-3, "f1": 0.2, "D_star1": 0.02, "f2": 0.2, "D_star2": 0.5, "S0": 100.0}, TriexpBounds()),
}
MANY_B = np.concatenate([np.linspace(0, 10, 20), np.linspace(15, 200, 20), np.linspace(250, 1000, 20)])


@pytest.mark.parametrize("name", TRUTH)
def test_standard_deviations_match_the_scatter_of_linearised_fits(name: str) -> None:
    """With little noise a fit moves by J's pseudo-inverse times the noise: its scatter is known without a fit."""
    model, (truth, bounds) = MODELS[name], TRUTH[name]
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1e-3, (4000, MANY_B.size))
    jacobian = model.jacobian(MANY_B, *truth.values())
    shifts = noise @ np.linalg.pinv(jacobian).T
    residual = noise - shifts @ jacobian.T
    fit = {key: value + shifts[:, k] for k, (key, value) in enumerate(truth.items())}
    sd = parameter_sd(model, {**fit, "rss": (residual**2).sum(axis=1)}, MANY_B, bounds)
    for key in truth:
        assert np.median(sd[f"{key}_sd"]) == pytest.approx(np.std(fit[key]), rel=0.05)
        assert np.mean(np.abs(fit[key] - truth[key]) <= sd[f"{key}_sd"]) == pytest.approx(0.68, abs=0.03)


def test_pooled_noise_mends_the_coverage_of_short_series() -> None:
    data = simulate(6000, 50, seed=21)
    fit = fit_biexp(data.signals, data.b)
    own, pooled = (biexp_sd(fit, data.b, pool=pool) for pool in (False, True))
    for name, truth in data.truth.items():
        alone, together = (np.mean(np.abs(fit[name] - truth) <= sd[f"{name}_sd"]) for sd in (own, pooled))
        assert alone < 0.665 < together < 0.70


def test_pooling_leaves_noise_that_differs_where_it_is() -> None:
    rng = np.random.default_rng(2)
    level = np.repeat([1.0, 20.0], 500)[:, None]
    b = np.tile(B_VALUES, 4)
    signals = biexp(b, 1e-3, 0.3, 0.03, 1000) + level * rng.normal(size=(1000, b.size))
    fit = fit_biexp(signals, b)
    own, pooled = (biexp_sd(fit, b, pool=pool)["f_sd"] for pool in (False, True))
    for half in (slice(0, 500), slice(500, 1000)):
        assert np.nanmedian(pooled[half] / own[half]) == pytest.approx(1, abs=0.1)


def test_standard_deviations_of_parameters_at_bounds_or_fixed_are_nan() -> None:
    fit = {"D": [1e-3] * 4, "f": [0.2, 0.7, 0.0, np.nan], "D_star": [0.2, 0.03, 0.03, 0.03], "S0": [1.0] * 4}
    fit = {name: np.array(values) for name, values in {**fit, "rss": [1e-3] * 4}.items()}
    for pool in (False, True):
        sd = biexp_sd(fit, B_VALUES, pool=pool)
        assert np.isnan(sd["D_star_sd"]).tolist() == [True, False, True, True]
        assert np.isnan(sd["f_sd"]).tolist() == [False, True, True, True]
        assert np.isfinite(sd["D_sd"]).tolist() == [True, True, True, False]
    assert np.isnan(biexp_sd(fit, B_VALUES, fit_s0=False)["S0_sd"]).all()


def test_fractions_that_leave_no_tissue_are_at_a_bound() -> None:
    truth, bounds = TRUTH["triexp"]
    fit = {name: np.array([value] * 2) for name, value in truth.items()}
    fit |= {"f1": np.array([0.4, 0.4]), "f2": np.array([0.6, 0.5]), "rss": np.array([1.0, 1.0])}
    sd = parameter_sd(MODELS["triexp"], fit, MANY_B, bounds)
    assert np.isnan(sd["f2_sd"]).tolist() == [True, False]
    assert np.isfinite(sd["f1_sd"]).all()


def test_no_more_samples_than_parameters_say_nothing_of_the_noise() -> None:
    b = B_VALUES[[0, 3, 6, 9]]
    fit = fit_biexp(biexp(b, [1e-3], 0.3, 0.03), b)
    for pool in (False, True):
        assert all(np.isnan(biexp_sd(fit, b, pool=pool)[f"{name}_sd"]).all() for name in BIEXP_PARAMETERS)
    with pytest.raises(InputError, match="b-values have shape"):
        biexp_sd(fit, [])
