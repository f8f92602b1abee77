"""Tables of results as nodes."""

from __future__ import annotations

import numpy as np
import pytest
import slicer.util
from mrml_samples import countNodes, throughBundle

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.tables import tableFromColumns, tableNodeFromTable
from DeepMRILib.tables import Table

pytestmark = pytest.mark.usefixtures("scene")

COLUMNS = {"region": ["liver", "left kidney"], "voxels": [120, 80], "D": [1.1e-3, np.nan], "fitted": [True, False]}
UNITS = {"D": "mm2/s"}


def _column(node, name):
    column = node.GetTable().GetColumnByName(name)
    return [column.GetVariantValue(n).ToString() for n in range(column.GetNumberOfTuples())]


def test_columns_and_units():
    node = tableNodeFromTable(Table(COLUMNS, UNITS), "regions")
    assert [node.GetColumnName(n) for n in range(node.GetNumberOfColumns())] == list(COLUMNS)
    assert _column(node, "region") == COLUMNS["region"]
    assert _column(node, "voxels") == ["120", "80"]
    assert np.array_equal(slicer.util.arrayFromTableColumn(node, "D"), COLUMNS["D"], equal_nan=True)
    assert slicer.util.arrayFromTableColumn(node, "fitted").tolist() == [1, 0]
    assert node.GetColumnUnitLabel("D") == "mm2/s"
    assert node.GetColumnTitle("D") == "D (mm2/s)"
    assert node.GetColumnDescription("D") == "D in mm2/s"
    assert node.GetColumnUnitLabel("voxels") == ""


def test_second_run_updates_the_node(scene):
    node = tableFromColumns(COLUMNS, "regions", units=UNITS)
    nodes = countNodes(scene)
    assert tableFromColumns({"D": [1, 2, 3]}, "regions", existing=node) is node
    assert countNodes(scene) == nodes
    assert node.GetNumberOfColumns() == 1
    assert node.GetNumberOfRows() == 3
    assert node.GetColumnUnitLabel("D") == ""


def test_bundle_keeps_values_and_units(scene, tmp_path):
    tableFromColumns(COLUMNS, "regions", units=UNITS)
    throughBundle(scene, tmp_path / "scene.mrb")
    node = slicer.util.getNode("regions")
    assert _column(node, "region") == COLUMNS["region"]
    assert slicer.util.arrayFromTableColumn(node, "D")[0] == pytest.approx(1.1e-3)
    assert node.GetColumnUnitLabel("D") == "mm2/s"


def test_large_whole_numbers_and_empty_tables():
    node = tableFromColumns({"count": [2**40]}, "large")
    assert slicer.util.arrayFromTableColumn(node, "count")[0] == 2**40
    assert tableFromColumns({"count": []}, "empty").GetNumberOfRows() == 0


def test_columns_of_different_lengths(scene):
    nodes = countNodes(scene)
    with pytest.raises(InputError, match="a: 2, b: 1"):
        tableFromColumns({"a": [1, 2], "b": [1]}, "table")
    with pytest.raises(InputError, match="a has shape"):
        tableFromColumns({"a": np.ones((2, 2))}, "table")
    assert countNodes(scene) == nodes
