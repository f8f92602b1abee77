"""Series of one protocol: their groups, what most of a group share, and which of it stands out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.iap.aliases import key_of
from DeepMRILib.iap.audit_rules import Finding, shown
from DeepMRILib.iap.header_table import Row
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS, Parameter, Value

USUAL = ("repetition_time", "echo_time", "flip_angle", "slice_thickness")
"""Parameters whose commonest value describes a group."""
MAJORITY = 0.5
"""Only where at least this part of a group has one value, others can stand out."""
ALONE = 4
"""One series stands out against at least so many that all agree, in groups too small for a fraction to tell."""
_SPELLED = ("manufacturer", "model", "contrast_agent")
_UNKNOWN = "?"


def clusters(parameter: Parameter, values: Sequence[Value]) -> tuple[NDArray, list[Value]]:
    """Values that are the same within the tolerances, as numbers, -1 where one is missing; and each cluster's
    commonest value.

    Numbers are joined from the lowest up: a cluster ends where a value is no longer the same as its first.
    """
    labels = np.full(len(values), -1)
    if parameter.kind == "categorical":
        keys = [key_of(parameter.name, value) for value in values]
        order = {key: number for number, key in enumerate(dict.fromkeys(key for key in keys if key is not None))}
        labels = np.array([order.get(key, -1) for key in keys], dtype=int)
    else:
        numbers = np.array([np.nan if value is None else float(value) for value in values])
        known = np.flatnonzero(np.isfinite(numbers))
        start, label = 0.0, -1
        for index in known[np.argsort(numbers[known], kind="stable")]:
            if label < 0 or numbers[index] > start + max(parameter.relative * abs(start), parameter.absolute) + 1e-9:
                start, label = numbers[index], label + 1
            labels[index] = label
    counters: dict[int, Counter] = defaultdict(Counter)
    for label, value in zip(labels, values, strict=True):
        if label >= 0:
            counters[int(label)][value] += 1
    return labels, [counters[label].most_common(1)[0][0] for label in range(len(counters))]


def grouped(rows: Sequence[Row], by: Sequence[str]) -> list[list[int]]:
    """The rows of each group, the largest first."""
    members: dict[tuple, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        members[tuple(key_of(name, row.header.values[name]) for name in by)].append(number)
    return sorted(members.values(), key=lambda group: (-len(group), group[0]))


def group_row(name: str, rows: Sequence[Row], members: Sequence[int], by: Sequence[str]) -> dict[str, Any]:
    """What a group's series share."""
    chosen = [rows[number] for number in members]
    found: dict[str, Any] = {"group": name}
    for parameter in dict.fromkeys((*by, *USUAL)):
        found[parameter] = _commonest(parameter, chosen)
    found["series"] = len(chosen)
    found["patients"] = len({row.patient for row in chosen if row.patient})
    return found


def group_name(rows: Sequence[Row], members: Sequence[int], by: Sequence[str]) -> str:
    """The values that make a group, for people."""
    chosen = [rows[number] for number in members]
    texts = [shown(name, _commonest(name, chosen)) or _UNKNOWN for name in by]
    return ", ".join(text.replace("\\", "+") for text in texts) or "all"


def _commonest(name: str, rows: Sequence[Row]) -> Value:
    counter = Counter(row.header.values[name] for row in rows if row.header.values[name] is not None)
    return counter.most_common(1)[0][0] if counter else None


def odd_in_group(rows: Sequence[Row], members: Sequence[int], group: str, rare: float) -> Iterator[Finding]:
    """Values that few series of a group have, and parameters that only few of them lack."""
    total = len(members)
    for parameter in PARAMETERS:
        values = [rows[number].header.values[parameter.name] for number in members]
        labels, commonest = clusters(parameter, values)
        counts = np.bincount(labels[labels >= 0], minlength=1)
        if not commonest or counts.max() < MAJORITY * total:
            continue
        top = int(counts.argmax())
        usual = f"{shown(parameter.name, commonest[top])} in {counts[top]} of {total} ({group})"
        for number, label in zip(members, labels, strict=True):
            count = int(counts[label]) if label >= 0 else int((labels < 0).sum())
            if label == top or not _is_rare(count, int(counts[top]), total, rare):
                continue
            value = shown(parameter.name, rows[number].header.values[parameter.name])
            kind = "rare in its group" if label >= 0 else "missing, others of its group have it"
            yield Finding(rows[number].name, parameter.name, value, kind, usual)


def _is_rare(count: int, top: int, total: int, rare: float) -> bool:
    alone = count == 1 and top == total - 1 and top >= ALONE
    return rare > 0 and (count < rare * total or alone)


def across(rows: Sequence[Row]) -> Iterator[Finding]:
    """What does not fit together in a whole folder: one name in several spellings, one model of several vendors or
    field strengths, one series in several rows of a table."""
    for name in _SPELLED:
        spellings: dict[Any, Counter] = defaultdict(Counter)
        for row in rows:
            if (raw := row.header.raw.get(name, "").strip("\0")) and row.header.values[name] is not None:
                spellings[key_of(name, row.header.values[name])][raw] += 1
        for counter in spellings.values():
            if len(counter) > 1:
                listed = ", ".join(f"{text!r} ({count})" for text, count in counter.most_common())
                yield Finding(
                    "", name, listed, "several spellings", f"one of them; taken as {_value_of(rows, name, counter)}"
                )
    for name in ("manufacturer", "field_strength"):
        yield from _of_one_model(rows, name)
    names = Counter(row.name for row in rows)
    for name, count in names.items():
        if count > 1:
            yield Finding(name, "", f"{count} rows", "listed several times", "one row for each series")


def _value_of(rows: Sequence[Row], name: str, counter: Counter) -> Value:
    first = counter.most_common(1)[0][0]
    return next(row.header.values[name] for row in rows if row.header.raw.get(name, "").strip("\0") == first)


def _of_one_model(rows: Sequence[Row], name: str) -> Iterator[Finding]:
    """A scanner's model belongs to one vendor, and most to one field strength."""
    members: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        if row.header.values["model"] is not None and row.header.values[name] is not None:
            members[key_of("model", row.header.values["model"])].append(row)
    for chosen in members.values():
        counter = Counter(row.header.values[name] for row in chosen)
        if len(counter) < 2:
            continue
        usual, count = counter.most_common(1)[0]
        model = chosen[0].header.values["model"]
        for row in chosen:
            value = row.header.values[name]
            if value != usual and counter[value] < count:
                expected = f"{shown(name, usual)} in {count} of {len(chosen)} of the model {model}"
                yield Finding(row.name, name, shown(name, value), "not that of its model", expected)


def coverage_row(parameter: Parameter, rows: Sequence[Row]) -> dict[str, Any]:
    """How many series have a parameter, and which values."""
    values = [row.header.values[parameter.name] for row in rows]
    known = [value for value in values if value is not None]
    labels, commonest = clusters(parameter, values)
    counts = np.bincount(labels[labels >= 0], minlength=1)
    numbers = [float(value) for value in known] if parameter.kind != "categorical" else []
    return {
        "parameter": parameter.name,
        "label": parameter.label,
        "unit": BY_NAME[parameter.name].unit,
        "present": len(known),
        "missing": len(values) - len(known),
        "values": len(commonest),
        "commonest": commonest[int(counts.argmax())] if commonest else None,
        "lowest": min(numbers, default=None),
        "highest": max(numbers, default=None),
    }
