"""Tables of results to table nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from numpy.typing import ArrayLike

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import newNode
from DeepMRILib.mrml.transaction import remember
from DeepMRILib.tables import Table


def tableNodeFromTable(
    table: Table, name: str, existing: slicer.vtkMRMLTableNode | None = None
) -> slicer.vtkMRMLTableNode:
    """A table node with the columns and units of ``table``: ``existing`` with new content, or a new node."""
    return tableFromColumns(table.columns, name, units=table.units, existing=existing)


def tableFromColumns(
    columns: Mapping[str, ArrayLike | list[Any]],
    name: str,
    *,
    units: Mapping[str, str] | None = None,
    existing: slicer.vtkMRMLTableNode | None = None,
) -> slicer.vtkMRMLTableNode:
    """A table node with named columns of numbers or texts: ``existing`` with new content, or a new node.

    Args:
        columns: name to (n,) values; whole numbers stay whole, anything that is no number becomes text.
        units: unit of a column where it has one; kept as the column's unit label and shown in its description.

    Raises:
        InputError: columns of different lengths.
    """
    arrays = {key: _vtkArray(key, values) for key, values in columns.items()}
    if len({array.GetNumberOfTuples() for array in arrays.values()}) > 1:
        lengths = ", ".join(f"{key}: {array.GetNumberOfTuples()}" for key, array in arrays.items())
        raise InputError(f"The columns of a table have one length; got {lengths}.")
    if existing is not None:
        remember(existing)
    node = existing if existing is not None else newNode("vtkMRMLTableNode", name)
    with slicer.util.NodeModify(node):
        node.RemoveAllColumns()
        for array in arrays.values():
            node.AddColumn(array)
        _setUnits(node, arrays, units or {})
    return node


def _setUnits(node: slicer.vtkMRMLTableNode, columns: Mapping[str, Any], units: Mapping[str, str]) -> None:
    for key in columns:
        unit = units.get(key, "")
        node.SetColumnUnitLabel(key, unit)
        node.SetColumnTitle(key, f"{key} ({unit})" if unit not in ("", "1") else key)
        node.SetColumnDescription(key, f"{key} in {unit}" if unit not in ("", "1") else key)


def _vtkArray(key: str, values: ArrayLike | list[Any]) -> vtk.vtkAbstractArray:
    plain = np.asarray(values)
    if plain.ndim != 1:
        raise InputError(f"A column of a table is one row of values; {key} has shape {plain.shape}.")
    if plain.dtype.kind in "biuf":
        kind = np.int32 if plain.dtype.kind in "bi" and _fitsInt(plain) else np.float64
        array = vtk.util.numpy_support.numpy_to_vtk(plain.astype(kind), deep=True)
    else:
        array = vtk.vtkStringArray()
        for value in values:
            array.InsertNextValue("" if value is None else str(value))
    array.SetName(key)
    return array


def _fitsInt(values: np.ndarray) -> bool:
    limits = np.iinfo(np.int32)
    return values.size == 0 or bool(values.min() >= limits.min and values.max() <= limits.max)
