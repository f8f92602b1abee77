"""Small datasets for tests of k-space patterns, seeded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs import SliceDataset


def complex_noise(shape: tuple[int, ...], seed: int = 0) -> NDArray:
    """Standard normal real and imaginary parts."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def smooth_images(shape: tuple[int, ...], seed: int = 0, *, phase: bool = True) -> NDArray:
    """Random walks along rows and columns: most energy near DC, as in images of people."""
    images = complex_noise(shape, seed).cumsum(axis=-2).cumsum(axis=-1)
    return images if phase else np.abs(images)


def smooth(shape: tuple[int, ...] = (6, 1, 24, 20), seed: int = 0, *, phase: bool = True) -> SliceDataset:
    """Slices (or volumes) without labels."""
    return SliceDataset(smooth_images(shape, seed, phase=phase))


def with_coils(shape: tuple[int, ...], coils: int, *, sense: bool, seed: int = 0) -> SliceDataset:
    """Slices seen by several coils: images are their combination by the root of the sum of squares."""
    n, c, *spatial = shape
    seen = complex_noise((n, c, coils, *spatial), seed)
    maps = complex_noise((n, coils, *spatial), seed + 1) if sense else None
    return SliceDataset(np.sqrt((np.abs(seen) ** 2).sum(axis=2)), coil_images=seen, sensitivities=maps)
