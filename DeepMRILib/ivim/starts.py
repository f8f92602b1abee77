"""Starting rates for ``ratesearch``: the nearest of some hundred typical curves, for many voxels at once.

Units as in ``varpro``: b in ms/um2, rates in um2/ms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.ratesearch import RATIO, Box
from DeepMRILib.ivim.varpro import ReducedProblem

LEVELS_1, LEVELS_2, LEVELS_F = 10, 8, 5
"""Values of D, D* and f in the table."""

FAMILIES = ((0, 2), (2, 6), (6, 8))
"""Slow, middle and fast perfusion: ranges of the levels of D*."""

GROUP = 4
"""Blocks compared at once: with 200 curves in a family 0.8 MB, which a core's cache holds."""


class Starts:
    """A table of typical curves: the nearest ones to a signal tell where to start.

    The table is cut in ``FAMILIES`` by D*, since the sum of squares often has one valley at slow and one at fast
    perfusion, and the valley whose table entry is nearer is not always the deeper one.
    """

    def __init__(self, problem: ReducedProblem, box: Box) -> None:
        weights = problem.weights
        root = np.sqrt(weights)
        slow = _evenly(box.low_1, box.high_1, (np.arange(LEVELS_1) + 0.5) / LEVELS_1, problem.b, root)
        fast = _evenly(box.low_2, box.high_2, np.linspace(0, 1, LEVELS_2), problem.b, root)
        f_low, f_high = problem.f
        fractions = f_low + (f_high - f_low) * (np.arange(LEVELS_F) + 0.5) / LEVELS_F
        rates_2, rates_1, f = (values.ravel() for values in np.meshgrid(fast, slow, fractions, indexing="ij"))
        rates_2 = np.maximum(rates_2, RATIO * rates_1)
        e1, e2 = (np.exp(-np.outer(rates, problem.b)) for rates in (rates_1, rates_2))
        curves = (1 - f)[:, None] * e1 + f[:, None] * e2
        power = curves**2 @ weights
        self._free_S0 = problem.S0[0] < problem.S0[1]
        if self._free_S0:
            # The best S0 for a curve makes the nearest one that with the largest cosine.
            curves /= np.sqrt(power)[:, None]
            power[:] = 0.0
        rows = np.concatenate([curves * weights, -0.5 * power[:, None], np.ones((len(power), 1))], axis=1)
        rates = np.stack([rates_1, np.minimum(rates_2, box.high_2)])
        # The levels of D* vary slowest, so a family is a range of rows.
        ends = (slice(i * LEVELS_1 * LEVELS_F, j * LEVELS_1 * LEVELS_F) for i, j in FAMILIES)
        self._families = [(rates[:, family], rows[family].astype(np.float32)) for family in ends]
        self._weights = weights.astype(np.float32)

    def nearest(self, signals: NDArray) -> list[NDArray]:
        """For each family the rates (2, n) of the curve nearest to each of the signals (n / BLOCK, q, BLOCK) float32.

        Likeness is minus half the squared distance, or (cosine - 1) times the signal's length: near 0 for the best,
        so that single precision keeps the small differences. The lowest bits then carry the curve's number, and one
        pass of maximum, much faster than argmax, gives both.
        """
        n_blocks, q, block = signals.shape
        extended = np.ones((n_blocks, q + 2, block), np.float32)
        extended[:, :q] = signals
        power = np.matmul(self._weights, signals * signals)
        extended[:, -1] = -np.sqrt(power) if self._free_S0 else -0.5 * power
        return [rates[:, _most_alike(extended, rows)] for rates, rows in self._families]


def _most_alike(signals: NDArray, rows: NDArray) -> NDArray:
    """The number of the row with the largest product with each signal (n / BLOCK, q, BLOCK), (n,)."""
    n_blocks, _, block = signals.shape
    # Small enough products that BLAS stays in this thread; a power of 2, to divide the block.
    width = min(2 ** max(int(np.log2(2e5 / rows.size)), 0), block)
    mask = 2 ** len(rows).bit_length() - 1
    number = np.repeat(np.arange(len(rows), dtype=np.int32)[:, None], block, axis=1)
    found = np.empty((n_blocks, block), np.int32)
    likeness = np.empty((GROUP, len(rows), block), np.float32)
    for start in range(0, n_blocks, GROUP):
        part = slice(start, min(start + GROUP, n_blocks))
        values = likeness[: part.stop - start]
        bits = values.view(np.int32)
        np.matmul(rows, _narrow(signals[part], width), out=_narrow(values, width))
        np.bitwise_and(bits, ~mask, out=bits)
        np.bitwise_or(bits, number, out=bits)
        found[part] = values.max(axis=1).view(np.int32) & mask
    return found.ravel()


def _narrow(blocks: NDArray, width: int) -> NDArray:
    """A view of blocks (m, rows, columns) cut into narrower ones, (m, columns / width, rows, width)."""
    return blocks.reshape(*blocks.shape[:2], -1, width).transpose(0, 2, 1, 3)


def _evenly(low: float, high: float, places: NDArray, b: NDArray, root_weights: NDArray) -> NDArray:
    """Rates between ``low`` and ``high`` whose decay curves lie at equal distances, at ``places`` from 0 to 1."""
    fine = np.linspace(np.sqrt(low), np.sqrt(high), 1000) ** 2
    curves = np.exp(-np.outer(fine, b)) * root_weights
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curves, axis=0), axis=1))])
    return np.clip(np.interp(places * length[-1], length, fine), low, high)
