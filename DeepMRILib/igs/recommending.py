"""Which of the search, the best shifted block and the centre serves best, on the slices that the search used."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.blocks import best_block, block_mask, shared_mask
from DeepMRILib.igs.constraints import Constraints
from DeepMRILib.igs.pattern import Rung
from DeepMRILib.igs.search import EQUAL, Found, Setting
from DeepMRILib.progress import Progress, part, silent

RUNGS = 4


def rungs(setting: Setting, found: Found, progress: Progress = silent) -> tuple[Rung, ...]:
    """The three rivals at all lines, a half, a quarter and an eighth of them, by ascending number.

    Numbers below 2 or below that of the forced lines are left out; for those that echo trains and pairs do not allow
    the next lower one is taken.

    Args:
        setting: the loss on the selection set, and what rivals must keep as well; of ``rows`` blocks are scanned,
            before the best are compared on all slices.
        found: the order of the search.
        progress: told of each step.
    """
    counts = rung_counts(len(found.orders[0]), setting.rules)
    steps = [part(progress, number / len(counts), (number + 1) / len(counts)) for number in range(len(counts))]
    return tuple(_rung(setting, found, count, step) for count, step in zip(counts, steps, strict=True))


def rung_counts(lines: int, rules: Constraints) -> list[int]:
    """The numbers of lines that are compared.

    Example:
        >>> from DeepMRILib.igs import Encoding, PatternOptions
        >>> from DeepMRILib.igs.constraints_checked import constraints_of
        >>> rung_counts(16, constraints_of(Encoding((-1,), (64,)), PatternOptions(lines=16, calibration=3)))
        [4, 8, 16]
    """
    found = {lines}
    for halvings in range(1, RUNGS):
        count = lines // 2**halvings
        while count > 1 and not rules.possible(count):
            count -= 1
        if count >= max(2, len(rules.forced)):
            found.add(count)
    return sorted(found)


def winner(igs: float, block: float | None, centre: float | None) -> Literal["igs", "block", "centre"]:
    """The lowest loss; of equal ones the simpler pattern: the centre, then the block.

    Example:
        >>> winner(0.5, 0.4, 0.4), winner(0.3, None, 0.4)
        ('centre', 'igs')
    """
    best: Literal["igs", "block", "centre"] = "igs"
    lowest = igs
    for name, loss in (("block", block), ("centre", centre)):
        if loss is not None and loss <= lowest + EQUAL * abs(lowest):
            best, lowest = name, min(loss, lowest)  # type: ignore[assignment]
    return best


def _rung(setting: Setting, found: Found, count: int, progress: Progress) -> Rung:
    objective, rules = setting.objective, setting.rules
    igs = found.losses[count - 1]
    if igs is None:
        igs = float(setting.losses([_first(found, count, rules)])[0])
    centre = None
    if rules.obeyed(block_mask(rules.encoding, count)):
        centre = float(objective.losses([shared_mask(objective, count)])[0])
    shift, block = best_block(objective, count, rules, rows=setting.rows, progress=progress) or ((), None)
    return Rung(count, igs, block, centre, shift, winner(igs, block, centre))


def _first(found: Found, count: int, rules: Constraints) -> NDArray:
    """(contrasts, size) bool: the first lines of the order."""
    flags = np.zeros((len(found.orders), rules.encoding.size), dtype=bool)
    for own, order in zip(flags, found.orders, strict=True):
        own[list(order[:count])] = True
    return flags
