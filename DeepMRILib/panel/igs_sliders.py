"""The acceleration slider of the KSpaceIGS panel, the box beside it, and which pattern is shown."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.panel.choice_box import ChoiceBox


class PatternSliders:
    """Connects the slider of lines, the box of the acceleration and that of the pattern to what is shown.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what they stand for.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._pattern: Pattern | None = None
        self._kinds = ChoiceBox(self._ui.kindBox, self.onKind)
        self._ui.linesSlider.connect("valueChanged(double)", self.onLines)
        self._ui.accelerationBox.connect("valueChanged(double)", self.onAcceleration)

    def refresh(self, pattern: Pattern | None, lines: int, kind: str) -> None:
        """Show what there is to choose from, and what is chosen."""
        self._pattern = pattern
        for widget in (self._ui.linesSlider, self._ui.accelerationBox, self._ui.kindBox):
            widget.setEnabled(pattern is not None)
        if pattern is None:
            self._kinds.update({"recommended": _("recommended")}, "recommended")
            return
        slider, box, size = self._ui.linesSlider, self._ui.accelerationBox, pattern.encoding.size
        for widget in (slider, box):
            widget.blockSignals(True)
        slider.minimum, slider.maximum = 1, pattern.lines
        slider.value = lines
        box.setRange(size / pattern.lines, size)
        box.setValue(size / lines)
        for widget in (slider, box):
            widget.blockSignals(False)
        self._kinds.update(kindWords(pattern, lines), kind)

    def onLines(self, value: float) -> None:
        """The slider was moved."""
        self._panel.parameters.shownLines = round(value)

    def onAcceleration(self, value: float) -> None:
        """An acceleration was typed: the nearest number of lines."""
        if self._pattern is not None and value > 0:
            lines = round(self._pattern.encoding.size / value)
            self._panel.parameters.shownLines = min(max(lines, 1), self._pattern.lines)

    def onKind(self, kind: str) -> None:
        """Another pattern was chosen."""
        self._panel.parameters.shownKind = kind


def kindWords(pattern: Pattern, lines: int) -> dict[str, str]:
    """What can be shown of a pattern, in words; without rivals there is no block."""
    names = {"igs": _("search"), "block": _("best block"), "centre": _("centre")}
    recommended = _("recommended ({name})").format(name=names[pattern.recommended(lines)])
    words = {"recommended": recommended, **names}
    return words if pattern.rungs else {name: word for name, word in words.items() if name != "block"}
