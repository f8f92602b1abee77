"""Slices of several cases as one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.slicing import even_rows, fitted

_PIXELS = ("images", "targets", "coil_images", "sensitivities", "reference")


def joined(pieces: Sequence[SliceDataset], size: tuple[int, int] = (0, 0)) -> SliceDataset:
    """Slices of several cases as one dataset, padded or cut to one size: the one asked for, else the largest.

    Raises:
        InputError: other numbers of contrasts or coils, slices beside volumes, or only some with labels.
    """
    for piece in pieces[1:]:
        _check_alike(piece, pieces[0])
    shapes = [piece.images.shape[2:] for piece in pieces]
    largest = tuple(max(axis) for axis in zip(*shapes, strict=True))
    common = (*largest[:-2], *(asked or given for given, asked in zip(largest[-2:], size, strict=True)))
    notes = tuple(dict.fromkeys(note for piece in pieces for note in piece.notes)) + _size_notes(shapes, common)
    if len({piece.view for piece in pieces}) > 1:
        notes += (
            "The images are oriented differently: the phase-encoded axis is not the same direction in all cases.",
        )
    names: dict[int, str] = {}
    for piece in reversed(pieces):
        names |= piece.names
    same_size = [resized(piece, common) for piece in pieces]
    first = same_size[0]
    if len(pieces) == 1:
        return replace(first, notes=notes)
    together = {
        name: None if getattr(first, name) is None else np.concatenate([getattr(piece, name) for piece in same_size])
        for name in ("images", "targets", "coil_images", "sensitivities", "reference", "cases")
    }
    spacing, said = _common_spacing(pieces)
    return replace(first, names=names, spacing=spacing, notes=(*notes, *said), **together)


def resized(dataset: SliceDataset, size: tuple[int, ...]) -> SliceDataset:
    """The dataset with its rows and columns (or all spatial axes) padded with 0 or cut to ``size``; 0 leaves one."""
    shape = dataset.images.shape[-len(size) :]
    if tuple(new or old for old, new in zip(shape, size, strict=True)) == shape:
        return dataset

    def changed(name: str) -> NDArray | None:
        array = getattr(dataset, name)
        return array if array is None or array.ndim == 1 else fitted(array, size)

    return replace(dataset, **{name: changed(name) for name in _PIXELS})


def without_empty(dataset: SliceDataset) -> SliceDataset | None:
    """The slices that show anything; None where there is none."""
    extremes = [array.reshape(len(dataset), -1) for array in (dataset.images, dataset.coil_images) if array is not None]
    shown = np.any([array.any(axis=1) for array in extremes], axis=0)
    if shown.all():
        return dataset
    return dataset.subset(np.flatnonzero(shown)) if shown.any() else None


def spread(dataset: SliceDataset, most: int) -> SliceDataset:
    """At most ``most`` slices, spread evenly; all of them for 0."""
    if not most or len(dataset) <= most:
        return dataset
    return dataset.subset(even_rows(len(dataset), most))


def nbytes(dataset: SliceDataset) -> int:
    """How much memory its arrays take."""
    return sum(getattr(dataset, name).nbytes for name in _PIXELS if getattr(dataset, name) is not None)


def _check_alike(piece: SliceDataset, first: SliceDataset) -> None:
    who, other = piece.cases[0], first.cases[0]
    if piece.images.shape[1] != first.images.shape[1]:
        raise InputError(
            f"{who} has {piece.contrasts} contrasts and {other} {first.contrasts}. Give cases with the same contrasts."
        )
    if piece.task != first.task:
        raise InputError(f"{who} is for {piece.task} and {other} for {first.task}: give labels for all cases or none.")
    coils = [0 if one.coil_images is None else one.coil_images.shape[2] for one in (piece, first)]
    if coils[0] != coils[1]:
        raise InputError(f"{who} has {coils[0]} coils and {other} {coils[1]}. Give scans with the same coils.")
    if np.iscomplexobj(piece.images) != np.iscomplexobj(first.images):
        kinds = ["complex" if np.iscomplexobj(one.images) else "magnitudes" for one in (piece, first)]
        raise InputError(f"{who} is {kinds[0]} and {other} {kinds[1]}. Give all cases as one of the two.")


def _common_spacing(pieces: Sequence[SliceDataset]) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """The median edge lengths of pixels, and a note where they differ by more than a hundredth."""
    every = np.array([piece.spacing for piece in pieces])
    median = tuple(float(edge) for edge in np.median(every, axis=0))
    if np.allclose(every, median, rtol=1e-2):
        return median, ()
    low, high = (" x ".join(f"{edge:.3g}" for edge in edges) for edges in (every.min(axis=0), every.max(axis=0)))
    return median, (
        f"Pixels have edges from {low} to {high} mm; they were not resampled, and distances go by the median.",
    )


def _size_notes(shapes: Sequence[tuple[int, ...]], common: tuple[int, ...]) -> tuple[str, ...]:
    others = {shape for shape in shapes if shape != common}
    if not others:
        return ()
    said = " x ".join(map(str, common))
    if len(set(shapes)) == 1:
        return (f"Slices of {' x '.join(map(str, shapes[0]))} pixels were padded or cut to {said}.",)
    return (f"The cases have {len(set(shapes))} sizes: all were padded or cut to {said} pixels, centred.",)
