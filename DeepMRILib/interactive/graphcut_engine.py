"""Segmentation by a graph cut whose voxels' own costs come from two-sided geodesic distances."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.geodesic_engine import segment_by_geodesics
from DeepMRILib.interactive.graphcut import Pairs, least_energy
from DeepMRILib.progress import Progress, part

BAND = 3.0
"""The cut is looked for within so many mm of the geodesic margin, and at least one and a half voxels."""
CONTRAST = 1.0
"""What a step between two voxels without contrast costs, times its face; a voxel's own cost is -log(membership)."""
LEAST = 0.02
"""No voxel is surer of its label than this."""
ENGINE = "Graph cut with a geodesic term"


def segment_by_graph_cut(problem: Problem, progress: Progress) -> Answer:
    """Segment by geodesic distances, then place the margin where the cut of least cost runs.

    The cost of a voxel is that of its geodesic membership; that of a face between two voxels is its area over the
    distance of their middles, less where the image changes: exp(-dI^2 / (2 s^2)), s the usual change in the band.
    """
    found = segment_by_geodesics(problem, part(progress, 0.0, 0.7))
    progress(0.7, "Cutting the graph")
    band = _band(found.membership.argmax(axis=0), problem)
    if not band.any():
        return dataclasses.replace(found, engine=ENGINE)
    own = -np.log(np.clip(found.membership[:, band], LEAST, 1.0))
    labels = found.membership.argmax(axis=0)
    pairs, fixed = _pairs(band, labels, problem, len(own))
    labels[band] = least_energy(own + fixed, pairs)
    # the winner of the cut gets at least half: what the geodesic distances say still shows how sure it is
    cut = np.arange(len(own)).reshape(-1, 1, 1, 1) == labels
    membership = (found.membership + cut.astype(np.float32)) / 2
    return dataclasses.replace(found, membership=membership, engine=ENGINE)


def _band(labels: NDArray, problem: Problem) -> NDArray:
    """The voxels (i, j, k) near a margin, without the seeds that may not change."""
    reach = np.maximum(np.ceil(BAND / np.array(problem.spacing)), 1).astype(int)
    size = tuple((2 * reach + 1).tolist())
    near = ndimage.maximum_filter(labels, size=size) != ndimage.minimum_filter(labels, size=size)
    for indices in (*problem.points, problem.negative):
        nearest = np.clip(np.rint(indices), 0, np.array(problem.shape) - 1).astype(int)
        near[tuple(nearest.T)] = False
    return near


def _pairs(band: NDArray, labels: NDArray, problem: Problem, count: int) -> tuple[Pairs, NDArray]:
    """The faces within the band, and what those to voxels outside it add to the own costs (labels, n)."""
    numbers = np.full(band.shape, -1)
    numbers[band] = np.arange(band.sum())
    image = _scaled(problem)
    first, second, costs = [], [], []
    fixed = np.zeros((count, int(band.sum())))
    for axis, edge in enumerate(problem.spacing):
        face = problem_face(problem.spacing, axis) / edge
        low, high = ([slice(None)] * 3 for _ in range(2))
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        one, other = numbers[tuple(low)], numbers[tuple(high)]
        change = ((image[tuple(low)] - image[tuple(high)]) ** 2).sum(axis=-1)
        cost = CONTRAST * face * np.exp(-change / 2)
        both = (one >= 0) & (other >= 0)
        first.append(one[both])
        second.append(other[both])
        costs.append(cost[both])
        for inside, outside, label in ((one, other, labels[tuple(high)]), (other, one, labels[tuple(low)])):
            edge_of = (inside >= 0) & (outside < 0)
            for number in range(count):
                differs = edge_of & (label != number)
                fixed[number] += np.bincount(inside[differs], cost[differs], fixed.shape[1])
    return Pairs(np.concatenate(first), np.concatenate(second), np.concatenate(costs)), fixed


def problem_face(spacing: tuple[float, float, float], axis: int) -> float:
    """The area of a face across an axis over the mean edge, so that costs do not depend on the unit of length."""
    return float(np.prod(spacing) / spacing[axis] / np.prod(spacing) ** (1 / 3))


def _scaled(problem: Problem) -> NDArray:
    """The images (i, j, k, c) smoothed, in units of the usual change between neighbours across a margin."""
    sigma = [problem.options.denoise / edge for edge in problem.spacing]
    image = np.stack(
        [ndimage.gaussian_filter(problem.image[..., c], sigma) for c in range(problem.image.shape[3])], axis=-1
    )
    for c in range(image.shape[3]):
        changes = np.concatenate([np.abs(np.diff(image[..., c], axis=axis)).ravel() for axis in range(3)])
        usual = float(np.sqrt(np.mean(changes**2)))
        image[..., c] /= usual or 1.0
    return image / np.sqrt(image.shape[3])
