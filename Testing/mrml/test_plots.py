"""Curves as plot nodes."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import countNodes, throughBundle

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.plots import chartFromCurves, seriesOf, tablesOf
from DeepMRILib.plots import Curve

pytestmark = pytest.mark.usefixtures("scene")

B = np.array([0.0, 50, 400, 800])
FINE = np.linspace(0, 800, 41)


def _curve(name, rate):
    return Curve(name, B, np.exp(-B * rate), line_x=FINE, line_y=np.exp(-FINE * rate))


CURVES = [_curve("liver", 1e-3), _curve("kidney", 2e-3)]


def _values(series):
    table = series.GetTableNode()
    names = (series.GetXColumnName(), series.GetYColumnName())
    x, y = (slicer.util.arrayFromTableColumn(table, name) for name in names)
    return x[np.isfinite(x)], y[np.isfinite(y)]


def test_points_and_lines():
    chart = chartFromCurves(CURVES, "decay", xTitle="b (s/mm²)", yTitle="signal")
    kind = slicer.vtkMRMLPlotSeriesNode
    styles = [(node.GetName(), node.GetMarkerStyle(), node.GetLineStyle()) for node in seriesOf(chart)]
    assert styles == [
        ("liver", kind.MarkerStyleCircle, kind.LineStyleNone),
        ("kidney", kind.MarkerStyleSquare, kind.LineStyleNone),
        ("liver (fit)", kind.MarkerStyleNone, kind.LineStyleSolid),
        ("kidney (fit)", kind.MarkerStyleNone, kind.LineStyleSolid),
    ]
    # The only type whose points lie at their x.
    assert {node.GetPlotType() for node in seriesOf(chart)} == {kind.PlotTypeScatter}
    assert len(tablesOf(chart)) == 2
    assert chart.GetTitle() == "decay"
    assert (chart.GetXAxisTitle(), chart.GetYAxisTitle()) == ("b (s/mm²)", "signal")


def test_values_are_those_of_the_curves():
    chart = chartFromCurves(CURVES, "decay")
    expected = {"points": [(B, curve.y) for curve in CURVES], "lines": [(FINE, curve.line_y) for curve in CURVES]}
    for node in seriesOf(chart):
        part, name = node.GetAttribute("DeepMRI.plot").split(":")
        x, y = expected[part][[curve.name for curve in CURVES].index(name)]
        assert np.array_equal(_values(node)[0], x)
        assert np.allclose(_values(node)[1], y)


def test_points_and_line_of_a_curve_share_a_colour_and_curves_differ():
    colours = {}
    for node in seriesOf(chartFromCurves(CURVES, "decay")):
        colours.setdefault(node.GetYColumnName(), set()).add(node.GetColor())
    assert all(len(colour) == 1 for colour in colours.values())
    assert len(set.union(*colours.values())) == 2


def test_second_run_updates_in_place(scene):
    chart = chartFromCurves(CURVES, "decay")
    before, nodes = {node.GetID() for node in seriesOf(chart)}, countNodes(scene)
    again = chartFromCurves([_curve("liver", 5e-3), _curve("kidney", 4e-3)], "decay", existing=chart)
    assert again is chart
    assert {node.GetID() for node in seriesOf(chart)} == before
    assert countNodes(scene) == nodes
    assert np.allclose(_values(seriesOf(chart)[0])[1], np.exp(-B * 5e-3))


def test_what_is_no_longer_needed_goes_and_the_users_series_stay(scene):
    chart = chartFromCurves(CURVES, "decay")
    own = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "mine")
    chart.AddAndObservePlotSeriesNodeID(own.GetID())
    nodes = countNodes(scene)
    chartFromCurves([Curve("spleen", B, B + 1)], "decay", existing=chart)
    assert [node.GetName() for node in seriesOf(chart)] == ["spleen"]
    assert chart.HasPlotSeriesNodeID(own.GetID())
    # Four series and the table of lines went, one series came.
    assert countNodes(scene) == nodes - 4


def test_curves_of_different_lengths_share_a_table():
    chart = chartFromCurves([Curve("short", [0, 1], [5, 6]), Curve("long", [0, 1, 2], [7, 8, 9])], "lengths")
    assert [_values(node)[1].tolist() for node in seriesOf(chart)] == [[5, 6], [7, 8, 9]]


def test_logarithmic_axis_leaves_out_what_it_cannot_show():
    chart = chartFromCurves([Curve("noise", B, [1, 0, -1, np.nan])], "log", log=True)
    assert chart.GetYAxisLogScale()
    assert _values(seriesOf(chart)[0])[1].tolist() == [1]


def test_bundle(scene, tmp_path):
    chartFromCurves(CURVES, "decay")
    throughBundle(scene, tmp_path / "scene.mrb")
    chart = slicer.util.getNode("decay")
    nodes = countNodes(scene)
    assert np.allclose(_values(seriesOf(chart)[0])[1], CURVES[0].y)
    chartFromCurves(CURVES, "decay", existing=chart)
    assert countNodes(scene) == nodes


def test_bad_curves(scene):
    nodes = countNodes(scene)
    with pytest.raises(InputError, match="nothing to plot"):
        chartFromCurves([], "decay")
    with pytest.raises(InputError, match="2 x values and 1 y values"):
        chartFromCurves([Curve("liver", [0, 1], [1])], "decay")
    with pytest.raises(InputError, match="different names"):
        chartFromCurves([CURVES[0], CURVES[0]], "decay")
    assert countNodes(scene) == nodes
