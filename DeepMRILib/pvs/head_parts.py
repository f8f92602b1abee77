"""The parts of a head that are drawn one after another into its labels: cerebellum, stem, deep nuclei, ventricles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.head_labels import LABELS
from DeepMRILib.pvs.head_shapes import Box, Field, Space, chain, ellipsoid, joined


@dataclass(frozen=True, eq=False)
class Build:
    """A head while it is drawn.

    Attributes:
        space: the places of its voxels.
        labels: (i, j, k) int32, drawn into.
        spacing: mm.
        rng: draws what differs between heads.
        ventricles: how wide they are, 1 for a young person.
    """

    space: Space
    labels: NDArray
    spacing: float
    rng: np.random.Generator
    ventricles: float


_THALAMUS = ((12.0, -17.0, 7.0), (9.0, 14.5, 9.0), (15.0, 22.0))
_PUTAMEN = ((26.5, 2.0, 2.0), (5.5, 17.0, 11.5), (0.0, 12.0))
_PALLIDUM = ((19.0, -3.0, 0.0), (4.6, 9.5, 7.0), (0.0, 18.0))
_ACCUMBENS = ((10.0, 12.0, -6.0), (4.8, 5.0, 4.0), (0.0, 0.0))
_AMYGDALA = ((22.0, -4.0, -19.0), (8.0, 7.5, 7.5), (0.0, 0.0))
_DIENCEPHALON = ((8.0, -14.0, -7.0), (7.5, 9.0, 5.5), (0.0, 0.0))
_ELLIPSOIDS = {
    "thalamus": _THALAMUS,
    "putamen": _PUTAMEN,
    "pallidum": _PALLIDUM,
    "accumbens area": _ACCUMBENS,
    "amygdala": _AMYGDALA,
    "ventral DC": _DIENCEPHALON,
}
_CAUDATE = [(12, 20, 0, 5.5), (13, 15, 8, 6.5), (15, 4, 14, 5.0), (17, -10, 18, 3.3), (20, -24, 18, 2.4)]
_HIPPOCAMPUS = [(23, -11, -20, 5.0), (28, -20, -16, 5.0), (30, -30, -9, 4.6), (26, -38, 0, 3.4)]
_HORNS = [
    (12, 31, 5, 3.2),
    (9, 20, 10, 4.4),
    (7, 6, 16, 4.2),
    (8, -8, 20, 4.2),
    (11, -22, 21, 4.6),
    (22, -40, 14, 6.2),
    (25, -56, 8, 3.6),
    (25, -70, 4, 1.6),
]
_TEMPORAL_HORN = [(24, -42, 8, 4.6), (33, -36, -5, 2.2), (35, -22, -14, 1.7), (31, -10, -19, 1.5)]


def deep_parts(build: Build) -> None:
    """Corpus callosum, nuclei, hippocampus and ventricles."""
    box = build.space.box((-46, -80, -36), (46, 48, 36))
    x, y, z = build.space.at(box)
    if not x.size:
        return
    rough = 0.5 * Field(12, build.rng)(x, y, z)
    side = np.abs(x)
    _paint(build, box, x, _callosum(side, y, z) + 0.3 * rough, "cerebral white matter")
    _paint(
        build, box, x, np.maximum(side - 1.6, ellipsoid((x, y, z), (0, 4, 8), (10, 26, 14))), "cerebral white matter"
    )
    for name, (centre, radii, tilt) in _ELLIPSOIDS.items():
        _paint(build, box, x, ellipsoid((side, y, z), centre, radii, tilt) + rough, name)
    _paint(build, box, x, chain(side, y, z, _CAUDATE) + rough, "caudate")
    _paint(build, box, x, chain(side, y, z, _HIPPOCAMPUS) + rough, "hippocampus")
    wide = np.sqrt(np.float32(build.ventricles))
    horns = chain(side, y, z, [(a, b, c, r * wide) for a, b, c, r in _HORNS])
    # the septum stands between the two
    _paint(build, box, x, np.maximum(horns + 0.6 * rough, 1.3 - side), "lateral ventricle")
    lower = chain(side, y, z, [(a, b, c, r * wide) for a, b, c, r in _TEMPORAL_HORN])
    _paint(build, box, x, np.maximum(lower + 0.4 * rough, -horns), "inferior lateral ventricle")
    third = ellipsoid((x, y, z), (0, -10, 0), (1.9 * wide * wide, 14, 10))
    _paint(build, box, x, third, "3rd ventricle")


def _callosum(side: NDArray, y: NDArray, z: NDArray) -> NDArray:
    """Level of an arch of white matter that joins the hemispheres, thicker at its ends."""
    across = np.sqrt(((y + 4) / 36) ** 2 + (z / 25) ** 2)
    thick = 2.9 + 2.2 * (np.abs(y + 4) / 36) ** 3
    arch = np.abs(across - 1) * 29 - thick
    return np.maximum(np.maximum(arch, -4 - z), side - 18)


def cerebellum(build: Build) -> None:
    """Folia of grey matter around white matter that branches into them."""
    box = build.space.box((-58, -102, -66), (58, -26, -6))
    x, y, z = build.space.at(box)
    if not x.size:
        return
    rng, side = build.rng, np.abs(x)
    level = ellipsoid((side, y, z), (23, -62, -37), (28, 31, 21), (-10.0, 0.0))
    level = joined(level, ellipsoid((side, y, z), (0, -64, -33), (11, 25, 20)), 3.0)
    # leaves lie around the roof of the fourth ventricle
    away = np.sqrt(((y + 46) / 1.25) ** 2 + (z + 34) ** 2 + (0.35 * side) ** 2)
    turn = np.arctan2(z + 34, -(y + 46))
    warp = Field(14, rng)(x, y, z)
    waves = np.cos(turn * 11 + 0.9 * warp + 0.02 * away)
    fine = np.cos(2 * np.pi * (turn * away / 4.4) + 0.8 * warp)
    fluid = (waves < -0.93) & (level > -11) | (fine < -0.9) & (level > -3.5)
    core = ellipsoid((side, y, z), (18, -55, -36), (17, 16, 8))
    branch = (waves > 0.55) & (level < -3.2) | (fine > 0.75) & (level < -2.0) & (level > -8)
    white = (core < 0.8 * warp) | (branch & (core < 11))
    _paint(build, box, x, np.where(fluid, 1.0, level), "cerebellum cortex")
    _paint(build, box, x, np.where(white & ~fluid, level + 1.8, 1.0), "cerebellum white matter")


def stem(build: Build) -> None:
    """Midbrain, pons and medulla, what joins them to the cerebellum, and the fourth ventricle."""
    box = build.space.box((-24, -60, -130), (24, -4, 2))
    x, y, z = build.space.at(box)
    if not x.size:
        return
    side = np.abs(x)
    level = chain(x, y, z, [(0, -22, -6, 11.0), (0, -26, -16, 11.0)])
    level = joined(level, ellipsoid((x, y, z), (0, -25, -31), (17, 13.5, 14)), 5.0)
    level = joined(level, chain(x, y, z, [(0, -29, -42, 8.5), (0, -38, -66, 7.0), (0, -44, -130, 6.0)]), 4.0)
    arm = chain(side, y, z, [(12, -30, -32, 6.0), (18, -44, -35, 6.0)])
    _paint(build, box, x, arm, "cerebellum white matter")
    _paint(build, box, x, level, "brain-stem")
    _paint(build, box, x, ellipsoid((x, y, z), (0, -43, -34), (6.0, 4.5, 11)), "4th ventricle")
    _paint(build, box, x, chain(x, y, z, [(0, -38, -24, 1.2), (0, -28, -6, 1.0)]), "4th ventricle")


def _paint(build: Build, box: Box, x: NDArray, level: NDArray, name: str) -> None:
    """Give what lies inside a level the number of its side."""
    inside = level < 0
    view = build.labels[box]
    left_number, right_number = LABELS[name]
    view[inside & (x <= 0)], view[inside & (x > 0)] = left_number, right_number
