"""The list of clusters in the PVSSegment panel: a click on a row shows the cluster in the slice views."""

from __future__ import annotations

from typing import Any

import qt
import vtk
from slicer.i18n import tr as _

from DeepMRILib.mrml.pvs import clusterPosition
from DeepMRILib.mrml.pvs_report import tableFromNode
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.pvs_views import jumpTo

MOST_ROWS = 300
"""The largest; thousands of rows would make the sliders jerk. The table of the scene has them all."""
COLUMNS = ("cluster", "region", "volume", "length")
WIDTHS, LETTER, ROW_HEIGHT = {0: 5, 2: 7, 3: 6}, 9, 22
"""Letters of the columns that hold numbers, pixels of a letter and of a row."""
_UNKNOWN = object()
"""What is shown before the panel has looked, and after the user was elsewhere."""


class ClusterList:
    """Shows the rows of a census and moves the slice views to the one that is chosen.

    Args:
        panel: its ``ui`` holds ``clusterTable`` and ``clusterLabel``, and its ``parameters`` the census.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._table, self._label = panel, panel.ui.clusterTable, panel.ui.clusterLabel
        self._positions: list[tuple[float, float, float]] = []
        self._shown: Any = _UNKNOWN
        self._table.setColumnCount(len(COLUMNS))
        self._table.setHorizontalHeaderLabels([_("No."), _("Region"), _("mm³"), _("mm")])
        self._table.verticalHeader().setVisible(False)
        self._table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self._table.horizontalHeader().setSectionResizeMode(1, qt.QHeaderView.Stretch)
        for column, letters in WIDTHS.items():  # to measure the contents at each change would take seconds
            self._table.horizontalHeader().setSectionResizeMode(column, qt.QHeaderView.Fixed)
            self._table.setColumnWidth(column, LETTER * letters)
        self._table.connect("currentCellChanged(int,int,int,int)", lambda row, *_others: self.onRow(row))
        self._follower = Follower(self._update)

    def refresh(self, parameters: Any) -> None:
        """Follow the chosen census; call it from ``updatePanel``."""
        node = parameters.censusTable
        self._follower.watch([(node, vtk.vtkCommand.ModifiedEvent)] if node is not None else [])
        if node is not self._shown:
            self._shown = node
            self._update()

    def onRow(self, row: int) -> None:
        """Show a cluster."""
        segmentation = self._panel.parameters.segmentation
        if 0 <= row < len(self._positions) and segmentation is not None:
            jumpTo(clusterPosition(segmentation, self._positions[row]))

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere."""
        self._follower.stop()
        self._shown = _UNKNOWN

    def dispose(self) -> None:
        """The panel goes."""
        self._follower.dispose()

    def _update(self) -> None:
        rows = self._rows()
        self._positions = [(row["r"], row["a"], row["s"]) for row in rows[:MOST_ROWS]]
        blocked = self._table.blockSignals(True)
        self._table.setRowCount(len(self._positions))
        for n, row in enumerate(rows[:MOST_ROWS]):
            texts = (str(row["cluster"]), str(row["region"]), f"{row['volume']:.1f}", f"{row['length']:.1f}")
            for column, text in enumerate(texts):
                self._write(n, column, text)
        self._table.setCurrentCell(-1, -1)
        self._table.blockSignals(blocked)
        more = len(rows) - len(self._positions)
        text = _("The {count} largest; {more} more are in the table of clusters.")
        self._label.setText(text.format(count=MOST_ROWS, more=more) if more > 0 else "")
        self._label.setVisible(more > 0)

    def _write(self, row: int, column: int, text: str) -> None:
        """Most cells stay as they are while a slider moves."""
        item = self._table.item(row, column)
        if item is None:
            self._table.setItem(row, column, _item(text, isNumber=column != 1))
        elif item.text() != text:
            item.setText(text)

    def _rows(self) -> list[dict[str, Any]]:
        parameters = self._panel._parameters
        if parameters is None or parameters.censusTable is None:
            return []
        table = tableFromNode(parameters.censusTable)
        if not {*COLUMNS, "r", "a", "s"} <= set(table.columns):  # somebody else's table
            return []
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _item(text: str, *, isNumber: bool) -> Any:
    item = qt.QTableWidgetItem(text)
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    if isNumber:
        item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
    return item
