"""What a scanner would add to magnitude images: a smooth phase, and noise."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.measuring import combined
from DeepMRILib.igs.splitting import rows_of_cases, with_notes

_ORDER = 3
"""Cosines along each axis that a phase is made of: at most one and a half periods over the field of view."""


def with_phase(dataset: SliceDataset, radians: float, seed: int) -> SliceDataset:
    """Magnitude images with a smooth random phase, of which the largest value in each slice is ``radians``.

    The k-space of an image without phase is its own mirror image, so that one half of it tells the other; that of a
    scan is not. The phase is a sum of slow cosines with random weights, another one in each slice, the same in all
    contrasts.

    Raises:
        InputError: the images have a phase of their own.
    """
    if np.iscomplexobj(dataset.images) or dataset.coil_images is not None:
        raise InputError(
            "The images are complex and have a phase of their own; a phase can be added to magnitude images only. "
            "Set the phase to 0."
        )
    turned = np.empty(dataset.images.shape, np.complex64)
    for row, (image, random) in enumerate(_with_random(dataset.images, seed, 1)):
        turned[row] = image * np.exp(1j * smooth_phase(image.shape[1:], radians, random))
    note = f"A smooth random phase of up to {radians:g} rad was added to the magnitudes (seed {seed})."
    return with_notes(replace(dataset, images=turned), note)


def smooth_phase(shape: tuple[int, ...], radians: float, random: np.random.Generator) -> NDArray:
    """A smooth field (h, w), or (d, h, w), whose largest absolute value is ``radians``."""
    field = random.standard_normal((_ORDER + 1,) * len(shape))
    field.flat[0] = 0  # a constant phase changes nothing
    for n in shape:
        positions = (np.arange(n) + 0.5) / n
        waves = np.cos(np.pi * np.arange(_ORDER + 1)[:, None] * positions) / (1 + np.arange(_ORDER + 1)[:, None]) ** 2
        field = np.tensordot(field, waves, axes=(0, 0))
    return field * (radians / max(float(np.abs(field).max()), 1e-12))


def with_noise(dataset: SliceDataset, sigma: float, seed: int) -> SliceDataset:
    """Images whose k-space has white complex noise, of each coil on its own; ``reference`` keeps the clean magnitudes.

    Args:
        dataset: magnitudes, complex images, or images of coils.
        sigma: standard deviation of the real and of the imaginary part, as a fraction of the mean magnitude of the
            case in that contrast. The Fourier transform is orthonormal: it is the same in k-space and in the image.
        seed: of the random numbers.
    """
    clean = dataset.truth()
    level = sigma * _mean_signal(dataset)
    seen = dataset.images if dataset.coil_images is None else dataset.coil_images
    noisy = np.empty(seen.shape, np.complex64)
    for row, (image, random) in enumerate(_with_random(seen, seed, 2)):
        drawn = random.standard_normal((2, *image.shape), dtype=np.float32)
        scale = level[row].reshape(-1, *[1] * (image.ndim - 1))
        noisy[row] = image + scale * (drawn[0] + 1j * drawn[1])
    note = (
        f"Noise with a standard deviation of {sigma:g} times the mean signal was added to k-space (seed {seed}); "
        "reconstructions are compared with the images before it."
    )
    if dataset.coil_images is None:
        return with_notes(replace(dataset, images=noisy, reference=clean), note)
    images = combined(noisy, replace(dataset, reference=clean))
    return with_notes(replace(dataset, images=images, coil_images=noisy, reference=clean), note)


def _with_random(images: NDArray, seed: int, what: int) -> Iterator[tuple[NDArray, np.random.Generator]]:
    """Each image with random numbers of its own, the same whichever part of the data it is read with.

    Numbers by the place in the dataset would give the slices of every part the same phases: a pattern would be tested
    on those that it was selected by.
    """
    met: Counter[int] = Counter()
    for image in images:
        key = zlib.crc32(np.ascontiguousarray(image).data)
        yield image, np.random.default_rng((seed, what, key, met[key]))
        met[key] += 1


def _mean_signal(dataset: SliceDataset) -> NDArray:
    """(n, c) float32: the mean magnitude of the case that each slice is of, in each contrast."""
    each = dataset.magnitude().reshape(len(dataset), dataset.contrasts, -1).mean(axis=2, dtype=np.float64)
    for rows in rows_of_cases(dataset).values():
        each[rows] = each[rows].mean(axis=0)
    return each.astype(np.float32)
