"""What is known of a problem before its brightness is looked at: places, sizes and seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive import seeds
from DeepMRILib.interactive.engine import Problem
from DeepMRILib.interactive.extremes import all_extremes

SLACK = 3.0
"""So many mm outside the box of the points, moved out by their depth, is surely background."""
ROOM = 1.5
"""As is what lies outside their ellipsoid made so much larger."""
CLICK = 2.0
"""A further point, or one where no label is, speaks for so many mm around it."""
USUAL_RADIUS = 20.0
UNITS = (0.25, 1.25)
SURE_INSIDE, SURE_OUTSIDE = 3.0, 4.0
"""So many units inside or outside its margin an earlier segmentation is believed."""
SIX = 6


@dataclass(frozen=True, eq=False)
class LabelScene:
    """What the points of one label say.

    Attributes:
        star: (i, j, k) bool, seeds on the lines between its points.
        further: (i, j, k) bool, around the points beyond the six outermost, or None.
        radii: (i, j, k) float32, 1 on the surface of its ellipsoid.
        outside: (i, j, k) float32, mm outside its box, negative inside.
        depth: (i, j, k) float32, units inside its earlier segmentation, negative outside, or None.
        unit: the length in mm that scales are counted in: 1 for a lesion of 20 mm radius, less for smaller ones.
    """

    star: NDArray
    further: NDArray | None
    radii: NDArray
    outside: NDArray
    depth: NDArray | None
    unit: float

    @property
    def surely(self) -> NDArray:
        """Seeds (i, j, k) bool of the label."""
        found = self.star if self.further is None else self.star | self.further
        return found if self.depth is None else found | (self.depth > SURE_INSIDE)

    @property
    def surely_not(self) -> NDArray:
        """Where the label is not, (i, j, k) bool, unless its seeds say otherwise."""
        found = (self.outside > SLACK) | (self.radii > ROOM)
        return found if self.depth is None else found | (self.depth < -SURE_OUTSIDE)


@dataclass(frozen=True, eq=False)
class Scene:
    """All labels together.

    Attributes:
        labels: each with what its points say.
        negative: (i, j, k) bool, around the points where no label is, or None.
    """

    labels: tuple[LabelScene, ...]
    negative: NDArray | None

    def seed_masks(self) -> NDArray:
        """Seeds (labels + 1, i, j, k) bool, the background first; none is in two masks."""
        outside = np.logical_and.reduce([label.surely_not for label in self.labels])
        for axis in range(3):
            for end in (0, -1):
                np.moveaxis(outside, axis, 0)[end] = True
        taken = np.zeros_like(outside) if self.negative is None else self.negative
        own = []
        for label in self.labels:
            own.append(label.surely & ~taken)
            taken = taken | own[-1]
        outside &= ~taken
        return np.stack([outside if self.negative is None else outside | self.negative, *own])


def scene_of(problem: Problem) -> Scene:
    """The scene of a problem on its own grid."""
    negative = None
    if len(problem.negative):
        negative = seeds.balls(problem.negative, problem.shape, problem.spacing, CLICK)
    return Scene(tuple(_label(problem, number) for number in range(1, len(problem.points) + 1)), negative)


def outermost(points: NDArray) -> NDArray:
    """Which of the points (n, 3) are the outermost along an axis, (n,) bool; of six or fewer all."""
    if len(points) <= SIX:
        return np.ones(len(points), dtype=bool)
    found = np.zeros(len(points), dtype=bool)
    found[points.argmin(axis=0)] = True
    found[points.argmax(axis=0)] = True
    return found


def _label(problem: Problem, number: int) -> LabelScene:
    points = problem.points[number - 1]
    extremes = all_extremes(points, problem)
    positions = seeds.millimetres(problem.shape, problem.spacing)
    unit = float(np.clip(max(one.radius for one in extremes) / USUAL_RADIUS, *UNITS))
    outer = outermost(points)
    further = None
    if not outer.all():
        further = seeds.balls(points[~outer], problem.shape, problem.spacing, CLICK)
    return LabelScene(
        star=seeds.star(points[outer], problem.shape),
        further=further,
        # what any reading of the points leaves room for, is possible
        radii=np.minimum.reduce([one.radii(positions) for one in extremes]),
        outside=np.minimum.reduce([one.distance_to_box(positions) for one in extremes]),
        depth=None if problem.prior is None else _depth(problem.prior == number, problem.spacing, unit),
        unit=unit,
    )


def _depth(region: NDArray, spacing: tuple[float, float, float], unit: float) -> NDArray | None:
    """Units from the margin of a region, positive inside; None of an empty one."""
    if not region.any() or region.all():
        return None
    inside = ndimage.distance_transform_edt(region, sampling=spacing)
    outside = ndimage.distance_transform_edt(~region, sampling=spacing)
    return ((inside - outside) / unit).astype(np.float32)
