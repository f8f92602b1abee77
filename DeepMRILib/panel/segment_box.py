"""A combo box of the segments of a chosen segmentation, kept in step with it and with a text parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SegmentBox:
    """Fills a QComboBox with segment names and remembers the chosen segment's ID.

    Args:
        comboBox: the widget from the .ui file.
        onChosen: called with the segment ID when the user chooses another.
        noneText: what stands for none, which the user may then choose; the ID is "".
    """

    def __init__(self, comboBox: Any, onChosen: Callable[[str], None], noneText: str = "") -> None:
        self._box = comboBox
        self._onChosen = onChosen
        self._none = [noneText] if noneText else []
        self._ids: list[str] = []
        self._box.connect("currentIndexChanged(int)", self._onIndex)

    def update(self, segmentationNode: Any, chosen: str) -> str:
        """Show the segments of a node; returns the ID that is chosen now ("" where there is none)."""
        segments = segmentationNode.GetSegmentation() if segmentationNode is not None else None
        found = [segments.GetNthSegmentID(n) for n in range(segments.GetNumberOfSegments())] if segments else []
        ids = [*("" for _ in self._none), *found]
        names = self._none + [segments.GetSegment(segmentId).GetName() for segmentId in found]
        blocked = self._box.blockSignals(True)
        if ids != self._ids or names != [self._box.itemText(n) for n in range(len(ids))]:
            self._ids = ids
            self._box.clear()
            self._box.addItems(names)
        chosen = chosen if chosen in ids else (ids[0] if ids else "")
        self._box.setCurrentIndex(ids.index(chosen) if chosen in ids else -1)
        self._box.setEnabled(bool(ids))
        self._box.blockSignals(blocked)
        return chosen

    def _onIndex(self, index: int) -> None:
        if 0 <= index < len(self._ids):
            self._onChosen(self._ids[index])
