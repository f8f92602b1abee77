"""The published network, a ResNet-18 (He et al., CVPR 2016) for slices of one channel, made for inference.

Its weights are those of MONAI's ``resnet18(spatial_dims=2, n_input_channels=1, conv1_t_stride=2, shortcut_type="B",
bias_downsample=False)``, whose answers it gives: batch normalisation is folded into the convolutions, which keeps them
to about 5e-7 of the largest and takes a third less time on a processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from DeepMRILib.iap.preprocessing import SIZE, prepared

STAGES = (64, 128, 256, 512)
"""Features of the four stages, each of two blocks."""
EPSILON = 1e-5
"""Of batch normalisation."""
FEATURES = STAGES[-1]


@dataclass
class Convolution:
    """One convolution with the normalisation after it folded in.

    Attributes:
        weight: (outgoing, incoming, k, k).
        bias: (outgoing,).
        stride, padding: in pixels.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    padding: int

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)

    def rectified(self, x: torch.Tensor) -> torch.Tensor:
        """relu(conv(x))."""
        return functional.relu_(self(x))

    def joined(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        """relu(conv(x) + past); ``past`` may be overwritten."""
        return functional.relu_(self(x).add_(past))


@dataclass
class PackedConvolution(Convolution):
    """The same by oneDNN: weights lie as it wants them, and what follows is done in the same pass.

    These operators are those that PyTorch's compiler uses on processors; they are not public, and ``as_packed`` tells
    whether they are there and right.
    """

    def __post_init__(self) -> None:
        self.stride, self.padding = [self.stride] * 2, [self.padding] * 2  # as the operators take them
        self.weight = torch._C._nn.mkldnn_reorder_conv2d_weight(
            self.weight.contiguous().to_mkldnn(), self.padding, self.stride, [1, 1], 1
        )

    def _run(self, x: torch.Tensor, then: str) -> torch.Tensor:
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, self.padding, self.stride, [1, 1], 1, then, [], ""
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self._run(x, "none")

    def rectified(self, x: torch.Tensor) -> torch.Tensor:
        return self._run(x, "relu")

    def joined(self, x: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._convolution_pointwise_.binary(
            past, x, self.weight, self.bias, self.padding, self.stride, [1, 1], 1, "add", 1.0, "relu", [], ""
        )


@dataclass
class Block:
    """Two convolutions with a way past them."""

    first: Convolution
    second: Convolution
    past: Convolution | None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return self.second.joined(self.first.rectified(x), x if self.past is None else self.past(x))


@dataclass
class PublishedNetwork:
    """The whole network on its device."""

    stem: Convolution
    blocks: tuple[Block, ...]
    weight: torch.Tensor
    bias: torch.Tensor

    @torch.inference_mode()
    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Outputs (n, outputs) and features (n, 512) of images (n, 1, 224, 224) of 0 to 255."""
        x = images.to(self.bias.device).to(memory_format=torch.channels_last)
        x = functional.max_pool2d(self.stem.rectified(x), 3, stride=2, padding=1)
        for block in self.blocks:
            x = block(x)
        features = x.mean((2, 3))
        return functional.linear(features, self.weight, self.bias), features


def shapes(outputs: int) -> dict[str, tuple[int, ...]]:
    """The shape of each of the network's weights by name, without counters of batches."""
    found: dict[str, tuple[int, ...]] = {"conv1.weight": (STAGES[0], 1, 7, 7)} | _norm_shapes("bn1", STAGES[0])
    incoming = STAGES[0]
    for stage, width in enumerate(STAGES, 1):
        for number in (0, 1):
            name = f"layer{stage}.{number}"
            found[f"{name}.conv1.weight"] = (width, incoming, 3, 3)
            found |= _norm_shapes(f"{name}.bn1", width)
            found[f"{name}.conv2.weight"] = (width, width, 3, 3)
            found |= _norm_shapes(f"{name}.bn2", width)
            if number == 0 and incoming != width:
                found[f"{name}.downsample.0.weight"] = (width, incoming, 1, 1)
                found |= _norm_shapes(f"{name}.downsample.1", width)
            incoming = width
    return found | {"fc.weight": (outputs, FEATURES), "fc.bias": (outputs,)}


def _norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}


def built(weights: Mapping[str, torch.Tensor], device: str) -> PublishedNetwork:
    """The network of weights that have the names and shapes of ``shapes``, on a resolved device."""

    def folded(convolution: str, norm: str, stride: int, padding: int) -> Convolution:
        scale = weights[f"{norm}.weight"].double() / torch.sqrt(weights[f"{norm}.running_var"].double() + EPSILON)
        weight = weights[f"{convolution}.weight"].double() * scale[:, None, None, None]
        bias = weights[f"{norm}.bias"].double() - weights[f"{norm}.running_mean"].double() * scale
        weight = weight.float().to(device).to(memory_format=torch.channels_last)
        return Convolution(weight, bias.float().to(device), stride, padding)

    def block(name: str, stride: int) -> Block:
        past = f"{name}.downsample"
        return Block(
            folded(f"{name}.conv1", f"{name}.bn1", stride, 1),
            folded(f"{name}.conv2", f"{name}.bn2", 1, 1),
            folded(f"{past}.0", f"{past}.1", stride, 0) if f"{past}.0.weight" in weights else None,
        )

    blocks = tuple(
        block(f"layer{stage}.{number}", 2 if stage > 1 and number == 0 else 1)
        for stage in range(1, len(STAGES) + 1)
        for number in (0, 1)
    )
    head = [weights[name].float().to(device) for name in ("fc.weight", "fc.bias")]
    network = PublishedNetwork(folded("conv1", "bn1", 2, 3), blocks, *head)
    return as_packed(network) if device == "cpu" else network


def as_packed(network: PublishedNetwork) -> PublishedNetwork:
    """The network with ``PackedConvolution`` where this PyTorch has it and it gives the same, else as it is."""

    def packed(one: Convolution) -> PackedConvolution:
        return PackedConvolution(one.weight, one.bias, one.stride, one.padding)

    if not torch.backends.mkldnn.is_available():
        return network
    image = torch.linspace(0, 255, SIZE**2).reshape(1, 1, SIZE, SIZE)
    try:
        with torch.inference_mode():
            blocks = tuple(
                Block(packed(one.first), packed(one.second), one.past and packed(one.past)) for one in network.blocks
            )
            quicker = PublishedNetwork(packed(network.stem), blocks, network.weight, network.bias)
            wanted, found = network(image)[0], quicker(image)[0]
    except (AttributeError, RuntimeError, TypeError, ValueError):  # not in this PyTorch, or called otherwise there
        return network
    same = (wanted - found).abs().max() <= 1e-5 * wanted.abs().max()
    return quicker if same else network


def as_images(slices: Sequence[NDArray]) -> torch.Tensor:
    """Slices (rows, columns) of raw pixels as the network takes them (n, 1, 224, 224) float32 of 0 to 255.

    Raises:
        InputError: a slice is not 2D.
    """
    return torch.cat([_resized(prepared(one)) for one in slices])


def _resized(image: NDArray) -> torch.Tensor:
    values = torch.from_numpy(image.astype(np.float32))[None, None]
    if values.shape[-2:] == (SIZE, SIZE):
        return values
    return functional.interpolate(values, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=False)
