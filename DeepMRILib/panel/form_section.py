"""The rows of one task's settings in a panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from DeepMRILib.panel.options_form import addMachineSettings, addOptions, refreshMachineSettings
from DeepMRILib.panel.task import JobTask


class FormSection:
    """Adds the widgets of a task's settings to its section of the .ui file.

    Args:
        task: whose settings.
        ui: the widgets of the .ui file by name.
        onMachineSetting: called when the user has changed a setting of the computer.

    Attributes:
        barLayout: where the task's button goes; None for the first task, whose place the panel chooses.
    """

    def __init__(self, task: JobTask, ui: Any, onMachineSetting: Callable[[], None]) -> None:
        self._task = task
        self.barLayout: Any = None
        if task.section:
            self.barLayout = getattr(ui, f"{task.section}CollapsibleButton").layout()
            main, advanced = self.barLayout, self._advanced(task.section)
        else:
            main, advanced = ui.settingsCollapsibleButton.layout(), ui.advancedCollapsibleButton.layout()
        self._rows = addOptions(task.job.options_type, main, advanced, task.prefix)
        self._machineRows = addMachineSettings(task.job, advanced, task.prefix, onMachineSetting)
        if self.barLayout is not None and advanced.rowCount():
            self.barLayout.addRow(self._box)

    def _advanced(self, section: str) -> Any:
        self._box = ctk.ctkCollapsibleButton()
        self._box.setObjectName(f"{section}AdvancedCollapsibleButton")
        self._box.setText(_("Advanced"))
        self._box.setProperty("collapsed", True)
        return qt.QFormLayout(self._box)

    def showRelevant(self, parameters: Any) -> None:
        """Hide what makes no difference."""
        hidden = self._task.irrelevant(parameters)
        for name, row in {**self._rows, **self._machineRows}.items():
            row.setVisible(name not in hidden)

    def refreshMachineSettings(self) -> None:
        """Show the settings of the computer as they are now."""
        refreshMachineSettings(self._machineRows)
