"""Variable projection for the bi-exponential model: least squares of four parameters as one of two rates.

With a = S0 (1 - f) and c = S0 f the signal y(b) ~ a exp(-b D) + c exp(-b D*) is linear in (a, c), and the bounds of f
and S0 are a quadrilateral in the plane of (a, c). So for given rates the best amplitudes are known in closed form, and

    F(D, D*) = min over (a, c) of 1/2 sum_b w_b (y_b - a exp(-b D) - c exp(-b D*))^2

is all that is left to minimise (Golub & Pereyra, SIAM J Numer Anal 1973;10:413-432). F, its gradient and its Hessian
need only the moments sum_b w_b b^k p_b, k = 0, 1, 2, of five products p: one small matrix product for all voxels.

Inside this module b is in ms/um2 and rates are in um2/ms (1e-3 of the SI-like units outside), so all are near 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 256
"""Voxels side by side in one matrix product: always the same number, so that no voxel's rounding depends on how many
others are fitted, and few enough that BLAS does not start threads of its own."""

GROUP = 4
"""Blocks worked on at once: with 11 b-values their exponentials fill about 0.4 MB, which a core's cache holds."""

TINY = 1e-300


def as_blocks(signals: NDArray) -> NDArray:
    """Signals (n, q) as (n / BLOCK, q, BLOCK) in C order; n is a multiple of BLOCK."""
    return np.ascontiguousarray(signals.reshape(-1, BLOCK, signals.shape[1]).transpose(0, 2, 1))


class Amplitudes(NamedTuple):
    """The best amplitudes at given rates, each (n,), and the inverse curvature of the ways they can still move.

    ``m11 m12 m22`` is the inverse of the amplitudes' 2 x 2 normal matrix; restricted to a line where a bound holds
    them, and 0 in a corner.
    """

    a: NDArray
    c: NDArray
    m11: NDArray
    m12: NDArray
    m22: NDArray


class Point(NamedTuple):
    """F at given rates, up to the constant 1/2 sum w y^2, with gradient and a positive definite Hessian; each (n,)."""

    cost: NDArray
    a: NDArray
    c: NDArray
    g_1: NDArray
    g_2: NDArray
    h_11: NDArray
    h_12: NDArray
    h_22: NDArray


class ReducedProblem:
    """F(D, D*) for many voxels at once.

    Args:
        b: (q,) distinct b-values in ms/um2.
        weights: (q,) how many measurements each stands for.
        f, S0: lowest and highest values allowed.
    """

    def __init__(self, b: NDArray, weights: NDArray, f: tuple[float, float], S0: tuple[float, float]) -> None:
        self.b = b
        self.f = f
        self.S0 = S0
        self._minus_b = -b[:, None]
        self._powers = weights * np.stack([np.ones_like(b), b, b * b])

    def moments(self, signals: NDArray, rates_1: NDArray, rates_2: NDArray) -> NDArray:
        """Weighted sums of b^k times (e1 e1, e1 e2, e2 e2, y e1, y e2), where e = exp(-b rate).

        Args:
            signals: (n / BLOCK, q, BLOCK) in C order.
            rates_1, rates_2: (n,).

        Returns:
            (3, 5, n): power k of b, product, voxel.
        """
        n_blocks, q, block = signals.shape
        found = np.empty((3, 5, n_blocks, block))
        into = found.transpose(1, 2, 0, 3)
        e1, e2, product = (np.empty((GROUP, q, block)) for _ in range(3))
        for start in range(0, n_blocks, GROUP):
            part = slice(start, min(start + GROUP, n_blocks))
            y = signals[part]
            x1, x2, p = e1[: len(y)], e2[: len(y)], product[: len(y)]
            for x, rates in ((x1, rates_1), (x2, rates_2)):
                np.multiply(self._minus_b, rates.reshape(n_blocks, 1, block)[part], out=x)
                np.exp(x, out=x)
            for k, (left, right) in enumerate(((x1, x1), (x1, x2), (x2, x2), (y, x1), (y, x2))):
                np.multiply(left, right, out=p)
                np.matmul(self._powers, p, out=into[k, part])
        return found.reshape(3, 5, -1)

    def evaluate(self, signals: NDArray, rates_1: NDArray, rates_2: NDArray) -> Point:
        """F and its derivatives by both rates; shapes as in ``moments``."""
        zeroth, first, second = self.moments(signals, rates_1, rates_2)
        h11, h12, h22, y1, y2 = zeroth
        best = self.amplitudes(h11, h12, h22, y1, y2)
        a, c = best.a, best.c
        cost = a * (0.5 * a * h11 + c * h12 - y1) + c * (0.5 * c * h22 - y2)
        p11, p12, p22, z1, z2 = first
        q11, q12, q22, x1, x2 = second
        # Sums of residual times b e and of residual times b^2 e.
        r1, r2 = z1 - a * p11 - c * p12, z2 - a * p12 - c * p22
        s1, s2 = x1 - a * q11 - c * q12, x2 - a * q12 - c * q22
        exact = _reduced_hessian(best, first, second, (r1, r2), (s1, s2))
        h_11, h_12, h_22 = exact
        bad = np.flatnonzero(~((h_11 > 0) & (h_22 > 0) & (h_11 * h_22 * 0.999 > h_12 * h_12)))
        if bad.size:
            some = Amplitudes(*(value[bad] for value in best))
            zero = np.zeros(bad.size)
            gauss_newton = _reduced_hessian(some, first[:, bad], second[:, bad], (zero, zero), (zero, zero))
            for full, value in zip(exact, gauss_newton, strict=True):
                full[bad] = value
        return Point(cost, a, c, a * r1, c * r2, *exact)

    def amplitudes(self, h11: NDArray, h12: NDArray, h22: NDArray, y1: NDArray, y2: NDArray) -> Amplitudes:
        """The best (a, c) in the quadrilateral of the bounds, from normal matrix and right-hand side, each (n,)."""
        det = h11 * h22 - h12 * h12
        inverse = 1.0 / np.maximum(det, TINY)
        m11, m12, m22 = h22 * inverse, -h12 * inverse, h11 * inverse
        a, c = m11 * y1 + m12 * y2, m12 * y1 + m22 * y2
        total = a + c
        f_low, f_high = self.f
        S0_low, S0_high = self.S0
        inside = (c >= f_low * total) & (c <= f_high * total) & (total >= S0_low) & (total <= S0_high)
        # Two rates alike make the matrix singular; one of them is then enough.
        inside &= det > 1e-13 * h11 * h22
        outside = np.flatnonzero(~inside)
        best = Amplitudes(a, c, m11, m12, m22)
        if outside.size:
            moments = (value[outside] for value in (h11, h12, h22, y1, y2))
            for full, value in zip(best, self._on_border(a[outside], c[outside], *moments), strict=True):
                full[outside] = value
        return best

    def _on_border(
        self, a: NDArray, c: NDArray, h11: NDArray, h12: NDArray, h22: NDArray, y1: NDArray, y2: NDArray
    ) -> Amplitudes:
        """The best point of the quadrilateral's border, where the free optimum (a, c) lies outside.

        The optimum lies on a side that (a, c) is beyond: one side of f, one of S0; the better of the two.
        """
        f_low, f_high = self.f
        S0_low, S0_high = self.S0
        total = a + c
        # Side of f: (a, c) = s (1 - phi, phi).
        phi = np.where(c > f_high * total, f_high, f_low)
        g1 = 1.0 - phi
        along = (g1 * h11 + 2 * phi * h12) * g1 + phi * phi * h22
        along = np.maximum(along, TINY)
        slope = g1 * y1 + phi * y2
        free = slope / along
        s = np.clip(free, S0_low, S0_high)
        cost_f = (0.5 * along * s - slope) * s
        loose = (free == s) / along
        side_f = Amplitudes(g1 * s, phi * s, g1 * g1 * loose, g1 * phi * loose, phi * phi * loose)
        # Side of S0: (a, c) = (s - t, t).
        s = np.clip(total, S0_low, S0_high)
        along = np.maximum(h11 - 2 * h12 + h22, TINY)
        free = (y2 - y1 + s * (h11 - h12)) / along
        t = np.clip(free, f_low * s, f_high * s)
        rest = s - t
        cost_S0 = rest * (0.5 * rest * h11 + t * h12 - y1) + t * (0.5 * t * h22 - y2)
        loose = (free == t) / along
        side_S0 = Amplitudes(rest, t, loose, -loose, loose)
        beyond_S0 = (total < S0_low) | (total > S0_high)
        within_f = (c >= f_low * total) & (c <= f_high * total)
        use_S0 = beyond_S0 & (within_f | (cost_S0 < cost_f))
        return Amplitudes(*(np.where(use_S0, x, y) for x, y in zip(side_S0, side_f, strict=True)))


def _reduced_hessian(
    best: Amplitudes, first: NDArray, second: NDArray, r: tuple[NDArray, NDArray], s: tuple[NDArray, NDArray]
) -> tuple[NDArray, NDArray, NDArray]:
    """Hessian of F: that of the sum of squares by the rates, less what the amplitudes take up by following.

    With ``r`` and ``s``, the sums of residual times b e and b^2 e, it is exact; with zeros it is Gauss-Newton's.
    """
    a, c, m11, m12, m22 = best
    p11, p12, p22 = first[:3]
    q11, q12, q22 = second[:3]
    # Mixed derivatives by rate (1, 2) and amplitude (a, c).
    d1a, d1c = r[0] - a * p11, -a * p12
    d2a, d2c = -c * p12, r[1] - c * p22
    t1a, t1c = m11 * d1a + m12 * d1c, m12 * d1a + m22 * d1c
    h_11 = a * (a * q11 - s[0]) - d1a * t1a - d1c * t1c
    h_12 = a * c * q12 - d2a * t1a - d2c * t1c
    h_22 = c * (c * q22 - s[1]) - d2a * (m11 * d2a + m12 * d2c) - d2c * (m12 * d2a + m22 * d2c)
    return h_11, h_12, h_22
