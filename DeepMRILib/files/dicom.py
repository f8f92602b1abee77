"""A DICOM series as one array, with its affine and, where it is diffusion weighted, b-values and directions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import DependencyError, InputError, require
from DeepMRILib.files.dicom_frames import Frame, frames_of
from DeepMRILib.files.dicom_series import PURPOSE, Series, choose, find_series, read_dataset, reading
from DeepMRILib.files.dicom_stack import Stack, stack
from DeepMRILib.files.directions import without_weighting
from DeepMRILib.files.paths import damaged


@dataclass(frozen=True)
class DicomImage:
    """What a DICOM series holds.

    Attributes:
        name: of the series, for sentences.
        array: (i, j, k, n): i along a row of the image, j down a column, k across the slices; n volumes.
        affine: (4, 4), voxel index to RAS mm.
        b_values: n of them in s/mm2, None where the header does not say.
        directions: (n, 3) in RAS, zero where there is none; None when there is none at all.
    """

    name: str
    array: NDArray
    affine: NDArray
    b_values: list[float | None]
    directions: NDArray | None


def read(path: Path, series: str | int | None = None, *, diffusion: bool = False) -> DicomImage:
    """Read one series, whatever the files are called and however they are ordered.

    Args:
        path: a folder, with the folders in it, or one file, which is then all that is read.
        series: number, description or SeriesInstanceUID of the one meant, where there are several.
        diffusion: of several series, take the only one with several diffusion weightings.

    Raises:
        InputError: no series or several, or one that is not a volume; see ``dicom_series`` and ``dicom_stack``.
        DependencyError: the pixels are compressed in a way that needs another package.
    """
    found = find_series(path)
    one = choose(found, series, path, _is_diffusion if diffusion else None)
    name = f"DICOM series {one}" if path.is_dir() else path.name
    ordered = stack(_frames(one), name)
    weightings = [volume[0].weighting for volume in ordered.volumes]
    b_values = [weighting.b_value for weighting in weightings]
    vectors = np.array([np.zeros(3) if w.direction is None else w.direction for w in weightings])
    directions = without_weighting(vectors * [-1, -1, 1], np.array([value or 0.0 for value in b_values]))
    return DicomImage(name, _pixels(ordered), ordered.affine, b_values, directions)


def _frames(series: Series) -> list[Frame]:
    frames: list[Frame] = []
    for path, dataset in series.images:
        with reading(path):
            frames += frames_of(path, dataset)
    return frames


def _is_diffusion(series: Series) -> bool:
    try:
        weightings = [frame.weighting for frame in _frames(series)]
    except InputError:  # a screenshot, a localizer: whatever it is, it is no diffusion series
        return False
    return len({None if weighting.b_value is None else round(weighting.b_value) for weighting in weightings}) > 1


def _pixels(ordered: Stack) -> NDArray:
    """(i, j, k, n), each file opened once; integers stay as they are unless the header scales them."""
    frames = list(itertools.chain.from_iterable(ordered.volumes))
    scaled = any(frame.slope != 1 or frame.intercept != 0 for frame in frames)
    dtype = np.result_type(*{frame.dtype for frame in frames}, *([np.float32] if scaled else []))
    rows, columns = frames[0].shape
    array = np.empty((columns, rows, len(ordered.volumes[0]), len(ordered.volumes)), dtype, order="F")
    places = [(frame, k, n) for n, volume in enumerate(ordered.volumes) for k, frame in enumerate(volume)]
    places.sort(key=lambda place: str(place[0].path))
    for path, group in itertools.groupby(places, key=lambda place: place[0].path):
        stored = stored_pixels(path)
        for frame, k, n in group:
            if frame.index >= len(stored):
                raise damaged(path, "DICOM", f"it has {len(stored)} images and describes more")
            values = stored[frame.index][frame.window]
            if scaled:
                # In double: slope and intercept can nearly cancel, which costs float32 three digits
                values = values * np.float64(frame.slope) + frame.intercept
            array[:, :, k, n] = values.T
    return array


def stored_pixels(path: Path) -> NDArray:
    """The stored values of a grey file, (frames, rows, columns), without slope and intercept.

    Raises:
        InputError: damaged.
        DependencyError: compressed in a way that needs another package.
    """
    pydicom = require("pydicom", PURPOSE)
    dataset: Any = read_dataset(path)
    if "TransferSyntaxUID" not in getattr(dataset, "file_meta", ()):
        implicit, little = dataset.original_encoding
        dataset.ensure_file_meta()
        uid = pydicom.uid
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_transfer_syntax:
        raise damaged(path, "DICOM", f"its transfer syntax {syntax!r} is unknown")
    with reading(path):
        try:
            values = dataset.pixel_array
        except RuntimeError as error:
            if not syntax.is_compressed:
                raise damaged(path, "DICOM", error) from error
            raise DependencyError(
                f"The pixels of {path.name} are compressed ({syntax.name}), which needs further packages. "
                "Install them with: pip install pylibjpeg[all]"
            ) from error
    return values.reshape(-1, *values.shape[-2:])
