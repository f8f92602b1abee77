"""Label maps: whole numbers on a grid, and the names of what they mean."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from DeepMRILib.errors import InputError
from DeepMRILib.files import nifti, nrrd
from DeepMRILib.files.paths import input_file, read_text
from DeepMRILib.volume import Volume

NAMES_SUFFIX = ".tsv"
_LARGEST_TABLE = 10_000_000
_SEGMENT = re.compile(r"Segment(\d+)_(Name|LabelValue|Layer)$")


def as_labels(volume: Volume, name: str) -> Volume:
    """The volume with whole numbers as an integer type.

    Raises:
        InputError: values that are not whole numbers.
    """
    if volume.array.ndim != 3:
        raise InputError(
            f"{name} holds several layers, as overlapping segments are stored. Save each segment, or segments that do "
            "not overlap, as one label map."
        )
    if volume.array.dtype.kind in "iu":
        return volume
    if volume.array.dtype.kind not in "fb":
        raise InputError(f"{name} holds values that are not whole numbers; a label map was expected.")
    array = np.asarray(volume.array, dtype=float)
    if not (np.isfinite(array).all() and (array == np.rint(array)).all() and np.abs(array).max() < 2**31):
        raise InputError(
            f"{name} holds values that are not whole numbers; a label map was expected. "
            "Give the segmentation, not the image or a probability map."
        )
    return volume.like(array.astype(np.int32))


def label_names(path: str | Path) -> dict[int, str]:
    """The names of the labels: of a Slicer segmentation (.seg.nrrd), or in a .tsv next to the file; else empty.

    Raises:
        InputError: no such file, or a damaged one.
    """
    path = input_file(path, "label map")
    if path.suffix.lower() not in nrrd.SUFFIXES:
        return _names_beside(path)
    segments: dict[str, dict[str, str]] = {}
    for key, value in nrrd.read_header(path).items():
        if match := _SEGMENT.match(key):
            segments.setdefault(match[1], {})[match[2]] = str(value)
    return {
        int(segment["LabelValue"]): segment["Name"]
        for segment in segments.values()
        if "Name" in segment and segment.get("LabelValue", "").isdecimal()
    }


def names_text(names: Mapping[int, str]) -> str:
    """The table of names that stands next to a label map, as BIDS has it for segmentations."""
    rows = (f"{label}\t{' '.join(name.split())}" for label, name in sorted(names.items()))
    return "\n".join(["index\tname", *rows]) + "\n"


def _names_beside(path: Path) -> dict[int, str]:
    table = path.with_name(f"{nifti.stem(path)}{NAMES_SUFFIX}")
    if not table.is_file():
        return {}
    text = read_text(table, _LARGEST_TABLE)
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t")
        return {int(row["index"]): row["name"] for row in rows}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{table.name} beside {path.name} is no table of label names; expected the columns index and name, "
            "separated by tabs. Mend it, or remove it to go without names."
        ) from error
