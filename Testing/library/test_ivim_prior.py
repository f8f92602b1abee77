"""Priors learned from all voxels: they find the distribution behind the signals, and say little from few voxels."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.ivim_reference import B_VALUES, RANGES, simulate
from scipy.special import polygamma

from DeepMRILib.ivim import prior as prior_module
from DeepMRILib.ivim.bayes_noise import _inverse_trigamma, learn_noise
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.prior import Marginal, estimate_prior, flat_prior


def mass_within(marginal: Marginal, low: float, high: float) -> float:
    """The part of a density between two values, by its cumulated bins."""
    cumulated = np.concatenate([[0], np.cumsum(marginal.mass)])
    return float(np.diff(np.interp([low, high], marginal.edges, cumulated))[0])


def test_the_prior_lies_where_the_true_values_lie() -> None:
    data = simulate(2000, 20, seed=11)
    prior = estimate_prior(data.signals, data.b)
    flat = flat_prior(data.signals, data.b)
    for name, interval in RANGES.items():
        learned, before = (mass_within(getattr(which, name), *interval) for which in (prior, flat))
        assert learned > 0.85 > 0.75 > before
    # Nearer to the truth than what least squares scatters to.
    fit = fit_biexp(data.signals, data.b)
    for name, (low, high) in RANGES.items():
        scattered = np.mean((fit[name] >= low) & (fit[name] <= high))
        assert mass_within(getattr(prior, name), low, high) > scattered


def test_two_kinds_of_tissue_are_told_apart() -> None:
    rng = np.random.default_rng(3)
    f = np.where(rng.random(2000) < 0.5, 0.1, 0.5)
    signals = biexp(B_VALUES, 1e-3, f, 0.05) + rng.normal(0, 0.02, (2000, 11))
    prior = estimate_prior(signals, B_VALUES).f
    assert mass_within(prior, 0.03, 0.17) > 0.4
    assert mass_within(prior, 0.43, 0.57) > 0.4
    assert mass_within(prior, 0.2, 0.4) < 0.1


def test_noise_is_found_with_its_spread() -> None:
    prior = flat_prior(simulate(3000, 25, seed=12).signals, B_VALUES)
    assert np.sqrt(prior.noise.s2) == pytest.approx(1 / 25, rel=0.05)
    assert prior.noise.nu0 > 50
    rng = np.random.default_rng(4)
    sd = np.sqrt(0.03**2 * 6 / rng.chisquare(6, 3000))  # scaled inverse chi-square of 6 degrees of freedom
    signals = biexp(B_VALUES, 1e-3, np.full(3000, 0.3), 0.03) + sd[:, None] * rng.normal(size=(3000, 11))
    noise = flat_prior(signals, B_VALUES).noise
    assert 4 < noise.nu0 < 9
    assert np.sqrt(noise.s2) == pytest.approx(0.03, rel=0.1)


def test_noise_of_an_image_is_absolute_and_that_of_normalised_signals_relative() -> None:
    rng = np.random.default_rng(5)
    S0 = rng.uniform(100, 1000, 1000)
    curves = biexp(B_VALUES, 1e-3, np.full(1000, 0.2), 0.05, S0)
    image = flat_prior(curves + rng.normal(0, 5, curves.shape), B_VALUES).noise
    assert not image.relative
    assert np.sqrt(image.s2) == pytest.approx(5, rel=0.05)
    assert image.levels[50] == pytest.approx(np.median(5 / S0), rel=0.1)
    normalised = flat_prior(curves * (1 + rng.normal(0, 1e-9, curves.shape)) + 0.02 * S0[:, None]
                            * rng.normal(size=curves.shape), B_VALUES).noise  # fmt: skip
    assert normalised.relative
    assert np.sqrt(normalised.s2) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("value", [1e-3, 0.1, 1.0, 20.0])
def test_inverse_of_trigamma(value: float) -> None:
    assert polygamma(1, _inverse_trigamma(value)) == pytest.approx(value, rel=1e-8)


def test_few_voxels_share_little() -> None:
    one = learn_noise(np.array([4e-4]), np.array([7.0]), np.ones(1))
    assert one.nu0 == 0
    few = learn_noise(np.full(3, 4e-4), np.full(3, 7.0), np.ones(3))
    assert few.nu0 <= 21


def test_one_voxel_teaches_little_and_damaged_ones_nothing() -> None:
    data = simulate(40, 20, seed=13)
    flat = flat_prior(data.signals, data.b)
    one = estimate_prior(data.signals[:1], data.b)
    nothing = estimate_prior(np.full((4, 11), np.nan), data.b)
    for name in RANGES:
        known = getattr(flat, name)
        assert np.abs(getattr(one, name).mass - known.mass).sum() < 0.15
        np.testing.assert_allclose(getattr(nothing, name).mass, known.mass, atol=0.03)


def test_samples_follow_the_densities_and_the_bounds() -> None:
    bounds = Bounds(D=(0.0, 0.01), D_star=(0.004, 0.3))
    prior = flat_prior(simulate(200, 20, seed=14).signals, B_VALUES, bounds)
    found = prior.sample(40_000, np.random.default_rng(6))
    assert set(found) == {"D", "f", "D_star", "noise"}
    assert (found["D_star"] > found["D"]).all()
    for name in ("D", "f", "D_star"):
        low, high = getattr(bounds, name)
        assert found[name].min() >= low
        assert found[name].max() <= high
        assert found[name].mean() == pytest.approx((low + high) / 2, rel=0.03)
    assert np.median(found["noise"]) == pytest.approx(0.05, rel=0.15)
    again = prior.sample(40_000, np.random.default_rng(6))
    np.testing.assert_array_equal(found["D"], again["D"])


def test_samples_keep_a_rare_tissue_whose_parameters_go_together() -> None:
    rng = np.random.default_rng(8)
    rare = rng.random(4000) < 0.04
    D, f, D_star = (np.where(rare, *values) for values in ((2e-3, 1e-3), (0.1, 0.45), (0.03, 0.08)))
    prior = estimate_prior(biexp(B_VALUES, D, f, D_star) + rng.normal(0, 0.02, (4000, 11)), B_VALUES)
    assert prior.weights.sum() == pytest.approx(1)
    assert prior.weights[0] >= 0.05  # of the flat class
    found = prior.sample(40_000, np.random.default_rng(9))
    alike = (np.abs(found["D"] - 2e-3) < 5e-4) & (np.abs(found["f"] - 0.1) < 0.1)
    assert 0.03 < alike.mean() < 0.06
    assert np.median(found["D_star"][alike]) == pytest.approx(0.03, rel=0.25)


def test_many_alike_voxels_are_one_class_and_the_overall_density_is_that_of_all() -> None:
    data = simulate(2000, 50, seed=16)
    prior = estimate_prior(data.signals, data.b)
    assert len(prior.classes) <= 3
    expected = sum(weight * kind.f.mass for weight, kind in zip(prior.weights, prior.classes, strict=True))
    np.testing.assert_allclose(prior.f.mass, expected)
    place = (np.array([1e-3]), np.array([0.3]), np.log([0.05]))
    parts = [
        weight * np.exp(kind.D.log_density(place[0]) + kind.f.log_density(place[1]) + kind.D_star.log_density(place[2]))
        for weight, kind in zip(prior.weights, prior.classes, strict=True)
    ]
    np.testing.assert_allclose(np.exp(prior.log_density(*place)), sum(parts))


def test_the_same_seed_gives_the_same_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prior_module, "SUBSET", 800)  # the seed chooses the voxels where there are more
    signals = simulate(1600, 20, seed=15).signals
    one, other, third = (estimate_prior(signals, B_VALUES, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.D_star.mass, other.D_star.mass)
    assert not np.array_equal(one.D_star.mass, third.D_star.mass)
    assert np.abs(one.D_star.mass - third.D_star.mass).sum() < 0.5
