"""What the bounds of a tri-exponential fit make of its rates and amplitudes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.batches import UNIT
from DeepMRILib.ivim.bounds import Interval, TriexpBounds
from DeepMRILib.ivim.ratesearch import RATIO

SLOWEST = 1e-9
"""D* in um2/ms that stands for 0, which has no logarithm."""

NO_FRACTION = 1e-9
"""A fraction below this is rounding: the compartment is not there."""


class RateBox(NamedTuple):
    """Lowest and highest D, D*1 and D*2, (3, 1) in um2/ms, such that D < D*1 < D*2 within it."""

    low: NDArray
    high: NDArray

    @classmethod
    def of(cls, bounds: TriexpBounds) -> RateBox:
        """The box of bounds, which do not overlap but may touch."""
        low, high = UNIT * np.array([bounds.D, bounds.D_star1, bounds.D_star2]).T
        for slow, fast in ((0, 1), (1, 2)):
            low[fast] = max(low[fast], RATIO * low[slow], 1e-6 * high[fast], SLOWEST)
            high[slow] = max(min(high[slow], low[fast] / RATIO), low[slow])
            high[fast] = max(high[fast], low[fast])
        return cls(low[:, None], high[:, None])

    def at(self, places: NDArray) -> NDArray:
        """Rates (3, m) at places (3, m) from 0 to 1: D in even steps, D* in even ratios."""
        return np.concatenate([
            self.low[:1] + places[:1] * (self.high[:1] - self.low[:1]),
            self.low[1:] * (self.high[1:] / self.low[1:]) ** places[1:],
        ])  # fmt: skip


def parameters_within(bounds: TriexpBounds, S0: Interval, rates: NDArray, amplitudes: NDArray) -> dict[str, NDArray]:
    """The parameters, each (n,), exactly within their bounds and with f1 + f2 <= 1.

    Where a compartment has no fraction its signal says nothing of its rate: the lowest in ``RateBox``.

    Args:
        bounds: of all parameters but S0.
        S0: its bounds.
        rates: (3, n) D, D*1, D*2 in um2/ms.
        amplitudes: (3, n) of tissue, slow and fast blood, in units of S0.
    """
    total = np.clip(amplitudes.sum(axis=0), *S0)
    f1, f2 = amplitudes[1:] / total
    f1, f2 = (np.clip(np.where(f < NO_FRACTION, 0, f), *limits) for f, limits in ((f1, bounds.f1), (f2, bounds.f2)))
    f2 = np.where(f1 + f2 > 1, np.maximum(1 - f1, bounds.f2[0]), f2)
    f1 = np.where(f1 + f2 > 1, np.maximum(1 - f2, bounds.f1[0]), f1)
    tissue = 1 - f1 - f2
    found = {"f1": f1, "f2": f2, "S0": total}
    shares = {"D": np.where(tissue < NO_FRACTION, 0, tissue), "D_star1": f1, "D_star2": f2}
    for (name, share), rate, lowest in zip(shares.items(), rates, RateBox.of(bounds).low, strict=True):
        found[name] = np.clip(np.where(share > 0, rate, lowest) / UNIT, *getattr(bounds, name))
    return found
