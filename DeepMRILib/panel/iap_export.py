"""The section "Export" of the IAPPredict panel: tables of the scene as CSV files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import slicer.util
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.mrml.pvs_report import tableFromNode
from DeepMRILib.panel.outcome import plainName, sayOutcome
from DeepMRILib.tables import Table

TABLES = {
    "exportParametersButton": {
        "parametersTable": "parameters",
        "slicesTable": "slices",
        "outsideTable": "checks",
    },
    "exportAuditButton": {
        "auditTable": "series",
        "findingsTable": "findings",
        "groupsTable": "protocols",
        "coverageTable": "coverage",
    },
    "exportCohortButton": {"cohortTable": "domains", "confusionTable": "confusion", "unreadTable": "not_read"},
}
"""Button to the tables that it writes, and the ends of their files' names."""


class ExportSection:
    """Connects the section's widgets.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.exportLabel.setVisible(False)
        for button in TABLES:
            getattr(self._ui, button).connect("clicked(bool)", lambda _checked=False, b=button: self.onExport(b))

    def refresh(self, parameters: Any) -> None:
        """Propose a name, and wait for tables; call it from ``updatePanel``."""
        for button, tables in TABLES.items():
            getattr(self._ui, button).setEnabled(getattr(parameters, next(iter(tables))) is not None)
        self._ui.exportNameEdit.setPlaceholderText(_stem(parameters))

    def onExport(self, button: str) -> None:
        """Write the tables of a button, or say why they cannot be written."""
        with slicer.util.WaitCursor():
            sayOutcome(self._ui.exportLabel, lambda: self._export(button))
        self._ui.exportFolderEdit.addCurrentPathToHistory()

    def _export(self, button: str) -> str:
        parameters = self._panel.parameters
        nodes = {ending: getattr(parameters, name) for name, ending in TABLES[button].items()}
        files = {self._path(ending): node for ending, node in nodes.items() if node is not None}
        for path in files:
            if path.exists():
                raise OutputError(_("The file {path} exists. Choose another name.").format(path=path))
        for path, node in files.items():
            _write(node, path)
        return _("Written: {paths}").format(paths=", ".join(str(path) for path in files))

    def _path(self, ending: str) -> Path:
        chosen = self._ui.exportFolderEdit.currentPath.strip()
        if not chosen:
            raise InputError(_("Choose a folder for the files first."))
        folder = Path(chosen).expanduser()
        if not folder.is_dir():
            raise InputError(_("There is no folder {folder}. Choose another for the files.").format(folder=folder))
        name = self._ui.exportNameEdit.text.strip() or self._ui.exportNameEdit.placeholderText
        if plainName(name) != name:
            text = _("Files cannot be named {name!r}. Use letters, digits, - and _.")
            raise InputError(text.format(name=name))
        return folder / f"{name}_{ending}.csv"


def _write(node: Any, path: Path) -> None:
    """Missing numbers are NaN in nodes, and empty in files."""
    table = tableFromNode(node)
    empty = {
        name: ["" if isinstance(value, float) and math.isnan(value) else value for value in values]
        for name, values in table.columns.items()
    }
    try:
        Table(empty).write_csv(path)
    except OSError as error:
        text = _("{path} cannot be written: {reason}. Choose another folder.")
        raise OutputError(text.format(path=path, reason=error.strerror or error)) from error


def _stem(parameters: Any) -> str:
    """The image's name, or the folder's where there is no image."""
    if parameters.inputVolume is not None:
        return plainName(parameters.inputVolume.GetName())
    return plainName(Path(parameters.cohortFolder).name) if parameters.cohortFolder else "series"
