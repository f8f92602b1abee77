"""The DICOM images of a folder, sorted into series, and the choice of one."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError, require
from DeepMRILib.files.paths import damaged, input_file, is_regular, unreadable

PURPOSE = "Reading DICOM files"
_IDENTITY = ("SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
# A file without DICOM's preamble is taken for DICOM when it begins with an element of one of these groups.
_FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # the last is big-endian
# What pydicom was seen to raise at files in which single bytes had been changed.
_DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)
_LARGE_ELEMENT = 65_536  # bytes from which an element, such as the pixels, stays on disk until it is needed


@dataclass
class Series:
    """The images of one series.

    Attributes:
        uid: SeriesInstanceUID.
        number: SeriesNumber as text, "" when missing.
        description: SeriesDescription.
        images: path and dataset, without the pixels, of each file.
    """

    uid: str
    number: str
    description: str
    images: list[tuple[Path, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        count = sum(int(dataset.get("NumberOfFrames", 1) or 1) for _, dataset in self.images)
        return f"{self.number or self.uid} ({self.description or 'no description'}, {count} image{'s' * (count > 1)})"


def looks_like_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:
        return False
    return start[128:] == b"DICM" or (len(start) == 132 and start[:2] in _FIRST_GROUPS and 0 in start[2:4])


def find_series(path: Path) -> list[Series]:
    """The series of a DICOM file, or of a folder and the folders in it; what is no image is left out.

    Raises:
        InputError: nothing there, no image in it, the same image twice, or a file that is cut short.
    """
    series: dict[str, Series] = {}
    seen: dict[str, Path] = {}
    for file in _files(path):
        dataset = _header(file)
        if dataset is None:
            continue
        with reading(file):
            uid, key, number, text = (" ".join(str(dataset.get(name, "") or "").split()) for name in _IDENTITY)
        if uid and uid in seen:
            raise InputError(
                f"{seen[uid].name} and {file.name} are the same DICOM image (one SOPInstanceUID). Remove one of them."
            )
        seen[uid] = file
        series.setdefault(key, Series(key, number, text)).images.append((file, dataset))
    if not series:
        what = f"The folder {path} holds" if path.is_dir() else f"{path.name} holds"
        raise InputError(f"{what} no DICOM image. Give a folder with the images of one series, or a DICOM file.")
    return sorted(series.values(), key=lambda one: (len(one.number), one.number, one.uid))


def choose(
    found: Sequence[Series], wanted: str | int | None, where: Path, fits: Callable[[Series], bool] | None = None
) -> Series:
    """The one series meant.

    Args:
        found: all of them.
        wanted: number, description or SeriesInstanceUID; None when the user did not say.
        where: for the sentence.
        fits: when the user did not say and there are several, the only one that fits is meant.

    Raises:
        InputError: none or several are meant; the sentence lists them.
    """
    candidates = list(found)
    if wanted is not None:
        name = str(wanted).strip()
        candidates = next(
            (
                matching
                for attribute in ("uid", "number", "description")
                if (matching := [one for one in found if getattr(one, attribute) == name])
            ),
            [],
        )
    elif len(found) > 1:
        grey = [one for one in found if not all(_is_colour(dataset) for _, dataset in one.images)]
        candidates = [one for one in grey if fits is None or fits(one)]
    if len(candidates) == 1:
        return candidates[0]
    listed = "; ".join(map(str, found))
    if wanted is not None:
        problem = f"no series {wanted!r}" if not candidates else f"several series {wanted!r}"
    else:
        problem = "several series" if candidates or fits is None else "no series with several diffusion weightings"
    raise InputError(
        f"{where} holds {problem}. It holds: {listed}. "
        "Choose one with --series (in Python series=): its number, description or SeriesInstanceUID; or give the "
        "folder of one series."
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [input_file(path, "DICOM file")]

    def fail(error: OSError) -> None:
        raise unreadable(path, error) from error

    found = (
        Path(folder) / name
        for folder, _, names in os.walk(path, onerror=fail)
        for name in names
        if not name.startswith(".") and name.upper() != "DICOMDIR"
    )
    return sorted(file for file in found if is_regular(file))


def _header(path: Path) -> Any | None:
    """The dataset of an image, the pixels still on disk; None for anything else."""
    input_file(path)
    if not looks_like_dicom(path):
        return None
    dataset = read_dataset(path, defer_size=_LARGE_ELEMENT)
    if "Rows" not in dataset or "Columns" not in dataset or not any(name in dataset for name in _PIXELS):
        return None
    return dataset


def read_dataset(path: Path, defer_size: int | None = None) -> Any:
    """The DICOM dataset of a file.

    Raises:
        InputError: a damaged file.
    """
    pydicom = require("pydicom", PURPOSE)
    with reading(path):
        return pydicom.dcmread(path, defer_size=defer_size, force=True)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what pydicom raises at damaged content into a sentence; it parses each element when it is looked at."""
    errors = require("pydicom", PURPOSE).errors
    try:
        yield
    except InputError:
        raise
    except (*_DAMAGE, errors.BytesLengthException, errors.InvalidDicomError) as error:
        raise damaged(path, "DICOM", error) from error


def _is_colour(dataset: Any) -> bool:
    return int(dataset.get("SamplesPerPixel", 1) or 1) > 1
