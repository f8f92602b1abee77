"""The regions that perivascular spaces are counted in: from a parcellation, or shells of depth where there is none.

FreeSurfer and SynthSeg share their label numbers. The regions follow SHiVAi's scheme: deep white matter with what lies
around it, basal ganglia with thalamus, capsules and insula, hippocampus with amygdala, cerebellum, ventral
diencephalon, of each side, and the brainstem.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.clusters import occupied

NAMES = {
    1: "Left deep white matter",
    2: "Left basal ganglia",
    3: "Left hippocampus",
    4: "Left cerebellum",
    5: "Left ventral diencephalon",
    6: "Right deep white matter",
    7: "Right basal ganglia",
    8: "Right hippocampus",
    9: "Right cerebellum",
    10: "Right ventral diencephalon",
    11: "Brainstem",
}
WHITE_MATTER, CORTEX, BASAL_GANGLIA, HIPPOCAMPUS, CEREBELLUM, VENTRAL_DC = 1, 1, 2, 3, 4, 5
RIGHT, BRAINSTEM = 5, 11
_SIDED = {
    WHITE_MATTER: ((2, 3), (41, 42)),
    BASAL_GANGLIA: ((10, 11, 12, 13, 26), (49, 50, 51, 52, 58)),
    HIPPOCAMPUS: ((17, 18), (53, 54)),
    CEREBELLUM: ((7, 8), (46, 47)),
    VENTRAL_DC: ((28,), (60,)),
}
"""Label numbers of the left and of the right side."""
INSULA = (1035, 2035)
VENTRICLES = (4, 5, 14, 15, 31, 43, 44, 63, 72)
MIDLINE = (77, 85, 192, 251, 252, 253, 254, 255)
"""White matter whose label tells no side: hypointensities, optic chiasm, corpus callosum."""
CAPSULE_MM = 5.0
"""White matter between nuclei closer to each other than twice this is a capsule, and counts with them."""
SHELL_VOXELS = 2
"""White matter within so many millimetres of a ventricle is periventricular."""
SHELL_REACH_MM = 4.0
"""Periventricular white matter within this of the nuclei counts with them."""
SHELLS_MM = (5.0, 10.0, 20.0)
"""Edges of the shells of depth below the brain's surface."""


def regions_of(labels: NDArray, brain: NDArray) -> tuple[NDArray, dict[int, str]]:
    """The regions of a parcellation.

    Args:
        labels: (i, j, k) FreeSurfer's or SynthSeg's numbers on voxels of 1 mm, first axis to the right.
        brain: (i, j, k) bool.

    Returns:
        (i, j, k) uint8, and the names of its numbers. Every voxel of the brain that is no ventricle is in one: one
        without a label of these tables is in that of the nearest voxel.
    """
    regions = _direct(labels)
    for right in (0, RIGHT):
        _add_capsules(regions, labels, right)
    _add_sideless(regions, labels, brain & ~np.isin(labels, VENTRICLES))
    regions[~brain | np.isin(labels, VENTRICLES)] = 0
    return regions, dict(NAMES)


def _direct(labels: NDArray) -> NDArray:
    """The regions whose labels name them."""
    table = np.zeros(max(int(labels.max(initial=0)), 3000) + 1, np.uint8)
    for region, sides in _SIDED.items():
        for right, numbers in zip((0, RIGHT), sides, strict=True):
            table[list(numbers)] = region + right
    table[1000:1100], table[2000:2100] = CORTEX, CORTEX + RIGHT  # aparc+aseg names parts of the cortex
    table[INSULA[0]], table[INSULA[1]] = BASAL_GANGLIA, BASAL_GANGLIA + RIGHT
    table[16] = BRAINSTEM
    return table[np.where((labels < 0) | (labels >= len(table)), 0, labels)]


def _add_capsules(regions: NDArray, labels: NDArray, right: int) -> None:
    """White matter between the nuclei of one side, and between them and a ventricle, joins the basal ganglia."""
    nuclei = regions == BASAL_GANGLIA + right
    box = occupied(nuclei)
    if box is None:
        return
    box = _padded(box, regions.shape, int(2 * CAPSULE_MM))
    inside = nuclei[box]
    far = ndimage.distance_transform_edt(~inside)
    closed = ndimage.distance_transform_edt(far <= CAPSULE_MM) > CAPSULE_MM
    ventricles = ndimage.binary_dilation(np.isin(labels[box], VENTRICLES), iterations=SHELL_VOXELS)
    white = regions[box] == WHITE_MATTER + right
    # the cortex stays what it is
    white &= ~np.isin(labels[box], (3, 42)) & (labels[box] < 1000)
    joined = white & (closed | (ventricles & (far <= SHELL_REACH_MM)))
    regions[box][joined] = BASAL_GANGLIA + right


def _add_sideless(regions: NDArray, labels: NDArray, where: NDArray) -> None:
    """White matter without a side goes to the nearest white matter, anything else to the nearest region."""
    white = np.isin(regions, (WHITE_MATTER, WHITE_MATTER + RIGHT))
    _join_nearest(regions, np.isin(labels, MIDLINE) & (regions == 0), white)
    _join_nearest(regions, where & (regions == 0), regions > 0)


def _join_nearest(regions: NDArray, wanted: NDArray, sources: NDArray) -> None:
    if wanted.any() and sources.any():
        nearest = ndimage.distance_transform_edt(~sources, return_distances=False, return_indices=True)
        regions[wanted] = regions[tuple(axis[wanted] for axis in nearest)]


def _padded(box: tuple[slice, ...], shape: tuple[int, ...], by: int) -> tuple[slice, ...]:
    return tuple(slice(max(part.start - by, 0), min(part.stop + by, n)) for part, n in zip(box, shape, strict=True))


def depth_shells(brain: NDArray) -> tuple[NDArray, dict[int, str]]:
    """Shells of depth below the brain's surface, for a brain without a parcellation.

    Args:
        brain: (i, j, k) bool, voxels of 1 mm.

    Returns:
        (i, j, k) uint8, and the names of its numbers.
    """
    depth = ndimage.distance_transform_edt(brain)
    shells = np.where(brain, 1 + np.digitize(depth, SHELLS_MM), 0).astype(np.uint8)
    edges = [f"{edge:g}" for edge in SHELLS_MM]
    texts = [f"Depth 0 to {edges[0]} mm"]
    texts += [f"Depth {low} to {high} mm" for low, high in itertools.pairwise(edges)]
    texts.append(f"Depth over {edges[-1]} mm")
    return shells, dict(enumerate(texts, start=1))
