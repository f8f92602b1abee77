"""Which signals each member of an ensemble learns from, in which order, and which units dropout leaves out."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import checked_signals
from DeepMRILib.ivim.network_input import CEILING, normalised, usable
from DeepMRILib.ivim.plan import NetworkPlan
from DeepMRILib.train_data import epoch_order

FEWEST = 10
"""With fewer signals nothing is left to learn from and to validate with."""
MOST_VALIDATION = 100_000
"""Signals for validation at most: more cost time in each epoch and memory, and hardly change the loss."""
READ_ROWS = 65536
_SPLIT, _DROPOUT = 1, 2  # which random numbers of a member's seed; 0 orders the signals (train_data.epoch_order)


class TrainingSignals:
    """The signals of a training.

    Args:
        signals: (n, n_b) in the scanner's units; memory-mapped ones are read by rows.
        plan: whose b-values the columns have.
        validation: (m, n_b) signals for validation; by default a part of ``signals``, another one for each member.

    Raises:
        InputError: signals that do not go with the plan, or too few usable ones.
    """

    def __init__(self, signals: ArrayLike, plan: NetworkPlan, validation: ArrayLike | None = None) -> None:
        self.plan = plan
        self._b_values = np.array(plan.b_values)
        self.signals, _ = checked_signals(signals, self._b_values)
        self._mapped = isinstance(signals, np.memmap)
        rows = self._usable_rows(self.signals)
        needed = FEWEST if validation is None else FEWEST - 1
        if len(rows) < needed:
            raise InputError(
                f"An IVIM network needs at least {needed} usable signals to learn from; of the {len(self.signals):,} "
                f"given, {len(rows)} can be used. Give more voxels, a larger mask or more series."
            )
        self._given = None if validation is None else self._checked_validation(validation)
        self._splits = [self._split(rows, plan.seed + member) for member in range(plan.members)]
        self.batch = min(plan.batch_size, len(self._splits[0][0]))

    @property
    def counts(self) -> tuple[int, int]:
        """How many signals each member learns from and is validated with."""
        learned, held = self._splits[0]
        return len(learned), len(held) if self._given is None else len(self._given)

    @cached_property
    def digest(self) -> str:
        """What tells these signals from others of the same number: a training goes on with its own only."""
        digest = hashlib.sha256()
        for start in range(0, len(self.signals), READ_ROWS):
            digest.update(np.ascontiguousarray(self.signals[start : start + READ_ROWS]).data)
        return digest.hexdigest()[:16]

    def validation(self) -> NDArray:
        """The signals for validation as a network takes them: (members, n_b, m)."""
        if self._given is not None:
            return np.tile(self._given.T, (self.plan.members, 1, 1))
        return np.ascontiguousarray(np.stack([self._take(held).T for _, held in self._splits]))

    def epoch(self, number: int) -> NDArray:
        """The batches of an epoch, (steps, members, n_b, batch); each signal at most once, full batches only."""
        learned = len(self._splits[0][0])
        steps = min(self.plan.max_batches, learned // self.batch)
        batches = np.empty((steps, self.plan.members, self.plan.n_b, self.batch), dtype=np.float32)
        for member, (rows, _) in enumerate(self._splits):
            order = epoch_order(learned, steps * self.batch, self.plan.seed + member, number)[: steps * self.batch]
            values = self._take(rows[order]).reshape(steps, self.batch, -1)
            batches[:, member] = values.transpose(0, 2, 1)
        return batches

    def masks(self, number: int, first: int, steps: int) -> NDArray:
        """Dropout's factors for steps of an epoch: (steps, hidden layers less one, groups, width, batch).

        They are drawn from the member's seed, the epoch and the first step: 0 with the plan's probability, to 1 part in
        65,536, and else what keeps the mean.
        """
        plan = self.plan
        layers = plan.depth - 1 if plan.dropout else 0
        branches = plan.branches[0]
        masks = np.empty((steps, layers, plan.members, branches, plan.width, self.batch), dtype=np.float32)
        if layers:
            dropped = round(plan.dropout * 65536)
            for member in range(plan.members):
                random = np.random.default_rng([plan.seed + member, number, _DROPOUT, first])
                drawn = random.integers(65536, size=masks[:, :, 0].shape, dtype=np.uint16)
                np.multiply(drawn >= dropped, np.float32(65536 / (65536 - dropped)), out=masks[:, :, member])
        return masks.reshape(steps, layers, plan.members * branches, plan.width, self.batch)

    def _usable_rows(self, signals: NDArray) -> NDArray:
        kept = [
            start + np.flatnonzero(self._usable(normalised(signals[start : start + READ_ROWS], self._b_values)[0]))
            for start in range(0, len(signals), READ_ROWS)
        ]
        return np.concatenate(kept) if kept else np.empty(0, dtype=np.int64)

    def _usable(self, relative: NDArray) -> NDArray:
        return usable(relative, self._b_values, voxel_filter=self.plan.voxel_filter)

    def _split(self, rows: NDArray, seed: int) -> tuple[NDArray, NDArray]:
        """Rows to learn from and rows to validate with, drawn from the seed."""
        if self._given is not None:
            return rows, rows[:0]
        held = min(max(round(self.plan.validation_fraction * len(rows)), 1), len(rows) - 2, MOST_VALIDATION)
        order = np.random.default_rng([seed, 0, _SPLIT]).permutation(len(rows))
        return rows[np.sort(order[held:])], rows[np.sort(order[:held])]

    def _checked_validation(self, validation: ArrayLike) -> NDArray:
        values, _ = checked_signals(validation, self._b_values)
        rows = self._usable_rows(values)
        if len(rows) == 0:
            raise InputError(f"None of the {len(values):,} validation signals can be used. Give other voxels.")
        return self._relative(values[rows[:MOST_VALIDATION]])

    def _take(self, rows: NDArray) -> NDArray:
        """Normalised and cut signals of the rows; those on disk are read in the order in which they lie there."""
        if not self._mapped:
            return self._relative(self.signals[rows])
        order = np.argsort(rows)
        values = np.empty((len(rows), self.plan.n_b), dtype=np.float32)
        values[order] = self._relative(self.signals[rows[order]])
        return values

    def _relative(self, signals: NDArray) -> NDArray:
        relative, _ = normalised(signals, self._b_values)
        return np.minimum(relative, np.float32(CEILING))
