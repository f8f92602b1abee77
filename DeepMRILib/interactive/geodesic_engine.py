"""Segmentation by two-sided geodesic distances: a voxel belongs to the label whose seeds are nearest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive import seeds
from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.geodesic_sweep import all_costs, swept
from DeepMRILib.progress import Progress

ROUNDS = 3
NEGATIVE_RADIUS = 2.0


def segment_by_geodesics(problem: Problem, progress: Progress) -> Answer:
    """Segment by geodesic distances to the seeds of each label and of the background."""
    progress(0.0, "Geodesic distances")
    image = prepared(problem.image, problem.spacing, problem.options.denoise)
    start = np.where(seed_masks(problem), np.float32(0), np.float32(np.inf))
    costs = all_costs(image, problem.spacing, problem.options.edge_weight)
    distances = swept(start, costs, rounds=ROUNDS, report=lambda done: progress(done, "Geodesic distances"))
    return Answer(memberships(distances), "two-sided geodesic distances")


def prepared(image: NDArray, spacing: tuple[float, float, float], denoise: float) -> NDArray:
    """The image smoothed, each channel with mean 0 and standard deviation 1."""
    sigma = [denoise / edge for edge in spacing]
    channels = []
    for c in range(image.shape[3]):
        one = ndimage.gaussian_filter(image[..., c], sigma, truncate=3.0) if denoise else image[..., c]
        channels.append((one - one.mean()) / max(float(one.std()), 1e-6))
    return np.stack(channels, axis=-1).astype(np.float32)


def seed_masks(problem: Problem) -> NDArray:
    """Seeds (labels + 1, i, j, k) bool, the background first."""
    shape, spacing, depth = problem.shape, problem.spacing, problem.options.depth
    own = [seeds.star(points, shape) for points in problem.points]
    outside = np.logical_and.reduce([seeds.beyond(points, shape, spacing, depth) for points in problem.points])
    for axis in range(3):
        for end in (0, -1):
            np.moveaxis(outside, axis, 0)[end] = True
    if len(problem.negative):
        outside |= seeds.ball(problem.negative, shape, spacing, NEGATIVE_RADIUS)
    for mask in own:
        outside &= ~mask
    return np.stack([outside, *own])


def memberships(distances: NDArray) -> NDArray:
    """The distance to the nearest other seeds as a part of both, made to add up to 1."""
    ordered = np.partition(distances, 1, axis=0)
    nearest, second = ordered[0], ordered[1]
    other = np.where(distances == nearest, second, nearest)
    shares = other / np.maximum(other + distances, np.float32(1e-6))
    return (shares / np.maximum(shares.sum(axis=0), np.float32(1e-6))).astype(np.float32)
