"""How well the fitted curves describe the signals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.engine import Estimates, Problem
from DeepMRILib.ivim.models import SignalModel
from DeepMRILib.ivim.prepare import Signals

CHUNK = 65_536
"""Voxels whose curves are in memory at once: with 100 images 50 MB."""
AT_BOUND = 1e-3
"""Values closer to a bound than this part of the interval count as lying on it."""
ENOUGH_R2 = 0.5


def curves(model: SignalModel, values: dict[str, NDArray], b_values: NDArray) -> Iterator[tuple[slice, NDArray]]:
    """The fitted signals (m, n_b) of one chunk of voxels after the other."""
    parameters = [values[name] for name in model.parameters]
    for start in range(0, len(parameters[0]), CHUNK):
        part = slice(start, start + CHUNK)
        yield part, model.signal(b_values, *(one[part] for one in parameters))


def goodness(signals: Signals, problem: Problem, values: dict[str, NDArray]) -> dict[str, NDArray]:
    """R2, RMSE (image units) and quality (0 or 1) of each voxel, (n,).

    R2 = 1 - RSS / sum_b (S_b - mean S)^2. Quality is 1 where R2 reaches 0.5 and no parameter but S0 lies on a bound.
    """
    n, n_b = signals.values.shape
    rss, spread = np.empty(n), np.empty(n)
    for part, curve in curves(problem.model, values, signals.b_values):
        measured = signals.values[part].astype(np.float64)
        rss[part] = ((measured - curve) ** 2).sum(axis=1)
        spread[part] = measured.var(axis=1) * n_b
    with np.errstate(divide="ignore", invalid="ignore"):
        explained = np.where(spread > 0, 1 - rss / spread, 0.0)
    good = explained >= ENOUGH_R2
    for name, interval in problem.bounds.as_dict().items():
        if name != "S0":
            good &= ~on_bound(values[name], interval)
    return {"R2": explained, "RMSE": np.sqrt(rss / n_b), "quality": good.astype(float)}


def predicted_signals(signals: Signals, problem: Problem, found: Estimates) -> NDArray:
    """The fitted signal of every voxel at the fitted b-values, (n, n_b) float32."""
    result = np.empty(signals.values.shape, dtype=np.float32)
    for part, curve in curves(problem.model, found.values, signals.b_values):
        result[part] = curve
    return result


def on_bound(values: NDArray, interval: tuple[float, float]) -> NDArray:
    """Whether values lie on an end of an interval."""
    near = AT_BOUND * (interval[1] - interval[0])
    return (values <= interval[0] + near) | (values >= interval[1] - near)
