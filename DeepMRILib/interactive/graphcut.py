"""The least cut between a lesion and its surroundings, on the voxels whose side is open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

SCALE = 1000
"""Capacities are whole numbers: thousandths of a unit of evidence."""
MOST = 50.0


def least_cut(evidence: NDArray, open_: NDArray, inside: NDArray, links: tuple[NDArray, NDArray, NDArray]) -> NDArray:
    """The region (i, j, k) bool of least energy among those that differ from ``inside`` only where it is open.

    E(x) = - sum_p e_p x_p + sum_{p, q} v_pq |x_p - x_q| over the six neighbours, its minimum found as a maximum flow
    (Boykov and Jolly, ICCV 2001).

    Args:
        evidence: (i, j, k), e_p.
        open_: (i, j, k) bool.
        inside: (i, j, k) bool, the side of the others.
        links: of each axis v_pq >= 0 between each voxel and the next along it, one fewer along that axis.

    Example:
        >>> line = np.array([2.0, -0.5, -2.0]).reshape(3, 1, 1)
        >>> links = (np.ones((2, 1, 1)), np.ones((3, 0, 1)), np.ones((3, 1, 0)))
        >>> least_cut(line, np.ones((3, 1, 1), dtype=bool), line > 0, links).ravel().tolist()
        [True, False, False]
    """
    count = int(open_.sum())
    if count == 0:
        return inside.copy()
    number = np.full(open_.shape, -1, dtype=np.int64)
    number[open_] = np.arange(count)
    terminal = np.clip(evidence[open_], -MOST, MOST).astype(np.float64)
    pairs = []
    for axis, link in enumerate(links):
        first, second = _ends(number, axis)
        sides = _ends(inside, axis)
        both = (first >= 0) & (second >= 0)
        pairs.append((first[both], second[both], link[both]))
        # a neighbour whose side is known pulls towards it
        for own, other, side in ((first, second, sides[1]), (second, first, sides[0])):
            border = (own >= 0) & (other < 0)
            np.add.at(terminal, own[border], np.where(side[border], link[border], -link[border]))
    taken = _source_side(terminal, pairs)
    found = inside.copy()
    found[open_] = taken
    return found


def _ends(values: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    """The values of both voxels of each pair along an axis."""
    moved = np.moveaxis(values, axis, 0)
    return np.moveaxis(moved[:-1], 0, axis), np.moveaxis(moved[1:], 0, axis)


def _source_side(terminal: NDArray, pairs: list[tuple[NDArray, NDArray, NDArray]]) -> NDArray:
    """Which nodes (n,) bool lie on the source's side of the least cut; ``terminal`` > 0 links to the source."""
    count = len(terminal)
    source, sink = count, count + 1
    nodes = np.arange(count)
    first = np.concatenate([pair[0] for pair in pairs])
    second = np.concatenate([pair[1] for pair in pairs])
    link = np.concatenate([pair[2] for pair in pairs])
    gain = terminal > 0
    rows = np.concatenate([first, second, np.full(gain.sum(), source), nodes[~gain]])
    columns = np.concatenate([second, first, nodes[gain], np.full((~gain).sum(), sink)])
    capacities = np.rint(SCALE * np.concatenate([link, link, terminal[gain], -terminal[~gain]])).astype(np.int32)
    graph = sparse.csr_matrix((capacities, (rows, columns)), shape=(count + 2, count + 2))
    residual = graph - maximum_flow(graph, source, sink).flow
    residual.data[residual.data < 0] = 0
    residual.eliminate_zeros()
    reached = np.zeros(count + 2, dtype=bool)
    reached[breadth_first_order(residual, source, return_predecessors=False)] = True
    return reached[:count]
