"""MR files for tests of headers, series, audits: classic and enhanced DICOM, sidecars, NIfTI images, tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import files_dicom_writer as writer
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from DeepMRILib import files
from DeepMRILib.volume import Volume

KNOWN = {
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Avanto",
    "MagneticFieldStrength": "1.494",
    "ScanningSequence": ["SE"],
    "SequenceVariant": ["SK", "SP"],
    "ScanOptions": ["PFP", "FS"],
    "MRAcquisitionType": "2D",
    "PatientPosition": "HFS",
    "RepetitionTime": "500",
    "EchoTime": "12.5",
    "FlipAngle": "90",
    "EchoTrainLength": "1",
    "NumberOfAverages": "2",
    "PixelBandwidth": "130",
    "SliceThickness": "4",
    "SpacingBetweenSlices": "5",
    "PixelSpacing": ["1.5", "1.5"],
    "AcquisitionMatrix": [0, 16, 12, 0],
    "PatientID": "P1",
    "SeriesDescription": "t1 se",
}


def a_dataset(uid: str = "1.2.3", number: int = 1, pixels: Any = None, **changes: Any) -> Dataset:
    """A classic MR image; a keyword that is None is left out."""
    dataset = writer.a_dataset("SIEMENS", MRImageStorage, ExplicitVRLittleEndian)
    dataset.SeriesInstanceUID, dataset.InstanceNumber = uid, number
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 5.0 * number]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    writer.add_pixels(dataset, np.full((16, 24), 10 * number, np.uint16) if pixels is None else pixels)
    for keyword, value in {**KNOWN, **changes}.items():
        if value is None:
            if keyword in dataset:
                del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def write_series(folder: Path, count: int = 3, uid: str | None = None, **changes: Any) -> list[Path]:
    """Slices of one series, the last one first in the order of names."""
    folder.mkdir(parents=True, exist_ok=True)
    uid, paths = uid or generate_uid(), []
    for number in range(1, count + 1):
        one = {key: value(number) if callable(value) else value for key, value in changes.items()}
        paths.append(folder / f"im{count - number:03d}")
        writer.save(a_dataset(uid, number, **one), paths[-1])
    return paths


def write_raw(path: Path, dataset: Dataset, keyword: str, content: bytes) -> Path:
    """A file in which a number holds these bytes, an even count of them, whatever the standard thinks of them."""
    mark = "7" * len(content)
    setattr(dataset, keyword, mark)
    writer.save(dataset, path)
    found = path.read_bytes()
    assert found.count(mark.encode()) == 1
    path.write_bytes(found.replace(mark.encode(), content))
    return path


def an_enhanced(frames: int = 3, echo_times: Any = None, **top: Any) -> Dataset:
    """An enhanced MR image: repetition time and flip angle shared, echo times for each frame."""
    dataset = writer.a_dataset("Philips Medical Systems", EnhancedMRImageStorage)
    dataset.ManufacturerModelName, dataset.MagneticFieldStrength = "Achieva", 3.0
    dataset.SeriesInstanceUID, dataset.InstanceNumber, dataset.PatientID = generate_uid(), 1, "P2"
    dataset.EchoPulseSequence, dataset.EchoPlanarPulseSequence = "GRADIENT", "NO"
    dataset.MRAcquisitionType, dataset.PatientPosition = "3D", "HFS"
    shared = Dataset()
    shared.MRTimingAndRelatedParametersSequence = writer.an_item(
        RepetitionTime=7.5, FlipAngle=8.0, RFEchoTrainLength=0, GradientEchoTrainLength=225
    )
    shared.MRImagingModifierSequence = writer.an_item(PixelBandwidth=190.0)
    shared.MRAveragesSequence = writer.an_item(NumberOfAverages=1)
    shared.MRModifierSequence = writer.an_item(InversionRecovery="YES", InversionTimes=[950.0])
    shared.MRFOVGeometrySequence = writer.an_item(
        MRAcquisitionFrequencyEncodingSteps=256, MRAcquisitionPhaseEncodingStepsInPlane=192
    )
    shared.PixelMeasuresSequence = writer.an_item(PixelSpacing=[0.9, 0.9], SliceThickness=1.2, SpacingBetweenSlices=0.6)
    shared.PlaneOrientationSequence = writer.an_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    groups = []
    for number in range(frames):
        group = Dataset()
        group.PlanePositionSequence = writer.an_item(ImagePositionPatient=[0, 0, -1.2 * number])
        group.MREchoSequence = writer.an_item(EffectiveEchoTime=(echo_times or [3.5] * frames)[number])
        groups.append(group)
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    dataset.NumberOfFrames = frames
    writer.add_pixels(dataset, np.arange(frames, dtype=np.uint16)[:, None, None] + np.ones((1, 20, 30), np.uint16))
    for keyword, value in top.items():
        setattr(dataset, keyword, value)
    return dataset


SIDECAR = {
    "Modality": "MR",
    "Manufacturer": "Siemens",
    "ManufacturersModelName": "Prisma_fit",
    "MagneticFieldStrength": 2.89362,
    "ScanningSequence": "GR_IR",
    "SequenceVariant": "SK_SP_MP",
    "ScanOptions": "EPI_GEMS_PFF",
    "MRAcquisitionType": "3D",
    "RepetitionTime": 2.3,
    "EchoTime": 0.00298,
    "InversionTime": 0.9,
    "FlipAngle": 9,
    "SliceThickness": 1,
    "SeriesDescription": "mprage",
}


def write_sidecar(path: Path, **changes: Any) -> Path:
    """A BIDS sidecar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = {key: value for key, value in {**SIDECAR, **changes}.items() if value is not None}
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def write_image(path: Path, shape: tuple[int, ...] = (6, 5, 4), affine: Any = None) -> Volume:
    """A NIfTI image with a number of its own in each voxel; LPS axes, as DICOM series are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    volume = Volume(array, np.diag([-1.0, -1.0, 2.0, 1.0]) if affine is None else affine)
    files.write_volume(volume, path)
    return volume


ROW = {
    "series": "s",
    "patient": "p",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Avanto",
    "MagneticFieldStrength": "1.5",
    "ScanningSequence": "SE",
    "MRAcquisitionType": "2D",
    "RepetitionTime": "500",
    "EchoTime": "10",
    "InversionTime": "",
    "FlipAngle": "90",
    "SliceThickness": "4",
    "AcquisitionMatrix": "256\\0\\0\\192",
}


def a_table(path: Path, changes: list[dict[str, str]], delimiter: str = ",") -> Path:
    """A row for each entry, the base with its changes."""
    rows = [{**ROW, "series": f"s{n}", "patient": f"p{n}", **change} for n, change in enumerate(changes)]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path
