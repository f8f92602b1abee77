"""The level of the noise that all voxels share, and how far they share it, from their residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

NU0_MOST = 1e4
"""Degrees of freedom that stand for a known noise: more only costs precision."""

FLOOR = 1e-10
"""Residual variances below this part of the squared signal are rounding."""

LEVELS = 101
"""Quantiles in which the spread of the noise is kept."""


@dataclass(frozen=True)
class Noise:
    """The noise of the signals: Gaussian, its variance in a voxel scaled inverse chi-square about a common value.

    Attributes:
        s2: the common variance, of one sample.
        nu0: degrees of freedom: many if all voxels have the same noise, 0 if nothing is known of it.
        relative: s2 is relative to the squared mean signal at the lowest b-value of the voxel.
        levels: quantiles, evenly from 0 to 1, of the voxels' standard deviation of one sample relative to S0.
    """

    s2: float
    nu0: float
    relative: bool
    levels: NDArray

    def variance(self, scale: NDArray) -> NDArray:
        """Variances (n,) of normalised signals whose scale was (n,)."""
        return np.full(len(scale), self.s2) if self.relative else self.s2 / scale**2


def learn_noise(variances: NDArray, degrees: NDArray, scale: NDArray) -> Noise:
    """The common noise from residual variances (n,) with their degrees of freedom (n,).

    The logarithm of a residual variance with d degrees of freedom scatters by trigamma(d / 2); what is beyond that is
    the voxels' own (Smyth, Stat Appl Genet Mol Biol 2004;3:3, section 6.2). Variances are taken relative to the voxel's
    signal, or absolute, whichever makes the voxels more alike.
    """
    usable = degrees > 0
    if not usable.any():
        return Noise(1.0, 0.0, True, np.full(LEVELS, 0.05))
    variances, degrees, scale = variances[usable], degrees[usable], scale[usable]
    variances = np.maximum(variances, FLOOR * scale**2)
    absolute = _moments_of_log(variances, degrees)
    relative = _moments_of_log(variances / scale**2, degrees)
    (mean, spread), is_relative = (relative, True) if relative[1] <= absolute[1] else (absolute, False)
    # What few voxels share is itself known from few residuals.
    most = min(NU0_MOST, degrees.sum()) if len(variances) > 1 else 0.0
    nu0 = float(np.clip(2 * _inverse_trigamma(spread), 0, most))
    shift = digamma(nu0 / 2) - np.log(nu0 / 2) if nu0 > 0 else 0.0
    s2 = float(np.exp(mean + shift))
    within = s2 if is_relative else s2 / scale**2
    found = (nu0 * within + degrees * variances / scale**2) / (nu0 + degrees)
    return Noise(s2, nu0, is_relative, np.quantile(np.sqrt(found), np.linspace(0, 1, LEVELS)))


def _moments_of_log(variances: NDArray, degrees: NDArray) -> tuple[float, float]:
    """Mean of the logarithm, corrected for its bias, and its variance beyond that of chi-square."""
    logs = np.log(variances) - digamma(degrees / 2) + np.log(degrees / 2)
    spread = logs.var(ddof=1) if len(logs) > 1 else 0.0
    return float(logs.mean()), float(spread - polygamma(1, degrees / 2).mean())


def _inverse_trigamma(value: float) -> float:
    """x with trigamma(x) = value, by Newton's steps on 1 / trigamma, which is nearly straight; inf if value <= 0."""
    if value <= 0:
        return np.inf
    x = 0.5 + 1 / value
    for _ in range(30):
        tri = polygamma(1, x)
        x += tri * (1 - tri / value) / polygamma(2, x)
    return float(x)
