"""Training samples of generated lesions, as the network sees them: the part around the points on the network's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.lesions import generated_lesion
from DeepMRILib.interactive.lesions_points import drawn_negative_points, drawn_points
from DeepMRILib.interactive.network_plan import NetworkPlan, Normalisation
from DeepMRILib.interactive.prepare_box import geometry_around
from DeepMRILib.interactive.prepare_maps import MAPS, Place, heat
from DeepMRILib.interactive.prepare_resample import sampled
from DeepMRILib.interactive.prepare_values import normalised
from DeepMRILib.random_fields import Random

MOST_POINTS, MOST_NEGATIVE = 16, 4
EDGE = 48
VISIBLE = 0.45
"""The least ``visibility`` of a lesion that is learned from: two of three have it."""

PLAN = NetworkPlan(
    channels=("MR or CT",),
    labels=("lesion",),
    spacing=(1.0, 1.0, 1.0),
    normalisation=(Normalisation("robust"),),
    kernels=((3, 3, 3),) * 4,
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
    filters=(8, 16, 32, 64),
    heads=0,
    divisible_by=(8, 8, 8),
    relax=0.25,
    least_margin=(8, 8, 8),
    fixed_shape=(EDGE, EDGE, EDGE),
    negative=True,
    maps=("points", "box", "ellipsoid", "likelihood", "sides"),
)
"""Of the network that the extension ships."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples as they are kept: maps are made when a sample is used, from points that augmentation has moved along.

    Attributes:
        image: (n, a, b, c) float16, normalised.
        target: (n, a, b, c) uint8, 255 times the lesion's share of a voxel.
        points: (n, 16, 3) float32 voxel indices, NaN beyond the last.
        negative: (n, 4, 3) float32 likewise.
        spacing: (n, 3) float32, mm.
    """

    image: NDArray
    target: NDArray
    points: NDArray
    negative: NDArray
    spacing: NDArray

    def __len__(self) -> int:
        return len(self.image)

    @classmethod
    def joined(cls, parts: list[Samples]) -> Samples:
        """All samples of several."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def visible(self) -> Samples:
        """Without those whose margin can hardly be seen: nothing can be learned from them but the usual shape."""
        kept = [n for n in range(len(self)) if visibility(self.image[n], self.target[n]) >= VISIBLE]
        return Samples(*(getattr(self, name)[kept] for name in self.__dataclass_fields__))

    @classmethod
    def of(cls, seeds: range, draws: int) -> Samples:
        """``draws`` samples of each generated lesion, with points placed anew in each."""
        rows = [row for seed in seeds for row in _rows(seed, draws)]
        return cls(*(np.stack(column) for column in zip(*rows, strict=True)))


def _rows(seed: int, draws: int) -> list[tuple[NDArray, ...]]:
    lesion = generated_lesion(seed)
    random = np.random.default_rng([seed, 21])
    affine = np.diag([*lesion.spacing, 1.0])
    rows = []
    for _ in range(draws):
        points, negative = drawn_points(random, lesion), drawn_negative_points(random, lesion)
        geometry = geometry_around(points * lesion.spacing, lesion.image.shape, affine, PLAN)
        where = (geometry.start, geometry.step, geometry.grid)
        image = sampled(lesion.image, *where, order=3, slicewise=geometry.slicewise, across=1)
        share = sampled(lesion.label.astype(np.float32), *where, order=1)
        rows.append(
            (
                normalised(image, PLAN.normalisation[0], "generated")[0].astype(np.float16),
                np.rint(255 * share).astype(np.uint8),
                _filled((points - geometry.start) / geometry.step, MOST_POINTS),
                _filled((negative - geometry.start) / geometry.step, MOST_NEGATIVE),
                np.array(geometry.spacing, dtype=np.float32),
            )
        )
    return rows


def _filled(points: NDArray, rows: int) -> NDArray:
    found = np.full((rows, 3), np.nan, dtype=np.float32)
    found[: len(points)] = points
    return found


def visibility(image: NDArray, target: NDArray) -> float:
    """How much the values on both sides of a margin differ, from 0 (not at all) to 1 (no value on both).

    The total variation between the histograms of the two voxels next to the margin inside and outside, smoothed.

    Args:
        image: (a, b, c) normalised.
        target: (a, b, c), 255 times the lesion's share of a voxel.
    """
    inside = target >= 128
    nearby = ndimage.uniform_filter(inside.astype(np.float32), 5, mode="nearest")
    smooth = ndimage.gaussian_filter(image.astype(np.float32), 0.8)
    edges = np.linspace(-4, 4, 33)
    shares = []
    for band in (inside & (nearby < 0.999), ~inside & (nearby > 0.001)):
        counts = np.histogram(smooth[band], edges)[0]
        shares.append(counts / max(counts.sum(), 1))
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def network_input(samples: Samples, number: int, random: Random | None = None) -> tuple[NDArray, NDArray]:
    """The input (channels, a, b, c) float32 and target (a, b, c) float32 of one sample; augmented with ``random``.

    Augmented: turned to any of the 48 orientations, inverted, other contrast, noise, negative points left out.
    """
    image = samples.image[number].astype(np.float32)
    target = samples.target[number].astype(np.float32) / 255
    spacing = samples.spacing[number]
    points, negative = (each[number][~np.isnan(each[number][:, 0])] for each in (samples.points, samples.negative))
    if random is not None:
        order, flips = random.permutation(3), random.random(3) < 0.5
        image, target = (_turned(values, order, flips) for values in (image, target))
        points, negative = (_turned_points(each, order, flips, image.shape) for each in (points, negative))
        spacing = spacing[order]
        image = _changed(random, image)
    place = Place(image.shape, points, tuple(spacing.tolist()), negative)
    outside = Place(image.shape, negative, tuple(spacing.tolist()))
    maps = [MAPS[name](place, image) for name in PLAN.maps]
    return np.stack([image, *maps, heat(outside)]), target


def _turned(values: NDArray, order: NDArray, flips: NDArray) -> NDArray:
    return np.flip(values.transpose(order), np.flatnonzero(flips).tolist())


def _turned_points(points: NDArray, order: NDArray, flips: NDArray, shape: tuple[int, ...]) -> NDArray:
    moved = points[:, order]
    return np.where(flips, np.array(shape) - 1 - moved, moved)


def _changed(random: Random, image: NDArray) -> NDArray:
    """Inverted half the time, its scale and level altered, sometimes with more noise."""
    scale = random.choice([-1.0, 1.0]) * random.uniform(0.8, 1.25)
    image = image * np.float32(scale) + np.float32(random.uniform(-0.2, 0.2))
    if random.random() < 0.2:
        image = image + np.float32(random.uniform(0, 0.4)) * random.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image, -4, 4)
