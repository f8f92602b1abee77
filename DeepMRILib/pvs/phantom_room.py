"""Where tubes may lie in a brain, and tubes put there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from DeepMRILib.errors import InputError
from DeepMRILib.progress import Progress
from DeepMRILib.pvs.head_labels import BASAL_GANGLIA, VENTRICLES, WHITE_MATTER
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.pvs.tubes import STEP_MM, Tube, cut, shaped, walks

REGIONS = ("white matter", "basal ganglia")
VENTRICLE_MM = 2.0
"""Tubes keep so far from the ventricles."""
MARGIN_MM = 0.5
"""And their walls so far from other tissue."""
APART_MM = 1.5
"""And from each other, so that each is a cluster of its own in all but coarse images."""
_SEED_MM = 1.0
_BATCH = (40, 200)
_IN_VAIN = 4
"""So many batches without a tube that fits: there is no more room."""


@dataclass(frozen=True, eq=False)
class Room:
    """Where tubes may lie.

    Attributes:
        white, grey: (i, j, k) bool: white matter, and basal ganglia.
        ventricles: (i, j, k) bool; may be empty.
        affine: (4, 4) of that grid.
    """

    white: NDArray
    grey: NDArray
    ventricles: NDArray
    affine: NDArray

    @property
    def inside(self) -> NDArray:
        """White matter and basal ganglia."""
        return self.white | self.grey

    def voxels(self, points: NDArray) -> NDArray:
        """Continuous voxel indices (3, n) of points (n, 3) in RAS mm."""
        return np.linalg.solve(self.affine, np.c_[points, np.ones(len(points))].T)[:3]


def cut_to_content(mask: NDArray, affine: NDArray, margin: int = 8) -> tuple[tuple[slice, slice, slice], NDArray]:
    """The box that holds a mask with a margin in voxels, and its affine.

    Raises:
        InputError: the mask is empty.
    """
    if not mask.any():
        raise InputError("There is no white matter in this image. Give the parcellation or the mask of a brain.")
    box = []
    for axis in range(3):
        where = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        box.append(slice(max(int(where[0]) - margin, 0), int(where[-1]) + 1 + margin))
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    return tuple(box), moved


def room_of_labels(labels: NDArray, affine: NDArray) -> Room:
    """The room that a parcellation with FreeSurfer's or SynthSeg's numbers shows, on the box that holds it."""
    box, affine = cut_to_content(np.isin(labels, (*WHITE_MATTER, *BASAL_GANGLIA)), affine)
    labels = labels[box]
    return Room(*(np.isin(labels, part) for part in (WHITE_MATTER, BASAL_GANGLIA, VENTRICLES)), affine)


def placed(room: Room, options: PhantomOptions, rng: np.random.Generator, progress: Progress) -> list[Tube]:
    """Tubes that lie wholly in the room and apart from each other; fewer than wanted where there is no more place.

    Raises:
        InputError: not one fits.
    """
    if not room.inside.any():
        raise InputError("There is no white matter in this image. Give the parcellation or the mask of a brain.")
    search = _Search(room, options, rng)
    wanted = round(options.tubes * options.basal_ganglia) if room.grey.any() and room.white.any() else 0
    targets = {1: wanted, 0: options.tubes - wanted} if room.white.any() else {1: options.tubes, 0: 0}
    for region, target in targets.items():
        found = in_vain = 0
        while found < target and in_vain < _IN_VAIN:
            progress(len(search.tubes) / options.tubes, "Placing tubes")
            more = search.add(region, target - found)
            found, in_vain = found + more, 0 if more else in_vain + 1
    if not search.tubes:
        raise InputError(
            "No tube fits into this image: its white matter is too small or too thin. Give an image of a whole brain "
            "with a mask or a parcellation that belongs to it, or choose thinner and shorter tubes."
        )
    order = rng.permutation(len(search.tubes))
    return [search.tubes[n] for n in order]


class _Search:
    """Tubes that were accepted so far, and what new ones are checked with."""

    def __init__(self, room: Room, options: PhantomOptions, rng: np.random.Generator) -> None:
        self._room, self._options, self._rng = room, options, rng
        self.tubes: list[Tube] = []
        self._taken, self._widths = np.empty((0, 3)), np.empty(0)
        spacing = np.linalg.norm(room.affine[:3, :3], axis=0)
        half = float(spacing.min()) / 2  # from a voxel's middle to its wall
        self._depth = (ndimage.distance_transform_edt(room.inside, sampling=spacing) - half).astype(np.float32)
        if room.ventricles.any():
            self._away = ndimage.distance_transform_edt(~room.ventricles, sampling=spacing).astype(np.float32)
        else:  # towards the middle of the brain instead, where they must be
            middle = np.array(ndimage.center_of_mass(room.inside))
            places = np.ogrid[tuple(slice(n) for n in room.inside.shape)]
            squares = [((p - m) * e) ** 2 for p, m, e in zip(places, middle, spacing, strict=True)]
            self._away = np.sqrt(sum(squares)).astype(np.float32) + 100
        self._seeds = [np.flatnonzero(mask & (self._depth > _SEED_MM)) for mask in (room.white, room.grey)]

    def add(self, region: int, most: int) -> int:
        """Try a batch of tubes in a region; how many of them were accepted."""
        seeds = self._seeds[region]
        if not seeds.size:
            return 0
        options, rng = self._options, self._rng
        count = int(np.clip(2 * most, *_BATCH))
        voxels = np.stack(np.unravel_index(rng.choice(seeds, count), self._depth.shape), axis=1)
        voxels = voxels + rng.uniform(-0.5, 0.5, voxels.shape)
        starts = voxels @ self._room.affine[:3, :3].T + self._room.affine[:3, 3]
        spread = np.exp(options.diameter_spread * rng.standard_normal(count))
        diameters = np.clip(options.diameter * spread, *sorted(options.diameters))
        # short ones are more common than long ones, and thick ones longer
        shortest, longest = sorted(options.lengths)
        lengths = np.clip(rng.gamma(2.5, 4.0, count) * (0.5 + 0.5 * diameters), shortest, longest)
        lines = walks(starts, lengths, self._down if region else self._inwards, rng)
        accepted = 0
        for line, diameter in zip(lines, diameters, strict=True):
            if accepted < most and self._accept(shaped(line, diameter, REGIONS[region], rng)):
                accepted += 1
        return accepted

    def _accept(self, tube: Tube) -> bool:
        """Take a tube, cut where it would leave the room, unless it is too short then or meets another."""
        reach = tube.radii.max() * np.sqrt(tube.ratio)
        index = self._room.voxels(tube.line)
        depth = ndimage.map_coordinates(self._depth, index, order=1, cval=-1.0)
        away = ndimage.map_coordinates(self._away, index, order=1, cval=0.0)
        out = (depth < reach + MARGIN_MM) | (away < reach + VENTRICLE_MM)
        if len(self._taken):
            distance, nearest = cKDTree(self._taken).query(tube.line)
            out |= distance < reach + self._widths[nearest] + APART_MM
        points = int(out.argmax()) if out.any() else len(tube.line)
        shortest = max(min(self._options.lengths), 2 * tube.diameter)
        if (points - 1) * STEP_MM < shortest:
            return False
        whole = points == len(tube.line)
        tube = tube if whole else _ended(cut(tube, points))
        self.tubes.append(tube)
        self._taken = np.r_[self._taken, tube.line[::2]]
        self._widths = np.r_[self._widths, np.full(len(tube.line[::2]), reach)]
        return True

    def _inwards(self, points: NDArray) -> NDArray:
        """Towards the ventricles."""
        return -_gradient(self._away, self._room, points)

    def _down(self, points: NDArray) -> NDArray:
        """From above to below, where the vessels of the nuclei come from, and a little towards the middle."""
        return np.stack([-0.15 * np.sign(points[:, 0]), np.zeros(len(points)), -np.ones(len(points))], axis=1)


def _ended(tube: Tube) -> Tube:
    """A tube that was cut, made thinner towards its new end."""
    along = np.arange(len(tube.radii))[::-1] * STEP_MM
    tube.radii[:] *= np.minimum(0.4 + along / 2.0, 1)
    return tube


def _gradient(values: NDArray, room: Room, points: NDArray) -> NDArray:
    """Unit vectors (n, 3) in RAS along which values on the room's grid rise."""
    step = 2.0
    slopes = []
    for axis in np.eye(3):
        ahead, behind = (
            ndimage.map_coordinates(values, room.voxels(points + sign * step * axis), order=1, mode="nearest")
            for sign in (1, -1)
        )
        slopes.append(ahead - behind)
    slope = np.stack(slopes, axis=1)
    return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
