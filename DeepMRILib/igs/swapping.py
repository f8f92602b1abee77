"""Exchanging lines after the search: what was good early may be of little use among all the others."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.blocks import best_block, shared_mask
from DeepMRILib.igs.candidates import ranked
from DeepMRILib.igs.constraints import Constraints
from DeepMRILib.igs.search import EQUAL, Found, Setting, grown
from DeepMRILib.progress import Progress, part

TRIED = 4
"""Lines that might go, and lines that might come instead: all their pairs are tried."""


def swapped(found: Found, setting: Setting, progress: Progress) -> Found:
    """The order after up to ``options.swaps`` rounds of exchange.

    It starts from the best shifted block, if its loss is lower than that of the pattern: taking line after line, a
    search cannot find what only many lines together bring. A round takes one gradient at the whole pattern. For each
    contrast, the lines whose derivative says that they serve least are exchanged for those that promise most; of these
    exchanges the one with the lowest true loss (of the slices ``setting.rows``) is made if it lowers that of all
    slices. Rounds end when none does. What is left is brought into a nested order by the search itself, restricted to
    these lines.
    """
    rounds = setting.options.swaps
    chosen = np.zeros((setting.objective.contrasts, setting.rules.encoding.size), dtype=bool)
    for contrast, order in enumerate(found.orders):
        chosen[contrast, list(order)] = True
    before = chosen
    chosen = _better_block(chosen, setting)
    for number in range(rounds):
        progress(0.5 * number / rounds, f"exchange of lines, round {number + 1}")
        after = _after_round(chosen, setting)
        if after is chosen:
            break
        chosen = after
    if np.array_equal(chosen, before):
        return found
    kept = replace(setting, rules=replace(setting.rules, lines=len(found.orders[0])))
    return replace(grown(kept, part(progress, 0.5, 1), within=chosen), stopped=found.stopped)


def _better_block(chosen: NDArray, setting: Setting) -> NDArray:
    """The flags of the best block, if its loss is lower; else the same."""
    count = int(chosen[0].sum())
    block = best_block(setting.objective, count, setting.rules, rows=setting.rows)
    loss = float(setting.losses([chosen])[0])
    if block is None or block[1] >= loss - EQUAL * abs(loss):
        return chosen
    return shared_mask(setting.objective, count, block[0]).reshape(chosen.shape)


def _after_round(chosen: NDArray, setting: Setting) -> NDArray:
    """The flags after at most one exchange for each contrast; the same array where none helps."""
    loss, gradient = setting.gradient(chosen)
    for contrast, own in enumerate(gradient):
        trials = _exchanges(chosen, contrast, own, setting.rules)
        if not trials:
            continue
        best = trials[int(np.argmin(setting.losses(trials, setting.rows)))]
        lower = float(setting.losses([best])[0])
        if lower < loss - EQUAL * abs(loss):
            chosen, loss = best, lower
    return chosen


def _exchanges(chosen: NDArray, contrast: int, gradient: NDArray, rules: Constraints) -> list[NDArray]:
    """The flags after each exchange that keeps the rules."""
    own = chosen[contrast]
    going = _least_useful(own, gradient, rules)
    found = []
    for line in going:
        without = own.copy()
        without[list(rules.unit(line))] = False
        coming = islice(ranked(rules, without, gradient), TRIED + 1)
        found += [(line, other) for other in coming if other != line][:TRIED]
    return [_exchanged(chosen, contrast, pair, rules) for pair in found]


def _least_useful(own: NDArray, gradient: NDArray, rules: Constraints) -> list[int]:
    """The lines of the pattern that would be missed least; of pairs the one with the lower index."""
    free = own.copy()
    free[list(rules.forced)] = False
    lines = np.flatnonzero(free)
    if rules.mirror:
        lines = lines[lines < rules.partners[lines]]
    scores = gradient[lines] + (gradient[rules.partners[lines]] if rules.mirror else 0.0)
    return [int(line) for line in lines[np.argsort(-scores, kind="stable")][:TRIED]]


def _exchanged(chosen: NDArray, contrast: int, pair: tuple[int, int], rules: Constraints) -> NDArray:
    found = chosen.copy()
    found[contrast, list(rules.unit(pair[0]))] = False
    found[contrast, list(rules.unit(pair[1]))] = True
    return found
