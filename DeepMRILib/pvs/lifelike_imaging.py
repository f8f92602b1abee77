"""How a scanner and the way to 1 mm change a life-like patch: blur, thick slices, motion, noise, bias field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.lifelike_anatomy import voxel_grid
from DeepMRILib.random_fields import Random, log_uniform, smooth_noise

WHITE_AT = (0.54, 0.77)
"""Brightness of white matter in prepared images, where 1/1.3 is the 99th percentile of the brain."""


def imaged(random: Random, image: NDArray, margin: int) -> NDArray:
    """What becomes of a patch (n, n, n) with white matter at 1: (n - 2 margin)^3 float32, in [0, 1]."""
    edge = image.shape[0]
    image = _bias(random, image)
    if random.random() < 0.12:
        image = _moved(random, image)
    scanned, returned = _point_spread(random, edge)
    kept = np.eye(edge, dtype=np.float32)[margin : edge - margin]
    returned = [kept @ matrix for matrix in returned]
    image = _along_axes(image, scanned)
    image = np.abs(_noisy(random, image))
    image = _along_axes(image, returned)
    return _scaled(random, image)


def _along_axes(image: NDArray, matrices: list[NDArray]) -> NDArray:
    """A matrix (m, n) applied along each axis."""
    for matrix in matrices:  # tensordot puts the new axis last, so that three steps come round
        image = np.tensordot(image, matrix, axes=(0, 1))
    return image


def _bias(random: Random, image: NDArray) -> NDArray:
    """A smooth field of up to 30 % either way."""
    field = smooth_noise(random, voxel_grid(image.shape), random.uniform(40, 90))
    return image * np.exp(random.uniform(0, 0.12) * np.clip(field, -2, 2))


def _point_spread(random: Random, edge: int) -> tuple[list[NDArray], list[NDArray]]:
    """Matrices along each axis: from the patch to the scanner's voxels, and from those back."""
    scanned, returned = [], []
    thick = int(random.integers(3)) if random.random() < 0.12 else -1
    fwhm = random.uniform(0.5, 1.2)
    other = random.random() < 0.5  # the scanner's voxels are not those of the patch
    step = log_uniform(random, 0.7, 1.2) if other else 1.0
    for axis in range(3):
        width = (log_uniform(random, 1.5, 4.0)) if axis == thick else step
        matrix = _gaussian(edge, fwhm / 2.355)
        if random.random() < 0.5:
            matrix = _cut_off(edge, random.uniform(0.72, 1.0)) @ matrix
        if width == 1.0:
            scanned.append(matrix)
            returned.append(np.eye(edge, dtype=np.float32))
            continue
        positions = np.arange(random.uniform(0, width), edge - 0.5, width)
        scanned.append(_averaged(positions, width, edge) @ matrix)
        returned.append(_interpolation(np.arange(edge), positions, smooth=random.random() < 0.7))
    return scanned, returned


def _gaussian(edge: int, sigma: float) -> NDArray:
    """Blur, with the edge's value beyond the edge."""
    away = np.subtract.outer(np.arange(edge), np.arange(edge))
    weights = np.exp(-0.5 * (away / max(sigma, 0.1)) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _cut_off(edge: int, kept: float) -> NDArray:
    """The highest frequencies left out, as where k-space ends: Gibbs' ripples."""
    spectrum = np.abs(np.fft.fftfreq(edge)) <= kept / 2
    return np.fft.ifft(np.fft.fft(np.eye(edge), axis=0) * spectrum[:, None], axis=0).real.astype(np.float32)


def _averaged(positions: NDArray, width: float, edge: int) -> NDArray:
    """The mean over voxels of a width around positions; neighbours share what lies between them."""
    away = np.abs(np.subtract.outer(positions, np.arange(edge)))
    weights = np.clip((max(width, 1.0) + 1) / 2 - away, 0, 1) if width >= 1 else np.clip(1 - away, 0, 1)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _interpolation(at: NDArray, positions: NDArray, *, smooth: bool) -> NDArray:
    """From values at equidistant positions to others: cubic (Keys' kernel) or linear."""
    width = positions[1] - positions[0]
    u = np.abs(np.subtract.outer(at, positions)) / width
    if smooth:
        near = 1.5 * u**3 - 2.5 * u**2 + 1
        far = -0.5 * u**3 + 2.5 * u**2 - 4 * u + 2
        weights = np.where(u < 1, near, np.where(u < 2, far, 0))
    else:
        weights = np.clip(1 - u, 0, 1)
    total = weights.sum(axis=1, keepdims=True)
    nearest = (u == u.min(axis=1, keepdims=True)).astype(float)
    weights = np.where(total > 0.5, weights / np.where(total > 0.5, total, 1), nearest)
    return weights.astype(np.float32)


def _moved(random: Random, image: NDArray) -> NDArray:
    """The head at another place in part of the phase-encoding steps."""
    axis, edge = int(random.integers(3)), image.shape[0]
    shifted = np.stack([random.uniform(-1, 1, 2) * log_uniform(random, 0.3, 2) for _ in range(2)])
    spectrum = np.fft.fft(image, axis=axis)
    lines = np.arange(edge)
    order = np.argsort(np.fft.fftfreq(edge))
    for along, aside in shifted:
        start = int(random.integers(edge))
        if abs(start - edge // 2) < edge // 10:
            continue  # the middle of k-space decides where the head is seen
        segment = order[start : start + int(random.integers(2, edge // 4))]
        other = np.roll(image, int(np.rint(aside)), axis=(axis + 1) % 3)
        ramp = np.exp(-2j * np.pi * np.fft.fftfreq(edge)[segment] * along)
        part = np.tensordot(np.exp(-2j * np.pi * np.outer(segment, lines) / edge), other, axes=(1, axis))
        part *= ramp[:, None, None]
        np.moveaxis(spectrum, axis, 0)[segment] = part
    return np.abs(np.fft.ifft(spectrum, axis=axis)).astype(np.float32)


def _noisy(random: Random, image: NDArray) -> NDArray:
    """Rician noise, 1/10 to 1/80 of white matter."""
    sigma = np.float32(1 / log_uniform(random, 10, 80))
    real = image + sigma * random.standard_normal(image.shape, dtype=np.float32)
    imaginary = sigma * random.standard_normal(image.shape, dtype=np.float32)
    return np.sqrt(real**2 + imaginary**2)


def _scaled(random: Random, image: NDArray) -> NDArray:
    """Gamma, then the scale of prepared images."""
    image = np.maximum(image, 0)
    if random.random() < 0.5:
        image **= np.float32(log_uniform(random, 0.7, 1.4))
    return np.minimum(image * np.float32(random.uniform(*WHITE_AT)), 1).astype(np.float32)
