"""The posterior of the bi-exponential parameters on a grid of its own for each voxel.

With a = S0 (1 - f) and c = S0 f the signal is y(b) ~ a exp(-b D) + c exp(-b D*) with Gaussian noise. For a pair of
rates all that the data say is in five moments: sums over b of products of y and the two exponentials. From them, in
closed form,

    Q(D, D*, f) = Q0(D, D*) + (alpha - beta f)^2 / M(f),   M(f) = sum_b [(1 - f) exp(-b D) + f exp(-b D*)]^2

is the sum of squares at the best S0, where Q0 is that at the best amplitudes. S0 and the noise's variance are
integrated out: a flat prior of S0 and a scaled inverse chi-square prior of the variance (nu0 degrees of freedom, value
s2) leave

    likelihood(D, D*, f) = M^(-1/2) (nu0 s2 + Q)^(-(nu0 + n_b - 1) / 2)

(Bretthorst, Bayesian Spectrum Analysis and Parameter Estimation, Springer 1988, chapter 3). The three integrals left
are sums over Gauss-Legendre nodes: D and log D* in a box that holds the posterior, and f, for each pair of rates, in
the interval where its likelihood is not negligible. So a node costs some forty floating-point operations and no
exponential of a b-value.

Where the best S0 lies outside its bounds, the bound is taken for it instead of the integral over the part within.

Units as in ``varpro``: b in ms/um2, rates in um2/ms; signals are relative to the mean at the lowest b-value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.varpro import Interval

DROP = 8.0
"""A likelihood this far below its largest, in natural logarithms, is negligible."""

SINGULAR = 1e-10
"""Exponentials whose normal matrix has a smaller determinant, as a part of its diagonal's product, are the same."""

FLOOR = 1e-10
"""The noise's variance is not taken for less than this part of the mean squared signal."""

F_CELLS = 2000
"""Cells of f in which its prior is taken for constant."""


class Rule(NamedTuple):
    """Gauss-Legendre nodes and weights on 0 to 1."""

    nodes: NDArray
    weights: NDArray

    @classmethod
    def of(cls, n: int) -> Rule:
        """The rule with n nodes."""
        nodes, weights = np.polynomial.legendre.leggauss(n)
        return cls(0.5 * (nodes + 1), 0.5 * weights)

    def on(self, low: NDArray, high: NDArray) -> tuple[NDArray, NDArray]:
        """Nodes and weights (n, m) on intervals (n,); an interval of no width has weight 1."""
        width = (high - low)[:, None]
        return low[:, None] + width * self.nodes, np.where(width > 0, width, 1.0) * self.weights


RATE_1, RATE_2, FRACTION = Rule.of(16), Rule.of(16), Rule.of(8)


@dataclass(frozen=True)
class Data:
    """Normalised signals of some voxels and what is known of their noise.

    Attributes:
        b: (q,) distinct b-values.
        counts: (q,) samples each.
        y: (n, q) mean signals.
        energy: (n,) sum of all squared samples.
        s2: (n,) prior value of the noise's variance.
        nu0: degrees of freedom behind it.
        f, S0: bounds; S0 is not fitted if they are equal.
    """

    b: NDArray
    counts: NDArray
    y: NDArray
    energy: NDArray
    s2: NDArray
    nu0: float
    f: Interval
    S0: Interval

    @property
    def fits_s0(self) -> bool:
        """Whether S0 is unknown."""
        return self.S0[0] < self.S0[1]

    @property
    def prior_sum(self) -> NDArray:
        """What the noise's prior adds to the sum of squares (n,); never below rounding."""
        return self.nu0 * self.s2 + self.degrees * FLOOR * self.energy / self.counts.sum()

    @property
    def degrees(self) -> float:
        """Of the Student-t likelihood, plus one for each unknown: twice its exponent."""
        return self.nu0 + self.counts.sum() - self.fits_s0


class Box(NamedTuple):
    """Lowest and highest D and log D* of each voxel's grid, (n,) each."""

    low_1: NDArray
    high_1: NDArray
    low_2: NDArray
    high_2: NDArray


class Densities(NamedTuple):
    """A prior: log densities by D and by log D*, vectorised, and of f in ``F_CELLS`` cells between its bounds."""

    log_1: Callable[[NDArray], NDArray]
    log_2: Callable[[NDArray], NDArray]
    f: NDArray


class Moments(NamedTuple):
    """Posterior means and variances (n,) of D, f, D*, S0, in this order."""

    mean: NDArray
    variance: NDArray


class Shares(NamedTuple):
    """Where the posterior's mass lies, to learn a prior from: nodes and masses of D and of log D*, (n, m); mass of f
    summed over the voxels, (F_CELLS,)."""

    nodes_1: NDArray
    mass_1: NDArray
    nodes_2: NDArray
    mass_2: NDArray
    mass_f: NDArray


class Pairs(NamedTuple):
    """Sums over b for all pairs of rates, (n, m1, m2) or what broadcasts to it."""

    h11: NDArray
    h12: NDArray
    h22: NDArray
    y1: NDArray
    y2: NDArray

    @classmethod
    def of(cls, data: Data, rates_1: NDArray, rates_2: NDArray) -> Pairs:
        """From rates (n, m1) and (n, m2), or (1, m) for all voxels the same."""
        e1 = np.exp(-rates_1[:, :, None] * data.b)
        e2 = np.exp(-rates_2[:, :, None] * data.b)
        weighted = data.counts * e1
        y = (data.counts * data.y)[:, :, None]
        return cls(
            (weighted * e1).sum(axis=2)[:, :, None],
            weighted @ e2.transpose(0, 2, 1),
            (data.counts * e2 * e2).sum(axis=2)[:, None, :],
            e1 @ y,
            (e2 @ y).transpose(0, 2, 1),
        )


class Quadratic(NamedTuple):
    """Q as a function of f for each pair: ``base + (alpha - beta f)^2 / M(f)``, ``M(f) = m0 + m1 f + m2 f^2``.

    Where beta is 0, Q does not depend on f.
    """

    base: NDArray
    alpha: NDArray
    beta: NDArray
    m0: NDArray
    m1: NDArray
    m2: NDArray

    @classmethod
    def of(cls, data: Data, pairs: Pairs) -> Quadratic:
        """From the moments."""
        h11, h12, h22, y1, y2 = pairs
        energy = data.energy[:, None, None]
        spread = h11 - 2 * h12 + h22
        product = h11 * h22
        det = product - h12 * h12
        apart = det > SINGULAR * product
        if not data.fits_s0:
            root = np.sqrt(np.where(apart, spread, 1.0))
            slope = np.where(apart, (y2 - y1) - (h12 - h11), 0.0)
            alpha, beta = slope / root, np.where(apart, root, 0.0)
            one = np.ones((1, 1, 1))
            return cls(energy - 2 * y1 + h11 - alpha**2, alpha, beta, one, 0 * one, 0 * one)
        safe = np.where(apart, det, 1.0)
        a, c = (h22 * y1 - h12 * y2) / safe, (h11 * y2 - h12 * y1) / safe
        base = energy - np.where(apart, a * y1 + c * y2, y1 * y1 / h11)
        root = np.sqrt(np.where(apart, det, 0.0))
        return cls(base, root * c, root * (a + c), h11, 2 * (h12 - h11), spread)

    def power(self, f: NDArray) -> NDArray:
        """The power of the curve with S0 = 1."""
        return self.m0 + f * (self.m1 + f * self.m2)

    def best_f(self, bounds: Interval) -> tuple[NDArray, NDArray]:
        """The best f of each pair, free and within the bounds."""
        free = self.alpha / np.where(self.beta == 0, np.inf, self.beta)
        return free, np.clip(free, *bounds)

    def at(self, f: NDArray) -> NDArray:
        """Q."""
        return self.base + (self.alpha - self.beta * f) ** 2 / self.power(f)


def _best_s0(pairs: Pairs, quadratic: Quadratic, f: NDArray) -> NDArray:
    """The best S0 without bounds."""
    return (pairs.y1 + f * (pairs.y2 - pairs.y1)) / quadratic.power(f)


def lowest_sum(data: Data, pairs: Pairs, quadratic: Quadratic) -> NDArray:
    """Q at the best f and S0 within their bounds, for each pair."""
    _, f = quadratic.best_f(data.f)
    lowest = quadratic.at(f)
    if data.fits_s0:
        S0 = _best_s0(pairs, quadratic, f)
        lowest = lowest + quadratic.power(f) * (np.clip(S0, *data.S0) - S0) ** 2
    return lowest


def integrate(data: Data, box: Box, prior: Densities, *, shares: bool = False) -> tuple[Moments, Shares | None]:
    """Posterior moments of all voxels, and the shares of the prior's cells if asked for."""
    x1, w1 = RATE_1.on(box.low_1, box.high_1)
    x2, w2 = RATE_2.on(box.low_2, box.high_2)
    rates_2 = np.exp(x2)
    pairs = Pairs.of(data, x1, rates_2)
    log_prior = (prior.log_1(x1) + np.log(w1))[:, :, None] + (prior.log_2(x2) + np.log(w2))[:, None, :]
    log_prior[rates_2[:, None, :] <= x1[:, :, None]] = -np.inf
    sums = _sums_over_f(data, pairs, log_prior, prior.f, shares)
    mass = sums.total
    mass_1, mass_2 = mass.sum(axis=2), mass.sum(axis=1)
    D, D_var = _moments(x1, mass_1)
    D_star, D_star_var = _moments(rates_2, mass_2)
    moments = Moments(np.stack([D, sums.f, D_star, sums.S0]), np.stack([D_var, sums.f_var, D_star_var, sums.S0_var]))
    return moments, Shares(x1, mass_1, x2, mass_2, sums.mass_f) if shares else None


def _moments(nodes: NDArray, mass: NDArray) -> tuple[NDArray, NDArray]:
    """Mean and variance (n,) from nodes and normalised masses (n, m)."""
    mean = (nodes * mass).sum(axis=1)
    return mean, ((nodes - mean[:, None]) ** 2 * mass).sum(axis=1)


class _Sums(NamedTuple):
    """Normalised mass of each pair (n, m1, m2), moments of f and S0 (n,), mass of f in cells."""

    total: NDArray
    f: NDArray
    f_var: NDArray
    S0: NDArray
    S0_var: NDArray
    mass_f: NDArray | None


def _sums_over_f(data: Data, pairs: Pairs, log_prior: NDArray, prior_f: NDArray, shares: bool) -> _Sums:
    """Integrals over f for each pair, then sums over all pairs.

    In single precision, relative to the voxel's best point: so that nothing small is the difference of large numbers.
    """
    n = len(data.y)
    quadratic = Quadratic.of(data, pairs)
    free, f_best = quadratic.best_f(data.f)
    lowest = lowest_sum(data, pairs, quadratic)
    lowest[np.isneginf(log_prior)] = np.inf
    at = lowest.reshape(n, -1).argmin(axis=1)
    Q_min = np.take_along_axis(lowest.reshape(n, -1), at[:, None], axis=1)[:, :, None]
    f_0 = np.take_along_axis(f_best.reshape(n, -1), at[:, None], axis=1)[:, :, None]
    scale = 1 / (data.prior_sum[:, None, None] + Q_min)
    low, width = _f_interval(data, quadratic, free, f_best, scale, Q_min)
    node = _Node(data, pairs, quadratic, f_0, Q_min, scale)
    sums = np.zeros((6, *log_prior.shape), np.float32)
    kept = []
    cells = np.float32(len(prior_f) / max(data.f[1] - data.f[0], 1e-30))
    first = ((f_0 - data.f[0]) * cells).astype(np.float32)
    start, width_32 = (low - f_0).astype(np.float32), width.astype(np.float32)
    for place, weight in zip(*FRACTION, strict=True):
        delta = start + width_32 * np.float32(place)
        likelihood, S0, inverse_M = node.likelihood(delta)
        cell = np.clip((first + delta * cells).astype(np.int32), 0, len(prior_f) - 1)
        likelihood *= np.float32(weight) * prior_f[cell]
        _accumulate(sums, likelihood, delta, S0, inverse_M)
        if shares:
            kept.append((cell, likelihood))
    pair_weight = np.exp(log_prior - _largest(log_prior)) * np.where(width > 0, width, 1.0)
    total = sums[0] * pair_weight
    norm = total.sum(axis=(1, 2))
    pair_weight /= norm[:, None, None]
    mass_f = sum(np.bincount(cell.ravel(), (mass * pair_weight).ravel(), len(prior_f)) for cell, mass in kept)
    f_mean, f_2, S0_mean, S0_2, M_mean = ((part * pair_weight).sum(axis=(1, 2)) for part in sums[1:])
    noise = data.fits_s0 / (scale[:, 0, 0] * max(data.degrees - 2, 1))
    return _Sums(
        total / norm[:, None, None],
        f_0[:, 0, 0] + f_mean,
        np.maximum(f_2 - f_mean**2, 0),
        node.S0_0[:, 0, 0] + S0_mean,
        np.maximum(S0_2 - S0_mean**2, 0) + noise * M_mean,
        mass_f if shares else None,
    )


def _largest(values: NDArray) -> NDArray:
    return values.max(axis=(1, 2), keepdims=True)


def _accumulate(sums: NDArray, mass: NDArray, delta: NDArray, S0: NDArray, inverse_M: NDArray) -> None:
    sums[0] += mass
    first = mass * delta
    sums[1] += first
    first *= delta
    sums[2] += first
    np.multiply(mass, S0, out=first)
    sums[3] += first
    first *= S0
    sums[4] += first
    np.multiply(mass, inverse_M, out=first)
    sums[5] += first


def _f_interval(
    data: Data, quadratic: Quadratic, free: NDArray, best: NDArray, scale: NDArray, Q_min: NDArray
) -> tuple[NDArray, NDArray]:
    """For each pair the lowest f to integrate from, and how far: where the likelihood of f is not negligible."""
    k = data.degrees
    reach = np.sqrt(k * np.expm1(2 * DROP / k))
    # By so much Q rises until the likelihood has fallen by e^-0.5, near enough.
    unit = (1 / scale + np.maximum(quadratic.base - Q_min, 0)) / k
    sd = np.sqrt(unit * quadratic.power(best)) / np.maximum(np.abs(quadratic.beta), 1e-30)
    low_f, high_f = data.f
    below, above = np.maximum((low_f - free) / sd, 0), np.maximum((free - high_f) / sd, 0)
    low = np.clip(free - sd * np.sqrt(above**2 + reach**2), low_f, high_f)
    high = np.clip(free + sd * np.sqrt(below**2 + reach**2), low_f, high_f)
    return low, high - low


class _Node:
    """The likelihood at nodes f = f_0 + delta of all pairs, in single precision."""

    def __init__(
        self, data: Data, pairs: Pairs, quadratic: Quadratic, f_0: NDArray, Q_min: NDArray, scale: NDArray
    ) -> None:
        q, root = quadratic, np.sqrt(scale)
        self.exponent = np.float32(-0.5 * data.degrees)
        self.fits_s0 = data.fits_s0
        self.base = self._single((q.base - Q_min) * scale)
        self.alpha = self._single((q.alpha - q.beta * f_0) * root)
        self.beta = self._single(q.beta * root)
        # M as a polynomial of delta.
        m0, m1, m2 = q.power(f_0), q.m1 + 2 * f_0 * q.m2, q.m2
        self.m = [self._single(value) for value in (m0, m1, m2)]
        if not self.fits_s0:
            self.S0_0 = np.ones_like(f_0)
            return
        # The voxel's S0 to count from; S0 - S0_0 = (p0 + p1 delta + p2 delta^2) / M.
        self.S0_0 = np.clip(np.ones_like(f_0), *data.S0)
        p0 = pairs.y1 + f_0 * (pairs.y2 - pairs.y1) - self.S0_0 * m0
        p1 = pairs.y2 - pairs.y1 - self.S0_0 * m1
        self.p = [self._single(value) for value in (p0, p1, -self.S0_0 * m2)]
        self.S0 = [self._single(bound - self.S0_0) for bound in data.S0]
        self.scale = self._single(scale)

    @staticmethod
    def _single(values: NDArray) -> NDArray:
        return values.astype(np.float32)

    def likelihood(self, delta: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Likelihood, S0 - S0_0 and 1 / M."""
        residual = self.alpha - self.beta * delta
        if not self.fits_s0:
            Q = residual * residual
            Q += self.base
            Q += 1
            np.log(Q, out=Q)
            Q *= self.exponent
            zero = np.float32(0)
            return np.exp(Q, out=Q), zero, np.float32(1)
        m0, m1, m2 = self.m
        M = m2 * delta
        M += m1
        M *= delta
        M += m0
        inverse = 1 / M
        p0, p1, p2 = self.p
        S0 = p2 * delta
        S0 += p1
        S0 *= delta
        S0 += p0
        S0 *= inverse
        within = np.clip(S0, *self.S0)
        S0 -= within
        S0 *= S0
        S0 *= M
        S0 *= self.scale
        residual *= residual
        residual *= inverse
        residual += S0
        residual += self.base
        residual += 1
        np.log(residual, out=residual)
        residual *= self.exponent
        np.exp(residual, out=residual)
        residual *= np.sqrt(inverse, out=M)
        return residual, within, inverse
