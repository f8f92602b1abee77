"""Tri-exponential least squares as a problem of the three rates alone, for many voxels at once.

    F(D, D*1, D*2) = min over (a, c1, c2) of 1/2 sum_b w_b (y_b - a e0 - c1 e1 - c2 e2)^2  -  1/2 sum_b w_b y_b^2

with e = exp(-b rate) and the amplitudes that the bounds allow (``triexp_amplitudes``): variable projection (Golub &
Pereyra, SIAM J Numer Anal 1973;10:413-432) as in ``varpro``, whose units and blocks of voxels are used here too. The
coordinates are D, log D*1 and log D*2: D* spans decades.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.triexp_amplitudes import PAIRS, Polytope, inverted, times
from DeepMRILib.ivim.varpro import SPAN

SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
"""Which of the six rows of ``PAIRS`` holds entry (j, k)."""

DIAGONAL = [0, 3, 5]


class Point(NamedTuple):
    """F at given rates, its derivatives by D, log D*1 and log D*2.

    Attributes:
        cost: (n,) F.
        amplitudes: (3, n).
        gradient: (3, n).
        hessian: (6, n) in the order of ``PAIRS``, positive semi-definite: F's own where that is, else Gauss-Newton's.
        stiffness: (3, n) the curvature along each coordinate if the amplitudes did not follow, as a measure of damping.
    """

    cost: NDArray
    amplitudes: NDArray
    gradient: NDArray
    hessian: NDArray
    stiffness: NDArray

    def take_where(self, better: NDArray, other: Point) -> None:
        """Become the other where it is better."""
        for mine, theirs in zip(self, other, strict=True):
            np.copyto(mine, theirs, where=better)

    def of(self, some: NDArray) -> Point:
        """The same for some of the voxels."""
        return Point(*(values[..., some] for values in self))


class TriexpProblem:
    """F for many voxels at once.

    Args:
        b: (q,) distinct b-values in ms/um2.
        weights: (q,) how many measurements each stands for.
        polytope: the amplitudes allowed.
    """

    def __init__(self, b: NDArray, weights: NDArray, polytope: Polytope) -> None:
        self.polytope = polytope
        self._minus_b = -b[:, None]
        self._powers = weights * np.stack([np.ones_like(b), b, b * b])

    def moments(self, signals: NDArray, rates: NDArray) -> NDArray:
        """Weighted sums of b^k times e_i e_j (``PAIRS``) and times y e_i, k = 0, 1, 2.

        Args:
            signals: (n / BLOCK, q, BLOCK).
            rates: (3, n) in um2/ms.

        Returns:
            (3, 9, n).
        """
        n_blocks, q, block = signals.shape
        found = np.empty((3, 9, n_blocks, block))
        into = found.transpose(1, 2, 0, 3)
        rates = rates.reshape(3, n_blocks, 1, block)
        group = max(SPAN // (q * block), 1)
        for start in range(0, n_blocks, group):
            part = slice(start, min(start + group, n_blocks))
            e = np.exp(self._minus_b * rates[:, part])
            products = np.empty((9, *e.shape[1:]))
            np.multiply(e[0], e, out=products[0:3])
            np.multiply(e[1], e[1:], out=products[3:5])
            np.multiply(e[2], e[2], out=products[5])
            np.multiply(signals[part], e, out=products[6:9])
            np.matmul(self._powers, products, out=into[:, part])
        return found.reshape(3, 9, -1)

    def evaluate(self, signals: NDArray, rates: NDArray) -> Point:
        """F and its derivatives; shapes as in ``moments``."""
        zeroth, first, second = self.moments(signals, rates)
        best = self.polytope.best(zeroth[:6], zeroth[6:])
        x = best.values
        # Sums of residual times b e and times b^2 e.
        residual_1, residual_2 = (moment[6:] - times(moment[:6], x) for moment in (first, second))
        scale = rates.copy()  # of D* by its logarithm
        scale[0] = 1.0
        gradient = x * residual_1 * scale
        held = np.stack([x[j] * x[k] * scale[j] * scale[k] * second[SYMMETRIC[j, k]] for j, k in PAIRS])
        mixed = -x[:, None] * scale[:, None] * first[SYMMETRIC]
        exact = mixed.copy()
        exact[range(3), range(3)] += residual_1 * scale
        hessian = held - _followed(exact, best.inverse)
        hessian[DIAGONAL] -= x * residual_2 * scale * scale
        hessian[DIAGONAL[1:]] += gradient[1:]
        _, convex = inverted(hessian)
        bad = np.flatnonzero(~convex)
        hessian[:, bad] = held[:, bad] - _followed(mixed[:, :, bad], best.inverse[:, bad])
        return Point(best.cost, x, gradient, hessian, held[DIAGONAL])


def _followed(mixed: NDArray, inverse: NDArray) -> NDArray:
    """The curvature (6, n) that the amplitudes take up by following the rates: mixed inverse mixed^T.

    Args:
        mixed: (3, 3, n) derivatives by rate (row) and amplitude.
        inverse: (6, n).
    """
    half = [times(inverse, row) for row in mixed]
    return np.stack([(mixed[j] * half[k]).sum(axis=0) for j, k in PAIRS])
