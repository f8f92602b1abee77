"""The grid of points in the InteractiveSeg panel: a cell for each, to go there and to remove it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from DeepMRILib.panel.interactive_hints import COLOURS, Slot

COLUMNS = 2
EMPTY, PLACED, FAULT = "\N{WHITE CIRCLE}", "\N{BLACK CIRCLE}", "\N{BLACK UP-POINTING TRIANGLE}"
JUMP, REMOVE = "\N{BULLSEYE}", "\N{MULTIPLICATION SIGN}"


class PointCell:
    """One point: a sign of its state, its name, and buttons that go there and remove it.

    Args:
        onJump, onRemove: called with the slot that is shown.
    """

    def __init__(self, onJump: Callable[[Slot], None], onRemove: Callable[[Slot], None]) -> None:
        self.widget = qt.QWidget()
        self.sign, self.name = qt.QLabel(), qt.QLabel()
        self.name.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Preferred)  # long words are cut, not the panel
        self.jumpButton, self.removeButton = _button(JUMP), _button(REMOVE)
        row = qt.QHBoxLayout(self.widget)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.sign)
        row.addWidget(self.name, 1)
        row.addWidget(self.jumpButton)
        row.addWidget(self.removeButton)
        self.slot: Slot | None = None
        self.jumpButton.connect("clicked(bool)", lambda _checked=False: onJump(self.slot))
        self.removeButton.connect("clicked(bool)", lambda _checked=False: onRemove(self.slot))

    def show(self, slot: Slot) -> None:
        """Show this point."""
        if slot == self.slot:
            return
        self.slot = slot
        placed = slot.state != "empty"
        self.sign.setText({"empty": EMPTY, "fault": FAULT}.get(slot.state, PLACED))
        self.sign.setStyleSheet(f"color: {COLOURS[slot.state]};" if placed else "")
        self.name.setText(slot.text)
        self.name.setEnabled(placed)
        self.name.setToolTip(_place(slot))
        self.jumpButton.setToolTip(_("Show {name} in the slices.").format(name=slot.name))
        self.removeButton.setToolTip(_("Remove {name}.").format(name=slot.name))
        for widget in (self.jumpButton, self.removeButton):
            widget.setEnabled(placed)


class PointGrid:
    """Cells in two columns, so that opposite sides stand beside each other.

    Args:
        layout: the grid layout that they go into.
        onJump, onRemove: called with the slot of the cell that was pressed.
    """

    def __init__(self, layout: Any, onJump: Callable[[Slot], None], onRemove: Callable[[Slot], None]) -> None:
        self._layout = layout
        self._onJump, self._onRemove = onJump, onRemove
        self.cells: list[PointCell] = []
        for column in range(COLUMNS):
            layout.setColumnStretch(column, 1)

    def update(self, slots: Sequence[Slot]) -> None:
        """Show these points."""
        while len(self.cells) < len(slots):
            cell = PointCell(self._onJump, self._onRemove)
            self._layout.addWidget(cell.widget, len(self.cells) // COLUMNS, len(self.cells) % COLUMNS)
            self.cells.append(cell)
        for number, cell in enumerate(self.cells):
            if number < len(slots):
                cell.show(slots[number])
            cell.widget.setVisible(number < len(slots))


def _button(text: str) -> Any:
    button = qt.QToolButton()
    button.setText(text)
    button.setAutoRaise(True)
    return button


def _place(slot: Slot) -> str:
    if slot.state == "empty":
        return _("No point here yet.")
    place = ", ".join(f"{value:.1f}" for value in slot.position)
    return _("{text}, at {place} mm (R, A, S)").format(text=slot.text, place=place)
