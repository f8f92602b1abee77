"""NIfTI files through nibabel: values with their scaling applied, and the affine to RAS millimetres."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.files.paths import check_claimed_size, damaged, input_file

SUFFIXES = (".nii", ".nii.gz")
_PURPOSE = "Reading and writing NIfTI files"
_MM_PER_UNIT = {1: 1e3, 3: 1e-3}  # metres and microns; 2, and 0 for unknown, are taken as millimetres
_LARGEST_NIFTI1_AXIS = 32767


def stem(path: Path) -> str:
    """The name without .nii or .nii.gz, or without the extension of any other image."""
    return Path(path.name[: -len(".gz")] if path.name.lower().endswith(".nii.gz") else path.name).stem


def read(path: Path) -> tuple[NDArray, NDArray]:
    """The values (i, j, k) or (i, j, k, c), and the affine (4, 4) to RAS mm.

    Integers stay integers unless the header scales them; the scaled are float32 where that holds them, else float64.
    The affine is the sform, else the qform, else nibabel's own: the spacing, with the origin in the centre.

    Raises:
        InputError: not a NIfTI file, damaged or truncated, in colour, with more axes, or with a spacing of 0 where no
            sform gives another.
    """
    path = input_file(path, "NIfTI image")
    nibabel = require("nibabel", _PURPOSE)
    errors = (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        *(OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error),
    )
    try:
        image = nibabel.load(path, mmap=False)
        dtype = image.header.get_data_dtype()
        shape = image.header.get_data_shape()
    except errors as error:
        raise damaged(path, "NIfTI", error) from error
    if dtype.fields is not None:
        raise InputError(f"{path.name} is a colour image; a grey one, with one number for each voxel, was expected.")
    compressed = path.suffix.lower() == ".gz"
    if int(image.header["sform_code"]) <= 0:
        _check_spacing(path, type(image.header), shape, compressed)
    room = path.stat().st_size - (0 if compressed else int(image.header["vox_offset"]))
    check_claimed_size(path, shape, dtype.itemsize, room, compressed)
    try:
        scaled = image.dataobj.slope != 1 or image.dataobj.inter != 0
        wanted = np.result_type(dtype, np.float32) if scaled else None
        values = _whole(path, image.dataobj, wanted) if compressed else np.asarray(image.dataobj, dtype=wanted)
    except errors as error:
        raise damaged(path, "NIfTI", error) from error
    return _three_axes_or_four(path, _common_type(values)), _affine(image)


def _check_spacing(path: Path, kind: Any, shape: tuple[int, ...], compressed: bool) -> None:
    """Refuse voxels without extent: nibabel takes them for 1 mm, and says so in a log alone."""
    with (gzip.open if compressed else open)(path, "rb") as stream:
        edges = kind.from_fileobj(stream, check=False)["pixdim"][1:4]
    if any(edge == 0 and size > 1 for edge, size in zip(edges, shape, strict=False)):
        spacing = " x ".join(f"{edge:g}" for edge in edges)
        raise InputError(
            f"{path.name} has a voxel spacing of {spacing} mm; lengths above 0 were expected. Correct the header, or "
            "export the image again."
        )


def _whole(path: Path, stored: Any, dtype: Any) -> NDArray:
    """The values of a compressed image, read to the end of the stream: there stands its checksum."""
    with gzip.open(path) as stream:
        layout = (stored.shape, stored.dtype, stored.offset, stored.slope, stored.inter)
        values = np.asarray(type(stored)(stream, layout, mmap=False), dtype=dtype)
        while stream.read(1 << 20):
            pass
    return values


def write(path: Path, array: NDArray, affine: NDArray) -> None:
    """Write (i, j, k) or (i, j, k, c), with sform and, unless the affine has shear, the same qform."""
    nibabel = require("nibabel", _PURPOSE)
    large = max(array.shape) > _LARGEST_NIFTI1_AXIS
    # nibabel takes 64-bit integers only when they are asked for by name
    image = (nibabel.Nifti2Image if large else nibabel.Nifti1Image)(array, affine, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner", strip_shears=True)
    if not np.allclose(image.get_qform(), affine, atol=1e-3):
        image.set_qform(None)
    image.to_filename(path)


def _affine(image: Any) -> NDArray:
    affine = np.array(image.affine, dtype=float)
    affine[:3] *= _MM_PER_UNIT.get(int(image.header["xyzt_units"]) & 7, 1.0)
    return affine


def _common_type(values: NDArray) -> NDArray:
    """The values in this machine's byte order, and in a type that everything else takes."""
    dtype = values.dtype.newbyteorder("=")
    if dtype.itemsize > (16 if dtype.kind == "c" else 8):
        dtype = np.dtype(complex if dtype.kind == "c" else float)
    return np.asarray(values, dtype=dtype)


def _three_axes_or_four(path: Path, values: NDArray) -> NDArray:
    """NIfTI puts time on the fourth axis and components on the fifth; further axes of one are dropped."""
    shape = values.shape
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 5 and shape[3] == 1:
        shape = shape[:3] + shape[4:]
    shape += (1,) * (3 - len(shape))
    if len(shape) > 4:
        raise InputError(
            f"{path.name} has {len(shape)} axes ({' x '.join(map(str, shape))}); an image of 3, or a series of 4, was "
            "expected. Save one series or component of it."
        )
    return values.reshape(shape, order="A")
