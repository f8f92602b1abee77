"""Points at random that keep a distance, and as many as asked: dart throwing with a distance that shrinks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.random_fields import Random

SHRINK = 0.93


def poisson_disc(taken: NDArray, count: int, spacing: NDArray, random: Random) -> NDArray:
    """A mask with ``count`` points more than ``taken``, that keep a distance in proportion to ``spacing``.

    A point p is taken if none lies nearer than s spacing(p). Darts are thrown until no place is left, then s shrinks
    and more fit in, until there are enough (McCool and Fiume, Graphics Interface 1992:94-105): the number is exact,
    where a search for the right s only comes near it.

    Args:
        taken: (n,) or (n1, n2) bool, points that are there; the new ones keep no distance from them but do not fall
            on them.
        count: at most as many as are free.
        spacing: of the shape of ``taken``, positive.
        random: where darts fall.

    Example:
        >>> nothing = np.zeros((32, 32), dtype=bool)
        >>> poisson_disc(nothing, 100, np.ones((32, 32)), np.random.default_rng(0)).sum()
        np.int64(100)
    """
    mask = np.atleast_2d(taken).copy()
    wanted = np.atleast_2d(spacing).astype(float)
    # of each free point, the distance to the nearest one thrown, in units of its spacing
    free = np.where(mask, -1.0, np.inf)
    axes = max(1, sum(n > 1 for n in mask.shape))
    scale = 2 * ((~mask).sum() / max(count, 1)) ** (1 / axes)
    while count:
        scale *= SHRINK
        for dart in random.permutation(np.flatnonzero(free >= scale)):
            row, column = divmod(int(dart), mask.shape[1])
            if free[row, column] >= scale:
                _throw(free, wanted, (row, column), scale)
                mask[row, column] = True
                count -= 1
                if not count:
                    break
    return mask.reshape(np.shape(taken))


def _throw(free: NDArray, wanted: NDArray, dart: tuple[int, int], scale: float) -> None:
    """Mark what lies too near to a new point; points that are further than now matters need no update."""
    reach = int(scale * wanted.max()) + 1
    rows = slice(max(dart[0] - reach, 0), dart[0] + reach + 1)
    columns = slice(max(dart[1] - reach, 0), dart[1] + reach + 1)
    down = np.arange(rows.start, min(rows.stop, free.shape[0])) - dart[0]
    right = np.arange(columns.start, min(columns.stop, free.shape[1])) - dart[1]
    distance = np.sqrt(down[:, None] ** 2 + right[None, :] ** 2) / wanted[rows, columns]
    np.minimum(free[rows, columns], distance, out=free[rows, columns])
    free[dart] = -1.0
