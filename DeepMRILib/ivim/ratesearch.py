"""Newton steps inside the box of the bounds, to the rates (D, D*) that minimise the reduced problem of ``varpro``.

Units as in ``varpro``: b in ms/um2, rates in um2/ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.batches import UNIT
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.varpro import Interval, Point, ReducedProblem

RATIO = 1.0001
"""D* is kept at least this many times D: the two are then told apart, at no cost in the sum of squares that matters."""

TOLERANCE = 1e-6
"""A voxel is done when the next step promises to lower its sum of squares by less than this fraction,"""

FLOOR = 1e-14
"""or by less than this fraction of the sum of its squared signals, which is where rounding begins."""


class Box(NamedTuple):
    """Lowest and highest D (1) and D* (2), such that every D has a D* above it."""

    low_1: float
    high_1: float
    low_2: float
    high_2: float

    @classmethod
    def of(cls, rates_1: Interval, rates_2: Interval) -> Box:
        """The box without what D* > D > 0 excludes anyway."""
        low_2 = max(rates_2[0], RATIO * rates_1[0], 1e-6 * rates_2[1])
        high_1 = min(rates_1[1], rates_2[1] / RATIO)
        return cls(rates_1[0], max(high_1, rates_1[0]), low_2, max(rates_2[1], low_2))


def parameters_within(
    bounds: Bounds, S0: Interval, box: Box, rates: Sequence[NDArray], amplitudes: Sequence[NDArray]
) -> dict[str, NDArray]:
    """The parameters (n,) within their bounds, S0 relative; where f is 0, the lowest D*.

    Args:
        bounds: of D, f and D*.
        S0: its bounds.
        box: of the rates.
        rates, amplitudes: of tissue and of blood, (n,) each.
    """
    tissue, blood = amplitudes
    total = np.clip(tissue + blood, *S0)
    f = np.clip(blood / total, *bounds.f)
    D, D_star = (np.clip(rate / UNIT, *limits) for rate, limits in zip(rates, (bounds.D, bounds.D_star), strict=True))
    D_star = np.where(f == 0, np.clip(RATIO * D, box.low_2 / UNIT, bounds.D_star[1]), D_star)
    return {"D": D, "f": f, "D_star": D_star, "S0": total}


class Descent:
    """A descent of many voxels at once from given rates, (2, n).

    Newton's steps, since they converge in two or three where Gauss-Newton's take ten; Gauss-Newton's where F is not
    convex. No voxel's way depends on the others'.

    Args:
        signals: (n / BLOCK, q, BLOCK), in the problem's precision as all others.
        energy: (n,) sum of the squared signals.
    """

    def __init__(self, problem: ReducedProblem, box: Box, signals: NDArray, energy: NDArray, rates: NDArray) -> None:
        self.problem, self.box, self.signals, self.energy = problem, box, signals, energy
        self.rates = rates.astype(problem.dtype)
        self.here = problem.evaluate(signals, self.rates)
        self.stiffness = np.ones(energy.shape, problem.dtype)

    @property
    def half_rss(self) -> NDArray:
        """Half the weighted residual sum of squares, (n,)."""
        return 0.5 * self.energy + self.here.cost

    def run(self, steps: int) -> NDArray:
        """Up to ``steps`` steps, none of which makes a fit worse; who is done, (n,) bool."""
        for step in range(steps + 1):
            rates, promised = newton_step(self.rates, self.here, self.stiffness, self.box)
            done = promised <= TOLERANCE * self.half_rss + FLOOR * self.energy
            if step == steps or done.all():
                break
            there = self.problem.evaluate(self.signals, rates)
            gain = self.here.cost - there.cost
            # Who is done stays, or would go on only if a neighbour is not.
            better = (gain >= 0) & ~done
            self.stiffness = np.where(done, self.stiffness, _stiffness(self.stiffness, gain / promised))
            np.copyto(self.rates, rates, where=better)
            self.here.take_where(better, there)
        return done

    def try_step(self) -> tuple[NDArray, NDArray]:
        """Rates (2, n) and cost (n,) after one step where it helps."""
        rates, _ = newton_step(self.rates, self.here, self.stiffness, self.box)
        cost = self.problem.cost(self.signals, rates)
        better = cost < self.here.cost
        return np.where(better, rates, self.rates), np.where(better, cost, self.here.cost)


def _stiffness(before: NDArray, ratio: NDArray) -> NDArray:
    """How many times stiffer than its Hessian to take the problem, from the ratio of true and promised gain.

    Along a step of a quadratic that is s times as stiff as taken, the ratio is 2 - s.
    """
    as_promised = (ratio > 0.5) & (ratio < 1.5)
    return np.where(as_promised, 1, before * np.clip(2 - np.nan_to_num(ratio), 0.25, 8)).astype(before.dtype)


def newton_step(rates: NDArray, here: Point, stiffness: NDArray, box: Box) -> tuple[NDArray, NDArray]:
    """New rates at the minimum of the stiffened quadratic model within the box and a trust region, and its gain."""
    h11, h12, h22 = hessian = here.hessian * stiffness
    diagonal = hessian[0::2]
    g = here.gradient
    step = h12 * g[::-1] - diagonal[::-1] * g
    step /= h11 * h22 - h12 * h12
    limits = _limits(rates, box)
    within = np.clip(step, *limits)
    held = np.flatnonzero((within != step).any(axis=0))
    promised = -0.5 * (g * within).sum(axis=0)
    if held.size:
        model = g[:, held], diagonal[:, held], h12[held]
        within[:, held], promised[held] = _held_step(*model, step[:, held], limits[..., held])
    new = rates + within
    if box.low_2 < RATIO * box.high_1:
        crossed = np.flatnonzero(new[1] < RATIO * new[0])
        new[0, crossed] = (new[0, crossed] + new[1, crossed]) / (1 + RATIO)
        new[1, crossed] = RATIO * new[0, crossed]
    return new, promised


def _limits(rates: NDArray, box: Box) -> NDArray:
    """Lowest and highest step, (2, 2, n): the box, and for D* between a third of it and three times as much."""
    limits = np.empty((2, *rates.shape), rates.dtype)
    np.subtract(box.low_1, rates[0], out=limits[0, 0])
    np.subtract(box.high_1, rates[0], out=limits[1, 0])
    np.maximum(box.low_2 - rates[1], -0.7 * rates[1], out=limits[0, 1])
    np.minimum(box.high_2 - rates[1], 2 * rates[1], out=limits[1, 1])
    return limits


def _held_step(g: NDArray, diagonal: NDArray, h12: NDArray, free: NDArray, limits: NDArray) -> tuple[NDArray, NDArray]:
    """The model's minimum in the rectangle of the limits, where the free one, (2, n), lies outside; and its gain.

    It lies on a side that the free one is beyond: there one rate is at its limit and the other's best follows. Where
    the free one is beyond two sides it is the better of the two.
    """
    low, high = limits
    clipped = np.clip(free, low, high)
    is_held = clipped != free
    # Row i: rate i follows, the other is at its limit.
    follow = np.clip(-(g + h12 * clipped[::-1]) / diagonal, low, high)
    own = (g + 0.5 * diagonal * follow) * follow
    other = ((g + 0.5 * diagonal * clipped) * clipped)[::-1]
    value = own + other + h12 * follow * clipped[::-1]
    value[~is_held[::-1]] = np.inf
    first = value[0] < value[1]
    step = np.where(np.stack([first, ~first]), follow, clipped)
    return step, -np.minimum(value[0], value[1])
