"""Headers as rows of a table: columns named by DICOM's keywords, BIDS' keys or our parameters' names."""

from __future__ import annotations

import csv
import io
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import read_text
from DeepMRILib.iap.aliases import vendor, words
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.header_bids import subject_of
from DeepMRILib.iap.header_values import SECONDS_LIMIT, Values, parse_numbers, values_of
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS

TABLES = (".csv", ".tsv")
LARGEST = 500_000_000
_SERIES = ("series", "file", "path", "sidecar", "filename", "name", "SeriesInstanceUID", "uid")
_PATIENT = ("patient", "PatientID", "participant_id", "subject", "subject_id", "patient_id", "PatientName")
_OTHER_NAMES = {
    "manufacturermodelname": "model",
    "manufacturersmodelname": "model",
    "te": "echo_time",
    "tr": "repetition_time",
    "ti": "inversion_time",
    "fov": "field_of_view",
    "b0": "field_strength",
}
_EXTRA = {
    "rows": "rows",
    "columns": "columns",
    "reconstructiondiameter": "reconstruction_diameter",
    "imagetype": "image_type",
}
_TIMES = ("echo_time", "repetition_time", "inversion_time")
_ONLY_DICOM = ("manufacturermodelname", "acquisitionmatrix", "contrastbolusagent", "patientid", "seriesinstanceuid")
_ONLY_BIDS = ("manufacturersmodelname", "sidecar", "participantid")
_SECONDS_BELOW = {"echo_time": 0.5, "repetition_time": 3.0, "inversion_time": 10.0}
"""Medians below these are in seconds, where nothing else tells: nearly all echoes come later than 0.5 ms."""


@dataclass(frozen=True)
class Row:
    """One series.

    Attributes:
        name, path, patient: as in the table, or found in the path.
        header: its values.
        extra: the table's other columns, such as the split.
    """

    name: str
    path: str
    patient: str
    header: Header
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HeaderTable:
    """A table of headers; ``notes`` say how it was understood."""

    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def read_cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The column names and the rows of a CSV or TSV file.

    Raises:
        InputError: not readable, no table, or a row of another length.
    """
    text = read_text(path, LARGEST)
    first = text.partition("\n")[0]
    delimiter = max((",", "\t", ";"), key=first.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=delimiter) if any(map(str.strip, line))]
    except csv.Error as error:
        raise InputError(f"{path.name} is no CSV table ({error}). Save it again as CSV.") from error
    if len(lines) < 2:
        raise InputError(f"{path.name} holds no rows. Give a table with a line of names and a row for each series.")
    names = [name.strip() for name in lines[0]]
    wrong = next((number for number, line in enumerate(lines, 1) if len(line) != len(names)), None)
    if wrong is not None:
        raise InputError(
            f"Row {wrong} of {path.name} has {len(lines[wrong - 1])} columns, and the first line {len(names)}. "
            "Save the table again as CSV."
        )
    return names, lines[1:]


def read_rows(path: Path) -> HeaderTable:
    """The headers of a table.

    Raises:
        InputError: not readable, or not one column is a parameter.
    """
    names, lines = read_cells(path)
    columns = {number: found for number, name in enumerate(names) if (found := _parameter_of(name))}
    if not set(columns.values()) & set(BY_NAME):
        raise InputError(
            f"No column of {path.name} is an acquisition parameter. Name columns as DICOM does (EchoTime), as BIDS "
            f"does, or as DeepMRI does ({', '.join(list(BY_NAME)[:4])}, ...)."
        )
    seconds, notes = _units(names, columns, lines)
    key, patient = _first(names, _SERIES), _first(names, _PATIENT)
    others = [n for n in range(len(names)) if n not in columns]
    known: dict[tuple[str, ...], tuple[Values, list[str]]] = {}
    rows = []
    for number, line in enumerate(lines, 1):
        texts = tuple(line[n] for n in columns)
        raw = _raw(texts, list(columns.values()))
        if texts not in known:
            known[texts] = values_of(_in_ms(raw, seconds), seconds=False)
        values, odd = known[texts]
        name = line[key].strip() if key is not None and line[key].strip() else f"row {number}"
        who = line[patient].strip() if patient is not None else subject_of(Path(name))
        told = {name: text for name, text in raw.items() if name in BY_NAME}
        header = Header(dict(values), told, str(path), "bids" if seconds else "dicom", name, who, notes=tuple(odd))
        rows.append(Row(name, name, who, header, {names[n]: line[n].strip() for n in others}))
    return HeaderTable(tuple(rows), tuple(notes))


def _raw(texts: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    raw: dict[str, str] = {}
    for name, text in zip(names, texts, strict=True):
        if text.strip() and text.strip().lower() not in ("n/a", "nan", "none") and name not in raw:
            raw[name] = text
    if _may_be_mosaic(raw):
        raw["tile"] = "0"
    return raw


def _may_be_mosaic(raw: Mapping[str, str]) -> bool:
    """Whether rows and columns may be those of a mosaic, whose tiles a table does not tell: then they give no field of
    view. Where the type of the image is not known, those of Siemens' echo planar images that are several times as large
    as what was acquired.
    """
    if "image_type" in raw:
        return "MOSAIC" in raw["image_type"].upper()
    lines = [n for n in parse_numbers(raw.get("matrix", "")) or [] if n > 0]
    rows = parse_numbers(raw.get("rows", "")) or [0]
    planar = vendor(raw.get("manufacturer", "")) == "SIEMENS" and "EP" in words(raw.get("sequence", ""))
    return planar and bool(lines) and rows[0] >= 2 * lines[0]


def _in_ms(raw: dict[str, str], seconds: set[str]) -> dict[str, str]:
    changed = dict(raw)
    for name in seconds & set(raw):
        numbers = parse_numbers(raw[name])
        if numbers:
            changed[name] = "\\".join(f"{number * 1e3:.12g}" for number in numbers)
    return changed


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


_PLAIN = {
    **{_plain(text): one.name for one in PARAMETERS for text in (one.name, one.keyword, one.bids, one.label) if text},
    **_OTHER_NAMES,
    **_EXTRA,
}


def _parameter_of(name: str) -> str | None:
    """The parameter that a column's name stands for, with or without a unit: "TE (ms)", "echo_time_ms", "EchoTime".

    Example:
        >>> _parameter_of("EchoTime"), _parameter_of("TE (ms)"), _parameter_of("site")
        ('echo_time', 'echo_time', None)
    """
    return _PLAIN.get(_plain(name)) or _PLAIN.get(_plain(_without_unit(name)[0]))


def _without_unit(name: str) -> tuple[str, str]:
    found = re.fullmatch(r"(.+?)[\s_\[(]+(ms|msec|s|sec|seconds|T|mm|deg|Hz)[\])]?", name.strip())
    return (found[1], found[2]) if found else (name, "")


def _units(
    names: Sequence[str], columns: Mapping[int, str], lines: Sequence[Sequence[str]]
) -> tuple[set[str], list[str]]:
    """Which times are in seconds, and how that was found out.

    A unit in the column's name decides; else what the other columns' names show, unless the times are too long for
    seconds; else the size of the echo times, or where there are none, of the times themselves.
    """
    plain = {_plain(name) for name in names}
    kind = "BIDS" if plain & set(_ONLY_BIDS) else "DICOM" if plain & set(_ONLY_DICOM) else ""
    middles = {name: _median([line[n] for line in lines]) for n, name in columns.items() if name in _TIMES}
    guide = "echo_time" if middles.get("echo_time") else None
    seconds: set[str] = set()
    notes: list[str] = []
    for number, name in columns.items():
        middle = middles.get(name)
        if middle is None:
            continue
        unit = _without_unit(names[number])[1].lower()
        if unit:
            short, how = not unit.startswith("m"), "as its name says"
        elif kind and not (kind == "BIDS" and middle > SECONDS_LIMIT[name]):
            short, how = kind == "BIDS", f"as the names of columns are those of {kind}"
        else:
            by = guide or name
            short = middles[by] < _SECONDS_BELOW[by]
            how = f"as the middle one of {BY_NAME[by].label.lower()} is {middles[by]:g}"
        if short:
            seconds.add(name)
        notes.append(f"Times in {names[number]} are taken as {'seconds' if short else 'milliseconds'}, {how}.")
    return seconds, notes


def _median(texts: Sequence[str]) -> float | None:
    numbers = [found[0] for text in texts if (found := parse_numbers(text)) and found[0] > 0]
    return statistics.median(numbers) if numbers else None


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    lower = [name.lower() for name in names]
    return next((lower.index(name.lower()) for name in wanted if name.lower() in lower), None)
