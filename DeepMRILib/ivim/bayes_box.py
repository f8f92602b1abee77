"""Where the posterior of each voxel lies: the box of D and log D* that ``bayes_grid`` integrates over.

Two things decide. The curvature at the least-squares optimum, for signals with little noise, whose posterior is a
narrow ellipse. And a coarse look at the whole range of both rates, for signals with much noise, whose posterior is no
ellipse: every place whose likelihood is not negligible belongs to the box.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.bayes_grid import DROP, Box, Data, Pairs, Quadratic, lowest_sum
from DeepMRILib.ivim.ratesearch import RATIO
from DeepMRILib.ivim.ratesearch import Box as Rates
from DeepMRILib.ivim.varpro import ReducedProblem

LEVELS_1, LEVELS_2 = 24, 16
"""Values of D and D* in the coarse look."""

REACH = 5.0
"""The box holds this many standard deviations to either side of the optimum."""


class Boxes:
    """Boxes for many voxels; ``limits`` are those of the rates, in um2/ms."""

    def __init__(self, limits: Rates) -> None:
        self.limits = limits
        self._edges_1 = np.linspace(limits.low_1, limits.high_1, LEVELS_1 + 1)
        self._edges_2 = np.linspace(np.log(limits.low_2), np.log(limits.high_2), LEVELS_2 + 1)

    def around(self, data: Data, rates: NDArray) -> Box:
        """The boxes of some voxels with least-squares rates (2, n)."""
        lowest = self._coarse(data)
        best, half = self._ellipse(data, rates)
        Q_min = np.minimum(best, lowest.min(axis=(1, 2)))
        noise = data.prior_sum
        k = data.degrees
        limit = (noise + Q_min) * np.exp(2 * DROP / k) - noise
        sd_1, sd_2 = half * np.sqrt((noise + Q_min) / k)
        likely = lowest <= limit[:, None, None]
        low_1, high_1 = _hull(likely.any(axis=2), self._edges_1)
        low_2, high_2 = _hull(likely.any(axis=1), self._edges_2)
        centre_1, centre_2 = rates[0], np.log(rates[1])
        e1, e2 = self._edges_1, self._edges_2
        return Box(
            np.clip(np.minimum(low_1, centre_1 - REACH * sd_1), e1[0], e1[-1]),
            np.clip(np.maximum(high_1, centre_1 + REACH * sd_1), e1[0], e1[-1]),
            np.clip(np.minimum(low_2, centre_2 - REACH * sd_2), e2[0], e2[-1]),
            np.clip(np.maximum(high_2, centre_2 + REACH * sd_2), e2[0], e2[-1]),
        )

    def _coarse(self, data: Data) -> NDArray:
        """Q (n, LEVELS_1, LEVELS_2) at the middle of each cell."""
        middles_1, middles_2 = (0.5 * (edges[1:] + edges[:-1]) for edges in (self._edges_1, self._edges_2))
        rates_2 = np.exp(middles_2)
        pairs = Pairs.of(data, middles_1[None], rates_2[None])
        lowest = lowest_sum(data, pairs, Quadratic.of(data, pairs))
        lowest[:, rates_2[None, :] < RATIO * middles_1[:, None]] = np.inf
        return lowest

    def _ellipse(self, data: Data, rates: NDArray) -> tuple[NDArray, NDArray]:
        """Q (n,) at the least-squares optimum, and the standard deviations of D and log D*, (2, n), for noise 1."""
        problem = ReducedProblem(data.b, data.counts, f=data.f, S0=data.S0)
        signals = np.ascontiguousarray(data.y.T)[None]
        with np.errstate(all="ignore"):
            point = problem.evaluate(signals, np.ascontiguousarray(rates))
            h11, h12, h22 = point.hessian
            det = np.maximum(h11 * h22 - h12 * h12, 1e-300)
            sd = np.sqrt(np.stack([h22, h11]) / det)
        sd[1] /= rates[1]
        return np.maximum(data.energy + 2 * point.cost, 0), np.nan_to_num(sd, nan=1e6, posinf=1e6)


def _hull(likely: NDArray, edges: NDArray) -> tuple[NDArray, NDArray]:
    """The outer edges of each row's True cells; infinite the other way round where there is none."""
    first, last = likely.argmax(axis=1), likely.shape[1] - 1 - likely[:, ::-1].argmax(axis=1)
    none = ~likely.any(axis=1)
    return np.where(none, np.inf, edges[first]), np.where(none, -np.inf, edges[last + 1])
