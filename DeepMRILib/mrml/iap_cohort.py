"""Tables of a folder of series in the scene: its audit, and its series sorted into domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from DeepMRILib.iap.result import AuditResult, CohortResult
from DeepMRILib.mrml.nodes import shortened
from DeepMRILib.mrml.tables import tableNodeFromTable
from DeepMRILib.tables import Table


@dataclass(frozen=True)
class CohortNodes:
    """The tables of a folder; None where there is none.

    Attributes:
        auditTable: a row for each series, with all that its header says.
        findingsTable: a row for each oddity.
        groupsTable: a row for each protocol.
        coverageTable: how often each parameter is there.
        cohortTable: a row for each series with its domain.
        confusionTable: how header and image agree.
        unreadTable: what could not be read.
    """

    auditTable: Any = None
    findingsTable: Any = None
    groupsTable: Any = None
    coverageTable: Any = None
    cohortTable: Any = None
    confusionTable: Any = None
    unreadTable: Any = None

    @classmethod
    def names(cls) -> list[str]:
        """All of them."""
        return [item.name for item in fields(cls)]


def deliverAudit(result: AuditResult, folder: str, old: CohortNodes) -> CohortNodes:
    """Put the tables of an audit into the scene; nodes in ``old`` are updated, others are made."""
    tables = {
        "auditTable": ("audited series", result.series),
        "findingsTable": ("findings", result.findings),
        "groupsTable": ("protocols", result.groups),
        "coverageTable": ("coverage", result.coverage),
        "unreadTable": ("not read", result.unread),
    }
    return CohortNodes(**_delivered(tables, folder, old))


def deliverCohort(result: CohortResult, folder: str, old: CohortNodes) -> CohortNodes:
    """Put the tables of a sorted folder into the scene; nodes in ``old`` are updated, others are made."""
    tables = {
        "cohortTable": ("sorted series", result.series),
        "confusionTable": ("confusion", result.confusion),
        "unreadTable": ("not read", result.unread),
    }
    return CohortNodes(**_delivered(tables, folder, old))


def _delivered(tables: Mapping[str, tuple[str, Table]], folder: str, old: CohortNodes) -> dict[str, Any]:
    name = shortened(folder)
    return {
        parameter: tableNodeFromTable(wholeColumns(table), f"{name} {what}", getattr(old, parameter))
        for parameter, (what, table) in tables.items()
    }


def wholeColumns(table: Table) -> Table:
    """The same with numbers that are missing as NaN, so that a column of numbers stays one."""
    return Table({name: _whole(values) for name, values in table.columns.items()}, table.units)


def _whole(values: list[Any]) -> list[Any]:
    numbers = [value for value in values if value is not None]
    plain = all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in numbers)
    if not numbers or not plain or len(numbers) == len(values):
        return values
    return [np.nan if value is None else value for value in values]


def auditText(result: AuditResult) -> str:
    """What the panel says when an audit is done."""
    series, findings, groups = len(result.series), len(result.findings), len(result.groups)
    parts = [_count(series, "series", "series"), _count(groups, "protocol", "protocols")]
    parts.append(_count(findings, "finding", "findings"))
    return " ".join((f"{', '.join(parts)}.", *_unread(result.unread), *result.provenance.notes))


def cohortText(result: CohortResult, told: Sequence[str] = ()) -> str:
    """What the panel says when a folder is sorted; ``told`` are notes that stand elsewhere already."""
    domains = result.series.columns.get("domain", [])
    sizes = {str(domain): domains.count(domain) for domain in dict.fromkeys(domains)}
    listed = ", ".join(f"{shortened(domain)} ({size})" for domain, size in list(sizes.items())[:6])
    more = ", ..." if len(sizes) > 6 else ""
    text = f"{_count(len(result.series), 'series', 'series')} in {_count(len(sizes), 'domain', 'domains')}"
    text = f"{text}: {listed}{more}." if sizes else f"{text}."
    notes = [note for note in result.provenance.notes if note not in told]
    return " ".join((text, *_unread(result.unread), *notes))


def _unread(table: Table) -> list[str]:
    return [f"{_count(len(table), 'file', 'files')} could not be read: see the table of them."] if len(table) else []


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
