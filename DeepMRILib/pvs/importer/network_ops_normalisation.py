"""Normalisations; learned scale and shift are a ``scale_shift`` of their own after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Attributes = Mapping[str, Any]


def _along(value: Tensor, x: Tensor, axes: Sequence[int]) -> Tensor:
    """A tensor that has only some axes of x, with ones for the others."""
    axes = [axis % x.ndim for axis in axes]
    shape = [1] * x.ndim
    for axis, size in zip(axes, value.shape, strict=True):
        shape[axis] = size
    return value.reshape(shape)


def _axes(attributes: Attributes) -> list[int]:
    return [int(axis) for axis in attributes.get("axes", (-1,))]


def _scale_shift(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x * scale + shift; scale and shift have the ``axes`` (ascending; the last if left out) of x."""
    x, scale, shift = inputs
    axes = _axes(attributes)
    return torch.addcmul(_along(shift, x, axes), x, _along(scale, x, axes))


def _batch_norm(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta; inputs x, mean, variance, gamma, beta, with the axes."""
    x, mean, variance, gamma, beta = inputs
    scale = gamma * torch.rsqrt(variance + float(attributes["epsilon"]))
    return _scale_shift((x, scale, beta - mean * scale), attributes)


def _normalise(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """(x - mean) / sqrt(variance + epsilon), both over ``axes``; the variance is divided by n."""
    x = inputs[0]
    variance, mean = torch.var_mean(x, _axes(attributes), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + float(attributes["epsilon"]))


def _group_norm(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """As ``normalise``, over each of ``groups`` runs of the channels (``axis``) and over all axes but the batch's.

    -1 groups: each channel by itself (instance normalisation).
    """
    x = inputs[0]
    axis = int(attributes.get("axis", -1)) % x.ndim
    groups = int(attributes["groups"])
    groups = x.shape[axis] if groups == -1 else groups
    split = x.unflatten(axis, (groups, x.shape[axis] // groups))
    axes = [other for other in range(1, split.ndim) if other != axis]
    variance, mean = torch.var_mean(split, axes, correction=0, keepdim=True)
    scale = torch.rsqrt(variance + float(attributes["epsilon"]))
    return ((split - mean) * scale).reshape(x.shape)


def _moments(inputs: Sequence[Tensor], attributes: Attributes) -> tuple[Tensor, Tensor]:
    """Mean and variance (divided by n) over ``axes``, which stay as 1 with ``keep``."""
    keep = bool(attributes.get("keep"))
    variance, mean = torch.var_mean(inputs[0], _axes(attributes), correction=0, keepdim=keep)
    return mean, variance


NORMALISATION_OPS = {
    "scale_shift": _scale_shift,
    "batch_norm": _batch_norm,
    "normalise": _normalise,
    "group_norm": _group_norm,
    "moments": _moments,
}
