"""Losses of logits and of images, each slice by itself: their mean over slices does not depend on the batch.

Dice and cross entropy compare logits with labels, the others images with images. ``image_losses`` holds the same
image losses in numpy.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from DeepMRILib.errors import InputError

LossFunction = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""``loss(outputs, target)``: (b,) a number for each slice; a trainer takes the mean."""

DICE_SHARE = 0.75
"""Of Dice in ``dice_ce``; cross entropy has the rest (as in the authors' code)."""
WINDOW = 7
"""Edge of the square windows of SSIM, as in fastMRI; of smaller images the largest odd one that they hold."""
K1, K2 = 0.01, 0.03
"""Constants of SSIM, of the range (Wang et al., IEEE Trans Image Process 2004;13:600)."""
LEAST = 1e-10
"""Keeps ranges and squared errors away from 0: the highest PSNR is 100 dB."""


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
    labels = target.flatten(1)[:, None]
    overlap = torch.zeros_like(p).scatter_(1, labels, p.gather(1, labels)).sum(2)
    truth = torch.zeros_like(p).scatter_(1, labels, 1.0).sum(2)
    present = truth > 0
    scores = 2 * overlap / (p.sum(2) + truth)
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
    """-PSNR in dB, mean over contrasts: 10 log10(mean squared difference / range^2), range the target's maximum.

    Args:
        images, target: (b, c, *spatial) magnitudes in one unit, whichever.
    """
    wide = target.flatten(2).amax(2).clamp_min(LEAST)
    error = (images - target).square().flatten(2).mean(2) / wide.square()
    return 10 * torch.log10(error.clamp_min(LEAST)).mean(1)


def ssim(images: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - SSIM, mean over contrasts; windows of 7 x 7 within the image, range the target's maximum, as fastMRI has it.

    Volumes are looked at slice by slice, with the range of the volume.

    Args:
        images, target: (b, c, *spatial) magnitudes in one unit, whichever.
    """
    wide = target.flatten(2).amax(2).clamp_min(LEAST).reshape(*target.shape[:2], *[1] * (target.ndim - 2))
    rows, columns = target.shape[-2:]
    flat = [(image / wide).reshape(-1, 1, rows, columns) for image in (images, target)]
    similarity = _similarity(*flat).reshape(*target.shape[:2], -1)
    return 1 - similarity.mean(2).mean(1)


def _similarity(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """SSIM of each window of images (m, 1, h, w) of range 1."""
    edge = (min(WINDOW, *one.shape[-2:]) - 1) // 2 * 2 + 1
    unbiased = edge**2 / max(edge**2 - 1, 1)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(values, edge, stride=1)

    mean_one, mean_other = mean(one), mean(other)
    variance_one = unbiased * (mean(one * one) - mean_one * mean_one)
    variance_other = unbiased * (mean(other * other) - mean_other * mean_other)
    covariance = unbiased * (mean(one * other) - mean_one * mean_other)
    light = (2 * mean_one * mean_other + K1**2) / (mean_one**2 + mean_other**2 + K1**2)
    structure = (2 * covariance + K2**2) / (variance_one + variance_other + K2**2)
    return light * structure


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
