"""How reports write parameters, values, chances and verdicts: short, with a sign and a word for each colour."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.verdicts import LOOKS
from DeepMRILib.report import NO_VALUE, Report
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

Row = Mapping[str, Any]

VERDICT_TONES = {verdict: look.tone for verdict, look in LOOKS.items() if look.tone}
STATES = {"good": ("✓", "blue"), "look": ("!", "yellow"), "bad": ("✗", "orange")}
"""Sign and colour of the checks."""
TOO_LITTLE = 0.005
"""A chance below this, or above 1 less this, is not written as 0 or 100 %."""
MOST_ROWS = 40
"""Rows of long tables on a page; their CSV files have all."""


def rows_of(table: Table) -> list[dict[str, Any]]:
    """The rows of a table as mappings."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def is_known(value: Any) -> bool:
    """Whether there is a value: not None, not NaN, not empty.

    Example:
        >>> [is_known(one) for one in (0.0, "SE", None, float("nan"), "")]
        [True, True, False, False, False]
    """
    return not (value is None or value == "" or (isinstance(value, float) and math.isnan(value)))


def value_text(value: Any) -> str:
    """A value with at most four digits; a dash where there is none.

    Example:
        >>> [value_text(one) for one in (11000.0, 2.8936, 3, "SE", None)]
        ['11000', '2.894', '3', 'SE', '–']
    """
    if not is_known(value):
        return NO_VALUE
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number)):
        return str(value)
    return np.format_float_positional(float(f"{float(value):.4g}"), trim="-")


def cut(word: str, most: int = 14) -> str:
    """A word that fits beside a plot; its dollar signs are none of a formula, which matplotlib would read as one.

    Example:
        >>> cut("DISCOVERY MR750w"), cut("A$B$")
        ('DISCOVERY MR7…', 'A\\\\$B\\\\$')
    """
    return (word if len(word) <= most else f"{word[: most - 1]}…").replace("$", r"\$")


def chance_text(chance: Any) -> str:
    """A probability in percent.

    Example:
        >>> [chance_text(one) for one in (0.974, 0.9999, 0.001, None)]
        ['97 %', '> 99 %', '< 1 %', '–']
    """
    if not is_known(chance):
        return NO_VALUE
    if chance > 1 - TOO_LITTLE:
        return "> 99 %"
    return "< 1 %" if chance < TOO_LITTLE else f"{100 * chance:.0f} %"


def label_of(parameter: str, *, unit: bool = True) -> str:
    """A parameter's name for people, with its unit.

    Example:
        >>> label_of("echo_time"), label_of("echo_time", unit=False), label_of("manufacturer"), label_of("site")
        ('Echo time (ms)', 'Echo time', 'Manufacturer', 'site')
    """
    known = BY_NAME.get(parameter)
    if known is None:
        return parameter
    return f"{known.label} ({known.unit})" if unit and known.unit else known.label


def labels_of(parameters: Iterable[str]) -> str:
    """Names in a sentence.

    Example:
        >>> labels_of(["echo_time", "model"])
        'echo time, scanner model'
    """
    return ", ".join(lowered(label_of(name, unit=False)) for name in parameters)


def lowered(words: str) -> str:
    """Within a sentence; 2D stays 2D."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]


def verdict_text(verdict: str) -> str:
    """A verdict with its sign, as short as a column.

    Example:
        >>> verdict_text("disagree"), verdict_text("missing in the header"), verdict_text("new")
        ('≠ disagree', '∅ missing', 'new')
    """
    look = LOOKS.get(verdict)
    return f"{look.sign} {look.word}" if look else verdict


def verdict_tones(verdicts: Sequence[str], column: str = "Verdict") -> dict[tuple[int, str], str]:
    """The colours behind the cells of a column of verdicts."""
    return {(row, column): VERDICT_TONES[one] for row, one in enumerate(verdicts) if one in VERDICT_TONES}


def counted(words: Iterable[str]) -> str:
    """How often each occurs, the commonest first.

    Example:
        >>> counted(["agree", "agree", "disagree"])
        '2 agree, 1 disagree'
    """
    return ", ".join(f"{count} {word}" for word, count in Counter(words).most_common()) or "none"


def plural(count: int, word: str) -> str:
    """A number with its noun; words that stay the same, such as series, are given as they are.

    Example:
        >>> plural(1, "patient"), plural(3, "patient"), plural(2, "series")
        ('1 patient', '3 patients', '2 series')
    """
    return f"{count} {word}" if count == 1 or word.endswith("s") else f"{count} {word}s"


def shortened(table: Table, most: int = MOST_ROWS) -> Table:
    """The first rows of a table."""
    return Table({name: values[:most] for name, values in table.columns.items()}, table.units)


def of_all(table: Table, name: str, most: int = MOST_ROWS) -> str:
    """A sentence on rows that the page leaves out; empty where it has all."""
    return f" The first {most} of {len(table)}; {name}.csv has all." if len(table) > most else ""


def add_notes(report: Report, made: Provenance) -> None:
    """What a reader must know, at the top."""
    for note in made.notes:
        report.note(note)


def add_settings(report: Report, made: Provenance) -> None:
    """All settings, at the end."""
    report.section("How it was made")
    used = {name: value for name, value in made.options.items() if value not in ("", (), [])}
    seconds = {"Seconds": round(sum(made.seconds.values()), 2)} if made.seconds else {}
    report.facts({**used, **seconds, "DeepMRI": made.version})


def add_unread(report: Report, unread: Table) -> None:
    """Files that could not be read, with the reason; nothing where all could."""
    if not len(unread):
        return
    report.section("Not read")
    kept = shortened(Table({"Path": unread.columns["path"], "Reason": unread.columns["reason"]}))
    report.table(kept, caption=f"{plural(len(unread), 'place')} could not be read; the rest was done."
                 + of_all(unread, "unread"))  # fmt: skip
