"""Series with known parameters, for training and scoring: simulated ones, or a folder's with what its headers say."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.iap.header_table import read_cells
from DeepMRILib.iap.heads import known
from DeepMRILib.iap.parameters import BY_NAME, Value
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.splitting import spread_slices
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.tables import Table

if TYPE_CHECKING:
    from DeepMRILib.iap.series import SeriesPlace

KEYS = ("series", "file", "path")
"""Columns of a table that say which series a row is of."""


def labelled(
    data: SliceSet | Path | str, *, table: Path | None = None, slices: int = 0, progress: Progress | None = None
) -> tuple[SliceSet, Table]:
    """Slices with what is known of them, and what could not be read (``path``, ``reason``).

    Args:
        data: slices, or a folder of series (DICOM in any order, or NIfTI with sidecars).
        table: a CSV file with a column ``series``, ``file`` or ``path`` (the series' UID, its name below the folder, or
            the end of its path), columns named as parameters, and perhaps ``patient``; what it says overrules headers.
        slices: of each series, spread over its middle; 0 takes all.
        progress: told how far it is.

    Raises:
        InputError: nothing readable there, or a table without such columns.
    """
    rows = {} if table is None else read_table(Path(table))
    if isinstance(data, SliceSet):
        unread = Table({"path": [], "reason": []})
        found = data.subset(spread_slices(data.series, slices))
    else:
        found, unread = _of_folder(Path(data), slices, progress or silent)
    return (overruled(found, rows) if rows else found), unread


def read_table(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a table by series.

    Raises:
        InputError: not readable, without a column that names series or without any parameter, or with a series twice.
    """
    names, lines = read_cells(path)
    key = next((name for name in KEYS if name in names), None)
    if key is None or not set(names) & set(BY_NAME):
        raise InputError(
            f"The table {path} has no column {', '.join(KEYS)}, or none named as a parameter ({', '.join(BY_NAME)})."
        )
    rows = [{name: cell.strip() for name, cell in zip(names, line, strict=True)} for line in lines]
    counts = Counter(row[key] for row in rows if row[key])
    twice = next((name for name, count in counts.items() if count > 1), None)
    if twice is not None:
        raise InputError(f"The table {path} has {counts[twice]} rows for {twice!r}. Leave one row for each series.")
    return {row.pop(key): row for row in rows}


def overruled(found: SliceSet, rows: Mapping[str, Mapping[str, str]]) -> SliceSet:
    """The slices with what a table says of their series in place of what was known.

    Raises:
        InputError: no row is of one of the series, or a number is none.
    """
    nothing = np.full(len(found), "")
    called = zip(found.series, found.extra.get("uid", nothing), found.extra.get("source", nothing), strict=True)
    matched = [_row_of([str(one) for one in names], rows) for names in called]
    if not any(matched):
        raise InputError(f"No row of the table names one of the series, such as {found.series[0]}.")
    values = {name: list(entries) for name, entries in found.values.items()}
    for name in {column for row in rows.values() for column in row if column in BY_NAME}:
        entries = values.setdefault(name, [None] * len(found))
        for number, row in enumerate(matched):
            if row and row.get(name):
                entries[number] = _value(name, row[name])
    patients = [
        row["patient"] if row and row.get("patient") else old for row, old in zip(matched, found.patients, strict=True)
    ]
    return SliceSet(found.slices, values, found.series, np.array(patients), found.notes, found.extra)


def _row_of(names: Sequence[str], rows: Mapping[str, Mapping[str, str]]) -> Mapping[str, str] | None:
    """The row of a series: by its name, its UID, or the end of its path."""
    for name in names:
        if name in rows:
            return rows[name]
    path = Path(names[-1]).as_posix()
    return next((row for key, row in rows.items() if key and path.endswith(f"/{key}")), None)


def _value(name: str, text: str) -> Value:
    if BY_NAME[name].kind == "categorical":
        return text
    if text.lower() in ("n/a", "nan"):
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"The table says {text!r} of {name}, which is no number above 0. Mend it, or leave it empty.")
    return number


def _of_folder(folder: Path, slices: int, progress: Progress) -> tuple[SliceSet, Table]:
    from DeepMRILib.iap.series import find_series, read_series

    found = find_series(folder, progress=part(progress, 0.0, 0.3))
    unread = [{"path": str(one.path), "reason": one.reason} for one in found.unread]
    gathered = _Gathered()
    for number, place in enumerate(found):
        progress(0.3 + 0.7 * number / len(found), f"Reading series {number + 1} of {len(found)}")
        try:
            gathered.add(place, read_series(place, most=slices).slices)
        except InputError as error:
            unread.append({"path": place.name, "reason": str(error)})
    if not gathered.images:
        reason = f" The first that was left out: {unread[0]['reason']}" if unread else ""
        raise InputError(f"No series could be read in {folder}. Give a folder of DICOM series or NIfTI images.{reason}")
    return gathered.slice_set(), Table({name: [row[name] for row in unread] for name in ("path", "reason")})


@dataclass
class _Gathered:
    """The slices of a folder's series so far."""

    images: list[NDArray] = field(default_factory=list)
    places: list[SeriesPlace] = field(default_factory=list)

    def add(self, place: SeriesPlace, slices: Sequence[NDArray]) -> None:
        self.images += slices
        self.places += [place] * len(slices)

    def slice_set(self) -> SliceSet:
        values = {name: [place.header.values.get(name) for place in self.places] for name in BY_NAME}
        return SliceSet(
            self.images,
            {name: column for name, column in values.items() if any(known(one) for one in column)},
            series=np.array([place.name for place in self.places]),
            patients=np.array([place.patient for place in self.places]),
            extra={
                "source": np.array([str(place.path) for place in self.places]),
                "uid": np.array([place.header.series for place in self.places]),
            },
        )
