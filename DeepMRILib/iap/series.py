"""The slices of a series as networks see them: raw pixels in 2D, from DICOM, NIfTI or a volume in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files.dicom_series import looks_like_dicom
from DeepMRILib.files.paths import input_file
from DeepMRILib.iap.header import Header, read_header
from DeepMRILib.iap.header_bids import IMAGES
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.series_finding import FoundSeries, SeriesPlace, Unread, find_series, one_series
from DeepMRILib.volume import Volume

__all__ = [
    "FoundSeries",
    "Series",
    "SeriesPlace",
    "Turn",
    "Unread",
    "find_series",
    "one_series",
    "read_series",
    "spread",
]

MIDDLE = 0.7
"""The part of a series, around its middle, that slices are taken from: at its ends there is little to see."""
_AXES = ("i", "j", "k")
SUPINE = ("HFS", "FFS")


@dataclass(frozen=True)
class Turn:
    """How a slice across an axis of a volume is turned to the display of scanners: left of the patient on the right,
    front or head up.

    Attributes:
        axis: 0, 1, 2 of i, j, k.
        transposed: rows lie along the first of the two other axes, not the second.
        flip_rows, flip_columns: turned round.
    """

    axis: int
    transposed: bool = False
    flip_rows: bool = False
    flip_columns: bool = False

    def slice_of(self, array: NDArray, index: int) -> NDArray:
        """(rows, columns) of (i, j, k)."""
        plane = np.take(array, index, axis=self.axis)
        plane = plane if self.transposed else plane.T
        return plane[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]

    def back(self, image: NDArray) -> NDArray:
        """A (rows, columns) image along the volume's two other axes, in their order."""
        plane = image[:: -1 if self.flip_rows else 1, :: -1 if self.flip_columns else 1]
        return plane if self.transposed else plane.T


@dataclass(frozen=True, eq=False)
class Series:
    """The slices of a series.

    Attributes:
        slices: (rows, columns) arrays of stored pixels, without slope, intercept or window.
        names: of each; of DICOM its SOPInstanceUID (with the frame's or tile's number), else its index.
        indices: where each lies in the stack: the k of ``whole`` for DICOM, the index along ``turn.axis`` of a volume.
        count: how many slices the series has; more than ``slices`` where only some were asked for.
        header: what it says.
        volume: of a NIfTI image or a volume; None of DICOM (``whole`` reads it).
        pixel_spacing: mm between rows, and between columns; None where it is not known.
        colour: made to be shown in colours, such as a map of derived values.
        photometric: as DICOM says it; MONOCHROME1 means that small values are bright.
        notes: what is odd, one sentence each.
        turn: how slices lie in the volume.
        place: where the files are; None of a volume in memory.
    """

    slices: list[NDArray]
    names: list[str]
    indices: list[int]
    count: int
    header: Header
    volume: Volume | None = None
    pixel_spacing: tuple[float, float] | None = None
    colour: bool = False
    photometric: str = "MONOCHROME2"
    notes: tuple[str, ...] = ()
    turn: Turn = Turn(2)
    place: SeriesPlace | None = None

    def whole(self) -> Volume:
        """The volume, of DICOM read now.

        Raises:
            InputError: the series is no volume; see ``files.read_volume``.
        """
        if self.volume is not None:
            return self.volume
        return files.read_volume(self.place.path, series=self.header.series if self.place.path.is_dir() else None)

    def on_volume(self, images: Mapping[int, NDArray]) -> Volume:
        """Images (rows, columns) of some slices as a volume on the series' grid, 0 where there are none.

        Args:
            images: index (of ``indices``) to image of the slice's size.

        Raises:
            InputError: as ``whole``, or a series whose slices do not lie in a volume as they were read.
        """
        grid = self.whole()
        array = np.zeros(grid.shape, dtype=np.float32)
        for index, image in images.items():
            view = np.moveaxis(array, self.turn.axis, 0)
            turned = self.turn.back(np.asarray(image))
            if index >= len(view) or view[index].shape != turned.shape:
                raise InputError("The slices of this series make no volume: maps cannot be put on its grid.")
            view[index] = turned
        return Volume(array, grid.affine)


def spread(count: int, most: int) -> list[int]:
    """Which of ``count`` slices are looked at: evenly over the middle, at most so many; 0 takes all.

    Example:
        >>> spread(20, 4), spread(3, 8), spread(4, 0)
        ([3, 7, 12, 16], [0, 1, 2], [0, 1, 2, 3])
    """
    if most <= 0 or most >= count:
        return list(range(count))
    half = max(MIDDLE * count, most) / 2
    middle = (count - 1) / 2
    places = np.linspace(middle - half + 0.5, middle + half - 0.5, most) if most > 1 else np.array([middle])
    return sorted({int(place) for place in np.clip(np.floor(places + 0.5), 0, count - 1)})


def read_series(
    source: Path | str | Volume | SeriesPlace,
    *,
    slice_axis: Literal["i", "j", "k"] = "k",
    most: int = 0,
    header: Header | Path | str | None = None,
) -> Series:
    """The slices of a series, as they are stored.

    DICOM slices are as scanners wrote them. Slices of NIfTI images and of volumes are turned to what scanners show of
    a patient on the back, left on the right side and front or head up, as other programs store them otherwise, and
    orientation is a cue to networks; a header that says another position than supine leaves them as they are.

    Args:
        source: a DICOM file, a folder with one series, a NIfTI or other image, a volume, or a place that
            ``find_series`` found.
        slice_axis: across which axis slices are stacked, of images that are not DICOM.
        most: slices at most, spread over the middle; 0 reads all.
        header: where the header is, if not beside the image or in it.

    Raises:
        InputError: nothing readable, not MR, several series, no pixels, in colour, damaged.
        DependencyError: a package for the format is not installed.
    """
    given = None if header is None else read_header(header)
    if isinstance(source, Volume):
        nothing = Header(dict.fromkeys(BY_NAME), notes=("The image came without a header.",))
        return _of_volume(source, given or nothing, slice_axis, most, None)
    place = source if isinstance(source, SeriesPlace) else _place_of(Path(source))
    if given is not None:
        place = replace(place, header=given)
    if place.kind == "dicom":
        from DeepMRILib.iap.series_dicom import series_of

        return series_of(place, most)
    if place.kind == "sidecar":
        raise InputError(f"{place.path.name} is a sidecar without an image beside it. Give the image.")
    return _of_volume(files.read_volume(place.path, components=True), place.header, slice_axis, most, place)


def _place_of(path: Path) -> SeriesPlace:
    if path.is_dir():
        return one_series(find_series(path), path)
    input_file(path, "DICOM file or image")
    if path.name.lower().endswith(IMAGES) or looks_like_dicom(path):
        found = find_series(path)
        if not len(found):
            raise InputError(found.unread[0].reason)
        return found[0]
    if path.suffix.lower() == ".json":
        raise InputError(f"{path.name} is a sidecar. Give the image; its sidecar is found beside it.")
    try:
        header = read_header(path)
    except InputError:
        header = Header(dict.fromkeys(BY_NAME), source=str(path), notes=("There is no sidecar beside the image.",))
    return SeriesPlace(path, "image", (path,), header, path.name)


def _of_volume(volume: Volume, header: Header, axis: str, most: int, place: SeriesPlace | None) -> Series:
    notes = list(header.notes)
    array = volume.array
    if array.ndim == 4:
        notes.append(f"The image has {array.shape[3]} volumes; the first one is used.")
        array = array[..., 0]
    if np.iscomplexobj(array):
        notes.append("The image is complex; its magnitude is used.")
        array = np.abs(array)
    if array.dtype == bool:
        array = array.astype(np.uint8)
    turn = _turn(volume.affine, _AXES.index(axis), header)
    if turn.flip_rows or turn.flip_columns or turn.transposed:
        notes.append("Slices were turned to the usual display: left of the patient on the right, front or head up.")
    count = array.shape[turn.axis]
    chosen = spread(count, most)
    slices = [turn.slice_of(array, index) for index in chosen]
    others = [n for n in range(3) if n != turn.axis]
    rows, columns = (others[0], others[1]) if turn.transposed else (others[1], others[0])
    spacing = (volume.spacing[rows], volume.spacing[columns])
    notes += shape_notes(count, slices, spacing)
    return Series(
        slices=slices,
        names=[str(index) for index in chosen],
        indices=chosen,
        count=count,
        header=header,
        volume=volume if volume.array.ndim == 3 else Volume(array, volume.affine),
        pixel_spacing=spacing,
        notes=tuple(dict.fromkeys(notes)),
        turn=turn,
        place=place,
    )


def _turn(affine: NDArray, axis: int, header: Header) -> Turn:
    position = header.values.get("patient_position")
    if position is not None and position not in SUPINE:
        return Turn(axis)
    first, second = (n for n in range(3) if n != axis)
    # Which patient axis each runs along: 0 left-right, 1 front-back, 2 head-feet
    along = np.abs(affine[:3, :3]) / np.linalg.norm(affine[:3, :3], axis=0)
    transposed = bool(along[:, first].argmax() > along[:, second].argmax())
    columns, rows = (second, first) if transposed else (first, second)
    # Left, back and feet are where RAS coordinates fall
    ahead = [affine[along[:, n].argmax(), n] > 0 for n in (rows, columns)]
    return Turn(axis, transposed, bool(ahead[0]), bool(ahead[1]))


def shape_notes(count: int, slices: list[NDArray], spacing: tuple[float, float] | None) -> list[str]:
    """What is odd about slices: one only, empty ones, pixels that are not square."""
    notes = []
    if count == 1:
        notes.append("The series has one slice: nothing shows whether others would say the same.")
    empty = sum(not np.any(image) for image in slices)
    if empty:
        which = "All slices are" if empty == len(slices) else f"{empty} of {len(slices)} slices are"
        notes.append(f"{which} empty (all zero).")
    if spacing is not None and abs(spacing[0] - spacing[1]) > 0.01 * max(spacing):
        notes.append(f"Pixels are not square: {spacing[0]:g} x {spacing[1]:g} mm.")
    return notes
