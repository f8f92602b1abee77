"""A combo box of the trained models that a job can use, kept in step with a text parameter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt


class ModelBox:
    """Fills a QComboBox with the names of models, and marks those that cannot be used with the reason.

    Args:
        comboBox: the widget from the .ui file.
        noneText: what stands for no model.
        onChosen: called with the name when the user chooses another; "" for none.
    """

    def __init__(self, comboBox: Any, noneText: str, onChosen: Callable[[str], None]) -> None:
        self._box = comboBox
        self._noneText = noneText
        self._onChosen = onChosen
        self._names: list[str] = []
        self._shown: dict[str, tuple[str, str]] = {}
        self._box.connect("currentIndexChanged(int)", self._onIndex)

    def update(self, models: Mapping[str, tuple[str, str]], chosen: str) -> None:
        """Show these models, and which of them is chosen; one that is not among them is shown, too.

        Args:
            models: name to what is written behind it ("" where it can be used) and to the tooltip.
        """
        shown = {"": ("", ""), **models}
        shown.setdefault(chosen, ("?", ""))
        blocked = self._box.blockSignals(True)
        if shown != self._shown:
            self._shown, self._names = shown, list(shown)
            self._box.clear()
            for row, (name, (remark, toolTip)) in enumerate(shown.items()):
                text = name or self._noneText
                self._box.addItem(f"{text} ({remark})" if remark else text)
                self._box.setItemData(row, toolTip, qt.Qt.ToolTipRole)
        self._box.setCurrentIndex(self._names.index(chosen))
        self._box.blockSignals(blocked)

    def _onIndex(self, index: int) -> None:
        if 0 <= index < len(self._names):
            self._onChosen(self._names[index])
