"""How the command line reads each kind of input from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.jobs import Input

INPUT_FLAGS: dict[str, dict[str, str]] = {
    "diffusion": {
        "bvals": "b-values: a file, or numbers as in 0,50,800; by default the sidecar next to the image, or its header",
        "bvecs": "Gradient directions: a file; by default the sidecar next to the image, or its header",
    },
}
"""Further arguments that a kind of input takes."""


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
    if path is None:
        return None
    return _find_model(path, method) if item.kind == "model" else READERS[item.kind](path, given)


def _read_diffusion(path: Path, given: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_diffusion(path, b_values=_b_values(given["bvals"]), directions=_path(given["bvecs"]))


def _b_values(text: str | None) -> Any:
    from DeepMRILib import files

    # Numbers first: to look for a file of that name fails when the list is longer than a name may be.
    if text is not None and re.fullmatch(r"[-+\d\s.,;eE]+", text):
        return files.parse_b_values(text)
    return _path(text)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _read_volume(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_volume(path)


def _read_labels(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_labels(path)


def _read_points(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_points(path)


def _read_array(path: Path, _: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_array(path)


def _read_folder(path: Path, _: Mapping[str, Any]) -> Path:
    if not path.is_dir():
        what = "is a file; a folder was expected" if path.exists() else "does not exist"
        raise InputError(f"The folder {path} {what}. Check the path.")
    return path


def _find_model(path: Path, method: str) -> Path:
    """The folder of a model: one that is a model's, or the store's model of that name."""
    from DeepMRILib.model_store import CARD, ModelStore, open_model

    is_name = path.name == str(path) and not (path / CARD).exists()
    return (ModelStore().find(str(path), method) if is_name else open_model(path, method)).folder


READERS = {
    "volume": _read_volume,
    "mask": _read_volume,
    "labels": _read_labels,
    "points": _read_points,
    "array": _read_array,
    "folder": _read_folder,
    "diffusion": _read_diffusion,
}
