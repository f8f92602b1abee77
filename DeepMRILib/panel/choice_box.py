"""A combo box for a parameter whose values are written in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class ChoiceBox:
    """Fills a QComboBox with words and tells which value the user has chosen.

    Args:
        comboBox: the widget.
        onChosen: called with the value when the user chooses another.
    """

    def __init__(self, comboBox: Any, onChosen: Callable[[Any], None]) -> None:
        self._box, self._onChosen = comboBox, onChosen
        self._shown: dict[Any, str] = {}
        self._box.connect("currentIndexChanged(int)", self._onIndex)

    def update(self, words: Mapping[Any, str], chosen: Any) -> None:
        """Show these values by their words, and which of them is chosen; none where it is not among them."""
        blocked = self._box.blockSignals(True)
        if dict(words) != self._shown:
            self._shown = dict(words)
            self._box.clear()
            self._box.addItems(list(self._shown.values()))
        values = list(self._shown)
        self._box.setCurrentIndex(values.index(chosen) if chosen in values else -1)
        self._box.blockSignals(blocked)

    def _onIndex(self, index: int) -> None:
        if 0 <= index < len(self._shown):
            self._onChosen(list(self._shown)[index])
