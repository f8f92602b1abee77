"""Changes of training cases that leave their truth true: turned, enlarged, noisy, blurred, brighter, mirrored.

The kinds, their order and their probabilities are InteractiveNet's (Spaanderman et al., arXiv 2402.07746). The geodesic
maps move with the image and are not computed again; what changes intensities does not touch them. All numbers are
drawn from PyTorch's generator on the CPU, so that the seed of an epoch decides them on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

ANISOTROPIC = 3.0
"""From this ratio of longest to shortest voxel edge on, cases are turned within their slices only."""


@dataclass(frozen=True)
class Augmentation:
    """How often and how far cases are changed.

    Attributes:
        images: the first so many input channels are images, the others geodesic maps.
        spacing: voxel edges in mm.
        turn, zoom, noise, blur, scale, gamma, flip: the probability of each change; of ``flip`` that of each axis.
        zooms: the smallest and the largest magnification.
        noise_sd: of normalised images.
        blurs: the smallest and the largest standard deviation in voxels.
        scales: intensities are multiplied by 1 - ``scales`` to 1 + ``scales``.
        gammas: the smallest and the largest exponent of intensities between their lowest and highest.
    """

    images: int
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    turn: float = 0.2
    zoom: float = 0.2
    noise: float = 0.15
    blur: float = 0.2
    scale: float = 0.15
    gamma: float = 0.15
    flip: float = 0.5
    zooms: tuple[float, float] = (0.7, 1.4)
    noise_sd: float = 0.01
    blurs: tuple[float, float] = (0.5, 1.5)
    scales: float = 0.3
    gammas: tuple[float, float] = (0.65, 1.5)

    def __call__(self, values: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A changed case.

        Args:
            values: (n, c, i, j, k) the network's inputs.
            target: (n, i, j, k) whole numbers.
        """
        matrix = self._matrix()
        if matrix is not None:
            values, target = warped(values, target, matrix)
        images = self._intensities(values[:, : self.images])
        values = torch.cat([images, values[:, self.images :]], dim=1)
        axes = [axis for axis in (2, 3, 4) if _chance(self.flip)]
        return values.flip(axes), target.flip([axis - 1 for axis in axes])

    def _matrix(self) -> torch.Tensor | None:
        """(3, 3) from places in the new case to those in the old one, in voxels about the middle; None for itself."""
        matrix = torch.eye(3, dtype=torch.float64)
        if turned := _chance(self.turn):
            for axis in self._axes():
                matrix = matrix @ _rotation(axis, _between(0, 2 * math.pi))
            # in mm a rotation keeps distances
            edges = torch.diag(torch.tensor(self.spacing, dtype=torch.float64))
            matrix = torch.linalg.inv(edges) @ matrix @ edges
        if zoomed := _chance(self.zoom):
            matrix = matrix / _between(*self.zooms)
        return matrix.float() if turned or zoomed else None

    def _axes(self) -> tuple[int, ...]:
        """The array axes that a case is turned about."""
        thick = max(range(3), key=lambda axis: self.spacing[axis])
        if self.spacing[thick] / min(self.spacing) >= ANISOTROPIC:
            return (thick,)
        return (0, 1)

    def _intensities(self, images: torch.Tensor) -> torch.Tensor:
        if _chance(self.noise):
            # drawn on the CPU, for the same numbers on every device
            images = images + self.noise_sd * torch.randn(images.shape).to(images.device)
        if _chance(self.blur):
            images = blurred(images, [_between(*self.blurs) for _ in range(3)])
        if _chance(self.scale):
            images = images * (1 + _between(-self.scales, self.scales))
        if _chance(self.gamma):
            images = with_gamma(images, _between(*self.gammas))
        return images


def warped(values: torch.Tensor, target: torch.Tensor, matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A case seen through a linear map about its middle: inputs interpolated linearly, the target by the nearest voxel.

    What comes from beyond the case is 0: the mean of a normalised image, no geodesic nearness, background.

    Args:
        values: (n, c, i, j, k).
        target: (n, i, j, k).
        matrix: (3, 3) from voxels of the new case to voxels of the old one.
    """
    half = torch.tensor([size / 2 for size in values.shape[2:]])
    # grid_sample counts from -1 to 1 over an axis, and the last axis first
    theta = (torch.diag(1 / half) @ matrix @ torch.diag(half)).flip(0, 1)
    theta = torch.cat([theta, torch.zeros(3, 1)], dim=1).expand(len(values), 3, 4).to(values)
    grid = functional.affine_grid(theta, list(values.shape), align_corners=False)
    common = {"padding_mode": "zeros", "align_corners": False}
    moved = functional.grid_sample(values, grid, mode="bilinear", **common)
    labels = functional.grid_sample(target[:, None].float(), grid, mode="nearest", **common)
    return moved, labels[:, 0].to(target.dtype)


def blurred(images: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    """Images (n, c, i, j, k) after a Gaussian of standard deviations in voxels along the three axes."""
    channels = images.shape[1]
    for axis, sigma in enumerate(sigmas):
        radius = min(max(1, round(4 * sigma)), images.shape[2 + axis] - 1)
        if radius < 1:
            continue
        places = torch.arange(-radius, radius + 1, dtype=torch.float32)
        kernel = torch.exp(-(places**2) / (2 * sigma**2))
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        kernel = (kernel / kernel.sum()).reshape(shape).expand(channels, *shape[1:]).to(images)
        padding = [0] * 6
        padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = radius
        padded = functional.pad(images, padding, mode="replicate")
        images = functional.conv3d(padded, kernel, groups=channels)
    return images


def with_gamma(images: torch.Tensor, gamma: float) -> torch.Tensor:
    """Images (n, c, i, j, k) whose intensities between lowest and highest of each go by their power ``gamma``."""
    low = images.amin(dim=(2, 3, 4), keepdim=True)
    extent = (images.amax(dim=(2, 3, 4), keepdim=True) - low).clamp_min(1e-6)
    return ((images - low) / extent).clamp_min(0) ** gamma * extent + low


def _rotation(axis: int, angle: float) -> torch.Tensor:
    first, second = (other for other in range(3) if other != axis)
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[first, first] = matrix[second, second] = math.cos(angle)
    matrix[first, second], matrix[second, first] = -math.sin(angle), math.sin(angle)
    return matrix


def _chance(probability: float) -> bool:
    return bool(torch.rand(()) < probability)


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))
