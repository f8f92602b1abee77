"""A preview: the same engine on every second voxel, for an answer while a point is being dragged."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.engine import Answer, Engine, Problem
from DeepMRILib.progress import Progress, part

STEP = 2
THICK = 1.5
"""An axis along which voxels are that much longer than along the finest is not thinned out."""
FEWEST_VOXELS = 24
"""Nor is one with fewer: it costs little, and a small lesion would be lost."""

Axes = tuple[int, int, int]


def coarsely(engine: Engine) -> Engine:
    """The engine on an image of about half the resolution; its memberships are interpolated back.

    An eighth of the voxels takes about an eighth of the time; the margin is less exact by half a voxel or so.
    """

    def segment(problem: Problem, progress: Progress) -> Answer:
        steps = steps_of(problem)
        if steps == (1, 1, 1):
            return engine(problem, progress)
        answer = engine(thinned(problem, steps), part(progress, 0.0, 0.9))
        membership = interpolated(answer.membership, problem.shape, steps)
        return dataclasses.replace(answer, membership=membership, notes=(*answer.notes, "A coarse preview."))

    return segment


def steps_of(problem: Problem) -> Axes:
    """How many voxels become one along i, j and k."""
    finest = min(problem.spacing)
    fine = [
        edge < THICK * finest and n >= FEWEST_VOXELS for edge, n in zip(problem.spacing, problem.shape, strict=True)
    ]
    return tuple(STEP if thin else 1 for thin in fine)


def thinned(problem: Problem, steps: Axes) -> Problem:
    """The problem on means of voxels; what lies beyond the last whole one repeats the last voxel."""
    padding = [(0, -n % step) for n, step in zip(problem.shape, steps, strict=True)]
    image = np.pad(problem.image, [*padding, (0, 0)], mode="edge")
    # i and its voxel, j and its voxel, ...: the mean is over the second of each
    blocks = [length for n, step in zip(image.shape, steps, strict=False) for length in (n // step, step)]
    image = image.reshape(*blocks, image.shape[3]).mean(axis=(1, 3, 5), dtype=np.float32)
    scale, shift = np.array(steps, dtype=float), (np.array(steps) - 1) / 2
    affine = problem.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ shift
    affine[:3, :3] *= scale

    def moved(points: NDArray) -> NDArray:
        return np.clip((points - shift) / scale, 0, np.array(image.shape[:3]) - 1)

    first = tuple(slice(None, None, step) for step in steps)
    return dataclasses.replace(
        problem,
        image=image,
        affine=affine,
        spacing=tuple((np.array(problem.spacing) * scale).tolist()),
        points=tuple(moved(points) for points in problem.points),
        negative=moved(problem.negative),
        prior=None if problem.prior is None else problem.prior[first],
    )


def interpolated(membership: NDArray, shape: Axes, steps: Axes) -> NDArray:
    """Memberships (labels + 1, ...) of the thinned image on all voxels (labels + 1, i, j, k), linearly."""
    scale = np.array(steps, dtype=float)
    offset = (1 - scale) / 2 / scale
    labels = [
        ndimage.affine_transform(one, 1 / scale, offset, shape, order=1, mode="nearest") for one in membership[1:]
    ]
    return np.stack([1 - sum(labels), *labels]).astype(np.float32, copy=False)
