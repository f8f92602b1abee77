"""A list of the segments of a segmentation, of which the user checks those that count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt

ROW_HEIGHT, MOST_ROWS = 22, 6


class SegmentList:
    """Shows segments in a QListWidget; all are checked until the user leaves one out.

    Args:
        listWidget: the widget from the .ui file.
        onChanged: called with the IDs of the checked segments, none where all are.
    """

    def __init__(self, listWidget: Any, onChanged: Callable[[list[str]], None]) -> None:
        self._list, self._onChanged = listWidget, onChanged
        self._shown: list[tuple[str, str]] = []
        self._list.connect("itemChanged(QListWidgetItem*)", self._onItem)

    def update(self, segmentationNode: Any, chosen: Sequence[str]) -> None:
        """Show the segments of a node (None for none), and which of them count; all where none is named."""
        shown = []
        if segmentationNode is not None:
            segments = segmentationNode.GetSegmentation()
            shown = [(one, segments.GetSegment(one).GetName()) for one in segments.GetSegmentIDs()]
        blocked = self._list.blockSignals(True)
        if shown != self._shown:
            self._shown = shown
            self._list.clear()
            for row, (_segmentId, name) in enumerate(shown):
                self._list.addItem(name)
                self._list.item(row).setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            self._list.setFixedHeight(ROW_HEIGHT * min(max(len(shown), 2), MOST_ROWS) + 4)
        for row, (segmentId, _name) in enumerate(shown):
            checked = not chosen or segmentId in chosen
            self._list.item(row).setCheckState(qt.Qt.Checked if checked else qt.Qt.Unchecked)
        self._list.blockSignals(blocked)

    def _onItem(self, item: Any = None) -> None:  # noqa: ARG002
        checked = [
            segmentId
            for row, (segmentId, _name) in enumerate(self._shown)
            if self._list.item(row).checkState() == qt.Qt.Checked
        ]
        self._onChanged([] if len(checked) == len(self._shown) else checked)
