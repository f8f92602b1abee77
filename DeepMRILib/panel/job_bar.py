"""Apply, progress, one status line and a log: the lower end of every panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

LOG_LINES = 5_000


class JobBar:
    """The widgets that start a job and show how it goes.

    Args:
        layout: the panel's layout; the widgets are added to its end.
        onPressed: called when Apply, or Cancel, is pressed.
    """

    def __init__(self, layout: Any, onPressed: Callable[[], None]) -> None:
        self.applyButton = qt.QPushButton(_("Apply"))
        self.applyButton.setObjectName("applyButton")
        self.applyButton.connect("clicked(bool)", lambda _checked=False: onPressed())
        self.progressBar = qt.QProgressBar()
        self.progressBar.setObjectName("progressBar")
        self.progressBar.setRange(0, 1000)
        self.statusLabel = qt.QLabel()
        self.statusLabel.setObjectName("statusLabel")
        self.statusLabel.setWordWrap(True)
        self.statusLabel.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        for widget in (self.applyButton, self.progressBar, self.statusLabel, self._logSection()):
            layout.addWidget(widget)
        self.showIdle("")

    def _logSection(self) -> Any:
        self.logButton = ctk.ctkCollapsibleButton()
        self.logButton.setObjectName("logCollapsibleButton")
        self.logButton.setText(_("Log"))
        self.logButton.setProperty("collapsed", True)
        self.log = qt.QPlainTextEdit()
        self.log.setObjectName("logText")
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(LOG_LINES)
        self.copyButton = qt.QPushButton(_("Copy"))
        self.copyButton.setObjectName("copyLogButton")
        self.copyButton.setToolTip(_("Copy the log, for a question or a report."))
        self.copyButton.connect("clicked(bool)", lambda _checked=False: self.copyLog())
        inner = qt.QVBoxLayout(self.logButton)
        inner.addWidget(self.log)
        inner.addWidget(self.copyButton)
        return self.logButton

    def copyLog(self) -> None:
        """Put the log on the clipboard."""
        qt.QApplication.clipboard().setText(self.log.toPlainText())

    def addLog(self, text: str) -> None:
        """Add printed text to the log."""
        self.log.appendPlainText(text.rstrip("\n"))

    def setReady(self, missing: str) -> None:
        """Enable Apply, or say in its tooltip what is missing."""
        self.applyButton.setEnabled(not missing)
        self.applyButton.setToolTip(missing or _("Run with these settings."))

    def showRunning(self) -> None:
        """Turn Apply into Cancel."""
        self.applyButton.setText(_("Cancel"))
        self.applyButton.setEnabled(True)
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
        """Turn Cancel back into Apply, with how it ended."""
        self.applyButton.setText(_("Apply"))
        self.progressBar.setVisible(False)
        self._setStatus(message, error=error)
        if error:
            self.addLog(message)

    def _setStatus(self, message: str, *, error: bool) -> None:
        # Bold rather than red: one text colour that can be read in the light and in the dark theme.
        font = self.statusLabel.font
        font.setBold(error)
        self.statusLabel.setFont(font)
        self.statusLabel.setText(message)
        self.statusLabel.setVisible(bool(message))
