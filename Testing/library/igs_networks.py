"""Networks without training, for data that they understand: discs that are bright, slices that are bright."""

from __future__ import annotations

import numpy as np
import torch

from DeepMRILib.igs.dataset import SliceDataset

SIZE = 32


class Brighter(torch.nn.Module):
    """Segments what is brighter than half the disc's signal."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([0 * images[:, :1], images[:, :1] - 1.0], dim=1)


class Sharpness(torch.nn.Module):
    """Tells slices with stripes by how much neighbours differ."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        rough = (images[..., 1:] - images[..., :-1]).abs().mean(dim=(1, 2, 3))
        return torch.stack([0 * rough, rough - 0.3], dim=1)


class Same(torch.nn.Module):
    """Gives images back as they are."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


class Learnable(torch.nn.Module):
    """The smallest network that can be adapted to a mask."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layer(images)


def discs(cases: int = 6, each: int = 2, seed: int = 0) -> SliceDataset:
    """Bright discs on a dark ground, several slices of each case."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE]
    targets = np.stack(
        [
            (y - random.uniform(12, 20)) ** 2 + (x - random.uniform(12, 20)) ** 2 < random.uniform(4, 7) ** 2
            for _ in range(cases * each)
        ]
    ).astype(int)
    images = (0.1 + targets + 0.02 * random.standard_normal(targets.shape))[:, None].clip(0)
    names = np.repeat([f"patient {number}" for number in range(cases)], each)
    return SliceDataset(images, targets, {1: "disc"}, names, spacing=(2.0, 1.0))


def stripes(n: int = 24, seed: int = 0) -> SliceDataset:
    """Slices with stripes along the columns (class 1) and without."""
    random = np.random.default_rng(seed)
    classes = np.arange(n) % 3 == 0
    wave = np.cos(2 * np.pi * 10 * np.arange(SIZE) / SIZE)
    slow = np.cos(2 * np.pi * (np.arange(SIZE) / SIZE + random.random((n, 1, 1, 1)))) * random.uniform(
        0.2, 0.6, (n, 1, 1, 1)
    )
    images = 1.5 + slow + 0.02 * random.random((n, 1, SIZE, SIZE)) + classes[:, None, None, None] * 0.8 * wave
    return SliceDataset(images.clip(0), classes.astype(int), {0: "plain", 1: "striped"})
