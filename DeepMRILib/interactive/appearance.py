"""How much a voxel's brightness looks like a lesion or like its surroundings, learned from a first answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

BINS = 64
FLOOR = 0.05
"""The share of a class that may have any brightness at all: it bounds what one brightness can prove."""
BLUR = 1.5
"""Standard deviation in bins of the Gaussian that histograms are smoothed with."""
OUTLIERS = (0.5, 99.5)
UNSURE = 0.3
"""A difference of local means, in standard deviations of the image, below which they decide little."""


@dataclass(frozen=True, eq=False)
class Brightness:
    """The brightness of one channel in bins.

    Attributes:
        low, high: of the range that the bins share; beyond it the outer bins.
    """

    low: float
    high: float

    @classmethod
    def of(cls, image: NDArray) -> Brightness:
        """Bins for an image (i, j, k)."""
        low, high = np.percentile(image, OUTLIERS)
        return cls(float(low), float(max(high, low + 1e-6)))

    def bins(self, image: NDArray) -> NDArray:
        """The bin of each voxel."""
        scale = np.float32(BINS / (self.high - self.low))
        return np.clip((image - np.float32(self.low)) * scale, 0, BINS - 1).astype(np.uint8)


def odds(bins: NDArray, inside: NDArray, outside: NDArray) -> NDArray:
    """The logarithm (bins,) float32 of how much more often a brightness is found inside than outside.

    Args:
        bins: the bin of each voxel.
        inside, outside: how much each voxel counts for either.
    """
    frequencies = []
    for weights in (inside, outside):
        counts = np.bincount(bins.ravel(), weights.ravel(), BINS)
        share = ndimage.gaussian_filter1d(counts / max(counts.sum(), 1e-6), BLUR)
        frequencies.append(share + FLOOR / BINS)
    return np.log(frequencies[0] / frequencies[1]).astype(np.float32)


def local_means(image: NDArray, weights: NDArray, sigma: NDArray) -> NDArray:
    """The mean brightness (i, j, k) around each voxel of what counts, far from it all the mean of all."""
    mean = float((image * weights).sum() / max(float(weights.sum()), 1e-6))
    near = ndimage.gaussian_filter(weights, sigma, truncate=2.0)
    total = ndimage.gaussian_filter(image * weights, sigma, truncate=2.0)
    return (total + np.float32(1e-3 * mean)) / (near + np.float32(1e-3))


def side_of_edge(image: NDArray, inside: NDArray, outside: NDArray) -> NDArray:
    """How far a brightness lies beyond half way between the local means outside and inside, from -3 to 3."""
    step = inside - outside
    lead = 4 * (image - (inside + outside) / 2) * step / (np.abs(step) + np.float32(UNSURE)) ** 2
    return np.clip(lead, -3, 3)
