"""Tri-exponential fits, full and segmented: the optimum, the bounds, and signals that nobody planned for."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from benchmarks.bench_triexp import START, curve_fit_triexp, rss, simulated
from scipy.optimize import minimize

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.bounds import BODY_PARTS, TriexpBounds
from DeepMRILib.ivim.models import TRIEXP_PARAMETERS, triexp
from DeepMRILib.ivim.triexp import fit_triexp
from DeepMRILib.ivim.triexp_amplitudes import PAIRS, Polytope
from DeepMRILib.ivim.triexp_descent import minimum_in_box
from DeepMRILib.ivim.triexp_rates import SYMMETRIC, TriexpProblem
from DeepMRILib.ivim.triexp_segmented import fit_triexp_segmented
from DeepMRILib.ivim.varpro import BLOCK, as_blocks

B = np.array([0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 600, 700], dtype=float)
RANGES = {"D": (0.5e-3, 3e-3), "f1": (0.05, 0.3), "D_star1": (0.01, 0.05), "f2": (0.05, 0.3), "D_star2": (0.2, 4.0)}

SILLY = TriexpBounds(
    D=(0.8e-3, 1.2e-3), f1=(0.2, 0.3), D_star1=(0.01, 0.02), f2=(0.1, 0.2), D_star2=(0.3, 0.5), S0=(1.1, 1.3)
)
BOUNDS = {
    "default": TriexpBounds(),
    "silly": SILLY,
    "touching": TriexpBounds(D=(0.0, 0.01), D_star1=(0.01, 0.05), D_star2=(0.05, 5.0), S0=(0.1, 5.0)),
    "no tissue left": TriexpBounds(f1=(0.7, 1.0), f2=(0.3, 1.0)),
    "nearly no tissue left": TriexpBounds(f1=(0.9, 0.95), f2=(0.1, 0.1)),
    "pinned": TriexpBounds(D=(1e-3, 1e-3), f1=(0.2, 0.2), D_star1=(0.02, 0.02), f2=(0.1, 0.1), D_star2=(0.5, 0.5)),
    "pinned and touching": TriexpBounds(D=(0.01, 0.01), D_star1=(0.01, 0.06), D_star2=(0.06, 0.06)),
    "from zero": TriexpBounds(D=(0.0, 0.0), D_star1=(0.0, 0.06)),
    "thin": TriexpBounds(f1=(0.2, 0.2 + 1e-9), f2=(0.3, 0.3 + 1e-7)),
}
PROTOCOLS = {
    "eighteen": (B, (15, 120)),
    "six": (np.array([0, 20, 60, 150, 400, 800.0]), (50, 200)),
    "without b = 0": (np.array([10, 20, 50, 100, 200, 400, 800.0]), (30, 150)),
    "repeated and unordered": (np.array([700, 0, 0, 20, 300, 50, 50, 5, 100, 1, 1.0]), (10, 80)),
    "low b only": (np.array([0, 0, 1, 2, 3, 4, 5.0]), (2, 4)),
    "high b only": (np.array([0, 1000, 2000, 3000, 4000, 5000.0]), (1500, 3500)),
}


def segmented(signals: np.ndarray, b: np.ndarray, bounds: TriexpBounds | None = None, **given) -> dict:
    return fit_triexp_segmented(signals, b, bounds, splits=given.pop("splits", (15, 120)), **given)


def full(signals: np.ndarray, b: np.ndarray, bounds: TriexpBounds | None = None, **given) -> dict:
    given.pop("splits", None)
    return fit_triexp(signals, b, bounds, **given)


FITS = pytest.mark.parametrize("fit", [full, segmented])


def as_matrix(fit: dict) -> np.ndarray:
    return np.stack([fit[name] for name in (*TRIEXP_PARAMETERS, "rss")])


def nasty_signals(b: np.ndarray, rng: np.random.Generator, n: int = 40) -> np.ndarray:
    """Flat, rising, single, negative, mono-exponential, huge, tiny and random signals, (m, n_b)."""
    q = b.size
    first = np.zeros(q)
    first[0] = 1
    shapes = [np.zeros(q), np.ones(q), -np.ones(q), np.linspace(0.1, 1, q), first, 1 - first, 5 - 6 * first]
    shapes += [np.exp(-b * rate) for rate in (1e-4, 1e-3, 5e-3, 0.01, 0.05, 0.06, 0.5, 5.0)]
    shapes += [scale * np.exp(-b * 1e-3) for scale in (1e-150, 1e-30, 1e30, 1e150, 1e300)]
    shapes += [rng.normal(mean, 1, q) for mean in (0, 0.3) for _ in range(n)]
    shapes += [10 ** rng.uniform(-6, 6, q) for _ in range(n)]
    return np.array(shapes)


@pytest.fixture(scope="module")
def noisy() -> tuple[np.ndarray, np.ndarray]:
    b, signals, _, _ = simulated(60, 30, seed=3)
    return signals, b


def test_noise_free_signals_give_their_parameters_back(rng: np.random.Generator) -> None:
    truth = {name: rng.uniform(*interval, 500) for name, interval in RANGES.items()}
    S0 = 10 ** rng.uniform(-3, 4, 500)
    found = fit_triexp(triexp(B, **truth, S0=S0), B)
    for name, known in {**truth, "S0": S0}.items():
        error = np.abs(found[name] / known - 1)
        assert np.median(error) < 1e-5, name
        assert np.mean(error < 0.01) > 0.98, name
    assert (found["rss"] < 1e-7 * S0**2).all()


def test_a_segmented_fit_finds_compartments_that_lie_far_apart() -> None:
    b = np.array([0, 1, 2, 4, 20, 40, 60, 80, 300, 500, 800], dtype=float)
    apart = {"D": [1e-3, 2e-3], "f1": [0.1, 0.2], "D_star1": [0.04] * 2, "f2": [0.1, 0.25], "D_star2": [2.0] * 2}
    found = fit_triexp_segmented(triexp(b, **apart, S0=300), b, splits=(20, 300))
    for name, known in apart.items():
        np.testing.assert_allclose(found[name], known, rtol=0.02, err_msg=name)
    np.testing.assert_allclose(found["S0"], 300, rtol=1e-3)


@pytest.mark.parametrize("snr", [15, 50])
def test_the_sum_of_squares_is_no_larger_than_the_best_of_several_curve_fits(snr: int) -> None:
    b, signals, truth, _ = simulated(40, snr, seed=snr)
    starts = [START, *({**START, "D_star1": slow, "D_star2": fast} for slow in (0.01, 0.05) for fast in (0.08, 1.0))]
    reference = np.min([rss(curve_fit_triexp(signals, b, start), signals, b) for start in starts], axis=0)
    ours = fit_triexp(signals, b)
    np.testing.assert_allclose(ours["rss"], rss(ours, signals, b), rtol=1e-9)
    assert (ours["rss"] <= reference * (1 + 1e-4)).mean() > 0.96
    assert np.median(ours["rss"] / reference) <= 1 + 1e-6
    assert (ours["rss"] <= rss({**truth, "S0": 1.0}, signals, b)).all()
    assert (segmented(signals, b)["rss"] >= ours["rss"] * (1 - 1e-4)).all()


@FITS
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize("fit_s0", [True, False])
@pytest.mark.filterwarnings("error")
def test_bounds_hold_for_whatever_signal(
    fit, protocol: str, bounds: TriexpBounds, fit_s0: bool, rng: np.random.Generator
) -> None:
    b, splits = PROTOCOLS[protocol]
    found = fit(nasty_signals(b, rng), b, bounds, fit_s0=fit_s0, splits=splits)
    usable = np.isfinite(found["D"])
    assert usable.sum() > 70
    assert np.isfinite(as_matrix(found)[:, usable]).all()
    assert np.isnan(as_matrix(found)[:, ~usable]).all()
    for name in TRIEXP_PARAMETERS[:-1]:
        low, high = bounds.as_dict()[name]
        assert found[name][usable].min() >= low, name
        assert found[name][usable].max() <= high, name
    assert (found["f1"] + found["f2"])[usable].max() <= 1
    assert (found["D_star1"] > found["D"])[usable].all()
    assert (found["D_star2"] > found["D_star1"])[usable].all()


@FITS
@pytest.mark.parametrize("fit_s0", [True, False])
def test_s0_keeps_its_bounds_relative_to_the_lowest_b(fit, fit_s0: bool, noisy) -> None:
    signals, b = noisy
    found = fit(500 * signals, b, TriexpBounds(S0=(0.9, 1.05)), fit_s0=fit_s0)
    relative = found["S0"] / (500 * signals[:, 0])
    low, high = (0.9, 1.05) if fit_s0 else (1.0, 1.0)
    assert relative.min() >= low - 1e-12
    assert relative.max() <= high + 1e-12


@FITS
def test_a_compartment_without_a_fraction_has_the_lowest_rate(fit) -> None:
    rising = np.linspace(1, 2, B.size)
    only_tissue = fit([rising], B)
    assert [only_tissue[name][0] for name in ("f1", "f2", "D_star1", "D_star2")] == [0, 0, 0.008, 0.06]
    no_tissue = fit([rising], B, TriexpBounds(D=(1e-4, 5e-3), f1=(0.5, 1.0), f2=(0.5, 1.0)))
    assert no_tissue["f1"][0] + no_tissue["f2"][0] == 1
    assert no_tissue["D"][0] == 1e-4


@FITS
def test_order_repeats_and_scale_of_the_samples_do_not_matter(fit, rng: np.random.Generator) -> None:
    b = np.concatenate([B, B[::-1], B[3:7]])
    truth = {name: rng.uniform(*interval, 100) for name, interval in RANGES.items()}
    signals = triexp(b, **truth) + rng.normal(0, 0.02, (100, b.size))
    order = rng.permutation(b.size)
    plain, other = fit(signals, b), fit(317 * signals[:, order], b[order])
    for name, scale in {**dict.fromkeys(RANGES, 1), "S0": 317, "rss": 317**2}.items():
        np.testing.assert_allclose(other[name], scale * plain[name], rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(plain["rss"], rss(plain, signals, b), rtol=1e-9)


@FITS
def test_result_is_the_same_for_any_threads_and_neighbours(fit, noisy, rng: np.random.Generator) -> None:
    signals, b = np.concatenate([np.tile(noisy[0], (20, 1)), nasty_signals(B, rng, 10)]), noisy[1]
    one = as_matrix(fit(signals, b, workers=1))
    np.testing.assert_array_equal(as_matrix(fit(signals, b, workers=3)), one)
    order = rng.permutation(len(signals))
    np.testing.assert_allclose(as_matrix(fit(signals[order], b, workers=2)), one[:, order], rtol=1e-9)
    alone = as_matrix(fit(signals[17:18], b))
    np.testing.assert_allclose(alone[:, 0], one[:, 17], rtol=1e-9)


@FITS
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_voxel_is_nan_and_leaves_the_others_alone(fit, bad: float, noisy) -> None:
    signals, b = noisy
    spoiled = signals.copy()
    spoiled[::7, 3] = bad
    spoiled[1], spoiled[2] = 0.0, -1.0
    hit = np.isin(np.arange(len(signals)), [*range(0, len(signals), 7), 1, 2])
    found = as_matrix(fit(spoiled, b))
    assert np.isnan(found[:, hit]).all()
    np.testing.assert_array_equal(found[:, ~hit], as_matrix(fit(signals, b))[:, ~hit])


@FITS
def test_types_of_scanner_data_are_taken(fit, noisy) -> None:
    signals, b = np.round(1000 * noisy[0]), noisy[1]
    exact = as_matrix(fit(signals, b))
    np.testing.assert_array_equal(as_matrix(fit(signals.astype(np.int16), b)), exact)
    np.testing.assert_array_equal(as_matrix(fit(signals.astype(np.float32), b)), exact)
    assert as_matrix(fit(signals[:0], b)).shape == (7, 0)


@FITS
def test_progress_rises_and_cancel_leaves_no_thread(fit, noisy) -> None:
    signals, b = np.tile(noisy[0], (1500, 1)), noisy[1]
    told: list[float] = []

    def cancel(fraction: float, message: str) -> None:
        told.append(fraction)
        assert threading.current_thread() is threading.main_thread()
        if len(told) == 2:
            told.append(time.perf_counter())
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(signals, b, progress=cancel, workers=2)
    assert time.perf_counter() - told.pop() < 10  # a chunk is about 1 s on a core of its own
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ivim")]
    told.clear()
    fit(noisy[0], b, progress=lambda fraction, message: told.append(fraction))
    assert told[0] == 0
    assert told[-1] == 1
    assert sorted(told) == told


@pytest.mark.parametrize(
    ("b", "fit_s0", "says"),
    [
        ([0, 10, 50, 200, 800], True, "5 distinct b-values.*needs at least 6"),
        ([0, 10, 10, 200, 800], False, "4 distinct b-values.*needs at least 5"),
        ([0, 10, 50, 200], True, "4 b-values do not go with 5 samples"),
        ([0, 10, 50, 200, -800], True, "not negative"),
    ],
)
def test_b_values_that_do_not_suffice_are_named(b: list, fit_s0: bool, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_triexp(np.ones((2, 5)), b, fit_s0=fit_s0)


def test_five_b_values_suffice_without_s0() -> None:
    b = np.array([0, 5, 40, 200, 800.0])
    found = fit_triexp([triexp(b, 1e-3, 0.2, 0.03, 0.1, 0.5)], b, fit_s0=False)
    assert found["rss"][0] < 1e-12
    assert found["S0"][0] == pytest.approx(1)


@FITS
def test_threads_below_one_are_refused(fit, noisy) -> None:
    with pytest.raises(InputError, match="0 threads"):
        fit(*noisy, workers=0)


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"f1": (0.0, 1.2)}, "cannot exceed 1"),
        ({"f1": (0.6, 1.0), "f2": (0.5, 1.0)}, "together at most 1"),
        ({"D": (0.0, 0.02)}, "must not overlap"),
        ({"D_star1": (0.06, 0.06), "D_star2": (0.06, 0.06)}, "no room for D_star2 above D_star1"),
    ],
)
def test_bounds_that_cannot_be_are_named(bounds: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        TriexpBounds(**bounds)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ((120, 15), "two ascending"),
        ((0, 100), "two ascending"),
        ((15, np.nan), "two ascending"),
        ((1, 100), "below 1"),
        ((15, 16), "from 15 to 16"),
        ((15, 700), "at or above 700"),
    ],
)
def test_splits_that_leave_too_few_b_values_are_refused(splits: tuple[float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_triexp_segmented(np.ones((2, B.size)), B, splits=splits)


def test_splits_of_every_body_part_suit_the_published_protocol(noisy) -> None:
    for part in BODY_PARTS.values():
        assert np.isfinite(segmented(*noisy, part.triexp, splits=part.triexp_splits)["D"]).all()


@pytest.mark.parametrize("fit_s0", [True, False])
@pytest.mark.parametrize("bounds", [BOUNDS[name] for name in ("default", "silly", "no tissue left", "pinned")])
def test_amplitudes_are_the_best_in_the_bounds(bounds: TriexpBounds, fit_s0: bool, rng: np.random.Generator) -> None:
    """Against scipy's quadratic programs."""
    n, S0 = 25, bounds.S0 if fit_s0 else (1.0, 1.0)
    e = np.exp(-B * np.stack([rng.uniform(0, 5e-3, n), rng.uniform(0.008, 0.06, n), rng.uniform(0.1, 5, n)])[..., None])
    y = rng.uniform(0, 1.2, (n, B.size)) * np.exp(-B * 1e-3)
    matrix, target = np.stack([(e[j] * e[k]).sum(axis=1) for j, k in PAIRS]), (e * y).sum(axis=2)
    best = Polytope(bounds.f1, bounds.f2, S0).best(matrix, target)
    limits = [
        (lambda x, k=k, side=side, end=end: side * (x[k] - end * x.sum()))
        for k, interval in ((1, bounds.f1), (2, bounds.f2)) for side, end in zip((1, -1), interval, strict=True)
    ]  # fmt: skip
    limits += [lambda x: x[0], lambda x: x.sum() - S0[0], lambda x: S0[1] - x.sum()]
    for i in range(n):
        assert min(limit(best.values[:, i]) for limit in limits) > -1e-9
        H = matrix[SYMMETRIC, i]
        reference = minimize(
            lambda x, H=H, y=target[:, i]: 0.5 * x @ H @ x - y @ x, best.values[:, i] + rng.normal(0, 0.1, 3),
            constraints=[{"type": "ineq", "fun": limit} for limit in limits], options={"ftol": 1e-12},
        )  # fmt: skip
        if reference.success and min(limit(reference.x) for limit in limits) > -1e-9:
            assert best.cost[i] <= reference.fun + 1e-8


def test_minimum_in_a_box_is_the_lowest(rng: np.random.Generator) -> None:
    n = 100
    root = rng.normal(size=(n, 3, 3))
    H, g = root @ root.transpose(0, 2, 1) + 0.01 * np.eye(3), rng.normal(size=(n, 3))
    low, high = -rng.exponential(0.3, (n, 3)), rng.exponential(0.3, (n, 3))
    low[::3, 0] = high[::4, 1] = 0  # already at a side
    steps, values = minimum_in_box(H.transpose(1, 2, 0), g.T, low.T, high.T)
    for i in range(n):
        reference = minimize(
            lambda s, i=i: g[i] @ s + 0.5 * s @ H[i] @ s, np.zeros(3), jac=lambda s, i=i: g[i] + H[i] @ s,
            bounds=list(zip(low[i], high[i], strict=True)), method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-10},
        )  # fmt: skip
        assert values[i] == pytest.approx(reference.fun, abs=1e-7)
        np.testing.assert_allclose(steps[:, i], reference.x, atol=1e-3)


def test_derivatives_of_the_reduced_problem_are_exact(rng: np.random.Generator) -> None:
    problem = TriexpProblem(B / 1000, np.ones(B.size), Polytope((0, 1), (0, 1), (0.7, 1.3)))
    truth = {name: rng.uniform(*interval, BLOCK) for name, interval in RANGES.items()}
    signals = as_blocks(triexp(B, **truth) + rng.normal(0, 0.02, (BLOCK, B.size)))
    rates = 1000 * np.stack([truth["D"], truth["D_star1"], truth["D_star2"]]) * np.exp(rng.normal(0, 0.1, (3, BLOCK)))
    here = problem.evaluate(signals, rates)
    for k in range(3):
        ahead, behind = (rates.copy() for _ in range(2))
        for moved, h in ((ahead, 1e-5), (behind, -1e-5)):
            moved[k] = moved[k] + h if k == 0 else moved[k] * np.exp(h)
        ahead, behind = problem.evaluate(signals, ahead), problem.evaluate(signals, behind)
        np.testing.assert_allclose((ahead.cost - behind.cost) / 2e-5, here.gradient[k], atol=1e-7)
        slopes = (ahead.gradient - behind.gradient) / 2e-5
        # Where F is not convex the Hessian is Gauss-Newton's instead: about a third of these places.
        exact = np.abs(slopes - here.hessian[SYMMETRIC[k]]).max(axis=0) < 1e-6
        assert exact.mean() > 0.4
