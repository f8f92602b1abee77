"""Segmentation by two-sided geodesic distances, and by what they teach about the lesion's brightness."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.extremes import fineness
from DeepMRILib.interactive.resolution import Coarser
from DeepMRILib.interactive.scene import scene_of
from DeepMRILib.interactive.settling import Settled, Settling, over_channels, softmax
from DeepMRILib.progress import Progress, part

COARSE_VOXELS = {"full": 60_000, "preview": 12_000}
"""About so many voxels are enough to find the lesion; its margin is then placed on the image's own."""
SHARPEN = 1.5
"""How far in mm sharpening looks: about the width of an edge in an image smoothed by 0.7 mm."""
STEPS = {"full": 6, "preview": 3}
ENGINE = "Two-sided geodesic distances with learned brightness"


def segment_by_geodesics(problem: Problem, progress: Progress) -> Answer:
    """Segment by geodesic distances to the seeds of each label and of the background.

    Seeds are the straight lines between a label's points, and what lies too far outside of them. The distances' first
    answer teaches the brightness of the lesion and of its surroundings, and new seeds; a few steps settle it
    (``settling``), on a coarser grid where the image is large.
    """
    problem = dataclasses.replace(problem, image=prepared(problem))
    settled, grid = settled_coarsely(problem, part(progress, 0.05, 0.8))
    progress(0.8, "Placing the margin")
    return Answer(on_all_voxels(settled, problem, grid), ENGINE)


def prepared(problem: Problem) -> NDArray:
    """The image (i, j, k, c) smoothed and sharpened, each channel with mean 0 and standard deviation 1."""
    sigma = problem.options.denoise / np.array(problem.spacing)
    found = np.empty_like(problem.image, dtype=np.float32)
    for c in range(problem.image.shape[3]):
        one = ndimage.gaussian_filter(problem.image[..., c], sigma, truncate=2.5)
        one = (one - one.mean()) / max(float(one.std()), 1e-6)
        found[..., c] = sharpened(one, problem.spacing, SHARPEN * fineness(problem))
    return found


def sharpened(image: NDArray, spacing: tuple[float, float, float], reach: float) -> NDArray:
    """Each voxel takes the highest or the lowest value nearby, whichever is nearer to its own.

    Nearby is a box that reaches so many mm along each axis (Kramer and Bruckner, Pattern Recognition 1975;7:53-58).

    What lies between lesion and surroundings has the brightness of neither, and may have that of a third tissue; this
    gives it to one of them, with the margin half way between.
    """
    size = [2 * int(reach / edge) + 1 for edge in spacing]
    high, low = ndimage.maximum_filter(image, size), ndimage.minimum_filter(image, size)
    return np.where(high - image < image - low, high, low)


def settled_coarsely(problem: Problem, progress: Progress) -> tuple[Settled, Coarser]:
    """The answer to a prepared problem on a grid of about ``COARSE_VOXELS`` voxels, and that grid."""
    grid = Coarser.of(problem.shape, problem.spacing, COARSE_VOXELS[problem.options.resolution])
    coarse = grid.problem(problem)
    distances = part(progress, 0.0, 0.4)
    settling = Settling(
        coarse.image,
        coarse.spacing,
        scene_of(coarse),
        problem.options.edge_weight,
        lambda done: distances(done, "Geodesic distances"),
    )
    membership = settling.first()
    steps = STEPS[problem.options.resolution]
    for number in range(steps):
        progress(0.4 + 0.6 * number / steps, "Learning what the lesion looks like")
        # the second distances place the margin: until it is about right, they only cost time
        settled = settling.step(membership, again=number >= steps - 2)
        membership = settled.membership
    return settled, grid


def on_all_voxels(settled: Settled, problem: Problem, grid: Coarser) -> NDArray:
    """The memberships (labels + 1, i, j, k) on the voxels of a prepared problem: their own brightness decides."""
    if grid.fine == grid.coarse:
        return settled.membership
    evidence = []
    for context, looks in zip(settled.context, settled.looks, strict=True):
        terms = [
            dataclasses.replace(look, inside=grid.back(look.inside), outside=grid.back(look.outside)).terms(
                problem.image[..., c]
            )
            for c, look in enumerate(looks)
        ]
        evidence.append(grid.back(context) + over_channels(terms))
    return softmax(np.stack(evidence))
