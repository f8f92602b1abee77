"""Life-like patches that the network learns from: endless and seeded, with every perivascular space known.

Backgrounds are bent parts of heads whose tissues are known, of random contrast; spaces and what resembles them are put
in, and the whole is scanned with random blur, noise and faults (domain randomisation, as in DRIPS, medRxiv
2025.10.22.25337423). They share no code with the phantoms that methods are scored on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.lifelike_anatomy import Anatomy, Tissue, View, view
from DeepMRILib.pvs.lifelike_contrast import Contrast, contrast, painted
from DeepMRILib.pvs.lifelike_disease import add_confounders
from DeepMRILib.pvs.lifelike_imaging import imaged
from DeepMRILib.pvs.lifelike_shapes import filled
from DeepMRILib.pvs.lifelike_spaces import home, spaces
from DeepMRILib.random_fields import Random

EDGE, MARGIN = 64, 4
LEAST_SHARE = 0.25
"""A voxel belongs to a space when spaces fill at least this much of it."""


@dataclass(frozen=True, eq=False)
class Patch:
    """An image of 1 mm with perivascular spaces.

    Attributes:
        image: (n, n, n) float32 in [0, 1], as ``intensity.prepared`` makes them with ``shivai_1.3``; of a T2 when it
            has been turned round.
        share: (n, n, n) float32, how much of each voxel spaces fill, 0 to 1.
        room: (n, n, n) bool, the tissue that can have spaces.
    """

    image: NDArray
    share: NDArray
    room: NDArray

    @property
    def truth(self) -> NDArray:
        """(n, n, n) bool, the voxels that belong to spaces: those of which they fill a quarter or more."""
        return self.share >= LEAST_SHARE


def lifelike_patch(anatomy: Anatomy, seed: int, edge: int = EDGE) -> Patch:
    """The patch of a seed, ``edge`` voxels wide."""
    random = np.random.default_rng([seed, 30])
    seen = view(random, anatomy, edge + 2 * MARGIN)
    chosen = contrast(random)
    image = painted(random, seen, chosen)
    holes = add_confounders(random, seen, chosen, image)
    share = _with_spaces(random, seen, chosen, image, holes)
    _stripped(random, seen, image)
    inner = (slice(MARGIN, -MARGIN),) * 3
    room = home(seen) & (holes < 0.5)
    return Patch(imaged(random, image, MARGIN), np.ascontiguousarray(share[inner]), np.ascontiguousarray(room[inner]))


def _with_spaces(random: Random, seen: View, chosen: Contrast, image: NDArray, holes: NDArray) -> NDArray:
    """Put spaces into an image; how much of each voxel they fill."""
    found = spaces(random, seen)
    if found is None:
        return np.zeros_like(image)
    strengths = random.uniform(random.uniform(0.35, 0.9), 1.0, (len(found.points), 1, 1))
    share = filled(found.points, found.weights, image.shape)
    fluid = filled(found.points, found.weights * strengths, image.shape)
    most = np.minimum(share, 1)
    fluid = np.minimum(fluid, 1) * (1 - holes)
    image += fluid * (chosen.csf * random.uniform(0.9, 1.2) - image)
    return most * (holes < 0.5)


def _stripped(random: Random, seen: View, image: NDArray) -> None:
    """In one of three, nothing is left outside the brain, as after skull stripping."""
    if random.random() < 1 / 3:
        brain = (seen.tissue > 0) & (seen.tissue < Tissue.OTHER)
        if random.random() < 0.5:
            brain &= seen.tissue != Tissue.SULCUS
            brain = ndimage.binary_closing(brain, iterations=2)
        image *= brain
