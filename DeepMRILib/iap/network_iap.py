"""Our own network: a small residual one for single slices, whose heads look at all of its depths.

He et al., CVPR 2016, for the blocks; that the heads see the mean of each stage, the first ones too, is what lets them
use noise, ringing and sharpness, which deep layers forget.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from DeepMRILib.iap.slice_cues import CUES, cues, scaled, square


def prepared(slices: Sequence[NDArray], size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (n, 1, size, size) and cues (n, 3) of slices of any shapes; see ``slice_cues``.

    Slices that have the size already are not resized; smaller ones come from an area's mean (bilinear with
    anti-aliasing), as a scanner with fewer lines would show them.
    """
    images, told = [], []
    for one in slices:
        values = scaled(one)
        told.append(cues(values))
        image = torch.from_numpy(square(values))[None, None]
        if image.shape[-1] != size:
            image = functional.interpolate(image, (size, size), mode="bilinear", align_corners=False, antialias=True)
        images.append(image[0])
    return torch.stack(images), torch.from_numpy(np.stack(told))


class Block(nn.Module):
    """Two convolutions with a way past them; the first halves the resolution."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, outgoing, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outgoing)
        self.conv2 = nn.Conv2d(outgoing, outgoing, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outgoing)
        self.past = nn.Conv2d(incoming, outgoing, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, incoming, r, c) to (n, outgoing, r / 2, c / 2)."""
        found = self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x)))))
        return functional.relu(found + self.past(functional.avg_pool2d(x, 2, ceil_mode=True)))


class IAPNetwork(nn.Module):
    """All heads' outputs of slices.

    The first convolution sees four neighbouring pixels as four channels of half the resolution: as much as at full
    resolution, noise and ringing too, at a quarter of the time.

    Args:
        channels: features of the stages, the first at half the images' resolution, each later one at half of that.
        outputs: of all heads together.
        hidden: features between what was seen and the heads.
    """

    def __init__(self, channels: Sequence[int], outputs: int, hidden: int = 192) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4, channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        )
        self.stages = nn.ModuleList(Block(*pair) for pair in itertools.pairwise(channels))
        seen = sum(channels) + len(CUES)
        self.hidden = nn.Sequential(nn.Linear(seen, hidden), nn.ReLU(inplace=True), nn.Dropout(0.1))
        self.heads = nn.Linear(hidden, outputs)

    def features(self, images: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """(n, f): the mean of each feature of each depth, and the cues."""
        rows, columns = images.shape[-2:]
        x = self.stem(functional.pad(images, (0, columns % 2, 0, rows % 2)))
        means = [x.mean((2, 3))]
        for stage in self.stages:
            x = stage(x)
            means.append(x.mean((2, 3)))
        return torch.cat([*means, told.to(x.dtype)], 1)

    def answers(self, features: torch.Tensor) -> torch.Tensor:
        """(n, outputs) of features."""
        return self.heads(self.hidden(features))

    def forward(self, images: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """(n, outputs) of images (n, 1, size, size) and cues (n, 3)."""
        return self.answers(self.features(images, told))


@torch.no_grad()
def forward(network: IAPNetwork, slices: Sequence[NDArray], size: int, device: str) -> tuple[NDArray, NDArray]:
    """Outputs (n, outputs) and features (n, f), float32, of one batch of slices."""
    images, told = prepared(slices, size)
    features = network.features(images.to(device), told.to(device))
    return network.answers(features).cpu().numpy(), features.cpu().numpy()
