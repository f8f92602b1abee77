"""The network that DeepMRI trains for perivascular spaces: a small residual U-Net.

It learns with batch normalisation, from patches; afterwards this is folded into the convolutions, so that what it
answers depends on nothing but the voxels around, however much of a head it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from DeepMRILib.errors import InputError

SLOPE = 0.1
START = -4.0
"""The bias of the last layer at the start: few voxels belong to a space."""
MOMENTUM = 0.03
"""Of the running means of batch normalisation: over some thirty steps."""
_CONTRAST = 6.0
"""What differs from the neighbourhood is made so many times as large."""
_AROUND = (3, 7)
"""Edges in voxels of the neighbourhoods."""


def build_network(design: Mapping[str, Any]) -> nn.Module:
    """The network of a design, with random weights.

    Args:
        design: ``channels``, from the finest level to the coarsest, each half as fine as the one before; ``images``,
            how many the network takes; ``bottom``, residual blocks at the coarsest level; ``normalised``, whether there
            are layers of batch normalisation, as while it learns (False when absent).

    Returns:
        a module that makes of (n, images, x, y, z), brightness as ``intensity.prepared`` gives it, the probability
        (n, 1, x, y, z) that a voxel belongs to a space. Any size will do.

    Raises:
        InputError: the design is none.

    Example:
        >>> network = build_network({"channels": [2, 4], "images": 1, "bottom": 1})
        >>> network(torch.zeros(1, 1, 8, 7, 9)).shape
        torch.Size([1, 1, 8, 7, 9])
    """
    channels, images, bottom = (design.get(name) for name in ("channels", "images", "bottom"))
    normalised = design.get("normalised", False)
    counts = channels if isinstance(channels, (list, tuple)) else ()
    numbers_fit = all(type(n) is int and 1 <= n <= 512 for n in (*counts, images, bottom))
    if not 2 <= len(counts) <= 6 or not numbers_fit or not isinstance(normalised, bool):
        raise InputError(
            f"The network's design is {dict(design)!r}; expected channels (2 to 6 whole numbers), images and bottom."
        )
    return UNet(tuple(counts), images, bottom, normalised=normalised)


class UNet(nn.Module):
    """See ``build_network``."""

    def __init__(self, channels: tuple[int, ...], images: int, bottom: int, *, normalised: bool) -> None:
        super().__init__()
        levels = len(channels)
        self.stem = _layer(images * (1 + len(_AROUND)), channels[0], normalised)
        # none at the finest level, where a block would take a third of all the time
        self.encode = nn.ModuleList(Residual(count, normalised) for count in channels[1:-1])
        self.down = nn.ModuleList(nn.Conv3d(channels[n], channels[n + 1], 2, stride=2) for n in range(levels - 1))
        self.bottom = nn.Sequential(*(Residual(channels[-1], normalised) for _ in range(bottom)))
        self.up = nn.ModuleList(nn.Conv3d(channels[n + 1], channels[n], 1) for n in range(levels - 1))
        self.decode = nn.ModuleList(Residual(count, normalised) for count in channels[:-1])
        self.head = nn.Conv3d(channels[0], 1, 1)
        self._start()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The probability (n, 1, x, y, z)."""
        return torch.sigmoid(self.logits(images))

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """What the probability is made of, (n, 1, x, y, z)."""
        shape = images.shape[2:]
        step = 2 ** len(self.down)
        rest = [-n % step for n in shape]
        values = _with_contrast(images)
        if any(rest):
            values = functional.pad(values, [0, rest[2], 0, rest[1], 0, rest[0]])
        values = _bent(self.stem(values))
        kept = []
        for level, down in enumerate(self.down):
            values = self.encode[level - 1](values) if level else values
            kept.append(values)
            values = _bent(down(values))
        values = self.bottom(values)
        for up, decode in zip(reversed(self.up), reversed(self.decode), strict=True):
            # added to what was kept, not joined: half the memory at full resolution
            values = functional.interpolate(up(values), scale_factor=2.0, mode="nearest").add_(kept.pop())
            values = decode(values)
        return self.head(values)[:, :, : shape[0], : shape[1], : shape[2]]

    def _start(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, SLOPE)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            if isinstance(module, Residual) and isinstance(module.second, nn.Sequential):
                nn.init.zeros_(module.second[1].weight)  # at first a block passes on what it is given
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.constant_(self.head.bias, START)


class Residual(nn.Module):
    """Two convolutions of 3 x 3 x 3, added to what came in."""

    def __init__(self, channels: int, normalised: bool) -> None:
        super().__init__()
        self.first = _layer(channels, channels, normalised)
        self.second = _layer(channels, channels, normalised)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The same shape."""
        return _bent(self.second(_bent(self.first(values))).add_(values))


def folded(network: UNet, design: Mapping[str, Any]) -> tuple[UNet, dict[str, Any]]:
    """The same network without layers of batch normalisation, and its design: y = w x + b takes their scale and shift.

    The convolution's weights w become w g / s and its bias b - m g / s, with the layer's weight g, bias b, running mean
    m and deviation s = sqrt(variance + eps).
    """
    plain_design = {**design, "normalised": False}
    plain = build_network(plain_design).to(next(network.parameters()).device).train(network.training)
    state = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm3d):
            convolution, norm = module
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            state[f"{name}.weight"] = convolution.weight * scale[:, None, None, None, None]
            state[f"{name}.bias"] = norm.bias - norm.running_mean * scale
    wanted = plain.state_dict()
    state = {**{name: value for name, value in network.state_dict().items() if name in wanted}, **state}
    plain.load_state_dict(state)
    return plain, plain_design


def _with_contrast(images: torch.Tensor) -> torch.Tensor:
    """Images (n, c, x, y, z) around 0, and how much each voxel differs from the mean of its neighbourhoods: 3 c."""
    parts = [images - 0.5]
    for width in _AROUND:
        padded = functional.pad(images, [width // 2] * 6, mode="replicate")
        parts.append((images - functional.avg_pool3d(padded, width, 1)) * _CONTRAST)
    return torch.cat(parts, dim=1)


def _layer(taken: int, given: int, normalised: bool) -> nn.Module:
    if not normalised:
        return nn.Conv3d(taken, given, 3, padding=1)
    convolution = nn.Conv3d(taken, given, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm3d(given, momentum=MOMENTUM))


def _bent(values: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(values, SLOPE)
