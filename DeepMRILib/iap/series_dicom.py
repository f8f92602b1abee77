"""The slices of a DICOM series: ordered by their place, and only those read that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.csa import csa_numbers
from DeepMRILib.files.dicom import stored_pixels
from DeepMRILib.files.dicom_bvalues import siemens_csa
from DeepMRILib.files.dicom_frames import check_pixels
from DeepMRILib.files.dicom_series import read_dataset, reading
from DeepMRILib.iap.header_dicom import mosaic_count, mosaic_edge, raw_of, read_slim, text_of
from DeepMRILib.iap.header_reading import MIXED
from DeepMRILib.iap.header_values import parse_numbers
from DeepMRILib.iap.series import Series, Turn, shape_notes, spread
from DeepMRILib.iap.series_finding import SeriesPlace

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PARALLEL = 0.999
"""Cosine above which two slices have one direction."""
_SAME_PLACE = 0.05
"""mm within which two slices lie at one place."""
_LARGE = 65_536


class _Image(NamedTuple):
    """One slice that is still on disk."""

    path: Path
    frame: int
    tile: tuple[int, int]
    name: str
    number: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]


def series_of(place: SeriesPlace, most: int) -> Series:
    """The slices of a DICOM series; see ``series.read_series``."""
    mixed = next((note for note in place.header.notes if note.startswith(MIXED)), None)
    if mixed is not None:
        raise InputError(f"The series {place.name} cannot be used. {mixed} Export the series of each patient again.")
    first: Any = None
    images: list[_Image] = []
    for path in place.files:
        dataset = read_slim(path)
        _check(path, dataset)
        first = dataset if first is None else first
        with reading(path):
            images += _images(path, dataset)
    notes = list(place.header.notes)
    images = _ordered(images, notes)
    chosen = spread(len(images), most)
    slices, names, indices = _read([(index, images[index]) for index in chosen])
    photometric = (text_of(first, "PhotometricInterpretation") or "MONOCHROME2").strip()
    if photometric == "MONOCHROME1":
        notes.append("Small values are bright in these images (MONOCHROME1); pixels are given as they are stored.")
    colour = (text_of(first, "PixelPresentation") or "").strip() == "COLOR" or photometric == "PALETTE COLOR"
    if colour:
        notes.append("The images are made to be shown in colours: they are a map, not what the scanner measured.")
    spacing = _spacing(raw_of(first))
    notes += shape_notes(len(images), slices, spacing)
    return Series(
        slices=slices,
        names=names,
        indices=indices,
        count=len(images),
        header=place.header,
        pixel_spacing=spacing,
        colour=colour,
        photometric=photometric,
        notes=tuple(dict.fromkeys(notes)),
        turn=Turn(2),
        place=place,
    )


def _spacing(raw: dict[str, str]) -> tuple[float, float] | None:
    numbers = parse_numbers(raw.get("pixel_spacing", "")) or []
    return (numbers[0], numbers[1]) if len(numbers) == 2 and min(numbers) > 0 else None


def _images(path: Path, dataset: Any) -> list[_Image]:
    uid = (text_of(dataset, "SOPInstanceUID") or path.name).strip()
    number = parse_numbers(text_of(dataset, "InstanceNumber") or "")
    order = int(number[0]) if number else 0
    frames = int((parse_numbers(text_of(dataset, "NumberOfFrames") or "") or [1])[0]) or 1
    raw = raw_of(dataset)
    if "tile" in raw and (edge := mosaic_edge(dataset, raw)) > 1:
        return _tiles(path, dataset, edge, uid, order)
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or ())
    if frames == 1 and not groups:
        return [_Image(path, 0, (0, 1), uid, order, *_geometry(dataset, ()))]
    return [
        _Image(
            path,
            frame,
            (0, 1),
            f"{uid} frame {frame + 1}",
            frame,
            *_geometry(dataset, [*groups[frame : frame + 1], *shared]),
        )
        for frame in range(frames)
    ]


def _tiles(path: Path, dataset: Any, edge: int, uid: str, order: int) -> list[_Image]:
    """The slices of a Siemens mosaic, each at its height along the slices' normal.

    Where the number of slices is not known, those up to the last tile that is not empty.
    """
    count = mosaic_count(dataset)
    if not count:
        stored = _pixels(path)[0]
        filled = [tile for tile in range(edge * edge) if _tile(stored, tile, edge).any()]
        count = max(filled, default=edge * edge - 1) + 1
    _, orientation = _geometry(dataset, ())
    normal = csa_numbers(siemens_csa(dataset), "SliceNormalVector", 3)
    if normal is None and orientation:
        normal = list(np.cross(orientation[:3], orientation[3:]))
    return [
        _Image(
            path,
            0,
            (tile, edge),
            f"{uid} tile {tile + 1}",
            order,
            tuple(tile * part for part in normal or ()),
            orientation,
        )
        for tile in range(count)
    ]


def _geometry(dataset: Any, groups: Sequence[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Position and orientation, empty where they are missing."""
    found = []
    for sequence, keyword, count in (
        ("PlanePositionSequence", "ImagePositionPatient", 3),
        ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
    ):
        texts = [text_of(item, keyword) for group in groups for item in group.get(sequence) or ()]
        text = next((text for text in (*texts, text_of(dataset, keyword)) if text), "")
        numbers = parse_numbers(text) or []
        found.append(tuple(numbers) if len(numbers) == count else ())
    return found[0], found[1]


def _ordered(images: list[_Image], notes: list[str]) -> list[_Image]:
    """From the lowest to the highest along the slices' normal, one image for each place."""
    by_number = sorted(images, key=lambda image: (image.number, image.frame, image.tile, str(image.path)))
    if len(images) < 2 or any(not image.position or not image.orientation for image in images):
        return by_number
    axes = np.array([image.orientation for image in by_number])
    normals = np.cross(axes[:, :3], axes[:, 3:])
    lengths = np.linalg.norm(normals, axis=1)
    if lengths.min() < 0.5 or (normals @ normals[0] / (lengths * lengths[0])).min() < _PARALLEL:
        notes.append("The slices do not lie in one direction (a localizer, perhaps); they are taken in their order.")
        return by_number
    heights = np.array([image.position for image in by_number]) @ (normals[0] / lengths[0])
    order = np.argsort(heights, kind="stable")
    kept: list[int] = []
    for index in order:
        if not kept or heights[index] - heights[kept[-1]] > _SAME_PLACE:
            kept.append(int(index))
        elif index < kept[-1]:  # the one with the lowest number stands for its place
            kept[-1] = int(index)
    if len(kept) < len(images):
        notes.append(f"The series has {len(images)} images at {len(kept)} places; the first of each place is used.")
    return [by_number[index] for index in kept]


def _read(images: list[tuple[int, _Image]]) -> tuple[list[NDArray], list[str], list[int]]:
    slices, names, indices = [], [], []
    opened: tuple[Path | None, NDArray] = (None, np.zeros(0))
    for index, image in images:
        if opened[0] != image.path:
            opened = (image.path, _pixels(image.path))
        stored = opened[1]
        if image.frame >= len(stored):
            raise InputError(f"{image.path.name} holds {len(stored)} images and describes more. Export it again.")
        slices.append(np.array(_tile(stored[image.frame], *image.tile)))
        names.append(image.name)
        indices.append(index)
    return slices, names, indices


def _tile(image: NDArray, tile: int, edge: int) -> NDArray:
    rows, columns = (size // edge for size in image.shape)
    top, left = tile // edge * rows, tile % edge * columns
    return image[top : top + rows, left : left + columns]


def _check(path: Path, dataset: Any) -> None:
    """Refuse colour, headers without pixels, and more voxels than the file can hold."""
    try:
        check_pixels(path, dataset)
    except InputError:
        _with_pixels(path)
        raise


def _with_pixels(path: Path) -> None:
    dataset = read_dataset(path, defer_size=_LARGE)
    if not any(name in dataset for name in _PIXELS):
        raise InputError(
            f"{path.name} holds a header without pixels. Give the images as the scanner stored them; for the header "
            "alone, run an audit."
        )


def _pixels(path: Path) -> NDArray:
    _with_pixels(path)
    return stored_pixels(path)
