"""Images of a generated head as a scanner makes them, and tubes put into an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from DeepMRILib.pvs.head import Head
from DeepMRILib.pvs.head_labels import BRIGHTNESS, LABELS, Contrast
from DeepMRILib.pvs.head_shapes import Field
from DeepMRILib.pvs.tubes import Tube, filled
from DeepMRILib.volume import Volume

SCALE = 1000.0
"""Brightness of a generated image's brightest tissue, about."""
_LOCAL_MM = 1.5
_CONTRASTS: tuple[Contrast, ...] = ("t1", "t2", "flair")
_TURN = (14.0, -9.0, 6.0)
_FLAIR_TURN = (-12.0, 4.0, 8.0)
FLAIR_SPACING = (0.9, 0.9, 2.0)


@dataclass(frozen=True, eq=False)
class Inserted:
    """An image with tubes.

    Attributes:
        image: (i, j, k) float32.
        fraction: (i, j, k) how much of each voxel tubes fill.
        number: (i, j, k) int16, of the tube that fills most of a voxel, from 1; 0 where none is.
        contrast: of each tube, its largest change of brightness over the tissue's.
    """

    image: NDArray
    fraction: NDArray
    number: NDArray
    contrast: list[float]


def grid_of(head: Head, spacing: Sequence[float], size: Sequence[int], *, oblique: bool, flair: bool = False) -> Volume:
    """An empty image of a head: its grid about the head's middle."""
    length = np.array(head.labels.shape) * np.linalg.norm(head.affine[:3, :3], axis=0)
    shape = [n or round(float(along / edge)) for n, along, edge in zip(size, length, spacing, strict=True)]
    turn = _FLAIR_TURN if flair else _TURN if oblique else (0.0, 0.0, 0.0)
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() * np.asarray(spacing)
    middle = head.affine[:3, :3] @ ((np.array(head.labels.shape) - 1) / 2) + head.affine[:3, 3]
    affine[:3, 3] = middle - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape, np.float32), affine)


def tissue_image(head: Head, contrast: Contrast, grid: Volume, rng: np.random.Generator) -> NDArray:
    """What tissue looks like on a grid without noise: (i, j, k) float32."""
    table = np.zeros(int(head.labels.max()) + 1, np.float32)
    column = _CONTRASTS.index(contrast)
    for name, numbers in LABELS.items():
        for number in numbers:
            if number < len(table):
                table[number] = BRIGHTNESS[name][column]
    edges = np.linalg.norm(head.affine[:3, :3], axis=0)
    values = table[head.labels] * (1 + 0.025 * _texture(head, 22, rng) + 0.02 * _texture(head, 7, rng))
    sharpest = min(grid.spacing)
    values = ndimage.gaussian_filter(values.astype(np.float32), 0.45 * max(sharpest, float(edges[0])) / edges)
    parts = tuple(max(1, round(edge / edges[0])) for edge in grid.spacing)  # thick slices are means of thinner ones
    return SCALE * sampled(values, head.affine, grid, order=1, parts=parts)


def _texture(head: Head, wavelength: float, rng: np.random.Generator) -> NDArray:
    """Tissue is not even: a field (i, j, k) on the head's grid."""
    field = Field(wavelength, rng)
    axes = [head.affine[n, n] * np.arange(head.labels.shape[n]) + head.affine[n, 3] for n in range(3)]
    coarse = [axis[:: max(1, int(wavelength / 6 / head.affine[0, 0]))] for axis in axes]
    values = field(*np.meshgrid(*coarse, indexing="ij"))
    places = [
        np.interp(axis, few, np.arange(len(few))).astype(np.float32) for axis, few in zip(axes, coarse, strict=True)
    ]
    for place in places:  # each turn takes the first axis and puts the new one last
        below = np.minimum(place.astype(int), max(values.shape[0] - 2, 0))
        share = (place - below)[:, None, None]
        above = np.minimum(below + 1, values.shape[0] - 1)
        values = np.moveaxis(values[below] * (1 - share) + values[above] * share, 0, -1)
    return values


def sampled(
    values: NDArray, affine: NDArray, grid: Volume, *, order: int, parts: tuple[int, ...] = (1, 1, 1)
) -> NDArray:
    """Values (i, j, k) of one grid on another, each voxel the mean of its parts; 0 beyond."""
    if values.shape == grid.shape and np.allclose(affine, grid.affine, atol=1e-6):
        return values
    total: NDArray | None = None
    for part in np.ndindex(parts):
        shift = [(n + 0.5) / count - 0.5 for n, count in zip(part, parts, strict=True)]
        moved = grid.affine.copy()
        moved[:3, 3] += grid.affine[:3, :3] @ np.array(shift)
        matrix = np.linalg.solve(affine, moved)
        one = ndimage.affine_transform(values, matrix[:3, :3], matrix[:3, 3], grid.shape, order=order)
        total = one if total is None else total + one
    return total if np.prod(parts) == 1 else total / np.prod(parts)


def local_level(image: NDArray, where: NDArray, affine: NDArray) -> NDArray:
    """The mean brightness (i, j, k) of nearby tissue that tubes may lie in; the image's own beyond."""
    sigma = _LOCAL_MM / np.linalg.norm(affine[:3, :3], axis=0)
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(where, image, 0).astype(np.float32), sigma)
    return np.where(weight > 0.02, mean / np.maximum(weight, 0.02), image).astype(np.float32)


def with_tubes(
    image: Volume, level: NDArray, fluid: float | NDArray, tubes: Sequence[Tube], blur: tuple[float, float, float]
) -> Inserted:
    """An image in which tubes of fluid replace tissue: I - s (L - C).

    Only the tissue's level is replaced: what the image has around it, its noise and texture, stays.

    Args:
        image: (i, j, k), with its place in space.
        level: (i, j, k) of the tissue, L.
        fluid: brightness C, or (i, j, k).
        tubes: in RAS mm; what they fill, blurred, is s.
        blur: see ``tubes.filled``.
    """
    result = image.array.astype(np.float32)
    fraction, most = np.zeros(image.shape, np.float32), np.zeros(image.shape, np.float32)
    number = np.zeros(image.shape, np.int16)
    difference = level - fluid
    contrast = []
    for n, tube in enumerate(tubes, start=1):
        part = filled(tube, image.affine, image.shape, blur)
        if part is None:
            contrast.append(0.0)
            continue
        box = part.box
        here = part.fraction > 0
        if not here.any():
            contrast.append(0.0)
            continue
        # what rings around a tube is the tube's own difference, whatever lies there
        own = np.average(difference[box], weights=part.fraction)
        change = part.seen * np.where(here, difference[box], own)
        result[box] -= change
        fraction[box] += part.fraction
        leads = part.fraction > most[box]
        number[box][leads], most[box][leads] = n, part.fraction[leads]
        contrast.append(float((np.abs(change[here]) / np.maximum(np.abs(level[box][here]), 1e-6)).max()))
    return Inserted(result, np.minimum(fraction, 1), number, contrast)


def scanned(
    image: NDArray, affine: NDArray, rng: np.random.Generator, *, bias: float, noise: float, motion: float
) -> NDArray:
    """What the scanner adds to a noise-free image: shading, motion, Rician noise.

    Args:
        image: (i, j, k).
        affine: (4, 4) in mm.
        rng: draws all of it.
        bias: relative shading.
        noise: standard deviation.
        motion: mm; parts of k-space along j are those of a head that has moved so far.
    """
    shading = Field(150, rng)
    places = [axis[..., ::4, ::4, ::4] for axis in np.meshgrid(*(np.arange(n) for n in image.shape), indexing="ij")]
    mm = np.tensordot(affine[:3, :3], np.stack(places), axes=1) + affine[:3, 3][:, None, None, None]
    slow = ndimage.zoom(np.tanh(shading(*mm)), np.array(image.shape) / places[0].shape, order=1, grid_mode=False)
    result = image * np.exp(bias * slow.astype(np.float32))
    if motion:
        result = _moved(result, np.linalg.norm(affine[:3, :3], axis=0), motion, rng)
    real = result + noise * rng.standard_normal(image.shape, dtype=np.float32)
    return np.hypot(real, noise * rng.standard_normal(image.shape, dtype=np.float32)).astype(np.float32)


def _moved(image: NDArray, spacing: NDArray, motion: float, rng: np.random.Generator) -> NDArray:
    """The image of a head that moves one to three times while k-space is read along j."""
    waves = np.fft.fftn(image)
    frequency = [np.fft.fftfreq(n) for n in image.shape]
    order = np.argsort(frequency[1])
    starts = np.sort(rng.uniform(0.15, 0.85, rng.integers(1, 4)))
    for start in starts:
        # the middle of k-space, where most of the image is, keeps its place: otherwise the truth would move with it
        lines = order[int(start * len(order)) :] if start > 0.5 else order[: int(start * len(order))]
        shift = motion * rng.standard_normal(3) / np.sqrt(3) / spacing
        turn = shift[0] * frequency[0][:, None, None] + shift[2] * frequency[2][None, None]
        turn = turn + shift[1] * frequency[1][lines][None, :, None]
        waves[:, lines] *= np.exp(-2j * np.pi * turn)
    return np.abs(np.fft.ifftn(waves)).astype(np.float32)
