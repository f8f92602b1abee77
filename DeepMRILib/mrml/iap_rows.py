"""The rows of a table of acquisition parameters, as they are written into a table node and read from it again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.mrml.nodes import isNode
from DeepMRILib.mrml.pvs_report import tableFromNode
from DeepMRILib.tables import Table

SHOWN = ("label", "header", "predicted", "sure", "verdict", "parameter")
"""The columns that come first."""
NUMBERS = ("probability", "low", "high", "agreement", "slice")
NEEDED = {"parameter", "header", "predicted", "verdict"}
TOO_LITTLE = 0.005
"""A chance below this, or above 1 less this, is not written as 0 or 100 %."""


@dataclass(frozen=True)
class ParameterRow:
    """What header and image say about one parameter, in words.

    Attributes:
        parameter, label, unit: its name, for people, of its numbers.
        header, predicted: what each says; empty where it says nothing.
        sure: the probability of a word, the interval of a number; empty where there is neither.
        classes: those that stay at the level, joined by "; ".
        verdict: as of ``IAPResult``.
        agreement: fraction of the slices that say the same; None where it is not known.
        slice: the one that decides, None where there is none.
        low, high: ends of a number's interval; None where there is none.
        note: what a reader must know.
    """

    parameter: str
    label: str = ""
    unit: str = ""
    header: str = ""
    predicted: str = ""
    sure: str = ""
    classes: str = ""
    verdict: str = ""
    agreement: float | None = None
    slice: int | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""


def shownTable(parameters: Table) -> Table:
    """The table of a result as a node shows it: what people read first, numbers written short, then the rest."""
    columns = {name: list(values) for name, values in parameters.columns.items()}
    rows = [dict(zip(columns, row, strict=True)) for row in parameters.rows]
    columns["header"] = [valueText(row["header"]) for row in rows]
    columns["predicted"] = [valueText(row["predicted"]) for row in rows]
    columns["sure"] = [_sure(row) for row in rows]
    for name in NUMBERS:
        if name in columns:
            columns[name] = [_number(value) for value in columns[name]]
    first = {name: columns[name] for name in SHOWN if name in columns}
    return Table({**first, **{name: values for name, values in columns.items() if name not in first}})


def valueText(value: Any) -> str:
    """A value for people: numbers with four digits.

    Example:
        >>> [valueText(value) for value in (11000.0, 2.8936, 3, "SE", None)]
        ['11000', '2.894', '3', 'SE', '']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return np.format_float_positional(float(f"{float(value):.4g}"), trim="-")


def chanceText(chance: float) -> str:
    """A probability in percent.

    Example:
        >>> [chanceText(chance) for chance in (0.974, 0.9999, 0.001)]
        ['97 %', '> 99 %', '< 1 %']
    """
    if chance > 1 - TOO_LITTLE:
        return "> 99 %"
    return "< 1 %" if chance < TOO_LITTLE else f"{100 * chance:.0f} %"


def _sure(row: Mapping[str, Any]) -> str:
    low, high, chance = (_number(row.get(name)) for name in ("low", "high", "probability"))
    if math.isfinite(low) and math.isfinite(high):
        return f"{valueText(low)} to {valueText(high)}"
    return chanceText(chance) if math.isfinite(chance) else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def rowsOf(node: Any) -> list[ParameterRow]:
    """The rows of a table node; none where it is another table."""
    if not isNode(node, "vtkMRMLTableNode"):
        return []
    table = tableFromNode(node)
    if not set(table.columns) >= NEEDED:
        return []
    return [_row(dict(zip(table.columns, row, strict=True))) for row in table.rows]


def _row(values: Mapping[str, Any]) -> ParameterRow:
    numbers = {name: _number(values.get(name)) for name in NUMBERS}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    texts = ("parameter", "label", "unit", "header", "predicted", "sure", "verdict", "note")
    given = {name: str(values.get(name, "")) for name in texts}
    name = given["parameter"]
    given["label"] = given["label"] or (BY_NAME[name].label if name in BY_NAME else name)
    return ParameterRow(
        **given,
        classes=str(values.get("set", "")),
        agreement=known["agreement"],
        slice=int(known["slice"]) if known["slice"] is not None else None,
        low=known["low"],
        high=known["high"],
    )
