"""A folder of series, one after the other: what sorting and completing share."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.iap.model import Model
from DeepMRILib.iap.options import CohortOptions
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS
from DeepMRILib.iap.predicting import of_series, predict_job
from DeepMRILib.iap.result import CohortResult, IAPResult
from DeepMRILib.iap.rows import text_of
from DeepMRILib.iap.series import SeriesPlace, find_series, read_series
from DeepMRILib.progress import Progress, part
from DeepMRILib.tables import Table
from DeepMRILib.writing import refusals_as_errors

Row = dict[str, Any]
Content = Path | str
"""Of a file that is written: the file that is copied, or its text."""
STATES = ("good", "look", "bad")


@dataclass(frozen=True, eq=False)
class CohortFiles(CohortResult):
    """A cohort with the files that go into the result's folder when it is saved, all of them or none.

    Attributes:
        contents: place below the result's folder to what is written there.
        how: whether files are copied or linked.
    """

    contents: dict[str, Content] = field(default_factory=dict, repr=False)
    how: Literal["copy", "link"] = "copy"

    def write_files(self, folder: Path) -> None:
        """The files, and those of any result."""
        for place, content in self.contents.items():
            target = folder / place
            with refusals_as_errors(f"{place} cannot be written"):
                target.parent.mkdir(parents=True, exist_ok=True)
                self._write(content, target)
        # they are listed in the table ``written``: no second list
        super(CohortFiles, replace(self, contents=None, how=None)).write_files(folder)

    def _write(self, content: Content, target: Path) -> None:
        if isinstance(content, str):
            target.write_text(content, encoding="utf-8")
        elif self.how == "link":
            os.symlink(os.path.realpath(content), target)  # noqa: PTH211 - the same, with the words of the system
        else:
            shutil.copyfile(content, target)


@dataclass(frozen=True, eq=False)
class Member:
    """One series of a cohort and what was told of it."""

    place: SeriesPlace
    result: IAPResult

    @property
    def rows(self) -> dict[str, Row]:
        """The rows of its parameters by name."""
        table = self.result.parameters
        rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
        return {row["parameter"]: row for row in rows}

    @property
    def state(self) -> str:
        """How like those of the training its images are: good, look, bad; empty without a model."""
        states = self.result.outside.columns.get("state", [])
        return max(states, key=STATES.index) if states else ""


def members(
    folder: Path | str, model: Model | None, options: CohortOptions, *, progress: Progress | None = None
) -> tuple[list[Member], Table]:
    """All series of a folder, told one after the other; and what could not be read (``path``, ``reason``).

    Args:
        folder: DICOM files in any order, NIfTI images with sidecars.
        model: open; without one headers are told alone.
        options: checked.
        progress: told how far it is; may cancel.

    Raises:
        InputError: no such folder, or no series in it that can be used.
        DeviceMemoryError, Cancelled: as ``predict``.
    """
    progress = part(progress, 0.0, 1.0)
    found = find_series(folder, progress=part(progress, 0.0, 0.1))
    unread = [{"path": str(one.path), "reason": one.reason} for one in found.unread]
    told: list[Member] = []
    for number, place in enumerate(found):
        start, stop = (0.1 + 0.9 * (number + more) / len(found) for more in (0, 1))
        progress(start, f"Series {number + 1} of {len(found)}: {place.name}")
        try:
            told.append(Member(place, _told(place, model, options, part(progress, start, stop))))
        except (InputError, DependencyError) as error:  # the others are done all the same
            unread.append({"path": str(place.path), "reason": str(error)})
    if not told:
        reason = f" The first that was left out: {unread[0]['reason']}" if unread else ""
        raise InputError(f"There is no series in {folder} that can be used.{reason}")
    return told, Table.from_rows(unread) if unread else Table({"path": [], "reason": []})


def _told(place: SeriesPlace, model: Model | None, options: CohortOptions, progress: Progress) -> IAPResult:
    if model is None:
        return predict_job(place, options)
    series = read_series(place, slice_axis=options.slice_axis, most=options.slices)
    return of_series(series, model, options, progress)


def series_table(cohort: Sequence[Member], first: Sequence[Mapping[str, Any]]) -> Table:
    """A row for each series: what ``first`` says of it, then of each parameter header, prediction, and how sure it is.

    Args:
        cohort: the series.
        first: the first columns of each.
    """
    rows = [member.rows for member in cohort]
    known = [parameter.name for parameter in PARAMETERS if any(map(_says, _each(rows, parameter.name)))]
    table, units = [], {}
    for begin, row in zip(first, rows, strict=True):
        entry = dict(begin)
        for name in known:
            told = row.get(name, {})
            for column in ("header", "predicted", "probability", "low", "high", "verdict"):
                entry[f"{name}_{column}"] = told.get(column)
        table.append(entry)
    for name in known:
        if BY_NAME[name].unit:
            units |= {f"{name}_{column}": BY_NAME[name].unit for column in ("header", "predicted", "low", "high")}
    return Table.from_rows(table, units)


def _each(rows: Sequence[Mapping[str, Row]], name: str) -> Iterator[Row]:
    return (row[name] for row in rows if name in row)


def _says(row: Row) -> bool:
    """Whether header or model say anything of a parameter, and be it that it is missing."""
    return row["header"] is not None or row["verdict"] != "not predicted" or bool(row["note"])


def confusion(cohort: Sequence[Member]) -> Table:
    """How often which prediction met which header, of words and classes, where the header knows."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for member in cohort:
        for name, row in member.rows.items():
            classes = row["probability"] is not None
            if classes and row["header"] is not None and row["predicted"] is not None:
                counts[(name, text_of(name, row["header"]), text_of(name, row["predicted"]))] += 1
    columns = ("parameter", "header", "predicted", "count")
    rows = [dict(zip(columns, (*key, counts[key]), strict=True)) for key in sorted(counts)]
    return Table.from_rows(rows) if rows else Table({name: [] for name in columns})
