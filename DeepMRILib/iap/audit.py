"""``iap.audit``: the headers of a folder looked through for what is missing, odd or does not fit together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from DeepMRILib.errors import InputError
from DeepMRILib.iap.audit_groups import across, coverage_row, group_name, group_row, grouped, odd_in_group
from DeepMRILib.iap.audit_rules import Finding, findings_of, missing_of, shown
from DeepMRILib.iap.gathering import UNITS, gather, table_of
from DeepMRILib.iap.header_table import Row
from DeepMRILib.iap.options import AuditOptions
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS
from DeepMRILib.iap.result import AuditResult
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.results import Provenance

ENGINE = "Rules on header values, without any model: ranges, contradictions, what is rare in its protocol group"
MOSTLY = 0.5
"""A parameter that more than this part of all series lack is told once for all of them."""
_FINDINGS = ("series", "parameter", "value", "finding", "expected")


def audit(folder: Path | str, options: AuditOptions | None = None, *, progress: Progress | None = None) -> AuditResult:
    """Look through the headers of a folder, or of a table; pixels are not read and no model is needed.

    Found are, series by series: values that are missing, zero, out of range, no number, that contradict each other, or
    that differ between the images of a series; and series of several patients. In its protocol group
    (``options.group_by``): values that few share (``options.rare``), and parameters that only few lack. In the whole
    folder: names in several spellings, models of several vendors or field strengths.

    Args:
        folder: a folder tree with DICOM files, NIfTI images with sidecars, or sidecars; or a CSV or TSV table with a
            row for each series and columns named as in DICOM, BIDS or DeepMRI.
        options: see ``AuditOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: nothing of MR there, or a setting that names no parameter.
        DependencyError: there are DICOM files and pydicom is not installed.
    """
    started = time.perf_counter()
    options = validate(AuditOptions() if options is None else options)
    check_parameters(options.group_by, "group-by")
    found = gather(folder, part(progress, 0.0, 0.8))
    read = time.perf_counter()
    progress = progress or silent
    rows = found.rows
    progress(0.8, f"Looking through {len(rows)} headers")
    groups = grouped(rows, options.group_by)
    names = _unique([group_name(rows, members, options.group_by) for members in groups])
    findings = _findings(rows)
    for number, (name, members) in enumerate(zip(names, groups, strict=True)):
        progress(0.85 + 0.15 * number / len(groups), f"Comparing the series of {name}")
        findings += odd_in_group(rows, members, name, options.rare)
    findings = _in_order([*across(rows), *findings], rows)
    group_of = {number: name for name, members in zip(names, groups, strict=True) for number in members}
    provenance = Provenance(
        job="iap.audit",
        engine=ENGINE,
        options=to_json(options),
        seconds={"read": read - started, "audit": time.perf_counter() - read},
        inputs={
            "source": str(folder),
            "series": len(rows),
            "files": sum(row.header.files for row in rows),
            "unread": len(found.unread),
        },
        notes=found.notes,
    )
    group_columns = ("group", *dict.fromkeys((*options.group_by, "repetition_time", "echo_time", "flip_angle",
                     "slice_thickness")), "series", "patients")  # fmt: skip
    return AuditResult(
        provenance=provenance,
        series=table_of(
            [_series_row(row, group_of[number]) for number, row in enumerate(rows)],
            ("series", "path", "patient", "group", "kind", "files", "description", *BY_NAME),
            UNITS,
        ),
        findings=table_of([one._asdict() for one in findings], _FINDINGS),
        groups=table_of(
            [group_row(name, rows, members, options.group_by) for name, members in zip(names, groups, strict=True)],
            group_columns,
            UNITS,
        ),
        coverage=table_of(
            [coverage_row(parameter, rows) for parameter in PARAMETERS],
            ("parameter", "label", "unit", "present", "missing", "values", "commonest", "lowest", "highest"),
        ),
        unread=found.unread_table(),
    )


def check_parameters(names: Sequence[str], setting: str) -> None:
    """Refuse names that are no parameters.

    Raises:
        InputError: with the names that there are.
    """
    wrong = next((name for name in names if name not in BY_NAME), None)
    if wrong is not None:
        raise InputError(f"--{setting} names {wrong!r}, which is no parameter; there are {', '.join(BY_NAME)}.")


def _series_row(row: Row, group: str) -> dict[str, object]:
    header = row.header
    return {
        "series": row.name,
        "path": row.path,
        "patient": row.patient,
        "group": group,
        "kind": header.kind,
        "files": header.files,
        "description": header.description,
        **header.values,
    }


def _findings(rows: Sequence[Row]) -> list[Finding]:
    found: list[Finding] = []
    for row in rows:
        found += findings_of(row.name, row.header)
    return found + _missing(rows)


def _missing(rows: Sequence[Row]) -> list[Finding]:
    """What series lack; a parameter that most of them lack is told once."""
    lacking = [missing_of(row.header) for row in rows]
    counts = Counter(name for names in lacking for name in names)
    mostly = {name for name, count in counts.items() if count > MOSTLY * len(rows) and count > 1}
    found = [
        Finding("", name, "", "missing", f"it is missing in {counts[name]} of {len(rows)} series")
        for name in BY_NAME
        if name in mostly
    ]
    for row, names in zip(rows, lacking, strict=True):
        for name in names:
            if name not in mostly:
                expected = f"a value, as in {len(rows) - counts[name]} of {len(rows)} series"
                found.append(Finding(row.name, name, shown(name, row.header.raw.get(name)), "missing", expected))
    return found


def _in_order(findings: Sequence[Finding], rows: Sequence[Row]) -> list[Finding]:
    """Those of the whole folder first, then series by series; what is missing is not told twice."""
    place = {row.name: number for number, row in enumerate(rows)}
    told = {(one.series, one.parameter) for one in findings if one.finding in ("missing", "zero", "cannot be")}
    kept = [
        one
        for one in dict.fromkeys(findings)
        if not (one.finding.startswith("missing,") and (one.series, one.parameter) in told)
    ]
    zero = {(one.series, one.parameter) for one in kept if one.finding in ("zero", "cannot be", "no number")}
    kept = [one for one in kept if not (one.finding == "missing" and (one.series, one.parameter) in zero)]
    return sorted(kept, key=lambda one: place.get(one.series, -1))


def _unique(names: Sequence[str]) -> list[str]:
    counts = Counter(names)
    seen: Counter = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(f"{name} ({seen[name]})" if counts[name] > 1 else name)
    return unique
