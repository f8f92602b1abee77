"""Convolution, pooling and linear upsampling in one, two or three dimensions.

Images that have their channels last are only looked at as channels first: PyTorch then sees its own memory format
``channels_last_3d``, and nothing is copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from DeepMRILib.pvs.importer.network_ops_activation import ACTIVATION_OPS

Attributes = Mapping[str, Any]
Pads = list[tuple[int, int]]
_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_TRANSPOSED = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}
_MAX = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_AVERAGE = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def _first(x: Tensor, attributes: Attributes) -> Tensor:
    if not 3 <= x.ndim <= 5:
        raise ValueError(f"an image has 3 to 5 axes with batch and channels, not {x.ndim}")
    return x if attributes.get("channels", "last") == "first" else x.movedim(-1, 1)


def _back(x: Tensor, attributes: Attributes) -> Tensor:
    return x if attributes.get("channels", "last") == "first" else x.movedim(1, -1)


_IN_PLACE: dict[str, Callable[[Tensor, Attributes], Tensor]] = {
    "relu": lambda y, _: y.relu_(),
    "silu": lambda y, _: functional.silu(y, inplace=True),
    "sigmoid": lambda y, _: y.sigmoid_(),
    "tanh": lambda y, _: y.tanh_(),
    "clip": lambda y, attributes: y.clamp_(attributes.get("low"), attributes.get("high")),
    "elu": lambda y, attributes: functional.elu(y, float(attributes.get("alpha", 1.0)), inplace=True),
    "leaky_relu": lambda y, attributes: functional.leaky_relu(y, float(attributes["slope"]), inplace=True),
}


def _activated(y: Tensor, attributes: Attributes) -> Tensor:
    """A fresh result with its ``activation`` (name and attributes), computed where it lies."""
    if "activation" not in attributes:
        return y
    name, settings = attributes["activation"]
    return _IN_PLACE[name](y, settings) if name in _IN_PLACE else ACTIVATION_OPS[name]((y,), settings)


def _numbers(attributes: Attributes, name: str, dims: int, least: int = 1) -> list[int]:
    numbers = [int(number) for number in attributes.get(name, [1] * dims)]
    if len(numbers) != dims or min(numbers) < least:
        raise ValueError(f"{name} {numbers}: {dims} numbers of {least} or more are expected")
    return numbers


def same_pads(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """What TensorFlow's "same" puts before and after an axis.

    >>> same_pads(8, kernel=3, stride=2)
    (0, 1)
    """
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def _pads(x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], given: Any) -> Pads:
    if given in (None, "valid"):
        return [(0, 0)] * len(kernel)
    if isinstance(given, str):
        found = [same_pads(*four) for four in zip(x.shape[2:], kernel, strides, dilations, strict=True)]
        if given not in {"same", "same_lower"}:
            raise ValueError(f"padding {given}")
        return found if given == "same" else [(after, before) for before, after in found]
    pads = [(int(before), int(after)) for before, after in given]
    if len(pads) != len(kernel) or min(map(min, pads)) < 0:
        raise ValueError(f"pads {pads}: {len(kernel)} pairs of 0 or more are expected")
    return pads


def _padded(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    return functional.pad(x, [number for pair in reversed(pads) for number in pair], value=value)


def _symmetric(pads: Pads) -> bool:
    return all(before == after for before, after in pads)


def _conv(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x, kernel (out, in / groups, ...), and a bias where there is one."""
    x, kernel, *bias = inputs
    x = _first(x, attributes)
    dims = x.ndim - 2
    strides = _numbers(attributes, "strides", dims)
    dilations = _numbers(attributes, "dilations", dims)
    pads = _pads(x, kernel.shape[2:], strides, dilations, attributes.get("pads"))
    if not _symmetric(pads):
        x, pads = _padded(x, pads), [(0, 0)] * dims
    around = [before for before, _ in pads]
    groups = int(attributes.get("groups", 1))
    y = _CONV[dims](x, kernel, *(bias or [None]), strides, around, dilations, groups)
    return _back(_activated(y, attributes), attributes)


def _conv_transpose(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x, kernel (in, out / groups, ...), and a bias where there is one.

    The whole result has (size - 1) * stride + (kernel - 1) * dilation + 1 voxels along an axis; of these ``pads`` are
    cut away before and after, and zeros put there where a pad is negative.
    """
    x, kernel, *bias = inputs
    x = _first(x, attributes)
    dims = x.ndim - 2
    strides = _numbers(attributes, "strides", dims)
    dilations = _numbers(attributes, "dilations", dims)
    cut = [(int(before), int(after)) for before, after in attributes.get("pads", [(0, 0)] * dims)]
    groups = int(attributes.get("groups", 1))
    extra = [before - after for before, after in cut]
    steps = [max(pair) for pair in zip(strides, dilations, strict=True)]
    if all(before >= 0 and 0 <= more < step for (before, _), more, step in zip(cut, extra, steps, strict=True)):
        around = [before for before, _ in cut]
        y = _TRANSPOSED[dims](x, kernel, *(bias or [None]), strides, around, extra, groups, dilations)
        return _back(_activated(y, attributes), attributes)
    # A bias goes in before the cut, unless zeros are put there: these get it too.
    grown = any(min(pair) < 0 for pair in cut)
    early, late = ([], bias) if grown else (bias, [])
    y = _TRANSPOSED[dims](x, kernel, *(early or [None]), strides, 0, 0, groups, dilations)
    ends = [(max(before, 0), size - max(after, 0)) for (before, after), size in zip(cut, y.shape[2:], strict=True)]
    y = y[(..., *(slice(start, stop) for start, stop in ends))]
    if grown:
        y = _padded(y, [(max(-before, 0), max(-after, 0)) for before, after in cut])
    y = y + late[0].reshape(-1, *[1] * dims) if late else y
    return _back(_activated(y, attributes), attributes)


def _max_pool(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """The largest of each ``size`` voxels; what is padded counts for nothing."""
    x = _first(inputs[0], attributes)
    dims = x.ndim - 2
    size = _numbers(attributes, "size", dims)
    strides = _numbers(attributes, "strides", dims)
    dilations = _numbers(attributes, "dilations", dims)
    pads = _pads(x, size, strides, dilations, attributes.get("pads"))
    # PyTorch pads on both sides alike, by half a window at most.
    if not _symmetric(pads) or any(2 * before > n for (before, _), n in zip(pads, size, strict=True)):
        x, pads = _padded(x, pads, -torch.inf), [(0, 0)] * dims
    around = [before for before, _ in pads]
    return _back(_MAX[dims](x, size, strides, around, dilations), attributes)


def _average_pool(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """The mean of each ``size`` voxels; padded zeros are counted only with ``count_pads``."""
    if inputs[0].dtype == torch.float16 and inputs[0].device.type == "cpu":  # which PyTorch cannot
        return _average_pool([inputs[0].float()], attributes).half()
    x = _first(inputs[0], attributes)
    dims = x.ndim - 2
    size = _numbers(attributes, "size", dims)
    strides = _numbers(attributes, "strides", dims)
    pads = _pads(x, size, strides, [1] * dims, attributes.get("pads"))
    count_pads = bool(attributes.get("count_pads"))
    if _symmetric(pads) and all(2 * before <= n for (before, _), n in zip(pads, size, strict=True)):
        around = [before for before, _ in pads]
        return _back(_AVERAGE[dims](x, size, strides, around, False, count_pads), attributes)
    mean = _AVERAGE[dims](_padded(x, pads), size, strides)
    if not count_pads:
        inside = _padded(torch.ones_like(x[:1, :1]), pads)
        mean = mean / _AVERAGE[dims](inside, size, strides)
    return _back(mean, attributes)


def _resize_linear(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Linear interpolation to ``size`` voxels, or to ``times`` as many; centres of voxels at halves.

    With ``corners`` the centres of the outermost voxels stay where they are.
    """
    x = _first(inputs[0], attributes)
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[x.ndim - 2]
    given = attributes.get("size")
    if given is None:
        given = [n * int(times) for n, times in zip(x.shape[2:], attributes["times"], strict=True)]
    size = [int(number) for number in given]
    y = functional.interpolate(x, size, mode=mode, align_corners=bool(attributes.get("corners")))
    return _back(y, attributes)


CONVOLUTION_OPS = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "resize_linear": _resize_linear,
}
