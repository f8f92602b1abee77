"""Operations that only TensorFlow has, for ``network_ops.OPS``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

Attributes = Mapping[str, Any]
_EQUATION = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*(,[A-Za-z]*(\.\.\.)?[A-Za-z]*)*->[A-Za-z]*(\.\.\.)?[A-Za-z]*")


def _space_to_batch(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Every ``block``-th voxel of the padded axes 1, 2, ... as an image of its own, with the batch."""
    x = inputs[0]
    block = [int(number) for number in attributes["block"]]
    pads = [(0, 0), *[(int(a), int(b)) for a, b in attributes["pads"]]]
    pads += [(0, 0)] * (x.ndim - len(pads))
    x = torch.nn.functional.pad(x, [number for pair in reversed(pads) for number in pair])
    n, rest = x.shape[0], x.shape[1 + len(block) :]
    sizes = [size // step for size, step in zip(x.shape[1:], block, strict=False)]
    x = x.reshape([n, *[number for pair in zip(sizes, block, strict=True) for number in pair], *rest])
    places = range(len(block))
    order = [*[2 * k + 2 for k in places], 0, *[2 * k + 1 for k in places]]
    x = x.permute([*order, *range(len(order), x.ndim)])
    return x.reshape([prod(block) * n, *sizes, *rest])


def _batch_to_space(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """The reverse of ``tf.SpaceToBatchND``; ``crops`` are cut away at the end."""
    x = inputs[0]
    block = [int(number) for number in attributes["block"]]
    n, sizes, rest = x.shape[0] // prod(block), x.shape[1 : 1 + len(block)], x.shape[1 + len(block) :]
    x = x.reshape([*block, n, *sizes, *rest])
    places = range(len(block))
    order = [len(block), *[axis for k in places for axis in (len(block) + 1 + k, k)]]
    x = x.permute([*order, *range(len(order), x.ndim)])
    x = x.reshape([n, *[size * step for size, step in zip(sizes, block, strict=True)], *rest])
    for axis, (before, after) in enumerate(attributes["crops"], start=1):
        x = x.narrow(axis, int(before), x.shape[axis] - int(before) - int(after))
    return x


def _space_to_depth(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """(n, x, y, c) to (n, x / b, y / b, b * b * c)."""
    x, b = inputs[0], int(attributes["block"])
    n, width, height, c = x.shape
    x = x.reshape(n, width // b, b, height // b, b, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, width // b, height // b, b * b * c)


def _depth_to_space(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """(n, x, y, b * b * c) to (n, x * b, y * b, c)."""
    x, b = inputs[0], int(attributes["block"])
    n, width, height, c = x.shape
    x = x.reshape(n, width, height, b, b, c // (b * b)).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(n, width * b, height * b, c // (b * b))


def _reverse(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return torch.flip(inputs[0], [int(axis) for axis in attributes["axes"]])


def _divide_no_nan(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x / y, and 0 where y is 0."""
    x, y = inputs if len(inputs) == 2 else (inputs[0], torch.tensor(float(attributes["value"])).to(inputs[0]))
    x, y = (y, x) if attributes.get("first") else (x, y)
    zero = y == 0
    return torch.where(zero, torch.zeros_like(x), x / torch.where(zero, torch.ones_like(y), y))


def _arg_max(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return torch.argmax(inputs[0], dim=int(attributes["axis"]))


def _einsum(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    equation = str(attributes["equation"]).replace(" ", "")
    if not _EQUATION.fullmatch(equation):
        raise ValueError(f"the equation {equation}")
    return torch.einsum(equation, *inputs)


def _interpolate(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x[low] + (x[high] - x[low]) * weight along ``axis``: linear resizing with given places."""
    x, axis = inputs[0], int(attributes["axis"])
    low, high = (
        x.index_select(axis, torch.tensor(attributes[name], device=x.device, dtype=torch.int64))
        for name in ("low", "high")
    )
    weight = torch.tensor(attributes["weight"], device=x.device, dtype=x.dtype)
    return low + (high - low) * weight.reshape([-1 if other == axis else 1 for other in range(x.ndim)])


TENSORFLOW_OPS = {
    "tf.SpaceToBatchND": _space_to_batch,
    "tf.BatchToSpaceND": _batch_to_space,
    "tf.SpaceToDepth": _space_to_depth,
    "tf.DepthToSpace": _depth_to_space,
    "tf.ReverseV2": _reverse,
    "tf.DivNoNan": _divide_no_nan,
    "tf.ArgMax": _arg_max,
    "tf.Einsum": _einsum,
    "tf.Interpolate": _interpolate,
}
