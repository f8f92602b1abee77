"""``iap.analyse``: the parameters of a folder described, and whether its splits are what they should be."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.iap.aliases import key_of
from DeepMRILib.iap.association import association
from DeepMRILib.iap.audit import check_parameters
from DeepMRILib.iap.audit_groups import clusters
from DeepMRILib.iap.gathering import UNITS, Gathered, gather, table_of
from DeepMRILib.iap.header_table import Row
from DeepMRILib.iap.options import AnalyseOptions
from DeepMRILib.iap.parameters import BY_NAME, Parameter, Value
from DeepMRILib.iap.result import AnalysisResult
from DeepMRILib.iap.splits import splits_of
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

ENGINE = (
    "Counts of header values; association by Cramer's V with bias correction (Bergsma 2013), correlation ratio, and "
    "Spearman's rank correlation"
)
BINS = 25
"""Of histograms of numbers with more different values than ``FEW``."""
FEW = 15
MOST_OF = 0.5
"""Parameters that fewer series have are left out of combinations that nobody asked for."""
NO_SPLIT = ""


def analyse(
    folder: Path | str, options: AnalyseOptions | None = None, *, progress: Progress | None = None
) -> AnalysisResult:
    """Describe the parameters of a folder of series, or of a table of headers, without any model.

    Histograms of each parameter; how much each tells of each other (a network may read one off another: repetition and
    echo times off the vendor, say); which combinations of parameters there are, and how many of one split occur in the
    others; and patients that are in several splits, whose images would be known to a network before its test.

    Args:
        folder: as for ``audit``.
        options: see ``AnalyseOptions``. The split is a column of the table; of a folder, of the only CSV or TSV table
            in it that has such a column, such as BIDS' participants.tsv.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: nothing of MR there, a setting that names no parameter, or a split that cannot be found.
        DependencyError: there are DICOM files and pydicom is not installed.
    """
    started = time.perf_counter()
    options = validate(AnalyseOptions() if options is None else options)
    check_parameters(options.combination, "combination")
    found = gather(folder, part(progress, 0.0, 0.8))
    read = time.perf_counter()
    progress = progress or silent
    splits, notes = _splits(found, Path(folder), options.split)
    values = {name: [row.header.values[name] for row in found.rows] for name in BY_NAME}
    progress(0.85, "Counting values and combinations")
    combinations, more = _combinations(values, splits, options.combination)
    progress(0.9, "Comparing parameters")
    provenance = Provenance(
        job="iap.analyse",
        engine=ENGINE,
        options=to_json(options),
        seconds={"read": read - started, "analyse": time.perf_counter() - read},
        inputs={"source": str(folder), "series": len(found.rows), "unread": len(found.unread)},
        notes=(*found.notes, *notes, *more),
    )
    return AnalysisResult(
        provenance=provenance,
        histograms=table_of(
            [row for name in BY_NAME for row in _histogram(BY_NAME[name], values[name], splits)],
            ("parameter", "value", "from", "to", "count", "split"),
        ),
        association=_association(values),
        combinations=combinations,
        leakage=_leakage(found.rows, splits),
        unread=found.unread_table(),
    )


def _splits(found: Gathered, source: Path, column: str) -> tuple[list[str], list[str]]:
    if not column:
        return [NO_SPLIT] * len(found.rows), []
    splits = splits_of(found.rows, source, column)
    without = splits.count(NO_SPLIT)
    notes = [f"{without} of {len(splits)} series are of no split; they are counted as such."] if without else []
    nameless = sum(not row.patient for row in found.rows)
    if nameless:
        notes.append(f"The patient of {nameless} series is not known: that they are in several splits cannot be told.")
    return splits, notes


def _histogram(parameter: Parameter, values: Sequence[Value], splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Counts of values that are the same within the tolerances, or of equal ranges where there are many numbers."""
    labels, commonest = clusters(parameter, values)
    names = list(dict.fromkeys(splits))
    if parameter.kind == "categorical" or len(commonest) <= FEW:
        counts = Counter((int(label), split) for label, split in zip(labels, splits, strict=True) if label >= 0)
        for label, value in sorted(enumerate(commonest), key=lambda one: _sorting(one[1])):
            for split in names:
                row = {"parameter": parameter.name, "value": value, "from": None, "to": None}
                yield {**row, "count": counts[label, split], "split": split}
        return
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    edges = np.histogram_bin_edges(numbers[np.isfinite(numbers)], bins=BINS)
    which = np.array(splits)
    counted = {split: np.histogram(numbers[(which == split) & np.isfinite(numbers)], bins=edges)[0] for split in names}
    for number in range(BINS):
        for split in names:
            ends = {"from": float(edges[number]), "to": float(edges[number + 1])}
            row = {"parameter": parameter.name, "value": None, **ends}
            yield {**row, "count": int(counted[split][number]), "split": split}


def _sorting(value: Value) -> tuple[int, float, str]:
    return (0, float(value), "") if isinstance(value, float) else (1, 0.0, str(value))


def _association(values: dict[str, list[Value]]) -> Table:
    """A square table of the parameters that vary."""
    names = [name for name in BY_NAME if len({key_of(name, one) for one in values[name] if one is not None}) > 1]
    columns: dict[str, list[Any]] = {"parameter": list(names), **{name: [None] * len(names) for name in names}}
    for row, name in enumerate(names):
        for column, other in enumerate(names[: row + 1]):
            found = 1.0 if name == other else association(name, values[name], other, values[other])
            columns[other][row] = columns[name][column] = None if math.isnan(found) else found
    return Table(columns)


def _combinations(
    values: dict[str, list[Value]], splits: Sequence[str], wanted: Sequence[str]
) -> tuple[Table, list[str]]:
    """Each combination with its count in each split; and what splits share, in words."""
    names = list(wanted) or [name for name in BY_NAME if _makes_combinations(name, values[name])]
    if not names:
        return Table({"count": []}), ["No parameter varies: there is one combination of all."]
    columns, shown = [], []
    for name in names:
        labels, commonest = clusters(BY_NAME[name], values[name])
        columns.append(labels)
        shown.append(commonest)
    order = [name for name in dict.fromkeys(splits) if name]
    counts: dict[tuple[int, ...], Counter] = defaultdict(Counter)
    for key, split in zip(zip(*(map(int, labels) for labels in columns), strict=True), splits, strict=True):
        counts[key][split] += 1
    rows = []
    for key, counter in sorted(counts.items(), key=lambda one: -one[1].total()):
        row = {name: known[label] if label >= 0 else None for name, known, label in zip(names, shown, key, strict=True)}
        row["count"] = counter.total()
        if order:
            row |= {f"count {split}": counter[split] for split in order}
            row["splits"] = "; ".join(split for split in order if counter[split])
        rows.append(row)
    columns_made = [*names, "count", *([f"count {split}" for split in order] + ["splits"] if order else [])]
    return table_of(rows, columns_made, {name: UNITS[name] for name in names if name in UNITS}), _shared(counts, order)


def _makes_combinations(name: str, values: Sequence[Value]) -> bool:
    """Whether a parameter varies, most series have it, and it is not a number of its own in each of them."""
    _, commonest = clusters(BY_NAME[name], values)
    known = sum(value is not None for value in values)
    few = BY_NAME[name].kind != "continuous" or len(commonest) <= min(FEW, known / 3)
    return len(commonest) > 1 and few and known >= MOST_OF * len(values)


def _shared(counts: dict[tuple[int, ...], Counter], splits: Sequence[str]) -> list[str]:
    sentences = []
    for first, second in ((one, other) for n, one in enumerate(splits) for other in splits[n + 1 :]):
        left, right = ({key for key, counter in counts.items() if counter[one]} for one in (first, second))
        sentences.append(
            f"Of the combinations of parameters, {len(left - right)} are in {first} alone, {len(right - left)} in "
            f"{second} alone, and {len(left & right)} in both."
        )
    return sentences


def _leakage(rows: Sequence[Row], splits: Sequence[str]) -> Table:
    """Patients that are in more than one split."""
    where: dict[str, Counter] = defaultdict(Counter)
    for row, split in zip(rows, splits, strict=True):
        if row.patient and split:
            where[row.patient][split] += 1
    leaking = [
        {
            "patient": patient,
            "splits": "; ".join(f"{split} ({count})" for split, count in counter.items()),
            "series": counter.total(),
        }
        for patient, counter in where.items()
        if len(counter) > 1
    ]
    return table_of(leaking, ("patient", "splits", "series"))
