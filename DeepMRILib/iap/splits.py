"""Which split (train, test) each series is of: by a column of the table of headers, or of a table in the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from DeepMRILib.errors import InputError
from DeepMRILib.iap.header_table import TABLES, Row, read_cells

_KEYS = ("series", "file", "path", "sidecar", "SeriesInstanceUID", "participant_id", "patient", "PatientID", "subject")


def splits_of(rows: Sequence[Row], source: Path, column: str) -> list[str]:
    """The split of each series, "" where it is of none.

    Args:
        rows: the series.
        source: the folder or the table that they were read from.
        column: that says it.

    Raises:
        InputError: no such column, or of a folder no table or several with it.
    """
    if source.is_file() and source.suffix.lower() in TABLES:
        names = list(rows[0].extra)
        if column not in names:
            raise InputError(
                f"{source.name} has no column {column!r} for the split; it has {', '.join(names) or 'only parameters'}."
            )
        return [row.extra[column] for row in rows]
    path = _table_in(source if source.is_dir() else source.parent, column)
    names, lines = read_cells(path)
    lower = [name.lower() for name in names]
    keys = [lower.index(key.lower()) for key in _KEYS if key.lower() in lower]
    if not keys:
        raise InputError(
            f"{path.name} does not say which series its rows are of. Give it a column series, file or participant_id."
        )
    where = names.index(column)
    known = {line[key].strip(): line[where].strip() for line in lines for key in keys if line[key].strip()}
    return [next((known[name] for name in _called(row) if name in known), "") for row in rows]


def _called(row: Row) -> list[str]:
    path = Path(row.path)
    bare = row.patient.removeprefix("sub-")
    return [row.name, row.header.series, row.path, path.name, row.patient, bare, f"sub-{bare}"]


def _table_in(folder: Path, column: str) -> Path:
    """The only table in a folder that has the column."""
    found = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLES and column in _names(path)]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} tables ({', '.join(path.name for path in found)})" if found else "no CSV or TSV table"
    raise InputError(
        f"{folder} holds {what} with a column {column!r}, and one was expected for the split. Put a table beside the "
        "series, with a column series, file or participant_id and this one."
    )


def _names(path: Path) -> list[str]:
    try:
        return read_cells(path)[0]
    except InputError:  # another table, which need not be one of ours
        return []
