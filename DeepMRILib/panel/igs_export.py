"""The section "Export" of the KSpaceIGS panel: the lines that the slider shows, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer.util
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.mrml.igs_growth import writeAnimation
from DeepMRILib.mrml.igs_record import hasPattern, patternOf, recordOf
from DeepMRILib.panel.dependencies import ensurePackages
from DeepMRILib.panel.outcome import plainName, sayOutcome

BUTTONS = {
    ".json": "exportJsonButton",
    ".npy": "exportNpyButton",
    ".h5": "exportH5Button",
    ".cfl": "exportCflButton",
    ".seq": "exportSeqButton",
    ".gif": "exportGifButton",
}
PACKAGES = {".h5": ("h5py>=3.10",), ".seq": ("pypulseq>=1.4",), ".gif": ("matplotlib>=3.8",)}
"""What a file needs beyond what Slicer has."""


class ExportSection:
    """Connects the section's widgets.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.exportLabel.setVisible(False)
        for ending, name in BUTTONS.items():
            press = lambda _checked=False, ending=ending: self.onExport(ending)  # noqa: E731
            getattr(self._ui, name).connect("clicked(bool)", press)

    def refresh(self, parameters: Any, lines: int) -> None:
        """Propose a name, and wait for a pattern; call it from ``updatePanel``."""
        ready = hasPattern(parameters.linesTable)
        for name in BUTTONS.values():
            getattr(self._ui, name).setEnabled(ready)
        image = parameters.inputVolume
        stem = plainName(image.GetName()) if image is not None else "kspace"
        self._ui.exportNameEdit.setPlaceholderText(f"{stem}_{lines}_lines" if ready else stem)

    def onExport(self, ending: str) -> None:
        """Write a file, or say why it cannot be written."""
        with slicer.util.WaitCursor():
            sayOutcome(self._ui.exportLabel, lambda: self._export(ending))
        self._ui.exportFolderEdit.addCurrentPathToHistory()

    def _export(self, ending: str) -> str:
        parameters = self._panel.parameters
        path = self._path(ending)
        ensurePackages(PACKAGES.get(ending, ()), self._panel.title)
        pattern, lines = patternOf(parameters.linesTable), self._panel.live.lines(parameters)
        if ending == ".gif":
            if parameters.inputVolume is None:
                raise InputError(_("The animation is of the image: choose one under Images."))
            options = recordOf(parameters.linesTable).options
            writeAnimation(path, pattern, parameters.inputVolume, parameters.phaseVolume, options)
        else:
            pattern.export(path, lines=lines, kind=parameters.shownKind)
        return _("Written: {path}").format(path=path)

    def _path(self, ending: str) -> Path:
        """The file to write, which does not exist yet."""
        chosen = self._ui.exportFolderEdit.currentPath.strip()
        if not chosen:
            raise InputError(_("Choose a folder for the file first."))
        folder = Path(chosen).expanduser()
        if not folder.is_dir():
            raise InputError(_("There is no folder {folder}. Choose another for the file.").format(folder=folder))
        name = self._ui.exportNameEdit.text.strip() or self._ui.exportNameEdit.placeholderText
        if plainName(name) != name:
            text = _("Files cannot be named {name!r}. Use letters, digits, - and _.")
            raise InputError(text.format(name=name))
        path = folder / f"{name}{ending}"
        if path.exists():
            raise OutputError(_("The file {path} exists. Choose another name.").format(path=path))
        return path
