"""A checkpoint in the published format with random weights, and a ResNet-18 as plain as can be to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

NUMBERS = {96: {94: 2.0, 95: 5.5}, 47: {42: 1.5, 43: 10.0, 44: 350.0, 45: 2.0, 46: 5.5}}
"""Outputs that are numbers, not logits, and about what trained networks say there: TE, TR; thickness, angle, field."""


class PlainBlock(nn.Module):
    """Two convolutions, each with its normalisation, and a shortcut."""

    def __init__(self, incoming: int, outgoing: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(incoming, outgoing, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outgoing)
        self.conv2 = nn.Conv2d(outgoing, outgoing, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outgoing)
        self.downsample = None
        if stride > 1 or incoming != outgoing:
            self.downsample = nn.Sequential(
                nn.Conv2d(incoming, outgoing, 1, stride, bias=False), nn.BatchNorm2d(outgoing)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, incoming, r, c) to (n, outgoing, r / stride, c / stride)."""
        past = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + past)


class PlainNetwork(nn.Module):
    """ResNet-18 for one channel: nothing folded, nothing packed."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        widths = (64, 64, 128, 256, 512)
        for number in range(1, 5):
            stride = 1 if number == 1 else 2
            blocks = [
                PlainBlock(widths[number - 1], widths[number], stride),
                PlainBlock(*widths[number : number + 1] * 2, 1),
            ]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(512, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, outputs) of images (n, 1, 224, 224)."""
        x = functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


def plain_network(outputs: int, seed: int = 0) -> PlainNetwork:
    """With random weights, and normalisations that fit slices, so that slices differ as they do for a trained one."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = PlainNetwork(outputs).train()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network(torch.cat([prepared(breast(random, 224, 224)) for _ in range(6)]))
        for norm in norms:
            norm.weight.uniform_(0.7, 1.3)
            norm.bias.normal_(0, 0.1)
        network.fc.weight.normal_(0, 0.25)
        for place, number in NUMBERS[outputs].items():
            network.fc.weight[place] *= 0.02 * number
            network.fc.bias[place] = number
    return network.eval()


def saved(network: nn.Module, path: Path, prefix: str = "module.") -> Path:
    """The checkpoint as the published one was written."""
    torch.save({"net": {f"{prefix}{name}": value for name, value in network.state_dict().items()}, "epoch": 68}, path)
    return path


def plain_logits(network: nn.Module, slices: Sequence[NDArray]) -> NDArray:
    """What the published code does of each slice, step by step."""
    with torch.no_grad():
        return np.stack([network(prepared(image))[0].numpy() for image in slices])


def prepared(image: NDArray) -> torch.Tensor:
    """(1, 1, 224, 224) of raw pixels: to 8 bits, again when they are read, resized."""
    picture = (image.astype(float) * 255.0 / image.max()).astype(np.uint8)
    again = (picture.astype(float) * 255.0 / picture.max()).astype(np.uint8)
    values = torch.from_numpy(again).float()[None, None]
    return functional.interpolate(values, (224, 224), mode="bilinear", align_corners=False, antialias=False)


def breast(random: np.random.Generator, rows: int = 320, columns: int = 320) -> NDArray:
    """A slice that looks a little like two breasts: uint16, dark air, noise."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    image = 40 * np.abs(random.normal(size=(rows, columns)))
    for middle in (-0.45, 0.45):
        radius = ((x - middle) / 0.4) ** 2 + (y / random.uniform(0.5, 0.8)) ** 2
        image += (radius < 1) * random.uniform(400, 900) * (1 + 0.4 * np.sin(random.uniform(8, 20) * x) * np.cos(9 * y))
    return np.clip(image, 0, None).astype(np.uint16)
