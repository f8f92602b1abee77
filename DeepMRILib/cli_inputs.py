"""How the command line reads each kind of input from files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from DeepMRILib.jobs import Input

INPUT_FLAGS: dict[str, dict[str, str]] = {
    "diffusion": {
        "bvals": "b-values: a file, or numbers as in 0,50,800; by default the sidecar next to the image, or its header",
        "bvecs": "Gradient directions: a file; by default the sidecar next to the image, or its header",
    },
}
"""Further arguments that a kind of input takes."""


def read_input(item: Input, given: Mapping[str, Any]) -> Any:
    """One input from the file that the user named; None if an optional one was not named.

    Raises:
        InputError: the file is missing, damaged or of another kind.
    """
    path = given[item.name]
    return None if path is None else READERS[item.kind](path, given)


def _read_diffusion(path: Path, given: Mapping[str, Any]) -> Any:
    from DeepMRILib import files

    return files.read_diffusion(path, b_values=_b_values(given["bvals"]), directions=_path(given["bvecs"]))


def _b_values(text: str | None) -> Any:
    from DeepMRILib import files

    if text is not None and not Path(text).exists() and re.fullmatch(r"[-+\d\s.,;eE]+", text):
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


READERS = {
    "volume": _read_volume,
    "mask": _read_volume,
    "labels": _read_labels,
    "points": _read_points,
    "diffusion": _read_diffusion,
    "model": lambda path, _: path,
}
