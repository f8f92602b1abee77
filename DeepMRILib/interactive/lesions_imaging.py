"""How a generated scene becomes an image: blur, thick slices, bias field, noise, a scale of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.random_fields import Grid, Random, log_uniform, smooth_noise


@dataclass(frozen=True, eq=False)
class GeneratedLesion:
    """A generated image with a lesion.

    Attributes:
        image: (i, j, k) float32.
        label: (i, j, k) bool, the lesion in one piece.
        spacing: voxel edges in mm along i, j and k.
    """

    image: NDArray
    label: NDArray
    spacing: tuple[float, float, float]


def imaged(random: Random, grid: Grid, values: NDArray, inside: NDArray, slices: tuple[int, int]) -> GeneratedLesion:
    """The scene as a scanner shows it; ``slices``: how many points of the grid make one, and along which axis."""
    thickness, axis = slices
    step = float(grid.axes[0][1] - grid.axes[0][0])
    blurred = ndimage.gaussian_filter(values, random.uniform(0.25, 0.8))
    start = int(random.integers(thickness))
    image = _slices(blurred, thickness, axis, start)
    label = _slices(inside.astype(np.float32), thickness, axis, start) >= 0.5
    spacing = [step] * 3
    spacing[axis] = step * thickness
    axes = [part[:count] for part, count in zip(grid.axes, image.shape, strict=True)]
    axes[axis] = axes[axis] * thickness
    return GeneratedLesion(_signal(random, Grid(tuple(axes)), image), label, tuple(spacing))


def _slices(values: NDArray, thickness: int, axis: int, start: int) -> NDArray:
    """Means over ``thickness`` neighbours along one axis."""
    if thickness == 1:
        return values
    moved = np.moveaxis(values, axis, 0)[start:]
    count = len(moved) // thickness
    means = moved[: count * thickness].reshape(count, thickness, *moved.shape[1:]).mean(axis=1)
    return np.ascontiguousarray(np.moveaxis(means, 0, axis))


def _signal(random: Random, grid: Grid, image: NDArray) -> NDArray:
    """With a bias field, noise, and values on another scale."""
    low, high = np.percentile(image, [0.5, 99.5])
    image = (image - low) + random.uniform(0.1, 1.0) * (high - low)
    if random.random() < 0.7:
        image = image * np.exp(random.uniform(0, 0.25) * smooth_noise(random, grid, random.uniform(30, 90)))
    noise = 1 / log_uniform(random, 1.5, 20)
    grain = random.choice([0.0, random.uniform(0.3, 0.8)])
    real, imaginary = (_grain(random, image.shape, grain) * noise for _ in range(2))
    image = np.hypot(image + real, imaginary) if random.random() < 0.5 else image + real
    if random.random() < 0.4:
        low, high = image.min(), image.max()
        image = ((image - low) / (high - low)) ** log_uniform(random, 0.6, 1.7)
    return image.astype(np.float32)


def _grain(random: Random, shape: tuple[int, ...], sigma: float) -> NDArray:
    """White noise of standard deviation 1, or such noise smoothed over ``sigma`` voxels."""
    noise = random.standard_normal(shape, dtype=np.float32)
    if sigma:
        noise = ndimage.gaussian_filter(noise, sigma)
        noise /= noise.std()
    return noise
