"""Bi-exponential IVIM by bounded least squares, all voxels at once.

    minimise over D, f, D*, S0 in their bounds:  sum_b (S_b - S0 [f exp(-b D*) + (1 - f) exp(-b D)])^2

Repeated b-values are averaged first and weighted by their number, which leaves the minimum where it is. Then S0 and f
are eliminated (``varpro``), the nearest of some typical curves give starting rates (``starts``) and Newton steps finish
(``ratesearch``). The sum of squares can have several valleys: a voxel starts in three, goes on in the one that is
deepest after one step, and the others that come close are followed to their ends too. Voxels that need more steps than
most are collected over the whole image and go on together, so that numpy's loops stay long.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.ivim.batches import (
    UNIT,
    Samples,
    check_distinct,
    checked_signals,
    checked_workers,
    chunks,
    follow,
    in_units,
)
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.ratesearch import Box, Descent, parameters_within
from DeepMRILib.ivim.starts import Starts
from DeepMRILib.ivim.varpro import ReducedProblem, as_blocks
from DeepMRILib.progress import Progress, part, silent

FIRST_STEPS = 3
"""Newton steps that every voxel gets at once: nine in ten are then done."""

ROUNDS = (4, 8, 16, 64)
"""Newton steps per later round, for those who are not."""

SHARES = (0.65, 0.88, 0.94, 0.98, 1.0)
"""Where the progress bar stands after the first and each later round."""

MARGIN = 0.05
"""A valley is followed to its end if its sum of squares after one step is within this fraction of the best one's,"""

ROUGH = 3e-6
"""or within this fraction of the signal's power, the rounding of single precision that the first step is done in."""

MESSAGE = "Least squares"


def fit_biexp(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None = None,
    *,
    fit_s0: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, NDArray]:
    """D, f, D*, S0 and the residual sum of squares of every voxel.

    Args:
        signals: (n, n_b), any scale, negative samples allowed.
        b_values: (n_b,) in s/mm2, any order, repeats allowed, b = 0 not needed.
        bounds: see ``Bounds``; those of S0 are multiples of the mean signal at the lowest b-value.
        fit_s0: False takes the mean signal at the lowest b-value as S0.
        progress: called from this thread several times a second; may raise ``Cancelled``.
        workers: threads; by default one for each core this process may use, at most 8.

    Returns:
        ``D`` and ``D_star`` in mm2/s, ``f``, ``S0`` and ``rss`` in the units of the signal and their square, each
        (n,) float64. All NaN where a sample is not finite or the mean signal is not positive. Everywhere else the
        parameters are within their bounds and D* > D. Where f is 0 the signal says nothing of D*: its lowest value.
        No voxel's result depends on the others or on ``workers``.

    Raises:
        InputError: shapes that do not match, bad b-values, or fewer distinct ones than parameters.

    Example:
        >>> from DeepMRILib.ivim.models import biexp
        >>> b = [0, 10, 20, 50, 100, 300, 700]
        >>> found = fit_biexp([biexp(b, D=0.001, f=0.2, D_star=0.05, S0=300)], b)
        >>> [float(found[name][0].round(6)) for name in ("D", "f", "D_star", "S0")]
        [0.001, 0.2, 0.05, 300.0]
    """
    signals, b_values = checked_signals(signals, b_values)
    check_distinct(b_values, "bi-exponential", 4 if fit_s0 else 3, fit_s0)
    job = _Job(signals, b_values, Bounds() if bounds is None else bounds, fit_s0)
    job.run(silent if progress is None else progress, checked_workers(workers))
    return job.result()


class _Items:
    """Results so far: of every voxel, and after them of the rivals; rates and amplitudes (2, n), the rest (n,)."""

    def __init__(self, rates: NDArray, amplitudes: NDArray, rss: NDArray, done: NDArray) -> None:
        self.rates, self.amplitudes, self.rss, self.done = rates, amplitudes, rss, done

    @classmethod
    def empty(cls, n: int) -> _Items:
        return cls(np.empty((2, n)), np.empty((2, n)), np.full(n, np.inf), np.zeros(n, bool))

    def extended(self, rates: NDArray) -> _Items:
        more = _Items.empty(rates.shape[1])
        more.rates[:] = rates
        pairs = ((getattr(self, name), getattr(more, name)) for name in ("rates", "amplitudes", "rss", "done"))
        return _Items(*(np.concatenate(pair, axis=-1) for pair in pairs))

    def put(self, items: slice | NDArray, descent: Descent, done: NDArray, n: int) -> None:
        self.rates[:, items] = descent.rates[:, :n]
        self.amplitudes[:, items] = descent.here.amplitudes[:, :n]
        self.rss[items] = np.maximum(2 * descent.half_rss[:n], 0)
        self.done[items] = done[:n]


class _Job:
    """The fit of one set of signals: results so far for all voxels, and the rounds that complete them."""

    def __init__(self, signals: NDArray, b_values: NDArray, bounds: Bounds, fit_s0: bool) -> None:
        self.signals = signals
        self.samples = Samples(b_values)
        self.bounds = bounds
        self.S0 = bounds.S0 if fit_s0 else (1.0, 1.0)
        counts = self.samples.counts
        scaled = self.samples.b / UNIT
        self.problem = ReducedProblem(scaled, counts, f=bounds.f, S0=self.S0)
        self.rough = ReducedProblem(scaled, counts, f=bounds.f, S0=self.S0, dtype=np.float32)
        low_high = (tuple(UNIT * value for value in interval) for interval in (bounds.D, bounds.D_star))
        self.box = Box.of(*low_high)
        self.starts = Starts(self.problem, self.box)
        n = len(signals)
        self.voxel = np.arange(n)
        self.found = _Items.empty(n)
        self.scale = np.empty(n)
        self.cancelled = threading.Event()

    def run(self, progress: Progress, workers: int) -> None:
        """All rounds; leaves no thread behind."""
        progress(0.0, MESSAGE)
        with ThreadPoolExecutor(workers, thread_name_prefix="ivim") as pool:
            try:
                tasks = [pool.submit(self._first, chunk) for chunk in chunks(len(self.signals), workers)]
                self._add(follow(tasks, part(progress, 0.0, SHARES[0]), MESSAGE))
                for number, steps in enumerate(ROUNDS):
                    left = np.flatnonzero(~self.found.done)
                    tasks = [pool.submit(self._more, left[chunk], steps) for chunk in chunks(left.size, workers)]
                    follow(tasks, part(progress, *SHARES[number : number + 2]), MESSAGE)
            finally:  # whatever ends this, threads that still run stop at their next step
                self.cancelled.set()
        progress(1.0, MESSAGE)

    def _first(self, voxels: slice) -> list[tuple[NDArray, NDArray]]:
        """Start in every family, go on from the best, and return those that may yet turn out better."""
        if self.cancelled.is_set():
            return []
        with np.errstate(all="ignore"):
            y, energy, self.scale[voxels] = self.samples.normalised(self.signals[voxels])
            blocks = as_blocks(y)
            rates, rivals = self._screen(blocks, energy)
            descent = Descent(self.problem, self.box, blocks, energy, rates)
            done = descent.run(FIRST_STEPS)
        n = self.scale[voxels].size
        self.found.put(voxels, descent, done, n)
        return [(voxels.start + index[index < n], rates[:, index < n]) for index, rates in rivals]

    def _screen(self, blocks: NDArray, energy: NDArray) -> tuple[NDArray, list]:
        """The best rates (2, n) after one step from each start, and per start (index, rates) of the close rivals."""
        blocks, energy = blocks.astype(np.float32), energy.astype(np.float32)
        starts = self.starts.nearest(blocks)
        trials = [Descent(self.rough, self.box, blocks, energy, rates).try_step() for rates in starts]
        best, lowest = trials[0]
        for rates, cost in trials[1:]:
            better = cost < lowest
            best, lowest = np.where(better, rates, best), np.where(better, cost, lowest)
        limit = lowest + MARGIN * (0.5 * energy + lowest) + ROUGH * energy
        rivals = []
        for rates, cost in trials:
            index = np.flatnonzero((cost < limit) & (rates != best).any(axis=0))
            rivals.append((index, rates[:, index]))
        return best, rivals

    def _add(self, rivals: list[list[tuple[NDArray, NDArray]]]) -> None:
        """Let the rivals of all chunks go on as further items of their voxels."""
        flat = [family for chunk in rivals for family in chunk]
        if not flat:
            return
        voxel, rates = (np.concatenate(values, axis=-1) for values in zip(*flat, strict=True))
        self.voxel = np.concatenate([self.voxel, voxel])
        self.found = self.found.extended(rates)

    def _more(self, items: NDArray, steps: int) -> None:
        """Up to ``steps`` further steps for some items."""
        if self.cancelled.is_set():
            return
        with np.errstate(all="ignore"):
            y, energy, _ = self.samples.normalised(self.signals[self.voxel[items]])
            padded = np.concatenate([items, np.repeat(items[:1], len(y) - items.size)])
            descent = Descent(self.problem, self.box, as_blocks(y), energy, self.found.rates[:, padded])
            done = descent.run(steps)
        self.found.put(items, descent, done, items.size)

    def result(self) -> dict[str, NDArray]:
        """The parameters in the units of ``fit_biexp``."""
        n = len(self.signals)
        # Last wins where rivals share a voxel, so the best comes last.
        better = n + np.flatnonzero(self.found.rss[n:] < self.found.rss[self.voxel[n:]])
        better = better[np.argsort(-self.found.rss[better], kind="stable")]
        chosen = np.arange(n)
        chosen[self.voxel[better]] = better
        rates, amplitudes = self.found.rates[:, chosen], self.found.amplitudes[:, chosen]
        found = parameters_within(self.bounds, self.S0, self.box, rates, amplitudes)
        return in_units(found, self.found.rss[chosen], self.scale)
