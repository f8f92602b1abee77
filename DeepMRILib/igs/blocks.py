"""Blocks: the lines or points nearest to a middle, at DC (the centre) or shifted from it (as partial Fourier)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.progress import Progress, silent

if TYPE_CHECKING:
    from DeepMRILib.igs.constraints import Constraints
    from DeepMRILib.igs.objective import Objective

SCANNED = 32
"""Blocks that are tried at once; of more, every second, fourth ... first."""
CONFIRMED = 3
"""The best blocks of some slices that are compared on all."""


def block_mask(encoding: Encoding, count: int, shift: Sequence[int] | None = None) -> NDArray:
    """(*shape) bool: the ``count`` lines or points nearest to DC, or to what lies ``shift`` from it.

    Of an even number the further one is on the negative side, as in fastMRI's masks. A block that would reach over
    the end of k-space is moved back, so that it always has ``count`` lines.

    Example:
        >>> block_mask(Encoding((-1,), (8,)), 4).astype(int)
        array([0, 0, 1, 1, 1, 1, 0, 0])
    """
    middle = np.zeros(len(encoding.shape)) if shift is None else np.asarray(shift, dtype=float)
    if len(encoding.shape) == 1:
        n = encoding.shape[0]
        start = int(np.clip(n // 2 + round(float(middle[0])) - count // 2, 0, n - count))
        mask = np.zeros(n, dtype=bool)
        mask[start : start + count] = True
        return mask
    # a little to the negative side first, so that equal distances have one order
    distance = np.linalg.norm((encoding.offsets() - middle + 0.01) / np.asarray(encoding.shape), axis=1)
    mask = np.zeros(encoding.size, dtype=bool)
    mask[np.argsort(distance, kind="stable")[:count]] = True
    return mask.reshape(encoding.shape)


def best_block(
    objective: Objective,
    count: int,
    rules: Constraints,
    *,
    rows: NDArray | None = None,
    progress: Progress = silent,
) -> tuple[tuple[int, ...], float] | None:
    """The shift of the block of ``count`` lines (or points) with the lowest loss, and that loss.

    A block holds DC and keeps the rules, so there are no more than ``count``. Up to ``SCANNED`` all are tried. Of more
    (and of points nearly always) every second, fourth ... shift is tried first, then those around the best, as the
    loss changes little from one to the next. The best ``CONFIRMED`` are compared on all slices.

    Args:
        objective: of which all contrasts get the same mask.
        count: of lines or points.
        rules: the constraints.
        rows: the slices of the scan; None for all.
        progress: told before each part of the scan.

    Returns:
        None where no block keeps the rules.
    """
    shifts = _shifts(objective.encoding, count)
    step = 1
    while len(_grid(shifts, step)) > SCANNED:
        step *= 2
    scan = _Scan(objective, count, rules)
    near = _grid(shifts, step)
    while True:
        progress(0.5, f"blocks of {count} {objective.encoding.word}")
        scan.enter(near, rows)
        if step == 1:
            break
        step //= 2
        best = scan.lowest(1)
        # where the rules forbid all so far, look at the finer grid as a whole
        near = _around(best[0], step, shifts) if best else _grid(shifts, step)
    best = scan.lowest(CONFIRMED)
    if not best:
        return None
    if rows is not None:
        scan = _Scan(objective, count, rules)
        scan.enter(best, None)
    found = scan.lowest(1)[0]
    return found, scan.losses[found]


def shared_mask(objective: Objective, count: int, shift: Sequence[int] | None = None) -> NDArray:
    """(contrasts, *shape): the block for every contrast."""
    return np.repeat(block_mask(objective.encoding, count, shift)[None], objective.contrasts, axis=0)


class _Scan:
    """The losses of blocks at the shifts looked at so far; infinity of those that break the rules."""

    def __init__(self, objective: Objective, count: int, rules: Constraints) -> None:
        self._objective = objective
        self._count = count
        self._rules = rules
        self.losses: dict[tuple[int, ...], float] = {}

    def enter(self, shifts: list[tuple[int, ...]], rows: NDArray | None) -> None:
        fresh = [shift for shift in shifts if shift not in self.losses]
        self.losses.update((shift, np.inf) for shift in fresh)
        kept = [
            shift for shift in fresh if self._rules.obeyed(block_mask(self._rules.encoding, self._count, shift))
        ]  # fmt: skip
        if kept:
            found = self._objective.losses([shared_mask(self._objective, self._count, shift) for shift in kept], rows)
            self.losses.update((shift, float(loss)) for shift, loss in zip(kept, found, strict=True))

    def lowest(self, count: int) -> list[tuple[int, ...]]:
        """The best shifts that keep the rules; of equal ones that nearest to DC, then the negative one."""
        kept = [shift for shift in self.losses if np.isfinite(self.losses[shift])]
        return sorted(kept, key=lambda shift: (self.losses[shift], np.abs(shift).sum(), shift))[:count]


def _shifts(encoding: Encoding, count: int) -> list[tuple[int, ...]]:
    """The shifts with which a block holds DC, each block once."""
    if len(encoding.shape) == 1:
        n = encoding.shape[0]
        starts = range(max(0, n // 2 - count + 1), min(n - count, n // 2) + 1)
        return [(start - n // 2 + count // 2,) for start in starts]
    offsets = encoding.offsets()
    # the block is an ellipse of the area count: DC lies in it up to about its radius
    radius = np.sqrt(count / (np.pi * encoding.size))
    near = np.linalg.norm(offsets / np.asarray(encoding.shape), axis=1) <= radius
    return [tuple(int(entry) for entry in offset) for offset in offsets[near]]


def _grid(shifts: list[tuple[int, ...]], step: int) -> list[tuple[int, ...]]:
    return [shift for shift in shifts if all(entry % step == 0 for entry in shift)]


def _around(middle: tuple[int, ...], step: int, shifts: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    known = set(shifts)
    moves = product((-step, 0, step), repeat=len(middle))
    found = [tuple(at + move for at, move in zip(middle, each, strict=True)) for each in moves]
    return [shift for shift in found if shift in known]
