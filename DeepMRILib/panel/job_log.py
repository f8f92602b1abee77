"""The log of a panel's jobs: what was printed, in a section that is closed until somebody asks for it."""

from __future__ import annotations

from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

LOG_LINES = 5_000


class JobLog:
    """A collapsible text with a Copy button.

    Args:
        layout: the widgets are added to its end.
    """

    def __init__(self, layout: Any) -> None:
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
        layout.addWidget(self.logButton)

    def copyLog(self) -> None:
        """Put the log on the clipboard."""
        qt.QApplication.clipboard().setText(self.log.toPlainText())

    def addLog(self, text: str) -> None:
        """Add printed text to the log."""
        self.log.appendPlainText(text.rstrip("\n"))
