"""What looks like perivascular spaces and is none: lesions of white matter, lacunes, infarcts, plates, vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.lifelike_anatomy import KINDS, Tissue, View, voxel_grid
from DeepMRILib.pvs.lifelike_contrast import Contrast
from DeepMRILib.pvs.lifelike_shapes import filled, plate
from DeepMRILib.pvs.lifelike_spaces import home, vessels
from DeepMRILib.random_fields import Grid, Random, log_uniform, smooth_noise


@dataclass(frozen=True, eq=False)
class _Painting:
    """An image that is painted over."""

    random: Random
    view: View
    contrast: Contrast
    image: NDArray

    def paint(self, share: NDArray, brightness: float | NDArray) -> None:
        """Mix a brightness in."""
        np.add(self.image, share * (brightness - self.image), out=self.image)

    def spot(self, where: NDArray, strength: float) -> NDArray:
        """A random voxel of a mask, far from the edges, as (3,) floats."""
        found = np.flatnonzero(where)
        at = np.unravel_index(found[self.random.integers(len(found))], where.shape)
        return np.array(at) + self.random.uniform(-strength, strength, 3)


def add_confounders(random: Random, view: View, contrast: Contrast, image: NDArray) -> NDArray:
    """Paint what is no space into an image.

    Args:
        random: decides what there is; often nothing.
        view: the patch.
        contrast: the brightness of tissues.
        image: (n, n, n) float32, changed in place.

    Returns:
        (n, n, n) float32: where spaces no longer can be, because there is a hole.
    """
    painting = _Painting(random, view, contrast, image)
    holes = np.zeros_like(image)
    where = home(view)
    if where.sum() > 500:
        if random.random() < 0.4:
            _plates(painting, where)
        if random.random() < 0.4:
            _claustrum(painting, where)
        if random.random() < 0.25:
            _caps(painting)
        if random.random() < 0.3:
            _spots(painting, where)
        if random.random() < 0.2:
            _lacunes(painting, where, holes)
        if random.random() < 0.04:
            _infarct(painting, where, holes)
        if random.random() < 0.25:
            share = vessels(random, view, int(random.integers(1, 6)), inside=True)
            painting.paint(share, random.uniform(1.1, 1.8))
    if random.random() < 0.6:
        _folds(painting)
    if random.random() < 0.7:
        share = vessels(random, view, int(random.integers(5, 60)), inside=False)
        painting.paint(share * random.uniform(0.3, 1), random.choice([0.0, contrast.csf, random.uniform(0, 1.8)]))
    return holes


def _plates(painting: _Painting, where: NDArray) -> None:
    """Thin grey or dark plates, such as the claustrum or the bottom of a sulcus."""
    random, contrast = painting.random, painting.contrast
    for _ in range(random.integers(1, 6)):
        normal = random.standard_normal(3)
        normal /= np.linalg.norm(normal)
        size = (random.uniform(6, 25), random.uniform(6, 25))
        middle, thickness = painting.spot(where, 0.5), random.uniform(0.5, 2.5)
        share = filled(plate(random, middle, normal, size, thickness), 1 / 64, where.shape)
        deep = contrast.csf if random.random() < 0.3 else contrast.grey
        painting.paint(np.minimum(share, 1) * where, 1 + (deep - 1) * random.uniform(0.4, 1))


def _claustrum(painting: _Painting, where: NDArray) -> None:
    """A shell of grey matter beside the putamen, with gaps."""
    random = painting.random
    putamen = painting.view.tissue == Tissue.PUTAMEN
    if not putamen.any():
        return
    near, width = int(random.integers(1, 4)), int(random.integers(1, 3))
    inner = ndimage.binary_dilation(putamen, iterations=near)
    share = (ndimage.binary_dilation(inner, iterations=width) & ~inner & where).astype(np.float32)
    share *= smooth_noise(random, voxel_grid(where.shape), random.uniform(6, 15)) > random.uniform(-1, 0.5)
    painting.paint(share * random.uniform(0.5, 1), painting.contrast.grey)


def _folds(painting: _Painting) -> None:
    """Folds finer than label maps show: dark sheets in grey matter, most of all the cerebellum's."""
    random, tissue = painting.random, painting.view.tissue
    noise = smooth_noise(random, voxel_grid(tissue.shape), random.uniform(2.5, 6))
    share = np.exp(-((noise / random.uniform(0.1, 0.3)) ** 2))
    depth = np.zeros(KINDS, np.float32)
    depth[[Tissue.CEREBELLAR_CORTEX, Tissue.CEREBELLAR_WHITE]] = random.uniform(0.3, 1), random.uniform(0, 0.3)
    depth[[Tissue.CORTEX, Tissue.SULCUS, Tissue.HIPPOCAMPUS]] = random.uniform(0, 0.6, 3)
    painting.paint(share * depth[tissue], random.choice([painting.contrast.csf, painting.contrast.grey]))


def _caps(painting: _Painting) -> None:
    """Lesions around the ventricles: darker than white matter, their margin soft and uneven."""
    random, view = painting.random, painting.view
    margin = random.uniform(1, 8) + random.uniform(0.5, 3) * smooth_noise(
        random, voxel_grid(painting.image.shape), random.uniform(4, 12)
    )
    share = 1 / (1 + np.exp(np.clip((view.ventricle - margin) / random.uniform(0.4, 1.5), -20, 20)))
    painting.paint(share * (view.tissue == Tissue.WHITE), _lesion(random, painting.contrast))


def _spots(painting: _Painting, where: NDArray) -> None:
    """Lesions of 2 to 20 mm anywhere in white matter."""
    random = painting.random
    for _ in range(random.integers(1, 10)):
        share = _blob(painting, painting.spot(where, 0.5), log_uniform(random, 1.2, 9), random.uniform(0.4, 1.5))
        painting.paint(share * where, _lesion(random, painting.contrast))


def _lesion(random: Random, contrast: Contrast) -> float:
    return 1 + (contrast.grey - 1) * random.uniform(0.2, 1.2)


def _lacunes(painting: _Painting, where: NDArray, holes: NDArray) -> None:
    """Round holes of 3 to 15 mm filled with fluid, some with a rim."""
    random, contrast = painting.random, painting.contrast
    for _ in range(random.integers(1, 4)):
        middle, radius = painting.spot(where, 0.5), log_uniform(random, 1.6, 7.5)
        state = random.bit_generator.state
        share = _blob(painting, middle, radius, 0.3) * where
        if random.random() < 0.5:
            random.bit_generator.state = state  # the same shape
            rim = _blob(painting, middle, radius + random.uniform(0.8, 2), 0.6) * where
            painting.paint(rim, _lesion(random, contrast))
        painting.paint(share, contrast.csf * random.uniform(0.9, 1.3))
        np.maximum(holes, share, out=holes)


def _infarct(painting: _Painting, where: NDArray, holes: NDArray) -> None:
    """A large dark part."""
    random, contrast = painting.random, painting.contrast
    share = _blob(painting, painting.spot(where, 3), random.uniform(8, 20), random.uniform(0.5, 2))
    share *= (painting.view.tissue > 0) & (painting.view.tissue < Tissue.OTHER)
    painting.paint(share, contrast.csf * random.uniform(0.9, 2.0))
    np.maximum(holes, share, out=holes)


def _blob(painting: _Painting, middle: NDArray, radius: float, softness: float) -> NDArray:
    """A dented ellipsoid's share of each voxel, its margin ``softness`` mm wide."""
    random, shape = painting.random, painting.image.shape
    radii = radius * np.exp(random.uniform(-0.25, 0.25, 3))
    reach = int(np.ceil(radii.max() * 1.6 + 4 * softness))
    low = np.maximum(np.rint(middle).astype(int) - reach, 0)
    high = np.minimum(np.rint(middle).astype(int) + reach + 1, shape)
    share = np.zeros(shape, dtype=np.float32)
    if (high <= low).any():
        return share
    axes = tuple(np.arange(a, b, dtype=np.float32) for a, b in zip(low, high, strict=True))
    squares = [((x - m) / r) ** 2 for x, m, r in zip(axes, middle, radii, strict=True)]
    distance = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    distance += 0.12 * smooth_noise(random, Grid(axes), max(radius, 1.5))
    inside = (1 - distance) * radius / softness
    share[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1 / (1 + np.exp(-np.clip(4 * inside, -20, 20)))
    return share
