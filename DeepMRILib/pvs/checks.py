"""What is refused of a user's images, each with a sentence that says why and what to do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.conform import skewness
from DeepMRILib.pvs.engine import Modality
from DeepMRILib.volume import Volume

SLICES, FIELD_OF_VIEW, THICKNESS = 10, 80.0, 6.0
"""The fewest slices, the smallest field of view (mm) and the thickest voxels (mm) that show a brain well enough."""
BRAIN_ML = (100.0, 3000.0)
"""Volumes in ml between which a mask may be that of a brain."""
_UNKNOWN = 1e-3
"""The largest share of an image's voxels that may be NaN or infinite."""
_SKEWED = 5e-3
_NAMES: dict[str, str] = {"t1": "T1", "flair": "FLAIR", "t2": "T2"}


def checked_images(images: Mapping[Modality, Volume | None]) -> dict[Modality, Volume]:
    """The images that are there, each a 3D volume of finite or nearly finite real numbers.

    Raises:
        InputError: none or too many of them, or one that cannot show the spaces of a brain.
    """
    given = {name: volume for name, volume in images.items() if volume is not None}
    unknown = [name for name in given if name not in _NAMES]
    if unknown:
        raise InputError(f"Images are called t1, flair or t2; got {unknown[0]!r}.")
    _check_choice(set(given))
    return {name: _checked(volume, _NAMES[name]) for name, volume in given.items()}


def _check_choice(given: set[str]) -> None:
    if not given:
        raise InputError("There is no image. Give a T1, with or without a FLAIR, or a T2.")
    if {"t1", "t2"} <= given:
        raise InputError("There are a T1 and a T2. The spaces are looked for in one of them: give the T1 or the T2.")
    if "flair" in given and "t1" not in given:
        raise InputError("There is a FLAIR without a T1. A FLAIR is looked at beside a T1: give the T1 too.")


def _checked(volume: Volume, name: str) -> Volume:
    array = volume.array
    if array.ndim == 4:
        if array.shape[3] > 1:
            raise InputError(
                f"The {name} holds {array.shape[3]} values per voxel; expected a 3D image of one. Give one image of "
                "the series."
            )
        volume = Volume(array[..., 0], volume.affine)
    if array.dtype.kind not in "biuf":
        kind = "complex numbers" if array.dtype.kind == "c" else f"values of type {array.dtype}"
        raise InputError(f"The {name} holds {kind}; expected the brightness of each voxel. Give the magnitude image.")
    _check_grid(volume, name)
    _check_values(volume.array, name)
    return volume


def _check_grid(volume: Volume, name: str) -> None:
    spacing, shape = np.array(volume.spacing), np.array(volume.shape)
    extent = spacing * shape
    if extent.max() < 5.0 or spacing.min() > 50.0:
        raise InputError(
            f"The {name}'s voxels are {_by(spacing)} mm, so that the image is {_by(extent)} mm large: its header "
            "seems to give another unit than millimetres. Mend the header's spacing."
        )
    if shape.min() < SLICES:
        raise InputError(
            f"The {name} has {_by(shape)} voxels; expected a 3D image of at least {SLICES} slices. Give the whole "
            "series."
        )
    if spacing.max() > THICKNESS:
        raise InputError(
            f"The {name}'s voxels are {_by(spacing)} mm; the spaces are about 1 mm thick and cannot be seen in voxels "
            f"of more than {THICKNESS:g} mm. Give a 3D series with thin slices."
        )
    if extent.min() < FIELD_OF_VIEW:
        raise InputError(
            f"The {name} covers {_by(extent)} mm; expected at least {FIELD_OF_VIEW:g} mm along each axis, as much as "
            "shows most of a brain. Give an image of the whole brain."
        )


def _check_values(array: NDArray, name: str) -> None:
    low, high, unknown = _extremes(array)
    if unknown > _UNKNOWN * array.size:
        raise InputError(
            f"{100 * unknown / array.size:.3g} % of the {name}'s voxels are NaN or infinite; at most "
            f"{100 * _UNKNOWN:g} % may be. Check how the image was made."
        )
    if low == high:
        raise InputError(f"All voxels of the {name} are {low:g}: it shows nothing. Check how the image was made.")
    if _looks_like_ct(array, low):
        raise InputError(
            f"The {name} looks like a CT: its values go down to {low:.0f}, with much air near -1000. Give an MR image."
        )


def _extremes(array: NDArray) -> tuple[float, float, int]:
    if array.dtype.kind != "f":
        return float(array.min()), float(array.max()), 0
    # slice by slice: no copy of a large image
    known = [np.isfinite(plane) for plane in array]
    count = sum(int(plane.sum()) for plane in known)
    if count == 0:
        return 0.0, 0.0, array.size
    low = min(float(np.min(plane, where=there, initial=np.inf)) for plane, there in zip(array, known, strict=True))
    high = max(float(np.max(plane, where=there, initial=-np.inf)) for plane, there in zip(array, known, strict=True))
    return low, high, array.size - count


def _looks_like_ct(array: NDArray, low: float) -> bool:
    if not low < -200:
        return False
    every = tuple(slice(None, None, max(1, n // 64)) for n in array.shape)
    values = array[every].astype(np.float32)
    air = (values > -1100) & (values < -900)
    return bool(air.mean() > 0.05)


def nonfinite_inside(array: NDArray, brain: NDArray) -> tuple[int, int]:
    """How many voxels of an image (i, j, k) are NaN or infinite, and how many of them lie in the brain."""
    if array.dtype.kind != "f":
        return 0, 0
    unknown = ~np.isfinite(array)
    return int(unknown.sum()), int((unknown & brain).sum())


def check_brain_volume(voxels: int, voxel_volume: float, whose: str) -> float:
    """The volume of a mask in ml.

    Raises:
        InputError: it cannot be a brain.
    """
    volume = voxels * voxel_volume / 1000.0
    if not BRAIN_ML[0] <= volume <= BRAIN_ML[1]:
        raise InputError(
            f"{whose} {volume:.0f} ml; expected the brain, of {BRAIN_ML[0]:g} to {BRAIN_ML[1]:g} ml. Draw or choose a "
            "mask of the whole brain, and check that all inputs are of the same head."
        )
    return volume


def skew_note(volume: Volume, name: str) -> str | None:
    """A sentence about an affine whose axes are not at right angles."""
    skew = skewness(volume.affine)
    if skew < _SKEWED:
        return None
    return (
        f"The axes of the {_NAMES[name]} are not at right angles (cosine {skew:.3f}): its header was used as it is, "
        "and the box's axes are the nearest ones at right angles."
    )


def _by(values: NDArray) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
