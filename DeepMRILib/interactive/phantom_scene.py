"""A generated lesion in its surroundings: shapes first, then their brightness, then what a scanner makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.phantom_fields import Grid, smooth_field
from DeepMRILib.interactive.phantom_kinds import Kind

TISSUE = (0.4, 0.9)
NECROSIS = 0.5
SEPTA = 1.4  # times the lesion's brightness
SECOND = 0.8  # times the first lesion's brightness
POINT_SPREAD = 0.5  # of a voxel's shortest edge
CORE_MM = 4.0
"""Necrosis keeps so far from the margin."""
ROOM_MM = 2.0
"""So far a lesion pushes what looks like it aside."""
_SECOND_IMAGE = {"tissue": (0.9, 0.5), "lesion": 0.75, "necrosis": 1.8, "septa": 0.4, "matched": 0.6}
"""Another contrast of the same place; what matches the lesion in the first image does not here."""


class _Place(NamedTuple):
    """Of a lesion the centre (3,) in mm and the radius in mm of a ball as large."""

    centre: NDArray
    radius: float


@dataclass(frozen=True)
class Scene:
    """Where things are.

    Attributes:
        lesions: (i, j, k) 0 none, 1 the first, 2 the second.
        tissue, matched, necrosis, septa: (i, j, k) bool.
    """

    lesions: NDArray
    tissue: NDArray
    matched: NDArray
    necrosis: NDArray
    septa: NDArray


def draw_scene(kind: Kind, grid: Grid, volumes: list[float], rng: np.random.Generator) -> Scene:
    """Shapes on a grid; the lesions' volumes in mm3."""
    places = _places(volumes, rng)
    lesions = np.zeros(tuple(len(axis) for axis in grid.axes), dtype=np.uint8)
    for number, place in enumerate(places, start=1):
        lesions[_lesion(kind, grid, place, lesions == 0, rng)] = number
    inside = lesions > 0
    tissue = smooth_field(grid, 11.0, rng) > rng.uniform(-0.3, 0.5)
    matched = _matched(kind, grid, inside, rng) | _neighbour(kind, grid, places[0], inside, rng)
    necrosis, septa = _inner(kind, grid, inside, rng)
    return Scene(lesions, tissue, matched, necrosis, septa)


def brightness(scene: Scene, level: float, image: int) -> NDArray:
    """The brightness (i, j, k) float32 of every place in the first image (0) or another contrast (1)."""
    values = np.where(scene.tissue, TISSUE[1], TISSUE[0]).astype(np.float32)
    lesion, necrosis, septa, matched = level, NECROSIS, SEPTA * level, level
    if image:
        values = np.where(scene.tissue, *_SECOND_IMAGE["tissue"]).astype(np.float32)
        lesion, septa = (_SECOND_IMAGE[name] * level for name in ("lesion", "septa"))
        necrosis, matched = _SECOND_IMAGE["necrosis"], _SECOND_IMAGE["matched"]
    values[scene.matched] = matched
    values[scene.lesions == 1] = lesion
    values[scene.lesions == 2] = SECOND * lesion
    values[scene.necrosis] = necrosis
    values[scene.septa] = septa
    return values


def scanned(
    values: NDArray, kind: Kind, grid: Grid, divided: tuple[int, int, int], rng: np.random.Generator
) -> NDArray:
    """What a scanner makes of it: shading, a mean over each voxel, a point spread and noise.

    Args:
        values: (i, j, k) on a grid finer than the image by ``divided``.
        kind: how much shading and noise.
        grid: the fine grid.
        divided: parts of each voxel along i, j and k.
        rng: draws shading and noise.
    """
    shaded = values * np.exp(kind.bias * smooth_field(grid, 45.0, rng))
    spread = [POINT_SPREAD * min(kind.spacing) / edge for edge in kind.spacing]
    image = ndimage.gaussian_filter(mean_of_parts(shaded, divided), spread)
    return (image + kind.noise * rng.standard_normal(image.shape)).astype(np.float32)


def mean_of_parts(values: NDArray, divided: tuple[int, int, int]) -> NDArray:
    """The mean over blocks of that many voxels."""
    a, b, c = divided
    i, j, k = values.shape
    return values.reshape(i // a, a, j // b, b, k // c, c).mean(axis=(1, 3, 5))


def _places(volumes: list[float], rng: np.random.Generator) -> list[_Place]:
    """Near the middle of the image; a second lesion beside the first."""
    first = rng.uniform(-3, 3, 3)
    radii = [(3 * volume / (4 * np.pi)) ** (1 / 3) for volume in volumes]
    if len(radii) == 1:
        return [_Place(first, radii[0])]
    direction = rng.standard_normal(3)
    # close enough to touch, whatever their shapes
    apart = 0.85 * sum(radii) * direction / np.linalg.norm(direction)
    return [_Place(first - apart / 2, radii[0]), _Place(first + apart / 2, radii[1])]


def _lesion(kind: Kind, grid: Grid, place: _Place, free: NDArray, rng: np.random.Generator) -> NDArray:
    """One connected region of about that volume around a place: a turned ellipsoid with an uneven surface."""
    stretch = np.exp(rng.uniform(-kind.stretch, kind.stretch, 3))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    form = turn @ np.diag(1 / stretch**2) @ turn.T
    x, y, z = grid.offsets(place.centre)
    squared = form[0, 0] * x * x + form[1, 1] * y * y + form[2, 2] * z * z
    squared = squared + 2 * (form[0, 1] * x * y + form[0, 2] * x * z + form[1, 2] * y * z)
    height = kind.bulge * smooth_field(grid, kind.bulge_mm, rng) + kind.rough * smooth_field(grid, kind.rough_mm, rng)
    # heights grow from nothing at the centre, so that the lesion stays in one piece
    away = np.sqrt(np.maximum(squared, 0))
    level = height * np.minimum(away / (0.5 * place.radius), 1) - away
    level = np.where(free, level, -np.inf)
    count = min(max(round(4 / 3 * np.pi * place.radius**3 / np.prod(grid.edges)), 1), level.size - 1)
    region = level >= np.partition(level, -count, axis=None)[-count]
    pieces, _ = ndimage.label(region)
    largest = pieces == np.bincount(pieces[region]).argmax()
    return ndimage.binary_fill_holes(largest) & free


def _matched(kind: Kind, grid: Grid, inside: NDArray, rng: np.random.Generator) -> NDArray:
    """The fraction of the background that looks like the lesion; where both touch, they push each other aside."""
    field = smooth_field(grid, kind.matched_mm, rng)
    if not kind.matched:
        return np.zeros_like(inside)
    field -= kind.room * np.exp(-ndimage.distance_transform_edt(~inside, sampling=grid.edges) / ROOM_MM)
    return (field > np.quantile(field[~inside], 1 - kind.matched)) & ~inside


def _neighbour(kind: Kind, grid: Grid, place: _Place, inside: NDArray, rng: np.random.Generator) -> NDArray:
    """A round organ that touches the lesion."""
    direction = rng.standard_normal(3)
    radius = place.radius * rng.uniform(0.6, 1.0)
    direction /= np.linalg.norm(direction)
    x, y, z = grid.offsets(place.centre + direction * (place.radius + 0.85 * radius))
    return (x * x + y * y + z * z < radius**2) & ~inside if kind.neighbour else np.zeros_like(inside)


def _inner(kind: Kind, grid: Grid, inside: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Necrosis, away from the margin, and bright septa: sheets that reach it."""
    dark, sheets = smooth_field(grid, 6.0, rng), np.abs(smooth_field(grid, 8.0, rng))
    core = inside & (ndimage.distance_transform_edt(inside, sampling=grid.edges) > CORE_MM)
    necrosis, septa = np.zeros_like(inside), np.zeros_like(inside)
    if kind.septa:
        septa = inside & (sheets < np.quantile(sheets[inside], kind.septa))
    if kind.necrosis and core.any():
        share = min(kind.necrosis * inside.sum() / core.sum(), 0.9)
        necrosis = core & (dark > np.quantile(dark[core], 1 - share)) & ~septa
    return necrosis, septa
