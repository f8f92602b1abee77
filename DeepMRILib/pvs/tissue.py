"""Brightness as a fraction of cerebrospinal fluid, and white matter where no parcellation shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

COARSE = 3
"""Brightness that varies slowly is estimated on every third voxel along each axis."""
WIDTHS = (30.0, 20.0, 15.0, 12.0)
"""Standard deviations in mm of the Gaussians that the field is smoothed by, one after the other."""
FEWEST = 100
"""Fewer voxels tell nothing about a tissue."""


@dataclass(frozen=True, eq=False)
class Levels:
    """Brightness of white matter and of cerebrospinal fluid.

    Attributes:
        white: (i, j, k) float32, of white matter, slowly varying.
        contrast: of white matter less that of cerebrospinal fluid; negative on T2.
    """

    white: NDArray
    contrast: float

    def darkness(self, image: NDArray) -> NDArray:
        """An image as 0 in white matter to 1 in cerebrospinal fluid (i, j, k) float32, about its fraction of fluid."""
        middle = float(np.median(self.white))
        gain = np.clip(self.white / middle if middle > 0 else np.ones_like(self.white), 0.5, 2.0)
        return np.clip((self.white - image) / (gain * self.contrast), -1.0, 2.0).astype(np.float32)


def three_classes(values: NDArray, steps: int = 60) -> tuple[NDArray, NDArray, NDArray]:
    """Means, standard deviations and shares (3,) of a mixture of three Gaussians, from dark to bright.

    Expectation and maximisation on a histogram.
    """
    low, high = np.percentile(values, (0.5, 99.5))
    counts, edges = np.histogram(values, 200, (low, high if high > low else low + 1))
    x = (edges[1:] + edges[:-1]) / 2
    least = ((x[-1] - x[0]) / 100) ** 2
    means = low + (high - low) * np.array([0.2, 0.5, 0.8])
    variance = np.full(3, ((high - low) / 8) ** 2 + least)
    shares = np.full(3, 1 / 3)
    for _ in range(steps):
        weights = belonging(x, means, np.sqrt(variance), shares) * counts
        total = np.maximum(weights.sum(axis=1), 1e-9)
        means = weights @ x / total
        variance = np.maximum((weights * (x - means[:, None]) ** 2).sum(axis=1) / total, least)
        shares = total / total.sum()
    order = np.argsort(means)
    return means[order], np.sqrt(variance[order]), shares[order]


def belonging(values: NDArray, means: NDArray, deviations: NDArray, shares: NDArray) -> NDArray:
    """How far each value belongs to each class (classes, n), adding up to 1."""
    z = (values - means[:, None]) / deviations[:, None]
    density = shares[:, None] / deviations[:, None] * np.exp(-0.5 * z**2) + 1e-12
    return density / density.sum(axis=0)


def smoothed_inside(image: NDArray, inside: NDArray, sigma: float) -> NDArray:
    """An image smoothed by a Gaussian that sees only a region; beyond its reach, the region's mean."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma, truncate=3.0)
    found = ndimage.gaussian_filter(np.where(inside, image, 0).astype(np.float32), sigma, truncate=3.0)
    mean = float(image[inside].mean()) if inside.any() else 0.0
    # a little of the mean everywhere, so that the far tails of the Gaussian decide nothing
    return (found + 1e-4 * mean) / (weight + 1e-4)


def levels_in(image: NDArray, white: NDArray, fluid: NDArray) -> Levels | None:
    """Brightness where white matter (i, j, k) bool and fluid (i, j, k) bool are known; None where one is too small."""
    if np.count_nonzero(white) < FEWEST or np.count_nonzero(fluid) < FEWEST:
        return None
    level = float(np.median(image[white]))
    return Levels(_spread(image, white, WIDTHS[-1], image.shape), level - float(np.median(image[fluid])))


def levels_and_white(image: NDArray, brain: NDArray, dark: bool) -> tuple[Levels, NDArray] | None:
    """Brightness and white matter (i, j, k) bool where only the brain is known; None where it is evenly bright.

    Three classes of brightness are told apart, the field in which white matter's brightness varies is smoothed out,
    and both are repeated, with finer and finer fields (as in Wells et al., IEEE Trans Med Imaging 1996;15:429-442).

    Args:
        dark: cerebrospinal fluid is dark (T1); otherwise it is bright (T2).
    """
    step = (slice(None, None, COARSE),) * 3
    coarse, inside = image[step], brain[step]
    if np.count_nonzero(inside) < FEWEST or np.ptp(coarse[inside]) <= 0:
        return None
    field = np.ones_like(coarse)
    for width in WIDTHS:
        even = coarse / field
        means, deviations, shares = three_classes(even[inside])
        member = np.zeros(coarse.shape, dtype=bool)
        likely = belonging(even[inside], means, deviations, shares)
        member[inside] = likely[2 if dark else 0] > 0.5
        if np.count_nonzero(member) < FEWEST // 2:
            return None
        field = smoothed_inside(coarse, member, width / COARSE)
        field = np.maximum(field / field[member].mean(), 0.2)
    white, grey, fluid = means[::-1] if dark else means
    fluid = _fluid(even[inside], white, fluid, dark)
    fine = _enlarged(field, image.shape)
    even = image / fine
    middle = (white + grey) / 2
    found = brain & (even > middle if dark else even < middle)
    return Levels((fine * np.float32(white)), float(white - fluid)), found


def _fluid(values: NDArray, white: float, extreme: float, dark: bool) -> float:
    """The brightness of fluid, where the most extreme class has so much of it that it is fluid, or of its tail."""
    end = float(np.percentile(values, 0.2 if dark else 99.8))
    if abs(extreme - end) < abs(white - extreme) / 2:
        return extreme
    # so little fluid that the class is one of grey matter, far from the end
    middle = (extreme + end) / 2
    return float(np.median(values[values <= middle if dark else values >= middle]))


def _spread(image: NDArray, inside: NDArray, width: float, shape: tuple[int, ...]) -> NDArray:
    step = (slice(None, None, COARSE),) * 3
    return _enlarged(smoothed_inside(image[step], inside[step], width / COARSE), shape)


def _enlarged(coarse: NDArray, shape: tuple[int, ...]) -> NDArray:
    """A field on every third voxel as one on all (i, j, k) float32, linear between them."""
    for axis, length in enumerate(shape):
        at = np.arange(length) / COARSE
        low = np.minimum(at.astype(int), coarse.shape[axis] - 1)
        high = np.minimum(low + 1, coarse.shape[axis] - 1)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(3)]).astype(np.float32)
        coarse = np.take(coarse, low, axis) * (1 - part) + np.take(coarse, high, axis) * part
    return coarse.astype(np.float32)
