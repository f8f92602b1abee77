"""Series with known parameters, for training and scoring: simulated ones, or a folder's with what its headers say."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from DeepMRILib.errors import DeepMRIError, InputError
from DeepMRILib.iap.heads import known
from DeepMRILib.iap.parameters import BY_NAME, Value
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.splitting import spread_slices
from DeepMRILib.progress import Progress, silent
from DeepMRILib.tables import Table

KEYS = ("series", "file", "path")
"""Columns of a table that say which series a row is of."""


def labelled(
    data: SliceSet | Path | str, *, table: Path | None = None, slices: int = 0, progress: Progress | None = None
) -> tuple[SliceSet, Table]:
    """Slices with what is known of them, and what could not be read (``path``, ``reason``).

    Args:
        data: slices, or a folder of series (DICOM in any order, or NIfTI with sidecars).
        table: a CSV file with a column ``series``, ``file`` or ``path`` (the series' UID or name, or the end of its
            path), columns named as parameters, and, if wished, ``patient``; what it says overrules headers.
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
        InputError: not readable, or without a column that names series, or without any parameter.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [dict(row) for row in csv.DictReader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The table {path} cannot be read ({error}). Give a CSV file.") from error
    names = set(rows[0]) if rows else set()
    key = next((name for name in KEYS if name in names), None)
    if key is None or not names & set(BY_NAME):
        raise InputError(
            f"The table {path} has no column {', '.join(KEYS)}, or none named as a parameter ({', '.join(BY_NAME)})."
        )
    return {str(row.pop(key)).strip(): {name: (value or "").strip() for name, value in row.items()} for row in rows}


def overruled(found: SliceSet, rows: Mapping[str, Mapping[str, str]]) -> SliceSet:
    """The slices with what a table says of their series in place of what was known.

    Raises:
        InputError: no row is of one of the series, or a number is none.
    """
    sources = found.extra.get("source", found.series)
    matched = [_row_of(str(name), str(source), rows) for name, source in zip(found.series, sources, strict=True)]
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


def _row_of(name: str, source: str, rows: Mapping[str, Mapping[str, str]]) -> Mapping[str, str] | None:
    if name in rows:
        return rows[name]
    path = Path(source).as_posix()
    return next((row for key, row in rows.items() if key and (path == key or path.endswith(f"/{key}"))), None)


def _value(name: str, text: str) -> Value:
    if BY_NAME[name].kind == "categorical":
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"The table says {text!r} of {name}, which is no number.") from None


def _of_folder(folder: Path, slices: int, progress: Progress) -> tuple[SliceSet, Table]:
    from DeepMRILib.iap.series import find_series, read_series

    places = find_series(folder)
    images: list[np.ndarray] = []
    entries: list[dict[str, Value]] = []
    names, patients, sources, unread = [], [], [], []
    for number, place in enumerate(places):
        progress(number / max(len(places), 1), f"Reading series {number + 1} of {len(places)}")
        try:
            one = read_series(place)
        except DeepMRIError as error:
            unread.append({"path": str(place), "reason": str(error)})
            continue
        header = one.header
        name = header.series or str(place)
        kept = spread_slices(np.full(len(one.slices), name), slices)
        images += [np.asarray(one.slices[row]) for row in kept]
        entries += [dict(header.values)] * len(kept)
        names += [name] * len(kept)
        patients += [header.patient or f"unnamed {name}"] * len(kept)
        sources += [header.source] * len(kept)
    if not images:
        reason = f" The first: {unread[0]['reason']}" if unread else ""
        raise InputError(f"No series could be read in {folder}.{reason} Give a folder of DICOM series or NIfTI images.")
    values = {name: [entry.get(name) for entry in entries] for name in BY_NAME}
    values = {name: column for name, column in values.items() if any(known(one) for one in column)}
    found = SliceSet(images, values, np.array(names), np.array(patients), extra={"source": np.array(sources)})
    return found, Table.from_rows(unread) if unread else Table({"path": [], "reason": []})
