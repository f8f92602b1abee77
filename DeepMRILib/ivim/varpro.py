"""Variable projection for the bi-exponential model: least squares of four parameters as one of two rates.

With a = S0 (1 - f) and c = S0 f the signal y(b) ~ a exp(-b D) + c exp(-b D*) is linear in (a, c), and the bounds of f
and S0 are a quadrilateral in the plane of (a, c). So for given rates the best amplitudes are known in closed form, and

    F(D, D*) = min over (a, c) of 1/2 sum_b w_b (y_b - a exp(-b D) - c exp(-b D*))^2  -  1/2 sum_b w_b y_b^2

is all that is left to minimise (Golub & Pereyra, SIAM J Numer Anal 1973;10:413-432). F, its gradient and its Hessian
need only the moments sum_b w_b b^k p_b, k = 0, 1, 2, of five products p: one small matrix product for all voxels.

Inside this module b is in ms/um2 and rates are in um2/ms (1e-3 mm2/s), so that all numbers are near 1. Arrays have
the voxels last; a pair of rates is (2, n), D first. Arithmetic is done on several rows at once where it can be:
numpy then spends its time in few long loops, during which other threads may run.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]

BLOCK = 256
"""Voxels side by side in one matrix product: always the same number, so that no voxel's rounding depends on how many
others are fitted, and few enough that BLAS does not start threads of its own."""

SPAN = 45_000
"""Numbers per array that exponentials are taken of at once. Fewer stay longer in the core's cache, but in shorter loops
two threads mostly wait for the interpreter's lock: 400,000 voxels take two cores 1.1 s with a quarter of it, 0.95 s
with this.
"""

FLAT = 1e-12
"""Curvature below this is taken for none."""


def as_blocks(signals: NDArray) -> NDArray:
    """Signals (n, q) as (n / BLOCK, q, BLOCK) in C order; n is a multiple of BLOCK."""
    return np.ascontiguousarray(signals.reshape(-1, BLOCK, signals.shape[1]).transpose(0, 2, 1))


class Amplitudes(NamedTuple):
    """The best amplitudes at given rates.

    Attributes:
        values: (2, n) a and c.
        inverse: (3, n) i11, i12, i22: the inverse of their normal matrix is [[i11, -i12], [-i12, i22]]. On a side of
            the quadrilateral it is restricted to that line, in a corner it is 0.
        cost: (n,) F.
    """

    values: NDArray
    inverse: NDArray
    cost: NDArray


class Point(NamedTuple):
    """F at given rates: (n,), amplitudes (2, n), gradient (2, n), positive definite Hessian h11 h12 h22 (3, n)."""

    cost: NDArray
    amplitudes: NDArray
    gradient: NDArray
    hessian: NDArray

    def take_where(self, better: NDArray, other: Point) -> None:
        """Become the other where it is better."""
        for mine, theirs in zip(self, other, strict=True):
            np.copyto(mine, theirs, where=better)


class ReducedProblem:
    """F(D, D*) for many voxels at once.

    Args:
        b: (q,) distinct b-values in ms/um2.
        weights: (q,) how many measurements each stands for.
        f, S0: lowest and highest values allowed.
        dtype: precision of all sums; single is twice as fast and good to 1e-6 of the signal's power.
    """

    def __init__(
        self, b: NDArray, weights: NDArray, *, f: Interval, S0: Interval, dtype: type[np.floating] = np.float64
    ) -> None:
        self.b, self.weights, self.f, self.S0, self.dtype = b, weights, f, S0, dtype
        self._minus_b = -b[:, None].astype(dtype)
        self._powers = (weights * np.stack([np.ones_like(b), b, b * b])).astype(dtype)
        self._tiny = dtype(np.finfo(dtype).tiny)
        self._singular = dtype(1e3 * np.finfo(dtype).eps)

    def moments(self, signals: NDArray, rates: NDArray, powers: int = 3) -> NDArray:
        """Weighted sums of b^k times (e1 e1, e1 e2, e2 e2, y e1, y e2), where e = exp(-b rate).

        Args:
            signals: (n / BLOCK, q, BLOCK) in C order and in this problem's precision, as are
            rates: (2, n).
            powers: how many k, from 0.

        Returns:
            (powers, 5, n).
        """
        n_blocks, q, block = signals.shape
        found = np.empty((powers, 5, n_blocks, block), self.dtype)
        into = found.transpose(1, 2, 0, 3)
        rates = rates.reshape(2, n_blocks, 1, block)
        group = max(SPAN // (q * block), 1)
        exponentials = np.empty((2, group, q, block), self.dtype)
        products = np.empty((5, group, q, block), self.dtype)
        for start in range(0, n_blocks, group):
            part = slice(start, min(start + group, n_blocks))
            size = part.stop - start
            e, p = exponentials[:, :size], products[:, :size]
            np.multiply(self._minus_b, rates[:, part], out=e)
            np.exp(e, out=e)
            np.multiply(e[0], e, out=p[0:2])
            np.multiply(e[1], e[1], out=p[2])
            np.multiply(signals[part], e, out=p[3:5])
            np.matmul(self._powers[:powers], p, out=into[:, part])
        return found.reshape(powers, 5, -1)

    def cost(self, signals: NDArray, rates: NDArray) -> NDArray:
        """F, (n,); shapes as in ``moments``."""
        return self.amplitudes(self.moments(signals, rates, powers=1)[0]).cost

    def evaluate(self, signals: NDArray, rates: NDArray) -> Point:
        """F and its derivatives by both rates; shapes as in ``moments``."""
        moments = self.moments(signals, rates)
        zeroth, first, second = moments
        best = self.amplitudes(zeroth)
        a, c = best.values
        # Sums of residual times b e (row 0) and times b^2 e (row 1).
        residual = moments[1:, 3:] - a * moments[1:, 0:2] - c * moments[1:, 1:3]
        hessian = _hessian(best, first, second, residual)
        h11, h12, h22 = hessian
        bad = np.flatnonzero(~((h11 > FLAT) & (h22 > FLAT) & (0.999 * h11 * h22 > h12 * h12)))
        if bad.size:
            hessian[:, bad] = _gauss_newton(best, first, second, bad)
        return Point(best.cost, best.values, best.values * residual[0], hessian)

    def amplitudes(self, moments: NDArray) -> Amplitudes:
        """The best (a, c) in the quadrilateral of the bounds, from the moments of power 0, (5, n)."""
        h11, h12, h22, y1, y2 = moments
        product = h11 * h22
        det = product - h12 * h12
        inverse = moments[2::-1] / np.maximum(det, self._tiny)
        i11, i12, i22 = inverse
        values = np.empty_like(moments[:2])
        a, c = values
        np.subtract(i11 * y1, i12 * y2, out=a)
        np.subtract(i22 * y2, i12 * y1, out=c)
        # Not the shorter -(a y1 + c y2) / 2, in which an error of a or c would count in full.
        cost = a * (0.5 * (a * h11) + c * h12 - y1) + c * (0.5 * (c * h22) - y2)
        total = a + c
        # Two rates alike make the matrix singular; one of them is then enough.
        inside = det > self._singular * product
        inside &= (c >= self.f[0] * total) & (c <= self.f[1] * total)
        inside &= (total >= self.S0[0]) & (total <= self.S0[1])
        outside = np.flatnonzero(~inside)
        best = Amplitudes(values, inverse, cost)
        if outside.size:
            for mine, found in zip(best, self._on_border(values[:, outside], moments[:, outside]), strict=True):
                mine[..., outside] = found
        return best

    def _on_border(self, free: NDArray, moments: NDArray) -> Amplitudes:
        """The best point of the quadrilateral's border, where the free optimum lies outside.

        The optimum lies on a side that the free one is beyond: one side of f, one of S0; the better of the two.
        """
        c, total = free[1], free[0] + free[1]
        beyond_high = c > self.f[1] * total
        within_f = ~beyond_high & (c >= self.f[0] * total)
        beyond_S0 = (total < self.S0[0]) | (total > self.S0[1])
        f = np.where(beyond_high, self.dtype(self.f[1]), self.dtype(self.f[0]))
        side_f = self._given_f(f, moments)
        side_S0 = self._given_total(np.clip(total, *self.S0), moments)
        use_S0 = beyond_S0 & (within_f | (side_S0.cost < side_f.cost))
        return Amplitudes(*(np.where(use_S0, x, y) for x, y in zip(side_S0, side_f, strict=True)))

    def _given_f(self, f: NDArray, moments: NDArray) -> Amplitudes:
        """The best (a, c) = S0 (1 - f, f) for given f, (n,)."""
        h11, h12, h22, y1, y2 = moments
        g = 1 - f
        curvature = np.maximum((g * h11 + 2 * f * h12) * g + f * f * h22, self._tiny)
        slope = g * y1 + f * y2
        free = slope / curvature
        S0 = np.clip(free, *self.S0)
        loose = (free == S0) / curvature
        inverse = np.stack([g * g * loose, -g * f * loose, f * f * loose])
        return Amplitudes(np.stack([g * S0, f * S0]), inverse, (0.5 * curvature * S0 - slope) * S0)

    def _given_total(self, S0: NDArray, moments: NDArray) -> Amplitudes:
        """The best (a, c) = (S0 - c, c) for given S0 = a + c, (n,)."""
        h11, h12, h22, y1, y2 = moments
        curvature = np.maximum(h11 - 2 * h12 + h22, self._tiny)
        free = (y2 - y1 + S0 * (h11 - h12)) / curvature
        c = np.clip(free, self.f[0] * S0, self.f[1] * S0)
        a = S0 - c
        loose = (free == c) / curvature
        cost = a * (0.5 * a * h11 + c * h12 - y1) + c * (0.5 * c * h22 - y2)
        return Amplitudes(np.stack([a, c]), np.stack([loose, loose, loose]), cost)


def _hessian(best: Amplitudes, first: NDArray, second: NDArray, residual: NDArray) -> NDArray:
    """Hessian of F, (3, n): that of the sum of squares by the rates, less what the amplitudes take up by following.

    With ``residual`` (2, 2, n), the sums of residual times b e and b^2 e, it is exact; with 0 it is Gauss-Newton's.
    """
    a, c = best.values
    i11, i12, i22 = best.inverse
    # Minus the mixed derivatives by rate (row) and by a and by c.
    by_a, by_c = a * first[0:2], c * first[1:3]
    by_a, by_c = np.stack([by_a[0], by_c[0]]), np.stack([by_a[1], by_c[1]])
    by_a[0] -= residual[0, 0]
    by_c[1] -= residual[0, 1]
    shift_a = i11 * by_a - i12 * by_c
    shift_c = i22 * by_c - i12 * by_a
    hessian = np.empty((3, a.size), a.dtype)
    np.multiply(best.values, best.values * second[0:3:2] - residual[1], out=hessian[0::2])
    hessian[0::2] -= by_a * shift_a + by_c * shift_c
    np.subtract(a * c * second[1], by_a[1] * shift_a[0] + by_c[1] * shift_c[0], out=hessian[1])
    return hessian


def _gauss_newton(best: Amplitudes, first: NDArray, second: NDArray, some: NDArray) -> NDArray:
    """Gauss-Newton's Hessian of some voxels, (3, size), kept away from singular."""
    chosen = Amplitudes(best.values[:, some], best.inverse[:, some], best.cost[some])
    hessian = _hessian(chosen, first[:, some], second[:, some], np.zeros((2, 2, some.size), first.dtype))
    hessian[0::2] = np.maximum(hessian[0::2], FLAT)
    limit = np.sqrt(0.999 * hessian[0]) * np.sqrt(hessian[2])
    hessian[1] = np.clip(hessian[1], -limit, limit)
    return hessian
