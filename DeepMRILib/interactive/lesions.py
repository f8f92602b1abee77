"""Generated lesions that the small network is trained on: endless, seeded, of many shapes, contrasts and spacings.

They share no code and no distribution with the phantoms that engines are scored on (``phantom``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.lesions_imaging import GeneratedLesion, imaged
from DeepMRILib.interactive.lesions_scene import scene
from DeepMRILib.interactive.lesions_shapes import REACH, level_function, main_piece
from DeepMRILib.random_fields import Grid, Random, log_uniform

__all__ = ["GeneratedLesion", "generated_lesion"]

_COARSE_STEP = 0.125
_MOST_POINTS = 84
"""Along the longest axis of the grid that a scene is made on."""


def generated_lesion(seed: int) -> GeneratedLesion:
    """A lesion of 0.15 to 150 ml in an image of 0.5 to 2.5 mm in plane and slices of up to 6.5 mm.

    Example:
        >>> lesion = generated_lesion(4)
        >>> lesion.image.shape == lesion.label.shape, bool(lesion.label.any())
        (True, True)
    """
    random = np.random.default_rng([seed, 20])
    while True:
        lesion = _attempt(random)
        if lesion is not None:
            return lesion


def _attempt(random: Random) -> GeneratedLesion | None:
    """A lesion, or None where the shape drawn is too small, too large or all but nothing on its grid."""
    level = level_function(random)
    coarse = Grid.centred(np.full(3, REACH), _COARSE_STEP)
    inside = main_piece(level(coarse) > 0)
    size = inside.sum() * _COARSE_STEP**3
    low, high = _extent(inside, coarse)
    if not 0.2 < size < 40 or max(-low.min(), high.max()) > REACH - 2 * _COARSE_STEP:
        return None
    wanted = 1000 * (log_uniform(random, 2.5, 150) if random.random() < 0.88 else log_uniform(random, 0.15, 2.5))
    radius = (wanted / size) ** (1 / 3)
    grid, slices = _chosen_grid(random, (high - low) / 2 * radius)
    middle = (low + high) / 2
    in_radii = Grid(tuple((a / radius + m).astype(np.float32) for a, m in zip(grid.axes, middle, strict=True)))
    inside = main_piece(level(in_radii) > 0)
    lesion = imaged(random, grid, scene(random, grid, inside), inside, slices)
    if lesion.label.sum() < 30:
        return None
    lesion = GeneratedLesion(lesion.image, main_piece(lesion.label), lesion.spacing)
    return _cut(random, lesion) if random.random() < 0.15 else lesion


def _extent(inside: NDArray, grid: Grid) -> tuple[NDArray, NDArray]:
    """The lowest and highest positions (3,) of a mask."""
    found = []
    for axis, positions in enumerate(grid.axes):
        where = positions[inside.any(axis=tuple(a for a in range(3) if a != axis))]
        found.append((where.min(initial=0.0), where.max(initial=0.0)))
    low, high = zip(*found, strict=True)
    return np.array(low), np.array(high)


def _chosen_grid(random: Random, half: NDArray) -> tuple[Grid, tuple[int, int]]:
    """A grid in mm with room around a lesion of ``half`` (3,) mm; how many points make a slice, and its axis."""
    half = half + np.maximum(10.0, 0.35 * half)
    finest = 2 * half.max() / _MOST_POINTS
    step = max(finest, min(log_uniform(random, 0.45, 2.2), half.min() / 9))
    slices = log_uniform(random, 2.0, 6.5) if random.random() < 0.55 else step
    thickness = max(1, round(slices / step))
    axis = int(random.integers(3))
    half[axis] += step * thickness
    return Grid.centred(half, step), (thickness, axis)


def _cut(random: Random, lesion: GeneratedLesion) -> GeneratedLesion:
    """The lesion near the edge of its image, on one side or several."""
    window = []
    for axis in range(3):
        inside = np.flatnonzero(lesion.label.any(axis=tuple(a for a in range(3) if a != axis)))
        low, high = int(inside[0]), int(inside[-1]) + 1
        count = lesion.label.shape[axis]
        start = int(random.integers(low + 1)) if random.random() < 0.5 else 0
        stop = count - int(random.integers(count - high + 1)) if random.random() < 0.5 else count
        window.append(slice(start, stop))
    return GeneratedLesion(
        np.ascontiguousarray(lesion.image[tuple(window)]),
        np.ascontiguousarray(lesion.label[tuple(window)]),
        lesion.spacing,
    )
