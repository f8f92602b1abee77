"""Reading and writing images, label maps, points, b-values and gradient directions.

Every failure that a user can meet is one sentence: ``InputError`` for what is read, ``OutputError`` for what is
written. Files are written whole or not at all: into a temporary file next to the target, which then takes its place.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.files import dicom, metaimage, nifti, nrrd, nrrd_diffusion
from DeepMRILib.files import directions as _directions
from DeepMRILib.files.arrays import read_array, write_array, write_arrays
from DeepMRILib.files.bvalues import (
    DIRECTION_SIDECARS,
    b_values_for,
    b_values_text,
    check_believable,
    directions_text,
    parse_b_values,
    read_b_values,
    read_directions,
    sidecar,
    write_b_values,
    write_directions,
)
from DeepMRILib.files.dicom_series import looks_like_dicom
from DeepMRILib.files.labels import NAMES_SUFFIX, as_labels, label_names, names_text
from DeepMRILib.files.paths import input_file
from DeepMRILib.files.points import read_outside_points, read_points, read_prompts
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume, checked_b_values
from DeepMRILib.writing import replacing

__all__ = [
    "label_names",
    "parse_b_values",
    "read_array",
    "read_b_values",
    "read_diffusion",
    "read_directions",
    "read_labels",
    "read_outside_points",
    "read_points",
    "read_prompts",
    "read_volume",
    "write_array",
    "write_arrays",
    "write_b_values",
    "write_diffusion",
    "write_directions",
    "write_labels",
    "write_volume",
]

BValues = str | Path | Sequence[float] | NDArray
_READABLE = (*nifti.SUFFIXES, *nrrd.SUFFIXES, *metaimage.SUFFIXES)
_WRITABLE = (*nifti.SUFFIXES, ".nrrd")


def read_volume(path: str | Path, *, series: str | int | None = None, components: bool = False) -> Volume:
    """An image from a NIfTI, NRRD or MetaImage file, a DICOM file, or a folder with one DICOM series.

    Args:
        path: the file or folder. Of a DICOM file only that file is read; for a series give its folder.
        series: of several DICOM series in the folder, the number, description or SeriesInstanceUID of the one meant.
        components: whether an image with several values in each voxel, (i, j, k, c), is welcome.

    Raises:
        InputError: nothing readable there, or not one 3D image; the sentence says what to do.
        DependencyError: the package for this format is not installed.
    """
    path = Path(path)
    array, affine, _ = _read(path, series, diffusion=False)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim == 4 and not components:
        raise InputError(
            f"{path.name} is a series of {array.shape[3]} images (4D); one 3D image was expected. "
            "Save the image that you mean as a file of its own."
        )
    return Volume(array, affine)


def read_diffusion(
    path: str | Path,
    b_values: BValues | None = None,
    directions: str | Path | ArrayLike | None = None,
    *,
    series: str | int | None = None,
) -> DiffusionVolume:
    """A diffusion series with its b-values and, where they are known, gradient directions.

    b-values come from ``b_values`` if given, else from the header (DICOM, diffusion NRRD), else from a file next to
    the image: dwi.bval, dwi.bvals, dwi_bval.txt and the like. Directions likewise.

    Args:
        path: a 4D NIfTI or NRRD file, or a folder with a DICOM diffusion series.
        b_values: a file, or n numbers in s/mm2.
        directions: a .bvec file in FSL's voxel axes, or (n, 3) vectors in RAS.
        series: of several DICOM series, the one meant; by default the only diffusion series.

    Raises:
        InputError: nothing readable there, not a series, or b-values or directions that are missing or do not match.
        DependencyError: the package for this format is not installed.
    """
    path = Path(path)
    array, affine, found = _read(path, series, diffusion=True)
    if array.ndim == 3 or (isinstance(found, dicom.DicomImage) and array.shape[3] == 1):
        return DiffusionVolume(array.reshape(array.shape[:3]), affine)  # raises, with the sentence for it
    count = array.shape[3]
    values, vectors, bvec = _scheme(path, found, count, b_values)
    check_believable(values, path.name)
    if directions is not None and not isinstance(directions, (str, Path)):
        vectors = np.asarray(directions, dtype=float)
    elif directions is not None or bvec is not None:
        vectors = _fsl_directions(Path(directions or bvec), affine, count)
    volume = DiffusionVolume(array, affine, values, vectors)
    return DiffusionVolume(array, affine, values, _directions.without_weighting(volume.directions, volume.b_values))


def read_labels(path: str | Path) -> LabelVolume:
    """A label map with the names of its labels: any image that ``read_volume`` reads and that holds whole numbers.

    Names come from ``label_names``: Slicer's segmentations (.seg.nrrd) hold them, others have a .tsv next to them.

    Raises:
        InputError: as ``read_volume``, or values that are not whole numbers, or overlapping segments.
    """
    volume = as_labels(read_volume(path, components=True), Path(path).name)
    return LabelVolume(volume.array, volume.affine, label_names(path))


def write_volume(volume: Volume, path: str | Path, *, dtype: DTypeLike | None = None) -> None:
    """Write an image as .nii, .nii.gz or .nrrd.

    Args:
        volume: (i, j, k) or (i, j, k, c).
        path: the file; an old one is replaced when the new one is complete.
        dtype: of the file. By default float64 is written as float32, bool as uint8, and 64-bit integers, which many
            programs do not read, as int32 where the values fit; all else as it is.

    Raises:
        OutputError: another extension, a folder that is missing or not ours to write to, a full disk.
    """
    path = _output(path)
    array = _storable(volume.array, dtype, path)
    with replacing(path) as (sibling,):
        _write(sibling, array, volume.affine)


def write_diffusion(volume: DiffusionVolume, path: str | Path, *, dtype: DTypeLike | None = None) -> None:
    """Write a diffusion series as .nii or .nii.gz with .bval and .bvec next to it, or as diffusion NRRD for Slicer.

    Without directions there is no .bvec; one that lies there from an earlier series is removed.

    Args:
        volume: the series.
        path: ends in .nii, .nii.gz or .nrrd.
        dtype: as for ``write_volume``.

    Raises:
        OutputError: as ``write_volume``.
    """
    path = _output(path)
    array = _storable(volume.array, dtype, path)
    if path.name.lower().endswith(".nrrd"):
        with replacing(path) as (sibling,):
            nrrd.write(sibling, array, volume.affine, kind="list", keys=nrrd_diffusion.header_keys(volume))
        return
    stem = nifti.stem(path)
    bval, bvec = (path.with_name(f"{stem}{suffix}") for suffix in (".bval", ".bvec"))
    texts = {bval: b_values_text(volume.b_values)}
    if volume.directions is not None:
        texts[bvec] = directions_text(_directions.fsl_from_ras(volume.directions, volume.affine))
    with replacing(path, *texts) as (sibling, *sidecars):
        _write(sibling, array, volume.affine)
        for place, text in zip(sidecars, texts.values(), strict=True):
            place.write_text(text, encoding="ascii")
    if bvec not in texts:
        bvec.unlink(missing_ok=True)


def write_labels(labels: LabelVolume, path: str | Path) -> None:
    """Write a label map as .nii or .nii.gz, with its names in a .tsv next to it (columns index and name, as in BIDS).

    Raises:
        OutputError: as ``write_volume``.
    """
    path = _output(path)
    array = _storable(labels.array, None, path)
    table = path.with_name(f"{nifti.stem(path)}{NAMES_SUFFIX}")
    with replacing(path, table) as (sibling, names):
        _write(sibling, array, labels.affine)
        names.write_text(names_text(labels.names), encoding="utf-8")


_Header = dict | dicom.DicomImage | None


def _read(path: Path, series: str | int | None, *, diffusion: bool) -> tuple[NDArray, NDArray, _Header]:
    """The array, the affine, and what tells more: the NRRD header or the DICOM series."""
    name = path.name.lower()
    if os.path.isdir(path):  # noqa: PTH112 - Path's own raises where the name is too long
        image = dicom.read(path, series, diffusion=diffusion)
        return image.array, image.affine, image
    if series is not None and name.endswith(_READABLE):
        raise InputError(f"{path.name} is no DICOM file, so there is no series to choose. Leave out --series.")
    if name.endswith(nifti.SUFFIXES):
        return *nifti.read(path), None
    if name.endswith(nrrd.SUFFIXES):
        return nrrd.read(path)
    if name.endswith(metaimage.SUFFIXES):
        return *metaimage.read(path), None
    if not looks_like_dicom(input_file(path, "image")):
        raise InputError(
            f"{path.name} is not an image that can be read. "
            f"Give a file that ends in one of {', '.join(_READABLE)}, a DICOM file, or a folder with a DICOM series."
        )
    image = dicom.read(path, series, diffusion=diffusion)
    return image.array, image.affine, image


def _scheme(
    path: Path, found: _Header, count: int, given: BValues | None
) -> tuple[NDArray, NDArray | None, Path | None]:
    """b-values (n,) as given, else from the header, else from a file next to the image.

    With them what is known of the directions: those of the header, (n, 3) in RAS, or a .bvec file next to the image.
    """
    vectors = None
    if isinstance(found, dicom.DicomImage):
        if given is None:
            return _dicom_b_values(found), found.directions, None
        vectors = found.directions
    elif found is not None and nrrd_diffusion.is_diffusion(found) and given is None:
        return *nrrd_diffusion.scheme(path, found, count), None
    stem = nifti.stem(path)
    values, source = b_values_for(path, stem, given)
    if len(values) != count:
        raise InputError(
            f"There are {len(values)} b-values{f' in {source.name}' if source else ''} for the {count} images of "
            f"{path.name}. Give one b-value for each image, in their order."
        )
    places = [(path, stem), *([(source, source.stem)] if source else [])]
    bvec = next((file for place, name in places if (file := sidecar(place, name, DIRECTION_SIDECARS))), None)
    return values, vectors, bvec


def _dicom_b_values(image: dicom.DicomImage) -> NDArray:
    missing = sum(value is None for value in image.b_values)
    if missing:
        raise InputError(
            f"{image.name} has {len(image.b_values)} volumes, and {missing} of them carry no b-value in their header. "
            "Give the b-values with --bvals, in the order of the acquisition."
        )
    return checked_b_values(image.b_values)


def _fsl_directions(path: Path, affine: NDArray, count: int) -> NDArray:
    vectors = read_directions(path)
    if len(vectors) != count:
        raise InputError(
            f"{path.name} holds {len(vectors)} gradient directions for {count} images. "
            "Give one direction for each image, in their order."
        )
    return _directions.ras_from_fsl(vectors, affine)


def _output(path: str | Path) -> Path:
    path = Path(path)
    if not path.name.lower().endswith(_WRITABLE):
        raise OutputError(f"{path.name} cannot be written: choose a name that ends in {', '.join(_WRITABLE)}.")
    return path


def _storable(array: NDArray, dtype: DTypeLike | None, path: Path) -> NDArray:
    """The array in the type that the file gets."""
    array = np.asarray(array)
    kind = array.dtype.kind
    if dtype is None:
        dtype = {"b": np.uint8, "f": np.float32, "c": np.complex64}.get(kind, array.dtype)
        if kind in "iu" and array.dtype.itemsize == 8 and np.array_equal(array, array.astype(np.int32)):
            dtype = np.int32
    dtype = np.dtype(dtype)
    if dtype.kind not in "iufc" or (dtype.kind == "c" and path.suffix.lower() == ".nrrd"):
        raise OutputError(f"{path.name} cannot hold values of type {dtype}. Write complex values as .nii.gz.")
    return array.astype(dtype, copy=False)


def _write(path: Path, array: NDArray, affine: NDArray) -> None:
    if path.name.lower().endswith(".nrrd"):
        nrrd.write(path, array, affine)
    else:
        nifti.write(path, array, affine)
