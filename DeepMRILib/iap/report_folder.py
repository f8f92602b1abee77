"""The pages about folders of series: their audit, their analysis, and what was made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.report_folder_figures import (
    association_figure,
    bars_figure,
    confusion_figure,
    coverage_figure,
    histogram_figure,
    split_histogram_figure,
)
from DeepMRILib.iap.report_words import (
    MOST_ROWS,
    STATES,
    VERDICT_TONES,
    Row,
    add_notes,
    add_settings,
    add_unread,
    is_known,
    label_of,
    labels_of,
    of_all,
    plural,
    rows_of,
    shortened,
    value_text,
    verdict_text,
)
from DeepMRILib.iap.result import AnalysisResult, AuditResult, CohortResult
from DeepMRILib.report import Report
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

STRONG = 0.8
"""An association from which on one parameter may stand for another."""
MOST_PAIRS = 8


def audit_report(result: AuditResult) -> Report:
    """What is odd, what is there, which protocols there are, and how values are spread."""
    made = result.provenance
    report = _begun("Audit of headers", made)
    columns = result.series.columns
    report.facts(
        {
            "Series": len(result.series),
            "Patients": len({one for one in columns["patient"] if one}),
            "Protocol groups": len(result.groups),
            "Findings": len(result.findings),
            "Not read": plural(len(result.unread), "place"),
        }
    )
    add_notes(report, made)
    _add_findings(report, result)
    report.section("What headers hold")
    coverage = [row for row in rows_of(result.coverage) if row["present"]]
    if coverage:
        report.figure(coverage_figure(coverage), "How many series have each parameter.")
    nowhere = [row["parameter"] for row in rows_of(result.coverage) if not row["present"]]
    if nowhere:
        report.text(f"In no header: {labels_of(nowhere)}.")
    _add_groups(report, result)
    _add_values(report, {name: columns[name] for name in BY_NAME if name in columns})
    add_unread(report, result.unread)
    add_settings(report, made)
    return report


def _begun(title: str, made: Provenance) -> Report:
    return Report(title, f"{made.engine[:1].upper()}{made.engine[1:]}")


def _add_findings(report: Report, result: AuditResult) -> None:
    report.section("What was found")
    rows = rows_of(result.findings)
    if not rows:
        report.text("Nothing odd was found in any header.")
        return
    kinds = Counter(row["finding"] for row in rows)
    table = {
        "Finding": list(kinds),
        "Times": list(kinds.values()),
        "Of": [_parameters_of(rows, kind) for kind in kinds],
    }
    order = sorted(range(len(kinds)), key=lambda n: -table["Times"][n])
    report.table(Table({name: [column[n] for n in order] for name, column in table.items()}),
                 caption="Kinds of findings.")  # fmt: skip
    shown = rows[:MOST_ROWS]
    listed = {
        "Series": [row["series"] or "whole folder" for row in shown],
        "Parameter": [label_of(row["parameter"], unit=False) for row in shown],
        "Value": [value_text(row["value"]) for row in shown],
        "Finding": [row["finding"] for row in shown],
        "Expected": [row["expected"] for row in shown],
    }
    report.table(Table(listed), caption=f"One by one.{of_all(result.findings, 'findings')}")


def _parameters_of(rows: Sequence[Row], kind: str) -> str:
    names = Counter(row["parameter"] for row in rows if row["finding"] == kind and row["parameter"])
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return labels_of(name for name, _ in names.most_common(4)) + more


def _add_groups(report: Report, result: AuditResult) -> None:
    if not len(result.groups):
        return
    report.section("Protocol groups")
    by = result.provenance.options.get("group_by", ())
    caption = f"Series with the same {labels_of(by)}; of other parameters the commonest value."
    kept = {name: column for name, column in result.groups.columns.items() if name != "group"}
    report.table(_named(shortened(Table(kept))), caption=caption + of_all(result.groups, "groups"))


def _add_values(report: Report, values: Mapping[str, Sequence[Any]]) -> None:
    known = {name: [one for one in column if is_known(one)] for name, column in values.items()}
    varying = {name: column for name, column in known.items() if len(set(column)) > 1}
    same = [f"{label_of(name, unit=False).lower()} {value_text(column[0])}"
            for name, column in known.items() if len(set(column)) == 1]  # fmt: skip
    if not varying and not same:
        return
    report.section("Values")
    if varying:
        report.figure(histogram_figure(varying), "How the values of each parameter are spread over the series.")
    if same:
        report.text(f"The same wherever it is said: {', '.join(same)}.")


def _named(table: Table) -> Table:
    """The columns that are parameters called as people call them, numbers short; counts first, empty ones left out."""
    counts = [name for name in table.columns if name not in BY_NAME]
    known = [name for name in table.columns if name in BY_NAME and any(map(is_known, table.columns[name]))]
    columns: dict[str, list[Any]] = {}
    for name in (*counts, *known):
        title = label_of(name, unit=False) if name in BY_NAME else name.capitalize()
        columns[title] = [value_text(one) if name in BY_NAME else one for one in table.columns[name]]
    units = {BY_NAME[name].label: BY_NAME[name].unit for name in known if BY_NAME[name].unit}
    return Table(columns, units)


def analyse_report(result: AnalysisResult) -> Report:
    """Histograms, associations, combinations, and patients in several splits."""
    made = result.provenance
    report = _begun("Parameters of a folder", made)
    splits = [one for one in dict.fromkeys(result.histograms.columns.get("split", [])) if one]
    report.facts(
        {
            "Series": made.inputs.get("series"),
            "Splits": ", ".join(splits) or "none",
            "Combinations of parameters": len(result.combinations),
            "Patients in several splits": len(result.leakage) if splits else "no splits",
        }
    )
    add_notes(report, made)
    if splits:
        _add_leakage(report, result)
    if len(result.histograms):
        report.section("Histograms")
        report.figure(split_histogram_figure(rows_of(result.histograms)), "How many series have which values.")
    _add_association(report, result.association)
    _add_combinations(report, result, splits)
    add_unread(report, result.unread)
    add_settings(report, made)
    return report


def _add_leakage(report: Report, result: AnalysisResult) -> None:
    report.section("Patients in several splits")
    if not len(result.leakage):
        report.text("None: every patient is in one split only.")
        return
    report.note(
        f"{plural(len(result.leakage), 'patient')} in more than one split. A network has seen their anatomy in "
        "training, so that its scores will be too good. Divide by patient."
    )
    columns = {name.capitalize(): values for name, values in shortened(result.leakage).columns.items()}
    report.table(Table(columns), caption=f"Who is where.{of_all(result.leakage, 'leakage')}")


def _add_association(report: Report, table: Table) -> None:
    names = list(table.columns.get("parameter", []))
    if len(names) < 2:
        return
    values = np.array([[np.nan if one is None else one for one in table.columns[name]] for name in names], dtype=float)
    report.section("What goes with what")
    report.figure(
        association_figure(names, values),
        "Of two words Cramer's V, of a word and a number the correlation ratio (both 0 to 1), of two numbers "
        "Spearman's rank correlation (-1 to 1). Grey: too few series have both, or one does not vary in "
        "those.",
    )
    pairs = strong_pairs(names, values)
    if pairs:
        words = "; ".join(f"{label_of(a, unit=False)} and {label_of(b, unit=False).lower()} ({value:.2f})"
                          for a, b, value in pairs[:MOST_PAIRS])  # fmt: skip
        report.text(
            f"Strongest: {words}. A network trained on these series may tell the one from the other instead of from "
            "the image."
        )


def strong_pairs(names: Sequence[str], values: np.ndarray) -> list[tuple[str, str, float]]:
    """Pairs of parameters with an association of at least ``STRONG``, the strongest first."""
    pairs = [
        (names[row], names[column], float(values[row, column]))
        for row in range(len(names))
        for column in range(row)
        if np.isfinite(values[row, column]) and abs(values[row, column]) >= STRONG
    ]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


def _add_combinations(report: Report, result: AnalysisResult, splits: Sequence[str]) -> None:
    table = result.combinations
    if not len(table) or not any(name in BY_NAME for name in table.columns):
        return
    report.section("Combinations")
    if len(splits) > 1:
        overlap = Counter(row["splits"] or "no split" for row in rows_of(table))
        report.figure(
            bars_figure({one.replace("; ", " and "): count for one, count in overlap.items()}, "combinations"),
            "How many combinations occur in which splits. Those of the test alone show how a network does on new ones.",
        )
    most = 20
    caption = f"How often each occurs.{of_all(table, 'combinations', most)}"
    report.table(_named(shortened(table, most)), caption=caption)


def cohort_report(result: CohortResult) -> Report:
    """Domains, headers beside answers, and the files that were written."""
    made = result.provenance
    rows = rows_of(result.series)
    sorting = any(row["domain"] for row in rows)
    report = _begun("Series sorted into domains" if sorting else "Completed sidecars", made)
    domains = Counter(str(row["domain"]) for row in rows if row["domain"])
    facts: dict[str, Any] = {"Series": len(rows), "Patients": len({row["patient"] for row in rows if row["patient"]})}
    facts |= {"Domains": len(domains)} if sorting else {"Sidecars written": len(result.written)}
    report.facts({**facts, "Not read": plural(len(result.unread), "place")})
    add_notes(report, made)
    if sorting:
        by = made.options.get("by", ())
        report.section("Domains")
        report.figure(bars_figure(domains, "series"), f"Series by {labels_of(by)}.")
    _add_verdicts(report, result, rows)
    if len(result.confusion):
        report.section("Header against image")
        report.figure(
            confusion_figure(rows_of(result.confusion)),
            "How often which answer met which header. Rows are headers, shades are fractions of a row. Answers are "
            "right where both words are the same.",
        )
    _add_series(report, result, rows, made)
    _add_written(report, result)
    add_unread(report, result.unread)
    add_settings(report, made)
    return report


def _add_verdicts(report: Report, result: CohortResult, rows: Sequence[Row]) -> None:
    """How often which verdict, a row for each parameter; of headers alone the audit tells what they lack."""
    names = [name for name in BY_NAME if f"{name}_verdict" in result.series.columns]
    counts = {name: Counter(row[f"{name}_verdict"] for row in rows) for name in names}
    told = [name for name in names if any(one in VERDICT_TONES for one in counts[name])]
    if not any(is_known(value) for name in told for value in result.series.columns[f"{name}_predicted"]):
        return
    verdicts = [one for one in VERDICT_TONES if any(counts[name][one] for name in told)]
    columns: dict[str, list[Any]] = {"Parameter": [label_of(name, unit=False) for name in told]}
    columns |= {verdict_text(one): [counts[name][one] or None for name in told] for one in verdicts}
    tones = {
        (number, verdict_text(one)): VERDICT_TONES[one]
        for number, name in enumerate(told)
        for one in verdicts
        if counts[name][one]
    }
    report.section("Verdicts")
    report.table(Table(columns), tones=tones, caption="Number of series with each verdict.")


def _add_series(report: Report, result: CohortResult, rows: Sequence[Row], made: Provenance) -> None:
    report.section("Series")
    shown = rows[:MOST_ROWS]
    columns: dict[str, list[Any]] = {"Series": [row["path"] for row in shown]}
    if any(row["domain"] for row in rows):
        columns["Domain"] = [row["domain"] for row in shown]
    if "filled" in result.series.columns:
        columns["Filled in"] = [row["filled"] for row in shown]
    tones: dict[tuple[int, str], str] = {}
    if any(row.get("outside") for row in rows):
        columns["Like the training"] = [_state(row) for row in shown]
        tones = {(n, "Like the training"): STATES[row["outside"]][1] for n, row in enumerate(shown) if row["outside"]}
    if any(row["domain"] for row in rows):
        for name in made.options.get("by", ()):
            columns |= _said(result, shown, name)
    report.table(Table(columns), tones=tones, caption=f"One by one.{of_all(result.series, 'series')}")


def _said(result: CohortResult, rows: Sequence[Row], name: str) -> Mapping[str, list[Any]]:
    found = {}
    for end, word in (("header", "header"), ("predicted", "image")):
        column = f"{name}_{end}"
        if any(map(is_known, result.series.columns.get(column, []))):
            found[f"{label_of(name, unit=False)}, {word}"] = [value_text(row[column]) for row in rows]
    return found


def _state(row: Row) -> str:
    return f"{STATES[row['outside']][0]} {row['outside']}" if row["outside"] else ""


def _add_written(report: Report, result: CohortResult) -> None:
    if not len(result.written):
        return
    report.section("Written")
    columns = {name.capitalize(): values for name, values in shortened(result.written).columns.items()}
    report.table(Table(columns), caption=f"{plural(len(result.written), 'file')}.{of_all(result.written, 'written')}")
