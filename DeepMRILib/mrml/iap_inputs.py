"""What a prediction of acquisition parameters is given: a volume node or its DICOM files, and its header."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer.util

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.mrml.iap_headers import dicomFiles, findHeader, headerInput
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.pvs_inputs import imageFromNode
from DeepMRILib.mrml.volumes import affineFromNode


def predictInputs(
    node: Any, *, header: Path | str = "", original: bool = False, model: Path | None = None, place: Path | None = None
) -> dict[str, Any]:
    """The inputs of the job ``iap.predict``.

    Args:
        node: a scalar volume.
        header: a sidecar or a DICOM file instead of what ``findHeader`` finds.
        original: the pixels of the DICOM files instead of the node's.
        model: a network's folder, or a checkpoint.
        place: an empty folder that outlives the job, needed for ``original`` where the files lie among others.

    Raises:
        InputError: no volume of one value per voxel, no such file, or the DICOM files are not known.
        OutputError: the files could not be brought together.
    """
    if node is None:
        raise InputError("There is no image. Choose an image.")
    volume = imageFromNode(node)
    found = findHeader(node, header)
    if not original:
        return {"data": volume, "header": headerInput(node, found), "model": model}
    own = None if found.kind == "dicom" else headerInput(node, found)  # the files bring theirs, of all slices
    return {"data": oneSource(originalFiles(node), place), "header": own, "model": model}


def originalFiles(node: Any) -> list[Path]:
    """The DICOM files of a volume.

    Raises:
        InputError: they are not known, or gone.
    """
    files = dicomFiles(node)
    if not files:
        raise InputError(
            f"The DICOM files of {nodeName(node)} are not known, or some are gone. Load the series through Slicer's "
            "DICOM module, or take the pixels as they are in Slicer."
        )
    return files


def oneSource(files: Sequence[Path], place: Path | None) -> Path:
    """Something that holds these files and no others: the file, its folder, or ``place`` with links to them."""
    different = sorted({path.resolve() for path in files})
    if len(different) == 1:
        return different[0]
    folders = {path.parent for path in different}
    if len(folders) == 1 and _holdsOnly(next(iter(folders)), different):
        return next(iter(folders))
    if place is None:
        raise InputError("The DICOM files of the series lie among others. Give an empty folder to bring them together.")
    for number, path in enumerate(different):
        _link(path, place / f"{number:06d}.dcm")
    return place


def _holdsOnly(folder: Path, files: Sequence[Path]) -> bool:
    known = {path.name for path in files}
    return all(entry.name in known or entry.name.startswith(".") for entry in os.scandir(folder))


def _link(path: Path, target: Path) -> None:
    """A link where the system has them, else a copy: other drives, Windows without the right to make links."""
    if not (_isMade(os.symlink, path, target) or _isMade(os.link, path, target)):
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            raise OutputError(
                f"The DICOM file {path} could not be copied to {target.parent}: {error.strerror or error}. Free some "
                "space there."
            ) from error


def _isMade(link: Callable[[Path, Path], None], path: Path, target: Path) -> bool:
    try:
        link(path, target)
    except (OSError, NotImplementedError):
        return False
    return True


def isReversed(node: Any) -> bool:
    """Whether the node's slices run against those of its DICOM files as the library stacks them.

    The library stacks slices along the cross product of rows and columns, Slicer's plugin may turn them round.
    """
    return bool(np.linalg.det(affineFromNode(node)[:3, :3]) < 0)


def likelySeries() -> Any:
    """The scene's first image that is no result of ours; one with a header before others."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    plain = [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData()]
    plain = [node for node in plain if not node.GetAttribute("DeepMRI.Map")]
    named = [node for node in plain if findHeader(node).kind != "none"]
    return next(iter([*named, *plain]), None)
