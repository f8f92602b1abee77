"""Points in RAS millimetres from Slicer's markups files and from tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import damaged, input_file, read_text

SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")
_LARGEST = 50_000_000
_MOST_MARKED = 10_000
_SMALLEST_DRAWN = 27  # voxels: fewer can be six points side by side, or one drawn as a ball
_FAULTS = (ValueError, TypeError, KeyError, AttributeError, IndexError, csv.Error, RecursionError)
_TO_RAS = {"ras": (1.0, 1.0, 1.0), "0": (1.0, 1.0, 1.0), "lps": (-1.0, -1.0, 1.0), "1": (-1.0, -1.0, 1.0)}
_UNPLACED = ("undefined", "missing")
_AXES = {"ras": ("r", "a", "s"), "lps": ("l", "p", "s"), "xyz": ("x", "y", "z")}


def read_points(path: str | Path) -> NDArray:
    """Points (n, 3) in RAS mm from Slicer's .mrk.json or .fcsv, or from a .csv table.

    A table has columns r, a, s (or l, p, s; or x, y, z, taken as RAS), or, without a header, three numbers in a row.
    Control points that are not placed are left out; of several lists in one file all points are taken, in order.

    Raises:
        InputError: no such file, another kind of file, no point in it, or something that is no number.
    """
    path = input_file(path, "points file")
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        raise InputError(f"{path.name} is no points file. Give one of {', '.join(SUFFIXES)}, as Slicer saves them.")
    text = read_text(path, _LARGEST)
    reader = _markups if name.endswith(".json") else _fcsv if name.endswith(".fcsv") else _table
    return _sound(path, np.array(_checked(path, reader, text), dtype=float).reshape(-1, 3))


def _sound(path: Path, points: NDArray) -> NDArray:
    if len(points) == 0:
        raise InputError(f"{path.name} holds no points. Place them in Slicer and save the list again.")
    if not np.isfinite(points).all():
        raise InputError(f"{path.name} holds a point that is not a number. Place it again and save the list.")
    return points


def read_prompts(path: str | Path) -> NDArray | dict[str, NDArray]:
    """Points (n, 3) in RAS mm, or, where a file has those of several segments, such points by the segment's name.

    Segments are told by a column ``segment`` of a .csv table (rows without one are left out), by the names of several
    lists in one .mrk.json, or by the labels of an image that is zero but at the points, as InteractiveNet has it.

    Raises:
        InputError: as ``read_points``, or as ``read_labels`` for an image.
    """
    path = input_file(path, "points file")
    name = path.name.lower()
    if not name.endswith(SUFFIXES):
        return _grouped(_marked(path), path)
    grouping = _by_segment if name.endswith(".csv") else _by_list if name.endswith(".json") else None
    groups = grouping(path) if grouping else {}
    return _grouped(groups, path) if groups else read_points(path)


def read_outside_points(path: str | Path) -> NDArray:
    """Points (n, 3) in RAS mm where no segment is: of a table with segments the rows without one, else all.

    Raises:
        InputError: as ``read_points``.
    """
    path = input_file(path, "points file")
    if not path.name.lower().endswith(".csv"):
        return read_points(path)
    free, groups = _rows_by_segment(path)
    return (
        _sound(path, np.array(_checked(path, _positions, free), dtype=float).reshape(-1, 3))
        if groups
        else read_points(path)
    )


def _grouped(groups: dict[str, list[NDArray]], path: Path) -> NDArray | dict[str, NDArray]:
    """The points of several segments by name, those of one without."""
    found = {name: _sound(path, np.array(points, dtype=float)) for name, points in groups.items() if points}
    if not found:
        return _sound(path, np.zeros((0, 3)))
    return found if len(found) > 1 else next(iter(found.values()))


def _by_segment(path: Path) -> dict[str, list[NDArray]]:
    """The points of a table by its column ``segment``; empty where it has none."""
    _, groups = _rows_by_segment(path)
    return {name: _checked(path, _positions, rows) for name, rows in groups.items()}


def _rows_by_segment(path: Path) -> tuple[list[list[str]], dict[str, list[list[str]]]]:
    """The rows without a segment and those of each segment, all with the header; none without such a column."""
    header, *rows = _checked(path, _rows, read_text(path, _LARGEST)) or [[]]
    names = [cell.strip().lower() for cell in header]
    if "segment" not in names:
        return [header], {}
    groups: dict[str, list[list[str]]] = {}
    for row in rows:
        segment = row[names.index("segment")].strip() if len(row) > names.index("segment") else ""
        groups.setdefault(segment, [header]).append(row)
    return groups.pop("", [header]), groups


def _by_list(path: Path) -> dict[str, list[NDArray]]:
    """The points of each list in a file of several; empty where there is one."""
    lists = _checked(path, _lists, read_text(path, _LARGEST))
    if len(lists) < 2:
        return {}
    names = [str(markup.get("name", number)) for number, markup in enumerate(lists, start=1)]
    return {name: _checked(path, _markup, markup) for name, markup in zip(names, lists, strict=True)}


def _marked(path: Path) -> dict[str, list[NDArray]]:
    """The voxels of an image that are not zero, by their label."""
    from DeepMRILib.files import read_labels  # this module is a part of it

    labels = read_labels(path)
    check_marked(labels.array, path.name)
    return {
        name: list(labels.ras_from_voxel(np.argwhere(labels.array == label))) for label, name in labels.names.items()
    }


def check_marked(labels: NDArray, name: str) -> None:
    """Refuse a segmentation (i, j, k) where an image was expected that is zero but at the points.

    Points lie apart; of a segmentation most voxels hang together by their faces.

    Args:
        labels: whole numbers, 0 for none.
        name: of the image, for the sentence.

    Raises:
        InputError: it is a segmentation.
    """
    from scipy import ndimage

    marked = np.count_nonzero(labels)
    if marked <= _SMALLEST_DRAWN:
        return
    drawn = marked > _MOST_MARKED
    if not drawn:
        ranges = (slice(where.min(), where.max() + 1) for where in np.nonzero(labels))
        pieces, _ = ndimage.label(labels[tuple(ranges)] != 0)
        largest = int(np.bincount(pieces[pieces > 0]).max())
        drawn = largest > max(marked / 2, _SMALLEST_DRAWN)
    if drawn:
        count = f"more than {_MOST_MARKED}" if marked > _MOST_MARKED else f"{marked}"
        raise InputError(
            f"{name} marks {count} voxels: it is a segmentation, not points. "
            "Make points of it with: deepmri interactive points"
        )


def _checked(path: Path, reader: Callable[[Any], list[Any]], content: Any) -> list[Any]:
    try:
        return reader(content)
    except _FAULTS as error:
        raise damaged(path, "points", error) from error


def _markups(text: str) -> list[NDArray]:
    """Slicer's markups JSON (schema: Markups/Resources/Schema/markups-schema-v1.0.3.json)."""
    return [point for markup in _lists(text) for point in _markup(markup)]


def _lists(text: str) -> list[Mapping[str, Any]]:
    content = json.loads(text)
    lists = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(lists, list) or not all(isinstance(markup, dict) for markup in lists):
        raise ValueError('it has no list of "markups", as Slicer saves them')
    return lists


def _markup(markup: Mapping[str, Any]) -> list[NDArray]:
    signs = np.array(_signs(str(markup.get("coordinateSystem", "LPS"))))
    return [
        signs * _three(point["position"])
        for point in markup.get("controlPoints", [])
        if point.get("positionStatus", "defined") not in _UNPLACED
    ]


def _fcsv(text: str) -> list[NDArray]:
    """Slicer's older fiducial list: comments, then id, x, y, z, ... in the coordinate system that a comment names."""
    named = re.search(r"^#\s*CoordinateSystem\s*=\s*(\S+)", text, re.MULTILINE)
    signs = np.array(_signs(named[1] if named else "RAS"))
    rows = csv.reader(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return [signs * _three(row[1:4]) for row in rows]


def _table(text: str) -> list[NDArray]:
    return _positions(_rows(text))


def _rows(text: str) -> list[list[str]]:
    return [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]


def _positions(rows: Sequence[Sequence[str]]) -> list[NDArray]:
    if not rows:
        return []
    header = [cell.strip().lower() for cell in rows[0]]
    for system, axes in _AXES.items():
        if set(axes) <= set(header):
            columns = [header.index(axis) for axis in axes]
            signs = np.array(_signs(system.replace("xyz", "ras")))
            status = header.index("defined") if "defined" in header else None
            placed = [row for row in rows[1:] if status is None or row[status].strip() != "0"]
            return [signs * np.array([row[column] for column in columns], dtype=float) for row in placed]
    return [_three(row) for row in rows]


def _three(coordinates: Sequence[str | float]) -> NDArray:
    if not isinstance(coordinates, Sequence):
        raise TypeError(f"the position {coordinates!r} where 3 coordinates were expected")
    if len(coordinates) != 3:
        raise ValueError(f"{len(coordinates)} coordinates where 3 were expected (r, a, s)")
    return np.array(coordinates, dtype=float)


def _signs(system: str) -> tuple[float, float, float]:
    if system.lower() not in _TO_RAS:
        raise ValueError(f"the coordinate system {system!r} is neither LPS nor RAS")
    return _TO_RAS[system.lower()]
