"""The noise of simulated images."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Noise = Literal["rician", "gaussian", "none"]


def with_noise(
    clean: NDArray,
    sigma: float | NDArray,
    kind: Noise,
    random: np.random.Generator,
    second: np.random.Generator | None = None,
) -> NDArray:
    """Signals with noise of standard deviation sigma in each sample.

    gaussian: clean + sigma n1;   rician: sqrt((clean + sigma n1)^2 + (sigma n2)^2), the magnitude of a complex signal
    with noise in both channels (Gudbjartsson & Patz, Magn Reson Med 1995;34:910-914);   n1, n2 ~ N(0, 1)

    Args:
        clean: float32 or float64, of any shape; the noise is drawn in its precision.
        sigma: a number, or an array that broadcasts to the shape.
        kind: of the noise; "none" returns the signals as they are.
        random: of n1.
        second: of n2; by default ``random`` goes on.

    Example:
        >>> noisy = with_noise(np.zeros(10_000), 2.0, "rician", np.random.default_rng(0))
        >>> bool(abs(noisy.mean() / (2 * np.sqrt(np.pi / 2)) - 1) < 0.02)
        True
    """
    if kind == "none":
        return clean
    noisy = _drawn(clean, sigma, random)
    noisy += clean
    if kind == "rician":
        np.hypot(noisy, _drawn(clean, sigma, random if second is None else second), out=noisy)
    return noisy


def _drawn(clean: NDArray, sigma: float | NDArray, random: np.random.Generator) -> NDArray:
    noise = random.standard_normal(clean.shape, dtype=clean.dtype)
    noise *= sigma
    return noise
