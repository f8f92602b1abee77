"""Signals as the networks see them: relative to the lowest b-value, without the voxels that no decay explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CEILING = 1.5
"""Normalised signals above are cut: one bright sample would outweigh all others in the loss."""

FILTERS = ((-np.inf, 50.0, 1.3), (50.0, np.inf, 1.2), (150.0, np.inf, 1.0))
"""b above, b below, and what the 95th percentile of the normalised signal must stay below there."""


def normalised(signals: NDArray, b_values: NDArray) -> tuple[NDArray, NDArray]:
    """Signals (n, n_b) over their mean at the lowest b-value, float32, and that mean (n,), NaN where it is no measure.

    Not cut yet; rows of unusable voxels are NaN.
    """
    values = np.asarray(signals, dtype=np.float32)
    lowest = b_values == b_values.min()
    start = values[:, lowest].mean(axis=1, dtype=np.float64)
    whole = np.isfinite(values).all(axis=1) & (start > 0)
    start = np.where(whole, start, np.nan)
    return (values / start[:, None]).astype(np.float32), start


def usable(relative: NDArray, b_values: NDArray, *, voxel_filter: bool = True) -> NDArray:
    """Which normalised signals (n, n_b) a network learns from and is applied to: (n,) bool.

    A signal is left out when its 95th percentile reaches 1.3 at b < 50 s/mm2, 1.2 above 50 or 1.0 above 150 (Kaandorp
    2021): noise and flow rise with b, tissue does not. A range without samples filters nothing.

    Args:
        relative: from ``normalised``.
        b_values: (n_b,) s/mm2.
        voxel_filter: otherwise only NaN and infinite signals are left out.
    """
    kept = np.isfinite(relative).all(axis=1)
    if not voxel_filter:
        return kept
    for above, below, ceiling in FILTERS:
        columns = (b_values > above) & (b_values < below)
        # The lowest b-value is 1 by definition: alone it filters nothing.
        if columns.any():
            kept &= _percentile95(relative[:, columns]) < ceiling
    return kept


def _percentile95(values: NDArray) -> NDArray:
    """Rows' 95th percentile, linear between samples as numpy's, which is slower on short rows; NaN stays NaN."""
    position = 0.95 * (values.shape[1] - 1)
    below = int(position)
    ordered = np.sort(values, axis=1)
    above = min(below + 1, values.shape[1] - 1)
    return ordered[:, below] + (position - below) * (ordered[:, above] - ordered[:, below])
