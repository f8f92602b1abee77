"""What looks a little like perivascular spaces and is none: lacunes, and white matter hyperintensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.head_labels import Contrast
from DeepMRILib.pvs.phantom_room import Room
from DeepMRILib.pvs.tubes import Tube
from DeepMRILib.volume import Volume

NAMES = {1: "lacune", 2: "white matter hyperintensity"}
LACUNE, HYPERINTENSITY = NAMES
_LACUNE_MM, _HYPERINTENSITY_MM = (3.0, 9.0), (2.0, 12.0)
_SOFT_MM = {LACUNE: 0.4, HYPERINTENSITY: 1.2}
_CHANGE: dict[Contrast, float] = {"t1": -0.18, "t2": 0.55, "flair": 0.6}
"""Of white matter's brightness in a hyperintensity."""
_APART_MM = 2.0
_TRIES = 60


@dataclass(frozen=True, eq=False)
class Blob:
    """An ellipsoid with a soft margin: its kind, centre (3,) and half axes (3,) in mm, and rotation (3, 3)."""

    kind: int
    centre: NDArray
    radii: NDArray
    turn: NDArray


def blobs(room: Room, tubes: list[Tube], lacunes: int, hyperintensities: int, rng: np.random.Generator) -> list[Blob]:
    """As many as fit beside the tubes: lacunes anywhere in the room, hyperintensities in white matter."""
    made: list[Blob] = []
    taken = np.concatenate([tube.line[::4] for tube in tubes])
    widths = np.concatenate([np.full(len(tube.line[::4]), tube.radii.max() * 1.3) for tube in tubes])
    spacing = np.linalg.norm(room.affine[:3, :3], axis=0)
    for kind, count, mask, sizes in (
        (LACUNE, lacunes, room.inside, _LACUNE_MM),
        (HYPERINTENSITY, hyperintensities, room.white, _HYPERINTENSITY_MM),
    ):
        if not count:
            continue
        depth = ndimage.distance_transform_edt(mask, sampling=spacing)
        for _ in range(count):
            for _ in range(_TRIES):
                radii = rng.uniform(*sizes) / 2 * rng.uniform(0.75, 1.25, 3)
                seeds = np.flatnonzero(depth > radii.min())
                if not seeds.size:
                    continue
                voxel = np.array(np.unravel_index(rng.choice(seeds), mask.shape))
                centre = room.affine[:3, :3] @ voxel + room.affine[:3, 3]
                if (np.linalg.norm(taken - centre, axis=1) > widths + radii.max() + _APART_MM).all():
                    made.append(Blob(kind, centre, radii, np.linalg.qr(rng.standard_normal((3, 3)))[0]))
                    taken, widths = np.r_[taken, centre[None]], np.r_[widths, radii.max()]
                    break
    return made


def with_blobs(
    image: Volume, level: NDArray, fluid: float | NDArray, made: list[Blob], contrast: Contrast
) -> tuple[NDArray, NDArray]:
    """The image (i, j, k) with them, and which of them fills most of a voxel: 0, or a number of ``NAMES``."""
    result, kinds = image.array.astype(np.float32), np.zeros(image.shape, np.uint8)
    for blob in made:
        middle = image.voxel_from_ras(blob.centre[None])[0]
        reach = (blob.radii.max() + 4 * _SOFT_MM[blob.kind]) / np.array(image.spacing)
        low = np.maximum(np.floor(middle - reach).astype(int), 0)
        high = np.minimum(np.ceil(middle + reach).astype(int) + 1, image.shape)
        if (low >= high).any():
            continue
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), -1)
        away = (index @ image.affine[:3, :3].T + image.affine[:3, 3] - blob.centre) @ blob.turn / blob.radii
        outside = (np.linalg.norm(away, axis=-1) - 1) * blob.radii.mean()
        share = 1 / (1 + np.exp(np.clip(outside / _SOFT_MM[blob.kind], -30, 30)))
        there = level[box]
        full = np.broadcast_to(fluid, image.shape)[box] - there if blob.kind == LACUNE else _CHANGE[contrast] * there
        result[box] += share * full
        kinds[box][share >= 0.5] = blob.kind
    return result, kinds
