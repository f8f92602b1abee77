"""The search: iterative gradient sampling (IGS; Razumov, Rogov, Dylov, Magn Reson Imaging 2023;103:37).

    w = DC (and forced lines); until there are enough:  g = dL/dw;  w_j = 1 for the j not yet taken with the lowest g_j

One forward and one backward pass give the derivative for every line at once, however many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.candidates import candidates, lowest_first, ranked
from DeepMRILib.igs.constraints import Constraints
from DeepMRILib.igs.objective import Objective
from DeepMRILib.igs.options import PatternOptions
from DeepMRILib.progress import Progress, part

SUBSET = 48
"""Slices on which candidates are compared by their true loss; more change the choice little and cost in proportion."""
EQUAL = 1e-6
"""True losses that differ by less than this fraction are equal up to rounding."""
PATIENCE = 3
"""Steps without a lower loss of the slices held out, after which ``stop`` ends the search."""


@dataclass(frozen=True)
class Found:
    """A nested order, as ``Pattern`` holds it.

    Attributes:
        orders: for each contrast flat indices, DC first.
        losses: with the first n lines, for n from 1; None between steps.
        gradients: (contrasts, lines), None of forced lines.
        stopped: whether the slices held out ended it before all lines were taken.
    """

    orders: tuple[tuple[int, ...], ...]
    losses: tuple[float | None, ...]
    gradients: tuple[tuple[float | None, ...], ...]
    stopped: bool = False


@dataclass(frozen=True)
class Setting:
    """What a search goes by.

    Attributes:
        objective: the loss.
        rules: what is forced and allowed, and how many lines there are in the end.
        options: lines_per_step, rerank and swaps are used.
        rows: the slices that candidates are compared on; None for all.
    """

    objective: Objective
    rules: Constraints
    options: PatternOptions
    rows: NDArray | None = None

    def losses(self, flags: list[NDArray], rows: NDArray | None = None) -> NDArray:
        """(m,) the true losses of patterns (contrasts, size) bool."""
        return self.objective.losses([self.mask(chosen) for chosen in flags], rows)

    def gradient(self, chosen: NDArray) -> tuple[float, NDArray]:
        """The loss of a pattern, and its derivative (contrasts, size) in doubles."""
        loss, gradient = self.objective.gradient(self.mask(chosen))
        count = int(chosen[0].sum())
        return checked(loss, count), np.asarray(gradient, dtype=np.float64).reshape(chosen.shape)

    def mask(self, chosen: NDArray) -> NDArray:
        """(contrasts, size) as (contrasts, *shape)."""
        return chosen.reshape(-1, *self.rules.encoding.shape)


def search(setting: Setting, *, held_out: Objective | None = None, progress: Progress | None = None) -> Found:
    """Take lines one after the other, by their derivative.

    It starts with the forced lines, by their distance from DC, and takes ``options.lines_per_step`` for each contrast
    with every gradient. Lines whose derivatives are equal (magnitude images cannot tell k from -k) go by their
    distance from DC, the negative one first. With ``options.rerank`` several candidates for each step
    (``candidates.candidates``) are compared by their true loss. With ``options.swaps`` see ``swapping.swapped``.

    Args:
        setting: loss and rules.
        held_out: the loss of other slices; where it no longer falls the search ends.
        progress: told after each step.

    Raises:
        InputError: the loss is not a number.
        Cancelled: by ``progress``.
    """
    swaps = setting.options.swaps > 0
    found = grown(setting, part(progress, 0, 0.5 if swaps else 1), held_out)
    if not swaps:
        return found
    from DeepMRILib.igs.swapping import swapped

    return swapped(found, setting, part(progress, 0.5, 1))


class Growth:
    """A pattern while it grows.

    Attributes:
        rules: of the whole; ``own`` those of each contrast, with the lines that it may take.
        chosen: (contrasts, size) bool.
        orders, gradients, losses: as in ``Found``.
    """

    def __init__(self, rules: Constraints, contrasts: int, within: NDArray | None = None) -> None:
        self.rules = rules
        self.own = [rules if within is None else replace(rules, allowed=within[c]) for c in range(contrasts)]
        self.chosen = np.zeros((contrasts, rules.encoding.size), dtype=bool)
        self.orders: list[list[int]] = [[] for _ in range(contrasts)]
        self.gradients: list[list[float | None]] = [[] for _ in range(contrasts)]
        self.losses: list[float | None] = [None] * rules.lines
        for contrast in range(contrasts):
            for line in rules.forced:
                self.add(contrast, line, None)

    @property
    def count(self) -> int:
        return len(self.orders[0])

    def add(self, contrast: int, line: int, gradient: float | None) -> None:
        self.chosen[contrast, line] = True
        self.orders[contrast].append(line)
        self.gradients[contrast].append(gradient)

    def found(self, count: int) -> Found:
        """The first ``count`` lines."""
        return Found(
            tuple(tuple(order[:count]) for order in self.orders),
            tuple(self.losses[:count]),
            tuple(tuple(row[:count]) for row in self.gradients),
            count < self.rules.lines,
        )


def grown(
    setting: Setting, progress: Progress, held_out: Objective | None = None, within: NDArray | None = None
) -> Found:
    """The order that derivatives give; see ``search``. Only lines ``within`` (contrasts, size) are taken, if given."""
    rules = setting.rules
    growth = Growth(rules, setting.objective.contrasts, within)
    stop = _Stop(held_out, setting)
    while growth.count < rules.lines and not stop.reached(growth):
        done = (growth.count - len(rules.forced)) / (rules.lines - len(rules.forced))
        progress(done, f"{growth.count} of {rules.lines} {rules.encoding.word}")
        loss, gradient = setting.gradient(growth.chosen)
        growth.losses[growth.count - 1] = loss
        needed = rules.lines - growth.count
        for contrast, own in enumerate(gradient):
            for line in _picked(setting, growth, contrast, own, needed):
                growth.add(contrast, line, float(own[line]))
    if not stop.is_over:
        growth.losses[-1] = checked(float(setting.losses([growth.chosen])[0]), growth.count)
        stop.reached(growth)
    progress(1.0, f"{growth.count} {rules.encoding.word}")
    return growth.found(stop.best or rules.lines)


def _picked(setting: Setting, growth: Growth, contrast: int, gradient: NDArray, needed: int) -> list[int]:
    """The lines that a step takes for one contrast, of ``needed`` still missing."""
    rules, chosen = growth.own[contrast], growth.chosen[contrast]
    counts = (min(setting.options.lines_per_step, needed), needed)
    if not setting.options.rerank:
        return rules.taken(ranked(rules, chosen, gradient), chosen, *counts)
    sets = candidates(rules, chosen, gradient, counts, setting.options.rerank)
    if len(sets) == 1:
        return sets[0]
    trials = []
    for lines in sets:
        trial = growth.chosen.copy()
        trial[contrast, lines] = True
        trials.append(trial)
    # sets of several lines differ more than single ones: half of the slices tell
    rows = setting.rows if counts[0] == 1 or setting.rows is None else setting.rows[::2]
    return sets[next(lowest_first(setting.losses(trials, rows), EQUAL, np.arange(len(sets))))]


def checked(loss: float, count: int) -> float:
    """The loss, if it is a number."""
    if not np.isfinite(loss):
        raise InputError(
            f"The loss with {count} lines is {loss}: no pattern can be searched by it. Check the network, whose output "
            "may hold NaN, and the images."
        )
    return float(loss)


class _Stop:
    """Ends the search where the loss of the slices held out no longer falls."""

    def __init__(self, held_out: Objective | None, setting: Setting) -> None:
        self._held_out = held_out
        self._setting = setting
        self._lowest = np.inf
        self._steps = 0
        self.best: int | None = None
        self.is_over = False

    def reached(self, growth: Growth) -> bool:
        """Look at the pattern so far; ``best`` is the number of lines with the lowest loss of those possible."""
        if self._held_out is None:
            return False
        loss = float(self._held_out.losses([self._setting.mask(growth.chosen)])[0])
        if loss < self._lowest and self._setting.rules.possible(growth.count):
            self._lowest, self.best, self._steps = loss, growth.count, 0
        elif loss >= self._lowest:
            self._steps += 1
        self.is_over = self._steps >= PATIENCE
        return self.is_over
