"""Where the header of a volume node is: the DICOM database, a sidecar next to its file, or kept with the node."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import slicer

from DeepMRILib.errors import InputError
from DeepMRILib.files.dicom_series import looks_like_dicom
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS, Value
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.sidecars import stem

HEADER_ATTRIBUTE = "DeepMRI.Header"
"""Attribute of a volume node that has no file, such as a simulated one: its header as JSON. ``values`` maps names of
parameters to numbers in the parameter's unit or words; ``series``, ``patient`` and ``description`` are texts."""
TEXTS = ("series", "patient", "description")
MOST_LETTERS = 1_000_000
VOLUMES = (".gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
"""Ends of files that are no DICOM: not even looked into."""
_INSTANCES = "DICOM.instanceUIDs"


@dataclass(frozen=True)
class FoundHeader:
    """Where the header of a node is.

    Attributes:
        kind: ``chosen`` by the user, from the ``dicom`` database, a ``sidecar``, ``kept`` with the node, or ``none``.
        path: of the sidecar, or of one file of the series; None of what is kept.
    """

    kind: Literal["chosen", "dicom", "sidecar", "kept", "none"] = "none"
    path: Path | None = None


def findHeader(node: Any, chosen: Path | str = "") -> FoundHeader:
    """Where the header of a volume node is; quick enough to be asked at every change of a panel.

    In this order: the file that the user has chosen, the DICOM database, the file that the volume was loaded from where
    that is DICOM, the sidecar next to it, what is kept with the node.

    Raises:
        InputError: the chosen file is not there.
    """
    if chosen:
        return FoundHeader("chosen", existingFile(chosen))
    if not isNode(node, "vtkMRMLVolumeNode"):
        return FoundHeader()
    first = next((path for path in map(_fileOf, _instances(node)[:1]) if path is not None), None) or _ownFile(node)
    if first is not None:
        return FoundHeader("dicom", first)
    sidecar = sidecarOf(node)
    if sidecar is not None:
        return FoundHeader("sidecar", sidecar)
    return FoundHeader("kept" if node.GetAttribute(HEADER_ATTRIBUTE) else "none")


def headerInput(node: Any, found: FoundHeader) -> Header | Path | None:
    """What the job ``iap.predict`` is given as ``header``.

    Raises:
        InputError: what is kept with the node is damaged.
    """
    return keptHeader(node) if found.kind == "kept" else found.path


def existingFile(text: Path | str) -> Path:
    """A file that is there.

    Raises:
        InputError: it is not, or cannot be looked at.
    """
    try:
        path = Path(text).expanduser()
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError):  # a name that is too long, the home of nobody
        pass
    raise InputError(f"There is no file {text}. Choose another, or none.")


def sidecarOf(node: Any) -> Path | None:
    """The sidecar (scan.json) next to the file that a node was loaded from (scan.nii.gz); None without one."""
    path = next(iter(_loadedFrom(node)), None)
    if path is None:
        return None
    sidecar = path.with_name(f"{stem(path)}.json")
    return sidecar if _isFile(sidecar) else None


def dicomFiles(node: Any) -> list[Path]:
    """The DICOM files of a volume, one for each slice in the order of the node's slices; none where one is not known.

    Volumes of Slicer's scalar volume plugin name the instance of each slice. Others, of multi-frame files for example,
    name one, or only their series in the subject hierarchy; then the files are in the database's order. Volumes that
    were loaded from DICOM files without the database have those.
    """
    files = [_fileOf(instance) for instance in _instances(node)]
    if files and None not in files:
        return [path for path in files if path is not None]
    return _loadedFrom(node) if _ownFile(node) is not None else []


def _loadedFrom(node: Any) -> list[Path]:
    """The files that a node was loaded from; those of a scene's folder, too."""
    storage = node.GetStorageNode() if isNode(node, "vtkMRMLStorableNode") else None
    if storage is None:
        return []
    several = [storage.GetFullNameFromNthFileName(n) for n in range(storage.GetNumberOfFileNames())]
    return [Path(name) for name in (several or [storage.GetFullNameFromFileName()]) if name]


def _ownFile(node: Any) -> Path | None:
    """The DICOM file that a node was loaded from, where it was one."""
    path = next(iter(_loadedFrom(node)), None)
    if path is None or path.suffix in VOLUMES or not _isFile(path):
        return None
    return path if looks_like_dicom(path) else None


def _isFile(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _instances(node: Any) -> list[str]:
    named = (node.GetAttribute(_INSTANCES) or "").split()
    return named or _instancesOfSeries(node)


def _instancesOfSeries(node: Any) -> list[str]:
    database = _database()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    if database is None or not item:
        return []
    series = hierarchy.GetItemUID(item, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName())
    return list(database.instancesForSeries(series)) if series else []


def _fileOf(instance: str) -> Path | None:
    """The file of an instance, where the database knows it and it is still there."""
    database = _database()
    name = database.fileForInstance(instance) if database is not None else ""
    return Path(name) if name and _isFile(Path(name)) else None


def _database() -> Any:
    """The DICOM database; None where Slicer runs without it."""
    return getattr(slicer, "dicomDatabase", None)


def keepHeader(node: Any, header: Header) -> None:
    """Keep a header with a node that has no file; ``keptHeader`` reads it."""
    values = {name: value for name, value in header.values.items() if value is not None}
    texts = {name: getattr(header, name) for name in TEXTS}
    node.SetAttribute(HEADER_ATTRIBUTE, json.dumps({"values": values, **texts}))


def keptHeader(node: Any) -> Header:
    """The header that is kept with a node.

    Raises:
        InputError: there is none, or it is no JSON of known parameters.
    """
    text = node.GetAttribute(HEADER_ATTRIBUTE) or ""
    damaged = (
        f'The attribute {HEADER_ATTRIBUTE} of {nodeName(node)} is no header. Write JSON such as {{"values": '
        '{"echo_time": 90}}, or remove it.'
    )
    try:
        content = json.loads(text[:MOST_LETTERS])
        given = dict(content["values"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(damaged) from error
    if not set(given) <= set(BY_NAME):
        raise InputError(damaged)
    values: dict[str, Value] = {}
    for parameter in PARAMETERS:
        value = given.get(parameter.name)
        wanted = str if parameter.kind == "categorical" else (int, float)
        if value is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise InputError(damaged)
        values[parameter.name] = float(value) if isinstance(value, (int, float)) else value
    raw = {name: str(value) for name, value in given.items() if value is not None}
    texts = {name: str(content.get(name, "")) for name in TEXTS}
    return dataclasses.replace(Header(values, raw, source=f"kept with {nodeName(node)}", kind="bids"), **texts)
