"""The list of parameters in the IAPPredict panel: a click on a row shows the slice that decides and its strip plot."""

from __future__ import annotations

from typing import Any

import qt
import vtk
from slicer.i18n import tr as _

from DeepMRILib.mrml.iap import drawStrip, slicePosition, warningText
from DeepMRILib.mrml.iap_record import linkedNodes, recordOf
from DeepMRILib.mrml.iap_rows import ParameterRow, rowsOf
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.iap_verdicts import coloursOf, verdictHelp, verdictWord
from DeepMRILib.panel.pvs_views import jumpTo
from DeepMRILib.panel.views import showNumbers

ROW_HEIGHT, MOST_ROWS, FRAME = 24, 18, 26
"""Pixels of a row, rows that are seen at once, pixels of the headings."""
WIDEST = 130
"""Pixels of a column, so that all are seen."""
VERDICT = 4
_UNKNOWN = object()
"""What is shown before the panel has looked, and after the user was elsewhere."""


class ParameterList:
    """Shows the rows of a table of parameters, and what is to be said about the chosen one.

    Args:
        panel: its ``ui`` holds ``parameterList``, ``warningLabel`` and ``detailLabel``, and its ``parameters`` the
            table and the chosen parameter.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._list = panel, panel.ui.parameterList
        self._rows: list[ParameterRow] = []
        self._shown: Any = _UNKNOWN
        headings = [_("Parameter"), _("Header"), _("Image"), _("How sure"), _("Verdict")]
        self._list.setColumnCount(len(headings))
        self._list.setHorizontalHeaderLabels(headings)
        self._list.verticalHeader().setVisible(False)
        self._list.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        widths = self._list.horizontalHeader()
        widths.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in range(1, len(headings)):
            widths.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        widths.setMaximumSectionSize(WIDEST)
        widths.setHighlightSections(False)
        self._list.setHorizontalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)  # tooltips have what does not fit
        self._list.setWordWrap(False)
        font = panel.ui.warningLabel.font
        font.setBold(True)
        panel.ui.warningLabel.setFont(font)
        self._list.connect("currentCellChanged(int,int,int,int)", lambda row, *_others: self.onRow(row))
        self._list.connect("cellClicked(int,int)", lambda row, _column: self.onClicked(row))
        self._follower = Follower(self._update)

    def refresh(self, parameters: Any) -> None:
        """Follow the chosen table; call it from ``updatePanel``."""
        table = parameters.parametersTable
        nodes = [node for node in (table, linkedNodes(table).outsideTable) if node is not None]
        self._follower.watch([(node, vtk.vtkCommand.ModifiedEvent) for node in nodes])
        if table is not self._shown:
            self._shown = table
            self._update()
        self._choose(parameters.shownParameter)

    def onRow(self, row: int) -> None:
        """Choose a parameter."""
        if 0 <= row < len(self._rows):
            self._panel.parameters.shownParameter = self._rows[row].parameter
            self.show(self._rows[row])

    def onClicked(self, row: int) -> None:
        """A second click on the chosen row, after the user has looked elsewhere."""
        if 0 <= row < len(self._rows) and self._rows[row].parameter == self._panel.parameters.shownParameter:
            self._jump(self._rows[row])

    def show(self, row: ParameterRow) -> None:
        """Show the slice that decides about a parameter, and draw its strip plot."""
        self._jump(row)
        parameters = self._panel.parameters
        chart = drawStrip(parameters.parametersTable, row.parameter, parameters.stripChart)
        if chart is not None:
            parameters.stripChart = chart
            showNumbers(chartNode=chart)

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere."""
        self._follower.stop()
        self._shown = _UNKNOWN

    def dispose(self) -> None:
        """The panel goes."""
        self._follower.dispose()

    def _jump(self, row: ParameterRow) -> None:
        position = None if row.slice is None else slicePosition(self._panel.parameters.parametersTable, row.slice)
        if position is not None:
            jumpTo(position)

    def _update(self) -> None:
        parameters = self._panel._parameters
        table = parameters.parametersTable if parameters is not None else None
        self._rows = rowsOf(table)
        blocked = self._list.blockSignals(True)
        self._list.setRowCount(len(self._rows))
        for number, row in enumerate(self._rows):
            for column, text in enumerate((row.label, _valued(row.header, row), _valued(row.predicted, row), row.sure)):
                self._list.setItem(number, column, _item(text, row))
            self._list.setItem(number, VERDICT, _verdictItem(row))
        self._list.setCurrentCell(-1, -1)
        self._list.blockSignals(blocked)
        self._list.setFixedHeight(FRAME + ROW_HEIGHT * min(max(len(self._rows), 3), MOST_ROWS))
        warning = warningText(linkedNodes(table).outsideTable)
        self._panel.ui.warningLabel.setText(warning)
        self._panel.ui.warningLabel.setVisible(bool(warning))
        self._choose(parameters.shownParameter if parameters is not None else "")

    def _choose(self, parameter: str) -> None:
        """Mark a parameter's row and say what is known of it; the views stay where they are."""
        place = next((n for n, row in enumerate(self._rows) if row.parameter == parameter), -1)
        blocked = self._list.blockSignals(True)
        if self._list.currentRow() != place:
            self._list.setCurrentCell(place, 0 if place >= 0 else -1)
        self._list.blockSignals(blocked)
        text = self._detail(self._rows[place]) if place >= 0 else ""
        self._panel.ui.detailLabel.setText(text)
        self._panel.ui.detailLabel.setVisible(bool(text))

    def _detail(self, row: ParameterRow) -> str:
        record = recordOf(self._shown) if self._shown is not _UNKNOWN else None
        sentences = [f"{row.label}: {verdictHelp(row.verdict, row.header, row.predicted)}"]
        if row.classes and record is not None:
            text = _("At {level:.0f} % it is one of: {classes}.")
            sentences.append(text.format(level=100 * record.level, classes=row.classes))
        if row.low is not None and record is not None:
            text = _("At {level:.0f} % it lies between {range}.")
            sentences.append(
                text.format(level=100 * record.level, range=_valued(row.sure.replace(" to ", " and "), row))
            )
        if row.agreement is not None:
            sentences.append(_("{percent:.0f} % of the slices say so.").format(percent=100 * row.agreement))
        if row.slice is not None:
            sentences.append(_("Slice {number} decides.").format(number=row.slice))
        return " ".join((*sentences, row.note)).strip()


def _valued(text: str, row: ParameterRow) -> str:
    """A value with its unit."""
    return f"{text} {row.unit}" if text and row.unit else text


def _item(text: str, row: ParameterRow) -> Any:
    item = qt.QTableWidgetItem(text)
    item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
    item.setToolTip("\n".join(filter(None, (text, row.note))))
    return item


def _verdictItem(row: ParameterRow) -> Any:
    item = _item(verdictWord(row.verdict, row.header), row)
    item.setFlags(qt.Qt.ItemIsEnabled)  # the colour of a chosen row would hide its own
    item.setToolTip(verdictHelp(row.verdict, row.header, row.predicted))
    colours = coloursOf(row.verdict)
    if colours is not None:
        item.setBackground(qt.QBrush(qt.QColor(colours[0])))
        item.setForeground(qt.QBrush(qt.QColor(colours[1])))
    return item
