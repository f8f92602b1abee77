"""Phantoms: seeded datasets that anyone may have, to try methods on and to test them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs import phantom_lesions, phantom_ring, phantom_stripe
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.phantom_drawing import slice_random
from DeepMRILib.progress import Progress, silent

SMALLEST = 16
MAX_PIXELS = 100_000_000
"""Of all slices together: 800 MB of complex numbers."""
NOTE = "The anatomy is drawn, not measured: it is for trying and testing methods."

Draw = Callable[..., tuple[NDArray, NDArray]]


def ring_phantom(
    n: int = 48, size: int = 128, seed: int = 0, phase: bool = True, noise: float = 0.012,
    *, progress: Progress | None = None,
) -> SliceDataset:  # fmt: skip
    """Cardiac-like slices: a ring of heart muscle 2 to 4 pixels thick at 128 x 128, its cavity, the right ventricle.

    Args:
        n: slices, each a heart of its own.
        size: rows and columns of a field of view of 345 mm.
        seed: of all random numbers; the first slices of a larger set are those of a smaller one.
        phase: complex images with a smooth random phase, as a scanner gives them; else magnitudes.
        noise: standard deviation of the complex noise, fat being about 1.
        progress: told how far it is; may raise ``Cancelled``.

    Returns:
        images (n, 1, size, size) and labels 1 myocardium, 2 left ventricle, 3 right ventricle.

    Raises:
        InputError: no slice, one of fewer than 16 rows, or more than fit into memory.

    Example:
        >>> hearts = ring_phantom(2, 64)
        >>> hearts.images.shape, hearts.images.dtype.name, sorted(hearts.names.values())
        ((2, 1, 64, 64), 'complex64', ['left ventricle', 'myocardium', 'right ventricle'])
    """
    draw = partial(phantom_ring.ring_slice, size, phase=phase, noise=noise)
    return _dataset(draw, phantom_ring, n=n, size=size, seed=seed, progress=progress)


def lesion_phantom(
    n: int = 48, size: int = 128, seed: int = 0, phase: bool = False, noise: float = 0.012,
    *, progress: Progress | None = None,
) -> SliceDataset:  # fmt: skip
    """Brain-like slices with one to seven lesions of 2 to 6 pixels' radius at 128 x 128.

    Arguments and errors as for ``ring_phantom``; the field of view is 230 mm.

    Returns:
        images (n, 1, size, size) and labels 1 brain, 2 lesion.

    Example:
        >>> lesion_phantom(2, 64).names
        {1: 'brain', 2: 'lesion'}
    """
    draw = partial(phantom_lesions.lesion_slice, size, phase=phase, noise=noise)
    return _dataset(draw, phantom_lesions, n=n, size=size, seed=seed, progress=progress)


def stripe_phantom(
    n: int = 96, size: int = 64, frequency: int = 14, seed: int = 0, noise: float = 0.012,
    *, progress: Progress | None = None,
) -> SliceDataset:  # fmt: skip
    """A planted signal: a region that only stripes of one spatial frequency along the columns (axis -1) tell.

    The lines that hold it are those around ``frequency`` on either side of DC; the centre is useless for it. A search
    that works finds them.

    Args:
        n, size, seed, noise, progress: as for ``ring_phantom``.
        frequency: in cycles per field of view, from 1 to less than half the size.

    Returns:
        magnitudes (n, 1, size, size) and the label 1, striped.

    Raises:
        InputError: as for ``ring_phantom``, or a frequency that the pixels cannot show.

    Example:
        >>> stripe_phantom(2, 32, frequency=8).images.shape
        (2, 1, 32, 32)
    """
    if not 1 <= frequency < size / 2:
        raise InputError(
            f"Stripes of {frequency} cycles cannot be shown with {size} columns. Choose 1 to {(size - 1) // 2}."
        )
    draw = partial(phantom_stripe.stripe_slice, size, frequency=frequency, noise=noise)
    return _dataset(draw, phantom_stripe, n=n, size=size, seed=seed, progress=progress)


def _dataset(draw: Draw, kind: ModuleType, *, n: int, size: int, seed: int, progress: Progress | None) -> SliceDataset:
    if n < 1 or size < SMALLEST or n * size * size > MAX_PIXELS:
        raise InputError(
            f"{n} slices of {size} x {size} cannot be made. Choose at least one of at least {SMALLEST} x {SMALLEST}, "
            f"and at most {MAX_PIXELS // 10**6} million pixels in all."
        )
    progress = progress or silent
    images, labels = [], []
    for number in range(n):
        progress(number / n, f"Drawing slice {number + 1} of {n}")
        image, label = draw(random=slice_random(seed, number))
        images.append(image)
        labels.append(label)
    spacing = (kind.FIELD_OF_VIEW / size,) * 2
    return SliceDataset(np.stack(images)[:, None], np.stack(labels), kind.NAMES, spacing=spacing, notes=(NOTE,))
