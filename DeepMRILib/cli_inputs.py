"""How the command line reads each kind of input from files."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.jobs import Input, Job
from DeepMRILib.model_store import CARD, find_model

if TYPE_CHECKING:
    from DeepMRILib.files.study import SeriesFile


@dataclass(frozen=True)
class Flag:
    """A further argument that a kind of input takes: its help, and what the help calls its value."""

    help: str
    metavar: str = "FILE"


_SERIES = Flag("Of several DICOM series in the folder, the one meant: number, description or UID", "SERIES")
_STUDY_B_VALUES = Flag(
    "b-values of all series: a file, or numbers as in 0,50,800; by default the sidecar next to each, or its header"
)

INPUT_FLAGS: dict[str, dict[str, Flag]] = {
    "diffusion": {
        "bvals": Flag(
            "b-values: a file, or numbers as in 0,50,800; by default the sidecar next to the image, or its header"
        ),
        "bvecs": Flag("Gradient directions: a file; by default the sidecar next to the image, or its header"),
        "series": _SERIES,
    },
    "volume": {"series": _SERIES},
    "study": {"bvals": _STUDY_B_VALUES, "series": _SERIES},
}
"""Further arguments that a kind of input takes."""
_HASHED = 1_000_000_000
"""Bytes up to which a file's sha256 is taken: about two seconds."""


def input_flags(job: Job, item: Input) -> dict[str, Flag]:
    """The further arguments of one input of a job by name; the second input with a flag has its own name before it."""
    earlier = job.inputs[: job.inputs.index(item)]
    taken = {flag for other in earlier for flag in INPUT_FLAGS.get(other.kind, {})}
    flags = INPUT_FLAGS.get(item.kind, {})
    return {f"{item.name}_{name}" if name in taken else name: flag for name, flag in flags.items()}


def input_paths(job: Job, given: Mapping[str, Any]) -> dict[str, Path]:
    """The files and folders that a command names, by argument: its inputs and the tables that belong to them."""
    paths = {}
    for item in job.inputs:
        value = given[item.name]
        if isinstance(value, tuple):
            paths |= {f"{item.name} {number}": path for number, path in enumerate(value, 1)}
        elif value is not None:
            paths[item.name] = value
        for name, flag in input_flags(job, item).items():
            text = given[name]
            if text is not None and flag.metavar == "FILE" and not _are_numbers(text):
                paths[name] = Path(text)
    return paths


def file_record(path: Path) -> dict[str, Any]:
    """What tells an input again: its place, and of a file its size in bytes and, below 1 GB, its sha256."""
    from DeepMRILib.files.paths import unreadable

    record: dict[str, Any] = {"path": os.path.realpath(path)}
    try:
        if path.is_file():
            record["bytes"] = path.stat().st_size
        if record.get("bytes", _HASHED) < _HASHED:
            record["sha256"] = _sha256(path)
    except OSError as error:
        raise unreadable(path, error) from error
    return record


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_input(item: Input, given: Mapping[str, Any], method: str) -> Any:
    """One input from the file, folder or model that the user named; None if an optional one was not named.

    Args:
        item: the input.
        given: the command's arguments by name.
        method: for which a model must be.

    Raises:
        InputError: the file is missing, damaged or of another kind.
        WeightsError: there is no such model, or it is for another method.
    """
    path = given[item.name]
    if path in (None, ()):
        return None
    if item.kind == "network" and os.path.lexists(path) and not os.path.lexists(path / CARD):
        return path
    if item.kind == "network":
        return _find_network(path, method)
    if item.kind == "model":
        return find_model(path, method).folder
    flags = {name: given.get(f"{item.name}_{name}", given.get(name)) for name in INPUT_FLAGS.get(item.kind, {})}
    return READERS[item.kind](path, flags)


def _find_network(path: Path, method: str) -> Path:
    """The folder of a model of ours, where no file or folder of that name is another program's."""
    try:
        return find_model(path, method).folder
    except WeightsError as error:
        if os.path.lexists(path):
            raise
        raise InputError(
            f"There is no file or folder {path}, and no model of that name. Check the path. {error}"
        ) from error


def _read_diffusion(path: Path, given: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_diffusion(
        path, b_values=_b_values(given["bvals"]), directions=_path(given["bvecs"]), series=given["series"]
    )


def _b_values(text: str | None) -> Any:
    from DeepMRILib import files

    # Numbers first: to look for a file of that name fails when the list is longer than a name may be.
    return files.parse_b_values(text) if text is not None and _are_numbers(text) else _path(text)


def _are_numbers(text: str) -> bool:
    return re.fullmatch(r"[-+\d\s.,;eE]+", text) is not None


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _read_volume(path: Path, given: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_volume(path, series=given.get("series"))


def _read_labels(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_labels(path)


def _read_points(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_points(path)


def _read_outside_points(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_outside_points(path)


def _read_prompts(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_prompts(path)


def _read_array(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_array(path)


def _read_folder(path: Path, _: Mapping[str, Any]) -> Path:
    if not os.path.isdir(path):  # noqa: PTH112 - Path's own raises where the name is too long
        what = "is a file; a folder was expected" if os.path.lexists(path) else "does not exist"
        raise InputError(f"The folder {path} {what}. Check the path.")
    return path


def _find_study(paths: Sequence[Path], given: Mapping[str, Any]) -> tuple[SeriesFile, ...]:
    """The series of a study; each is read when its turn comes, but a missing one is told at once."""
    from DeepMRILib.files.study import SeriesFile

    b_values = _b_values(given["bvals"])
    return tuple(SeriesFile(_there(path), b_values, given["series"]) for path in paths)


def _find_files(paths: Sequence[Path], _: Mapping[str, Any]) -> tuple[Path, ...]:
    return tuple(_there(path) for path in paths)


def _find_data(path: Path, _: Mapping[str, Any]) -> Path:
    return _there(path, "file or folder")


def _there(path: Path, kind: str = "image") -> Path:
    from DeepMRILib.files.paths import input_file

    return path if os.path.isdir(path) else input_file(path, kind)  # noqa: PTH112 - as above


READERS = {
    "volume": _read_volume,
    "mask": _read_volume,
    "labels": _read_labels,
    "points": _read_points,
    "outside": _read_outside_points,
    "prompts": _read_prompts,
    "array": _read_array,
    "folder": _read_folder,
    "diffusion": _read_diffusion,
    "study": _find_study,
    "masks": _find_files,
    "images": _find_files,
    "data": _find_data,
}
