"""The headers of a folder or of a table, one row for each series: what audits and analyses work on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.header_table import TABLES, Row, read_rows
from DeepMRILib.iap.parameters import PARAMETERS
from DeepMRILib.iap.series_finding import find_series
from DeepMRILib.progress import Progress
from DeepMRILib.tables import Table

UNITS = {parameter.name: parameter.unit for parameter in PARAMETERS if parameter.unit}


@dataclass(frozen=True)
class Gathered:
    """What was found.

    Attributes:
        rows: a header for each series, with its name and its patient.
        unread: path and reason of what was left out.
        notes: what a reader must know.
    """

    rows: tuple[Row, ...]
    unread: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def headers(self) -> list[Header]:
        """Of all rows."""
        return [row.header for row in self.rows]

    def unread_table(self) -> Table:
        """``path`` and ``reason``."""
        return Table({"path": [path for path, _ in self.unread], "reason": [reason for _, reason in self.unread]})


def gather(source: Path | str, progress: Progress | None = None) -> Gathered:
    """The headers of a folder tree (DICOM, NIfTI, sidecars), or of a CSV or TSV table with a row for each series.

    Raises:
        InputError: nothing there, or nothing of MR in it.
    """
    path = Path(source)
    if path.is_file() and path.suffix.lower() in TABLES:
        table = read_rows(path)
        return Gathered(table.rows, (), table.notes)
    found = find_series(path, sidecars=True, progress=progress)
    unread = tuple((str(one.path), one.reason) for one in found.unread)
    if not len(found):
        reason = f" The first file that was left out: {unread[0][1]}" if unread else ""
        raise InputError(
            f"{path} holds no header of an MR series. Give a folder with DICOM files, sidecars, or images beside "
            f"their sidecars, or a CSV table of headers.{reason}"
        )
    rows = tuple(Row(place.name, str(place.path), place.patient, place.header) for place in found)
    return Gathered(rows, unread)


def table_of(rows: Iterable[Mapping[str, Any]], names: Sequence[str], units: Mapping[str, str] | None = None) -> Table:
    """A table that has its columns even without rows."""
    rows = list(rows)
    return Table({name: [row[name] for row in rows] for name in names}, dict(units or {}))
