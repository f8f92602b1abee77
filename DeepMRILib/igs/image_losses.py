"""Losses of an image, and their derivatives: what patterns are searched by where there is no network.

All are means over images: each contrast of each slice (or volume) counts the same. PSNR and SSIM have the range of
each image's truth; of volumes the window of SSIM is a cube. ``network_losses`` holds the same in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WINDOW = 7
K1, K2 = 0.01, 0.03
LEAST_ERROR = 1e-10
"""Added to the mean squared error, as a fraction of the squared range: PSNR ends at 100 dB instead of infinity."""

ImageLoss = Callable[[NDArray, NDArray, NDArray, bool], tuple[NDArray, NDArray | None]]
"""``loss(images, truth, scale, slope)``: the loss of each image, and its derivative if ``slope``.

``images`` and ``truth`` are (n, c, h, w) or (n, c, d, h, w) magnitudes, ``scale`` (n, c) is as in ``scales``; what is
returned are (n, c) values and their derivatives, of the shape of ``images``.
"""


def scales(name: str, truth: NDArray, deviation: NDArray) -> NDArray:
    """(n, c) what differences are measured in: for l1 the standard deviation of the full image, else the truth's range.

    An image without contrast (all air) would divide by 0: the largest magnitude takes its place, or 1.
    """
    flat = truth.reshape(*truth.shape[:2], -1)
    largest = np.abs(flat).max(axis=2)
    found = deviation if name == "l1" else np.ptp(flat, axis=2)
    floor = np.where(largest > 0, largest, 1.0)
    return np.where(found > 1e-6 * floor, found, floor).astype(truth.dtype)


def l1(images: NDArray, truth: NDArray, scale: NDArray, slope: bool) -> tuple[NDArray, NDArray | None]:
    """Mean of |r - truth| over the pixels, divided by the full image's standard deviation."""
    difference = images - truth
    factor = 1 / (scale * _pixels(images))
    values = np.abs(difference).sum(axis=_spatial(images), dtype=np.float64) * factor
    return values, (np.sign(difference) * _spread(factor, images) if slope else None)


def psnr(images: NDArray, truth: NDArray, scale: NDArray, slope: bool) -> tuple[NDArray, NDArray | None]:
    """-PSNR in dB: 10 log10(mean squared error / range^2), with the range of the truth."""
    difference = images - truth
    error = (difference**2).sum(axis=_spatial(images), dtype=np.float64) / _pixels(images)
    relative = error / scale**2 + LEAST_ERROR
    values = 10 * np.log10(relative)
    if not slope:
        return values, None
    factor = 20 / (np.log(10) * _pixels(images) * scale**2 * relative)
    return values, difference * _spread(factor.astype(images.dtype), images)


def ssim(images: NDArray, truth: NDArray, scale: NDArray, slope: bool) -> tuple[NDArray, NDArray | None]:
    """1 - SSIM (Wang et al., IEEE Trans Image Process 2004;13:600, eq. 13), from 0 to 2.

    A uniform window of 7 pixels along each axis (fewer in smaller images), at the places where it lies inside the
    image; variances of samples; the truth's range; constants 0.01 and 0.03.
    """
    x, y = images / _spread(scale, images), truth / _spread(scale, images)
    window = _Window(images.shape)
    mean_x, mean_y = window.mean(x), window.mean(y)
    var_x = window.unbiased * (window.mean(x * x) - mean_x**2)
    var_y = window.unbiased * (window.mean(y * y) - mean_y**2)
    cov = window.unbiased * (window.mean(x * y) - mean_x * mean_y)
    top_mean, top_cov = 2 * mean_x * mean_y + K1**2, 2 * cov + K2**2
    low_mean, low_var = mean_x**2 + mean_y**2 + K1**2, var_x + var_y + K2**2
    lower = low_mean * low_var
    similarity = top_mean * top_cov / lower
    values = 1 - similarity.mean(axis=_spatial(images), dtype=np.float64)
    if not slope:
        return values, None
    by_var = -window.unbiased * similarity / low_var
    by_cov = 2 * window.unbiased * top_mean / lower
    by_mean = 2 * mean_y * top_cov / lower - 2 * mean_x * similarity / low_mean
    through_mean = by_mean - 2 * mean_x * by_var - mean_y * by_cov
    rise = window.back(through_mean) + 2 * x * window.back(by_var) + y * window.back(by_cov)
    return values, rise * _spread(-1 / (scale * _pixels(similarity)), images)


LOSSES: dict[str, ImageLoss] = {"l1": l1, "ssim": ssim, "psnr": psnr}


class _Window:
    """The mean over a window at each place where it fits, and the transpose of that."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.axes = tuple(range(2, len(shape)))
        # of odd width, so that the window has a middle
        self.widths = [min(WINDOW, n - 1 + n % 2) for n in shape[2:]]
        self.inside = (
            slice(None),
            slice(None),
            *[slice(width // 2, n - width // 2) for n, width in zip(shape[2:], self.widths, strict=True)],
        )
        self.shape = shape
        count = int(np.prod(self.widths))
        self.unbiased = count / max(count - 1, 1)

    def mean(self, images: NDArray) -> NDArray:
        return self._filtered(images)[self.inside]

    def back(self, values: NDArray) -> NDArray:
        whole = np.zeros(self.shape, dtype=values.dtype)
        whole[self.inside] = values
        return self._filtered(whole)

    def _filtered(self, images: NDArray) -> NDArray:
        from scipy.ndimage import uniform_filter1d

        for axis, width in zip(self.axes, self.widths, strict=True):
            images = uniform_filter1d(images, width, axis=axis, mode="constant")
        return images


def _spatial(images: NDArray) -> tuple[int, ...]:
    return tuple(range(2, images.ndim))


def _pixels(images: NDArray) -> int:
    return int(np.prod(images.shape[2:]))


def _spread(values: NDArray, images: NDArray) -> NDArray:
    """(n, c) as (n, c, 1, 1) or (n, c, 1, 1, 1), of the images' type."""
    return np.asarray(values, dtype=images.dtype).reshape(*values.shape, *[1] * (images.ndim - 2))
