"""What the signals say of D, f, D* and S0: sums of squares at many places at once, in closed form.

For a pair of rates the curve S0 [(1 - f) exp(-b D) + f exp(-b D*)] lies in the plane that the two exponentials span.
With orthonormal axes in it all that the data say of f and S0 is the signal's projection z, and the curve for S0 = 1 is
m(f), a straight line. So the sum of squares at the best S0 is

    Q(D, D*, f) = |signal|^2 - |z|^2 + (z x m(f))^2 / |m(f)|^2

Units as in ``varpro``: b in ms/um2, rates in um2/ms; signals are relative to the mean at the lowest b-value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.varpro import Interval

SINGULAR = 1e-10
"""Exponentials of which less than this part, squared, is not along the other are the same."""

LEAST_SQUARE = np.float32(1e-6)
"""|m|^2 is not taken for less, which is where its rounding begins: with f = 1, high D* and no b = 0 the curve is 0."""

FLOOR = 1e-10
"""The noise's variance is not taken for less than this part of the mean squared signal."""


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

    def of(self, some: NDArray) -> Data:
        """Those of some voxels."""
        return replace(self, y=self.y[some], energy=self.energy[some], s2=self.s2[some])

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


class Reference(NamedTuple):
    """A good point of each voxel (n,): what is small is then not computed as the difference of large numbers."""

    Q: NDArray
    f: NDArray
    S0: NDArray


class Planes(NamedTuple):
    """The exponentials and the signal on orthonormal axes for all pairs of rates, (n, m1, m2) or what broadcasts to it.

    Attributes:
        r11: the first exponential is (r11, 0).
        r12, r22: the second.
        z1, z2: projection of the signal.
    """

    r11: NDArray
    r12: NDArray
    r22: NDArray
    z1: NDArray
    z2: NDArray

    @classmethod
    def of_pairs(cls, data: Data, rates_1: NDArray, rates_2: NDArray) -> Planes:
        """From rates D (n, m1, m2), others for each D* (n, m2)."""
        e2 = np.exp(-rates_2[:, :, None] * data.b)
        h11, h12, y1 = np.zeros((3, *rates_1.shape))
        e1, product = np.empty((2, *rates_1.shape))
        # One b-value after the other: the sums then stay in the core's cache.
        for k, (b, count) in enumerate(zip(data.b, data.counts, strict=True)):
            np.exp(np.multiply(rates_1, -b, out=e1), out=e1)
            y1 += np.multiply(e1, count * data.y[:, k, None, None], out=product)
            h12 += np.multiply(e1, count * e2[:, None, :, k], out=product)
            e1 *= e1
            h11 += np.multiply(e1, count, out=e1) if count != 1 else e1
        return cls._from_moments(data, h11, h12, y1, e2)

    @classmethod
    def of_product(cls, data: Data, rates_1: NDArray, rates_2: NDArray) -> Planes:
        """From rates D (n, m1), the same for all D* (n, m2)."""
        e1, e2 = (np.exp(-rates[:, :, None] * data.b) for rates in (rates_1, rates_2))
        h11 = ((e1 * e1) @ data.counts)[:, :, None]
        y1 = e1 @ (data.counts * data.y)[:, :, None]
        return cls._from_moments(data, h11, (data.counts * e1) @ e2.transpose(0, 2, 1), y1, e2)

    @classmethod
    def _from_moments(cls, data: Data, h11: NDArray, h12: NDArray, y1: NDArray, e2: NDArray) -> Planes:
        """From sums over b of products of the exponentials and the signal; e2 is (n, m2, q)."""
        h22 = ((e2 * e2) @ data.counts)[:, None, :]
        y2 = (e2 @ (data.counts * data.y)[:, :, None]).transpose(0, 2, 1)
        r11 = np.sqrt(h11)
        inverse = 1 / r11
        z1, r12 = y1 * inverse, h12 * inverse
        own = h22 - r12 * r12
        own[own <= SINGULAR * h22] = 0
        r22 = np.sqrt(own)
        z2 = y2 - r12 * z1
        z2 /= np.where(r22 > 0, r22, np.inf)
        return cls(r11, r12, r22, z1, z2)


class Sums:
    """Q, S0 and |m|^2 at nodes f = reference + delta of all pairs, in single precision.

    Q = Q_ref + scaled / scale, where scale = 1 / (nu0 s2 + Q_ref) and scaled = base + (alpha - beta delta)^2 / |m|^2
    and more where S0 is at a bound. |m|^2 and |m|^2 (S0 - S0_ref) are polynomials of delta.
    """

    def __init__(self, data: Data, planes: Planes, reference: Reference) -> None:
        Q_ref = reference.Q[:, None, None]
        self.fits_s0 = data.fits_s0
        self.scale = 1 / (data.prior_sum[:, None, None] + Q_ref)
        # Only this difference is of large numbers.
        kind = planes.z2.dtype
        outside = (data.energy[:, None, None] - Q_ref).astype(kind) - planes.z1 * planes.z1
        outside = outside - planes.z2 * planes.z2
        outside *= self.scale.astype(kind)
        self.base = single(outside)
        f, S0, root = (single(values) for values in (*_columns(reference), np.sqrt(self.scale)))
        r11, r12, r22, z1, z2 = (single(values) for values in planes)
        along = r12 - r11
        if self.fits_s0:
            beta = z1 * r22 - z2 * along
            alpha = z2 * r11 - beta * f
            m1, m2 = r11 + f * along, f * r22
            square, slope = m1 * m1 + m2 * m2, m1 * along + m2 * r22
            self.m = square, slope + slope, along * along + r22 * r22
            self.p = z1 * m1 + z2 * m2 - S0 * square, z1 * along + z2 * r22 - S0 * self.m[1], -S0 * self.m[2]
            self.S0_bounds = [single(bound - S0) for bound in data.S0]
            self.scale_single = single(self.scale)
        else:
            # z - m is (start - f along, z2 - f r22): its square is a parabola of f and what is across that line.
            beta = np.sqrt(along * along + r22 * r22)
            start = z1 - r11
            unit = 1 / np.maximum(beta, np.float32(1e-30))
            alpha = (start * along + z2 * r22) * unit - beta * f
            across = (start * r22 - z2 * along) * unit * root
            self.base += across * across
        self.alpha, self.beta = alpha * root, beta * root

    def best(self, low: NDArray, high: NDArray) -> tuple[NDArray, NDArray]:
        """The best delta of each pair, free and within bounds."""
        free = self.alpha / np.where(self.beta == 0, np.float32(np.inf), self.beta)
        return free, np.clip(free, low, high)

    def square(self, delta: NDArray) -> NDArray | np.float32:
        """|m|^2; 1 where S0 is known, which it then does not matter for."""
        if not self.fits_s0:
            return np.float32(1)
        m0, m1, m2 = self.m
        found = m2 * delta
        found += m1
        found *= delta
        found += m0
        return np.maximum(found, LEAST_SQUARE, out=found)

    def at(self, delta: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """``scaled``, S0 - S0_ref within its bounds, and 1 / |m|^2."""
        scaled = self.beta * delta
        np.subtract(self.alpha, scaled, out=scaled)
        scaled *= scaled
        if not self.fits_s0:
            scaled += self.base
            return scaled, np.zeros_like(delta), np.ones_like(delta)
        square = self.square(delta)
        inverse = 1 / square
        p0, p1, p2 = self.p
        S0 = p2 * delta
        S0 += p1
        S0 *= delta
        S0 += p0
        S0 *= inverse
        within = np.minimum(np.maximum(S0, self.S0_bounds[0]), self.S0_bounds[1])
        S0 -= within
        S0 *= S0
        S0 *= square
        S0 *= self.scale_single
        scaled *= inverse
        scaled += self.base
        scaled += S0
        return scaled, within, inverse


def single(values: NDArray) -> NDArray:
    """In single precision."""
    return values.astype(np.float32, copy=False)


def _columns(reference: Reference) -> tuple[NDArray, NDArray]:
    return reference.f[:, None, None], reference.S0[:, None, None]
