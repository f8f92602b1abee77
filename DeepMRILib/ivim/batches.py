"""What the voxel-wise fits share: checked and normalised signals, and chunks of them on several threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.varpro import BLOCK
from DeepMRILib.progress import Progress

CHUNK = 128 * BLOCK
"""Most voxels per task. Many: with short loops two threads would mostly wait for the interpreter's lock."""

UNIT = 1e3
"""b in s/mm2 over this is in ms/um2; D in mm2/s times this is in um2/ms."""

MAX_WORKERS = 8
REPORT_SECONDS = 0.2


def checked_signals(signals: ArrayLike, b_values: ArrayLike) -> tuple[NDArray, NDArray]:
    """Signals (n, n_b) as given and b-values (n_b,) as float.

    Raises:
        InputError: no real numbers, shapes that do not match, or bad b-values.
    """
    signals = np.asarray(signals)
    b_values = np.asarray(b_values, dtype=float)
    if signals.ndim != 2 or signals.dtype.kind not in "iufb":
        raise InputError(
            f"The signals are an array of {signals.dtype} with shape {signals.shape}; "
            "expected real numbers, one row for each voxel and one column for each b-value."
        )
    if b_values.shape != signals.shape[1:]:
        raise InputError(
            f"{b_values.size} b-values do not go with {signals.shape[1]} samples per voxel; give one b-value for each."
        )
    if not (np.isfinite(b_values).all() and (b_values >= 0).all()):
        raise InputError("The b-values must be finite and not negative; give them in s/mm2.")
    return signals, b_values


def check_distinct(b_values: NDArray, model: str, unknowns: int, fit_s0: bool) -> None:
    """Refuse fewer distinct b-values than a fit has unknowns.

    Args:
        b_values: (n_b,).
        model: as in "bi-exponential".
        unknowns: how many.
        fit_s0: whether S0 is one of them.

    Raises:
        InputError: fewer.
    """
    distinct = np.unique(b_values).size
    if distinct < unknowns:
        raise InputError(
            f"There are {distinct} distinct b-values; the {model} model has {unknowns} unknowns "
            f"{'with' if fit_s0 else 'without'} S0 and needs at least {unknowns}."
        )


def checked_workers(workers: int | None) -> int:
    """How many threads to use: as many as wanted, or one for each core this process may use, at most 8.

    Raises:
        InputError: fewer than one is wanted.
    """
    if workers is None:
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(usable, MAX_WORKERS)
    if workers < 1:
        raise InputError(f"A fit with {workers} threads is not possible; give 1 or more, or nothing for one per core.")
    return workers


class Samples:
    """How the samples of a voxel become normalised means, one for each distinct b-value.

    Attributes:
        b: (q,) distinct b-values in s/mm2, ascending.
        counts: (q,) how many samples each has.
        repeated: whether any has more than one.
    """

    def __init__(self, b_values: NDArray) -> None:
        self.b, counts = np.unique(b_values, return_counts=True)
        self.counts = counts.astype(float)
        self.repeated = bool((counts > 1).any())
        self._order = np.argsort(b_values, kind="stable")
        self._first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._sorted = bool((np.diff(b_values) > 0).all())

    def normalised(self, signals: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Normalised means (n, q), sum of squared samples (n,) and scale (n,), NaN if unusable.

        The last block is filled up with copies of a flat signal, which also stands in for unusable voxels.
        """
        y = signals.astype(float)
        if not self._sorted:
            y = np.take(y, self._order, axis=1)
        energy = np.einsum("ij,ij->i", y, y)
        if self.repeated:
            y = np.add.reduceat(y, self._first, axis=1) / self.counts
        mean = np.einsum("ij,j->i", y, self.counts / self.counts.sum())
        # A mean that is lost in the rounding of its samples is no signal.
        usable = np.isfinite(energy) & (mean > 0) & (mean * mean > 1e-12 * energy)
        # An image without diffusion weighting darker than the others cannot be the measure of them.
        scale = np.where(usable, np.maximum(y[:, 0], 0.1 * mean), np.nan)
        n = len(y)
        n_blocks = -(-n // BLOCK)
        filled = np.ones((n_blocks * BLOCK, y.shape[1]))
        np.divide(y, scale[:, None], out=filled[:n], where=usable[:, None])
        full_energy = np.full(len(filled), self.counts.sum())
        np.divide(energy, scale * scale, out=full_energy[:n], where=usable)
        return filled, full_energy, scale

    def scatter(self, blocks: NDArray, energy: NDArray) -> NDArray | float:
        """What repeated samples differ from their means, squared and summed: (n,), or 0 without repeats.

        Args:
            blocks: normalised means (n / BLOCK, q, BLOCK).
            energy: sum of squared samples (n,).
        """
        if not self.repeated:
            return 0.0
        return np.maximum(energy - np.matmul(self.counts, blocks * blocks).ravel(), 0)


def in_units(parameters: dict[str, NDArray], rss: NDArray, scale: NDArray) -> dict[str, NDArray]:
    """Parameters (n,) with a relative S0, and ``rss``, in the units of the signal; NaN where ``scale`` (n,) is."""
    found = {**parameters, "S0": parameters["S0"] * scale, "rss": rss * scale**2}
    unusable = np.isnan(scale)
    for values in found.values():
        values[unusable] = np.nan
    return found


def chunks(n: int, workers: int) -> list[slice]:
    """The numbers 0 to n in equal parts, as many for each worker and none longer than ``CHUNK``."""
    n_blocks = -(-n // BLOCK)
    rounds = max(-(-n // (CHUNK * workers)), 1)
    size = max(-(-n_blocks // (rounds * workers)), 1) * BLOCK
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def follow(tasks: list[Future], progress: Progress, message: str) -> list:
    """What the tasks return, in their order, reporting meanwhile; what a task raises is raised here."""
    pending = set(tasks)
    while pending:
        finished, pending = wait(pending, timeout=REPORT_SECONDS)
        for task in finished:
            task.result()
        progress(1 - len(pending) / len(tasks), message)
    return [task.result() for task in tasks]


def fit_chunks(fit: Callable[[slice], None], n: int, *, workers: int, progress: Progress, message: str) -> None:
    """Call ``fit`` for chunks of the numbers 0 to n on several threads; leaves none behind, however it ends.

    Args:
        fit: writes its results itself.
        n: how many voxels there are.
        workers: threads.
        progress: called from this thread; may raise ``Cancelled``, after which no further chunk begins.
        message: for the progress.
    """
    cancelled = threading.Event()

    def task(chunk: slice) -> None:
        if not cancelled.is_set():
            fit(chunk)

    progress(0.0, message)
    with ThreadPoolExecutor(workers, thread_name_prefix="ivim") as pool:
        try:
            follow([pool.submit(task, chunk) for chunk in chunks(n, workers)], progress, message)
        finally:
            cancelled.set()
    progress(1.0, message)
