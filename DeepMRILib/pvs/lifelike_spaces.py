"""Perivascular spaces and vessels of a life-like patch: where they begin and go, how long and wide they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.lifelike_anatomy import Tissue, View
from DeepMRILib.pvs.lifelike_shapes import Tubes, filled, tubes
from DeepMRILib.random_fields import Random

_DENSITY = {
    Tissue.WHITE: 1.0,
    Tissue.PUTAMEN: 5.0,
    Tissue.PALLIDUM: 5.0,
    Tissue.CAUDATE: 1.5,
    Tissue.THALAMUS: 1.0,
    Tissue.HIPPOCAMPUS: 1.5,
    Tissue.BRAINSTEM: 0.4,
    Tissue.CEREBELLAR_WHITE: 0.1,
}
"""How often spaces begin in a tissue, relative to white matter."""
_RISING = (Tissue.PUTAMEN, Tissue.PALLIDUM, Tissue.CAUDATE, Tissue.BRAINSTEM)
_MOST = 250
MEDIAN_PER_LITRE = 500.0
"""Spaces in a litre of white matter."""


def home(view: View) -> NDArray:
    """Where spaces can be, (n, n, n) bool."""
    return np.isin(view.tissue, tuple(_DENSITY)) & (view.ventricle > 1.0)


def spaces(random: Random, view: View) -> Tubes | None:
    """The spaces of a patch; None in one of eight, and where no tissue has any."""
    density = np.zeros(256, dtype=np.float32)
    for tissue, value in _DENSITY.items():
        density[tissue] = value
    share = density[view.tissue]
    wanted = share.sum() / 1e6 * MEDIAN_PER_LITRE * np.exp(random.normal(0, 1.0)) + random.uniform(0, 4)
    count = min(round(wanted), _MOST)
    if random.random() < 0.125 or count == 0 or not share.any():
        return None
    total = np.cumsum(share.ravel())
    chosen = np.searchsorted(total, random.uniform(0, total[-1], count), side="right")
    where = np.stack(np.unravel_index(np.minimum(chosen, share.size - 1), share.shape), axis=1)
    found = view.tissue[tuple(where.T)]
    diameters = np.clip(np.exp(random.normal(random.normal(0.05, 0.15), 0.35, count)), 0.4, 3.0)
    lengths = np.clip(np.exp(random.normal(np.log(7), 0.7, count)), np.maximum(2.0, 2.2 * diameters), 30)
    directions = _directions(random, view, where, found)
    starts = where + random.uniform(-0.5, 0.5, (count, 3)) - directions * lengths[:, None] / 2
    return tubes(random, starts, directions, lengths, diameters).kept(home(view))


def _directions(random: Random, view: View, where: NDArray, found: NDArray) -> NDArray:
    """(n, 3) unit vectors: to the ventricle in white matter, upwards in deep grey matter, any in one of four."""
    count = len(where)
    towards = -np.stack(
        [_slope(view.ventricle, where, axis) for axis in range(3)],
        axis=1,
    )
    towards /= np.maximum(np.linalg.norm(towards, axis=1, keepdims=True), 1e-3)
    rising = np.isin(found, _RISING)
    directions = np.where(rising[:, None], view.up, towards) + 0.3 * random.standard_normal((count, 3))
    free = random.uniform(0, 1, count) < 0.25
    directions = np.where(free[:, None], random.standard_normal((count, 3)), directions)
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _slope(values: NDArray, where: NDArray, axis: int, reach: int = 3) -> NDArray:
    after, before = where.copy(), where.copy()
    after[:, axis] = np.minimum(after[:, axis] + reach, values.shape[axis] - 1)
    before[:, axis] = np.maximum(before[:, axis] - reach, 0)
    return values[tuple(after.T)] - values[tuple(before.T)]


def vessels(random: Random, view: View, count: int, *, inside: bool) -> NDArray:
    """How much of each voxel vessels fill, inside the tissue that has spaces or everywhere else."""
    edge = view.tissue.shape[0]
    starts = random.uniform(0, edge, (count, 3))
    directions = random.standard_normal((count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    lengths, diameters = random.uniform(5, 40, count), np.exp(random.normal(0.2, 0.4, count))
    where = home(view)
    found = tubes(random, starts, directions, lengths, diameters, bend=0.1).kept(where if inside else ~where)
    return np.minimum(filled(found.points, found.weights, view.tissue.shape), 1)
