"""Segmentation by two-sided geodesic distances, and by what they teach about the lesion's brightness."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.coarse import Axes, thinned
from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.scene import scene_of
from DeepMRILib.interactive.settling import Settled, Settling, over_channels, softmax
from DeepMRILib.progress import Progress, part

COARSE_VOXELS = 50_000
"""About so many voxels are enough to find the lesion; its margin is then placed on the image's own."""
STEPS = 4
ENGINE = "Two-sided geodesic distances with learned brightness"


def segment_by_geodesics(problem: Problem, progress: Progress) -> Answer:
    """Segment by geodesic distances to the seeds of each label and of the background.

    Seeds are the straight lines between a label's points, and what lies too far outside of them. The distances' first
    answer teaches the brightness of the lesion and of its surroundings, and new seeds; a few steps settle it
    (``settling``), on a coarser grid where the image is large.
    """
    problem = dataclasses.replace(problem, image=prepared(problem))
    settled, steps = settled_coarsely(problem, part(progress, 0.05, 0.8))
    progress(0.8, "Placing the margin")
    return Answer(on_all_voxels(settled, problem, steps), ENGINE)


def prepared(problem: Problem) -> NDArray:
    """The image (i, j, k, c) smoothed, each channel with mean 0 and standard deviation 1."""
    sigma = problem.options.denoise / np.array(problem.spacing)
    found = np.empty_like(problem.image, dtype=np.float32)
    for c in range(problem.image.shape[3]):
        one = ndimage.gaussian_filter(problem.image[..., c], sigma, truncate=2.5)
        found[..., c] = (one - one.mean()) / max(float(one.std()), 1e-6)
    return found


def settled_coarsely(problem: Problem, progress: Progress) -> tuple[Settled, Axes]:
    """The answer to a prepared problem on about ``COARSE_VOXELS`` voxels, and how many became one along each axis."""
    steps = coarse_steps(problem.shape, problem.spacing)
    coarse = thinned(problem, steps)
    distances = part(progress, 0.0, 0.4)
    settling = Settling(
        coarse.image,
        coarse.spacing,
        scene_of(coarse),
        problem.options.edge_weight,
        lambda done: distances(done, "Geodesic distances"),
    )
    membership = settling.first()
    for number in range(STEPS):
        progress(0.4 + 0.6 * number / STEPS, "Learning what the lesion looks like")
        # the second distances place the margin: until it is about right, they only cost time
        settled = settling.step(membership, again=number >= STEPS - 2)
        membership = settled.membership
    return settled, steps


def coarse_steps(shape: Axes, spacing: tuple[float, float, float]) -> Axes:
    """How many voxels become one along each axis, so that about ``COARSE_VOXELS`` that are nearly cubes are left."""
    edges, sizes = np.array(spacing), np.array(shape)
    pitch = (float(np.prod(sizes * edges)) / COARSE_VOXELS) ** (1 / 3)
    steps = np.maximum(np.rint(pitch / edges), 1)
    # an axis whose voxels are long already leaves the thinning to the others
    while np.prod(sizes / steps) > 1.5 * COARSE_VOXELS:
        pitch *= 1.05
        steps = np.maximum(np.rint(pitch / edges), 1)
    return tuple(np.minimum(steps, np.maximum(sizes // 2, 1)).astype(int).tolist())


def on_all_voxels(settled: Settled, problem: Problem, steps: Axes) -> NDArray:
    """The memberships (labels + 1, i, j, k) on the voxels of a prepared problem: their own brightness decides."""
    if steps == (1, 1, 1):
        return settled.membership
    evidence = []
    for context, looks in zip(settled.context, settled.looks, strict=True):
        terms = [
            dataclasses.replace(
                look,
                inside=spread(look.inside, problem.shape, steps),
                outside=spread(look.outside, problem.shape, steps),
            ).terms(problem.image[..., c])
            for c, look in enumerate(looks)
        ]
        evidence.append(spread(context, problem.shape, steps) + over_channels(terms))
    return softmax(np.stack(evidence))


def spread(values: NDArray, shape: Axes, steps: Axes) -> NDArray:
    """Values (i, j, k) of a thinned grid linearly interpolated onto all its voxels, float32."""
    for axis, step in enumerate(steps):
        size = values.shape[axis]
        if step == 1 or size == 1:
            continue
        at = np.clip((np.arange(shape[axis]) - (step - 1) / 2) / step, 0, size - 1)
        low = np.minimum(at.astype(int), size - 2)
        part_of_next = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        first = values.take(low, axis=axis)
        values = first + part_of_next * (values.take(low + 1, axis=axis) - first)
    if values.shape != tuple(shape):
        values = np.broadcast_to(values, shape)
    return values
