"""How bright tissues are in life-like patches: as on a T1, or a T2 turned round, within wide ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.lifelike_anatomy import KINDS, Tissue, View, voxel_grid
from DeepMRILib.random_fields import Random, smooth_noise


@dataclass(frozen=True, eq=False)
class Contrast:
    """The mean brightness of tissues, white matter at 1.

    Attributes:
        of: (32,) float32, by ``Tissue``.
        grey, csf: of the cortex, and of fluid.
    """

    of: NDArray
    grey: float
    csf: float


def contrast(random: Random) -> Contrast:
    """Fluid darker than grey matter, that darker than white matter; all else at random."""
    grey = random.uniform(0.55, 0.88)
    csf = random.uniform(0.08, grey - 0.12)
    of = random.uniform(0.02, 1.7, KINDS)
    dark = random.random(KINDS) < 0.4  # bone and air beside the brain
    of = np.where(dark, random.uniform(0, 0.25, KINDS), of)

    def between(low: float, high: float) -> float:
        return grey + (1 - grey) * random.uniform(low, high)

    of[Tissue.AIR] = 0 if random.random() < 0.8 else random.uniform(0, 0.1)
    of[Tissue.WHITE] = 1
    of[Tissue.CORTEX] = grey
    of[Tissue.SULCUS] = csf + (grey - csf) * random.uniform(-0.1, 0.4)
    of[Tissue.VENTRICLE] = csf
    of[Tissue.CEREBELLAR_WHITE] = random.uniform(0.88, 1.05)
    of[Tissue.CEREBELLAR_CORTEX] = between(-0.2, 0.3)
    of[Tissue.THALAMUS] = between(0.25, 0.85)
    of[Tissue.CAUDATE] = between(-0.1, 0.35)
    of[Tissue.PUTAMEN] = between(0.0, 0.5)
    of[Tissue.PALLIDUM] = between(0.35, 1.05)
    of[Tissue.BRAINSTEM] = between(0.5, 1.1)
    of[Tissue.HIPPOCAMPUS] = between(-0.15, 0.35)
    return Contrast(of.astype(np.float32), grey, csf)


def painted(random: Random, view: View, chosen: Contrast) -> NDArray:
    """The patch (n, n, n) float32 before anything is added: means, borders as soft as in an image, texture."""
    image = view.interpolated(chosen.of[view.source])
    image = ndimage.gaussian_filter(image, random.uniform(0.2, 0.75), truncate=3)
    grid = voxel_grid(image.shape)
    # a tissue is nowhere quite the same: over centimetres, and from voxel to voxel
    uneven = random.uniform(0, 0.04) * smooth_noise(random, grid, random.uniform(10, 30))
    uneven += random.uniform(0, 0.03) * smooth_noise(random, grid, random.uniform(2.5, 8))
    strength = np.ones(KINDS, dtype=np.float32)
    strength[[Tissue.SULCUS, Tissue.CORTEX]] = random.uniform(1, 4), random.uniform(1, 2)
    strength[Tissue.OTHER :] = random.uniform(1, 8)
    image *= 1 + uneven * strength[view.tissue]
    grain = random.standard_normal(image.shape, dtype=np.float32)
    width = random.choice([0.0, random.uniform(0.4, 0.9)])
    if width:
        grain = ndimage.gaussian_filter(grain, width, truncate=3) * np.float32((2 * np.sqrt(np.pi) * width) ** 1.5)
    amount = random.uniform(0, 0.02) * random.uniform(0.5, 2.5, KINDS)
    amount[Tissue.SULCUS] *= 3
    amount[Tissue.OTHER :] *= 4
    return image + grain * amount.astype(np.float32)[view.tissue]
