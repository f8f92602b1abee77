"""Bounded least squares of one exponential, A exp(-b R), for many signals at once.

For a given rate R the best amplitude A is known in closed form, so that one function of one variable is left:

    F(R) = min over A of 1/2 sum_b w_b (y_b - A exp(-b R))^2  -  1/2 sum_b w_b y_b^2

(variable projection, Golub & Pereyra, SIAM J Numer Anal 1973;10:413-432). F can have more than one valley: a grid of
rates finds the deepest one, and Newton's steps go to its bottom. Bounds of A may differ from signal to signal.

Units and layout as in ``varpro``: b in ms/um2, rates in um2/ms, signals (n / BLOCK, q, BLOCK).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.varpro import BLOCK, SPAN, Interval, as_blocks

GRID = 32
"""Most rates on the grid."""

CELL = 0.025
"""Least distance of the unit vectors along two neighbours' curves: single precision then tells them well apart."""

BITS = 31
"""The lowest bits of a gain carry the index of its rate."""

FIRST_STEPS = 4
"""Newton steps that every signal gets; most are then done."""

MORE_STEPS = 100
"""Most further steps for the others: halving alone would need half of that."""

TOLERANCE = 1e-8
"""A signal is done when its next step, which it still takes, lowers its sum of squares by less than this fraction,"""

FLOOR = 1e-18
"""or by less than this fraction of the sum of its squared samples, which is below rounding,"""

SHORT = 0.02
"""and is no longer than this fraction of the rate: F is then quadratic along it."""

ROUNDING = 1e-14
"""How exact F is, as a fraction of the sum of squared samples."""

CONVEX = 0.01
"""F is convex enough for Newton's step where its second derivative is more than this fraction of Gauss-Newton's."""

LEAST = np.float32(-3e38)
"""Below any gain; minus infinity with an index in its bits would not be a number."""

TINY = 1e-300

Bound = NDArray | float


class Exponentials(NamedTuple):
    """The fit of each signal: rate, amplitude and half of the weighted residual sum of squares, (n,) each."""

    rates: NDArray
    amplitudes: NDArray
    half_rss: NDArray


class _Batch(NamedTuple):
    """Signals, half of their power, the bounds of their amplitudes, and the rates between which they are fitted."""

    signals: NDArray
    half_energy: NDArray
    A_low: Bound
    A_high: Bound
    low: NDArray
    high: NDArray

    def take(self, index: NDArray) -> _Batch:
        """Some of them, filled up to whole blocks."""
        signals = as_blocks(self.signals[index // BLOCK, :, index % BLOCK])
        return _Batch(signals, *(value[index] if isinstance(value, np.ndarray) else value for value in self[1:]))


class _Point(NamedTuple):
    """F at given rates, its derivatives, the best amplitude and how that changes with the rate, (n,) each."""

    cost: NDArray
    gradient: NDArray
    curvature: NDArray
    amplitude: NDArray
    slope: NDArray

    def step(self, rates: NDArray, low: NDArray, high: NDArray) -> tuple[NDArray, NDArray]:
        """Newton's rates between ``low`` and ``high``, and how much they promise to lower F."""
        new = np.clip(rates - self.gradient / self.curvature, low, high)
        step = new - rates
        return new, -(self.gradient + 0.5 * self.curvature * step) * step


class MonoExponential:
    """Fits of signals that share their b-values.

    Args:
        b: (q,) distinct b-values in ms/um2.
        weights: (q,) how many measurements each stands for.
        rates: lowest and highest rate.
    """

    def __init__(self, b: NDArray, weights: NDArray, rates: Interval) -> None:
        self._weights = weights
        self._minus_b = -b[:, None]
        self._powers = weights * np.stack([np.ones_like(b), b, b * b])
        self._least_rate = 1 / b.max()
        self._grid = _grid(b, weights, rates)
        self._around = np.concatenate([rates[:1], self._grid, rates[1:]])
        curves = np.exp(-np.outer(self._grid, b))
        self._curves = (weights * curves).astype(np.float32)
        self._power = np.maximum(curves**2 @ weights, 1e-30).astype(np.float32)[:, None]

    def fit(self, signals: NDArray, amplitude: tuple[Bound, Bound], lowest: NDArray | None = None) -> Exponentials:
        """The best rate and amplitude of each signal.

        Args:
            signals: (n / BLOCK, q, BLOCK) in C order.
            amplitude: lowest and highest, each one number or (n,).
            lowest: (n,) lowest rate of each signal, where it is above that of all.
        """
        half_energy = 0.5 * np.matmul(self._weights, signals * signals).ravel()
        start, low, high = self._start(signals, amplitude, lowest)
        batch = _Batch(signals, half_energy, *amplitude, low, high)
        here = self._evaluate(batch, start)
        first = half_energy + here.cost
        rates, _ = here.step(start, low, high)
        for _ in range(FIRST_STEPS - 2):
            rates, _ = self._evaluate(batch, rates).step(rates, low, high)
        found, done = self._last_step(batch, rates)
        done &= found.half_rss <= first + ROUNDING * half_energy
        done &= self._ends_are_worse(batch, found, start, lowest)
        left = np.flatnonzero(~done)
        if left.size:
            index = np.concatenate([left, np.repeat(left[:1], -left.size % BLOCK)])
            more = self._descend(batch.take(index), start[index])
            for mine, better in zip(found, more, strict=True):
                mine[left] = better[: left.size]
        return found

    def _start(
        self, signals: NDArray, amplitude: tuple[Bound, Bound], lowest: NDArray | None
    ) -> tuple[NDArray, NDArray, NDArray]:
        """The best rates on the grid, and their neighbours below and above."""
        n_blocks, q, block = signals.shape
        index = np.empty((n_blocks, block), np.int32)
        number = np.arange(len(self._grid), dtype=np.int32)[:, None]
        A_low, A_high = (_rows(value, np.float32) for value in amplitude)
        for part in _groups(n_blocks, max(q, len(self._grid)) * block):
            gain = np.matmul(self._curves, signals[part].astype(np.float32))
            A = gain / self._power
            np.clip(A, _some(A_low, part), _some(A_high, part), out=A)
            gain -= 0.5 * self._power * A
            gain *= A
            if lowest is not None:
                gain[:, :-1][self._grid[:-1, None] < _some(_rows(lowest, np.float64), part)] = LEAST
            # One pass of maximum, much faster than argmax, gives the index too.
            bits = gain.view(np.int32)
            np.bitwise_and(bits, ~BITS, out=bits)
            np.bitwise_or(bits, number, out=bits)
            index[part] = gain.max(axis=1).view(np.int32) & BITS
        near = (self._around[index.ravel() + k] for k in (1, 0, 2))
        return tuple(near if lowest is None else (np.maximum(rates, lowest) for rates in near))

    def _ends_are_worse(self, batch: _Batch, found: Exponentials, start: NDArray, lowest: NDArray | None) -> NDArray:
        """Whether neither the lowest nor the highest rate is better, (n,); else they become the start, in place."""
        best = found.half_rss - TOLERANCE * found.half_rss - ROUNDING * batch.half_energy
        worse = np.ones(start.shape, bool)
        if lowest is None:
            lowest, above = self._around[0], self._around[1]
        else:
            above = self._around[1 + np.searchsorted(self._grid, lowest)]
        highest, below = self._around[-1], np.maximum(self._around[-2], lowest)
        for rates, low, high in ((lowest, lowest, above), (highest, below, highest)):
            half_rss = batch.half_energy + self._cost(batch, rates)
            better = half_rss < best
            best = np.where(better, half_rss, best)
            for mine, theirs in ((start, rates), (batch.low, low), (batch.high, high)):
                np.copyto(mine, theirs, where=better)
            worse &= ~better
        return worse

    def _cost(self, batch: _Batch, rates: Bound) -> NDArray:
        """F at rates (n,), or at one for all."""
        if isinstance(rates, np.ndarray):
            return self._evaluate(batch, rates).cost
        e = np.exp(self._minus_b[:, 0] * rates)
        h = max(float(self._weights @ (e * e)), TINY)
        p = np.matmul(self._weights * e, batch.signals).ravel()
        A = np.clip(p / h, batch.A_low, batch.A_high)
        return A * (0.5 * A * h - p)

    def _evaluate(self, batch: _Batch, rates: NDArray) -> _Point:
        """F = min over A of A (A h / 2 - p), with h = sum w e e and p = sum w y e."""
        (h, bh, bbh), (p, bp, bbp) = self._moments(batch.signals, rates)
        np.maximum(h, TINY, out=h)
        free = p / h
        A = np.clip(free, batch.A_low, batch.A_high)
        cost = A * (0.5 * A * h - p)
        gradient = A * (bp - A * bh)
        # An amplitude at its bound does not follow the rate.
        loose = free == A
        slope = np.where(loose, (2 * A * bh - bp) / h, 0)
        curvature = A * (2 * A * bbh - bbp) - h * slope * slope
        gauss_newton = A * A * (bbh - np.where(loose, bh * bh / h, 0))
        np.copyto(curvature, gauss_newton, where=~(curvature > CONVEX * gauss_newton))
        return _Point(cost, gradient, np.maximum(curvature, TINY), A, slope)

    def _moments(self, signals: NDArray, rates: NDArray) -> NDArray:
        """Weighted sums of b^k times e e and y e, where e = exp(-b rate): (2, 3, n), k = 0, 1, 2."""
        n_blocks, q, block = signals.shape
        found = np.empty((2, 3, n_blocks, block))
        into = found.transpose(0, 2, 1, 3)
        rates = rates.reshape(n_blocks, 1, block)
        for part in _groups(n_blocks, q * block):
            e = self._minus_b * rates[part]
            np.exp(e, out=e)
            products = np.empty((2, *e.shape))
            np.multiply(e, e, out=products[0])
            np.multiply(signals[part], e, out=products[1])
            np.matmul(self._powers, products, out=into[:, part])
        return found.reshape(2, 3, -1)

    def _last_step(self, batch: _Batch, rates: NDArray) -> tuple[Exponentials, NDArray]:
        """The fit after one more step, and for whom that was the last: F is quadratic along it."""
        here = self._evaluate(batch, rates)
        new, promised = here.step(rates, batch.low, batch.high)
        half_rss = batch.half_energy + here.cost
        A = np.clip(here.amplitude + here.slope * (new - rates), batch.A_low, batch.A_high)
        fit = Exponentials(new, A, np.maximum(half_rss - promised, 0))
        return fit, self._is_last(promised, half_rss, batch.half_energy, rates, new)

    def _is_last(
        self, promised: NDArray, half_rss: NDArray, half_energy: NDArray, rates: NDArray, new: NDArray
    ) -> NDArray:
        small = promised <= TOLERANCE * half_rss + FLOOR * half_energy
        return small & (np.abs(new - rates) <= SHORT * np.maximum(rates, self._least_rate))

    def _descend(self, batch: _Batch, best: NDArray) -> Exponentials:
        """The fit by Newton's steps, or by halves where those are too long or lead up; a signal's way is its own."""
        here = self._evaluate(batch, best)
        far = np.where(here.gradient < 0, batch.high, batch.low)
        before, known = np.abs(far - best), np.zeros(best.shape, bool)
        for _ in range(MORE_STEPS):
            new, promised = here.step(best, np.minimum(best, far), np.maximum(best, far))
            done = self._is_last(promised, batch.half_energy + here.cost, batch.half_energy, best, new)
            if done.all():
                break
            # A step that is not half as long as the one before does not converge.
            halve = np.where(new == far, known, np.abs(new - best) > 0.5 * before)
            np.copyto(new, 0.5 * (best + far), where=halve)
            before = np.abs(new - best)
            there = self._evaluate(batch, new)
            better = (there.cost <= here.cost) & ~done
            turned = (there.gradient < 0) != (new > best)
            known |= ~better | turned
            far = np.where(better, np.where(turned, best, far), np.where(done, far, new))
            best = np.where(better, new, best)
            here = _Point(*(np.where(better, theirs, mine) for mine, theirs in zip(here, there, strict=True)))
        return self._last_step(batch._replace(low=np.minimum(best, far), high=np.maximum(best, far)), best)[0]


def remainder(signals: NDArray, b: NDArray, found: Exponentials) -> NDArray:
    """What an exponential leaves of signals (n / BLOCK, q, BLOCK) at the b-values (q,) in ms/um2."""
    n_blocks, _, block = signals.shape
    rates, amplitudes = (values.reshape(n_blocks, 1, block) for values in (found.rates, found.amplitudes))
    curve = -b[:, None] * rates
    np.exp(curve, out=curve)
    curve *= amplitudes
    return np.subtract(signals, curve, out=curve)


def _grid(b: NDArray, weights: NDArray, rates: Interval) -> NDArray:
    """Rates whose curves, taken to the same length, are equally far apart.

    Not the lowest and the highest: where the curves hardly change any more, F is flat and says not where to go.
    """
    fine = np.linspace(np.sqrt(rates[0]), np.sqrt(rates[1]), 1000) ** 2
    # The common factor, which may be too small for a number, does not matter.
    curves = np.exp(-np.outer(fine, b - b[0])) * np.sqrt(weights)
    curves /= np.linalg.norm(curves, axis=1, keepdims=True)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curves, axis=0), axis=1))])
    count = min(1 + int(length[-1] / CELL), GRID)
    return np.interp((np.arange(count) + 0.5) / count * length[-1], length, fine)


def _groups(n_blocks: int, per_block: int) -> Iterator[slice]:
    """Ranges of blocks, with about ``SPAN`` numbers in each."""
    size = max(SPAN // per_block, 1)
    return (slice(start, min(start + size, n_blocks)) for start in range(0, n_blocks, size))


def _rows(value: Bound, dtype: type[np.floating]) -> NDArray:
    """A bound for each signal as (n / BLOCK, 1, BLOCK), or one for all as (1, 1, 1)."""
    return np.asarray(value, dtype).reshape(-1, 1, BLOCK if np.ndim(value) else 1)


def _some(rows: NDArray, part: slice) -> NDArray:
    """The bounds of some blocks."""
    return rows if len(rows) == 1 else rows[part]
