"""Simulated subjects: heads, abdomens and breasts of ellipsoids with uneven borders, each with tissues of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.iap.tissues import INDEX, TISSUES, Factors
from DeepMRILib.random_fields import Grid, smooth_noise

Anatomy = Literal["head", "abdomen", "breast"]
ANATOMIES: tuple[Anatomy, ...] = ("head", "abdomen", "breast")
REACH_MM = (60.0, 250.0, 250.0)
"""How far from its middle a subject's uneven borders are one field, along the body, to the back and to the left: more
than any slice's height and any field of view."""


@dataclass(frozen=True, eq=False)
class Subject:
    """One simulated subject.

    Attributes:
        anatomy: what part of the body.
        seed: of its shape; the same seed gives the same subject, whatever is imaged of it.
        factors: its tissues against the table's.
    """

    anatomy: Anatomy
    seed: int
    factors: Factors


@dataclass(frozen=True, eq=False)
class View:
    """What a series images.

    Attributes:
        size: rows and columns.
        field_of_view: edge in mm.
        heights: (n,) of the slices along the body, in mm.
        thickness: of the slices in mm.
        angle: by which the subject lies turned, in radians.
        offset: (x, y) of the subject in the frame, in mm.
    """

    size: int
    field_of_view: float
    heights: NDArray
    thickness: float
    angle: float = 0.0
    offset: tuple[float, float] = (0.0, 0.0)

    @property
    def pixel(self) -> float:
        """Edge of a pixel in mm."""
        return self.field_of_view / self.size


def draw_subject(random: np.random.Generator, variation: float) -> Subject:
    """A new subject; see ``Factors.draw`` for ``variation``."""
    anatomy = ANATOMIES[int(random.integers(len(ANATOMIES)))]
    return Subject(anatomy, int(random.integers(2**32)), Factors.draw(random, variation))


def sections(subject: Subject, view: View) -> NDArray:
    """The fraction of each tissue (tissues, n, rows, columns) float32 in each pixel of n slices.

    A slice is the mean of two thin ones, at the points of Gauss and Legendre: borders that run obliquely through a
    thick slice come out smooth.
    """
    from DeepMRILib.iap.subjects_anatomy import DRAWN

    random = np.random.default_rng(subject.seed)
    half = view.thickness / (2 * np.sqrt(3))
    heights = np.concatenate([view.heights - half, view.heights + half]).astype(np.float32)
    place = _places(random, view, heights)
    canvas = Canvas(place, view.pixel)
    DRAWN[subject.anatomy](canvas, random)
    n = len(view.heights)
    return 0.5 * (canvas.fractions[:, :n] + canvas.fractions[:, n:])


@dataclass(frozen=True, eq=False)
class Places:
    """Where the pixels are in the subject, each (n, rows, columns) float32 in mm: x to the left, y to the back, z up;
    and two fields of mean 0 and standard deviation 1, a coarse and a fine one.
    """

    x: NDArray
    y: NDArray
    z: NDArray
    coarse: NDArray
    fine: NDArray


def _places(random: np.random.Generator, view: View, heights: NDArray) -> Places:
    line = (np.arange(view.size, dtype=np.float32) - (view.size - 1) / 2) * np.float32(view.pixel)
    grid = Grid((heights, line, line))
    # one after the other from the subject's own numbers: the same subject in every view
    warps = [smooth_noise(random, grid, 45.0, REACH_MM) * 4 for _ in range(2)]
    coarse, fine = smooth_noise(random, grid, 28.0, REACH_MM), smooth_noise(random, grid, 8.0, REACH_MM)
    y, x = np.meshgrid(line - view.offset[1], line - view.offset[0], indexing="ij")
    cos, sin = np.cos(view.angle), np.sin(view.angle)
    turned_x, turned_y = (cos * x + sin * y).astype(np.float32), (cos * y - sin * x).astype(np.float32)
    z = np.broadcast_to(heights[:, None, None], coarse.shape)
    return Places(turned_x + warps[0], turned_y + warps[1], z, coarse, fine)


class Canvas:
    """Tissue fractions that shapes are painted onto, one over the other; air to begin with.

    Attributes:
        at: where its pixels are.
        fractions: (tissues, n, rows, columns) float32; what is missing to 1 is air.
    """

    def __init__(self, at: Places, pixel: float) -> None:
        self.at = at
        self.fractions = np.zeros((len(TISSUES), *at.x.shape), np.float32)
        self._edge = np.float32(1 / pixel)
        self._used: set[int] = set()

    def ellipsoid(self, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> NDArray:
        """About how many mm each pixel lies inside an ellipsoid, below 0 outside."""
        u, v, w = ((one - c) * np.float32(1 / r) for one, c, r in zip(self._axes(), centre, radii, strict=True))
        return (1 - np.sqrt(u * u + v * v + w * w)) * np.float32(min(radii[:2]))

    def _axes(self) -> tuple[NDArray, NDArray, NDArray]:
        return self.at.x, self.at.y, self.at.z

    def paint(self, inside: NDArray, *tissues: str | tuple[str, float]) -> None:
        """Cover what lies inside (in mm; pixels of the border are shared) with a tissue, a mixture, or air."""
        mask = np.clip(inside * self._edge + np.float32(0.5), 0, 1)
        for number in self._used:
            self.fractions[number] *= 1 - mask
        for entry in tissues:
            name, share = entry if isinstance(entry, tuple) else (entry, 1.0)
            self.fractions[INDEX[name]] += mask * np.float32(share)
            self._used.add(INDEX[name])
