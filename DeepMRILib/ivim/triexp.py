"""Tri-exponential IVIM by bounded least squares, all voxels at once.

    minimise over D, f1, D*1, f2, D*2, S0 in their bounds, f1 + f2 <= 1:
    sum_b (S_b - S0 [(1 - f1 - f2) exp(-b D) + f1 exp(-b D*1) + f2 exp(-b D*2)])^2

Repeated b-values are averaged first and weighted by their number, which leaves the minimum where it is. Then S0, f1 and
f2 are eliminated (``triexp_rates``) and Newton steps find the three rates (``triexp_descent``). The sum of squares has
several valleys, more than a dozen in noise: every voxel starts in six places, and goes on in those valleys that may yet
turn out the deepest.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.ivim.batches import UNIT, Samples, check_distinct, checked_signals, checked_workers, fit_chunks
from DeepMRILib.ivim.bounds import TriexpBounds
from DeepMRILib.ivim.models import TRIEXP_PARAMETERS, triexp
from DeepMRILib.ivim.triexp_amplitudes import Polytope
from DeepMRILib.ivim.triexp_box import RateBox, parameters_within
from DeepMRILib.ivim.triexp_descent import Descent
from DeepMRILib.ivim.triexp_rates import TriexpProblem
from DeepMRILib.ivim.varpro import BLOCK, as_blocks
from DeepMRILib.progress import Progress, silent

STARTS = np.array([
    (0.25, 0.30, 0.60), (0.70, 0.60, 0.20), (0.10, 0.90, 0.85),
    (0.10, 0.05, 0.05), (0.10, 0.05, 0.85), (0.25, 0.90, 0.05),
]).T  # fmt: skip
"""Places of (D, D*1, D*2) in the box of the bounds, see ``RateBox.at``. Chosen one by one as those that
find most of the deepest valleys that 80 starts find; the first alone finds nearly all.
"""

FIRST_ROUNDS = (3, 1, 1, 2)
"""Newton steps in each round, after which valleys are given up: first for a batch of voxels,"""

LATER_ROUNDS = (1, 2, 3, 4, 6, 10, 20, 40)
"""then for those of all batches that go on."""

MARGIN = 0.2
"""A valley is followed while its sum of squares is within this fraction of the best one's,"""

ROUGH = 1e-5
"""or within this fraction of the signal's power,"""

SAME = 0.1
"""unless its D (um2/ms), log D*1 and log D*2 are all within this of the best one's: then it is the same valley."""

BATCH = 16 * BLOCK
"""Voxels that go on together."""

MESSAGE = "Least squares"


def fit_triexp(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: TriexpBounds | None = None,
    *,
    fit_s0: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, NDArray]:
    """D, f1, D*1, f2, D*2, S0 and the residual sum of squares of every voxel.

    Args:
        signals: (n, n_b), any scale, negative samples allowed.
        b_values: (n_b,) in s/mm2, any order, repeats allowed, b = 0 not needed.
        bounds: see ``TriexpBounds``; those of S0 are multiples of the mean signal at the lowest b-value.
        fit_s0: False takes the mean signal at the lowest b-value as S0.
        progress: called from this thread several times a second; may raise ``Cancelled``.
        workers: threads; by default one for each core this process may use, at most 8.

    Returns:
        ``D``, ``D_star1`` and ``D_star2`` in mm2/s, ``f1``, ``f2``, ``S0`` and ``rss`` in the units of the signal and
        their square, each (n,) float64. All NaN where a sample is not finite or the mean signal is not positive.
        Everywhere else the parameters are within their bounds, f1 + f2 <= 1 and D < D*1 < D*2. Where a compartment's
        fraction is 0 (1 - f1 - f2 for D) the signal says nothing of its rate: the lowest value of its bounds. No
        voxel's result depends on the others or on ``workers``.

    Raises:
        InputError: shapes that do not match, bad b-values, or fewer distinct ones than parameters.

    Example:
        >>> b = [0, 2, 5, 10, 20, 50, 100, 200, 400, 700]
        >>> found = fit_triexp([triexp(b, D=0.001, f1=0.2, D_star1=0.02, f2=0.1, D_star2=0.5, S0=300)], b)
        >>> [float(found[name][0].round(5)) for name in ("D", "f1", "D_star1", "f2", "D_star2", "S0")]
        [0.001, 0.2, 0.02, 0.1, 0.5, 300.0]
    """
    signals, b_values = checked_signals(signals, b_values)
    check_distinct(b_values, "tri-exponential", 6 if fit_s0 else 5, fit_s0)
    fit = _Fit(signals, b_values, TriexpBounds() if bounds is None else bounds, fit_s0)
    fit_chunks(fit.chunk, len(signals), workers=checked_workers(workers), progress=progress or silent, message=MESSAGE)
    return fit.found


class _Fit:
    """The fit of one set of signals.

    Attributes:
        found: results of all voxels by name.
    """

    def __init__(self, signals: NDArray, b_values: NDArray, bounds: TriexpBounds, fit_s0: bool) -> None:
        self.signals, self.b_values, self.bounds = signals, b_values, bounds
        self.S0 = bounds.S0 if fit_s0 else (1.0, 1.0)
        self.samples = Samples(b_values)
        polytope = Polytope(bounds.f1, bounds.f2, self.S0)
        self.problem = TriexpProblem(self.samples.b / UNIT, self.samples.counts, polytope)
        self.box = RateBox.of(bounds)
        self.starts = self.box.at(STARTS)
        self.found = {name: np.empty(len(signals)) for name in (*TRIEXP_PARAMETERS, "rss")}

    def chunk(self, voxels: slice) -> None:
        """Fit some voxels."""
        signals = self.signals[voxels]
        with np.errstate(all="ignore"):
            y, energy, scale = self.samples.normalised(signals)
            valleys = _Valleys(y, energy, self.starts)
            for start in range(0, len(y), BATCH):
                valleys.follow(self.problem, self.box, slice(start, start + BATCH), FIRST_ROUNDS)
            valleys.follow(self.problem, self.box, slice(len(y)), LATER_ROUNDS)
            rates, amplitudes = valleys.deepest()
            n = scale.size
            parameters = parameters_within(self.bounds, self.S0, rates[:, :n], amplitudes[:, :n])
            parameters["S0"] *= scale
            model = triexp(self.b_values, *(parameters[name] for name in TRIEXP_PARAMETERS))
            parameters["rss"] = ((signals - model) ** 2).sum(axis=1)
        for name, values in parameters.items():
            self.found[name][voxels] = np.where(np.isnan(scale), np.nan, values)


class _Valleys:
    """Where each voxel's descents from all starts have come: (starts, n), rates and amplitudes (3, starts, n).

    Args:
        y: (n, q) normalised signals, n a multiple of ``BLOCK``.
        energy: (n,) sum of their squares.
        starts: (3, starts) rates.
    """

    def __init__(self, y: NDArray, energy: NDArray, starts: NDArray) -> None:
        self.y, self.energy = y, energy
        self.rates = np.repeat(starts[:, :, None], len(y), axis=2)
        self.amplitudes = np.empty_like(self.rates)
        self.half_rss = np.empty(self.rates.shape[1:])
        self.going = np.ones(self.half_rss.shape, bool)

    def follow(self, problem: TriexpProblem, box: RateBox, voxels: slice, rounds: tuple[int, ...]) -> None:
        """Go on in some voxels; after each round, of so many steps, valleys that are done or hopeless are left."""
        start, voxel = np.nonzero(self.going[:, voxels])
        voxel += voxels.start or 0
        if not voxel.size:
            return
        padding = _padding(voxel.size)
        start, voxel = start[padding], voxel[padding]
        descent = Descent(problem, box, as_blocks(self.y[voxel]), self.energy[voxel], self.rates[:, start, voxel])
        for steps in rounds:
            descent.run(steps)
            self.rates[:, start, voxel] = descent.rates
            self.amplitudes[:, start, voxel] = descent.here.amplitudes
            self.half_rss[start, voxel] = descent.half_rss
            self.going[start, voxel] = ~descent.done
            self.going[:, voxels] &= self._promising(voxels)
            kept = np.flatnonzero(self.going[start, voxel])
            if not kept.size:
                break
            kept = kept[_padding(kept.size)]
            start, voxel = start[kept], voxel[kept]
            descent.keep(kept, as_blocks(self.y[voxel]))

    def _promising(self, voxels: slice) -> NDArray:
        """Which valleys may be the deepest, (starts, n); of those that are the same only the best."""
        half_rss = self.half_rss[:, voxels]
        many, n = half_rss.shape
        best = half_rss.argmin(axis=0), np.arange(n)
        limit = (1 + MARGIN) * half_rss[best] + 0.5 * ROUGH * self.energy[voxels]
        rates = self.rates[:, :, voxels]
        places = np.concatenate([rates[:1], np.log(rates[1:])])
        same = (np.abs(places - places[(slice(None), *best)][:, None]) < SAME).all(axis=0)
        return (half_rss <= limit) & (~same | (np.arange(many)[:, None] == best[0]))

    def deepest(self) -> tuple[NDArray, NDArray]:
        """Rates and amplitudes (3, n)."""
        best = self.half_rss.argmin(axis=0), np.arange(len(self.y))
        return self.rates[(slice(None), *best)], self.amplitudes[(slice(None), *best)]


def _padding(n: int) -> NDArray:
    """The numbers 0 to n, and 0 again until they fill blocks."""
    return np.concatenate([np.arange(n), np.zeros(-n % BLOCK, int)])
