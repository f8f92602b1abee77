"""What a pattern may be: calibration, forced and forbidden lines, partial Fourier, mirror pairs, gaps, echo trains.

Lines are flat indices here, as in ``Pattern.orders``: of points row by row, ``first * N2 + second``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.encoding import Encoding

REFUSED = 8
"""Points that leave too little room before a step takes packed ones: each costs a packing of 10 ms for 128 x 128."""


@dataclass(frozen=True, eq=False)
class Constraints:
    """The rules that a pattern of ``lines`` lines (or points) keeps; made and checked by ``constraints_of``.

    Attributes:
        encoding: the phase-encoded axes.
        lines: how many there are in the end.
        forced: DC, calibration and further lines, by their distance from DC; with ``mirror`` their partners as well.
        allowed: (size,) bool, the lines that may be acquired, the forced ones among them.
        calibration: (size,) bool, the block around DC in which no gap is kept.
        gap: the fewest lines between two, unless both are of the calibration block; of points along at least one axis.
        mirror: lines other than DC come with the one mirrored at DC.
        echo_train: the number of lines is a multiple of it.
    """

    encoding: Encoding
    lines: int
    forced: tuple[int, ...]
    allowed: NDArray
    calibration: NDArray
    gap: int = 0
    mirror: bool = False
    echo_train: int = 1

    @cached_property
    def partners(self) -> NDArray:
        """(size,) the line mirrored at DC, -1 where there is none (see ``mirrored``)."""
        return mirrored(self.encoding)

    @cached_property
    def nearness(self) -> NDArray:
        """(size,) the rank of each line by its distance from DC, as ``by_distance`` has it."""
        rank = np.empty(self.encoding.size, dtype=np.int64)
        rank[by_distance(self.encoding)] = np.arange(self.encoding.size)
        return rank

    def possible(self, count: int) -> bool:
        """Whether a pattern may have this many lines, as far as pairs and echo trains go."""
        return count % self.echo_train == 0 and (not self.mirror or count % 2 == 1)

    def unit(self, line: int) -> tuple[int, ...]:
        """What is acquired with a line: the line, or the pair."""
        partner = int(self.partners[line])
        return (line, partner) if self.mirror and partner != line else (line,)

    def open(self, chosen: NDArray) -> NDArray:
        """(size,) bool: the lines that could be taken next, after those ``chosen`` (size,) bool.

        Of mirrored pairs only the one with the lower index is open.
        """
        free = self.allowed & ~chosen
        if self.gap:
            free &= ~self._near(chosen)
        if self.mirror:
            free &= free[self.partners] & (np.arange(free.size) < self.partners)
            if self.gap:
                apart = np.abs(2 * self.encoding.offsets()).max(axis=1)
                free &= apart > self.gap
        return free

    def room(self, chosen: NDArray, needed: int) -> bool:
        """Whether ``needed`` more lines find a place after those ``chosen``.

        Exact of lines, where packing from one end is the best there is; of points with a gap they are packed row by
        row, which finds as many as there are unless forced points lie awkwardly.
        """
        if needed <= 0:
            return True
        free = self.open(chosen)
        size = 1 + self.mirror
        # a line that is packed closes at most those up to the gap behind it (of points also in the rows behind)
        reach = self.gap + 1 if len(self.encoding.shape) == 1 else self.gap * (2 * self.gap + 1) + self.gap + 1
        if size * (free.sum() // (reach if not self.mirror else 2 * reach)) >= needed or not self.gap:
            return size * int(free.sum()) >= needed
        return len(self.packed(chosen, needed)) >= needed

    def packed(self, chosen: NDArray, needed: int) -> list[int]:
        """Up to ``needed`` lines that can be taken together after those ``chosen``, packed from one end."""
        free = self.open(chosen)
        heads = np.flatnonzero(free)
        if self.mirror:  # from DC outwards, where the pairs' two sides are the closest
            heads = heads[::-1]
        found: list[int] = []
        for line in heads:
            if len(found) >= needed:
                break
            if free[line]:
                found += self.unit(int(line))
                for one in self.unit(int(line)):
                    free.reshape(self.encoding.shape)[self._window(one)] = False
        return found

    def taken(self, ranked: Iterable[int], chosen: NDArray, wanted: int, needed: int) -> list[int]:
        """The first lines of ``ranked`` that keep the rules, ``wanted`` of them (of pairs one more, if need be).

        Args:
            ranked: open lines, the best first.
            chosen: (size,) bool, what is there already.
            wanted: how many to take now.
            needed: how many are to come in all, ``wanted`` included: a line that leaves too little room is passed over.
        """
        chosen = chosen.copy()
        found: list[int] = []
        for line in self._passing(ranked, chosen, needed, found):
            found += self.unit(line)
            chosen[list(self.unit(line))] = True
            if len(found) >= wanted:
                return found
        # nothing in the ranking fits: the packing that was found possible does
        return found + self.packed(chosen, wanted - len(found))

    def _passing(self, ranked: Iterable[int], chosen: NDArray, needed: int, found: list[int]) -> Iterator[int]:
        refused = 0
        for line in ranked:
            if not self.gap:
                yield line
            elif self.open(chosen)[line]:
                after = chosen.copy()
                after[list(self.unit(line))] = True
                if self.room(after, needed - len(found) - len(self.unit(line))):
                    yield line
                    continue
                refused += 1
                if refused == REFUSED and len(self.encoding.shape) > 1:
                    return

    def obeyed(self, mask: NDArray) -> bool:
        """Whether a whole mask (*shape) keeps the rules, the number of lines as it is."""
        flat = np.asarray(mask, dtype=bool).ravel()
        if not flat[list(self.forced)].all() or (flat & ~self.allowed).any() or not self.possible(int(flat.sum())):
            return False
        if self.mirror and not flat[self.partners[flat]].all():
            return False
        return not self.gap or not any(self.crowded(line, flat) for line in np.flatnonzero(flat))

    def crowded(self, line: int, chosen: NDArray) -> bool:
        """Whether another line is nearer than the gap allows."""
        near = np.zeros(chosen.size, dtype=bool)
        near.reshape(self.encoding.shape)[self._window(line)] = True
        near &= chosen
        near[line] = False
        return bool((near & ~self.calibration).any() if self.calibration[line] else near.any())

    def _near(self, chosen: NDArray) -> NDArray:
        from scipy.ndimage import maximum_filter

        grid = chosen.reshape(self.encoding.shape)
        return maximum_filter(grid, size=2 * self.gap + 1, mode="constant", cval=False).ravel()

    def _window(self, line: int) -> tuple[slice, ...]:
        """The lines less than a gap away."""
        place = np.unravel_index(line, self.encoding.shape)
        return tuple(slice(max(0, int(at) - self.gap), int(at) + self.gap + 1) for at in place)


def by_distance(encoding: Encoding) -> NDArray:
    """(size,) all lines by their distance from DC, relative to the extent of each axis; negative ones first."""
    distance = np.linalg.norm(encoding.offsets() / np.asarray(encoding.shape), axis=1)
    return np.argsort(distance.round(12), kind="stable")


def mirrored(encoding: Encoding) -> NDArray:
    """(size,) the line at -k for that at k, DC its own; -1 for -N/2 of an even N, as +N/2 is not encoded."""
    offsets = encoding.offsets()
    half = np.asarray(encoding.shape) // 2
    places = half - offsets
    inside = (places < np.asarray(encoding.shape)).all(axis=1)
    found = np.full(encoding.size, -1, dtype=np.int64)
    found[inside] = np.ravel_multi_index(tuple(places[inside].T), encoding.shape)
    return found
