"""The section "export for training" of the InteractiveSeg panel: image, points and segment as a case of a dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from slicer.i18n import tr as _

from DeepMRILib import files
from DeepMRILib.errors import DeepMRIError, InputError, OutputError
from DeepMRILib.interactive.channels import stacked
from DeepMRILib.interactive.points import check_points
from DeepMRILib.mrml.frames import transformBetween
from DeepMRILib.mrml.points import pointsFromFiducials
from DeepMRILib.mrml.segments import maskFromSegment
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.volume import Volume
from DeepMRILib.writing import refusals_as_errors, replacing

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class ExportSection:
    """Connects the section's widgets.

    Args:
        panel: the panel; its ``ui`` holds the section's widgets and its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.exportLabel.setVisible(False)
        self._ui.exportButton.connect("clicked(bool)", lambda _checked=False: self.onExport())

    def refresh(self, parameters: Any) -> None:
        """Propose a name, and say what is missing."""
        image = parameters.inputVolume
        self._ui.exportCaseEdit.setPlaceholderText(plainName(image.GetName()) if image is not None else "")
        ready = None not in (image, parameters.points, parameters.segmentation) and parameters.segment
        self._ui.exportButton.setEnabled(bool(ready))

    def onExport(self) -> None:
        """Write the case, or say why it cannot be written."""
        parameters = self._panel.parameters
        name = self._ui.exportCaseEdit.text or self._ui.exportCaseEdit.placeholderText
        try:
            text = exportCase(parameters, self._ui.exportFolderEdit.currentPath, name)
            self._ui.exportFolderEdit.addCurrentPathToHistory()
        except DeepMRIError as error:
            text = str(error)
        self._ui.exportLabel.setText(text)
        self._ui.exportLabel.setVisible(True)


def exportCase(parameters: Any, folder: str, name: str) -> str:
    """Write the lesion that is chosen in the panel as a case; returns a sentence that says where it is.

    Raises:
        InputError: nothing to write, or a name that files cannot have.
        OutputError: the case is there already, or the folder cannot be written to.
    """
    if not folder.strip():
        raise InputError(_("Choose the folder of a dataset first."))
    if not PLAIN.fullmatch(name):
        raise InputError(
            _("The name {name!r} cannot be used; take letters without accents, digits, - and _.").format(name=name)
        )
    image = parameters.inputVolume
    volume = volumeFromNode(image)
    points = pointsFromFiducials(parameters.points, image)
    check_points(points, volume)
    label = maskFromSegment(parameters.segmentation, parameters.segment, image)
    place = Path(folder).expanduser()
    count = writeCase(place, name, _images(parameters, volume), points, label)
    text = _("The case {name} is in {folder}: {count} files.").format(name=name, folder=place, count=count)
    if (place / "dataset.json").exists():
        text += " " + _("Its dataset.json does not list the case yet: move it away, and it is written anew.")
    return text


def writeCase(folder: Path, name: str, images: list[Volume], points: NDArray, label: Volume) -> int:
    """Write a case of InteractiveNet's layout, all files or none; returns how many.

    Args:
        folder: of the dataset; ``imagesTr``, ``interactionsTr`` and ``labelsTr`` in it are made where they are absent.
        images: on one grid.
        points: (n, 3) in RAS mm, in the images; their voxels become 1.
        label: 0 and 1 on the same grid.

    Raises:
        OutputError: the case is there already, or the folder cannot be written to.
    """
    marks = np.zeros(label.shape, dtype=np.uint8)
    marks[tuple(np.rint(label.voxel_from_ras(points)).astype(int).T)] = 1
    content = {folder / "imagesTr" / f"{name}_{n:04d}.nii.gz": image for n, image in enumerate(images)}
    content[folder / "interactionsTr" / f"{name}.nii.gz"] = label.like(marks)
    content[folder / "labelsTr" / f"{name}.nii.gz"] = label
    for path in content:
        if path.exists():
            raise OutputError(f"{path} is there already and is not replaced. Choose another name for the case.")
    with refusals_as_errors(f"The case {name} cannot be written to {folder}"):
        for path in content:
            path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(*content) as siblings:
        for sibling, volume in zip(siblings, content.values(), strict=True):
            files.write_volume(volume, sibling)
    return len(content)


def plainName(text: str) -> str:
    """A name that files can have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-") or "case"


def _images(parameters: Any, volume: Volume) -> list[Volume]:
    """The chosen images, the further ones brought onto the grid of the first."""
    others = [_inFrame(node, parameters.inputVolume) for node in parameters.channels if node is not None]
    if volume.array.ndim == 3 and not others:
        return [volume]
    return [volume.like(part) for part in np.moveaxis(stacked(volume, others), 3, 0)]


def _inFrame(node: Any, imageNode: Any) -> Volume:
    """A further image in the frame of the first."""
    other, back = volumeFromNode(node), transformBetween(imageNode, node)
    if not isinstance(back, np.ndarray):
        text = _("{name} is under a deformation. Harden its transform before the export.")
        raise InputError(text.format(name=node.GetName()))
    return Volume(other.array, np.linalg.solve(back, other.affine))
