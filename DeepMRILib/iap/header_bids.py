"""Headers of BIDS sidecars: JSON with times in seconds, beside a NIfTI image or alone."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.files import nifti
from DeepMRILib.files.paths import read_text
from DeepMRILib.iap.aliases import LONGEST
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.header_values import values_of
from DeepMRILib.iap.parameters import PARAMETERS

LARGEST = 20_000_000
"""Bytes of a sidecar: with slice times of long series, a few hundred kilobytes."""
DEEPEST = 50
"""Lists within lists of a sidecar; those of dcm2niix have three."""
KEYS: dict[str, tuple[str, ...]] = {
    parameter.name: tuple(dict.fromkeys(key for key in (parameter.bids, parameter.keyword) if key))
    for parameter in PARAMETERS
}
"""Parameter to the keys under which sidecars have it: BIDS' own, else DICOM's."""
_FREQUENCY, _PHASE = ("BaseResolution", "AcquisitionMatrixFE"), ("AcquisitionMatrixPE", "PhaseEncodingSteps")
IMAGES = (".nii", ".nii.gz")


def sidecar_of(image: Path) -> Path | None:
    """The sidecar beside an image: scan.json of scan.nii.gz."""
    path = image.with_name(f"{nifti.stem(image)}.json")
    return path if path.is_file() else None


def image_of(sidecar: Path) -> Path | None:
    """The image beside a sidecar."""
    found = (sidecar.with_name(sidecar.stem + suffix) for suffix in IMAGES)
    return next((path for path in found if path.is_file()), None)


def read_json(path: Path) -> dict[str, Any]:
    """A sidecar's content.

    Raises:
        InputError: not readable, no JSON object, or one with endlessly many lists within lists.
    """
    try:
        text = read_text(path, LARGEST)
        content = json.loads(text)
        if "\\ud" in text.lower():  # halves of characters, which no file and no page can hold
            content = json.loads(json.dumps(content, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name} is not valid JSON. Give a BIDS sidecar as dcm2niix writes it.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path.name} holds no JSON object. Give a BIDS sidecar as dcm2niix writes it.")
    if not _is_shallow(content):
        raise InputError(f"{path.name} holds lists within lists, endlessly. Give a BIDS sidecar as dcm2niix writes it.")
    return content


def _is_shallow(content: Any) -> bool:
    level = [content]
    for _ in range(DEEPEST):
        entries = (entry for one in level for entry in (one.values() if isinstance(one, dict) else one))
        level = [entry for entry in entries if isinstance(entry, (dict, list))]
        if not level:
            return True
    return False


def header_of_sidecar(path: Path, *, image: Path | None = None, content: Mapping[str, Any] | None = None) -> Header:
    """What a sidecar says, and what the grid of its image adds: pixel spacing, field of view, distance of slices.

    Args:
        path: the sidecar.
        image: by default the one beside it.
        content: of the sidecar, where it was read already.

    Raises:
        InputError: not readable, not of MR, or without a single acquisition parameter.
    """
    content = read_json(path) if content is None else content
    modality = str(content.get("Modality") or "MR").upper()
    if modality != "MR":
        raise InputError(f"{path.name} is of no MR image (its modality is {modality}). Give one of an MR series.")
    raw = raw_of(content)
    if not raw:
        raise InputError(f"{path.name} holds no acquisition parameter. Give a BIDS sidecar of an MR series.")
    image = image or image_of(path)
    try:
        notes = _add_grid(raw, image)
    except InputError as error:
        notes = [str(error)]
    values, odd = values_of(raw, seconds=True)
    return Header(
        values=values,
        raw={name: text for name, text in raw.items() if name in values},
        source=str(path),
        kind="bids",
        series=path.stem,
        patient=subject_of(path),
        description=as_text(content.get("SeriesDescription") or content.get("ProtocolName"))[:LONGEST],
        notes=(*notes, *odd),
    )


def header_of_image(image: Path) -> Header:
    """Of an image with its sidecar; without one, or with one that says nothing of the acquisition, its grid alone.

    Raises:
        InputError: a sidecar that is not readable, or not of MR; or neither a sidecar nor a readable image.
    """
    sidecar = sidecar_of(image)
    content = {} if sidecar is None else read_json(sidecar)
    if sidecar is not None and raw_of(content):
        return header_of_sidecar(sidecar, image=image, content=content)
    raw: dict[str, str] = {}
    notes = _add_grid(raw, image)
    values, odd = values_of(raw)
    name = nifti.stem(image)
    beside = f"{name}.json holds no acquisition parameter" if sidecar else f"There is no sidecar {name}.json"
    what = f"{beside} beside the image: its header is not known."
    raw = {key: text for key, text in raw.items() if key in values}
    return Header(values, raw, str(image), "none", name, subject_of(image), notes=(what, *notes, *odd))


def raw_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Parameter to text."""
    raw: dict[str, str] = {}
    for name, keys in KEYS.items():
        found = next((content[key] for key in keys if key in content), None)
        if found is not None:
            raw[name] = as_text(found)
    for name, keys in (("frequency_steps", _FREQUENCY), ("phase_steps", _PHASE)):
        found = next((content[key] for key in keys if key in content), None)
        if found is not None and "matrix" not in raw:
            raw[name] = as_text(found)
    if "frequency_steps" in raw and "phase_steps" in raw:
        raw["matrix"] = f"{raw.pop('frequency_steps')}x{raw.pop('phase_steps')}"
    raw.pop("frequency_steps", None)
    raw.pop("phase_steps", None)
    return raw


def as_text(value: Any) -> str:
    """A JSON value as DICOM would write it."""
    if isinstance(value, (list, tuple)):
        return "\\".join(as_text(entry) for entry in value)
    return "" if value is None else str(value)


def subject_of(path: Path) -> str:
    """The BIDS subject in a path: sub-01 of sub-01/anat/sub-01_T1w.json; "" where there is none.

    Example:
        >>> subject_of(Path("study/sub-07/anat/sub-07_T1w.json"))
        'sub-07'
    """
    found = re.findall(r"(?:^|[/\\_])(sub-[A-Za-z0-9]+)", path.as_posix())
    return found[-1] if found else ""


def _add_grid(raw: dict[str, str], image: Path | None) -> list[str]:
    """Spacing and extent of the image itself, where the sidecar does not say.

    Raises:
        InputError: the image cannot be read.
    """
    if image is None:
        return []
    try:
        from nibabel import load
        from nibabel.filebasedimages import ImageFileError
        from nibabel.spatialimages import HeaderDataError
    except ModuleNotFoundError:
        return ["Without the Python package nibabel, spacing and field of view of the image are not known."]
    try:
        header = load(image).header
        shape, zooms = header.get_data_shape(), [float(edge) for edge in header.get_zooms()]
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        reason = str(error).replace(str(image), image.name)[:80]
        raise InputError(f"{image.name} cannot be read ({reason}). Copy or export it again.") from error
    if len(shape) >= 2 and min(zooms[:2]) > 0:
        # Rows lie along j: the distance of rows is that of j
        raw.setdefault("pixel_spacing", f"{zooms[1]:.6g}\\{zooms[0]:.6g}")
        raw["rows"], raw["columns"] = str(shape[1]), str(shape[0])
    if len(shape) >= 3 and shape[2] > 1 and zooms[2] > 0:
        raw.setdefault("slice_spacing", f"{zooms[2]:.6g}")
    return []
