"""What the IVIM engines are compared with: simulated signals of known truth, and scipy's curve_fit voxel by voxel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from DeepMRILib.ivim.bounds import AdcBounds, Bounds
from DeepMRILib.ivim.models import BIEXP_PARAMETERS, biexp

B_VALUES = np.array([0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700], dtype=float)
"""The protocol of the published simulations (Barbieri et al. 2020, Kaandorp et al. 2021), in s/mm2."""

RANGES = {"D": (0.5e-3, 3e-3), "f": (0.05, 0.55), "D_star": (0.01, 0.1)}
"""Their uniform ranges of the true parameters."""

FIRST_RATE = {"D": 1e-3, "D_star": 0.03}
"""Where one exponential of tissue or blood starts."""

SCALES = {"D": 1000.0, "f": 10.0, "D_star": 10.0, "S0": 1.0}
"""Parameters times these are near 1, which curve_fit needs."""


@dataclass(frozen=True)
class Simulated:
    """Signals (n, n_b) with true D, f, D* (n,)."""

    b: NDArray
    signals: NDArray
    truth: dict[str, NDArray]


def simulate(n: int, snr: float, seed: int) -> Simulated:
    """Bi-exponential signals with Gaussian noise of sd 1 / snr on S0 = 1, divided by their sample at b = 0."""
    rng = np.random.default_rng(seed)
    truth = {name: rng.uniform(*interval, n) for name, interval in RANGES.items()}
    signals = biexp(B_VALUES, **truth) + rng.normal(0, 1 / snr, (n, B_VALUES.size))
    return Simulated(B_VALUES, signals / signals[:, :1], truth)


def load(folder: Path, snr: int) -> Simulated:
    """The same from a file ``test_snr20.npz``: arrays b, S, D, f, Dp."""
    with np.load(folder / f"test_snr{snr}.npz") as file:
        truth = {"D": file["D"], "f": file["f"], "D_star": file["Dp"]}
        return Simulated(file["b"], file["S"].astype(float), truth)


def curve_fit_biexp(signals: NDArray, b: NDArray, bounds: Bounds, start: tuple = (1e-3, 0.1, 0.01, 1.0)) -> dict:
    """scipy's bounded least squares (trust region reflective) of each voxel, as IVIM code does it: scaled parameters.

    Signals (n, n_b) are normalised; a voxel that does not converge is NaN.
    """
    scale = np.array([SCALES[name] for name in BIEXP_PARAMETERS])
    low, high = (scale * [getattr(bounds, name)[k] for name in BIEXP_PARAMETERS] for k in (0, 1))
    first = np.clip(scale * start, low + 1e-6, high - 1e-6)

    def model(b: NDArray, D: float, f: float, D_star: float, S0: float) -> NDArray:
        return S0 * (f / 10 * np.exp(-b * D_star / 10) + (1 - f / 10) * np.exp(-b * D / 1000))

    def fitted(signal: NDArray) -> NDArray:
        try:
            return curve_fit(model, b, signal, p0=first, bounds=(low, high))[0] / scale
        except RuntimeError:
            return np.full(4, np.nan)

    found = np.array([fitted(signal) for signal in signals])
    return dict(zip(BIEXP_PARAMETERS, found.T, strict=True))


def curve_fit_segmented(signals: NDArray, b: NDArray, bounds: Bounds, split: float, *, fit_s0: bool = True) -> dict:
    """A segmented fit of each voxel by two calls of scipy's curve_fit, as IVIM code does it: scaled parameters.

    A exp(-b D) to the samples with b >= split; then, to what it leaves of all samples, C exp(-b D*), with C fitted too
    or held at 1 - A. S0 = A + C and f = C / S0; A and C are bounded so that f and S0 are in their bounds.

    Signals (n, n_b) are normalised; a voxel that does not converge is NaN.
    """
    high = b >= split
    S0 = bounds.S0 if fit_s0 else (1.0, 1.0)
    f_low, f_high = bounds.f
    A_range = (S0[0] * (1 - f_high), S0[1] * (1 - f_low))

    def fitted(signal: NDArray) -> tuple[float, ...]:
        try:
            D, A = _curve_fit_exponential(b[high], signal[high], "D", bounds.D, A_range)
            C_low = max(S0[0] - A, f_low * A / (1 - f_low) if f_low < 1 else 0.0)
            C_high = min(S0[1] - A, f_high * A / (1 - f_high) if f_high < 1 else np.inf)
            rest = signal - A * np.exp(-b * D)
            D_star, C = _curve_fit_exponential(b, rest, "D_star", bounds.D_star, (C_low, max(C_low, C_high)))
        except RuntimeError:
            return (np.nan,) * len(BIEXP_PARAMETERS)
        return D, C / (A + C), D_star, A + C

    return dict(zip(BIEXP_PARAMETERS, np.array([fitted(signal) for signal in signals]).T, strict=True))


def curve_fit_adc(signals: NDArray, b: NDArray, bounds: AdcBounds) -> dict:
    """scipy's bounded least squares of S0 exp(-b ADC) in each voxel; signals (n, n_b) are normalised."""
    found = np.array([_curve_fit_exponential(b, signal, "D", bounds.ADC, bounds.S0) for signal in signals])
    return dict(zip(("ADC", "S0"), found.T, strict=True))


def _curve_fit_exponential(
    b: NDArray, signal: NDArray, name: str, rates: tuple[float, float], amplitudes: tuple[float, float]
) -> tuple[float, float]:
    """Rate and amplitude of one exponential; of the rate alone where the amplitude has no room."""
    scale, first = SCALES[name], FIRST_RATE[name]
    low, high = np.array([rates[0] * scale, amplitudes[0]]), np.array([rates[1] * scale, amplitudes[1]])
    start = np.clip([first * scale, np.mean(amplitudes)], low, high)
    if amplitudes[1] - amplitudes[0] < 1e-12:
        A = amplitudes[0]
        found = curve_fit(
            lambda b, rate: A * np.exp(-b * rate / scale), b, signal, p0=start[:1], bounds=(low[:1], high[:1])
        )[0]
        return found[0] / scale, A
    found = curve_fit(lambda b, rate, A: A * np.exp(-b * rate / scale), b, signal, p0=start, bounds=(low, high))[0]
    return found[0] / scale, found[1]


def residual_sum(signals: NDArray, b: NDArray, fit: dict) -> NDArray:
    """The residual sum of squares of each voxel, (n,)."""
    model = biexp(b, *(fit[name] for name in BIEXP_PARAMETERS))
    return ((signals - model) ** 2).sum(axis=1)


def median_error(found: NDArray, truth: NDArray) -> float:
    """The median of |found - truth| / truth."""
    return float(np.nanmedian(np.abs(found - truth) / truth))
