"""Bi-exponential IVIM in steps (segmented fit), all voxels at once.

1. Where b >= split blood has lost its signal. Least squares of one exponential, A exp(-b D), there gives D and A.
2. What A exp(-b D) leaves of all samples is blood's: least squares of a second exponential, C exp(-b D*), gives D* and,
   if S0 is fitted, C. Without it C = S0 - A.
3. S0 = A + C and f = C / S0 = 1 - A / S0.

These are the steps of the code of Gothenburg in OSIPI's TF2.4 collection (OJ_GU, ivim_seg), whose first step and f are
those of Jalnefjord et al., MAGMA 2018;31:715-723. S0 is thus fitted, to all low b-values; without ``fit_s0`` it is the
measured signal, as in IVIMNET and many studies. On simulated signals with the split at 75
(Testing/benchmarks/bench_segmented.py) fitting S0 lowers the median error of f by a tenth, .240 to .216 at SNR 20 and
.100 to .089 at SNR 50; that of D* is .437 and .438, and .194 and .207.

Both steps are bounded: A and C only take values for which f and S0 are within their bounds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT, Samples, checked_signals, checked_workers, fit_chunks, in_units
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.models import BIEXP_PARAMETERS
from DeepMRILib.ivim.monoexp import MonoExponential, remainder
from DeepMRILib.ivim.ratesearch import RATIO, Box, parameters_within
from DeepMRILib.ivim.varpro import Interval, as_blocks
from DeepMRILib.progress import Progress, silent

MESSAGE = "Segmented fit"
NEEDED = 2
"""Distinct b-values on either side of the split: as many as unknowns, (D, A) above, (S0, D*) below."""


def fit_segmented(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None = None,
    *,
    split: float,
    fit_s0: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, NDArray]:
    """D, f, D*, S0 and the residual sum of squares of every voxel.

    Args:
        signals: (n, n_b), any scale, negative samples allowed.
        b_values: (n_b,) in s/mm2, any order, repeats allowed, b = 0 not needed.
        bounds: see ``Bounds``; those of S0 are multiples of the mean signal at the lowest b-value.
        split: b-value in s/mm2 from which on blood is taken to have no signal left; see ``BodyPart.split``.
        fit_s0: False takes the mean signal at the lowest b-value as S0.
        progress: called from this thread several times a second; may raise ``Cancelled``.
        workers: threads; by default one for each core this process may use, at most 8.

    Returns:
        ``D`` and ``D_star`` in mm2/s, ``f``, ``S0`` and ``rss`` of all samples in the units of the signal and their
        square, each (n,) float64. All NaN where a sample is not finite or the mean signal is not positive. Everywhere
        else the parameters are within their bounds and D* > D. Where f is 0 the signal says nothing of D*: its lowest
        value. No voxel's result depends on the others or on ``workers``.

    Raises:
        InputError: shapes that do not match, bad b-values, a split that leaves fewer than two distinct ones on either
            side.

    Example:
        >>> from DeepMRILib.ivim.models import biexp
        >>> b = [0, 10, 20, 50, 100, 400, 800]
        >>> found = fit_segmented([biexp(b, D=0.001, f=0.2, D_star=0.05, S0=300)], b, split=400)
        >>> [float(found[name][0].round(6)) for name in ("D", "f", "D_star", "S0")]
        [0.001, 0.2, 0.05, 300.0]
    """
    signals, b_values = checked_signals(signals, b_values)
    _check_split(b_values, split)
    steps = _Steps.of(Samples(b_values), split, Bounds() if bounds is None else bounds, fit_s0)
    found = {name: np.empty(len(signals)) for name in (*BIEXP_PARAMETERS, "rss")}

    def fit(voxels: slice) -> None:
        with np.errstate(all="ignore"):
            for name, values in steps.fit(signals[voxels]).items():
                found[name][voxels] = values

    fit_chunks(fit, len(signals), workers=checked_workers(workers), progress=progress or silent, message=MESSAGE)
    return found


def _check_split(b_values: NDArray, split: float) -> None:
    if not (math.isfinite(split) and split > 0):
        raise InputError(f"The split is {split} s/mm2; give the b-value above which blood has no signal, such as 200.")
    distinct = np.unique(b_values)
    above, below = np.count_nonzero(distinct >= split), np.count_nonzero(distinct < split)
    listed = f"({', '.join(f'{b:g}' for b in distinct)} s/mm2)"
    if above < NEEDED:
        raise InputError(
            f"Of the b-values {listed} {above} are at or above the split of {split:g} s/mm2; a segmented fit needs at "
            f"least {NEEDED} distinct ones there to tell D. Lower the split, or choose least squares."
        )
    if below < NEEDED:
        raise InputError(
            f"Of the b-values {listed} {below} are below the split of {split:g} s/mm2; a segmented fit needs at least "
            f"{NEEDED} distinct ones there to tell S0 and D*. Raise the split, or choose least squares."
        )


class _Steps(NamedTuple):
    """The two fits of one exponential each, and what bounds them.

    Attributes:
        samples: how signals are normalised.
        high: (q,) which distinct b-values tissue is fitted to.
        tissue, blood: the fits.
        bounds: of D, f and D*.
        S0: its bounds in normalised units.
        box: bounds of the rates in um2/ms.
    """

    samples: Samples
    high: NDArray
    tissue: MonoExponential
    blood: MonoExponential
    bounds: Bounds
    S0: Interval
    box: Box

    @classmethod
    def of(cls, samples: Samples, split: float, bounds: Bounds, fit_s0: bool) -> _Steps:
        """The steps of a protocol."""
        box = Box.of(*((UNIT * low, UNIT * high) for low, high in (bounds.D, bounds.D_star)))
        high, b, counts = samples.b >= split, samples.b / UNIT, samples.counts
        tissue = MonoExponential(b[high], counts[high], (box.low_1, box.high_1))
        blood = MonoExponential(b, counts, (box.low_2, box.high_2))
        return cls(samples, high, tissue, blood, bounds, bounds.S0 if fit_s0 else (1.0, 1.0), box)

    def fit(self, signals: NDArray) -> dict[str, NDArray]:
        """The parameters of some signals (n, n_b)."""
        y, energy, scale = self.samples.normalised(signals)
        blocks = as_blocks(y)
        f_low, f_high = self.bounds.f
        A_range = (self.S0[0] * (1 - f_high), self.S0[1] * (1 - f_low))
        tissue = self.tissue.fit(np.ascontiguousarray(blocks[:, self.high]), A_range)
        overlap = RATIO * self.box.high_1 > self.box.low_2
        lowest = np.maximum(RATIO * tissue.rates, self.box.low_2) if overlap else None
        left = remainder(blocks, self.samples.b / UNIT, tissue)
        blood = self.blood.fit(left, self._blood_range(tissue.amplitudes), lowest)
        rss = 2 * blood.half_rss + self.samples.scatter(blocks, energy)
        n = scale.size
        rates, amplitudes = (tissue.rates[:n], blood.rates[:n]), (tissue.amplitudes[:n], blood.amplitudes[:n])
        return in_units(parameters_within(self.bounds, self.S0, self.box, rates, amplitudes), rss[:n], scale)

    def _blood_range(self, A: NDArray) -> tuple[NDArray, NDArray]:
        """Between what amplitudes of blood f and S0 are within their bounds."""
        low, high = self.S0[0] - A, self.S0[1] - A
        f_low, f_high = self.bounds.f
        # f = C / (A + C); f = 1 takes any C.
        if f_low < 1:
            low = np.maximum(low, f_low / (1 - f_low) * A)
        if f_high < 1:
            high = np.minimum(high, f_high / (1 - f_high) * A)
        return low, np.maximum(low, high)
