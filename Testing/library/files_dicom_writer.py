"""Writes DICOM series as scanners do, for tests: each vendor's way, classic, mosaic and enhanced, files in no order."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

from DeepMRILib.volume import DiffusionVolume, Volume

MANUFACTURERS = {
    "standard": "Hitachi Medical Corporation",
    "siemens": "SIEMENS",
    "siemens_csa": "SIEMENS",
    "ge": "GE MEDICAL SYSTEMS",
    "philips": "Philips Medical Systems",
    "uih": "UIH",
}
LPS = np.array([-1.0, -1.0, 1.0])


class Geometry:
    """Where the slices of a volume lie, in DICOM's terms."""

    def __init__(self, volume: Volume) -> None:
        lps = np.diag([-1.0, -1, 1, 1]) @ volume.affine
        self.spacing = volume.spacing
        self.orientation = np.concatenate([lps[:3, 0] / self.spacing[0], lps[:3, 1] / self.spacing[1]])
        self.origin, self.step = lps[:3, 3], lps[:3, 2]

    def position(self, k: int) -> NDArray:
        return self.origin + k * self.step


def decimals(values: Sequence[float]) -> list[str]:
    """DICOM decimal strings: at most 16 characters."""
    return [f"{value:.10g}"[:16] for value in values]


def a_dataset(manufacturer: str, sop_class: str, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    """What every image of a series has."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, generate_uid()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.Modality, dataset.Manufacturer = "MR", manufacturer
    dataset.SeriesDescription, dataset.SeriesNumber = "ep2d_diff", 7
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return dataset


def add_pixels(dataset: Dataset, pixels: NDArray) -> None:
    """(rows, columns) or (frames, rows, columns), of any integer type."""
    big = dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
    dataset["PixelData"].VR = "OW"


def save(dataset: Dataset, path: Path) -> None:
    dataset.save_as(path, enforce_file_format=True)


def add_plane(dataset: Dataset, geometry: Geometry, k: int) -> None:
    dataset.ImagePositionPatient = decimals(geometry.position(k))
    dataset.ImageOrientationPatient = decimals(geometry.orientation)
    dataset.PixelSpacing = decimals([geometry.spacing[1], geometry.spacing[0]])
    dataset.SliceThickness = decimals([geometry.spacing[2]])[0]


def add_private(dataset: Dataset, group: int, creator: str, element: int, vr: str, value: Any, *, raw: bool) -> None:
    """One private element; ``raw`` leaves it as unknown bytes, as archives do that do not know it."""
    block = dataset.private_block(group, creator, create=True)
    if raw:
        code = {"FD": "d", "FL": "f"}.get(vr)
        entries = value if isinstance(value, (list, tuple)) else [value]
        if code is None:
            text = "\\".join(map(str, entries)).encode()
            value = text + b" " * (len(text) % 2)
        else:
            order = ">" if dataset.file_meta.TransferSyntaxUID == ExplicitVRBigEndian else "<"
            value = struct.pack(f"{order}{len(entries)}{code}", *entries)
        vr = "UN"
    block.add_new(element, vr, value)


def add_weighting(
    dataset: Dataset, vendor: str, b_value: float, direction: NDArray | None, orientation: NDArray, *, raw: bool = False
) -> None:
    """The b-value and the direction (LPS, None where there is none) where this vendor writes them."""
    vector = None if direction is None or not np.any(direction) else [float(value) for value in direction]
    if vendor == "standard":
        dataset.DiffusionBValue = float(b_value)
        if vector is not None:
            dataset.DiffusionGradientOrientation = vector
    elif vendor == "siemens":
        add_private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0C, "IS", int(b_value), raw=raw)
        if vector is not None:
            add_private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0E, "FD", vector, raw=raw)
    elif vendor == "siemens_csa":
        entries = {"B_value": [f"{b_value:.0f}"], "DiffusionGradientDirection": [f"{v:.8f}" for v in vector or ()]}
        add_private(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10, "OB", csa_header(entries), raw=False)
    elif vendor == "ge":
        value = [int(b_value) + (1_000_000_000 if b_value else 0), 8, 0, 0]
        add_private(dataset, 0x0043, "GEMS_PARM_01", 0x39, "IS", value, raw=raw)
    elif vendor == "philips":
        add_private(dataset, 0x2001, "Philips Imaging DD 001", 0x03, "FL", float(b_value), raw=raw)
        for element, value in zip((0xB0, 0xB1, 0xB2), vector or (0.0, 0.0, 0.0), strict=True):
            add_private(dataset, 0x2005, "Philips MR Imaging DD 001", element, "FL", value, raw=raw)
    elif vendor == "uih":
        add_private(dataset, 0x0065, "Image Private Header", 0x09, "FD", float(b_value), raw=raw)
        row, column = orientation[:3], orientation[3:]
        axes = np.array([row, column, np.cross(row, column)])
        image_vector = [0.0, 0.0, 0.0] if vector is None else [float(value) for value in axes @ vector]
        add_private(dataset, 0x0065, "Image Private Header", 0x37, "FD", image_vector, raw=raw)


def csa_header(entries: dict[str, list[str]], *, version: int = 2) -> bytes:
    """A CSA header of either version with these entries."""
    first = len(next(iter(entries.values())))
    content = (b"SV10\4\3\2\1" if version == 2 else b"") + struct.pack("<2I", len(entries), 77)
    for name, texts in entries.items():
        content += struct.pack("<64si4siii", name.encode(), len(texts), b"DS", 3, len(texts), 77)
        for text in texts:
            data = text.encode() + b"\0"
            length = len(data)
            sizes = (length, length, 77, length) if version == 2 else (length + first, 0, 77, 0)
            content += struct.pack("<4i", *sizes) + data + bytes(-length % 4)
    return content


def write_classic(
    folder: Path,
    series: DiffusionVolume,
    vendor: str = "standard",
    *,
    rng: np.random.Generator | None = None,
    raw: bool = False,
    syntax: str = ExplicitVRLittleEndian,
    series_uid: str | None = None,
    changes: dict[str, Any] | None = None,
    weighted: bool = True,
) -> list[Path]:
    """One file for each slice and image, with names and instance numbers in no useful order. The paths by (n, k)."""
    folder.mkdir(exist_ok=True)
    geometry, uid = Geometry(series), series_uid or generate_uid()
    count = series.array.shape[3]
    names = (rng or np.random.default_rng(0)).permutation(count * series.shape[2])
    paths = []
    for n in range(count):
        for k in range(series.shape[2]):
            dataset = a_dataset(MANUFACTURERS[vendor], MRImageStorage, syntax)
            dataset.SeriesInstanceUID = uid
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
            # The scanner numbers volume by volume, but the slices of one in an interleaved order
            dataset.InstanceNumber = n * series.shape[2] + (k * 7 + 3) % series.shape[2] + 1
            dataset.AcquisitionNumber = 1
            add_plane(dataset, geometry, k)
            direction = None if series.directions is None else series.directions[n] * LPS
            if weighted:
                add_weighting(dataset, vendor, series.b_values[n], direction, geometry.orientation, raw=raw)
            add_pixels(dataset, np.ascontiguousarray(series.array[:, :, k, n].T))
            for keyword, value in (changes or {}).items():
                setattr(dataset, keyword, value(n, k) if callable(value) else value)
            paths.append(folder / f"IM{names[len(paths)]:05d}")
            save(dataset, paths[-1])
    return paths


def write_mosaic(folder: Path, series: DiffusionVolume, *, tag: bool = True) -> list[Path]:
    """Siemens mosaics: all slices of a volume as tiles of one image."""
    folder.mkdir(exist_ok=True)
    geometry, uid = Geometry(series), generate_uid()
    columns, rows, slices, count = series.array.shape
    side = int(np.ceil(np.sqrt(slices)))
    normal = geometry.step / np.linalg.norm(geometry.step)
    across, down = geometry.orientation.reshape(2, 3) * np.array(series.spacing[:2])[:, None]
    corner = geometry.origin - across * (side - 1) * columns / 2 - down * (side - 1) * rows / 2
    paths = []
    for n in range(count):
        mosaic = np.zeros((side * rows, side * columns), series.array.dtype)
        for k in range(slices):
            top, left = k // side * rows, k % side * columns
            mosaic[top : top + rows, left : left + columns] = series.array[:, :, k, n].T
        dataset = a_dataset("SIEMENS", MRImageStorage)
        dataset.SeriesInstanceUID, dataset.InstanceNumber = uid, n + 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
        add_plane(dataset, geometry, 0)
        dataset.ImagePositionPatient = decimals(corner)
        dataset.SpacingBetweenSlices = decimals([series.spacing[2]])[0]
        direction = None if series.directions is None else series.directions[n] * LPS
        add_weighting(dataset, "siemens", series.b_values[n], direction, geometry.orientation)
        entries = {"NumberOfImagesInMosaic": [str(slices)], "SliceNormalVector": [f"{v:.10f}" for v in normal]}
        add_private(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10, "OB", csa_header(entries), raw=False)
        if tag:
            add_private(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A, "US", slices, raw=False)
        add_pixels(dataset, mosaic)
        paths.append(folder / f"{count - n:03d}.IMA")
        save(dataset, paths[-1])
    return paths


def an_item(**elements: Any) -> Items:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return Items([item])


def write_enhanced(
    path: Path,
    series: DiffusionVolume,
    *,
    rng: np.random.Generator,
    isotropic: Sequence[int] = (),
    slope: float = 1.0,
    manufacturer: str = MANUFACTURERS["philips"],
) -> Dataset:
    """An enhanced MR image: all slices and images as frames of one file, in a random order."""
    geometry = Geometry(series)
    dataset = a_dataset(manufacturer, EnhancedMRImageStorage)
    dataset.SeriesInstanceUID, dataset.InstanceNumber = generate_uid(), 1
    shared, frames, pixels = Dataset(), [], []
    shared.PlaneOrientationSequence = an_item(ImageOrientationPatient=decimals(geometry.orientation))
    shared.PixelMeasuresSequence = an_item(
        PixelSpacing=decimals([series.spacing[1], series.spacing[0]]), SliceThickness=decimals([series.spacing[2]])[0]
    )
    shared.PixelValueTransformationSequence = an_item(RescaleSlope=str(slope), RescaleIntercept="0", RescaleType="US")
    places = [(n, k) for n in range(series.array.shape[3]) for k in range(series.shape[2])]
    for n, k in (places[index] for index in rng.permutation(len(places))):
        frame = Dataset()
        frame.PlanePositionSequence = an_item(ImagePositionPatient=decimals(geometry.position(k)))
        b_value = float(series.b_values[n])
        if b_value == 0:
            frame.MRDiffusionSequence = an_item(DiffusionDirectionality="NONE")
        elif n in isotropic:
            frame.MRDiffusionSequence = an_item(DiffusionDirectionality="ISOTROPIC", DiffusionBValue=b_value)
        else:
            vector = [float(value) for value in series.directions[n] * LPS]
            frame.MRDiffusionSequence = an_item(
                DiffusionDirectionality="DIRECTIONAL",
                DiffusionBValue=b_value,
                DiffusionGradientDirectionSequence=an_item(DiffusionGradientOrientation=vector),
            )
        frames.append(frame)
        pixels.append(series.array[:, :, k, n].T)
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    dataset.NumberOfFrames = len(frames)
    add_pixels(dataset, np.array(pixels))
    save(dataset, path)
    return dataset


SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
