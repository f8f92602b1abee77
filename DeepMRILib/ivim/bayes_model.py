"""What is the same for all voxels of a Bayesian fit, and blocks of them on several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT, Samples, follow
from DeepMRILib.ivim.bayes_box import Boxes
from DeepMRILib.ivim.bayes_likelihood import Data
from DeepMRILib.ivim.bayes_noise import Noise
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.ratesearch import Box as Limits
from DeepMRILib.progress import Progress

BLOCK = 128
"""Voxels whose grids are handled at once: one single-precision number per node of one f is 128 kB, so that a step's few
arrays stay in a core's cache."""

TASK = 16 * BLOCK
"""Voxels per task of a thread."""


class BayesModel:
    """b-values, bounds and what follows from them.

    Attributes:
        S0: bounds of S0, equal where it is not fitted.
        limits: of the rates in um2/ms, without what D* > D > 0 excludes.

    Raises:
        InputError: no more samples than unknowns.
    """

    def __init__(self, b_values: NDArray, bounds: Bounds, fit_s0: bool) -> None:
        unknowns = 4 if fit_s0 else 3
        if b_values.size <= unknowns:
            raise InputError(
                f"There are {b_values.size} samples per voxel; the Bayesian fit of {unknowns} unknowns needs at least "
                f"{unknowns + 1}, or it cannot tell the noise. Use least squares, or give more samples."
            )
        self.b_values, self.bounds, self.fit_s0 = b_values, bounds, fit_s0
        self.samples = Samples(b_values)
        self.S0 = bounds.S0 if fit_s0 else (1.0, 1.0)
        rates = (tuple(UNIT * value for value in interval) for interval in (bounds.D, bounds.D_star))
        self.limits = Limits.of(*rates)
        self.boxes = Boxes(self.samples.b / UNIT, self.samples.counts, self.limits)

    def data(self, signals: NDArray, noise: Noise) -> tuple[Data, NDArray]:
        """Normalised voxels and their scale (n,), NaN where they are unusable: a flat signal then stands for them."""
        n = len(signals)
        with np.errstate(all="ignore"):
            y, energy, scale = self.samples.normalised(signals)
        s2 = noise.variance(np.where(np.isfinite(scale), scale, 1.0))
        b, counts = self.samples.b / UNIT, self.samples.counts
        return Data(b, counts, y[:n], energy[:n], s2, noise.nu0, self.bounds.f, self.S0), scale

    def rates_of(self, fit: Mapping[str, NDArray]) -> NDArray:
        """D and D* (2, n) of a fit in um2/ms; the highest ones for unusable voxels."""
        highest = (self.limits.high_1, self.limits.high_2)
        pairs = zip((fit["D"], fit["D_star"]), highest, strict=True)
        return np.stack([np.where(np.isfinite(values), UNIT * values, high) for values, high in pairs])


def blocks(voxels: slice) -> list[slice]:
    """A range of voxels in blocks."""
    return [slice(start, min(start + BLOCK, voxels.stop)) for start in range(voxels.start, voxels.stop, BLOCK)]


def fit_blocks(fit: Callable[[slice], None], n: int, *, workers: int, progress: Progress, message: str) -> None:
    """Call ``fit`` for blocks of the numbers 0 to n on several threads; all have ended when this ends.

    Args:
        fit: is given ranges of at most ``BLOCK`` numbers, and keeps its results itself.
        n: how many voxels there are.
        workers: threads.
        progress: called from this thread; may raise ``Cancelled``: no thread begins a further block then.
        message: for the progress.
    """
    stopped = threading.Event()

    def work(voxels: slice) -> None:
        for block in blocks(voxels):
            if stopped.is_set():
                return
            with np.errstate(all="ignore"):
                fit(block)

    progress(0.0, message)
    with ThreadPoolExecutor(workers, thread_name_prefix="ivim") as pool:
        try:
            tasks = [pool.submit(work, slice(start, min(start + TASK, n))) for start in range(0, n, TASK)]
            follow(tasks, progress, message)
        finally:
            stopped.set()
    progress(1.0, message)
