"""The 2D images of DICOM files, each with its place, scaling and weighting: classic, Siemens mosaic, enhanced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.csa import csa_numbers
from DeepMRILib.files.dicom_bvalues import Diffusion, diffusion, siemens_csa
from DeepMRILib.files.dicom_tags import numbers, private_element, vendor
from DeepMRILib.files.paths import check_claimed_size

_COMPRESSED = 100
"""How much more than deflate DICOM's codecs can expand: an empty JPEG 2000 image takes some hundred bytes."""

_COMPONENTS = {"M": "M", "MAGNITUDE": "M", "P": "P", "PHASE": "P", "R": "R", "REAL": "R", "I": "I", "IMAGINARY": "I"}


@dataclass(frozen=True, eq=False)
class Frame:
    """One 2D image.

    Attributes:
        path: its file.
        index: which frame of the file.
        window: its rows and columns inside that frame: all of them, but for a mosaic's tiles.
        position: (3,) the centre of its first voxel, LPS mm.
        orientation: (6,) direction along a row, then along a column, LPS.
        pixel_spacing: mm between rows, mm between columns.
        thickness: mm to the next slice as the header says, for an image that stands alone.
        dtype: of the stored values.
        slope, intercept: from stored values to real ones.
        weighting: b-value and direction.
        component: "M", "P", "R", "I" for magnitude, phase, real and imaginary, "" when unknown.
        temporal, echo, acquisition: numbers that tell repeated images of one slice apart; None when unknown.
        instance: the order in which the scanner numbered the images.
    """

    path: Path
    index: int
    window: tuple[slice, slice]
    position: NDArray
    orientation: NDArray
    pixel_spacing: tuple[float, float]
    thickness: float
    dtype: np.dtype
    slope: float
    intercept: float
    weighting: Diffusion
    component: str
    temporal: float | None
    echo: float | None
    acquisition: float | None
    instance: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.window
        return rows.stop - rows.start, columns.stop - columns.start

    @property
    def normal(self) -> NDArray:
        """(3,) unit vector across the slice, LPS."""
        return np.cross(self.orientation[:3], self.orientation[3:])


def frames_of(path: Path, dataset: Any) -> list[Frame]:
    """The images of one file.

    Raises:
        InputError: in colour, without a place in space, or more voxels than the file can hold.
    """
    check_pixels(path, dataset)
    image_type = [str(value).upper() for value in _several(dataset.get("ImageType"))]
    if "MOSAIC" in image_type:
        return _tiles(path, dataset)
    if "VFRAME" in image_type and vendor(dataset) == "uih":
        raise InputError(
            f"{path.name} is a UIH grid: the slices of a volume side by side in one image. Export the series with one "
            "image for each slice."
        )
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if per_frame is None:
        return [_frame(path, dataset, 0, ())]
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if len(per_frame) != count:
        raise InputError(f"{path.name} describes {len(per_frame)} of its {count} images. Export the series again.")
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or ())
    return [_frame(path, dataset, index, (group, *shared)) for index, group in enumerate(per_frame)]


def check_pixels(path: Path, dataset: Any) -> None:
    """Refuse colour, and more voxels than the file can hold.

    Raises:
        InputError: either.
    """
    if int(dataset.get("SamplesPerPixel", 1) or 1) != 1:
        raise InputError(f"{path.name} is a colour image; a grey one, with one number for each pixel, was expected.")
    shape = [int(dataset.get(name, 1) or 0) for name in ("NumberOfFrames", "Rows", "Columns")]
    shape[0] = shape[0] or 1
    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    compressed = bool(syntax is not None and syntax.is_transfer_syntax and syntax.is_compressed)
    room = path.stat().st_size * (_COMPRESSED if compressed else 1)
    check_claimed_size(path, shape, _dtype(dataset).itemsize, room, compressed)


def _frame(path: Path, dataset: Any, index: int, groups: Sequence[Any]) -> Frame:
    def find(sequence: str, keyword: str) -> Any:
        for group in groups:
            for item in group.get(sequence) or ():
                if keyword in item:
                    return item[keyword]
        # get() with a name would give the value, not the element
        return dataset[keyword] if keyword in dataset else None  # noqa: SIM401

    orientation = numbers(find("PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    position = numbers(find("PlanePositionSequence", "ImagePositionPatient"), 3)
    spacing = numbers(find("PixelMeasuresSequence", "PixelSpacing"), 2)
    if orientation is None or position is None or spacing is None:
        raise InputError(
            f"{path.name} does not say where its image lies in the patient (position, orientation or pixel spacing is "
            "missing). Give the images as the scanner stored them."
        )
    axes = np.array(orientation)
    if not np.allclose(axes.reshape(2, 3) @ axes.reshape(2, 3).T, np.eye(2), atol=1e-2) or min(spacing) <= 0:
        raise InputError(f"{path.name} has an impossible orientation or pixel spacing. Export the series again.")
    return Frame(
        path=path,
        index=index,
        window=(slice(0, int(dataset.Rows)), slice(0, int(dataset.Columns))),
        position=np.array(position),
        orientation=axes,
        pixel_spacing=(spacing[0], spacing[1]),
        thickness=_thickness(find),
        dtype=_dtype(dataset),
        slope=_number(find("PixelValueTransformationSequence", "RescaleSlope"), 1.0) or 1.0,
        intercept=_number(find("PixelValueTransformationSequence", "RescaleIntercept"), 0.0),
        weighting=diffusion(dataset, groups, axes),
        component=_component(dataset, find),
        temporal=_number(find("FrameContentSequence", "TemporalPositionIndex"), _number(dataset.get((0x0020, 0x0100)))),
        echo=_number(find("MREchoSequence", "EffectiveEchoTime"), _number(dataset.get((0x0018, 0x0081)))),
        acquisition=_number(
            find("FrameContentSequence", "FrameAcquisitionNumber"), _number(dataset.get((0x0020, 0x0012)))
        ),
        instance=(int(_number(dataset.get((0x0020, 0x0013)), 0.0)), index),
    )


def _tiles(path: Path, dataset: Any) -> list[Frame]:
    """The slices of a Siemens mosaic: square tiles, row by row; the position is that of the mosaic's own corner.

    Geometry: nibabel, "Siemens mosaic format" (nipy.org/nibabel/dicom/dicom_mosaic.html).
    """
    csa = siemens_csa(dataset)
    count = numbers(private_element(dataset, 0x0019, "SIEMENS MR HEADER", 0x0A)) or csa_numbers(
        csa, "NumberOfImagesInMosaic"
    )
    whole = _frame(path, dataset, 0, ())
    if not count or count[0] < 1:
        raise InputError(
            f"{path.name} is a Siemens mosaic without its private header, which holds the number of slices. Give the "
            "images as the scanner stored them, without removing private elements."
        )
    side = math.ceil(math.sqrt(count[0]))
    rows, columns = (n // side for n in whole.shape)
    normal = csa_numbers(csa, "SliceNormalVector", 3)
    step = whole.thickness * (whole.normal if normal is None else np.array(normal))
    across, down = whole.orientation[:3] * whole.pixel_spacing[1], whole.orientation[3:] * whole.pixel_spacing[0]
    corner = whole.position + across * (whole.shape[1] - columns) / 2 + down * (whole.shape[0] - rows) / 2
    tiles = []
    for tile in range(int(count[0])):
        top, left = tile // side * rows, tile % side * columns
        window = (slice(top, top + rows), slice(left, left + columns))
        tiles.append(Frame(**{**vars(whole), "window": window, "position": corner + tile * step}))
    return tiles


def _thickness(find: Any) -> float:
    # Between slices counts the gap too, and so tells where the next voxel is
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = _number(find("PixelMeasuresSequence", keyword), 0.0)
        if value > 0:
            return value
    return 1.0


def _component(dataset: Any, find: Any) -> str:
    element = find("MRImageFrameTypeSequence", "ComplexImageComponent")
    if element is not None:
        return _COMPONENTS.get(str(element.value).upper(), "")
    values = [str(value).upper() for value in _several(dataset.get("ImageType"))[2:]]
    return next((_COMPONENTS[value] for value in values if value in _COMPONENTS), "")


def _dtype(dataset: Any) -> np.dtype:
    if "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset:
        return np.dtype("f8" if "DoubleFloatPixelData" in dataset else "f4")
    bits = max(int(dataset.get("BitsAllocated", 16) or 16), 8)
    signed = int(dataset.get("PixelRepresentation", 0) or 0) == 1
    return np.dtype(f"{'i' if signed else 'u'}{bits // 8}")


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _number(element: Any, default: float | None = None) -> Any:
    values = numbers(element)
    return values[0] if values else default
