"""Where a network's voxels lie in an image: the axes turned, a part around the points, another spacing."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.crop import Box

Axes = tuple[int, int, int]
Edges = tuple[float, float, float]
ANISOTROPIC = 3.0
"""The longest edge of a voxel over the shortest from which slices are taken one by one (nnU-Net, InteractiveNet)."""


@dataclass(frozen=True)
class Turn:
    """How the axes of a file are turned.

    Attributes:
        order: axis a of the turned array is axis ``order[a]`` of the file.
        flips: whether turned axis a runs the other way.

    Example:
        >>> Turn.canonical(np.diag([-1.0, 1.0, 2.0, 1.0]))
        Turn(order=(0, 1, 2), flips=(True, False, False))
    """

    order: Axes = (0, 1, 2)
    flips: tuple[bool, bool, bool] = (False, False, False)

    @classmethod
    def canonical(cls, affine: NDArray) -> Turn:
        """The turn after which the axes run as nearly as can be to the right, to anterior and to superior."""
        cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        # rounded, so that an exact 45 degrees does not hang on the last digit
        sums = {order: round(sum(abs(cosines[a, order[a]]) for a in range(3)), 6) for order in _ORDERS}
        order = max(_ORDERS, key=lambda candidate: sums[candidate])
        return cls(order, tuple(bool(cosines[a, order[a]] < 0) for a in range(3)))

    def apply(self, array: NDArray) -> NDArray:
        """A view of (i, j, k, ...) with its first three axes turned."""
        turned = array.transpose(*self.order, *range(3, array.ndim))
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def undo(self, array: NDArray) -> NDArray:
        """A view (..., i, j, k) of a turned array (..., a, b, c) with its last three axes as in the file."""
        lead = array.ndim - 3
        straight = array[(..., *(slice(None, None, -1 if flip else 1) for flip in self.flips))]
        back = tuple(lead + self.order.index(axis) for axis in range(3))
        return straight.transpose(*range(lead), *back)

    def matrix(self, shape: Axes) -> NDArray:
        """(4, 4), from turned voxel indices to those of a file's array of ``shape``."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1.0
        for a, (axis, flip) in enumerate(zip(self.order, self.flips, strict=True)):
            matrix[axis, a] = -1.0 if flip else 1.0
            matrix[axis, 3] = shape[axis] - 1.0 if flip else 0.0
        return matrix


_ORDERS = tuple(itertools.permutations(range(3)))


@dataclass(frozen=True)
class Geometry:
    """Where the voxels of a network's input lie in the first image; all plain values.

    Attributes:
        image_shape: of the first image, as in the file.
        image_affine: (4, 4) of the first image, row by row.
        order, flips: how the image's axes are turned (``Turn``).
        start: the turned image's voxel coordinates of the first network voxel.
        step: voxels of the turned image from one network voxel to the next.
        grid: network voxels along each axis that lie in the image.
        before: zeros before them.
        shape: of the network's input, the zeros included.
        slicewise: the axis along which slices were taken one by one, -1 where the image was interpolated in 3D.
    """

    image_shape: Axes
    image_affine: tuple[tuple[float, ...], ...]
    order: Axes
    flips: tuple[bool, bool, bool]
    start: Edges
    step: Edges
    grid: Axes
    before: Axes
    shape: Axes
    slicewise: int = -1

    @property
    def turn(self) -> Turn:
        """How the image's axes are turned."""
        return Turn(self.order, self.flips)

    @property
    def turned_shape(self) -> Axes:
        """The first image's shape after the turn."""
        return tuple(self.image_shape[axis] for axis in self.order)

    @property
    def turned_affine(self) -> NDArray:
        """(4, 4), from voxel indices of the turned image to RAS mm."""
        return np.array(self.image_affine) @ self.turn.matrix(self.image_shape)

    @property
    def spacing(self) -> Edges:
        """The network's voxel edges in mm."""
        edges = np.linalg.norm(self.turned_affine[:3, :3], axis=0) * self.step
        return tuple(float(edge) for edge in edges)

    @property
    def affine(self) -> NDArray:
        """(4, 4), from voxel indices of the network's input, zeros included, to RAS mm."""
        to_image = np.diag([*self.step, 1.0])
        to_image[:3, 3] = np.array(self.start) - np.array(self.before) * self.step
        return self.turned_affine @ to_image

    @property
    def inside(self) -> tuple[slice, slice, slice]:
        """The part of the network's input that lies in the image: what is not padded with zeros."""
        return tuple(slice(first, first + n) for first, n in zip(self.before, self.grid, strict=True))

    @property
    def turned_box(self) -> Box:
        """The voxels of the turned image that the network's voxels cover."""
        step, shape = np.array(self.step), np.array(self.turned_shape)
        low = np.array(self.start) - step / 2
        high = low + np.array(self.grid) * step
        # a centre on the very edge belongs to the box, however the edge was rounded
        first = np.clip(np.ceil(low - 1e-6), 0, shape - 1).astype(int)
        last = np.clip(np.ceil(high - 1e-6), first + 1, shape).astype(int)
        return Box(tuple(first.tolist()), tuple(last.tolist()))

    @property
    def box(self) -> Box:
        """The voxels of the first image, as in the file, that the network's voxels cover."""
        corners = np.array([self.turned_box.start, np.array(self.turned_box.stop) - 1], dtype=float)
        matrix = self.turn.matrix(self.image_shape)
        found = np.rint(corners @ matrix[:3, :3].T + matrix[:3, 3]).astype(int)
        return Box(tuple(found.min(axis=0).tolist()), tuple((found.max(axis=0) + 1).tolist()))

    def network_indices(self, points: NDArray) -> NDArray:
        """Continuous voxel indices (n, 3) in the network's input of points (n, 3) in RAS mm."""
        return np.linalg.solve(self.affine, np.c_[points, np.ones(len(points))].T)[:3].T

    def to_json(self) -> dict[str, Any]:
        """The geometry as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Geometry:
        """The geometry that ``to_json`` gave; raises TypeError where an entry is missing or unknown."""
        return cls(**{name: _tuples(value) for name, value in values.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, (list, tuple)) else value


def is_anisotropic(spacing: Edges) -> bool:
    """Whether slices are so thick that they are resampled one by one.

    Example:
        >>> is_anisotropic((0.7, 0.7, 4.5)), is_anisotropic((1.0, 1.0, 2.5))
        (True, False)
    """
    return max(spacing) / min(spacing) >= ANISOTROPIC
