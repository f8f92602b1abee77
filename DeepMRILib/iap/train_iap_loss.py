"""What a network for acquisition parameters is trained to make small: one loss for all heads, labels missing or not."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn
from torch.nn import functional

from DeepMRILib.iap.layout import Head, Layout
from DeepMRILib.iap.network_iap import IAPNetwork
from DeepMRILib.network_half import computing, half_type

LOG_DEVIATION = (-5.0, 3.0)
"""Between which a number's log deviation is held, in units of the standardised target."""
BALANCE = 0.5
"""beta of Seitzer et al. (ICLR 2022): 0 is the plain likelihood, whose hard samples are learned from less and less."""
ORDINAL = 1.0
"""Weight of the squared earth mover's distance beside the cross-entropy (Hou, Yu and Samaras 2016)."""
LOG_WEIGHTS = (-1.5, 1.5)
"""Between which the heads' log variances stay: a head that is always right would else outweigh all others."""


class Lesson(nn.Module):
    """A network with the log variances of its heads of classes, which are learned with it (Kendall et al., CVPR 2018).

    Heads of numbers need none: their own deviation does the same for each sample.
    """

    def __init__(self, network: IAPNetwork, layout: Layout) -> None:
        super().__init__()
        self.network, self.layout = network, layout
        self.log_variances = nn.Parameter(torch.zeros(len(layout.heads)))

    def forward(self, images: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """The network's outputs."""
        return self.network(images, told)


def head_loss(head: Head, outputs: torch.Tensor, wanted: torch.Tensor, beta: float = 0.0) -> torch.Tensor:
    """The mean loss of one head over the samples with a label; 0 without any.

    Args:
        head: what its outputs stand for.
        outputs: (n, outputs of the head).
        wanted: (n,) of ``heads.targets``; NaN is not counted.
        beta: see ``BALANCE``.
    """
    there = torch.isfinite(wanted)
    if not there.any():
        return outputs.sum() * 0
    outputs, wanted = outputs[there].float(), wanted[there]
    if head.kind == "continuous":
        return _likelihood(outputs, wanted, beta).mean()
    classes = wanted.long()
    loss = functional.cross_entropy(outputs, classes)
    if head.kind == "ordinal":
        steps = torch.cumsum(torch.softmax(outputs, 1), 1)
        truth = (torch.arange(outputs.shape[1], device=outputs.device) >= classes[:, None]).float()
        loss = loss + ORDINAL * ((steps - truth) ** 2).sum(1).mean()
    return loss


def _likelihood(outputs: torch.Tensor, wanted: torch.Tensor, beta: float) -> torch.Tensor:
    """-log of a normal distribution with the told mean and deviation, without its constant."""
    logarithm = outputs[:, 1].clamp(*LOG_DEVIATION)
    found = 0.5 * ((outputs[:, 0] - wanted) * torch.exp(-logarithm)) ** 2 + logarithm
    return found * torch.exp(2 * beta * logarithm).detach() if beta else found


def all_losses(layout: Layout, outputs: torch.Tensor, wanted: torch.Tensor, beta: float = 0.0) -> list[torch.Tensor]:
    """Of each head; see ``head_loss``."""
    return [
        head_loss(head, outputs[:, head.start : head.stop], wanted[:, column], beta)
        for column, head in enumerate(layout.heads)
    ]


class Learning:
    """``loss(lesson, batch)`` of a training step: images, cues and targets, shown with random changes.

    Args:
        device: resolved.
        mirror: also show mirrored slices.
        shift: largest shift, as a fraction of the image; whole pixels, so that noise stays as it is.
        gain: largest change of brightness.
    """

    def __init__(self, device: str, *, mirror: bool = False, shift: float = 0.0, gain: float = 0.0) -> None:
        self.mirror, self.shift, self.gain = mirror, shift, gain
        self._device, self._half = device, half_type(device)

    def __call__(self, lesson: Lesson, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        images, told, wanted = batch
        with self._computing():
            outputs = lesson(self.changed(images), told)
        total = outputs.new_zeros((), dtype=torch.float32)
        for head, loss, spread in zip(
            lesson.layout.heads,
            all_losses(lesson.layout, outputs.float(), wanted, BALANCE),
            lesson.log_variances.clamp(*LOG_WEIGHTS),
            strict=True,
        ):
            total = total + (loss if head.kind == "continuous" else torch.exp(-spread) * loss + spread / 2)
        return total / len(lesson.layout.heads)

    def changed(self, images: torch.Tensor) -> torch.Tensor:
        """The images (n, 1, r, c), each mirrored, shifted and brightened by chance."""
        n, size = len(images), images.shape[-1]
        if self.mirror:
            images = torch.where(_chance(images, 0.5), images.flip(-1), images)
            images = torch.where(_chance(images, 0.5), images.flip(-2), images)
        if reach := int(self.shift * size):
            padded = functional.pad(images, (reach,) * 4)
            places = torch.randint(0, 2 * reach + 1, (n, 2)).tolist()
            images = torch.stack(
                [padded[number, :, top : top + size, left : left + size] for number, (top, left) in enumerate(places)]
            )
        if self.gain:
            images = images * (1 + self.gain * (2 * torch.rand(n, 1, 1, 1).to(images.device) - 1))
        return images.contiguous(memory_format=torch.channels_last)

    def _computing(self) -> AbstractContextManager:
        return computing(self._device, self._half)


class Judging(Learning):
    """``loss(lesson, batch)`` of slices held out, as they are: the mean over the heads of their plain losses."""

    def __call__(self, lesson: Lesson, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
        images, told, wanted = batch
        outputs = lesson(images.contiguous(memory_format=torch.channels_last), told)
        return torch.stack(all_losses(lesson.layout, outputs, wanted)).mean()


def _chance(images: torch.Tensor, probability: float) -> torch.Tensor:
    return (torch.rand(len(images), 1, 1, 1) < probability).to(images.device)
