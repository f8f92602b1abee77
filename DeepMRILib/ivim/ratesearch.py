"""Search for the two rates (D, D*) that minimise the reduced problem of ``varpro``, for many voxels at once.

A table of curves finds the valleys, Newton steps inside the box of the bounds find their bottoms.
Units as in ``varpro``: b in ms/um2, rates in um2/ms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.varpro import BLOCK, Point, ReducedProblem

RATIO = 1.0001
"""D* is kept at least this many times D: the two are then told apart, at no cost in the sum of squares that matters."""

LEVELS_1, LEVELS_2, LEVELS_F = 10, 8, 6
"""Values of D, D* and f in the table of starting points."""

FAMILIES = ((0, 2), (2, 6), (6, 8))
"""Slow, middle and fast perfusion: ranges of the levels of D*."""

FIRST_DAMPING = 1e-3

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
    def of(cls, rates_1: tuple[float, float], rates_2: tuple[float, float]) -> Box:
        """The box without what D* > D excludes anyway."""
        low_2 = max(rates_2[0], RATIO * rates_1[0])
        high_1 = min(rates_1[1], rates_2[1] / RATIO)
        return cls(rates_1[0], max(high_1, rates_1[0]), low_2, max(rates_2[1], low_2))


class Starts:
    """A table of typical curves: the nearest ones to a signal tell where to start.

    The table is cut in ``FAMILIES`` by D*, since the sum of squares often has one valley at slow and one at fast
    perfusion, and the valley whose table entry is nearer is not always the deeper one.
    """

    def __init__(self, problem: ReducedProblem, weights: NDArray, box: Box) -> None:
        root = np.sqrt(weights)
        slow = _evenly(box.low_1, box.high_1, (np.arange(LEVELS_1) + 0.5) / LEVELS_1, problem.b, root)
        fast = _evenly(box.low_2, box.high_2, np.linspace(0, 1, LEVELS_2), problem.b, root)
        f_low, f_high = problem.f
        fractions = f_low + (f_high - f_low) * (np.arange(LEVELS_F) + 0.5) / LEVELS_F
        rates_2, rates_1, f = (values.ravel() for values in np.meshgrid(fast, slow, fractions, indexing="ij"))
        rates_2 = np.maximum(rates_2, RATIO * rates_1)
        e1, e2 = (np.exp(-np.outer(rates, problem.b)) for rates in (rates_1, rates_2))
        curves = (1 - f)[:, None] * e1 + f[:, None] * e2
        power = curves**2 @ weights
        fixed_S0 = problem.S0[0] == problem.S0[1]
        if not fixed_S0:
            # The best S0 for a curve makes the nearest the one with the largest cosine.
            curves /= np.sqrt(power)[:, None]
        self._offset = (0.5 * problem.S0[0] * power if fixed_S0 else np.zeros_like(power)).astype(np.float32)
        self._columns = np.ascontiguousarray((curves * weights).T, dtype=np.float32)
        self._rates = rates_1, np.minimum(rates_2, box.high_2)
        per_level = LEVELS_1 * LEVELS_F
        self._families = [slice(i * per_level, j * per_level) for i, j in FAMILIES]
        # Small enough a product that BLAS stays in this thread; a power of 2, to divide the block.
        self._rows = 2 ** int(np.clip(np.log2(2e5 / self._columns.size), 0, 5))

    def nearest(self, signals: NDArray) -> list[tuple[NDArray, NDArray]]:
        """For each family the rates (n,), (n,) of the curve nearest to each of the signals (n, q)."""
        n, q = signals.shape
        stacks = signals.astype(np.float32).reshape(-1, self._rows, q)
        index = np.empty((len(self._families), n // self._rows, self._rows), dtype=np.intp)
        group = max(BLOCK // self._rows, 1)
        for start in range(0, len(stacks), group):
            part = slice(start, start + group)
            likeness = stacks[part] @ self._columns
            if self._offset.any():
                likeness -= self._offset
            for k, family in enumerate(self._families):
                np.argmax(likeness[..., family], axis=-1, out=index[k, part])
                index[k, part] += family.start
        rates_1, rates_2 = self._rates
        return [(rates_1[found], rates_2[found]) for found in index.reshape(len(index), -1)]


def _evenly(low: float, high: float, places: NDArray, b: NDArray, root_weights: NDArray) -> NDArray:
    """Rates between ``low`` and ``high`` whose decay curves lie at equal distances, at ``places`` from 0 to 1."""
    fine = np.linspace(np.sqrt(low), np.sqrt(high), 1000) ** 2
    curves = np.exp(-np.outer(fine, b)) * root_weights
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curves, axis=0), axis=1))])
    return np.clip(np.interp(places * length[-1], length, fine), low, high)


class State(NamedTuple):
    """Where a descent stands: rates (n,), what the reduced problem is there, and the damping of the next step."""

    rates_1: NDArray
    rates_2: NDArray
    damping: NDArray
    here: Point

    @classmethod
    def at(cls, problem: ReducedProblem, signals: NDArray, rates: tuple[NDArray, NDArray]) -> State:
        """The start of a descent."""
        return cls(*rates, np.full(rates[0].shape, FIRST_DAMPING), problem.evaluate(signals, *rates))

    def where(self, use: NDArray, other: State) -> State:
        """This state where ``use``, else the other."""

        def choose(new: NDArray, old: NDArray) -> NDArray:
            return np.where(use, new, old)

        here = Point(*map(choose, self.here, other.here))
        return State(*map(choose, self[:3], other[:3]), here)


def descend(
    problem: ReducedProblem, box: Box, signals: NDArray, energy: NDArray, state: State, steps: int
) -> tuple[State, NDArray]:
    """Up to ``steps`` damped Newton steps, none of which makes the fit worse, and who is done, (n,) bool.

    Args:
        signals: (n / BLOCK, q, BLOCK).
        energy: (n,) sum of the squared signals.
    """
    for step in range(steps + 1):
        rates_1, rates_2, promised = newton_step(state, box)
        done = promised <= TOLERANCE * (0.5 * energy + state.here.cost) + FLOOR * energy
        if step == steps or done.all():
            break
        there = problem.evaluate(signals, rates_1, rates_2)
        gain = state.here.cost - there.cost
        better = gain >= 0
        damping = np.where(gain > 0.5 * promised, 0.1 * state.damping, state.damping)
        damping[~better] = 8 * np.maximum(damping[~better], FIRST_DAMPING)
        state = State(rates_1, rates_2, damping, there).where(better, state._replace(damping=damping))
    return state, done


def newton_step(state: State, box: Box) -> tuple[NDArray, NDArray, NDArray]:
    """The minimum of the damped quadratic model within the box and a trust region: new rates and the gain promised."""
    u, v, damping, here = state
    g1, g2, h12 = here.g_1, here.g_2, here.h_12
    damped = 1.0 + damping
    h11 = here.h_11 * damped + 1e-12
    h22 = here.h_22 * damped + 1e-12
    det = np.maximum(h11 * h22 - h12 * h12, 1e-12 * h11 * h22)
    free_1 = (h12 * g2 - h22 * g1) / det
    free_2 = (h12 * g1 - h11 * g2) / det
    low_1, high_1 = box.low_1 - u, box.high_1 - u
    low_2, high_2 = np.maximum(box.low_2 - v, -0.7 * v), np.minimum(box.high_2 - v, 2.0 * v)
    d1 = np.clip(free_1, low_1, high_1)
    d2 = np.clip(free_2, low_2, high_2)
    # Where one rate is held at its limit, the other's best follows; where both are, the better of the two sides.
    side_1 = np.clip(-(g1 + h12 * d2) / h11, low_1, high_1)
    side_2 = np.clip(-(g2 + h12 * d1) / h22, low_2, high_2)
    q1 = (g1 + 0.5 * h11 * side_1 + h12 * d2) * side_1 + (g2 + 0.5 * h22 * d2) * d2
    q2 = (g1 + 0.5 * h11 * d1 + h12 * side_2) * d1 + (g2 + 0.5 * h22 * side_2) * side_2
    held_1, held_2 = d1 != free_1, d2 != free_2
    move_1 = held_2 & (~held_1 | (q1 < q2))
    move_2 = held_1 & ~move_1
    d1, d2 = np.where(move_1, side_1, d1), np.where(move_2, side_2, d2)
    promised = -((g1 + 0.5 * h11 * d1 + h12 * d2) * d1 + (g2 + 0.5 * h22 * d2) * d2)
    new_u, new_v = u + d1, v + d2
    crossed = np.flatnonzero(new_v < RATIO * new_u)
    if crossed.size:
        new_u[crossed] = (new_u[crossed] + new_v[crossed]) / (1 + RATIO)
        new_v[crossed] = RATIO * new_u[crossed]
    return new_u, new_v, promised
