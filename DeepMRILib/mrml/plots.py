"""Curves to plot nodes: measured points as symbols, fits as lines, with the colours that the reports use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import slicer.util
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import newNode
from DeepMRILib.mrml.tables import tableFromColumns
from DeepMRILib.mrml.transaction import discard, remember
from DeepMRILib.plots import Curve
from DeepMRILib.report_style import PALETTE

PART = "DeepMRI.plot"
"""Attribute of the series and tables that belong to a chart of ours: what they show."""


def chartFromCurves(
    curves: Sequence[Curve],
    name: str,
    *,
    xTitle: str = "",
    yTitle: str = "",
    log: bool = False,
    existing: slicer.vtkMRMLPlotChartNode | None = None,
) -> slicer.vtkMRMLPlotChartNode:
    """A chart with one series of symbols per curve and one line per fit, its values in two tables.

    A curve without points is a line only, and one without a line points only. A second run with ``existing`` updates
    the chart, its series and its tables in place and removes what is no longer needed; series that the user added stay.
    Error bars are not shown: Slicer's plots have none.

    Args:
        name: of a new chart, and its title.
        log: a logarithmic y axis; values at or below zero are left out.

    Raises:
        InputError: no curve, or x and y of different lengths.
    """
    if not curves:
        raise InputError("There is nothing to plot: give at least one curve.")
    if len({curve.name for curve in curves}) != len(curves):
        raise InputError("The curves of a plot need different names.")
    points = {curve.name: _pair(curve.name, curve.x, curve.y, log) for curve in curves if np.size(curve.x)}
    lines = {
        curve.name: _pair(curve.name, curve.line_x, curve.line_y, log) for curve in curves if curve.line_x is not None
    }
    if existing is not None:
        remember(existing)
    chart = existing if existing is not None else newNode("vtkMRMLPlotChartNode", name)
    with slicer.util.NodeModify(chart):
        chart.SetTitle(name if existing is None else chart.GetTitle() or name)
        chart.SetXAxisTitle(xTitle)
        chart.SetYAxisTitle(yTitle)
        chart.SetYAxisLogScale(log)
        order = [curve.name for curve in curves]
        legends = {name: f"{name} (fit)" if name in points else name for name in order}
        kept = _showPart(chart, "points", points, order, {name: name for name in order})
        kept += _showPart(chart, "lines", lines, order, legends)
        _removeOthers(chart, kept)
    return chart


def clearChart(chart: slicer.vtkMRMLPlotChartNode) -> None:
    """Remove what ``chartFromCurves`` has drawn; the chart stays, with the series that the user added."""
    remember(chart)
    with slicer.util.NodeModify(chart):
        _removeOthers(chart, [])


def seriesOf(chart: slicer.vtkMRMLPlotChartNode) -> list[slicer.vtkMRMLPlotSeriesNode]:
    """The series of a chart that ``chartFromCurves`` made."""
    nodes = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    return [node for node in nodes if node is not None and node.GetAttribute(PART)]


def tablesOf(chart: slicer.vtkMRMLPlotChartNode) -> list[slicer.vtkMRMLTableNode]:
    """The tables behind a chart that ``chartFromCurves`` made."""
    tables = (node.GetTableNode() for node in seriesOf(chart))
    return list({table.GetID(): table for table in tables if table is not None and table.GetAttribute(PART)}.values())


def _showPart(
    chart: slicer.vtkMRMLPlotChartNode,
    part: str,
    values: dict[str, NDArray],
    order: list[str],
    legends: dict[str, str],
) -> list[slicer.vtkMRMLPlotSeriesNode]:
    """The series of one part, one per curve, on one table."""
    if not values:
        return []
    table = _table(chart, part, values)
    known = {series.GetAttribute(PART): series for series in seriesOf(chart)}
    kept = []
    for curve in values:
        key = f"{part}:{curve}"
        series = known.get(key)
        if series is None:
            # Not made unique: the name is what the legend shows.
            series = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", legends[curve])
            series.SetAttribute(PART, key)
        else:
            remember(series)
        _style(series, part, order.index(curve))
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(_xName(curve))
        series.SetYColumnName(curve)
        if not chart.HasPlotSeriesNodeID(series.GetID()):
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
        kept.append(series)
    return kept


def _table(chart: slicer.vtkMRMLPlotChartNode, part: str, values: dict[str, NDArray]) -> slicer.vtkMRMLTableNode:
    existing = next((table for table in tablesOf(chart) if table.GetAttribute(PART) == part), None)
    rows = max(len(pair) for pair in values.values())
    columns: dict[str, ArrayLike] = {}
    for curve, pair in values.items():
        # Curves of different lengths: Slicer's plots leave out rows that are not a number.
        padded = np.vstack([pair, np.full((rows - len(pair), 2), np.nan)])
        columns[_xName(curve)], columns[curve] = padded[:, 0], padded[:, 1]
    table = tableFromColumns(columns, f"{chart.GetName()} {part}", existing=existing)
    table.SetAttribute(PART, part)
    return table


def _style(series: slicer.vtkMRMLPlotSeriesNode, part: str, number: int) -> None:
    node = slicer.vtkMRMLPlotSeriesNode
    markers = (
        node.MarkerStyleCircle,
        node.MarkerStyleSquare,
        node.MarkerStyleDiamond,
        node.MarkerStylePlus,
        node.MarkerStyleCross,
    )
    # Slicer's line plots count their points; only scatter plots put them at their x.
    series.SetPlotType(node.PlotTypeScatter)
    series.SetColor(*_rgb(PALETTE[number % len(PALETTE)]))
    series.SetMarkerStyle(markers[number % len(markers)] if part == "points" else node.MarkerStyleNone)
    series.SetLineStyle(node.LineStyleNone if part == "points" else node.LineStyleSolid)
    series.SetMarkerSize(9)
    series.SetLineWidth(2)


def _removeOthers(chart: slicer.vtkMRMLPlotChartNode, kept: list[slicer.vtkMRMLPlotSeriesNode]) -> None:
    ids = {series.GetID() for series in kept}
    tables = {series.GetTableNode().GetID() for series in kept}
    for series in seriesOf(chart):
        if series.GetID() in ids:
            continue
        table = series.GetTableNode()
        chart.RemovePlotSeriesNodeID(series.GetID())
        discard(series)
        if table is not None and table.GetAttribute(PART) and table.GetID() not in tables:
            discard(table)


def _pair(name: str, x: ArrayLike, y: ArrayLike | None, log: bool) -> NDArray:
    """(n, 2): the points of one curve that can be drawn."""
    across, up = np.asarray(x, dtype=float).ravel(), np.asarray(y, dtype=float).ravel()
    if across.shape != up.shape:
        raise InputError(f"The curve {name} has {across.size} x values and {up.size} y values.")
    shown = np.isfinite(across) & np.isfinite(up) & ((up > 0) | (not log))
    return np.c_[across[shown], up[shown]]


def _xName(curve: str) -> str:
    return f"{curve}: x"


def _rgb(colour: str) -> tuple[float, float, float]:
    return tuple(int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
