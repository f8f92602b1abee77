"""Points in RAS millimetres from Slicer's markups files and from tables."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import damaged, input_file, read_text

SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")
_LARGEST = 50_000_000
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
    try:
        points = np.array(reader(text), dtype=float).reshape(-1, 3)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, csv.Error, RecursionError) as error:
        raise damaged(path, "points", error) from error
    if len(points) == 0:
        raise InputError(f"{path.name} holds no points. Place them in Slicer and save the list again.")
    if not np.isfinite(points).all():
        raise InputError(f"{path.name} holds a point that is not a number. Place it again and save the list.")
    return points


def _markups(text: str) -> list[NDArray]:
    """Slicer's markups JSON (schema: Markups/Resources/Schema/markups-schema-v1.0.3.json)."""
    points = []
    for markup in json.loads(text)["markups"]:
        signs = np.array(_signs(str(markup.get("coordinateSystem", "LPS"))))
        points += [
            signs * _three(point["position"])
            for point in markup.get("controlPoints", [])
            if point.get("positionStatus", "defined") not in _UNPLACED
        ]
    return points


def _fcsv(text: str) -> list[NDArray]:
    """Slicer's older fiducial list: comments, then id, x, y, z, ... in the coordinate system that a comment names."""
    named = re.search(r"^#\s*CoordinateSystem\s*=\s*(\S+)", text, re.MULTILINE)
    signs = np.array(_signs(named[1] if named else "RAS"))
    rows = csv.reader(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return [signs * _three(row[1:4]) for row in rows]


def _table(text: str) -> list[NDArray]:
    rows = [row for row in csv.reader(text.splitlines()) if any(cell.strip() for cell in row)]
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
    if len(coordinates) != 3:
        raise ValueError(f"{len(coordinates)} coordinates where 3 were expected (r, a, s)")
    return np.array(coordinates, dtype=float)


def _signs(system: str) -> tuple[float, float, float]:
    if system.lower() not in _TO_RAS:
        raise ValueError(f"the coordinate system {system!r} is neither LPS nor RAS")
    return _TO_RAS[system.lower()]
