"""A residual U-Net in the manner of the published v2 networks, as a SavedModel and as a plain PyTorch module."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from savedmodel_writer import DType, Writer
from torch import Tensor, nn
from torch.nn import functional

Weights = dict[str, NDArray]
EPSILON = 1e-3


def filters(levels: int, base: int, growth: float) -> list[int]:
    """Of each level, each rounded from the one before."""
    counts = [base]
    for _ in range(levels - 1):
        counts.append(round(counts[-1] * growth))
    return counts


def weights(counts: list[int], seed: int = 0) -> Weights:
    """Random weights that neither raise nor lower what is small; kernels (x, y, z, in, out) as TensorFlow has them."""
    rng = np.random.default_rng(seed)
    made: Weights = {}

    def kernel(name: str, size: int, inputs: int, outputs: int) -> None:
        scale = np.sqrt(1 / (size**3 * inputs))
        made[f"{name}/kernel"] = (rng.normal(size=(size,) * 3 + (inputs, outputs)) * scale).astype(np.float32)

    def norm(name: str, count: int) -> None:
        # A second convolution adds to its block's short cut: a half of its size, so that sums do not grow.
        made[f"{name}/gamma"] = (rng.uniform(0.8, 1.2, count) * (0.5 if name.endswith("b") else 1)).astype(np.float32)
        for part in ("beta", "mean"):
            made[f"{name}/{part}"] = (rng.normal(size=count) * 0.1).astype(np.float32)
        made[f"{name}/variance"] = rng.uniform(0.8, 1.2, count).astype(np.float32)

    def block(name: str, inputs: int, outputs: int) -> None:
        kernel(f"{name}/a", 3, inputs, outputs)
        kernel(f"{name}/b", 3, outputs, outputs)
        kernel(f"{name}/short", 1, inputs, outputs)
        for part in ("a", "b"):
            norm(f"{name}/{part}", outputs)

    for level, (before, count) in enumerate(pairwise([1, *counts])):
        block(f"down{level}", before, count)
    for level, (count, below) in enumerate(pairwise(counts)):
        block(f"up{level}", count + below, count)
    kernel("head", 1, counts[0], 1)
    # So that the answers are spread between 0 and 1.
    made["head/kernel"] *= 10
    made["head/bias"] = np.zeros(1, np.float32)
    return made


def write(folder: Path, shape: tuple[int, int, int], counts: list[int], values: Weights) -> None:
    """The SavedModel, with the rows of operations that Keras 2 writes."""
    writer = Writer()

    def weight(name: str) -> str:
        return writer.variable(name, values[name])

    def conv(x: str, name: str) -> str:
        return writer.add("Conv3D", [x, weight(f"{name}/kernel")], strides=[1] * 5, padding="SAME")

    def norm(x: str, name: str) -> str:
        inputs = [weight(f"{name}/{part}") for part in ("gamma", "beta", "mean", "variance")]
        return writer.add("FusedBatchNormV3", [x, *inputs], epsilon=EPSILON, is_training=False)

    def swish(x: str) -> str:
        gate = writer.add("Sigmoid", [writer.add("Mul", [writer.const(1.0), x])])
        return writer.add("IdentityN", [writer.add("Mul", [x, gate]), x], T=[DType(1), DType(1)])

    def block(x: str, name: str) -> str:
        y = swish(norm(conv(x, f"{name}/a"), f"{name}/a"))
        y = norm(conv(y, f"{name}/b"), f"{name}/b")
        return swish(writer.add("AddV2", [y, conv(x, f"{name}/short")]))

    def up(x: str, sizes: tuple[int, ...], wanted: tuple[int, ...]) -> str:
        for axis, size in enumerate(sizes, start=1):
            first = writer.add("Split", [writer.const(axis), x], num_split=size)
            pieces = [f"{first.rpartition(':')[0]}:{k}" for k in range(size) for _ in range(2)]
            x = writer.add("ConcatV2", [*pieces, writer.const(axis)])
        bounds = [writer.const(np.array([0, *limits, 0])) for limits in ((0, 0, 0), wanted)]
        ones = writer.const(np.ones(5, int))
        return writer.add("StridedSlice", [x, *bounds, ones], begin_mask=17, end_mask=17)

    x = writer.input("image", (-1, *shape, 1))
    skips, sizes = [], [shape]
    for level in range(len(counts)):
        x = block(x, f"down{level}")
        skips.append(x)
        if level < len(counts) - 1:
            x = writer.add("MaxPool3D", [x], ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="SAME")
            sizes.append(tuple(-(-size // 2) for size in sizes[-1]))
    for level in reversed(range(len(counts) - 1)):
        x = writer.add("ConcatV2", [up(x, sizes[level + 1], sizes[level]), skips[level], writer.const(-1)])
        x = block(x, f"up{level}")
    x = writer.add("BiasAdd", [conv(x, "head"), weight("head/bias")])
    writer.outputs["probability"] = writer.add("Sigmoid", [x])
    writer.write(folder)


class Residual(nn.Module):
    """The same network as one writes it in PyTorch, channels first."""

    def __init__(self, counts: list[int], values: Weights) -> None:
        super().__init__()
        self.levels = len(counts)
        self.parts = nn.ModuleDict()
        for name in sorted({name.rpartition("/")[0] for name in values}):
            kernel = torch.from_numpy(values[f"{name}/kernel"]).permute(4, 3, 0, 1, 2)
            part = nn.Conv3d(kernel.shape[1], kernel.shape[0], kernel.shape[2], padding="same", bias=name == "head")
            part.weight.data = kernel.contiguous()
            layers: list[nn.Module] = [part]
            if f"{name}/gamma" in values:
                norm = nn.BatchNorm3d(kernel.shape[0], eps=EPSILON)
                names = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "variance"}
                for target, source in names.items():
                    getattr(norm, target).data = torch.from_numpy(values[f"{name}/{source}"])
                layers.append(norm)
            if name == "head":
                part.bias.data = torch.from_numpy(values["head/bias"])
            self.parts[name.replace("/", "_")] = nn.Sequential(*layers)
        self.eval()

    def block(self, x: Tensor, name: str) -> Tensor:
        y = self.parts[f"{name}_b"](functional.silu(self.parts[f"{name}_a"](x)))
        return functional.silu(y + self.parts[f"{name}_short"](x))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level in range(self.levels):
            x = self.block(x, f"down{level}")
            skips.append(x)
            if level < self.levels - 1:
                x = functional.max_pool3d(x, 2, ceil_mode=True)
        skips.pop()
        for level in reversed(range(self.levels - 1)):
            skip = skips.pop()
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = torch.cat([x[:, :, : skip.shape[2], : skip.shape[3], : skip.shape[4]], skip], 1)
            x = self.block(x, f"up{level}")
        return torch.sigmoid(self.parts["head"](x))
