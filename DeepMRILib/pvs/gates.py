"""Where perivascular spaces are looked for: white matter and deep grey matter, away from cortex and ventricles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.clusters import connected

WHITE_MATTER = (2, 41, 77, 251, 252, 253, 254, 255)
"""With hypointensities of white matter and corpus callosum; FreeSurfer's and SynthSeg's numbers."""
DEEP_GREY = (10, 11, 12, 13, 26, 49, 50, 51, 52, 58)
"""Thalamus, caudate, putamen, pallidum, accumbens."""
VENTRICLES = (4, 5, 14, 15, 31, 43, 44, 63)
"""With choroid plexus."""
FILLED = 2.0
"""Gaps in the tissue up to twice as wide in mm belong to it: the spaces themselves are often labelled otherwise."""
FLUID = 0.55
"""Darkness from 0 in white matter to 1 in fluid, above which a voxel counts as fluid, and not as grey matter (0.2 to
0.45)."""
LARGE = 2.0
"""Where a ball of this radius in mm fits into fluid, the fluid is no space's but that of ventricles, sulci, lacunes."""
MIDDLE, MIDDLE_RADII = (0.5, 0.56, 0.59), (0.28, 0.2, 0.2)
"""Centre and half axes along R, A and S of the ellipsoid that holds the deep grey matter, as fractions of the
brain's extents; from a parcellated head, in six deformed copies."""
LOWEST = ((0.33, 0.6), (0.41, 0.45))
"""Below and behind these fractions of the brain's extents lie cerebellum, brainstem and the gap above them."""


def region_of_labels(labels: NDArray, brain: NDArray, border: float, ventricle_distance: float) -> NDArray:
    """Where a parcellation lets spaces be looked for (i, j, k) bool.

    Args:
        labels: (i, j, k) FreeSurfer's or SynthSeg's label numbers, voxels of 1 mm.
        brain: (i, j, k) bool.
        border: distance in mm that is kept from cortex, from cerebrospinal fluid and from the brain's surface.
        ventricle_distance: distance in mm that is kept from the ventricles.
    """
    tissue = np.isin(labels, WHITE_MATTER + DEEP_GREY)
    ventricles = np.isin(labels, VENTRICLES)
    # what is neither tissue nor another named part of the brain
    gaps = np.isin(labels, (0, 24, 30, 62)) & brain
    tissue |= closed(tissue, FILLED) & gaps
    # other parts of the brain, such as the brainstem, are no place for spaces here but no border either
    forbidden = ~brain | is_cortex(labels) | (np.isin(labels, (0, 24)) & ~tissue)
    return tissue & brain & ~dilated(forbidden, border) & ~dilated(ventricles, ventricle_distance)


def region_of_brightness(
    white: NDArray, darkness: NDArray, brain: NDArray, border: float, ventricle_distance: float
) -> NDArray:
    """Where spaces are looked for when only brightness tells the tissues (i, j, k) bool.

    White matter with its thin gaps filled, and what is not fluid in the middle of the brain, where the deep grey
    matter lies; without the lowest part behind, where cerebellum and brainstem lie.

    Args:
        white: (i, j, k) bool, white matter by its brightness.
        darkness: (i, j, k), 0 in white matter to 1 in cerebrospinal fluid.
        brain: (i, j, k) bool, axes along R, A and S, voxels of 1 mm.
        border: distance in mm that is kept from cortex, from fluid and from the brain's surface.
        ventricle_distance: distance in mm that is kept from ventricles, and from any other large dark place.
    """
    place = _places(brain)
    large = _fluid_spaces(~brain | (darkness > FLUID))
    middle = sum(((p - c) / r) ** 2 for p, c, r in zip(place, MIDDLE, MIDDLE_RADII, strict=True)) < 1
    tissue = closed(_main_part(white), FILLED) | (middle & brain & (darkness < FLUID))
    tissue = closed(tissue, FILLED) & ~large
    for low, behind in LOWEST:
        tissue &= ~((place[2] < low) & (place[1] < behind))
    return tissue & ~dilated(~(tissue | large) | ~brain, border) & ~dilated(large, max(ventricle_distance, border))


def _places(brain: NDArray) -> list[NDArray]:
    """Of each voxel how far along R, A and S it lies in the brain, from 0 to 1; broadcastable."""
    places = []
    for axis in range(3):
        counts = brain.sum(axis=tuple(other for other in range(3) if other != axis))
        share = np.cumsum(counts) / max(int(counts.sum()), 1)
        # a few voxels that stick out, such as a nerve or a rest of the neck, move nothing
        low, high = np.searchsorted(share, (0.001, 0.999))
        along = (np.arange(len(counts)) - low) / max(high - low, 1)
        places.append(along.reshape([-1 if a == axis else 1 for a in range(3)]))
    return places


def _main_part(mask: NDArray) -> NDArray:
    """Clusters of at least a twentieth of the largest."""
    labels, count = connected(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    return (sizes >= sizes.max(initial=1) / 20)[labels] & mask


def _fluid_spaces(fluid: NDArray) -> NDArray:
    """Ventricles, sulci, cisterns and lacunes: the clusters of fluid (i, j, k) bool that are thick somewhere.

    A third ventricle or the gap above the cerebellum is as thin as a space, but leads to something thick. Voxels are
    connected by their faces, so that a space that comes near does not join.
    """
    labels, count = ndimage.label(fluid)
    thick = np.zeros(count + 1, bool)
    thick[labels[eroded(fluid, LARGE)]] = True
    thick[0] = False
    return thick[labels]


def is_cortex(labels: NDArray) -> NDArray:
    """Cortex of cerebrum and cerebellum (i, j, k) bool; numbers above 1000 name its parts."""
    return np.isin(labels, (3, 42, 8, 47)) | (labels > 1000)


def dilated(mask: NDArray, radius: float) -> NDArray:
    """A mask (i, j, k) and what lies within a radius in voxels of it.

    Example:
        >>> dilated(np.array([[[False, False, True, False]]]), 1.0).astype(int).tolist()
        [[[0, 1, 1, 1]]]
    """
    if radius < 1 or not mask.any():
        return mask.copy()
    if radius > 3:
        return ndimage.distance_transform_edt(~mask) <= radius
    # a few shifted copies are many times faster than a distance map
    found = mask.copy()
    reach = int(radius)
    steps = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3), -1).reshape(-1, 3)
    for step in steps[((steps**2).sum(axis=1) <= radius**2) & steps.any(axis=1)].tolist():
        to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(step, mask.shape, strict=True))
        of = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(step, mask.shape, strict=True))
        found[to] |= mask[of]
    return found


def eroded(mask: NDArray, radius: float) -> NDArray:
    """What of a mask (i, j, k) lies farther than a radius in voxels from its outside; the image's edge is none."""
    return ~dilated(~mask, radius)


def closed(mask: NDArray, radius: float) -> NDArray:
    """A mask (i, j, k) with gaps filled that a ball of a radius in voxels does not fit into."""
    return eroded(dilated(mask, radius), radius) | mask
