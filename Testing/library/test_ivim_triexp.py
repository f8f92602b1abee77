"""Tri-exponential fits, full and segmented: the optimum, the bounds, and signals that nobody planned for."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.bench_triexp import curve_fit_triexp, rss, simulated

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.bounds import TRIEXP_SPLITS, TriexpBounds
from DeepMRILib.ivim.models import TRIEXP_PARAMETERS, triexp
from DeepMRILib.ivim.triexp import fit_triexp
from DeepMRILib.ivim.triexp_segmented import fit_triexp_segmented

B = np.array([0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 600, 700], dtype=float)
TRUTH = {
    "D": np.array([1.0e-3, 1.5e-3, 2.0e-3]),
    "f1": np.array([0.10, 0.20, 0.15]),
    "D_star1": np.array([0.02, 0.03, 0.04]),
    "f2": np.array([0.10, 0.15, 0.25]),
    "D_star2": np.array([0.5, 1.0, 2.0]),
    "S0": np.array([300.0, 300.0, 300.0]),
}
SILLY = TriexpBounds(
    D=(0.8e-3, 1.2e-3), f1=(0.2, 0.3), D_star1=(0.01, 0.02), f2=(0.1, 0.2), D_star2=(0.3, 0.5), S0=(1.1, 1.3)
)


def segmented(signals: np.ndarray, b: np.ndarray, bounds: TriexpBounds | None = None, **given) -> dict:
    return fit_triexp_segmented(signals, b, bounds, splits=TRIEXP_SPLITS, **given)


FITS = pytest.mark.parametrize("fit", [fit_triexp, segmented])


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    b, signals, _, _ = simulated(60, 30, seed=3)
    return signals, b


def test_noise_free_signals_give_their_parameters_back() -> None:
    found = fit_triexp(triexp(B, **TRUTH), B)
    for name, known in TRUTH.items():
        assert np.allclose(found[name], known, rtol=0.01), name
    assert (found["rss"] < 1e-3).all()


def test_a_segmented_fit_finds_compartments_that_lie_far_apart() -> None:
    b = np.array([0, 1, 2, 4, 20, 40, 60, 80, 300, 500, 800], dtype=float)
    apart = TRUTH | {"D_star1": np.full(3, 0.04), "D_star2": np.full(3, 2.0)}
    found = fit_triexp_segmented(triexp(b, **apart), b, splits=(20, 300))
    for name, known in apart.items():
        assert np.allclose(found[name], known, rtol=0.02), name


def test_the_sum_of_squares_is_no_larger_than_that_of_curve_fit(noisy) -> None:
    signals, b = noisy
    reference = rss(curve_fit_triexp(signals, b), signals, b)
    ours = fit_triexp(signals, b)
    assert np.allclose(ours["rss"], rss(ours, signals, b), rtol=1e-6)
    assert (ours["rss"] <= reference * (1 + 1e-3)).mean() > 0.98
    assert np.median(ours["rss"] / reference) <= 1 + 1e-6


@FITS
@pytest.mark.parametrize("bounds", [TriexpBounds(), SILLY])
@pytest.mark.parametrize("fit_s0", [True, False])
def test_nothing_leaves_its_bounds(fit, bounds: TriexpBounds, fit_s0: bool) -> None:
    signals = np.random.default_rng(4).normal(1, 1, (200, B.size))
    found = fit(signals, B, bounds, fit_s0=fit_s0)
    usable = np.isfinite(found["D"])
    assert usable.mean() > 0.9
    for name in TRIEXP_PARAMETERS[:-1]:
        low, high = bounds.as_dict()[name]
        values = found[name][usable]
        assert ((values >= low - 1e-10) & (values <= high + 1e-10)).all(), name
    assert (found["f1"][usable] + found["f2"][usable] <= 1 + 1e-10).all()
    assert (found["D_star1"][usable] > found["D"][usable]).all()


@FITS
def test_order_repeats_and_scale_do_not_matter(fit, noisy) -> None:
    signals, b = noisy
    plain = fit(signals, b)
    order = np.random.default_rng(5).permutation(np.repeat(np.arange(b.size), 2))
    mixed = fit(7e4 * signals[:, order], b[order])
    for name in TRIEXP_PARAMETERS[:-1]:
        close = np.isclose(mixed[name], plain[name], rtol=1e-3, atol=1e-6)
        assert close.mean() > 0.95, name  # two valleys of one depth may change places
    assert np.allclose(mixed["S0"], 7e4 * plain["S0"], rtol=1e-3)


@FITS
def test_voxels_do_not_depend_on_each_other(fit, noisy) -> None:
    signals, b = noisy
    together = fit(signals, b, workers=2)
    alone = fit(signals[17:18], b, workers=1)
    for name in TRIEXP_PARAMETERS:
        assert together[name][17] == pytest.approx(alone[name][0], rel=1e-6)


@FITS
def test_damaged_signals_are_nan_and_harm_no_other(fit, noisy) -> None:
    signals, b = noisy
    damaged = signals.copy()
    damaged[0, 3], damaged[1, 0], damaged[2] = np.nan, np.inf, -1.0
    found = fit(damaged, b)
    for name in (*TRIEXP_PARAMETERS, "rss"):
        assert np.isnan(found[name][:3]).all()
        assert np.array_equal(found[name][3:], fit(signals, b)[name][3:])


@FITS
def test_a_fit_can_be_stopped(fit) -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        fit(np.ones((1000, B.size)), B, progress=stop)


def test_too_few_b_values_are_refused() -> None:
    with pytest.raises(InputError, match="needs at least 6"):
        fit_triexp(np.ones((2, 5)), [0, 10, 50, 200, 800])


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ((120, 15), "two ascending"),
        ((0, 100), "two ascending"),
        ((1, 100), "below 1"),
        ((15, 16), "from 15 to 16"),
        ((15, 700), "at or above 700"),
    ],
)
def test_splits_that_leave_too_few_b_values_are_refused(splits: tuple[float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_triexp_segmented(np.ones((2, B.size)), B, splits=splits)
