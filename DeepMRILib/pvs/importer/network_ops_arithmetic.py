"""Arithmetic, comparison, reduction and products of matrices.

The operations of two inputs may be given one and a number: attribute ``value``, and ``first`` where the number comes
first (``sub`` with value 1 and first: 1 - x).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

Attributes = Mapping[str, Any]
Op = Callable[[Sequence[Tensor], Attributes], Tensor]


def _operands(inputs: Sequence[Tensor], attributes: Attributes) -> list[Tensor]:
    if "value" not in attributes:
        return list(inputs)
    value = attributes["value"]
    x = inputs[0]
    # A number without a size takes the tensor's type, and does not change it.
    number = torch.tensor(value, dtype=x.dtype if x.is_floating_point() else None, device=x.device)
    return [number, x] if attributes.get("first") else [x, number]


def _two(function: Callable[[Tensor, Tensor], Tensor]) -> Op:
    def op(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
        _same_rank(inputs, attributes)
        left, right = _operands(inputs, attributes)
        return function(left, right)

    return op


def _many(function: Callable[[Tensor, Tensor], Tensor]) -> Op:
    def op(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
        _same_rank(inputs, attributes)
        return reduce(function, _operands(inputs, attributes))

    return op


def _same_rank(inputs: Sequence[Tensor], attributes: Attributes) -> None:
    """With ``same_rank`` tensors of several numbers of axes are refused: Keras' layers line them up in another way."""
    if attributes.get("same_rank") and len({x.ndim for x in inputs}) > 1:
        raise ValueError(f"tensors of {', '.join(str(x.ndim) for x in inputs)} axes are to be joined")


def _one(function: Callable[[Tensor], Tensor]) -> Op:
    return lambda inputs, _attributes: function(inputs[0])


def _average(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    _same_rank(inputs, attributes)
    return reduce(torch.add, inputs) / len(inputs)


def _clip(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Between ``low`` and ``high``, each a number or None."""
    return inputs[0].clamp(attributes.get("low"), attributes.get("high"))


def _select(inputs: Sequence[Tensor], _attributes: Attributes) -> Tensor:
    """(condition, where true, where false)."""
    condition, yes, no = inputs
    return torch.where(condition.bool(), yes, no)


def _cast(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """To ``bool``, ``int32``, ``int64`` or ``float`` (the network's precision: ``network_graph`` sees to it)."""
    types = {"bool": torch.bool, "int32": torch.int32, "int64": torch.int64, "float": torch.float32}
    x = inputs[0]
    return x if attributes["type"] == "float" and x.is_floating_point() else x.to(types[attributes["type"]])


def _constant(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """``value`` (a number or nested lists) with the type of the input."""
    return torch.tensor(attributes["value"], dtype=inputs[0].dtype, device=inputs[0].device)


def _reduction(function: Callable[..., Tensor]) -> Op:
    """Over ``axes`` (None: all; empty: none), which stay as 1 with ``keep``."""

    def op(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
        x = inputs[0]
        axes = attributes.get("axes")
        axes = list(range(x.ndim)) if axes is None else [int(axis) for axis in axes]
        return function(x, axes, bool(attributes.get("keep"))) if axes else x

    return op


def _product(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    for axis in sorted((axis % x.ndim for axis in axes), reverse=True):
        x = torch.prod(x, axis, keepdim=keep)
    return x


def _matmul(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """a @ b, the last two axes of either turned first with ``transpose_a``, ``transpose_b``."""
    a, b = inputs
    a = a.transpose(-1, -2) if attributes.get("transpose_a") else a
    b = b.transpose(-1, -2) if attributes.get("transpose_b") else b
    return a @ b


def _dense(inputs: Sequence[Tensor], _attributes: Attributes) -> Tensor:
    """x @ weight (in, out) + bias; the last axis of x has the features."""
    x, weight, *bias = inputs
    return torch.nn.functional.linear(x, weight.T, *bias)


def _rounded(x: Tensor) -> Tensor:
    return torch.round(x)  # to even at halves, as TensorFlow


ARITHMETIC_OPS: dict[str, Op] = {
    "add": _many(torch.add),
    "mul": _many(torch.mul),
    "maximum": _many(torch.maximum),
    "minimum": _many(torch.minimum),
    "average": _average,
    "sub": _two(torch.sub),
    "div": _two(torch.div),
    "floor_div": _two(lambda a, b: torch.div(a, b, rounding_mode="floor")),
    "mod": _two(torch.remainder),
    "pow": _two(torch.pow),
    "squared_difference": _two(lambda a, b: torch.square(a - b)),
    "greater": _two(torch.gt),
    "greater_equal": _two(torch.ge),
    "less": _two(torch.lt),
    "less_equal": _two(torch.le),
    "equal": _two(torch.eq),
    "not_equal": _two(torch.ne),
    "logical_and": _two(torch.logical_and),
    "logical_or": _two(torch.logical_or),
    "logical_not": _one(torch.logical_not),
    "identity": _one(lambda x: x),
    "abs": _one(torch.abs),
    "neg": _one(torch.neg),
    "exp": _one(torch.exp),
    "expm1": _one(torch.expm1),
    "log": _one(torch.log),
    "log1p": _one(torch.log1p),
    "sqrt": _one(torch.sqrt),
    "rsqrt": _one(torch.rsqrt),
    "square": _one(torch.square),
    "reciprocal": _one(torch.reciprocal),
    "sign": _one(torch.sign),
    "floor": _one(torch.floor),
    "ceil": _one(torch.ceil),
    "round": _one(_rounded),
    "sin": _one(torch.sin),
    "cos": _one(torch.cos),
    "tan": _one(torch.tan),
    "atan": _one(torch.atan),
    "erf": _one(torch.erf),
    "erfc": _one(torch.erfc),
    "clip": _clip,
    "select": _select,
    "cast": _cast,
    "constant": _constant,
    "reduce_mean": _reduction(torch.mean),
    "reduce_sum": _reduction(torch.sum),
    "reduce_max": _reduction(torch.amax),
    "reduce_min": _reduction(torch.amin),
    "reduce_prod": _reduction(_product),
    "matmul": _matmul,
    "dense": _dense,
}
