"""Simulated series written as a scanner or a converter would: DICOM files, or NIfTI images with BIDS sidecars."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib import files
from DeepMRILib.errors import require
from DeepMRILib.iap.parameters import BY_NAME, Value
from DeepMRILib.iap.simulating import NOTE, SimulatedSeries
from DeepMRILib.volume import Volume

GAPS = (
    "manufacturer", "field_strength", "repetition_time", "echo_time", "inversion_time", "flip_angle", "slice_thickness",
    "patient_position", "scan_options",
)  # fmt: skip
"""Entries that headers with gaps may lack, and that wrong headers may have wrong."""
GAP, WRONG = 0.3, 0.15
"""How often each of them is missing, or wrong."""
UID_ROOT = "2.25."
"""Of identifiers that are made of numbers (ISO/IEC 9834-8), so that the same seed writes the same files."""
DATE, TIME = "20000101", "120000"


def header_of(series: SimulatedSeries, kind: str, seed: int) -> tuple[dict[str, Value], dict[str, str]]:
    """What the header says, and what is amiss with it: parameter to ``missing`` or ``wrong``.

    Args:
        series: the series.
        kind: ``full``, ``gaps`` or ``wrong``.
        seed: of what is amiss; the series' name counts too.
    """
    values, amiss = series.values(), {}
    random = np.random.default_rng([seed, *series.name.encode()])
    for name in GAPS:
        chance = random.uniform()
        if kind == "gaps" and chance < GAP and values[name] is not None:
            values[name], amiss[name] = None, "missing"
        elif kind == "wrong" and chance < WRONG and values[name] is not None:
            values[name], amiss[name] = _wrong(name, values[name], random), "wrong"
    return values, amiss


def _wrong(name: str, value: Value, random: np.random.Generator) -> Value:
    others = {
        "manufacturer": {"VENDOR A": "VENDOR B", "VENDOR B": "VENDOR C", "VENDOR C": "VENDOR A"},
        "field_strength": {1.5: 3.0, 3.0: 1.5},
        "patient_position": {"HFS": "HFP", "HFP": "HFS"},
        "scan_options": {"FS": "NONE", "NONE": "FS"},
    }
    if name in others:
        return others[name][value]
    return round(float(value) * float(random.choice([0.25, 0.5, 2, 4])), 3)


def place_of(series: SimulatedSeries, form: str) -> Path:
    """Where a series is written: a folder of DICOM files, or a NIfTI file."""
    if form == "dicom":
        return Path(series.patient) / series.name
    subject, number = f"sub-{series.patient.replace('-', '')}", series.name.rsplit("-", 1)[1]
    return Path(subject) / "anat" / f"{subject}_acq-{series.protocol.family.lower()}_run-{number}_MR.nii.gz"


def write_bids(series: SimulatedSeries, values: Mapping[str, Value], folder: Path) -> Path:
    """The series as ``sub-.../anat/..._MR.nii.gz`` with a sidecar; where it was written."""
    path = folder / place_of(series, "bids")
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_volume(as_volume(series), path)
    entries: dict[str, Any] = {"Modality": "MR", "SeriesDescription": _description(series), "ConversionSoftware": NOTE}
    for name, value in values.items():
        parameter = BY_NAME[name]
        if parameter.bids and value is not None:
            entries[parameter.bids] = value if isinstance(value, str) else value / parameter.bids_factor
    sidecar = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
    sidecar.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    return path


def as_volume(series: SimulatedSeries) -> Volume:
    """(i, j, k) with i to the right of the image, j down, as DICOM's columns and rows; axial slices."""
    view = series.view
    step = float(view.heights[1] - view.heights[0]) if len(view.heights) > 1 else view.thickness
    affine = np.diag([-view.pixel, -view.pixel, step, 1.0])
    affine[:3, 3] = [view.field_of_view / 2, view.field_of_view / 2, view.heights[0]]
    return Volume(series.slices.transpose(2, 1, 0), affine)


def write_dicom(series: SimulatedSeries, values: Mapping[str, Value], folder: Path) -> Path:
    """The series as a folder with one MR file for each slice; the folder.

    Raises:
        DependencyError: pydicom is not installed.
    """
    require("pydicom", "Writing DICOM files")
    place = folder / place_of(series, "dicom")
    place.mkdir(parents=True, exist_ok=True)
    for number in range(len(series.slices)):
        _dataset(series, values, number).save_as(place / f"{number + 1:04d}.dcm", enforce_file_format=True)
    return place


def _dataset(series: SimulatedSeries, values: Mapping[str, Value], number: int) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = MRImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = _uid(series.name, number + 1)
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SpecificCharacterSet = "ISO_IR 192"
    made.ImageType = ["DERIVED", "SECONDARY", "SIMULATED"]
    made.StudyDate = made.SeriesDate = made.ContentDate = DATE
    made.StudyTime = made.SeriesTime = made.ContentTime = TIME
    made.Modality, made.PatientName, made.PatientID = "MR", f"Simulated^{series.patient}", series.patient
    made.PatientBirthDate, made.PatientSex, made.AccessionNumber, made.StudyID = "", "", "", "1"
    made.ReferringPhysicianName, made.SeriesDescription = "", _description(series)
    made.ImageComments = NOTE
    made.StudyInstanceUID, made.SeriesInstanceUID = _uid(series.patient, 0), _uid(series.name, 0)
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = _uid(series.patient, 1), ""
    made.SeriesNumber, made.InstanceNumber = int(series.name.rsplit("-", 1)[1]) + 1, number + 1
    _add_parameters(made, values)
    _add_geometry(made, series, number)
    _add_pixels(made, series.slices[number])
    return made


def _add_parameters(made: Any, values: Mapping[str, Value]) -> None:
    made.ScanningSequence = made.SequenceVariant = ""
    for name, value in values.items():
        keyword = BY_NAME[name].keyword
        if name == "matrix" and value is not None:
            lines = int(str(value).partition("x")[0])
            made.AcquisitionMatrix = [lines, 0, 0, lines]
        elif keyword and name != "pixel_spacing":
            if value is not None:
                setattr(made, keyword, value)
            elif name in ("manufacturer", "repetition_time", "echo_time", "slice_thickness", "scan_options"):
                setattr(made, keyword, None)  # of type 2: there, and empty
    made.EchoTrainLength = 1


def _add_geometry(made: Any, series: SimulatedSeries, number: int) -> None:
    view = series.view
    made.PixelSpacing = [round(view.pixel, 6)] * 2
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    corner = -view.field_of_view / 2
    made.ImagePositionPatient = [corner, corner, round(float(view.heights[number]), 4)]
    made.SliceLocation = round(float(view.heights[number]), 4)


def _add_pixels(made: Any, image: np.ndarray) -> None:
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = image.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.RescaleSlope, made.RescaleIntercept, made.RescaleType = 1, 0, "US"
    made.WindowCenter, made.WindowWidth = int(image.max()) // 2, max(int(image.max()), 1)
    made.PixelData = np.ascontiguousarray(image, "<u2").tobytes()


def _description(series: SimulatedSeries) -> str:
    return f"SIMULATED {series.subject.anatomy.upper()} {series.protocol.kind}"


def _uid(name: str, number: int) -> str:
    """An identifier that only this name and number have."""
    import hashlib

    digest = hashlib.sha256(f"{name}/{number}".encode()).digest()
    return UID_ROOT + str(int.from_bytes(digest[:15], "big"))
