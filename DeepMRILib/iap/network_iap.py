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
from DeepMRILib.network_threads import suited_threads

REGIONS = 16
"""Into how many parts a slice is divided."""
JOINED = 16
"""Features of all stages joined at half the images' resolution."""
HIDDEN, DEPTH = 384, 2
"""Features between what was seen and the heads, and pairs of layers there."""
MEASURED = ("mean", "mean logarithm", "logarithm of the mean", "of the spread", "of that between neighbours")
"""Of the grey values of each region."""
DARK = 0.02
"""Added before a logarithm is taken: about the noise."""
FEW_PIXELS = 200_000
"""Of a batch: below, threads mostly wait for each other. On two cores that others used, too, two slices of 96 x 96 took
0.1 s with one thread and 2.7 s with two, and 32 slices 0.5 s and 3 s."""


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


class ResidualLayers(nn.Module):
    """Two layers with a way past them: numbers (n, width) to as many."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Dropout(0.1), nn.Linear(width, width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.layers(x)


class IAPNetwork(nn.Module):
    """All heads' outputs of slices.

    The first convolution sees four neighbouring pixels as channels of half the resolution: as much as at full
    resolution, noise and ringing too, at a quarter of the time. Contrast is what tells of times and angles: so the
    network divides each slice into regions of its own making, as tissues would be, and its heads see each region's grey
    values, their spread and their logarithms, beside the mean of each stage's features. Several layers follow, as
    signal equations have to be turned round.

    Args:
        channels: features of the stages, the first at half the images' resolution, each later one at half of that.
        outputs: of all heads together.
    """

    def __init__(self, channels: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(8, channels[0], 3, padding=1, bias=False), nn.BatchNorm2d(channels[0]), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList(Block(*pair) for pair in itertools.pairwise(channels))
        self.sides = nn.ModuleList(nn.Conv2d(width, JOINED, 1) for width in channels)
        self.regions = nn.Conv2d(JOINED, REGIONS, 1)
        seen = sum(channels) + REGIONS * (len(MEASURED) + 1) + len(CUES)
        self.levelled = nn.BatchNorm1d(seen)
        self.hidden = nn.Sequential(
            nn.Dropout(0.05),
            nn.Linear(seen, HIDDEN),
            nn.SiLU(),
            *(ResidualLayers(HIDDEN) for _ in range(DEPTH)),
            nn.LayerNorm(HIDDEN),
        )
        self.heads = nn.Linear(HIDDEN, outputs)

    def features(self, images: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """(n, f): the mean of each feature of each stage, what was measured in each region, and the cues."""
        rows, columns = images.shape[-2:]
        images = functional.pad(images, (0, columns % 2, 0, rows % 2))
        grey = functional.pixel_unshuffle(images, 2)
        x = self.stem(torch.cat([grey, 1 + torch.log(grey + DARK) / 4], 1))
        means, joined = [x.mean((2, 3))], self.sides[0](x)
        for stage, side in zip(self.stages, self.sides[1:], strict=True):
            x = stage(x)
            means.append(x.mean((2, 3)))
            joined = joined + functional.interpolate(side(x), joined.shape[-2:], mode="bilinear")
        joined = functional.relu(joined)
        measured = _in_regions(grey, self.regions(joined))
        return self.levelled(torch.cat([*(one.float() for one in means), measured, told], 1))

    def answers(self, features: torch.Tensor) -> torch.Tensor:
        """(n, outputs) of features."""
        return self.heads(self.hidden(features))

    def forward(self, images: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """(n, outputs) of images (n, 1, size, size) and cues (n, 3)."""
        return self.answers(self.features(images, told))


def _in_regions(grey: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """(n, features) of regions (n, REGIONS, r, c), each pixel shared between them: size and ``MEASURED``."""
    with torch.autocast(grey.device.type, enabled=False):
        shares = torch.softmax(drawn.float().flatten(2), 1)
        mean = grey.float().mean(1, keepdim=True)
        spread = ((grey.float() - mean) ** 2).mean(1, keepdim=True)
        values = torch.cat([mean, mean**2, torch.log(mean + DARK), spread], 1).flatten(2)
        size = shares.mean(2)
        found = torch.einsum("nkp,ncp->nkc", shares, values) / (shares.sum(2)[..., None] + 1.0)
        level, square = found[..., :1], found[..., 1:2]
        deviation = ((square - level**2).clamp(min=0) + DARK**4).sqrt()
        logarithms = torch.log(torch.cat([level, deviation, (found[..., 3:4] + DARK**4).sqrt()], -1) + DARK)
        return torch.cat([size[..., None], level, found[..., 2:3], logarithms], -1).flatten(1)


@torch.no_grad()
def forward(network: IAPNetwork, slices: Sequence[NDArray], size: int, device: str) -> tuple[NDArray, NDArray]:
    """Outputs (n, outputs) and features (n, f), float32, of one batch of slices."""
    with suited_threads(len(slices) * size**2, few=FEW_PIXELS):
        images, told = prepared(slices, size)
        features = network.features(images.to(device), told.to(device))
        return network.answers(features).cpu().numpy(), features.cpu().numpy()
