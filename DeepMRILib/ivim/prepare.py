"""From a diffusion series as scanners give it to a matrix of signals that can be fitted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.volume import DiffusionVolume, Volume, checked_mask

BRIGHT_PERCENTILE = 99.0
SAME_B, SAME_B_PART = 0.5, 0.03
LARGEST, SMALLEST = 1e30, 1e-30
"""Signals outside are damage: their squares do not fit into the float32 that maps are kept in."""
LOW_B = 100.0
"""Images up to this b-value tell tissue from air: their mean has less noise than the one image at b = 0."""


@dataclass(frozen=True)
class Signals:
    """Signals of the voxels that are fitted.

    Attributes:
        values: (voxels, n) in the image's units.
        b_values: (n,) in s/mm2, ascending.
        inside: (i, j, k) bool, the voxels' places.
        notes: what was left out, one sentence each.
    """

    values: NDArray
    b_values: NDArray
    inside: NDArray
    notes: tuple[str, ...]

    def volume(self, values: NDArray, series: Volume) -> Volume:
        """A map on the series' grid from one value per voxel; 0 where nothing was fitted."""
        array = np.zeros(self.inside.shape, dtype=np.float32)
        array[self.inside] = np.nan_to_num(values, nan=0.0)
        return series.like(array)


@dataclass(frozen=True)
class Choice:
    """Which signals of a series are fitted.

    Attributes:
        images: (n,) bool.
        inside: (i, j, k) bool, the voxels.
        notes: what was left out, one sentence each.
    """

    images: NDArray
    inside: NDArray
    notes: tuple[str, ...]


def prepare(series: DiffusionVolume, options: FitOptions, mask: Volume | NDArray | None) -> Signals:
    """The signals to fit: images chosen, averaged and sorted by b-value, background and damaged voxels left out.

    Raises:
        InputError: the b-values do not suffice for the model, the mask is bad, or no voxel holds a usable signal.
    """
    choice = choose(series, options, mask)
    values, b_values = chosen_signals(series, choice, options.average)
    return Signals(values, b_values, choice.inside, choice.notes)


def choose(series: DiffusionVolume, options: FitOptions, mask: Volume | NDArray | None) -> Choice:
    """Which images and voxels ``prepare`` takes; raises as it does."""
    kept = _kept_images(series.b_values, options)
    with _fewer_images(kept):
        check_b_values(series.b_values[kept], options)
    notes = _notes_on_images(series.b_values, kept, options)
    threshold = options.background if mask is None else 0.0  # every voxel of a mask is meant
    inside, left_out = _usable_voxels(series, kept, threshold, checked_mask(mask, series))
    return Choice(kept, inside, notes + left_out)


def chosen_signals(
    series: DiffusionVolume, choice: Choice, average: str, planes: slice = slice(None)
) -> tuple[NDArray, NDArray]:
    """The chosen signals (voxels, n) of some planes along i, sorted by b-value and averaged; and the b-values (n,)."""
    # One voxel after the other in memory; float32 holds 12-bit scanner values exactly and halves the traffic.
    values = series.array[planes][choice.inside[planes]][:, choice.images].astype(np.float32, copy=False)
    return average_images(values, series.b_values[choice.images], average)


def _kept_images(b_values: NDArray, options: FitOptions) -> NDArray:
    if 0 < options.b_max < options.b_min:
        raise InputError(
            f"b_min is {options.b_min:g} s/mm2 and b_max {options.b_max:g}: no b-value lies between. Choose a "
            "b_max above b_min, or 0 to keep all images."
        )
    kept = b_values >= options.b_min
    if not kept.any():
        raise InputError(
            f"b_min is {options.b_min:g} s/mm2, and no image has so high a b-value; the highest is {b_values.max():g}. "
            "Choose a lower b_min, or 0 to keep all images."
        )
    if options.b_max > 0:
        kept &= b_values <= options.b_max
    if not kept.any():
        raise InputError(
            f"b_max is {options.b_max:g} s/mm2, and no image has so low a b-value; the lowest is "
            f"{b_values[b_values >= options.b_min].min():g}. Choose a higher b_max, or 0 to keep all images."
        )
    return kept


@contextmanager
def _fewer_images(kept: NDArray) -> Iterator[None]:
    """Say that images were left out, where the rest does not suffice."""
    try:
        yield
    except InputError as error:
        if kept.all():
            raise
        raise InputError(
            f"{error} Of {kept.size} images b_min and b_max leave {np.count_nonzero(kept)}: with 0 for both all count."
        ) from error


def _notes_on_images(b_values: NDArray, kept: NDArray, options: FitOptions) -> tuple[str, ...]:
    notes = []
    low = np.count_nonzero(b_values < options.b_min)
    if low:
        notes.append(f"{low} images below b = {options.b_min:g} s/mm2 were left out.")
    high = np.count_nonzero(~kept) - low
    if high:
        notes.append(f"{high} images above b = {options.b_max:g} s/mm2 were left out.")
    if not options.fit_s0 and b_values[kept].min() > 0:
        lowest = b_values[kept].min()
        notes.append(f"S0 was not fitted: the signal at the lowest b-value, {lowest:g} s/mm2, stands for it.")
    return tuple(notes)


def jitter(b_values: NDArray) -> NDArray:
    """How far b-values of one shell may lie apart, in s/mm2."""
    return np.maximum(SAME_B, SAME_B_PART * b_values)


def b_groups(b_values: NDArray) -> NDArray:
    """Which images share a b-value (n,): 0 for the lowest, and so on.

    Scanners jitter: with many directions the b-values of one shell differ by about 1 %. A gap of more than 0.5 s/mm2
    and 3 % above the first of a group begins the next.

    Example:
        >>> b_groups(np.array([0, 995, 1000, 1004, 5]))
        array([0, 2, 2, 2, 1])
    """
    order = np.argsort(b_values, kind="stable")
    groups = np.zeros(len(b_values), dtype=int)
    first, group = b_values[order[0]], 0
    for image in order:
        if b_values[image] - first > jitter(b_values[image]):
            first, group = b_values[image], group + 1
        groups[image] = group
    return groups


def check_b_values(b_values: NDArray, options: FitOptions) -> None:
    """Refuse b-values from which the model cannot be told.

    Raises:
        InputError: all equal, or fewer distinct ones than the model has parameters.
    """
    groups = b_groups(b_values)
    distinct = np.array([b_values[groups == group].mean() for group in range(groups.max() + 1)])
    needed = len(MODELS[options.model].parameters) - (not options.fit_s0)
    if len(distinct) == 1:
        raise InputError(
            f"All b-values are {distinct[0]:.4g} s/mm2: a decay cannot be told from one b-value. "
            "Check the b-values, or choose a series with several."
        )
    if len(distinct) < needed:
        raise InputError(
            f"The model {options.model} needs at least {needed} distinct b-values; this series has {len(distinct)} "
            f"({', '.join(f'{b:.4g}' for b in distinct)} s/mm2). Choose a series with more b-values."
        )


def _usable_voxels(
    series: DiffusionVolume, kept: NDArray, threshold: float, mask: NDArray
) -> tuple[NDArray, tuple[str, ...]]:
    if np.iscomplexobj(series.array):
        raise InputError("The series holds complex values; a fit needs magnitudes. Take the absolute value first.")
    if series.array.dtype.kind not in "fiub":
        raise InputError(f"The series holds values of type {series.array.dtype}; a fit needs numbers.")
    low = np.flatnonzero(kept & (series.b_values <= max(series.b_values[kept].min(), LOW_B)))
    finite = np.ones(series.shape, dtype=bool)
    if not np.issubdtype(series.array.dtype, np.integer):
        for image in np.flatnonzero(kept):  # image by image: a mask of the whole series would be as large as itself
            # float64, as half precision does not know so large a limit; false for NaN too
            finite &= np.abs(series.array[..., image]) < np.float64(LARGEST)
    if not (finite & mask).any():
        raise InputError(
            "No voxel inside the mask has a usable number in every image (NaN or infinite everywhere). "
            "Check how the series was exported, or choose another mask."
        )
    start = sum(np.where(finite, series.array[..., image], 0).astype(np.float64) for image in low) / len(low)
    bright = float(np.percentile(start[finite & mask], BRIGHT_PERCENTILE))
    inside = mask & finite & (start > max(threshold * bright, SMALLEST))
    if not inside.any():
        raise InputError(
            "No voxel has a positive signal at the low b-values. Check that the series holds magnitude images, "
            "or lower the background threshold."
        )
    return inside, _notes_on_voxels(mask, finite, inside)


def _notes_on_voxels(mask: NDArray, finite: NDArray, inside: NDArray) -> tuple[str, ...]:
    damaged, dark = np.count_nonzero(mask & ~finite), np.count_nonzero(mask & finite & ~inside)
    notes = []
    if damaged:
        notes.append(f"{damaged:,} voxels with NaN or infinite values were left out.")
    if dark:
        notes.append(f"{dark:,} voxels of background were left out.")
    return tuple(notes)


def average_images(values: NDArray, b_values: NDArray, how: str) -> tuple[NDArray, NDArray]:
    """Signals (voxels, n) sorted by b-value, and averaged over the images of each b-value unless ``how`` is "none".

    Images share a b-value as ``b_groups`` says; the average stands at their mean b-value.
    """
    order = np.argsort(b_values, kind="stable")
    values, b_values = values[:, order], b_values[order]
    if how == "none":
        return values, b_values
    _, first, counts = np.unique(b_groups(b_values), return_index=True, return_counts=True)
    distinct = np.add.reduceat(b_values, first) / counts
    if how == "geometric":
        # Noise can push a signal to zero or below, where there is no logarithm: such voxels keep a tiny signal.
        floor = np.finfo(np.float32).tiny
        values = np.log(np.maximum(values, floor))
    means = np.add.reduceat(values, first, axis=1, dtype=np.float64) / counts
    return (np.exp(means) if how == "geometric" else means).astype(np.float32), distinct
