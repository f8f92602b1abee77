"""One image, with its labels and its phase, as slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.phases import phase_in_radians
from DeepMRILib.igs.slicing import pixel_spacing, slices_of
from DeepMRILib.igs.viewing import view_of
from DeepMRILib.volume import LabelVolume, Volume

_LARGEST_LABEL = 255
_ROUNDING = 0.02
"""Negative values up to this fraction of the largest are ringing of an interpolation, and are set to 0."""


def slices_of_image(
    image: Volume,
    options: DataOptions,
    *,
    labels: Volume | None = None,
    phase: Volume | None = None,
    case: str = "image",
    each_a_case: bool = False,
) -> SliceDataset:
    """All slices of an image, of one case.

    Args:
        image: magnitudes or complex, (i, j, k), or (i, j, k, c) with c contrasts.
        options: ``slice_axis`` is used.
        labels: whole numbers from 0 to 255 on the grid of the image; a map of 0 and 255 is one of 0 and 1.
        phase: on the grid of the image, in radians or in a scanner's units.
        case: its name.
        each_a_case: whether the slices have nothing to do with each other, as those of a phantom.

    Raises:
        InputError: labels or phase of another shape or geometry, negative magnitudes.
    """
    every = replace(options, slices=0, size=(0, 0))
    array, notes = _values(image)
    if phase is not None:
        turned, unit = phase_in_radians(_on_image(phase, image, "phase image"))
        array, notes = _with_phase(array, turned), [*notes, unit]
    targets, names = None, {}
    if labels is not None:
        targets, names, said = labels_of(labels, image)
        notes += said
        targets = slices_of(image.like(targets), every)[:, 0]
    slices = slices_of(image.like(array), every)
    return SliceDataset(
        slices,
        targets,
        names,
        np.array([f"{case}_{number:04d}" if each_a_case else case for number in range(len(slices))]),
        pixel_spacing(image, options),
        notes=tuple(notes),
        view=view_of(image.affine, options.slice_axis),
    )


def _values(image: Volume) -> tuple[NDArray, list[str]]:
    """The image's values as they are used: complex, or magnitudes from 0 on."""
    array = np.asarray(image.array)
    if array.dtype.kind == "c":
        return array, []
    if array.dtype.kind not in "buif":
        raise InputError(f"The image holds values of type {array.dtype}; expected numbers.")
    low, high = float(array.min()), float(array.max())
    if not low < 0:  # NaN is refused with the slices
        return array, []
    if -low > _ROUNDING * high:
        raise InputError(
            f"Magnitude images have no values below 0; this one goes from {low:g} to {high:g}. Give the image before "
            "it was normalised, or a complex one."
        )
    return np.maximum(array, 0), ["Small negative values, as interpolation leaves them, were set to 0."]


def _with_phase(array: NDArray, radians: NDArray) -> NDArray:
    if array.dtype.kind == "c":
        raise InputError("The image is complex and has a phase of its own. Give its magnitudes, or no phase image.")
    turn = np.exp(1j * radians.astype(np.float32))
    return array * (turn if array.ndim == turn.ndim else turn[..., None])


def labels_of(labels: Volume, image: Volume) -> tuple[NDArray, dict[int, str], list[str]]:
    """Labels (i, j, k) uint8, their names, and notes; InputError for what is no label map of the image."""
    array = _on_image(labels, image, "label map")
    if array.ndim == 4:
        raise InputError(f"The label map has {array.shape[3]} layers; one label for each voxel was expected.")
    regions = labels if isinstance(labels, LabelVolume) else LabelVolume(array, labels.affine)
    whole, names = np.asarray(regions.array), dict(regions.names)
    if set(names) == {_LARGEST_LABEL}:
        said = names[_LARGEST_LABEL]
        return (whole != 0).astype(np.uint8), {1: said if said != "255" else "1"}, ["The label 255 is taken as 1."]
    if names and (min(names) < 0 or max(names) > _LARGEST_LABEL):
        raise InputError(
            f"The labels go from {min(names)} to {max(names)}; expected whole numbers from 0 to {_LARGEST_LABEL}. "
            "Choose the structures that count, and number them from 1."
        )
    return whole.astype(np.uint8), names, []


def _on_image(other: Volume, image: Volume, what: str) -> NDArray:
    """The array of a volume that must lie on the grid of the image; a fourth axis of one is dropped."""
    array = np.asarray(other.array)
    if array.dtype.kind == "c":
        raise InputError(f"The {what} is complex; expected real numbers.")
    if other.shape != image.shape:
        raise InputError(
            f"The {what} has {_times(other.shape)} voxels and the image {_times(image.shape)}. "
            f"Resample the {what} to the image."
        )
    if not other.same_grid(image):
        raise InputError(
            f"The {what} has as many voxels as the image but lies elsewhere in space (another origin, spacing or "
            f"orientation). Resample the {what} to the image."
        )
    return array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape)
