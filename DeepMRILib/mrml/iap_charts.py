"""The strip plot: what each slice of a series says about one acquisition parameter."""

from __future__ import annotations

import math
from typing import Any

from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.mrml.iap_rows import ParameterRow, valueText
from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.mrml.pvs_report import tableFromNode
from DeepMRILib.plots import Curve

COLUMNS = {"slice", "parameter", "predicted", "probability"}


def stripParameters(slicesTable: Any) -> list[str]:
    """The parameters that slices say something about, in the order of the table."""
    rows = _rows(slicesTable)
    return list(dict.fromkeys(str(row["parameter"]) for row in rows))


def stripChart(slicesTable: Any, row: ParameterRow, name: str, existing: Any = None) -> Any:
    """A chart of what each slice says: of numbers their value, of words how likely each is.

    Args:
        slicesTable: table node with the columns of ``IAPResult.slices``.
        row: of the parameter; what the header says and the interval are drawn as lines.
        name: of a new chart.

    Returns:
        The chart; None where no slice says anything about that parameter.
    """
    found = [one for one in _rows(slicesTable) if str(one["parameter"]) == row.parameter]
    known = BY_NAME.get(row.parameter)
    words = known is None or known.kind == "categorical"
    curves = _words(found) if words else _numbers(found, row)
    if not curves:
        return None
    unit = f" ({row.unit})" if row.unit and not words else ""
    title = f"Probability of the {row.label.lower()}" if words else f"{row.label}{unit}"
    chart = chartFromCurves(curves, name, xTitle="Slice", yTitle=title, existing=existing)
    chart.SetTitle(row.label)
    return chart


def _rows(node: Any) -> list[dict[str, Any]]:
    if node is None:
        return []
    table = tableFromNode(node)
    if not set(table.columns) >= COLUMNS:
        return []
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _words(rows: list[dict[str, Any]]) -> list[Curve]:
    """A series of points for each word that any slice says."""
    curves = []
    for word in dict.fromkeys(str(row["predicted"]) for row in rows):
        own = [row for row in rows if str(row["predicted"]) == word]
        curves.append(Curve(word or "nothing", [row["slice"] for row in own], [row["probability"] for row in own]))
    return curves


def _numbers(rows: list[dict[str, Any]], row: ParameterRow) -> list[Curve]:
    points = [(float(one["slice"]), _float(one["predicted"])) for one in rows]
    points = [point for point in points if math.isfinite(point[1])]
    if not points:
        return []
    across, up = zip(*points, strict=True)
    ends = [min(across) - 0.5, max(across) + 0.5]
    curves = [Curve("each slice", across, up)]
    levels = {"image": _float(row.predicted), "header": _float(row.header)}
    levels |= {"lower end": _float(row.low), "upper end": _float(row.high)}
    for name, level in levels.items():
        if math.isfinite(level):
            curves.append(Curve(f"{name}: {valueText(level)}", [], [], line_x=ends, line_y=[level, level]))
    return curves


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
