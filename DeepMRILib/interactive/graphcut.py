"""Labels of least energy on a grid: each voxel's own cost of a label, and a cost where neighbours differ.

Two labels are an exact minimum cut (Boykov and Funka-Lea, Int J Comput Vis 2006;70:109-131). More are found by
expansion moves (Boykov, Veksler and Zabih, IEEE TPAMI 2001;23:1222-1239), each a minimum cut whose terms are built as
in Kolmogorov and Zabih, IEEE TPAMI 2004;26:147-159.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

SCALE = 1000.0
"""Capacities are whole numbers: costs are counted in thousandths."""
_HIGHEST = 1e6
CYCLES = 2
"""After two rounds of expansion moves hardly a voxel changes."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Neighbours and what it costs when they differ.

    Attributes:
        first, second: (m,) numbers of voxels.
        costs: (m,) zero or positive.
    """

    first: NDArray
    second: NDArray
    costs: NDArray


def least_energy(own: NDArray, pairs: Pairs) -> NDArray:
    """The labels (n,) of least energy, exactly for two labels and nearly for more.

    Args:
        own: (labels, n) cost of each label for each voxel.
        pairs: the neighbours.

    Example:
        >>> chain = Pairs(np.array([0, 1]), np.array([1, 2]), np.array([1.0, 1.0]))
        >>> least_energy(np.array([[0.0, 0.4, 0.0], [1.0, 0.0, 1.0]]), chain).tolist()
        [0, 0, 0]
    """
    own = own - own.min(axis=0)
    if len(own) == 2:
        return _expanded(np.zeros(own.shape[1], dtype=int), 1, own, pairs)
    labels = own.argmin(axis=0)
    for _ in range(CYCLES):
        before = labels
        for label in range(len(own)):
            labels = _expanded(labels, label, own, pairs)
        if np.array_equal(labels, before):
            break
    return labels


def energy(labels: NDArray, own: NDArray, pairs: Pairs) -> float:
    """What labels (n,) cost."""
    differ = labels[pairs.first] != labels[pairs.second]
    return float(own[labels, np.arange(len(labels))].sum() + pairs.costs[differ].sum())


def _expanded(labels: NDArray, label: int, own: NDArray, pairs: Pairs) -> NDArray:
    """The best labels that differ from these only where voxels take on one label."""
    count = len(labels)
    keep, take = own[labels, np.arange(count)].astype(float), own[label].astype(float)
    first, second = labels[pairs.first], labels[pairs.second]
    # the cost of a pair by who takes the label: neither, the second, the first; of both it is nothing
    neither = np.where(first != second, pairs.costs, 0.0)
    by_second = np.where(first != label, pairs.costs, 0.0)
    by_first = np.where(second != label, pairs.costs, 0.0)
    take += np.bincount(pairs.first, by_first - neither, count)
    take += np.bincount(pairs.second, -by_first, count)
    cut = _cut(keep, take, pairs, by_second + by_first - neither)
    return np.where(cut, label, labels)


def _cut(keep: NDArray, take: NDArray, pairs: Pairs, costs: NDArray) -> NDArray:
    """Who takes the label (n,) bool: ``costs`` are due where the second of a pair takes it and the first does not."""
    count = len(keep)
    source, sink = count, count + 1
    voxels = np.arange(count)
    gain = take - keep
    gives, wants = gain > 0, gain < 0
    # a voxel on the sink's side takes the label
    rows = np.concatenate([np.full(gives.sum(), source), voxels[wants], pairs.first])
    columns = np.concatenate([voxels[gives], np.full(wants.sum(), sink), pairs.second])
    values = np.concatenate([gain[gives], -gain[wants], costs])
    whole = np.rint(np.clip(values, 0, _HIGHEST) * SCALE).astype(np.int32)
    graph = csr_matrix((whole, (rows, columns)), shape=(count + 2, count + 2))
    graph.eliminate_zeros()
    rest = graph - maximum_flow(graph, source, sink).flow
    rest.data = np.maximum(rest.data, 0)
    rest.eliminate_zeros()
    reached = breadth_first_order(rest, source, return_predecessors=False)
    takes = np.ones(count + 2, dtype=bool)
    takes[reached] = False
    return takes[:count]
