"""Tri-exponential IVIM in steps (segmented fit), all voxels at once: the slowest compartment first.

1. Where b >= splits[1] all blood has lost its signal: least squares of one exponential there gives D and its amplitude.
2. Where b >= splits[0] only fast blood has: what tissue leaves of those samples gives D*1 and slow blood's amplitude.
3. What both leave of all samples gives D*2 and the amplitude of fast blood.
4. S0 is the sum of the three amplitudes, f1 and f2 are the shares of blood's. Without ``fit_s0`` fast blood has what is
   missing to the signal at the lowest b-value.

The cut-offs follow the tri-exponential fits of Troelstra et al., Front Physiol 2022;13:942495 (code: IVIMNET; 15 and
120 s/mm2). Errors of one step pass on to the next; full least squares (``triexp``) has none of that.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT, Samples, checked_signals, checked_workers, fit_chunks
from DeepMRILib.ivim.bounds import TriexpBounds
from DeepMRILib.ivim.models import TRIEXP_PARAMETERS, triexp
from DeepMRILib.ivim.monoexp import Exponentials, MonoExponential, remainder
from DeepMRILib.ivim.triexp_box import RateBox, parameters_within
from DeepMRILib.ivim.varpro import as_blocks
from DeepMRILib.progress import Progress, silent

NEEDED = 2
"""Distinct b-values in each of the three ranges: an amplitude and a rate each."""
MESSAGE = "Segmented fit"


def fit_triexp_segmented(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: TriexpBounds | None = None,
    *,
    splits: tuple[float, float],
    fit_s0: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, NDArray]:
    """D, f1, D*1, f2, D*2, S0 and the residual sum of squares of every voxel.

    Args:
        signals: (n, n_b), any scale, negative samples allowed.
        b_values: (n_b,) in s/mm2, any order, repeats allowed, b = 0 not needed.
        bounds: see ``TriexpBounds``; those of S0 are multiples of the mean signal at the lowest b-value.
        splits: b-values in s/mm2 from which on fast blood, and all blood, is taken to have no signal left.
        fit_s0: False takes the mean signal at the lowest b-value as S0.
        progress, workers: as for ``triexp.fit_triexp``.

    Returns:
        As ``triexp.fit_triexp``: everything within its bounds, f1 + f2 <= 1 and D < D*1 < D*2, the lowest rate of a
        compartment that is not there; NaN where a signal is unusable.

    Raises:
        InputError: shapes that do not match, bad b-values, or splits that leave fewer than two in a range.

    Example:
        >>> b = [0, 1, 2, 5, 15, 30, 50, 80, 200, 400, 800]
        >>> signal = triexp(b, D=0.001, f1=0.1, D_star1=0.04, f2=0.1, D_star2=2.0, S0=300)
        >>> found = fit_triexp_segmented([signal], b, splits=(15, 200))
        >>> [float(found[name][0].round(3)) for name in ("D", "f1", "D_star1", "f2", "D_star2", "S0")]
        [0.001, 0.1, 0.04, 0.1, 2.005, 300.0]
    """
    signals, b_values = checked_signals(signals, b_values)
    _check_splits(b_values, splits)
    steps = _Steps.of(Samples(b_values), b_values, splits, TriexpBounds() if bounds is None else bounds, fit_s0)
    found = {name: np.empty(len(signals)) for name in (*TRIEXP_PARAMETERS, "rss")}

    def fit(voxels: slice) -> None:
        with np.errstate(all="ignore"):
            for name, values in steps.fit(signals[voxels]).items():
                found[name][voxels] = values

    fit_chunks(fit, len(signals), workers=checked_workers(workers), progress=progress or silent, message=MESSAGE)
    return found


def _check_splits(b_values: NDArray, splits: tuple[float, float]) -> None:
    low, high = splits
    if not (math.isfinite(low) and math.isfinite(high) and 0 < low < high):
        raise InputError(f"The splits are {low:g} and {high:g} s/mm2; give two ascending b-values such as 15 and 120.")
    distinct = np.unique(b_values)
    listed = f"({', '.join(f'{b:g}' for b in distinct)} s/mm2)"
    ranges = {
        f"below {low:g}": distinct < low,
        f"from {low:g} to {high:g}": (distinct >= low) & (distinct < high),
        f"at or above {high:g}": distinct >= high,
    }
    for where, inside in ranges.items():
        if inside.sum() < NEEDED:
            raise InputError(
                f"Of the b-values {listed} {inside.sum()} are {where} s/mm2; a segmented tri-exponential fit needs at "
                f"least {NEEDED} distinct ones there. Choose other splits, or least squares."
            )


class _Steps(NamedTuple):
    """The three fits of one exponential each, and what bounds them.

    Attributes:
        samples: how signals are normalised.
        b_values: (n_b,) of the samples, s/mm2.
        middle, high: (q,) which distinct b-values slow blood and tissue are fitted to.
        fits: of tissue, slow and fast blood.
        bounds: of the parameters, S0 in normalised units.
        fit_s0: whether S0 is free.
    """

    samples: Samples
    b_values: NDArray
    middle: NDArray
    high: NDArray
    fits: tuple[MonoExponential, MonoExponential, MonoExponential]
    bounds: TriexpBounds
    fit_s0: bool

    @classmethod
    def of(
        cls, samples: Samples, b_values: NDArray, splits: tuple[float, float], bounds: TriexpBounds, fit_s0: bool
    ) -> _Steps:
        """The steps of a protocol."""
        middle, high = (samples.b >= split for split in splits)
        b, counts = samples.b / UNIT, samples.counts
        everywhere = np.ones_like(high)
        box = RateBox.of(bounds)
        fits = tuple(
            MonoExponential(b[where], counts[where], (max(low, 1e-6 * top), top))
            for where, low, top in zip((high, middle, everywhere), box.low[:, 0], box.high[:, 0], strict=True)
        )
        return cls(samples, b_values, middle, high, fits, bounds, fit_s0)

    def fit(self, signals: NDArray) -> dict[str, NDArray]:
        """The parameters of some signals (n, n_b)."""
        y, _, scale = self.samples.normalised(signals)
        blocks, b = as_blocks(y), self.samples.b / UNIT
        low, top = self.bounds.S0 if self.fit_s0 else (1.0, 1.0)
        (f1_low, f1_high), (f2_low, f2_high) = self.bounds.f1, self.bounds.f2
        least = max(1 - f1_high - f2_high, 0.0)
        tissue = self._step(0, blocks, self.high, (low * least, top * (1 - f1_low - f2_low)))
        left = remainder(blocks, b, tissue)
        slow = self._step(1, left, self.middle, (f1_low * low, np.maximum(top * (1 - f2_low) - tissue.amplitudes, 0)))
        left = remainder(left, b, slow)
        known = tissue.amplitudes + slow.amplitudes
        fast = self._step(2, left, np.ones_like(self.high), (np.maximum(low - known, 0), np.maximum(top - known, 0)))
        return self._in_units((tissue, slow, fast), signals, scale)

    def _step(self, number: int, blocks: NDArray, where: NDArray, amplitude: tuple) -> Exponentials:
        return self.fits[number].fit(np.ascontiguousarray(blocks[:, where]), amplitude)

    def _in_units(self, found: tuple[Exponentials, ...], signals: NDArray, scale: NDArray) -> dict[str, NDArray]:
        """The parameters in the units of ``fit_triexp_segmented``, brought within their bounds."""
        n = scale.size
        rates, amplitudes = (np.stack([getattr(one, name)[:n] for one in found]) for name in ("rates", "amplitudes"))
        S0 = self.bounds.S0 if self.fit_s0 else (1.0, 1.0)
        result = parameters_within(self.bounds, S0, rates, amplitudes)
        result["S0"] *= scale
        curve = triexp(self.b_values, *(result[name] for name in TRIEXP_PARAMETERS))
        result["rss"] = ((signals - curve) ** 2).sum(axis=1)
        return {name: np.where(np.isnan(scale), np.nan, values) for name, values in result.items()}
