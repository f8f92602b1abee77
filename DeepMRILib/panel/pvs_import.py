"""The section "Import a network" of the PVSSegment panel: published and other networks into the store of models."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import qt
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.model_card import check_name
from DeepMRILib.panel.machine import modelStore
from DeepMRILib.panel.pvs_network import ENGINE
from DeepMRILib.panel.task import JobTask
from DeepMRILib.pvs.published import LICENCE_TEXT, SETS, PublishedSet
from DeepMRILib.writing import refusals_as_errors

PACKAGES = ("safetensors>=0.4", "h5py>=3.10")


class PVSImportTask(JobTask):
    """A downloaded network as a model of ours, put into the store and chosen for the next run.

    Attributes:
        path: what the user has downloaded. It belongs to this computer, so the scene does not keep it.
    """

    jobKey = "pvs.import-model"
    section = "import"
    inputParameters: ClassVar = {}
    nodeParameters: ClassVar = {}
    path: str = ""

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Import")

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Always: what is imported is tried out."""
        return True

    def packages(self, parameters: Any) -> Sequence[str]:  # noqa: ARG002
        """To read the files and to write the weights."""
        return PACKAGES

    def preselect(self, parameters: Any) -> None:
        """Nobody has agreed to a licence because a scene that was loaded says so."""
        if not self.path:
            parameters.import_accept_licence = False

    def missing(self, parameters: Any) -> str:
        """What keeps the network from being imported."""
        if not self.path.strip():
            return _("Choose the file or folder that you have downloaded.")
        place = placeOf(self.path)
        if place is None:
            return _("There is nothing at {path}.").format(path=self.path)
        if not parameters.import_accept_licence:
            return _("Read the licence of the network, and check that you agree to it.")
        try:
            known = publishedAt(place)
            name = parameters.import_name or (known.key if known is not None else "")
            taken = bool(name) and check_name(name) in {model.card.name for model in modelStore().list()}
        except DeepMRIError as error:
            return str(error)
        if taken:
            return _("There is already a network {name}. Choose it above, or give this one another name.").format(
                name=name
            )
        return ""

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """The file or folder."""
        return {self.job.inputs[0].name: placeOf(self.path)}

    def deliver(self, results: Sequence[Any], parameters: Any) -> str:
        """Put the network into the store, and choose it."""
        imported = results[0]
        store = modelStore()
        with refusals_as_errors(f"A model cannot be written to {store.folder}"):
            store.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".import-", dir=store.folder) as folder:
                store.add(imported.save(Path(folder) / imported.name))
        parameters.engine, parameters.model = ENGINE, imported.name
        self.path, parameters.import_name = "", ""
        text = _("Imported {name}. It is chosen above: Apply uses it.").format(name=imported.name)
        return " ".join((text, *imported.provenance.notes))


def placeOf(text: str) -> Path | None:
    """The file or folder that a text names; None where there is none, or none that can be looked at."""
    if not text.strip():
        return None
    try:
        path = Path(text.strip()).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):  # a name that is too long, the home of nobody
        return None


def publishedAt(path: Path) -> PublishedSet | None:
    """The published set whose names the files at a place have; nothing of them is read."""
    names = [path.name]
    with contextlib.suppress(OSError):  # a file, or a folder that may not be read: the import says so
        names += [entry.name for entry in path.iterdir()]
    found = (one for one in SETS for name in names if one.fold_in_name(name) is not None)
    return next(found, None)


class ImportSection:
    """Connects the section's widgets: where the published networks are, what was downloaded, and its licence.

    Args:
        panel: the panel; its ``ui`` holds the section's widgets.
        task: gets the path.
    """

    def __init__(self, panel: Any, task: PVSImportTask) -> None:
        self._panel, self._task, self._ui = panel, task, panel.ui
        for one in reversed(SETS):  # the newest first
            self._ui.publishedBox.addItem(one.title)
        self._ui.publishedBox.connect("currentIndexChanged(int)", lambda _index: self._showPage())
        self._ui.publishedButton.connect("clicked(bool)", lambda _checked=False: self.onPage())
        self._ui.importPathEdit.connect("currentPathChanged(QString)", self.onPath)
        self._ui.importFolderButton.connect("clicked(bool)", lambda _checked=False: self.onFolder())
        self._showPage()
        self.refresh()

    @property
    def chosen(self) -> PublishedSet:
        """The published set whose page can be opened."""
        return SETS[len(SETS) - 1 - self._ui.publishedBox.currentIndex]

    def _showPage(self) -> None:
        self._ui.publishedButton.setToolTip(self.chosen.page)

    def onPage(self) -> None:
        """Open the page of the chosen set in the browser; nothing is downloaded by itself."""
        qt.QDesktopServices.openUrl(qt.QUrl(self.chosen.page))

    def onFolder(self) -> None:
        """Ask for a folder; the path's own button asks for a file."""
        folder = qt.QFileDialog.getExistingDirectory(self._panel.parent, _("Folder of the network"), self._task.path)
        if folder:
            self._ui.importPathEdit.currentPath = folder

    def onPath(self, path: str) -> None:
        """Another file: its licence was not agreed to yet."""
        if path != self._task.path:
            self._task.path = path
            self._panel.parameters.import_accept_licence = False
            self.refresh()
            self._panel.refresh()

    def onImported(self) -> None:
        """It is in the store."""
        self._ui.importPathEdit.currentPath = self._task.path

    def refresh(self) -> None:
        """Show which network the chosen file is, and its licence."""
        place = placeOf(self._task.path)
        known = None if place is None else publishedAt(place)
        if known is not None:
            text = _("{title}. Licence: {licence}").format(title=known.title, licence=LICENCE_TEXT)
        else:
            text = _("Licence of the published networks: {licence} Other networks have the one their makers chose.")
            text = text.format(licence=LICENCE_TEXT)
        self._ui.licenceLabel.setText(text)
