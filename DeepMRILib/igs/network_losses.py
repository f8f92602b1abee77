"""Losses of logits and of images, each slice by itself: their mean over slices does not depend on the batch.

Dice and cross entropy compare logits with labels, the others images with images. ``image_losses`` holds the same
image losses in numpy.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from DeepMRILib.errors import InputError

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""``loss(outputs, target)``: (b,) a number for each slice; a trainer takes the mean."""

DICE_SHARE = 0.75
"""Of Dice in ``dice_ce``; cross entropy has the rest (as in the authors' code)."""
WINDOW = 7
"""Edge of the windows of SSIM; of smaller images the largest odd one that they hold."""
K1, K2 = 0.01, 0.03
LEAST_ERROR = 1e-10
"""Added to the mean squared error, as a fraction of the squared range: PSNR ends at 100 dB instead of infinity."""


def dice(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - soft Dice of the softmax, mean over the classes that a slice holds, background among them.

    Dice of a class is 2 sum(p q) / (sum(p) + sum(q)), p its probability and q its mask. A class that a slice lacks has
    no Dice; where the network sees it all the same, the classes that are there lose those pixels, background first.
    So a slice without any structure has a loss too, and no constant is needed against 0 / 0.

    Args:
        logits: (b, classes, *spatial).
        target: (b, *spatial) whole numbers below ``classes``.

    Example:
        >>> logits = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])
        >>> [round(float(dice(logits, torch.tensor([[[0, label]]]))), 3) for label in (1, 0)]
        [0.0, 0.333]
    """
    p = logits.softmax(dim=1).flatten(2)
    classes = torch.arange(p.shape[1], dtype=target.dtype, device=target.device)
    q = (target.flatten(1)[:, None] == classes[:, None]).to(p.dtype)
    size = q.sum(2)
    scores = 2 * (p * q).sum(2) / (p.sum(2) + size)
    present = size > 0
    return 1 - (scores * present).sum(1) / present.sum(1)


def cross_entropy(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy of (b, classes) with classes (b,), or of (b, classes, *spatial) with labels, mean over pixels."""
    return functional.cross_entropy(logits, target, reduction="none").reshape(len(target), -1).mean(1)


def dice_ce(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """0.75 (1 - Dice) + 0.25 cross entropy."""
    return DICE_SHARE * dice(logits, target) + (1 - DICE_SHARE) * cross_entropy(logits, target)


def l1(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of (b, c, *spatial); in deviations of the full image where both are divided by it."""
    return (images - target).abs().flatten(1).mean(1)


def psnr(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """-PSNR in dB, mean over contrasts: 10 log10(mean squared difference / range^2), with the range of the target.

    Args:
        images, target: (b, c, *spatial) magnitudes in one unit, whichever.
    """
    error = ((images - target) / _ranges(target)).square().flatten(2).mean(2)
    return 10 * torch.log10(error + LEAST_ERROR).mean(1)


def ssim(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - SSIM, mean over contrasts and over the windows that lie inside the image (Wang et al. 2004, eq. 13).

    Windows are squares of 7 pixels, cubes in volumes, uniform; variances are of samples; the target's range counts.

    Args:
        images, target: (b, c, *spatial) magnitudes in one unit, whichever.
    """
    wide = _ranges(target)
    x, y = images / wide, target / wide
    # of odd width, so that the window has a middle
    window = [min(WINDOW, n - 1 + n % 2) for n in target.shape[2:]]
    pixels = math.prod(window)
    unbiased = pixels / max(pixels - 1, 1)
    pool = functional.avg_pool2d if target.ndim == 4 else functional.avg_pool3d

    def mean(values: torch.Tensor) -> torch.Tensor:
        return pool(values, window, stride=1)

    mean_x, mean_y = mean(x), mean(y)
    variances = unbiased * (mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2)
    covariance = unbiased * (mean(x * y) - mean_x * mean_y)
    light = (2 * mean_x * mean_y + K1**2) / (mean_x**2 + mean_y**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variances + K2**2)
    return 1 - (light * structure).flatten(1).mean(1)


def _ranges(target: torch.Tensor) -> torch.Tensor:
    """(b, c, 1, 1) the range of each image; of one without contrast its largest magnitude, or 1."""
    flat = target.flatten(2)
    low, high = flat.aminmax(dim=2)
    largest = torch.maximum(high.abs(), low.abs())
    floor = torch.where(largest > 0, largest, 1.0)
    wide = torch.where(high - low > 1e-6 * floor, high - low, floor)
    return wide.reshape(*wide.shape, *[1] * (target.ndim - 2))


LOSSES: dict[str, LossFunction] = {
    "dice": dice,
    "dice_ce": dice_ce,
    "ce": cross_entropy,
    "l1": l1,
    "ssim": ssim,
    "psnr": psnr,
}


def loss_function(name: str) -> LossFunction:
    """The loss of a name: ``loss(outputs, target)`` gives a number for each slice (b,).

    Of ``dice``, ``dice_ce`` and ``ce`` the outputs are logits and the target labels; of ``l1``, ``ssim`` and ``psnr``
    both are magnitude images (b, c, *spatial), for the search divided by the deviation of the full image.

    Raises:
        InputError: no loss has this name.
    """
    if name not in LOSSES:
        raise InputError(f"The loss {name!r} is not known; choose one of {', '.join(LOSSES)}.")
    return LOSSES[name]
