"""A slice to draw on: soft-edged ellipses on a warped grid, random textures, phase and noise; lengths in mm."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.random_fields import Grid, Random, smooth_noise

Point = tuple[float, float]
Window = tuple[slice, slice]
EVERYWHERE: Window = (slice(None), slice(None))


def slice_random(seed: int, number: int) -> Random:
    """Random numbers of one slice: the first slices of a larger set are those of a smaller one."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))


@dataclass(eq=False)
class Canvas:
    """An image (size, size) that shapes are painted on, one over the other.

    Attributes:
        size: rows and columns.
        field_of_view: edge length in mm.
        random: of this slice.
        warp: by how many mm the grid is bent, on average, so that ellipses become organs; over about 60 mm.
        image: what was painted so far.
        labels: what is where.
    """

    size: int
    field_of_view: float
    random: Random
    warp: float = 0.0
    image: NDArray = field(init=False)
    labels: NDArray = field(init=False)

    def __post_init__(self) -> None:
        self.image = np.zeros((self.size, self.size), dtype=np.float32)
        self.labels = np.zeros((self.size, self.size), dtype=np.uint8)
        self._x, self._y = self._bent()

    @property
    def pixel(self) -> float:
        """Edge length of a pixel in mm."""
        return self.field_of_view / self.size

    @cached_property
    def _grid(self) -> Grid:
        along = ((np.arange(self.size) - (self.size - 1) / 2) * self.pixel).astype(np.float32)
        # the axis of one point first: the field is reduced to a plane before it is drawn out
        return Grid((np.zeros(1, dtype=np.float32), along, along))

    def _bent(self) -> tuple[NDArray, NDArray]:
        """Where each pixel lies (x to the right, y downwards, from the middle), moved by a smooth field."""
        y, x = self._grid.axes[1][:, None], self._grid.axes[2][None, :]
        if not self.warp:
            return np.broadcast_to(x, self.image.shape), np.broadcast_to(y, self.image.shape)
        return x + self.warp * self.noise(60), y + self.warp * self.noise(60)

    def noise(self, scale: float) -> NDArray:
        """A smooth random field of mean about 0 and standard deviation about 1 that varies over ``scale`` mm."""
        return smooth_noise(self.random, self._grid, scale)[0]

    def ellipse(self, centre: Point, radii: Point, angle: float = 0.0, *, window: Window = EVERYWHERE) -> NDArray:
        """How much of each pixel lies in an ellipse, 0 to 1; its edge is a pixel wide.

        Args:
            centre: in mm from the image's middle, to the right and downwards.
            radii: in mm, along the axis that is turned by ``angle`` (in radians, from right to down) and across it.
            window: the rows and columns that are asked for.
        """
        (a, b), cos, sin = radii, np.cos(angle), np.sin(angle)
        x, y = self._x[window], self._y[window]
        u = np.float32(cos / a) * x + np.float32(sin / a) * y - np.float32((cos * centre[0] + sin * centre[1]) / a)
        v = np.float32(cos / b) * y - np.float32(sin / b) * x - np.float32((cos * centre[1] - sin * centre[0]) / b)
        u *= u
        v *= v
        # with q^2 = u + v, the distance from the edge q = 1 to first order: (q - 1) / |grad q|, |grad q| = slope / q
        square = u + v
        slope = np.sqrt(u * np.float32(1 / a**2) + v * np.float32(1 / b**2)) + np.float32(1e-9)
        outwards = (square - np.sqrt(square)) / (slope * np.float32(self.pixel))
        # in the middle the first order says nothing; all of it is inside
        return np.where(square < 0.25, np.float32(1), np.minimum(np.maximum(np.float32(0.5) - outwards, 0), 1))

    def paint(self, cover: NDArray, value: float | NDArray, window: Window = EVERYWHERE) -> None:
        """Lay a signal over what is there, as far as each pixel is covered."""
        there = self.image[window]
        there += cover * (value - there)

    def spot(
        self, centre: Point, radii: Point, value: float, angle: float = 0.0, *, within: NDArray | None = None
    ) -> None:
        """Paint an ellipse; ``within`` another cover only, where one is given."""
        window = self._window(centre, max(radii))
        cover = self.ellipse(centre, radii, angle, window=window)
        self.paint(cover if within is None else cover * within[window], np.float32(value), window)

    def _window(self, centre: Point, reach: float) -> Window:
        """The rows and columns that can see a shape; warps go beyond four times their mean in no pixel of note."""
        reach += 4 * self.warp + 2 * self.pixel
        edges = [(centre[axis] + side * reach) / self.pixel + self.size / 2 for axis in (1, 0) for side in (-1, 1)]
        top, bottom, left, right = (int(np.clip(round(edge), 0, self.size)) for edge in edges)
        return slice(top, bottom), slice(left, right)

    def shade(self, strength: float, scale: float) -> None:
        """Let the signal vary over ``scale`` mm by about a fraction ``strength``."""
        self.image *= np.exp(np.float32(strength) * self.noise(scale))

    def measured(self, phase: bool, noise: float) -> NDArray:
        """The image as received: complex with a smooth phase, or else its magnitude.

        Args:
            phase: whether it has a phase, of a few radians across the image as of field and coils.
            noise: standard deviation of the noise in each of the two channels.
        """
        angle = self.random.uniform(-np.pi, np.pi) + 0.8 * self.noise(self.field_of_view / 2) if phase else 0.0
        channels = self.random.standard_normal((2, *self.image.shape), dtype=np.float32) * np.float32(noise)
        received = self.image * np.exp(1j * np.asarray(angle, dtype=np.float32)) + channels[0] + 1j * channels[1]
        return received.astype(np.complex64) if phase else np.abs(received).astype(np.float32)
