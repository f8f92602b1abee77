"""Where the likelihood of each voxel lies: the intervals of D* and, for each D*, of D that ``bayes_grid`` sums over.

First a box: what a coarse look at the whole range of both rates finds (signals with much noise, whose posterior is no
ellipse), and some standard deviations about the least-squares optimum (signals with little noise). Then its nodes of
D* are scanned: along D the best sum of squares is nearly a parabola, however narrow the likelihood is, and so a few
values of D tell where it lies. Where that is in a small part of the box, or at its end, another box is scanned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.bayes_grid import RATE_2, Box
from DeepMRILib.ivim.bayes_likelihood import Data, Planes, Reference, Sums
from DeepMRILib.ivim.ratesearch import RATIO
from DeepMRILib.ivim.ratesearch import Box as Limits
from DeepMRILib.ivim.varpro import ReducedProblem

DROP = 11.0
"""A likelihood this far below its largest, in natural logarithms, is negligible. ``bayes_grid`` goes less far in f, but
where D* is high such places have much room: with 8 the standard deviation of D* comes out 4 % low in some voxels."""

LEVELS_1, LEVELS_2 = 20, 14
"""Values of D and D* in the coarse look."""

REACH = 5.0
"""The first box holds this many standard deviations to either side of the optimum."""

SCANNED = 9
"""Values of D in a scan."""

SCANS = 4
"""Most scans."""

SMALL = 0.5
"""A box whose likelihood lies in less than this part of it, in D* or in D, gives way to a smaller one."""

FAR = np.float32(1e30)


class _Ranges(NamedTuple):
    """Lowest and highest D and log D* of a box, (n,) each."""

    low_1: NDArray
    high_1: NDArray
    low_2: NDArray
    high_2: NDArray


class Boxes:
    """Boxes for many voxels.

    Args:
        b: (q,) distinct b-values in ms/um2.
        counts: (q,) samples each.
        limits: of the rates, in um2/ms.
    """

    def __init__(self, b: NDArray, counts: NDArray, limits: Limits) -> None:
        self.edges = (
            np.linspace(limits.low_1, limits.high_1, LEVELS_1 + 1),
            np.linspace(np.log(limits.low_2), np.log(limits.high_2), LEVELS_2 + 1),
        )
        rates_1, rates_2 = (0.5 * (edges[1:] + edges[:-1]) for edges in self.edges)
        self._table = _Table(b, counts, rates_1, np.exp(rates_2))

    def around(self, data: Data, rates: NDArray) -> tuple[Box, Reference]:
        """The boxes of some voxels with least-squares rates (2, n), and their optimum there."""
        reference, sd = self._optimum(data, rates)
        ranges = self._first(data, reference, rates, sd)
        box, following = self._scan(data, reference, ranges)
        left = np.arange(len(rates[0]))
        for _ in range(SCANS - 1):
            again = _worth_a_scan(following, ranges)
            left = left[again]
            if not left.size:
                break
            ranges = _Ranges(*(values[again] for values in following))
            found, following = self._scan(data.of(left), Reference(*(values[left] for values in reference)), ranges)
            for mine, theirs in zip(box, found, strict=True):
                mine[left] = theirs
        return box, reference

    def _first(self, data: Data, reference: Reference, rates: NDArray, sd: NDArray) -> _Ranges:
        """A box from the coarse look and about the optimum."""
        k = data.degrees
        likely = self._table.scaled(data, reference) <= np.expm1(2 * DROP / k)
        sd = sd * np.sqrt((data.prior_sum + reference.Q) / k)
        limits = []
        for axis, place in enumerate((rates[0], np.log(rates[1]))):
            edges = self.edges[axis]
            low, high = _hull(likely.any(axis=2 - axis), edges)
            limits.append(np.clip(np.minimum(low, place - REACH * sd[axis]), edges[0], edges[-1]))
            limits.append(np.clip(np.maximum(high, place + REACH * sd[axis]), edges[0], edges[-1]))
        return _Ranges(*limits)

    def _scan(self, data: Data, reference: Reference, ranges: _Ranges) -> tuple[Box, _Ranges]:
        """The intervals of D at each node of log D*, and the box that they and D* take up."""
        x2, _ = RATE_2.on(ranges.low_2, ranges.high_2)
        step = (ranges.high_1 - ranges.low_1)[:, None] / (SCANNED - 1)
        x1 = ranges.low_1[:, None] + step * np.arange(SCANNED)
        scaled = _scaled(data, reference, x1, np.exp(x2))
        vertex, lowest, curvature = _parabola(x1, scaled, step)
        k = data.degrees
        limit = (1 + lowest.min(axis=1)) * np.exp(2 * DROP / k) - 1
        rise = np.maximum(limit[:, None] - lowest, 0.1 * (1 + limit[:, None]) * -np.expm1(-2 * DROP / k))
        half = np.sqrt(2 * rise / curvature)
        likely = scaled <= limit[:, None, None]
        low = np.where(likely, x1[:, :, None], np.inf).min(axis=1)
        high = np.where(likely, x1[:, :, None], -np.inf).max(axis=1)
        low = np.clip(np.minimum(vertex - half, low), *self.edges[0][[0, -1]])
        high = np.clip(np.maximum(vertex + half, high), *self.edges[0][[0, -1]])
        live = (lowest <= limit[:, None]) | likely.any(axis=1)
        next_ranges = _Ranges(
            np.where(live, low, np.inf).min(axis=1),
            np.where(live, high, -np.inf).max(axis=1),
            *self._next_log_rates(ranges, x2, live),
        )
        return Box(ranges.low_2, ranges.high_2, low, high), next_ranges

    def _next_log_rates(self, ranges: _Ranges, x2: NDArray, live: NDArray) -> tuple[NDArray, NDArray]:
        """From before the first live node to after the last one; further than the range where those are at its end."""
        first, last = live.argmax(axis=1), live.shape[1] - 1 - live[:, ::-1].argmax(axis=1)
        width, row = ranges.high_2 - ranges.low_2, np.arange(len(x2))
        beyond = (ranges.low_2 - width)[:, None], (ranges.high_2 + width)[:, None]
        padded = np.clip(np.concatenate([beyond[0], x2, beyond[1]], axis=1), *self.edges[1][[0, -1]])
        return padded[row, first], padded[row, last + 2]

    @staticmethod
    def _optimum(data: Data, rates: NDArray) -> tuple[Reference, NDArray]:
        """The optimum for given rates, and the standard deviations of D and log D*, (2, n), if the noise's is 1."""
        problem = ReducedProblem(data.b, data.counts, f=data.f, S0=data.S0)
        with np.errstate(all="ignore"):
            point = problem.evaluate(np.ascontiguousarray(data.y.T)[None], np.ascontiguousarray(rates))
            h11, h12, h22 = point.hessian
            sd = np.sqrt(np.stack([h22, h11]) / np.maximum(h11 * h22 - h12 * h12, 1e-300))
        sd[1] /= rates[1]
        a, c = point.amplitudes
        reference = Reference(np.maximum(data.energy + 2 * point.cost, 0), np.clip(c / (a + c), *data.f), a + c)
        return reference, np.nan_to_num(sd, nan=1e6, posinf=1e6)


def _scaled(data: Data, reference: Reference, rates_1: NDArray, rates_2: NDArray) -> NDArray:
    """(Q - Q_ref) / (nu0 s2 + Q_ref) at the best f and S0 within their bounds, (n, m1, m2)."""
    scaled = _at_best(Sums(data, Planes.of_product(data, rates_1, rates_2), reference), data, reference)
    scaled[rates_2[:, None, :] <= RATIO * rates_1[:, :, None]] = FAR
    return scaled


def _at_best(sums: Sums, data: Data, reference: Reference) -> NDArray:
    low, high = ((bound - reference.f[:, None, None]).astype(np.float32) for bound in data.f)
    return sums.at(sums.best(low, high)[1])[0]


def _parabola(x: NDArray, values: NDArray, step: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Where the minimum along axis 1 is, its value and the curvature there, (n, m2); x is (n, m1) in equal steps."""
    at = np.clip(values.argmin(axis=1), 1, values.shape[1] - 2)[:, None, :]
    left, middle, right = (np.take_along_axis(values, at + k, axis=1)[:, 0].astype(float) for k in (-1, 0, 1))
    bend, slope = left - 2 * middle + right, 0.5 * (right - left)
    bend = np.maximum(bend, 1e-12)
    move = np.clip(-slope / bend, -1.5, 1.5)
    lowest = np.minimum(middle + move * (slope + 0.5 * bend * move), values.min(axis=1))
    vertex = np.take_along_axis(x, at[:, 0], axis=1) + move * step
    return vertex, np.maximum(lowest, -0.999), bend / np.maximum(step, 1e-12) ** 2


def _worth_a_scan(following: _Ranges, ranges: _Ranges) -> NDArray:
    """Where the next box is much smaller than the last, or reaches beyond it in D*."""
    narrow_1 = following.high_1 - following.low_1 < SMALL * (ranges.high_1 - ranges.low_1)
    narrow_2 = following.high_2 - following.low_2 < SMALL * (ranges.high_2 - ranges.low_2)
    beyond = (following.low_2 < ranges.low_2 - 1e-9) | (following.high_2 > ranges.high_2 + 1e-9)
    return narrow_1 | narrow_2 | beyond


class _Table:
    """The planes of fixed pairs of rates, to project many signals on at once; single precision is enough here."""

    def __init__(self, b: NDArray, counts: NDArray, rates_1: NDArray, rates_2: NDArray) -> None:
        self.shape = (len(rates_1), len(rates_2))
        root = np.sqrt(counts)
        e1, e2 = (np.exp(-np.outer(rates, b)) * root for rates in (rates_1, rates_2))
        r11 = np.linalg.norm(e1, axis=1)[:, None]
        axis_1 = e1 / r11
        r12 = axis_1 @ e2.T
        own = e2 - r12[:, :, None] * axis_1[:, None, :]
        r22 = np.linalg.norm(own, axis=2)
        apart = (r22 > 1e-5 * np.linalg.norm(e2, axis=1)) & (rates_2 > RATIO * rates_1[:, None])
        self.excluded = rates_2 <= RATIO * rates_1[:, None]
        axis_2 = np.where(apart[:, :, None], own / np.maximum(r22, 1e-30)[:, :, None], 0)
        self.r = [values.astype(np.float32)[None] for values in (r11, r12, np.where(apart, r22, 0))]
        self.axes = [(axis.reshape(-1, len(b)) * root).T.astype(np.float32) for axis in (axis_1, axis_2)]

    def scaled(self, data: Data, reference: Reference) -> NDArray:
        """As ``_scaled``, (n, LEVELS_1, LEVELS_2)."""
        y = data.y.astype(np.float32)
        z1, z2 = (y @ axis for axis in self.axes)
        planes = Planes(*self.r, z1[:, :, None], z2.reshape(-1, *self.shape))
        found = _at_best(Sums(data, planes, reference), data, reference)
        found[:, self.excluded] = np.inf
        return found


def _hull(likely: NDArray, edges: NDArray) -> tuple[NDArray, NDArray]:
    """The outer edges of each row's True cells; infinite the other way round where there is none."""
    first, last = likely.argmax(axis=1), likely.shape[1] - 1 - likely[:, ::-1].argmax(axis=1)
    none = ~likely.any(axis=1)
    return np.where(none, np.inf, edges[first]), np.where(none, -np.inf, edges[last + 1])
