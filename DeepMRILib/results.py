"""What a job returns (images, tables, how they were made) and its folder, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib import __version__, files
from DeepMRILib.errors import OutputError
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume
from DeepMRILib.writing import new_sibling, refusals_as_errors, replacing_folder

RESULT_FILE = "result.json"
_LARGEST_RESULT_FILE = 100_000_000
_SYSTEM_FILES = (".DS_Store", "Thumbs.db", "desktop.ini")
"""What file browsers put into every folder that they show."""


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _software() -> dict[str, str]:
    return {"python": platform.python_version(), "numpy": np.__version__, "platform": platform.platform()}


@dataclass(frozen=True)
class Provenance:
    """How a result was made: enough to make it again.

    Attributes:
        job: the job's key, e.g. ``"ivim.fit"``.
        engine: the method and where it comes from, in words.
        options: every setting, as plain values.
        seed: the random seed, None where nothing is random.
        device: "cpu", "cuda" or "mps".
        seconds: wall time of the job's steps.
        weights_sha256: of the network's file, None where there is none.
        inputs: what went in (shape, spacing, b-values and the like), as plain values; from the command line also
            ``files``: of each input its path, size in bytes and sha256.
        notes: what a reader must know, one sentence each.
        version: of DeepMRI.
        created: when, in ISO 8601 with the time zone.
        software: the versions of Python, numpy and the operating system.
        command: the command line, empty where there was none.
    """

    job: str
    engine: str
    options: dict[str, Any]
    seed: int | None = None
    device: str = "cpu"
    seconds: dict[str, float] = field(default_factory=dict)
    weights_sha256: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    version: str = __version__
    created: str = field(default_factory=_now)
    software: dict[str, str] = field(default_factory=_software)
    command: str = ""


@dataclass(frozen=True)
class Result:
    """Base of all results. A subclass adds fields of these types, and each becomes files in the result's folder:

    - ``dict[str, Volume]``: one NIfTI per entry, named by its key
    - ``Volume``, ``DiffusionVolume``, ``LabelVolume``: one NIfTI named by the field (with .bval and .bvec, or .tsv)
    - ``Table``: one CSV named by the field
    - ``ndarray``: one .npy named by the field; ``dict[str, ndarray]``: one .npz
    - ``Provenance`` and plain values: entries of result.json, numbers with all their digits. JSON has no NaN and no
      infinity: they become ``null`` and ``"inf"``, ``"-inf"``.

    ``files`` in result.json lists every file of the folder: a folder with anything else in it is not replaced.
    """

    provenance: Provenance

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write the result's files into a new folder, all or nothing.

        Raises:
            OutputError: the folder exists and ``overwrite`` is false, or it cannot be written.
        """
        with new_folder(folder, overwrite=overwrite) as partial:
            self.write_files(partial)
        return Path(folder)

    def write_files(self, folder: Path) -> None:
        """Write the files into a folder that holds nothing but this result's report, or nothing."""
        entries: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            _write_field(folder, item.name, getattr(self, item.name), entries)
        entries["files"] = sorted({RESULT_FILE, *_files_below(folder)})
        text = json.dumps(_plain(entries), indent=2, allow_nan=False)
        (folder / RESULT_FILE).write_text(text + "\n", encoding="utf-8")


def _files_below(folder: Path) -> dict[str, Path]:
    """What lies in a folder and in the folders in it, but folders themselves; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            found[path.relative_to(folder).as_posix()] = path
    return found


def _write_field(folder: Path, name: str, value: Any, entries: dict[str, Any]) -> None:
    if isinstance(value, Table):
        value.write_csv(folder / f"{name}.csv")
        entries[name] = {"file": f"{name}.csv", "units": value.units}
    elif isinstance(value, DiffusionVolume):
        files.write_diffusion(value, folder / f"{name}.nii.gz")
        entries[name] = {"file": f"{name}.nii.gz"}
    elif isinstance(value, LabelVolume):
        files.write_labels(value, folder / f"{name}.nii.gz")
        entries[name] = {"file": f"{name}.nii.gz"}
    elif isinstance(value, Volume):
        files.write_volume(value, folder / f"{name}.nii.gz")
        entries[name] = {"file": f"{name}.nii.gz"}
    elif isinstance(value, dict) and value and all(isinstance(entry, Volume) for entry in value.values()):
        entries[name] = {}
        for key, volume in value.items():
            _write_field(folder, key, volume, entries[name])
    elif isinstance(value, np.ndarray):
        files.write_array(value, folder / f"{name}.npy")
        entries[name] = {"file": f"{name}.npy"}
    elif isinstance(value, dict) and value and all(isinstance(entry, np.ndarray) for entry in value.values()):
        files.write_arrays(value, folder / f"{name}.npz")
        entries[name] = {"file": f"{name}.npz", "arrays": list(value)}
    elif dataclasses.is_dataclass(value):
        entries[name] = dataclasses.asdict(value)
    elif value is not None:
        entries[name] = value


def _plain(value: Any) -> Any:
    """A value as valid JSON can hold it."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def check_output(folder: Path | str, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Path:
    """The output folder, whole and without links, if a result can be written there; said before the work.

    Args:
        folder: where the result shall go.
        overwrite: whether an older result there may go; nothing but a result of ours is ever replaced.
        inputs: what the result is made from; none of it may lie in the folder.

    Raises:
        OutputError: it exists and may not be replaced, or its parent is missing or not writable.
    """
    given = Path(folder)
    with refusals_as_errors(f"{given} cannot be written"):
        folder = Path(os.path.realpath(given))
        _check_not_here(folder)
        if _is_there(given):
            if not overwrite:
                raise OutputError(_taken(given))
            _check_replaceable(folder, given)
            _check_no_input_inside(folder, inputs)
        elif not folder.parent.is_dir():
            raise OutputError(f"The folder {folder.parent} does not exist. Make it first, or choose another output.")
        new_sibling(folder).rmdir()
    return folder


@contextmanager
def new_folder(folder: Path | str, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """A temporary sibling to write into, which takes the folder's name when all went well and vanishes otherwise.

    With ``overwrite`` the old folder goes only after the new one stands. Arguments as for ``check_output``.

    Raises:
        OutputError: as ``check_output``, also when another run has put its result there meanwhile.
    """
    inputs = tuple(inputs)
    place = check_output(folder, overwrite=overwrite, inputs=inputs)
    with refusals_as_errors(f"{place} cannot be written"):
        try:
            with replacing_folder(place, overwrite=overwrite) as partial:
                yield partial
                if overwrite and os.path.lexists(place):  # writing takes a while: something may have been put there
                    _check_replaceable(place, place)
        except FileExistsError as error:
            raise OutputError(_taken(place)) from error


def _is_there(path: Path) -> bool:
    """Whether anything has this name; a name that cannot be, such as one that is too long, is the system's refusal."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _taken(folder: Path) -> str:
    return f"The output {folder} exists. Choose another folder, or add --overwrite to replace an older result."


def _check_not_here(folder: Path) -> None:
    try:
        here = Path.cwd().resolve()
    except FileNotFoundError:  # the folder that we are in was deleted: it cannot be lost again
        return
    if folder == here or folder in here.parents:
        raise OutputError(
            f"The output {folder} is the folder that you are in, or holds it. Give the name of a new folder."
        )


def _check_no_input_inside(folder: Path, inputs: Iterable[Path]) -> None:
    for path in inputs:
        real = Path(os.path.realpath(path))
        if folder == real or folder in real.parents:
            raise OutputError(
                f"The input {path} lies in the output {folder}, which would be replaced. Choose another folder."
            )


def _check_replaceable(folder: Path, given: Path) -> None:
    """Refuse to replace anything but an empty folder or one that holds a result of ours and nothing else."""
    refused = f"The output {given} is not a result of DeepMRI and is not replaced. Choose another folder."
    if given.is_symlink() or not folder.is_dir():
        raise OutputError(refused)
    if not any(path.name not in _SYSTEM_FILES for path in folder.iterdir()):
        return
    listed = _listed_files(folder / RESULT_FILE)
    if listed is None:
        raise OutputError(refused)
    below = _files_below(folder)
    # linked and empty folders are no files that a result has
    others = {
        path.name: path for path in folder.iterdir() if path.is_dir() and (path.is_symlink() or not any(path.iterdir()))
    }
    for name, path in sorted({**below, **others}.items()):
        if path.name in _SYSTEM_FILES:
            continue
        foreign = path.parent == folder and (path.is_symlink() or not path.is_file())
        if name not in listed or foreign:
            raise OutputError(
                f"The output {given} also holds {name}, which is no part of the result and would be lost. "
                "Move it away, or choose another folder."
            )


def _listed_files(path: Path) -> set[str] | None:
    """The files that a result says it is made of; None where this is no result."""
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST_RESULT_FILE:
            return None
        entries = json.loads(path.read_text(encoding="utf-8"))
        provenance, names = entries["provenance"], entries["files"]
        ours = all(isinstance(provenance[key], str) for key in ("job", "version"))
        return set(names) if ours and isinstance(names, list) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
