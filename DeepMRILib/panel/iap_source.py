"""Where the panel says that header and pixels come from, and which tables belong to the chosen image."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.iap import isTableOf, tableOf
from DeepMRILib.mrml.iap_headers import FoundHeader, findHeader
from DeepMRILib.mrml.iap_record import IAPNodes, linkedNodes, recordOf
from DeepMRILib.panel.iap_task import ownHeader

_UNKNOWN = object()


class SourceSection:
    """Connects the choice of a header's file and of the original pixels; keeps tables with their image.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._image: Any = _UNKNOWN
        self._table: Any = _UNKNOWN
        self._paths = {
            "headerFile": self._ui.headerEdit,
            "checkpointFile": self._ui.checkpointEdit,
            "cohortFolder": self._ui.folderEdit,
            "completeFolder": self._ui.completeFolderEdit,
            "trainFolder": self._ui.trainFolderEdit,
            "trainTable": self._ui.trainTableEdit,
        }
        for name, edit in self._paths.items():
            edit.connect("currentPathChanged(QString)", lambda path, name=name: self._keep(name, path))

    def refresh(self, parameters: Any) -> None:
        """Show what is chosen and found; call it from ``updatePanel``."""
        for name, edit in self._paths.items():
            if edit.currentPath != getattr(parameters, name):
                edit.currentPath = getattr(parameters, name)
        self._follow(parameters)
        own = ownHeader(parameters.inputVolume)
        self._ui.originalBox.setEnabled(own.kind == "dicom")
        text = self._text(parameters, own)
        self._ui.headerLabel.setText(text)
        self._ui.headerLabel.setVisible(bool(text))

    def forget(self) -> None:
        """The user was elsewhere, or the scene is another."""
        self._image = self._table = _UNKNOWN

    def _keep(self, name: str, path: str) -> None:
        if path.strip() != getattr(self._panel.parameters, name):
            setattr(self._panel.parameters, name, path.strip())

    def _text(self, parameters: Any, own: FoundHeader) -> str:
        if parameters.inputVolume is None:
            return ""
        try:
            found = findHeader(parameters.inputVolume, parameters.headerFile)
        except InputError as error:
            return str(error)
        name = found.path.name if found.path is not None else ""
        words = {
            "chosen": _("The header is read from {name}."),
            "dicom": _("The header is that of the DICOM series, {name}."),
            "sidecar": _("The header is read from the sidecar {name} next to the image."),
            "kept": _("The header is kept with the image: it has no file."),
            "none": _("No header was found for this image."),
        }
        more = "" if own.kind == "dicom" or not parameters.originalPixels else _(" Its DICOM files are not known.")
        return words[found.kind].format(name=name) + more

    def _follow(self, parameters: Any) -> None:
        """Another image brings its own tables; another table brings what belongs to it."""
        image, table = parameters.inputVolume, parameters.parametersTable
        other = table is None or (recordOf(table) is not None and not isTableOf(table, image))
        if self._image is not _UNKNOWN and image is not self._image and other:
            table = tableOf(image)
            parameters.parametersTable = table
        if self._table is not _UNKNOWN and table is not self._table:
            linked = linkedNodes(table) if recordOf(table) is not None else IAPNodes(table)
            for name in IAPNodes.names()[1:]:
                setattr(parameters, name, getattr(linked, name))
        self._image, self._table = image, table
