"""The usual patterns, each with exactly as many lines as asked: what a searched pattern has to beat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.blocks import block_mask
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.kspace import line_count
from DeepMRILib.igs.poisson import poisson_disc
from DeepMRILib.random_fields import Random

CENTRE_PART = 0.32
"""Of the lines, those at the centre: what fastMRI's centre fractions of 0.08 at x4 and 0.04 at x8 come to."""
DENSITY_POWER = 4
"""Of the polynomial density (1 - k / kmax)^p (Lustig et al., Magn Reson Med 2007;58:1182-1195)."""
LEAST_DENSITY = 1e-3

Choice = Callable[[Encoding, int, NDArray, Random], NDArray]


def baseline(name: str, n: int | Sequence[int], lines: int, seed: int = 0) -> NDArray:
    """(n,) bool with exactly ``lines`` lines of a usual pattern, or (n1, n2) with as many points; DC is among them.

    ``centre``
        the lines nearest to DC.
    ``block``
        a block with a quarter of its lines on the negative side of DC, as for partial Fourier. The best block for
        data and task is found by a search (``find_pattern``, or ``igs.test``).
    ``equispaced``
        some lines at the centre, and the others at equal distances (of points on a lattice with every other row
        shifted); their offset is random.
    ``random``
        the same centre, and the others uniformly random, as in fastMRI (Zbontar et al., arXiv:1811.08839).
    ``variable_density``
        the same centre, and the others random with a density of (1 - k / kmax)^4.
    ``poisson``
        the same centre, and the others random but never close together: the distance that they keep grows with that
        from DC.

    Args:
        name: of the pattern.
        n: the number of lines there are, or of points along both axes.
        lines: how many are acquired.
        seed: of the random ones.

    Raises:
        InputError: an unknown name, or a number of lines that is not from 1 to all.

    Example:
        >>> baseline("equispaced", 16, 6).sum(), baseline("poisson", (16, 16), 40, seed=1).sum()
        (np.int64(6), np.int64(40))
    """
    encoding = _encoding(n)
    lines = line_count(encoding.size, lines=lines)
    if name == "centre":
        return block_mask(encoding, lines)
    if name == "block":
        return block_mask(encoding, lines, _partial_fourier_shift(encoding, lines))
    if name not in CHOICES:
        known = ", ".join(("centre", "block", *CHOICES))
        raise InputError(f"{name!r} is no baseline; choose one of {known}.")
    mask = block_mask(encoding, max(1, round(CENTRE_PART * lines)))
    more = lines - int(mask.sum())
    return CHOICES[name](encoding, more, mask, np.random.default_rng(seed)) if more else mask


def _encoding(n: int | Sequence[int]) -> Encoding:
    shape = tuple(int(one) for one in np.atleast_1d(n))
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise InputError(f"A pattern of {n} lines cannot be made. Give their number, or both numbers of points.")
    return Encoding(tuple(range(-len(shape), 0)), shape)


def _partial_fourier_shift(encoding: Encoding, lines: int) -> list[int]:
    """How far a block's middle lies from DC, so that a quarter of it lies on the other side."""
    if len(encoding.shape) == 1:
        return [lines // 2 - lines // 4]
    radius = np.sqrt(lines / encoding.size / np.pi)
    return [0, int(0.5 * radius * encoding.shape[1])]


def _equispaced(encoding: Encoding, more: int, mask: NDArray, random: Random) -> NDArray:
    if len(encoding.shape) == 2:
        return _lattice(encoding, more, mask, random)
    # around the circle that k-space is, from the centre's end to its start, so that the count is exact
    n = encoding.shape[0]
    outside = np.flatnonzero(~np.roll(mask, -(n // 2)))
    places = np.floor((np.arange(more) + random.uniform()) * (len(outside) / more)).astype(int)
    mask[(outside[places] + n // 2) % n] = True
    return mask


def _lattice(encoding: Encoding, more: int, mask: NDArray, random: Random) -> NDArray:
    """Points of the widest lattice that has as many outside the centre; what is too many goes, the furthest first."""
    start = random.uniform(size=2)
    fine, wide = 1.0, float(max(encoding.shape))
    for _ in range(30):
        middle = np.sqrt(fine * wide)
        fine, wide = (middle, wide) if (_grid(encoding, middle, start) & ~mask).sum() >= more else (fine, middle)
    found = np.flatnonzero(_grid(encoding, fine, start) & ~mask)
    far = np.linalg.norm(encoding.offsets()[found] / np.asarray(encoding.shape), axis=1)
    mask.reshape(-1)[found[np.argsort(far, kind="stable")[:more]]] = True
    return mask


def _grid(encoding: Encoding, spacing: float, start: NDArray) -> NDArray:
    """A lattice of points ``spacing`` apart, every other row shifted by a half; at a spacing of 1 all points."""
    grid = np.zeros(encoding.shape, dtype=bool)
    shift = 0.5 if spacing > 1 else 0.0
    for row in range(int((encoding.shape[0] - start[0]) / spacing) + 1):
        line = int((row + start[0]) * spacing) if spacing > 1 else row
        columns = (np.arange(encoding.shape[1] / spacing + 1) + (start[1] + shift * row) % 1.0) * spacing
        columns = columns.astype(int)
        if line < encoding.shape[0]:
            grid[line, columns[columns < encoding.shape[1]]] = True
    return grid


def _random(encoding: Encoding, more: int, mask: NDArray, random: Random) -> NDArray:
    del encoding
    mask.reshape(-1)[random.choice(np.flatnonzero(~mask), more, replace=False)] = True
    return mask


def _variable_density(encoding: Encoding, more: int, mask: NDArray, random: Random) -> NDArray:
    outside = np.flatnonzero(~mask)
    far = _distance(encoding)[outside]
    density = np.maximum(1 - far, 0) ** DENSITY_POWER + LEAST_DENSITY
    # the largest of log p + Gumbel noise are a draw without replacement with weights p
    keys = np.log(density) + random.gumbel(size=len(outside))
    mask.reshape(-1)[outside[np.argsort(-keys)[:more]]] = True
    return mask


def _poisson(encoding: Encoding, more: int, mask: NDArray, random: Random) -> NDArray:
    return poisson_disc(mask, more, 1 + 4 * _distance(encoding).reshape(encoding.shape), random)


def _distance(encoding: Encoding) -> NDArray:
    """(size,) from DC, 1 at the ends of the axes."""
    return np.linalg.norm(encoding.offsets() / np.maximum(np.asarray(encoding.shape) / 2, 1), axis=1)


CHOICES: dict[str, Choice] = {
    "equispaced": _equispaced,
    "random": _random,
    "variable_density": _variable_density,
    "poisson": _poisson,
}
