"""The button that starts a job, its progress, and one status line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
from slicer.i18n import tr as _


class JobBar:
    """The widgets that start a job and show how it goes.

    Args:
        layout: the widgets are added to its end.
        onPressed: called when the button is pressed, to start or to cancel.
        text: what the button says while nothing runs.
        section: the section of the panel that it belongs to; it begins the widgets' names.
    """

    def __init__(self, layout: Any, onPressed: Callable[[], None], text: str = "", section: str = "") -> None:
        self._text = text or _("Apply")
        name = section or "apply"
        self.applyButton = qt.QPushButton(self._text)
        self.applyButton.setObjectName(f"{name}Button")
        self.applyButton.connect("clicked(bool)", lambda _checked=False: onPressed())
        self.hintLabel = _label(f"{name}HintLabel")
        self.progressBar = qt.QProgressBar()
        self.progressBar.setObjectName(f"{section}ProgressBar" if section else "progressBar")
        self.progressBar.setRange(0, 1000)
        self.statusLabel = _label(f"{section}StatusLabel" if section else "statusLabel")
        for widget in (self.applyButton, self.hintLabel, self.progressBar, self.statusLabel):
            (layout.addRow if hasattr(layout, "addRow") else layout.addWidget)(widget)
        self.hintLabel.setVisible(False)
        self.showIdle("")

    def setReady(self, missing: str) -> None:
        """Enable the button, or say below it and in its tooltip what is missing."""
        self.applyButton.setEnabled(not missing)
        self.applyButton.setToolTip(missing or _("Run with these settings."))
        self.hintLabel.setText(missing)
        self.hintLabel.setVisible(bool(missing))

    def showRunning(self) -> None:
        """Turn the button into Cancel."""
        self.setReady("")
        self.applyButton.setText(_("Cancel"))
        self.applyButton.setToolTip(_("Stop the computation; the scene stays as it is."))
        self.progressBar.setValue(0)
        self.progressBar.setVisible(True)
        self._setStatus(_("Starting"), error=False)

    def showProgress(self, fraction: float, message: str) -> None:
        """Show how far the job is."""
        self.progressBar.setValue(int(1000 * min(max(fraction, 0.0), 1.0)))
        self._setStatus(message, error=False)

    def showCancelling(self) -> None:
        """Say that the wish to stop was heard."""
        self.applyButton.setEnabled(False)
        self._setStatus(_("Stopping"), error=False)

    def showIdle(self, message: str, *, error: bool = False) -> None:
        """Turn Cancel back, with how it ended."""
        self.applyButton.setText(self._text)
        self.progressBar.setVisible(False)
        self._setStatus(message, error=error)

    def _setStatus(self, message: str, *, error: bool) -> None:
        # Bold rather than red: one text colour that can be read in the light and in the dark theme.
        font = self.statusLabel.font
        font.setBold(error)
        self.statusLabel.setFont(font)
        self.statusLabel.setText(message)
        self.statusLabel.setVisible(bool(message))


def _label(name: str) -> Any:
    label = qt.QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(qt.Qt.PlainText)  # names of nodes may look like HTML
    label.setMinimumWidth(1)  # one without spaces does not widen the panel
    label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
    return label
