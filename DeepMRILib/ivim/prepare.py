"""From a diffusion series as scanners give it to a matrix of signals that can be fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.volume import DiffusionVolume, Volume, checked_mask

DISTINCT_NEEDED = {"biexp": 4}
"""Distinct b-values that a model needs: one for each of its parameters."""
BRIGHT_PERCENTILE = 99.0
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


def prepare(series: DiffusionVolume, options: FitOptions, mask: Volume | NDArray | None) -> Signals:
    """The signals to fit: images chosen, averaged and sorted by b-value, background and damaged voxels left out.

    Raises:
        InputError: the b-values do not suffice for the model, the mask is bad, or no voxel holds a usable signal.
    """
    kept = _kept_images(series.b_values, options)
    check_b_values(series.b_values[kept], options)
    inside, notes = _usable_voxels(series, kept, options, checked_mask(mask, series))
    # One voxel after the other in memory; float32 holds 12-bit scanner values exactly and halves the traffic.
    values = series.array[inside][:, kept].astype(np.float32, copy=False)
    values, b_values = average_images(values, series.b_values[kept], options.average)
    if not kept.all():
        notes += (f"{np.count_nonzero(~kept)} images above b = {options.b_max:g} s/mm2 were left out.",)
    return Signals(values, b_values, inside, notes)


def _kept_images(b_values: NDArray, options: FitOptions) -> NDArray:
    return b_values <= options.b_max if options.b_max > 0 else np.ones(b_values.shape, dtype=bool)


def check_b_values(b_values: NDArray, options: FitOptions) -> None:
    """Refuse b-values from which the model cannot be told.

    Raises:
        InputError: all equal, or fewer distinct ones than the model has parameters.
    """
    distinct = np.unique(b_values)
    needed = DISTINCT_NEEDED[options.model] - (not options.fit_s0)
    if len(distinct) == 1:
        raise InputError(
            f"All b-values are {distinct[0]:g} s/mm2: a decay cannot be told from one b-value. "
            "Check the b-values, or choose a series with several."
        )
    if len(distinct) < needed:
        raise InputError(
            f"The model {options.model} needs at least {needed} distinct b-values; this series has {len(distinct)} "
            f"({', '.join(f'{b:g}' for b in distinct)} s/mm2). Choose a series with more b-values."
        )


def _usable_voxels(
    series: DiffusionVolume, kept: NDArray, options: FitOptions, mask: NDArray
) -> tuple[NDArray, tuple[str, ...]]:
    if np.iscomplexobj(series.array):
        raise InputError("The series holds complex values; a fit needs magnitudes. Take the absolute value first.")
    low = np.flatnonzero(kept & (series.b_values <= max(series.b_values[kept].min(), LOW_B)))
    finite = np.ones(series.shape, dtype=bool)
    if not np.issubdtype(series.array.dtype, np.integer):
        for image in np.flatnonzero(kept):  # image by image: a mask of the whole series would be as large as itself
            finite &= np.isfinite(series.array[..., image])
    if not (finite & mask).any():
        raise InputError(
            "No voxel inside the mask has a number in every image (NaN or infinite everywhere). "
            "Check how the series was exported, or choose another mask."
        )
    start = sum(np.where(finite, series.array[..., image], 0).astype(np.float64) for image in low) / len(low)
    bright = float(np.percentile(start[finite & mask], BRIGHT_PERCENTILE))
    inside = mask & finite & (start > max(options.background * bright, 0.0))
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
        notes.append(f"{damaged} voxels with NaN or infinite values were left out.")
    if dark:
        notes.append(f"{dark} voxels of background were left out.")
    return tuple(notes)


def average_images(values: NDArray, b_values: NDArray, how: str) -> tuple[NDArray, NDArray]:
    """Signals (voxels, n) sorted by b-value, and averaged over the images of each b-value unless ``how`` is "none"."""
    order = np.argsort(b_values, kind="stable")
    values, b_values = values[:, order], b_values[order]
    if how == "none":
        return values, b_values
    distinct, first = np.unique(b_values, return_index=True)
    counts = np.diff(np.append(first, len(b_values)))
    if how == "geometric":
        # Noise can push a signal to zero or below, where there is no logarithm: such voxels keep a tiny signal.
        floor = np.finfo(np.float32).tiny
        values = np.log(np.maximum(values, floor))
    means = np.add.reduceat(values, first, axis=1, dtype=np.float64) / counts
    return (np.exp(means) if how == "geometric" else means).astype(np.float32), distinct
