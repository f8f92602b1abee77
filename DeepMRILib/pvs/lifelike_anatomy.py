"""Heads that life-like patches are cut from: tissues of a label map, turned, stretched and bent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.random_fields import Grid, Random, smooth_noise

HALF_MM = 2
"""Distances to the ventricles are kept in half millimetres, up to 127 mm."""


class Tissue(IntEnum):
    """What a voxel of a head is made of; from ``OTHER`` on, what lies outside the brain, of unknown brightness."""

    AIR = 0
    WHITE = 1
    CORTEX = 2
    SULCUS = 3
    VENTRICLE = 4
    CEREBELLAR_WHITE = 5
    CEREBELLAR_CORTEX = 6
    THALAMUS = 7
    CAUDATE = 8
    PUTAMEN = 9
    PALLIDUM = 10
    BRAINSTEM = 11
    HIPPOCAMPUS = 12
    OTHER = 13


KINDS = 32
"""How many tissues there can be; labels of the skull and the face share those from ``OTHER`` on."""
_LABELS = {  # FreeSurfer's; 136, 137, 163, 164 (choroid plexus) and 512 (cord) are those of SynthSeg's training maps
    Tissue.WHITE: (2, 41, 77, 78, 79, 85, 192, *range(250, 256), *range(3000, 5003)),
    Tissue.CORTEX: (3, 42, 19, 55, 138, 139, *range(1000, 3000)),
    Tissue.SULCUS: (24, 257),
    Tissue.VENTRICLE: (4, 5, 14, 15, 31, 43, 44, 63, 72, 136, 137, 163, 164),
    Tissue.CEREBELLAR_WHITE: (7, 46),
    Tissue.CEREBELLAR_CORTEX: (8, 47),
    Tissue.THALAMUS: (9, 10, 48, 49),
    Tissue.CAUDATE: (11, 26, 50, 58),
    Tissue.PUTAMEN: (12, 30, 51, 62, 80),
    Tissue.PALLIDUM: (13, 52),
    Tissue.BRAINSTEM: (16, 28, 60, 512),
    Tissue.HIPPOCAMPUS: (17, 18, 53, 54),
}


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A head of 1 mm.

    Attributes:
        tissue: (x, y, z) uint8 along R, A and S, see ``Tissue``.
        ventricle: (x, y, z) uint8, half millimetres to the nearest ventricle.
        places: voxels (n, 3) int16 that patches may be centred on, those near spaces more often.
    """

    tissue: NDArray
    ventricle: NDArray
    places: NDArray

    @classmethod
    def of_labels(cls, labels: NDArray) -> Anatomy:
        """The head of a label map of 1 mm along R, A and S, with FreeSurfer's or SynthSeg's numbers.

        Raises:
            InputError: no white matter, or no ventricle.
        """
        tissue = tissues(labels)
        ventricles = tissue == Tissue.VENTRICLE
        if not ventricles.any() or not (tissue == Tissue.WHITE).any():
            raise InputError(
                "The label map shows no white matter (2, 41) or no ventricle (4, 43). Give maps with the label numbers "
                "of FreeSurfer or SynthSeg."
            )
        distance = ndimage.distance_transform_edt(~ventricles)
        ventricle = np.minimum(distance * HALF_MM, 255).astype(np.uint8)
        return cls(tissue, ventricle, _places(tissue))


def tissues(labels: NDArray) -> NDArray:
    """The tissue (uint8) of each label; unknown labels are told apart by their last digits.

    Example:
        >>> tissues(np.array([2, 4, 0])).tolist()
        [1, 4, 0]
    """
    found = np.unique(labels)
    known = {label: tissue for tissue, group in _LABELS.items() for label in group}
    spare = KINDS - Tissue.OTHER
    kinds = [0 if label == 0 else known.get(int(label), Tissue.OTHER + int(label) % spare) for label in found]
    return np.array(kinds, dtype=np.uint8)[np.searchsorted(found, labels)]


def _places(tissue: NDArray) -> NDArray:
    """White and deep grey matter three times as often as the rest of the brain; some of the skull."""
    random = np.random.default_rng(0)
    deep = np.isin(tissue, (Tissue.THALAMUS, Tissue.CAUDATE, Tissue.PUTAMEN, Tissue.PALLIDUM))
    groups = (
        (tissue == Tissue.WHITE, 5000),
        (deep, 3000),
        ((tissue > 0) & (tissue < Tissue.OTHER), 3000),
        (tissue >= Tissue.OTHER, 250),
    )
    chosen = []
    for mask, count in groups:
        where = np.flatnonzero(mask)
        if len(where):
            chosen.append(random.choice(where, count))
    return np.stack(np.unravel_index(np.concatenate(chosen), tissue.shape), axis=1).astype(np.int16)


@dataclass(frozen=True, eq=False)
class View:
    """A patch of a head, bent.

    Attributes:
        tissue: (n, n, n) uint8.
        ventricle: (n, n, n) float32, mm to the nearest ventricle.
        up: (3,) unit vector in the patch that points to the top of the head.
        sample: (3, n, n, n) float32, where in ``source`` each voxel lies.
        source: the tissues of the part of the head around it, (a, b, c) uint8.
    """

    tissue: NDArray
    ventricle: NDArray
    up: NDArray
    sample: NDArray
    source: NDArray

    def interpolated(self, values: NDArray) -> NDArray:
        """The patch (n, n, n) of an image (a, b, c) on the grid of ``source``, trilinear."""
        return ndimage.map_coordinates(values, self.sample, order=1, mode="nearest", prefilter=False)


def view(random: Random, anatomy: Anatomy, edge: int) -> View:
    """A random part of a head, ``edge`` voxels wide."""
    matrix = _matrix(random)
    axes = np.arange(edge, dtype=np.float32) - (edge - 1) / 2
    centre = anatomy.places[random.integers(len(anatomy.places))] + random.uniform(-edge / 4, edge / 4, 3)
    where = _turned(matrix, axes) + centre.astype(np.float32)[:, None, None, None]
    grid = Grid((axes, axes, axes))
    for scale, reach in ((20.0, random.uniform(0, 3.5)), (8.0, random.uniform(0, 0.9))):
        for axis in range(3):
            where[axis] += np.float32(reach) * smooth_noise(random, grid, scale)
    low = np.floor(where.min(axis=(1, 2, 3))).astype(int) - 1
    high = np.ceil(where.max(axis=(1, 2, 3))).astype(int) + 2
    source = _cut(anatomy.tissue, low, high)
    distance = _cut(anatomy.ventricle, low, high)
    sample = where - low.astype(np.float32)[:, None, None, None]
    nearest = np.rint(sample).astype(np.intp)
    flat = (nearest[0] * source.shape[1] + nearest[1]) * source.shape[2] + nearest[2]
    up = np.linalg.solve(matrix, [0.0, 0.0, 1.0])
    return View(
        source.ravel()[flat],
        distance.ravel()[flat].astype(np.float32) / HALF_MM,
        up / np.linalg.norm(up),
        sample,
        source,
    )


def _matrix(random: Random) -> NDArray:
    """Turned by up to 20 degrees, mirrored, stretched and sheared."""
    angles = random.normal(0, 0.15, 3)
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        step = np.eye(3)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turned = turned @ step
    sizes = random.uniform(0.85, 1.2) * random.uniform(0.9, 1.1, 3)
    sizes[0] *= random.choice([-1, 1])
    return turned @ np.diag(1 / sizes) @ (np.eye(3) + random.normal(0, 0.04, (3, 3)))


def voxel_grid(shape: tuple[int, ...]) -> Grid:
    """The voxels of an array, parted by 1."""
    first, second, third = (np.arange(n, dtype=np.float32) for n in shape)
    return Grid((first, second, third))


def _turned(matrix: NDArray, axes: NDArray) -> NDArray:
    """The matrix times all points of a cube, (3, n, n, n) float32."""
    matrix = matrix.astype(np.float32)
    parts = [matrix[:, axis, None] * axes for axis in range(3)]
    return parts[0][:, :, None, None] + parts[1][:, None, :, None] + parts[2][:, None, None, :]


def _cut(values: NDArray, low: NDArray, high: NDArray) -> NDArray:
    """A box of an array, 0 beyond its edges."""
    inside = tuple(slice(max(a, 0), max(min(b, n), a, 0)) for a, b, n in zip(low, high, values.shape, strict=True))
    part = values[inside]
    if part.shape == tuple(high - low):
        return np.ascontiguousarray(part)
    full = np.zeros(tuple(high - low), dtype=values.dtype)
    to = tuple(slice(s.start - a, s.start - a + n) for s, a, n in zip(inside, low, part.shape, strict=True))
    if part.size:
        full[to] = part
    return full
