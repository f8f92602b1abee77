"""Points just inside a lesion's margin: what must hold of them, what they are called, and what a user is told early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from DeepMRILib.errors import InputError
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

FEWEST = 6
SIDES = ("left", "right", "posterior", "anterior", "inferior", "superior")
"""The sides of a lesion, in the order of the table of points: down and up each of the axes R, A and S."""
EXTRA = "extra"

_OUTWARD = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]], dtype=float)
_SAME_PLACE = 0.5  # voxels
_CLOSE = 3.0  # of a voxel's shortest edge
_THIN = 0.1  # of the points' length: thinner than this, a side was probably forgotten
_BESIDE = 0.15  # of the longest distance between points
_FLAT = 0.5  # of a voxel's shortest edge: points in one slice are flatter, in two slices thicker


def side_names(points: ArrayLike) -> list[str]:
    """The side of the lesion that each point (n, 3) in RAS mm marks, whatever their order.

    Six points get the six names of ``SIDES``, each once, so that the points lie as far out on their sides as any such
    choice allows, with each axis measured by the lesion's extent along it (an optimal assignment). Further points are
    ``"extra"``. The names of fewer than six can change with the next point.

    Example:
        >>> side_names([[0, 0, 9], [-9, 0, 0], [0, 9, 0], [9, 0, 0], [0, -9, 0], [0, 0, -9], [0, 0, 0]])
        ['superior', 'left', 'anterior', 'right', 'posterior', 'inferior', 'extra']
    """
    points = np.asarray(points, dtype=float).reshape(-1, 3)
    names = [EXTRA] * len(points)
    if len(points) == 0:
        return names
    # the median: where a side has no point yet, the others do not stand out towards it; and at least 1 mm, since an
    # axis without extent would make noise decide
    outward = (points - np.median(points, axis=0)) / np.maximum(np.ptp(points, axis=0), 1.0)
    chosen = linear_sum_assignment(outward @ _OUTWARD.T, maximize=True)
    for point, side in zip(*chosen, strict=True):
        names[point] = SIDES[side]
    return names


def missing_sides(points: ArrayLike) -> list[str]:
    """The sides that no point (n, 3) in RAS mm marks yet.

    Example:
        >>> missing_sides([[-9, 0, 0], [9, 0, 0], [0, 9, 0], [0, -9, 0]])
        ['inferior', 'superior']
    """
    found = set(side_names(points))
    return [side for side in SIDES if side not in found]


def points_table(positive: Mapping[str, NDArray], negative: ArrayLike = ()) -> Table:
    """Every point in RAS mm with its segment and the side of the lesion that it marks.

    Args:
        positive: points (n, 3) by the name of their segment.
        negative: (m, 3) where no segment is; they stand last, without a segment.
    """
    known = [
        (segment, name, point)
        for segment, points in positive.items()
        for name, point in zip(side_names(points), np.asarray(points, dtype=float), strict=True)
    ]
    known += [("", "negative", point) for point in np.asarray(negative, dtype=float).reshape(-1, 3)]
    rows = [
        {"segment": segment, "name": name, **dict(zip("ras", point.tolist(), strict=True))}
        for segment, name, point in known
    ]
    return Table.from_rows(rows, units=dict.fromkeys("ras", "mm"))


def check_points(points: NDArray, volume: Volume, *, name: str = "") -> None:
    """Refuse points (n, 3) in RAS mm that no lesion can be segmented from.

    Only the voxels at the points are looked at, so that the size of the image does not matter.

    Args:
        points: finite positions.
        volume: the image, of one or several values per voxel.
        name: of their label, where there are several.

    Raises:
        InputError: an image of one slice, fewer than six points, a point outside the image or on a voxel without a
            finite value, two points in one place, or all points in one plane.
    """
    if min(volume.shape) < 2:
        raise InputError(
            f"The image is a single slice ({' x '.join(map(str, volume.shape))} voxels); a lesion is segmented in 3D. "
            "Give the whole volume."
        )
    of = f" of {name}" if name else ""
    if len(points) < FEWEST:
        raise InputError(
            f"{_count(len(points))}{of} given; expected at least {FEWEST}, one just inside each side of the lesion: "
            "left, right, posterior, anterior, inferior and superior."
        )
    called = [f"{label}{of}" for label in _called(points)]
    for point, distance in _outside(points, volume):
        raise InputError(
            f"{_capital(called[point])} lies outside the image, {_mm(distance)} beyond its edge. "
            "Place it again inside the lesion."
        )
    for point in _without_value(points, volume):
        raise InputError(
            f"{_capital(called[point])} lies where the image has no finite value. Place it on the lesion, "
            "or choose another image."
        )
    for first, second, distance in coincident(points, volume):
        raise InputError(
            f"{_capital(called[first])} and {called[second]} lie in the same place, {_mm(distance)} apart. "
            "Move one of them to another side of the lesion."
        )
    if (flat := _flat(points, _FLAT * min(volume.spacing))) is not None:
        raise InputError(
            f"All {len(points)} points{of} lie in one {flat}. Spread them over the three axes: left and right, "
            "posterior and anterior, inferior and superior."
        )


@dataclass(frozen=True)
class Hint:
    """What a user is told about points that were just placed.

    Attributes:
        kind: what about.
        points: which, counted from 0.
        text: one or two sentences.
    """

    kind: Literal["outside", "no value", "side", "close", "flat"]
    points: tuple[int, ...]
    text: str


def hints(points: ArrayLike, volume: Volume, depth: float = 5.0) -> list[Hint]:
    """What looks wrong with points (n, 3) in RAS mm, however few; nothing here is an error.

    Points outside the image or without a value there, points closer than three voxel edges, two on one side of the
    lesion, points nearly in one plane (from four on). What is still to be placed, ``missing_sides`` says.

    Args:
        points: finite positions.
        volume: the image.
        depth: how far inside the margin points are placed, in mm: nothing is said of sides that are closer than that.
    """
    points = np.asarray(points, dtype=float).reshape(-1, 3)
    called = _called(points)
    out = [
        Hint("outside", (p,), f"{_capital(called[p])} lies outside the image, {_mm(distance)} beyond its edge.")
        for p, distance in _outside(points, volume)
    ]
    if out:
        return out  # the rest of what could be said would mislead
    found = [
        Hint("no value", (p,), f"{_capital(called[p])} lies where the image has no finite value.")
        for p in _without_value(points, volume)
    ]
    beside = list(_same_side(points, called, depth))
    for first, second, distance in _close(points, _CLOSE * min(volume.spacing)):
        if any(hint.points == (first, second) for hint in beside):
            continue
        text = f"{_capital(called[first])} and {called[second]} lie close together, {_mm(distance)} apart."
        found.append(Hint("close", (first, second), text))
    found.extend(beside)
    if len(points) >= 4:
        length, _, thickness = _extents(points)
        if thickness < max(_THIN * length, min(volume.spacing)):
            text = "The points lie nearly in one plane. Mark the sides across it, too."
            found.append(Hint("flat", tuple(range(len(points))), text))
    return found


def _same_side(points: NDArray, called: list[str], depth: float) -> Iterator[Hint]:
    """Points much closer to each other than the lesion is large.

    Of six points one of which had been placed beside that of the opposite side, this finds 7 in 10, and of six good
    points it doubts 1 in 20: those of a lesion that reaches two of its sides in one corner.
    """
    pairs = list(_close(points, np.inf))
    longest = max((distance for *_, distance in pairs), default=0.0)
    for first, second, distance in pairs:
        if longest > depth and distance < _BESIDE * longest:
            text = f"{_capital(called[first])} and {called[second]} lie on the same side, {_mm(distance)} apart."
            missing = missing_sides(np.delete(points, second, axis=0))
            if len(missing) == 1:
                text += f" Is the {missing[0]} side marked?"
            yield Hint("side", (first, second), text)


def _called(points: NDArray) -> list[str]:
    """What users know their points by."""
    return [f"point {number} ({side})" for number, side in enumerate(side_names(points), start=1)]


def _outside(points: NDArray, volume: Volume) -> Iterator[tuple[int, float]]:
    """The points outside the image, and how far in mm."""
    indices = volume.voxel_from_ras(points) if len(points) else np.zeros((0, 3))
    nearest = np.rint(indices)
    out = ((nearest < 0) | (nearest >= volume.shape)).any(axis=1)
    at_edge = np.clip(indices, -0.5, np.array(volume.shape) - 0.5)
    distances = np.linalg.norm((indices - at_edge) @ volume.affine[:3, :3].T, axis=1)
    yield from ((int(point), float(distances[point])) for point in np.flatnonzero(out))


def _without_value(points: NDArray, volume: Volume) -> Iterator[int]:
    """The points, all inside the image, on voxels with a value that is not finite."""
    for number, point in enumerate(points):
        i, j, k = np.rint(volume.voxel_from_ras(point)[0]).astype(int)
        if not np.isfinite(volume.array[i, j, k]).all():
            yield number


def coincident(points: NDArray, volume: Volume) -> Iterator[tuple[int, int, float]]:
    """Pairs of points in one place, and their distance in mm."""
    for first, second in sorted(cKDTree(volume.voxel_from_ras(points)).query_pairs(_SAME_PLACE)):
        yield first, second, float(np.linalg.norm(points[first] - points[second]))


def _close(points: NDArray, distance: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of points closer than that, and their distance in mm."""
    for first, second in combinations(range(len(points)), 2):
        between = float(np.linalg.norm(points[first] - points[second]))
        if between < distance:
            yield first, second, between


def _flat(points: NDArray, thickness: float) -> str | None:
    """``"line"`` or ``"plane"`` when the points are no thicker than that (mm) across it, else None."""
    extents = _extents(points)
    if extents[1] < thickness:
        return "line"
    return "plane" if extents[2] < thickness else None


def _extents(points: NDArray) -> NDArray:
    """How far three or more points reach (mm) along their own axes, the longest first."""
    centred = points - points.mean(axis=0)
    return np.ptp(centred @ np.linalg.svd(centred, full_matrices=False)[2].T, axis=0)


def _count(number: int) -> str:
    return {0: "No points", 1: "1 point"}.get(number, f"{number} points")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _mm(distance: float) -> str:
    """A distance as people write it; never 0.0 for one that is something."""
    return f"{distance:.0f} mm" if distance >= 10 else f"{np.ceil(distance * 10) / 10:.1f} mm"
