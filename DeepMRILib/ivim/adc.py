"""The apparent diffusion coefficient by bounded least squares, all voxels at once.

    minimise over ADC, S0 in their bounds:  sum_b (S_b - S0 exp(-b ADC))^2

Repeated b-values are averaged first and weighted by their number, which leaves the minimum where it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT, Samples, checked_signals, checked_workers, fit_chunks
from DeepMRILib.ivim.bounds import AdcBounds
from DeepMRILib.ivim.models import ADC_PARAMETERS
from DeepMRILib.ivim.monoexp import MonoExponential
from DeepMRILib.ivim.varpro import as_blocks
from DeepMRILib.progress import Progress, silent

MESSAGE = "ADC"


def fit_adc(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: AdcBounds | None = None,
    *,
    fit_s0: bool = True,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, NDArray]:
    """ADC, S0 and the residual sum of squares of every voxel.

    S(b) = S0 exp(-b ADC)   (Le Bihan et al., Radiology 1986;161:401-407)

    Args:
        signals: (n, n_b), any scale, negative samples allowed.
        b_values: (n_b,) in s/mm2, any order, repeats allowed, b = 0 not needed.
        bounds: see ``AdcBounds``; those of S0 are multiples of the mean signal at the lowest b-value.
        fit_s0: False takes the mean signal at the lowest b-value as S0.
        progress: called from this thread several times a second; may raise ``Cancelled``.
        workers: threads; by default one for each core this process may use, at most 8.

    Returns:
        ``ADC`` in mm2/s, ``S0`` and ``rss`` in the units of the signal and their square, each (n,) float64. All NaN
        where a sample is not finite or the mean signal is not positive; everywhere else within the bounds. No voxel's
        result depends on the others or on ``workers``.

    Raises:
        InputError: shapes that do not match, bad b-values, or only one distinct one.

    Example:
        >>> from DeepMRILib.ivim.models import adc
        >>> found = fit_adc([adc([0, 400, 800], ADC=0.0015, S0=300)], [0, 400, 800])
        >>> [float(found[name][0].round(6)) for name in ("ADC", "S0")]
        [0.0015, 300.0]
    """
    signals, b_values = checked_signals(signals, b_values)
    if np.unique(b_values).size < 2:
        raise InputError("All b-values are the same; a decay needs at least 2 distinct ones.")
    bounds = AdcBounds() if bounds is None else bounds
    samples = Samples(b_values)
    rates = (UNIT * bounds.ADC[0], UNIT * bounds.ADC[1])
    exponential = MonoExponential(samples.b / UNIT, samples.counts, rates)
    found = {name: np.empty(len(signals)) for name in (*ADC_PARAMETERS, "rss")}

    def fit(voxels: slice) -> None:
        with np.errstate(all="ignore"):
            y, energy, scale = samples.normalised(signals[voxels])
            blocks = as_blocks(y)
            fit = exponential.fit(blocks, bounds.S0 if fit_s0 else (1.0, 1.0))
            n, usable = scale.size, np.isfinite(scale)
            rss = 2 * fit.half_rss + samples.scatter(blocks, energy)
            found["ADC"][voxels] = np.where(usable, np.clip(fit.rates[:n] / UNIT, *bounds.ADC), np.nan)
            found["S0"][voxels] = fit.amplitudes[:n] * scale
            found["rss"][voxels] = rss[:n] * scale**2

    fit_chunks(fit, len(signals), workers=checked_workers(workers), progress=progress or silent, message=MESSAGE)
    return found
