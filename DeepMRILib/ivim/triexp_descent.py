"""Damped Newton steps inside the box of the bounds, to the rates (D, D*1, D*2) that minimise ``TriexpProblem``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.ratesearch import FLOOR, TOLERANCE
from DeepMRILib.ivim.triexp_amplitudes import PAIRS, SINGULAR, inverted, quadratic, times
from DeepMRILib.ivim.triexp_box import RateBox
from DeepMRILib.ivim.triexp_rates import DIAGONAL, SYMMETRIC, TriexpProblem

LONGEST = 1.0
"""Largest change of log D*1 and of log D*2 in one step."""

FLAT = 1e-12
"""Curvature, in signals near 1, below which there is none."""


class Descent:
    """A descent of many voxels at once from given rates; no voxel's way depends on the others'.

    Newton's steps, and Gauss-Newton's where F is not convex. A step that does not keep its promise is damped
    (Levenberg-Marquardt).

    Args:
        signals: (n / BLOCK, q, BLOCK).
        energy: (n,) sum of the squared signals.
        rates: (3, n) in um2/ms.
    """

    def __init__(self, problem: TriexpProblem, box: RateBox, signals: NDArray, energy: NDArray, rates: NDArray) -> None:
        self.problem, self.box, self.signals, self.energy = problem, box, signals, energy
        self.rates = rates
        self.here = problem.evaluate(signals, rates)
        self.damping = np.zeros(energy.shape)
        self.proposed, self.promised = self._step()

    @property
    def half_rss(self) -> NDArray:
        """Half the weighted residual sum of squares, (n,)."""
        return np.maximum(0.5 * self.energy + self.here.cost, 0)

    @property
    def done(self) -> NDArray:
        """Who has nothing to gain from another step, (n,) bool."""
        return self.promised <= TOLERANCE * self.half_rss + FLOOR * self.energy

    def run(self, steps: int) -> None:
        """Some steps, none of which makes a fit worse."""
        for _ in range(steps):
            done = self.done
            if done.all():
                break
            there = self.problem.evaluate(self.signals, self.proposed)
            gain = self.here.cost - there.cost
            better = (gain >= 0) & ~done
            # Who is done stays, or would go on only if a neighbour is not.
            self.damping = np.where(done, self.damping, _damping(self.damping, gain / self.promised))
            self.rates = np.where(better, self.proposed, self.rates)
            self.here.take_where(better, there)
            self.proposed, self.promised = self._step()

    def keep(self, some: NDArray, signals: NDArray) -> None:
        """Go on with some of the voxels, whose signals are given anew in blocks."""
        self.signals, self.energy, self.here = signals, self.energy[some], self.here.of(some)
        self.rates, self.damping = self.rates[:, some], self.damping[some]
        self.proposed, self.promised = self.proposed[:, some], self.promised[some]

    def _step(self) -> tuple[NDArray, NDArray]:
        """New rates (3, n) at the minimum of the damped quadratic model within the box, and its gain (n,)."""
        here, rates = self.here, self.rates
        hessian = here.hessian.copy()
        hessian[DIAGONAL] += self.damping * here.stiffness + FLAT
        lowest, highest = self.box.low - rates, self.box.high - rates
        lowest[1:] = np.maximum(np.log(self.box.low[1:] / rates[1:]), -LONGEST)
        highest[1:] = np.minimum(np.log(self.box.high[1:] / rates[1:]), LONGEST)
        inverse, regular = inverted(hessian)
        step = -times(inverse, here.gradient)
        beyond = np.flatnonzero(~(regular & (step >= lowest).all(axis=0) & (step <= highest).all(axis=0)))
        gain = quadratic(hessian, -here.gradient, step)
        model = hessian[:, beyond][SYMMETRIC], here.gradient[:, beyond]
        step[:, beyond], gain[beyond] = minimum_in_box(*model, lowest[:, beyond], highest[:, beyond])
        new = rates + step
        new[1:] = rates[1:] * np.exp(step[1:])
        return np.clip(new, self.box.low, self.box.high), -gain


def _damping(before: NDArray, ratio: NDArray) -> NDArray:
    """The next damping, from the ratio of true and promised gain."""
    more = np.maximum(10 * before, 1e-3)
    less = np.where(before > 1e-3, before / 10, 0)
    return np.where(ratio > 0.75, less, np.where(ratio > 0.25, before, more))


def minimum_in_box(hessian: NDArray, gradient: NDArray, low: NDArray, high: NDArray) -> tuple[NDArray, NDArray]:
    """The minimum of g^T s + 1/2 s^T H s over low <= s <= high.

    It lies on a side of the box that the free minimum is beyond: there one coordinate is at its limit, and the others
    are the same problem with one dimension less.

    Args:
        hessian: (d, d, n) positive definite, d = 1, 2 or 3.
        gradient, low, high: (d, n); low <= 0 <= high.

    Returns:
        s (d, n) and the value (n,).
    """
    free = _free_minimum(hessian, gradient)
    step = np.clip(free, low, high)
    value = (step * (gradient + 0.5 * (hessian * step).sum(axis=1))).sum(axis=0)
    dimension = len(gradient)
    if dimension == 1:
        return step, value
    beyond = free != step
    value[beyond.any(axis=0)] = np.inf
    for held in range(dimension):
        some = np.flatnonzero(beyond[held])
        if not some.size:
            continue
        others = [k for k in range(dimension) if k != held]
        h, limit = hessian[:, :, some], np.clip(free[held, some], low[held, some], high[held, some])
        slope = gradient[others][:, some] + h[others, held] * limit
        rest, cost = minimum_in_box(h[np.ix_(others, others)], slope, low[others][:, some], high[others][:, some])
        cost += limit * (gradient[held, some] + 0.5 * h[held, held] * limit)
        lower = cost < value[some]
        chosen = some[lower]
        value[chosen], step[held, chosen] = cost[lower], limit[lower]
        step[np.ix_(others, chosen)] = rest[:, lower]
    return step, value


def _free_minimum(hessian: NDArray, gradient: NDArray) -> NDArray:
    """-H^-1 g, (d, n); short steps downhill where H is singular."""
    if len(gradient) == 1:
        return -gradient / hessian[0]
    if len(gradient) == 2:
        (h11, h12), (_, h22) = hessian
        product = h11 * h22
        det = np.maximum(product - h12 * h12, SINGULAR * product)
        g1, g2 = gradient
        return np.stack([h12 * g2 - h22 * g1, h12 * g1 - h11 * g2]) / det
    inverse, regular = inverted(np.stack([hessian[j, k] for j, k in PAIRS]))
    # A third of each coordinate's own step lowers any positive semi-definite form.
    return np.where(regular, -times(inverse, gradient), -gradient / (3 * hessian[range(3), range(3)]))
