"""Headers of DICOM files: read up to the pixels, only the elements that are needed, whatever state they are in."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from DeepMRILib.errors import InputError, require
from DeepMRILib.files.csa import csa_numbers
from DeepMRILib.files.dicom_bvalues import siemens_csa
from DeepMRILib.files.dicom_series import PURPOSE, reading
from DeepMRILib.files.dicom_tags import numbers, private_element
from DeepMRILib.iap import header_enhanced
from DeepMRILib.iap.parameters import PARAMETERS

KEYWORDS: dict[str, str] = {
    **{parameter.name: parameter.keyword for parameter in PARAMETERS if parameter.keyword},
    "rows": "Rows",
    "columns": "Columns",
    "reconstruction_diameter": "ReconstructionDiameter",
}
"""What is read, to the keyword of classic images."""
_SHORTS = ("matrix", "rows", "columns")
"""Elements that hold 16-bit integers, not text."""
_IDENTITY = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "PatientID", "PatientName", "SeriesDescription",
             "ProtocolName", "SeriesNumber", "InstanceNumber", "Modality", "ImageType", "NumberOfFrames",
             "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "PixelRepresentation",
             "ImagePositionPatient", "ImageOrientationPatient", "PixelPresentation")  # fmt: skip
_PRIVATE = ((0x0019, 0x0010), (0x0019, 0x100A), (0x0029, 0x0010), (0x0029, 0x1010))
"""Siemens: how many images a mosaic holds, and the header that says it, too."""
MR_CLASSES = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4",
              "1.2.840.10008.5.1.4.1.1.4.3")  # fmt: skip
"""MR image; enhanced, legacy converted and in colour."""


@cache
def _tags() -> dict[str, Any]:
    tag = require("pydicom", PURPOSE).tag.Tag
    return {name: tag(name) for name in (*KEYWORDS.values(), *_IDENTITY, *header_enhanced.KEYWORDS)}


@cache
def _wanted() -> list[Any]:
    return [*_tags().values(), *_PRIVATE]


def read_slim(path: Path) -> Any:
    """The dataset of a file with nothing but what headers and series need, without its pixels.

    Raises:
        InputError: a damaged file.
    """
    pydicom = require("pydicom", PURPOSE)
    with reading(path):
        return pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=_wanted())


def text_of(dataset: Any, keyword: str) -> str | None:
    """An element as text, several values joined by backslashes; None where it is missing.

    The bytes are decoded here: one character that the standard does not allow would otherwise hide the value.
    """
    tag = _tags().get(keyword) or require("pydicom", PURPOSE).tag.Tag(keyword)
    if tag not in dataset:
        return None
    element = dataset.get_item(tag)
    value = element.value
    if isinstance(value, (bytes, bytearray)):
        little = getattr(element, "is_little_endian", True)
        return _decoded(bytes(value), getattr(element, "VR", None), keyword, little)
    if value is None:
        return ""
    if isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(value, str)):
        return "\\".join("" if entry is None else str(entry) for entry in value)
    return str(value)


_BINARY = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FD": "d", "FL": "f"}
_SHORT_KEYWORDS = tuple(KEYWORDS[name] for name in _SHORTS)


def _decoded(content: bytes, representation: str | None, keyword: str, little: bool) -> str:
    code = _BINARY.get(representation or "")
    if code is None and keyword in _SHORT_KEYWORDS:  # implicit or unknown representation
        code = "H"
    if code is None:
        return content.decode("latin-1").replace("\0", "").strip()
    count = len(content) // struct.calcsize(code)
    found = struct.unpack_from(f"{'<' if little else '>'}{count}{code}", content)
    return "\\".join(f"{number:.10g}" for number in found)


def raw_of(dataset: Any) -> dict[str, str]:
    """Parameter to text, of one image; and the sizes that ``header_values`` asks for."""
    raw = {}
    for name, keyword in KEYWORDS.items():
        text = text_of(dataset, keyword)
        if text is not None:
            raw[name] = text
    if "MOSAIC" in (text_of(dataset, "ImageType") or "").upper().split("\\"):
        raw["tile"] = f"{mosaic_edge(dataset, raw)}"
    if is_enhanced(dataset):
        raw = {**raw, **header_enhanced.raw_of(dataset)}
    return raw


class Record(NamedTuple):
    """What one file says, small enough to keep for a hundred thousand of them.

    Attributes:
        path: the file, None of a dataset in memory.
        series, instance_uid: its UIDs, "" where they are missing.
        number: InstanceNumber.
        patient, description: for people.
        enhanced: parameters stand in functional groups.
        raw: parameter to text, as pairs in order.
    """

    path: Path | None
    series: str
    instance_uid: str
    number: int
    patient: str
    description: str
    enhanced: bool
    raw: tuple[tuple[str, str], ...]


def record_of(dataset: Any, path: Path | None = None) -> Record:
    """The record of a file.

    Raises:
        InputError: no MR image, or damaged.
    """
    with reading(path or Path("dataset")):
        check_is_mr(dataset, path.name if path is not None else "The dataset")
        number = (text_of(dataset, "InstanceNumber") or "").strip()
        return Record(
            path,
            (text_of(dataset, "SeriesInstanceUID") or "").strip(),
            (text_of(dataset, "SOPInstanceUID") or "").strip(),
            int(number) if re.fullmatch(r"-?\d{1,12}", number) else 0,
            patient_of(dataset),
            description_of(dataset),
            is_enhanced(dataset),
            tuple(sorted(raw_of(dataset).items())),
        )


def is_enhanced(dataset: Any) -> bool:
    """Whether its parameters stand in functional groups."""
    return any(tag in dataset for tag in (_tags()[name] for name in header_enhanced.GROUPS))


def mosaic_count(dataset: Any) -> int:
    """How many slices a Siemens mosaic holds, of its private elements; 0 where they were removed."""
    count = numbers(private_element(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A)) or csa_numbers(
        siemens_csa(dataset), "NumberOfImagesInMosaic"
    )
    return int(count[0]) if count and count[0] >= 1 else 0


def mosaic_edge(dataset: Any, raw: dict[str, str]) -> int:
    """How many tiles of a Siemens mosaic lie along an edge; 0 where nothing tells it.

    Where the number of slices is not known, from the acquisition matrix, as tiles are seldom enlarged.
    """
    count = mosaic_count(dataset)
    if count:
        return math.ceil(math.sqrt(count))
    lines = [int(n) for n in raw.get("matrix", "").split("\\") if n.isdigit() and int(n) > 0]
    rows = raw.get("rows", "")
    return int(rows) // lines[0] if lines and rows.isdigit() and int(rows) % lines[0] == 0 else 0


def check_is_mr(dataset: Any, name: str) -> None:
    """Refuse another modality, and files that are no DICOM at all.

    Raises:
        InputError: with what it is.
    """
    modality = (text_of(dataset, "Modality") or "").strip().upper()
    kind = (text_of(dataset, "SOPClassUID") or "").strip()
    if modality == "MR" or (not modality and kind in MR_CLASSES):
        return
    if modality:
        raise InputError(f"{name} is no MR image (its modality is {modality}). Give a series of an MR scanner.")
    if not kind and not any(text_of(dataset, KEYWORDS[key]) for key in ("echo_time", "repetition_time", "sequence")):
        raise InputError(f"{name} is no DICOM image. Give a DICOM file, a NIfTI image or a BIDS sidecar.")
    if kind and not any(text_of(dataset, KEYWORDS[key]) for key in ("echo_time", "repetition_time")):
        raise InputError(f"{name} does not say that it is an MR image. Give a series of an MR scanner.")


def patient_of(dataset: Any) -> str:
    """Patient ID, else the name."""
    return _display(dataset, ("PatientID", "PatientName"))


def description_of(dataset: Any) -> str:
    """Of the series, else of the protocol."""
    return _display(dataset, ("SeriesDescription", "ProtocolName"))


def _display(dataset: Any, keywords: Sequence[str]) -> str:
    for keyword in keywords:
        text = " ".join((text_of(dataset, keyword) or "").split())
        if text:
            return text
    return ""
