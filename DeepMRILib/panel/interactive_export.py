"""The section "export for training" of the InteractiveSeg panel: image, points and segment as a case of a dataset."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.interactive import exportCase
from DeepMRILib.panel.interactive_task import InteractiveSegTask
from DeepMRILib.panel.outcome import plainName, sayOutcome


class ExportSection:
    """Connects the section's widgets.

    Args:
        panel: the panel; its ``ui`` holds the section's widgets, its ``parameters`` what is chosen, and its ``logic``
            knows which points make which segments.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.exportLabel.setVisible(False)
        self._ui.exportButton.connect("clicked(bool)", lambda _checked=False: self.onExport())

    def refresh(self, parameters: Any) -> None:
        """Propose a name, and wait for a segment."""
        image = parameters.inputVolume
        self._ui.exportCaseEdit.setPlaceholderText(plainName(image.GetName()) if image is not None else "")
        ready = None not in (image, parameters.points, parameters.segmentation) and parameters.segment
        self._ui.exportButton.setEnabled(bool(ready))

    def onExport(self) -> None:
        """Write the case, or say why it cannot be written."""
        name = self._ui.exportCaseEdit.text or self._ui.exportCaseEdit.placeholderText
        folder = self._ui.exportFolderEdit.currentPath
        sayOutcome(self._ui.exportLabel, lambda: exportChosen(self._panel.logic, self._panel.parameters, folder, name))
        self._ui.exportFolderEdit.addCurrentPathToHistory()


def exportChosen(task: InteractiveSegTask, parameters: Any, folder: str, name: str) -> str:
    """Add what is chosen in the panel to a dataset as a case; returns a sentence that says where it is.

    Raises:
        InputError: nothing to write, a name that files cannot have, or a case that does not fit the dataset.
        OutputError: the folder cannot be written to.
    """
    if not folder.strip():
        raise InputError(_("Choose the folder of a dataset first; a new one is made where there is none."))
    segments = task.segments(parameters)
    lists = {label: node for label, node in task.pointLists(parameters).items() if label in segments}
    several = len(lists) > 1
    case = exportCase(
        folder,
        name,
        parameters.inputVolume,
        lists if several else parameters.points,
        segmentationNode=parameters.segmentation,
        segments={label: segments[label] for label in lists} if several else parameters.segment,
        negativeNode=parameters.negativePoints,
        channels=[node for node in parameters.channels if node is not None],
    )
    return _("The case {name} is in {folder}.").format(name=case.name, folder=case.images[0].parents[1])
