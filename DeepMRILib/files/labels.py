"""Label maps: whole numbers on a grid, and the names of what they mean."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from DeepMRILib.errors import InputError
from DeepMRILib.files import nrrd
from DeepMRILib.files.paths import input_file
from DeepMRILib.volume import Volume

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
    """The names of the labels of a Slicer segmentation (.seg.nrrd); empty for files that hold no names.

    Raises:
        InputError: no such file, or a damaged one.
    """
    path = input_file(path, "label map")
    if path.suffix.lower() not in nrrd.SUFFIXES:
        return {}
    segments: dict[str, dict[str, str]] = {}
    for key, value in nrrd.read_header(path).items():
        if match := _SEGMENT.match(key):
            segments.setdefault(match[1], {})[match[2]] = str(value)
    return {
        int(segment["LabelValue"]): segment["Name"]
        for segment in segments.values()
        if "Name" in segment and segment.get("LabelValue", "").isdecimal()
    }
