"""A list of nodes with check boxes, kept in step with the scene and with a list parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import qt
import slicer

ROW_HEIGHT, MOST_ROWS = 22, 8


@dataclass(frozen=True)
class CheckEntry:
    """One line of the list: a node, what is written, and the tooltip."""

    node: Any
    text: str
    toolTip: str = ""


class CheckList:
    """Shows nodes in a QListWidget and tells which of them the user has checked.

    Args:
        listWidget: the widget from the .ui file.
        onChanged: called with the checked nodes when the user has changed one.
    """

    def __init__(self, listWidget: Any, onChanged: Callable[[list[Any]], None]) -> None:
        self._list = listWidget
        self._onChanged = onChanged
        self._shown: list[tuple[str, str, str]] = []
        self._list.connect("itemChanged(QListWidgetItem*)", self._onItem)

    def update(self, entries: Sequence[CheckEntry], checked: Sequence[Any]) -> None:
        """Show these nodes, and check those."""
        shown = [(entry.node.GetID(), entry.text, entry.toolTip) for entry in entries]
        blocked = self._list.blockSignals(True)
        if shown != self._shown:
            self._shown = shown
            self._list.clear()
            for row, (_nodeId, text, toolTip) in enumerate(shown):
                self._list.addItem(text)
                self._list.item(row).setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
                self._list.item(row).setToolTip(toolTip)
            self._list.setFixedHeight(ROW_HEIGHT * min(max(len(shown), 2), MOST_ROWS) + 4)
        ids = {node.GetID() for node in checked if node is not None}
        for row, (nodeId, _text, _toolTip) in enumerate(shown):
            self._list.item(row).setCheckState(qt.Qt.Checked if nodeId in ids else qt.Qt.Unchecked)
        self._list.blockSignals(blocked)

    def _onItem(self, item: Any = None) -> None:  # noqa: ARG002
        rows = [row for row in range(len(self._shown)) if self._list.item(row).checkState() == qt.Qt.Checked]
        nodes = [slicer.mrmlScene.GetNodeByID(self._shown[row][0]) for row in rows]
        self._onChanged([node for node in nodes if node is not None])
