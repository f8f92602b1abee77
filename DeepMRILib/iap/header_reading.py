"""``read_header`` for every source: DICOM files and folders, pydicom datasets, sidecars, images beside one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.files.dicom_series import looks_like_dicom
from DeepMRILib.files.paths import input_file
from DeepMRILib.iap import header_bids
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.header_dicom import Record, read_slim, record_of
from DeepMRILib.iap.header_values import Values, values_of
from DeepMRILib.iap.parameters import BY_NAME, NO_AGENT

_MANY = 4
"""Differing values that a note lists."""
MIXED = "Its images are of several patients"
"""How the note begins on a series that is no patient's."""
PER_IMAGE = ("slice_spacing",)
"""Parameters whose differences from image to image are not worth a word."""


def header_of(source: Path | str | Any) -> Header:
    """See ``header.read_header``."""
    if isinstance(source, Header):
        return source
    if hasattr(source, "get_item"):  # a pydicom dataset
        return header_of_records([record_of(source)], str(getattr(source, "filename", None) or ""))
    path = Path(source)
    if path.is_dir():
        return _header_of_folder(path)
    input_file(path, "DICOM file, image or sidecar")
    if path.suffix.lower() == ".json":
        return header_bids.header_of_sidecar(path)
    if path.name.lower().endswith(header_bids.IMAGES):
        return header_bids.header_of_image(path)
    if looks_like_dicom(path):
        return header_of_records([record_of(read_slim(path), path)], str(path))
    sidecar = header_bids.sidecar_of(path)
    if sidecar is not None:
        return header_bids.header_of_sidecar(sidecar)
    raise InputError(
        f"{path.name} has no header with acquisition parameters. Give a DICOM file or folder, a BIDS sidecar (.json), "
        "or an image with its sidecar beside it."
    )


def _header_of_folder(folder: Path) -> Header:
    from DeepMRILib.iap.series_finding import find_series, one_series

    return one_series(find_series(folder), folder).header


def header_of_records(records: Sequence[Record], source: str) -> Header:
    """The header of the images of one series: the values of the first; where others differ, a note says so."""
    records = sorted(records, key=lambda record: (record.number, str(record.path)))
    counts = Counter(record.raw for record in records)
    found = {raw: values_of(dict(raw)) for raw in counts}
    first = records[0]
    values, notes = found[first.raw]
    patients = sorted({record.patient for record in records})
    if len(patients) > 1:
        notes = [*notes, f"{MIXED}: {', '.join(patients[:_MANY])}."]
    raw = dict(first.raw)
    return Header(
        values={**values, "contrast_agent": values["contrast_agent"] or NO_AGENT},
        raw={name: text for name, text in raw.items() if name in BY_NAME},
        source=source,
        kind="enhanced" if first.enhanced else "dicom",
        series=first.series,
        patient=first.patient,
        description=first.description,
        files=len(records),
        notes=(*notes, *_differences([one for one, _ in found.values()], len(records)), *_frames(raw)),
    )


def _differences(distinct: Sequence[Values], total: int) -> list[str]:
    """A sentence for each parameter that is not the same in all images."""
    if len(distinct) < 2:
        return []
    found = []
    for name, parameter in BY_NAME.items():
        texts = list(dict.fromkeys(_shown(values[name]) for values in distinct))
        if len(texts) > 1 and name not in PER_IMAGE:
            listed = ", ".join(texts[:_MANY]) + (" ..." if len(texts) > _MANY else "")
            unit = f" {parameter.unit}" if parameter.unit else ""
            found.append(f"{parameter.label} differs within the series of {total} images: {listed}{unit}.")
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _frames(raw: dict[str, str]) -> list[str]:
    names = raw.get("differing", "")
    return [f"{BY_NAME[name].label} differs from frame to frame; that of the first is taken."
            for name in names.split("\\") if name in BY_NAME]  # fmt: skip
