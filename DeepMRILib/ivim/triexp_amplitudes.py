"""The best amplitudes of three exponentials within the bounds: one small quadratic problem for each voxel.

    minimise over x = (a, c1, c2):  1/2 x^T H x - y^T x
    with  S0 = a + c1 + c2 in its bounds,  c1 / S0 and c2 / S0 in those of f1 and f2,  a >= 0

The bounds cut a polytope out of the space of x, the same one for every voxel. A convex function has its minimum over a
polytope where it has that over the plane of one of the faces: the solid itself, at most seven sides, and at most 15
edges with their ends, tried in this order. Arrays have the voxels last.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.varpro import Interval

SLACK = 1e-10
"""How far outside, S0 being about 1, rounding may put a point that lies on the polytope's surface."""

THIN = 1e-8
"""A face that is thinner than this has one dimension less."""

SINGULAR = 1e-13
"""A matrix with a determinant below this fraction of its diagonal's product is singular: its flat direction leads at no
cost to a smaller face, which then does as well."""

PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
"""The entries of a symmetric 3 x 3 matrix in the order in which six rows hold them."""


class Amplitudes(NamedTuple):
    """The best amplitudes.

    Attributes:
        values: (3, n) a, c1, c2.
        inverse: (6, n) in the order of ``PAIRS``: how they follow a change of y. It is the inverse of H, restricted to
            the face that they lie in.
        cost: (n,) 1/2 x^T H x - y^T x.
    """

    values: NDArray
    inverse: NDArray
    cost: NDArray


class Polytope:
    """The amplitudes that the bounds of f1, f2 and S0 allow.

    Attributes:
        sides, edges: its faces of two and of one dimension; a single point counts as an edge without length.
        is_solid: whether it has a volume; it has none where a parameter is fixed.
    """

    def __init__(self, f1: Interval, f2: Interval, S0: Interval) -> None:
        total, (a, c1, c2) = np.ones(3), np.eye(3)
        rows = [a, c1 - f1[0] * total, f1[1] * total - c1, c2 - f2[0] * total, f2[1] * total - c2, total, -total]
        self._rows = np.array(rows)
        self._limits = np.array([0, 0, 0, 0, 0, S0[0], -S0[1]])
        corners = _corners(self._rows, self._limits)
        touches = np.abs(corners @ self._rows.T - self._limits) < SLACK
        faces = [_Face(corners[sorted(members)], self._rows, self._limits) for members in _intersections(touches)]
        self.is_solid = any(face.dimension == 3 for face in faces)
        self.sides = [face for face in faces if face.dimension == 2]
        self.edges = [face for face in faces if face.dimension == min(len(corners) - 1, 1)]
        self._points = np.array([face.point for face in (*self.sides, *self.edges)])
        self._bases = np.array([face.basis for face in (*self.sides, *self.edges)])

    def best(self, matrix: NDArray, target: NDArray) -> Amplitudes:
        """The minimum for H (6, n) and y (3, n)."""
        inverse, regular = inverted(matrix)
        values = times(inverse, target)
        beyond = self._rows @ values < self._limits[:, None]
        outside = np.flatnonzero(beyond.any(axis=0) | ~(regular & self.is_solid))
        if outside.size:
            data = np.concatenate([matrix[:, outside], target[:, outside]])
            found = self._on_surface(data, beyond[:, outside], regular[outside])
            values[:, outside], inverse[:, outside] = found
        return Amplitudes(values, inverse, quadratic(matrix, target, values))

    def _on_surface(self, data: NDArray, beyond: NDArray, regular: NDArray) -> tuple[NDArray, NDArray]:
        """Values (3, n) and inverse (6, n) of voxels that have their minimum on the surface.

        If the free minimum lies beyond a side, and the best point of that side's plane within the polytope, then that
        is the minimum: the function falls only outwards from there. The others have it on an edge.

        Args:
            data: (9, n) H and y.
            beyond: (sides, n) which limits the free minimum exceeds.
            regular: (n,) whether there is a free minimum.
        """
        n = data.shape[1]
        found = _Found(np.full(n, np.inf), np.zeros(n, int), np.zeros((2, n)), np.zeros((3, n)))
        settled = np.zeros(n, bool)
        for k, face in enumerate(self.sides):
            candidate = beyond[face.limits].any(axis=0) | ~regular | (not self.is_solid)
            some = np.flatnonzero(candidate & ~settled)
            if some.size:
                cost = found.improve(some, k, face.on_side(face.reduced(data[:, some])))
                settled[some] = np.isfinite(cost) & (regular[some] | (not self.is_solid))
        rest = np.flatnonzero(~settled)
        if rest.size:
            left = data[:, rest]
            for k, face in enumerate(self.edges, len(self.sides)):
                found.improve(rest, k, face.on_edge(face.reduced(left)))
        return self._expanded(found)

    def _expanded(self, found: _Found) -> tuple[NDArray, NDArray]:
        """Values and inverse in space from those on the faces."""
        u, v = basis = self._bases[found.face].transpose(2, 1, 0)
        values = self._points[found.face].T + (basis * found.place[:, None]).sum(axis=0)
        i11, i12, i22 = found.inverse
        left, right = u * i11 + v * i12, u * i12 + v * i22
        return values, np.stack([left[j] * u[k] + right[j] * v[k] for j, k in PAIRS])


class _Found(NamedTuple):
    """The best so far: cost (n,), number of the face (n,), place t in it (2, n), inverse (3, n)."""

    cost: NDArray
    face: NDArray
    place: NDArray
    inverse: NDArray

    def improve(self, some: NDArray, face: int, offer: tuple[NDArray, NDArray, NDArray]) -> NDArray:
        """Take what a face offers to some voxels where it is better; the offered cost."""
        cost, place, inverse = offer
        better = np.flatnonzero(cost < self.cost[some])
        chosen = some[better]
        self.cost[chosen], self.face[chosen] = cost[better], face
        self.place[:, chosen], self.inverse[:, chosen] = place[:, better], inverse[:, better]
        return cost


class _Face:
    """One face of the polytope: the points ``point + basis t``, t (2,), inside the other sides.

    Attributes:
        dimension: 3 of the solid, 2 of a side, 1 of an edge, 0 of a corner.
        basis: (3, 2) orthonormal; a column is 0 where the dimension is less than two.
        limits: numbers of the rows that the face lies on.
        reach: of an edge, half its length; ``point`` is its middle.
    """

    def __init__(self, corners: NDArray, rows: NDArray, limits: NDArray) -> None:
        self.point = (corners.min(axis=0) + corners.max(axis=0)) / 2 if len(corners) == 2 else corners.mean(axis=0)
        _, sizes, directions = np.linalg.svd(corners - self.point)
        self.dimension = int((sizes > THIN).sum())
        self.basis = np.zeros((3, 2))
        used = min(self.dimension, 2)
        self.basis[:, :used] = directions[:used].T
        self.reach = np.abs((corners - self.point) @ self.basis[:, 0]).max()
        slopes, room = rows @ self.basis, rows @ self.point - limits
        crossing = np.abs(slopes).max(axis=1) > THIN
        self.limits = np.flatnonzero(~crossing & (np.abs(room) < SLACK))
        self._others = list(zip(slopes[crossing], room[crossing], strict=True))
        self._reduction = self._reduce()

    def _reduce(self) -> NDArray:
        """The matrix (6, 9) from H and y to what is left of them in t: H11, H12, H22, y1, y2 and the cost at t = 0."""
        u, v = self.basis.T
        p, none = self.point, np.zeros(3)
        rows = [(_products(x, y), none) for x, y in ((u, u), (u, v), (v, v))]
        rows += [(-_products(x, p), x) for x in (u, v)]
        rows += [(0.5 * _products(p, p), -p)]
        return np.array([np.concatenate(row) for row in rows])

    def reduced(self, data: NDArray) -> NDArray:
        """H and y (9, n) in this face, (6, n) as ``on_side`` and ``on_edge`` take them."""
        # Not one matrix product: its rounding would depend on a voxel's place.
        return np.stack([_weighted(row, data) for row in self._reduction])

    def on_side(self, reduced: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Cost (n,), infinite where the minimum lies beyond another side or nowhere; t (2, n); inverse (3, n)."""
        h11, h12, h22, y1, y2, cost = reduced
        det = h11 * h22 - h12 * h12
        fine = det > SINGULAR * h11 * h22
        inverse = np.stack([h22, -h12, h11]) / np.where(fine, det, 1)
        t1 = inverse[0] * y1 + inverse[1] * y2
        t2 = inverse[1] * y1 + inverse[2] * y2
        for (slope_1, slope_2), room in self._others:
            fine &= slope_1 * t1 + slope_2 * t2 >= -room - SLACK
        cost = np.where(fine, cost - 0.5 * (t1 * y1 + t2 * y2), np.inf)
        return cost, np.stack([t1, t2]), inverse

    def on_edge(self, reduced: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """The same on an edge, whose ends belong to it."""
        h11, _, _, y1, _, cost = reduced
        h11 = np.maximum(h11, np.finfo(float).tiny)
        free = y1 / h11
        t = np.clip(free, -self.reach, self.reach)
        none = np.zeros_like(t)
        loose = np.where(t == free, 1 / h11, 0)
        return cost + t * (0.5 * h11 * t - y1), np.stack([t, none]), np.stack([loose, none, none])


def _corners(rows: NDArray, limits: NDArray) -> NDArray:
    """The corners (m, 3) of the polytope rows x >= limits."""
    found = []
    for three in map(list, combinations(range(len(rows)), 3)):
        if abs(np.linalg.det(rows[three])) > SLACK:
            point = np.linalg.solve(rows[three], limits[three])
            if (rows @ point - limits > -SLACK).all() and not any(np.allclose(point, p, 0, SLACK) for p in found):
                found.append(point)
    return np.array(found)


def _intersections(touches: NDArray) -> set[frozenset]:
    """The faces as sets of corners, from which corners (m,) touch which sides: (m, sides) bool."""
    sides = {frozenset(np.flatnonzero(side)) for side in touches.T}
    faces = {frozenset(range(len(touches)))}
    for side in sides:
        faces |= {face & side for face in faces}
    return faces - {frozenset()}


def _products(u: NDArray, v: NDArray) -> NDArray:
    """The weights (6,) of H's entries in u^T H v."""
    return np.array([u[j] * v[k] + (u[k] * v[j] if j != k else 0) for j, k in PAIRS])


def _weighted(weights: NDArray, rows: NDArray) -> NDArray:
    """The sum of rows (m, n), each times its weight."""
    total = np.zeros(rows.shape[1])
    for weight, row in zip(weights, rows, strict=True):
        if weight:
            total += weight * row
    return total


def times(matrix: NDArray, x: NDArray) -> NDArray:
    """Symmetric matrices (6, n) times vectors (3, n)."""
    m00, m01, m02, m11, m12, m22 = matrix
    x0, x1, x2 = x
    return np.stack([m00 * x0 + m01 * x1 + m02 * x2, m01 * x0 + m11 * x1 + m12 * x2, m02 * x0 + m12 * x1 + m22 * x2])


def quadratic(matrix: NDArray, target: NDArray, x: NDArray) -> NDArray:
    """1/2 x^T H x - y^T x, (n,). Not the shorter -y^T x / 2, in which an error of x would count in full."""
    return (x * (0.5 * times(matrix, x) - target)).sum(axis=0)


def inverted(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """The inverse (6, n) of symmetric matrices (6, n), and where (n,) they are positive definite."""
    m00, m01, m02, m11, m12, m22 = matrix
    cofactors = np.stack([
        m11 * m22 - m12 * m12, m02 * m12 - m01 * m22, m01 * m12 - m02 * m11,
        m00 * m22 - m02 * m02, m01 * m02 - m00 * m12, m00 * m11 - m01 * m01,
    ])  # fmt: skip
    det = m00 * cofactors[0] + m01 * cofactors[1] + m02 * cofactors[2]
    regular = (m00 > 0) & (cofactors[5] > SINGULAR * m00 * m11) & (det > SINGULAR * m00 * m11 * m22)
    return cofactors / np.where(regular, det, 1), regular
