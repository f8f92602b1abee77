"""Images of several coils: their sensitivities, and their combination."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.kspace import from_kspace
from DeepMRILib.igs.measuring import combined
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.slicing import fitted, stacked

FEWEST_CALIBRATION = 8
"""Fully sampled lines at DC that sensitivities need along each axis."""
MOST_CALIBRATION = 32
"""Sensitivities are smooth: of more lines only these are used."""
_SIGNAL = 0.05
"""Fraction of the largest root of the sum of squares from which on a pixel counts as inside."""
_SMOOTH = 1.5
"""Standard deviation in pixels of the smoothing of sensitivities."""


def calibration_size(acquired: NDArray) -> tuple[int, ...]:
    """The size of the largest fully sampled block around DC, grown evenly along all axes; 0 where DC itself is missing.

    Args:
        acquired: (h, w) or (d, h, w) bool, the points of k-space.

    Example:
        >>> acquired = np.zeros((16, 16), bool)
        >>> acquired[:, 5:11] = True
        >>> calibration_size(acquired)
        (16, 6)
    """
    size = [1] * acquired.ndim
    if not acquired[_central(acquired.shape, size)].all():
        return (0,) * acquired.ndim
    growing = set(range(acquired.ndim))
    while growing:
        for axis in sorted(growing):
            wider = [n + (place == axis) for place, n in enumerate(size)]
            if wider[axis] <= acquired.shape[axis] and acquired[_central(acquired.shape, wider)].all():
                size = wider
            else:
                growing.discard(axis)
    return tuple(size)


def estimated_sensitivities(kspace: NDArray, acquired: NDArray) -> NDArray:
    """Sensitivities (n, coils, h, w) complex64 of coils, the root of their sum of squares 1; 0 outside the object.

    The images of the fully sampled centre of k-space, tapered, of the contrast with most signal, are divided by the
    root of their sum of squares and smoothed: McKenzie et al., MRM 2002;47:529, "self-calibrating".

    Args:
        kspace: (n, c, coils, h, w), or (n, c, coils, d, h, w).
        acquired: (h, w) or (d, h, w) bool, what was measured of it.

    Raises:
        InputError: too few calibration lines.
    """
    size = calibration_size(acquired)
    needed = tuple(min(FEWEST_CALIBRATION, n) for n in acquired.shape)
    if any(found < wanted for found, wanted in zip(size, needed, strict=True)):
        raise InputError(
            f"To estimate coil sensitivities, SENSE needs {' x '.join(map(str, needed))} fully sampled calibration "
            f"points at the centre of k-space; these raw data have {' x '.join(map(str, size))}. Choose rss."
        )
    used = tuple(min(found, MOST_CALIBRATION) for found in size)
    axes = tuple(range(-acquired.ndim, 0))
    maps = np.empty((len(kspace), *kspace.shape[2:]), np.complex64)
    window = _window(acquired.shape, used)
    for row, contrasts in enumerate(kspace):
        strongest = contrasts[np.argmax([np.abs(each).sum() for each in contrasts])]
        maps[row] = _normalised(from_kspace(strongest * window, axes))
    return maps


def combined_dataset(
    kspace: NDArray,
    options: DataOptions,
    *,
    cases: Sequence[str],
    spacing: tuple[float, ...] = (),
    rows: int = 0,
    notes: tuple[str, ...] = (),
) -> SliceDataset:
    """Raw data as a dataset: what each coil saw, and their combination as ``images``.

    Of a single coil the images are complex and there are no coil images.

    Args:
        kspace: (n, c, coils, h, w) complex, 0 where nothing was measured; (1, c, coils, d, h, w) of a 3D scan, which is
            cut into slices as ``options.slice_axis`` says.
        options: ``coils`` and, of 3D scans, ``slice_axis`` are used.
        cases: the case of each of the n.
        spacing: edge lengths in mm along the spatial axes of ``kspace``.
        rows: to cut the images to, where the readout was oversampled; 0 leaves them.
        notes: what is known of the scan.

    Raises:
        InputError: too few calibration lines for SENSE, or an axis that 2D scans cannot be cut across.
    """
    spatial = kspace.ndim - 3
    acquired = (kspace != 0).any(axis=2)
    fraction = float(acquired.mean())
    if not fraction:
        raise InputError("The k-space is 0 everywhere. Give one that was measured.")
    if fraction < 1:
        notes = (*notes, _partly(fraction))
    several = kspace.shape[2] > 1
    maps = None
    if several and options.coils == "sense":
        maps = estimated_sensitivities(kspace, acquired.all(axis=(0, 1)))
    seen = from_kspace(kspace, tuple(range(-spatial, 0))).astype(np.complex64, copy=False)
    if rows:
        seen, maps = fitted(seen, (rows, 0)), None if maps is None else fitted(maps, (rows, 0))
    spacing = tuple(spacing) or (1.0,) * spatial
    seen, maps, spacing = _as_slices(seen, maps, spacing, options)
    names = np.array(list(cases) if len(cases) == len(seen) else [cases[0]] * len(seen))
    if not several:
        return SliceDataset(seen[:, :, 0], cases=names, spacing=spacing, notes=notes)
    empty = SliceDataset(np.zeros((*seen.shape[:2], *seen.shape[3:]), np.float32), coil_images=seen, sensitivities=maps)
    notes = (*notes, _combination(options, seen.shape[2]))
    return SliceDataset(
        combined(seen, empty), cases=names, spacing=spacing, coil_images=seen, sensitivities=maps, notes=notes
    )


def _as_slices(
    seen: NDArray, maps: NDArray | None, spacing: tuple[float, ...], options: DataOptions
) -> tuple[NDArray, NDArray | None, tuple[float, ...]]:
    """Images (n, c, coils, h, w), or (1, c, coils, d, h, w) of whole volumes, from what was acquired in 2D or 3D."""
    axis = options.slice_axis
    if len(spacing) == 2:
        if axis in ("i", "j"):
            raise InputError(
                f"These raw data were acquired slice by slice and cannot be cut across {axis}. Choose k, or volume."
            )
        return (seen, maps, spacing) if axis == "k" else _as_stack(seen, maps, spacing)
    if axis == "volume":
        return seen, maps, spacing
    left = {"k": (1, 2), "j": (0, 2), "i": (0, 1)}[axis]
    seen = stacked(seen[0], axis)
    return seen, None if maps is None else stacked(maps[0], axis), tuple(spacing[place] for place in left)


def _as_stack(
    seen: NDArray, maps: NDArray | None, spacing: tuple[float, ...]
) -> tuple[NDArray, NDArray | None, tuple[float, ...]]:
    """Slices as one volume (1, c, coils, n, h, w)."""
    stack = np.moveaxis(seen, 0, 2)[None]
    return stack, None if maps is None else np.moveaxis(maps, 0, 1)[None], (1.0, *spacing)


def _central(shape: tuple[int, ...], size: Sequence[int]) -> tuple[slice, ...]:
    starts = [n // 2 - m // 2 for n, m in zip(shape, size, strict=True)]
    return tuple(slice(start, start + m) for start, m in zip(starts, size, strict=True))


def _window(shape: tuple[int, ...], size: Sequence[int]) -> NDArray:
    """Hann windows of a block around DC, so that its sharp edge leaves no ringing."""
    window = np.zeros(shape, np.float32)
    block = np.ones((), np.float32)
    for m in size:
        block = block[..., None] * np.hanning(m + 2)[1:-1].astype(np.float32)
    window[_central(shape, size)] = block
    return window


def _normalised(images: NDArray) -> NDArray:
    """Smooth images (coils, ...) divided by their root of the sum of squares, inside the object."""
    from scipy import ndimage

    strength = np.sqrt((np.abs(images) ** 2).sum(axis=0))
    inside = strength > _SIGNAL * strength.max()
    maps = np.where(inside, images / np.maximum(strength, 1e-20), 0)
    smooth = np.stack([_gaussian(each.real) + 1j * _gaussian(each.imag) for each in maps])
    length = np.sqrt((np.abs(smooth) ** 2).sum(axis=0))
    wider = ndimage.binary_dilation(inside, iterations=2)
    return np.where(wider, smooth / np.maximum(length, 1e-12), 0).astype(np.complex64)


def _gaussian(values: NDArray) -> NDArray:
    from scipy import ndimage

    return ndimage.gaussian_filter(values, _SMOOTH)


def _partly(fraction: float) -> str:
    return (
        f"Of the k-space {100 * fraction:.3g} % was acquired and the rest is taken as 0: what counts as the full image "
        "is itself undersampled, and lines that were not acquired seem worthless."
    )


def _combination(options: DataOptions, coils: int) -> str:
    if options.coils == "rss":
        return f"{coils} coils are combined by the root of the sum of squares."
    return f"{coils} coils are combined with sensitivities estimated from the centre of k-space, without unfolding."
