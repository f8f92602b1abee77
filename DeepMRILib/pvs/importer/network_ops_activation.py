"""Activations: one input, except ``prelu`` (x, slope)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Attributes = Mapping[str, Any]


def _plain(function: Callable[[Tensor], Tensor]) -> Callable[[Sequence[Tensor], Attributes], Tensor]:
    return lambda inputs, _attributes: function(inputs[0])


def _leaky_relu(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return functional.leaky_relu(inputs[0], float(attributes["slope"]))


def _elu(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return functional.elu(inputs[0], float(attributes.get("alpha", 1.0)))


def _celu(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return functional.celu(inputs[0], float(attributes.get("alpha", 1.0)))


def _prelu(inputs: Sequence[Tensor], _attributes: Attributes) -> Tensor:
    """max(x, 0) + slope * min(x, 0); the slope is broadcast from its last axis on."""
    x, slope = inputs
    return x.clamp(min=0) + slope * x.clamp(max=0)


def _gelu(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return functional.gelu(inputs[0], approximate="tanh" if attributes.get("approximate") else "none")


def _hard_sigmoid(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """clip(scale * x + offset, 0, 1)."""
    return (inputs[0] * float(attributes["scale"]) + float(attributes["offset"])).clamp(0, 1)


def _threshold(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x where it is above the threshold; else slope * (x - threshold); at most ``most``."""
    x, threshold, slope = inputs[0], float(attributes["threshold"]), float(attributes.get("slope", 0.0))
    # Keras keeps x only where it is above the threshold, or equal to it when a slope makes both the same there.
    y = torch.where(x > threshold, x, slope * (x - threshold))
    return y if attributes.get("most") is None else y.clamp(max=float(attributes["most"]))


def _axis(x: Tensor, attributes: Attributes) -> int:
    axis = int(attributes.get("axis", -1))
    if not -x.ndim <= axis < x.ndim:  # PyTorch's meta device would take it
        raise ValueError(f"axis {axis} of {x.ndim}")
    return axis


def _softmax(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return torch.softmax(inputs[0], dim=_axis(inputs[0], attributes))


def _log_softmax(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return torch.log_softmax(inputs[0], dim=_axis(inputs[0], attributes))


def _softplus(x: Tensor) -> Tensor:
    # PyTorch goes over to x above 20, where the exact value differs by less than float32 shows.
    return functional.softplus(x)


def _squareplus(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    x = inputs[0]
    return (x + torch.sqrt(x * x + float(attributes.get("b", 4.0)))) / 2


def _hard_shrink(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return functional.hardshrink(inputs[0], float(attributes.get("threshold", 0.5)))


def _soft_shrink(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return functional.softshrink(inputs[0], float(attributes.get("threshold", 0.5)))


ACTIVATION_OPS = {
    "relu": _plain(functional.relu),
    "sigmoid": _plain(torch.sigmoid),
    "tanh": _plain(torch.tanh),
    "silu": _plain(functional.silu),
    "mish": _plain(functional.mish),
    "selu": _plain(functional.selu),
    "softplus": _plain(_softplus),
    "softsign": _plain(functional.softsign),
    "log_sigmoid": _plain(functional.logsigmoid),
    "tanh_shrink": _plain(functional.tanhshrink),
    "hard_swish": _plain(functional.hardswish),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "celu": _celu,
    "prelu": _prelu,
    "gelu": _gelu,
    "hard_sigmoid": _hard_sigmoid,
    "threshold": _threshold,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "squareplus": _squareplus,
    "hard_shrink": _hard_shrink,
    "soft_shrink": _soft_shrink,
}
