"""The b-values that lie in a text file next to the file a node was loaded from, read once for as long as they stay."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import slicer
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files import bvalues as bvalueFiles

Found = tuple[NDArray | None, str]
"""b-values (n,) in s/mm2 and the name of their file; or None and what is wrong with the file, "" without one."""

_Stamp = tuple[tuple[int, int] | None, ...]

MOST_KEPT = 32
"""Images whose sidecars are remembered."""
SETTLED_S = 3.0
"""A file may be written twice within the tick of its time stamp, 2 s on FAT: one this young is read again."""


@dataclass(frozen=True)
class _Entry:
    found: Found
    path: Path | None
    stamp: _Stamp


_entries: OrderedDict[Path, _Entry] = OrderedDict()


def sidecarBValues(node: slicer.vtkMRMLNode | None) -> Found:
    """The b-values next to the file of a storable node.

    A panel asks at every change of the scene. The folder is searched and the file read once; after that, its time and
    size and the folder's time tell whether either has changed.
    """
    storage = node.GetStorageNode() if node is not None and node.IsA("vtkMRMLStorableNode") else None
    name = storage.GetFullNameFromFileName() if storage is not None else ""
    return _kept(Path(name)) if name else (None, "")


def _kept(image: Path) -> Found:
    entry = _entries.get(image)
    if entry is None or entry.stamp != _stamp(image, entry.path):
        path = bvalueFiles.sidecar(image, stem(image), bvalueFiles.B_VALUE_SIDECARS)
        # Taken before reading: what is written meanwhile has another stamp.
        entry = _Entry(stamp=_stamp(image, path), path=path, found=_read(path))
        _entries.pop(image, None)
        if _isSettled(entry.stamp):
            _entries[image] = entry
    while len(_entries) > MOST_KEPT:
        _entries.popitem(last=False)
    values, place = entry.found
    # A copy: nobody may change what the next one gets.
    return (None if values is None else values.copy()), place


def _read(path: Path | None) -> Found:
    if path is None:
        return None, ""
    try:
        values = bvalueFiles.read_b_values(path)
    except InputError as error:
        return None, str(error)
    return values, path.name


def _stamp(image: Path, path: Path | None) -> _Stamp:
    """Time in ns and size of the image's folder, where files come and go, and of the file of b-values."""
    return tuple(_timeAndSize(place) for place in (image.parent, path) if place is not None)


def _timeAndSize(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _isSettled(stamp: _Stamp) -> bool:
    return all(part is not None and time.time() - part[0] / 1e9 > SETTLED_S for part in stamp)


def stem(path: Path) -> str:
    """The name without .nii.gz, .seq.nrrd and the like."""
    name = path.name.removesuffix(".gz")
    for suffix in (".nii", ".nrrd", ".nhdr", ".mha", ".mhd"):
        name = name.removesuffix(suffix)
    return name.removesuffix(".seq")
