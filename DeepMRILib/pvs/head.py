"""A head drawn from nothing: labels that look like a person's, of nobody.

Folds of the cortex are the zero sheets of a random field that varies along the surface of each hemisphere and goes on
straight inwards; grey matter is what lies close to fluid; deep parts are ellipsoids and chains of balls at the places
of a usual atlas (x to the right, y to the front, z to the top, mm, the origin near the anterior commissure).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.head_labels import LABELS, NAMES, OUTSIDE
from DeepMRILib.pvs.head_parts import Build, cerebellum, deep_parts, stem
from DeepMRILib.pvs.head_shapes import Field, Space, chain, ellipsoid, joined
from DeepMRILib.volume import LabelVolume, Volume

FIELD_OF_VIEW = (176.0, 224.0, 192.0)
CENTRE = (0.0, -17.0, 1.0)
BEND_MM = 2.0
_LEAST, _MOST = 0.4, 6.0
_MOST_VOXELS = 60_000_000


@dataclass(frozen=True, eq=False)
class Head:
    """A head without an image.

    Attributes:
        labels: (i, j, k) int32: numbers of FreeSurfer and SynthSeg, ``head_labels.NAMES``; 0 is air.
        affine: (4, 4), voxel index to RAS mm; the axes run to the right, front and top.
    """

    labels: NDArray
    affine: NDArray

    @property
    def parcellation(self) -> LabelVolume:
        """The brain and its fluid alone, with names."""
        return LabelVolume(np.where(np.isin(self.labels, OUTSIDE), 0, self.labels), self.affine, NAMES)

    @property
    def brain(self) -> Volume:
        """1 in the brain with its ventricles and the fluid in its sulci, as skull stripping gives it."""
        tissue = (self.labels > 0) & (self.labels != LABELS["CSF"][0]) & ~np.isin(self.labels, OUTSIDE)
        spacing = np.linalg.norm(self.affine[:3, :3], axis=0)
        # closing by 4 mm: out to there and back
        near = ndimage.distance_transform_edt(~tissue, sampling=spacing) <= 4.0
        closed = ndimage.distance_transform_edt(near, sampling=spacing) > 4.0
        return Volume(((closed | tissue) & ~np.isin(self.labels, OUTSIDE)).astype(np.uint8), self.affine)


def generated_head(seed: int = 0, *, shape: tuple[int, int, int] | None = None, spacing: float = 1.0) -> Head:
    """A head of its own for each seed; the same one on every grid.

    Args:
        seed: which head.
        shape: number of voxels along the three axes; by default the whole head.
        spacing: edge of the voxels in mm.

    Raises:
        InputError: voxels too small or too large to draw a head, or too many of them.

    Example:
        >>> generated_head(spacing=4.0).labels.shape
        (44, 56, 48)
    """
    if not _LEAST <= spacing <= _MOST:
        raise InputError(f"A head is drawn with voxels of {_LEAST:g} to {_MOST:g} mm; got {spacing:g} mm.")
    shape = tuple(shape or (round(length / spacing) for length in FIELD_OF_VIEW))
    if min(shape) < 1 or np.prod(shape, dtype=float) > _MOST_VOXELS:
        raise InputError(
            f"A head of {' x '.join(map(str, shape))} voxels cannot be drawn: expected 1 voxel or more along each axis "
            f"and at most {_MOST_VOXELS / 1e6:g} million. Choose another size."
        )
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = np.array(CENTRE) - spacing * (np.array(shape) - 1) / 2
    rng = np.random.default_rng([seed, 0x48454144])
    stretch = rng.uniform(0.96, 1.03, 3)
    axes = [(affine[n, 3] + spacing * np.arange(shape[n])) / stretch[n] for n in range(3)]
    space = Space(axes, [Field(130, rng) for _ in range(3)], BEND_MM)
    build = Build(space, np.zeros(shape, np.int32), spacing, rng, ventricles=float(rng.uniform(0.8, 1.5)))
    skull = _inner_skull(space)
    _outside(build, skull)
    _cerebrum(build, skull)
    cerebellum(build)
    stem(build)
    deep_parts(build)
    return Head(build.labels, affine)


def _inner_skull(space: Space) -> NDArray:
    """Level of the room that the brain lies in."""
    x, y, z = space.x, space.y, space.z
    level = ellipsoid((x, y, z), (0, -17, 6), (69, 91, 71))
    lower = ellipsoid((x, y, z), (0, -60, -34), (54, 38, 28))
    temporal = ellipsoid((np.abs(x), y, z), (42, -12, -24), (23, 44, 21))
    level = np.maximum(level, -19 + 0.0012 * (np.abs(x) - 20) ** 2 - z)
    level = joined(joined(level, lower, 12.0), temporal, 12.0)
    return joined(level, chain(x, y, z, [(0, -24, -12, 18), (0, -30, -45, 16), (0, -42, -110, 11)]), 6.0)


def _outside(build: Build, skull: NDArray) -> None:
    """Skin, fat, muscle, bone and the fluid around the brain."""
    x, y, z = build.space.x, build.space.y, build.space.z
    thick = 5.0 + 0.8 * Field(60, build.rng)(x, y, z)
    face = ellipsoid((x, y, z), (0, 34, -58), (58, 48, 52))
    neck = chain(x, y, z, [(0, -28, -46, 56), (0, -26, -140, 54)])
    outer = joined(joined(skull - 12.5, face, 14.0), neck, 14.0)
    outer = joined(outer, ellipsoid((x, y, z), (0, 82, -46), (10, 15, 20)), 12.0)  # nose
    paint = build.labels
    paint[outer < 0] = LABELS["muscle"][0]
    paint[(outer < 0) & (outer > -7 - 1.5 * thick / 5)] = LABELS["fat"][0]
    paint[(outer < 0) & (outer > -2.2)] = LABELS["skin"][0]
    bone = (skull < thick) & (outer < -3)
    paint[bone] = LABELS["skull"][0]
    paint[bone & (skull > 0.3 * thick) & (skull < 0.7 * thick) & (z > -20)] = LABELS["marrow"][0]
    paint[(skull < 0) & (outer < -3)] = LABELS["CSF"][0]
    orbit = ellipsoid((np.abs(x), y, z), (31, 62, -30), (19, 26, 18)) < 0
    paint[orbit & (skull >= 2) & (outer < -2.2)] = LABELS["fat"][0]
    globe = ellipsoid((np.abs(x), y, z), (32, 66, -30), (12, 12, 12)) < 0
    paint[globe & (skull >= 2)] = LABELS["globe"][0]
    air = ellipsoid((x, y, z), (0, 68, -42), (13, 26, 20)) < 0
    air |= chain(x, y, z, [(0, 30, -50, 9), (0, 16, -70, 9), (0, 12, -140, 9)]) < 0
    paint[air & (skull > 4) & (outer < -4)] = 0


def _cerebrum(build: Build, skull: NDArray) -> None:
    """The two hemispheres: folded grey matter around white matter."""
    space, rng = build.space, build.rng
    box = space.box((-72, -110, -50), (72, 78, 82))
    x, y, z = space.at(box)
    if not x.size:
        return
    side = np.abs(x)
    level = _hemisphere(side, y, z)
    core = np.minimum(
        ellipsoid((side, y, z), (0, -8, 4), (31, 47, 23)), ellipsoid((side, y, z), (18, -36, 8), (17, 36, 12))
    )
    core = np.minimum(core, ellipsoid((side, y, z), (26, -16, -13), (9, 24, 7)))
    split = np.maximum(np.float32(0.9) + 0.4 * (z > 60) - side, -core)
    sheet = np.minimum(_sulci(level, core, (x, y, z), build), _sylvian(side, y, z))
    solid = (np.maximum(level, skull[box] + 1.5) < 0) & (split < 0) & (sheet > 0)
    solid |= (core < 0) & (level < 0)
    depth = ndimage.distance_transform_edt(solid, sampling=build.spacing) - 0.5 * build.spacing
    ribbon = (depth < 2.5 + 0.35 * Field(25, rng)(x, y, z)) & (core > 0)
    near_insula = (side < 41) & (ellipsoid((side, y, z), (38, 0, 0), (8, 30, 22)) < 0)
    view, right = build.labels[box], x > 0
    for mask, name in (
        (solid, "cerebral white matter"),
        (solid & ribbon, "cerebral cortex"),
        (solid & ribbon & near_insula, "insula"),
    ):
        left_number, right_number = LABELS[name]
        view[mask & ~right], view[mask & right] = left_number, right_number


def _hemisphere(side: NDArray, y: NDArray, z: NDArray) -> NDArray:
    """Level of the smooth hull of both hemispheres, as if nothing was folded."""
    floor = -14.0 - 0.05 * y + 0.002 * (side - 20) ** 2
    level = np.maximum(ellipsoid((side, y, z), (0, -17, 6), (65.5, 88, 68)), floor - z)
    temporal = ellipsoid((side, y, z), (43, -14, -22), (20, 44, 19), (-8.0, 8.0))
    occipital = ellipsoid((side, y, z), (22, -70, 0), (28, 33, 20))
    level = joined(joined(level, temporal, 5.0), occipital, 6.0)
    # room for the cerebellum, the tentorium and the stem
    below = np.minimum(
        ellipsoid((side, y, z), (0, -62, -38), (57, 38, 24)), ellipsoid((side, y, z), (0, -14, -38), (22, 34, 24))
    )
    return np.maximum(level, -below)


def _sulci(level: NDArray, core: NDArray, places: tuple[NDArray, NDArray, NDArray], build: Build) -> NDArray:
    """Level of the folds' fluid: sheets that go straight inwards from the hull to varying depths."""
    x, y, z = places
    # the wall between the hemispheres is folded too
    level = np.maximum(level, np.where(core > 2, 1 - np.abs(x), np.float32(-50)))
    rng = build.rng
    field, depths, widths = Field(27, rng, band=True), Field(35, rng), Field(45, rng)
    sheet = np.full(level.shape, 10.0, np.float32)
    shell = (level < 3) & (level > -30)
    middle = np.where(x > 0, np.float32(27), np.float32(-27))
    away = [x - middle, y + 17, z - 12]
    # places on the hull above each place: along the way in the field hardly changes
    radius = np.sqrt((away[0] / 36) ** 2 + (away[1] / 86) ** 2 + (away[2] / 58) ** 2) + np.float32(0.05)
    stretch = radius ** np.float32(-0.75)
    hull = [stretch[shell] * axis[shell] for axis in away]
    hull[0] = hull[0] + 3 * middle[shell]
    values = np.zeros(level.shape, np.float32)
    values[shell] = field(*hull)
    steep = np.sqrt(sum(part**2 for part in np.gradient(values, build.spacing)))
    distance = np.abs(values) / np.maximum(steep, 0.04)
    reach = 17 + 6 * depths(x[shell], y[shell], z[shell])
    fall = np.clip(-level[shell] / np.maximum(reach, 4), 0, None)
    half = (1.15 + 0.3 * widths(x[shell], y[shell], z[shell])) * (1 - 0.55 * fall)
    open_here = (fall < 1) & (core[shell] > 2.5)
    sheet[shell] = np.where(open_here, distance[shell] - half, 10.0)
    return sheet


def _sylvian(side: NDArray, y: NDArray, z: NDArray) -> NDArray:
    """Level of the fluid of the lateral fissure: a slit from outside, and a sheet over the insula."""
    along = z + 1 + 0.5 * y
    slit = np.maximum(np.abs(along) * 0.9 - 1.1, np.maximum(38.5 - side, np.abs(y + 3) - 36))
    over = ellipsoid((side, y, z), (40, 2, 1), (40, 27, 17), (-20.0, 0.0))
    curved = side - 40.5 + 0.004 * ((y - 2) ** 2 + (z - 1) ** 2)
    return np.minimum(slit, np.maximum(np.abs(curved) - 1.1, over))
