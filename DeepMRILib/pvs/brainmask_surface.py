"""A balloon that grows from the middle of a head until it meets the skull (Smith, Human Brain Mapping 2002;17:143)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

_DEEP, _NEAR = 20.0, 10.0
"""How far inwards, in mm, the darkest and the brightest values are looked for (Smith: d1, d2)."""
_SMALLEST, _LARGEST = 3.33, 10.0
"""Radii of curvature in mm: those below are smoothed out, those above are let be."""
_STIFF = 0.1
"""Step along the normal, as a part of the edges' mean length (Smith: 0.05)."""


@dataclass(frozen=True)
class Levels:
    """Brightness of a head.

    Attributes:
        dark: 2nd percentile.
        head: from here up is head and not air.
        middle: median around the centre.
        bright: 98th percentile.
    """

    dark: float
    head: float
    middle: float
    bright: float


def balloon(head: NDArray, step: float, centre: NDArray, radius: float, *, levels: Levels, fraction: float) -> NDArray:
    """The inside of the surface, bool (i, j, k).

    Args:
        head: (i, j, k) float32 in voxels of ``step`` mm, axes at right angles.
        step: mm.
        centre: (3,) voxel indices at which the balloon starts.
        radius: mm of a ball as large as the brain; the balloon starts with half of it.
        levels: of the image.
        fraction: between the dark and the bright values near the surface, where it stops (Smith: b_t).
    """
    points, faces = _ball(3)
    points = points * (0.5 * radius) + centre * step
    for rounds, finer in ((350, True), (150, False)):
        points = _grown(head, step, points, faces, levels=levels, fraction=fraction, rounds=rounds)
        if finer:
            points, faces = _finer(points, faces)
    return _filled(points / step, faces, head.shape)


def _grown(
    head: NDArray, step: float, points: NDArray, faces: NDArray, *, levels: Levels, fraction: float, rounds: int
) -> NDArray:
    mean_of = _neighbours(faces, len(points))
    around = _corners(faces, len(points))
    curvature = (1 / _SMALLEST + 1 / _LARGEST) / 2, 6 / (1 / _SMALLEST - 1 / _LARGEST)
    depths = np.arange(1.0, _DEEP + 0.5, step)
    near = depths <= _NEAR
    for _ in range(rounds):
        corners = points[faces]
        normals = around @ np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        edge = float(np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1).mean())
        pull = mean_of @ points - points
        along = (pull * normals).sum(axis=1)
        across = pull - along[:, None] * normals
        stiffness = (1 + np.tanh(curvature[1] * (2 * np.abs(along) / edge**2 - curvature[0]))) / 2
        push = _STIFF * edge * _push(_inwards(head, step, points, normals, depths), near, levels, fraction)
        points = points + 0.5 * across + (stiffness * along + push)[:, None] * normals
    return points


def _inwards(head: NDArray, step: float, points: NDArray, normals: NDArray, depths: NDArray) -> NDArray:
    """Brightness (points, depths) beneath the surface."""
    at = (points[:, None] - depths[:, None] * normals[:, None]) / step
    index = np.clip(np.rint(at).astype(np.intp), 0, np.array(head.shape) - 1)
    return head[index[..., 0], index[..., 1], index[..., 2]]


def _push(values: NDArray, near: NDArray, levels: Levels, fraction: float) -> NDArray:
    darkest = np.maximum(levels.dark, np.minimum(levels.middle, values.min(axis=1)))
    brightest = np.minimum(levels.middle, np.maximum(levels.head, values[:, near].max(axis=1)))
    bar = (brightest - levels.dark) * fraction + levels.dark
    return np.clip(2 * (darkest - bar) / np.maximum(brightest - levels.dark, 1e-9), -1, 1)


def _ball(times: int) -> tuple[NDArray, NDArray]:
    """A sphere of radius 1 of triangles: an icosahedron, each face cut in four some times."""
    g = (1 + np.sqrt(5)) / 2
    points = np.array([(0, a, b * g) for a in (-1, 1) for b in (-1, 1)], dtype=float)
    points = np.concatenate([np.roll(points, turn, axis=1) for turn in range(3)])
    near = np.linalg.norm(points[:, None] - points[None], axis=2) < 2.1
    faces = [
        (a, b, c) for a in range(12) for b in range(a) for c in range(b) if near[a, b] and near[b, c] and near[a, c]
    ]
    outward = [f if np.linalg.det(points[list(f)]) > 0 else f[::-1] for f in faces]
    points, faces = points / np.linalg.norm(points[0]), np.array(outward)
    for _ in range(times):
        points, faces = _finer(points, faces)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points, faces


def _finer(points: NDArray, faces: NDArray) -> tuple[NDArray, NDArray]:
    """Each face cut in four at the middles of its edges."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, which = np.unique(edges, axis=0, return_inverse=True)
    a, b, c = len(points) + which.reshape(3, -1)
    p, q, r = faces.T
    cut = [np.stack(part, axis=1) for part in ((p, a, c), (a, q, b), (c, b, r), (a, b, c))]
    return np.concatenate([points, points[unique].mean(axis=1)]), np.concatenate(cut)


def _neighbours(faces: NDArray, count: int) -> sparse.csr_matrix:
    """The matrix that takes points to the means of their neighbours."""
    pairs = np.concatenate([faces[:, [a, b]] for a in range(3) for b in range(3) if a != b])
    pairs = np.unique(pairs, axis=0)
    degree = np.bincount(pairs[:, 0], minlength=count)
    return sparse.csr_matrix((1.0 / degree[pairs[:, 0]], pairs.T), shape=(count, count))


def _corners(faces: NDArray, count: int) -> sparse.csr_matrix:
    """The matrix that adds up, for each point, what its faces have."""
    rows = faces.ravel()
    return sparse.csr_matrix(
        (np.ones(rows.size), (rows, np.repeat(np.arange(len(faces)), 3))), shape=(count, len(faces))
    )


def _filled(points: NDArray, faces: NDArray, shape: tuple[int, ...]) -> NDArray:
    """The voxels inside a closed surface: it is drawn densely, and what cannot be reached from outside is inside."""
    shell = np.zeros(shape, dtype=bool)
    corners = points[faces]
    count = int(np.ceil(2 * np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max())) + 1
    for a in np.linspace(0, 1, count):
        for b in np.linspace(0, 1 - a, max(1, int(np.ceil((1 - a) * count)))):
            at = corners[:, 0] * a + corners[:, 1] * b + corners[:, 2] * (1 - a - b)
            index = np.clip(np.rint(at).astype(int), 0, np.array(shape) - 1)
            shell[tuple(index.T)] = True
    return ndimage.binary_fill_holes(shell)
