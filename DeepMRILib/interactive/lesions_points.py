"""Six points inside the margin of a generated lesion, as users place them: at its extremes, not exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.lesions_imaging import GeneratedLesion
from DeepMRILib.random_fields import Random

USUAL_DEPTH = 5.0
"""mm, or voxels where slices are of about that."""


def drawn_points(random: Random, lesion: GeneratedLesion) -> NDArray:
    """Voxel indices (n, 3): six or more, about 5 mm inside the margin, displaced by up to 3 mm in most cases."""
    spacing = np.array(lesion.spacing)
    depth = USUAL_DEPTH if random.random() < 0.65 else random.uniform(2, 8)
    by_voxels = random.random() < 0.3 and spacing.max() < 3 * spacing.min()
    steps = np.full(3, round(depth)) if by_voxels else np.maximum(np.rint(depth / spacing), 1)
    where = np.argwhere(lesion.label)
    sides = [(axis, side) for axis in range(3) for side in (0, 1)]
    points = [_inward(random, lesion.label, where, each, int(steps[each[0]])) for each in sides]
    points = np.array(points, dtype=float)
    if random.random() < 0.15:
        extra = where[random.integers(len(where), size=random.integers(1, 5))]
        points = np.concatenate([points, extra])
    if random.random() < 0.65:
        points += _displacements(random, len(points)) / spacing
    return np.clip(points, 0, np.array(lesion.label.shape) - 1)


def _displacements(random: Random, count: int) -> NDArray:
    """(count, 3) in mm: normal with one deviation for all, or of one length in any direction."""
    vectors = random.standard_normal((count, 3))
    if random.random() < 0.5:
        return vectors * random.uniform(0, 1.7)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True) * random.uniform(0.5, 3.0)


def _inward(random: Random, label: NDArray, where: NDArray, at: tuple[int, int], steps: int) -> NDArray:
    """One of the extreme voxels along an axis, moved in; less far where that would leave the lesion."""
    axis, side = at
    edge = where[:, axis].max() if side else where[:, axis].min()
    extreme = where[where[:, axis] == edge]
    start = extreme[random.integers(len(extreme))]
    for step in range(steps, 0, -1):
        moved = start.copy()
        moved[axis] += -step if side else step
        if 0 <= moved[axis] < label.shape[axis] and label[tuple(moved)]:
            return moved
    return start


def drawn_negative_points(random: Random, lesion: GeneratedLesion) -> NDArray:
    """Voxel indices (m, 3) outside the lesion, none to four, mostly within some mm of its margin."""
    if random.random() < 0.65:
        return np.zeros((0, 3))
    distance = ndimage.distance_transform_edt(~lesion.label, sampling=lesion.spacing)
    reach = random.choice([4.0, 12.0])
    where = np.argwhere((distance > 0.75) & (distance < max(reach, 1.5 * max(lesion.spacing))))
    if not len(where):
        return np.zeros((0, 3))
    return where[random.integers(len(where), size=random.integers(1, 5))].astype(float)
