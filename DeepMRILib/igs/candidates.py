"""What a step of the search might take: sets of lines that the derivatives promise much of, to compare by true loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.constraints import Constraints

TIE = 3e-5
"""Derivatives that differ by less than this fraction count as equal: 32-bit networks round as much as 5e-6 of them."""
SHARES = (0.0, 1.0, 0.5)
"""Of its promise, what a single line loses if its mirror is there: these are tried before further lines."""


def candidates(
    rules: Constraints, chosen: NDArray, gradient: NDArray, counts: tuple[int, int], most: int
) -> list[list[int]]:
    """Up to ``most`` different sets of lines for one step, the one that the derivatives rank first ahead.

    A derivative is blind to what lines do to each other. Of an image with smooth phase the lines at k and -k hold
    nearly the same, though each alone promises as much. So the sets differ in how much a line loses of its promise if
    its mirror is in the pattern or taken in the same step: nothing, a part, or all. For a step of one line these are
    ``SHARES``; where ``most`` is more, the lines that follow by their derivative are candidates as well. (On the ring
    phantom three candidates gave better patterns than the six best by derivative, which are often neighbours.)

    Args:
        rules: the constraints.
        chosen: (size,) bool.
        gradient: (size,) the loss's derivative with respect to each line.
        counts: how many lines to take now, and how many are to come in all.
        most: sets.
    """
    wanted, needed = counts
    single = wanted == 1
    found: list[list[int]] = []
    for share in SHARES[:most] if single else np.linspace(0.0, 1.0, most):
        ranking = apart(rules, chosen, gradient, float(share))
        found.append(rules.taken(ranking, chosen, wanted, needed))
    if single and most > len(SHARES):
        following = islice(ranked(rules, chosen, gradient), most - len(SHARES) + 1)
        found += [rules.taken([line], chosen, 1, needed) for line in following]
    return _different(found)


def ranked(rules: Constraints, chosen: NDArray, gradient: NDArray) -> Iterator[int]:
    """The open lines by their derivative (of pairs that of both), the lowest first; ties by distance from DC."""
    return (line for line, _ in _scored(rules, chosen, gradient))


def apart(rules: Constraints, chosen: NDArray, gradient: NDArray, share: float) -> Iterator[int]:
    """As ``ranked``, but a line whose mirror is chosen, or came before it here, has lost ``share`` of its promise."""
    there = chosen.copy()
    waiting: list[tuple[float, int, int]] = []
    for number, (line, score) in enumerate(_scored(rules, chosen, gradient)):
        while waiting and waiting[0][0] < score:
            yield _noted(heappop(waiting)[2], there)
        partner = rules.partners[line]
        if share and partner >= 0 and there[partner]:
            heappush(waiting, (score + share * abs(score), number, line))
        else:
            yield _noted(line, there)
    while waiting:
        yield heappop(waiting)[2]


def lowest_first(values: NDArray, tie: float, ranks: NDArray) -> Iterator[int]:
    """The places of values, the lowest first; those that differ by no more than the fraction ``tie`` by their rank."""
    order = np.argsort(values, kind="stable")
    values = values[order]
    start = 0
    while start < len(order):
        stop = int(np.searchsorted(values, values[start] + tie * abs(values[start]), side="right"))
        tied = order[start:stop]
        yield from tied[np.argsort(ranks[tied], kind="stable")]
        start = stop


def _scored(rules: Constraints, chosen: NDArray, gradient: NDArray) -> Iterator[tuple[int, float]]:
    lines = np.flatnonzero(rules.open(chosen))
    scores = gradient[lines] + (gradient[rules.partners[lines]] if rules.mirror else 0.0)
    return ((int(lines[at]), float(scores[at])) for at in lowest_first(scores, TIE, rules.nearness[lines]))


def _noted(line: int, there: NDArray) -> int:
    there[line] = True
    return line


def _different(sets: Iterable[list[int]]) -> list[list[int]]:
    """Each set once, whatever the order of its lines."""
    known: dict[frozenset[int], list[int]] = {}
    for one in sets:
        known.setdefault(frozenset(one), one)
    return list(known.values())
