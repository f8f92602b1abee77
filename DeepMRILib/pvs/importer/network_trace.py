"""Making a graph from the operations of another format: each step is tried on shapes alone as it is added.

PyTorch's meta tensors have a shape and no memory, so nothing is allocated before the sizes are known. A step whose
inputs are all known (weights, constants, sizes) is computed at once, and only its result is kept: chains that compute
the sizes of an image end as plain numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Port, Step
from DeepMRILib.pvs.importer.network_ops import OPS

MOST_ELEMENTS = 1 << 31
"""Of a value of the network (8 GB in float32)."""
MOST_TRIED = 6000
"""Operations in all: PyTorch takes some 0.2 ms to try one."""
MOST_KNOWN = 1 << 26
"""Of a value that is computed while the file is read."""
MOST_EXTRA = 256 << 20
"""Bytes of all constants that are no stored weights."""
MOST_PIECES = 4096
MOST_LITERAL = 1 << 16
_MOST_WORK = 1 << 30
_FAULTS = (RuntimeError, ValueError, TypeError, IndexError, KeyError, NotImplementedError, ArithmeticError)


@dataclass(frozen=True, eq=False)
class Value:
    """A value: its name, its shape and type (a meta tensor), and its numbers where they are known."""

    name: str
    meta: Tensor
    known: Tensor | None = None
    stored: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its axes."""
        return tuple(self.meta.shape)

    @property
    def rank(self) -> int:
        """Number of its axes."""
        return self.meta.ndim

    @property
    def real(self) -> bool:
        """Whether it has fractions."""
        return self.meta.is_floating_point()


class Trace:
    """Collects steps; every step is checked as it is added."""

    def __init__(self, reserved: Sequence[str] = (), most: int = MOST_ELEMENTS) -> None:
        """``reserved`` names are kept for outputs, ``most`` is the largest value's number of elements."""
        self._most = most
        self._reserved = set(reserved)
        self._steps: list[Step] = []
        self._ports: list[Value] = []
        self._values: dict[str, Value] = {}
        self._names: set[str] = set()
        self._work = 0
        self._tried = 0

    def port(self, name: str, shape: Sequence[int]) -> Value:
        """An input of the network, of float32."""
        self._reserved.discard(name)
        value = Value(self._name(name), torch.empty(tuple(shape), device="meta"))
        self._ports.append(value)
        return value

    def constant(self, name: str, array: NDArray, *, stored: bool = False) -> Value:
        """Numbers from the file; ``stored`` marks weights, whose bytes the file itself pays for."""
        tensor = _tensor(array)
        value = Value(self._name(name), tensor.to("meta"), tensor, stored)
        self._values[value.name] = value
        return value

    def numbers(self, name: str, values: Any, dtype: torch.dtype = torch.int64) -> Value:
        """A constant that is computed, such as a shape."""
        tensor = torch.as_tensor(values, dtype=dtype)
        value = Value(self._name(name), tensor.to("meta"), tensor)
        self._values[value.name] = value
        return value

    def step(self, op: str, inputs: Sequence[Value], name: str, **attributes: Any) -> Value:
        """Add a step of one result."""
        return self.steps(op, inputs, name, **attributes)[0]

    def steps(self, op: str, inputs: Sequence[Value], name: str, **attributes: Any) -> list[Value]:
        """Add a step; ``name`` is for its results and for messages.

        Raises:
            WeightsError: it cannot be computed from these shapes, or its result is unbelievably large.
        """
        self._tried += 1
        if self._tried > MOST_TRIED:
            raise WeightsError(
                f"The network has more than {MOST_TRIED} operations; networks at hand have a few hundred."
            )
        try:
            made = OPS[op]([value.meta for value in inputs], attributes)
        except _FAULTS as error:
            raise self._fault(name, inputs, error) from error
        metas = [made] if isinstance(made, Tensor) else list(made)
        elements = sum(meta.numel() for meta in metas)
        if elements > self._most or len(metas) > MOST_PIECES:
            raise WeightsError(f"{name} would have {elements} numbers, which no network at hand has.")
        try:
            known = self._computed(op, inputs, attributes, elements)
        except _FAULTS as error:
            raise self._fault(name, inputs, error) from error
        values = []
        for index, meta in enumerate(metas):
            value = self._value(name, meta, inputs, known[index] if known else None)
            self._values[value.name] = value
            values.append(value)
        if known is None:
            names = tuple(value.name for value in values)
            self._steps.append(Step(op, tuple(value.name for value in inputs), names, attributes))
        return values

    def _value(self, name: str, meta: Tensor, inputs: Sequence[Value], known: Tensor | None) -> Value:
        """A result; a weight that is only looked at in another way stays that weight, and keeps its name."""
        first = inputs[0] if inputs else None
        if known is not None and first is not None and first.stored and first.known is not None:
            memory = [tensor.untyped_storage().data_ptr() for tensor in (known, first.known)]
            if memory[0] == memory[1] and known.numel() == first.known.numel():
                return Value(self._name(first.name), meta, known, stored=True)
        return Value(self._name(name), meta, known)

    def output(self, name: str, value: Value) -> Value:
        """A value under the name of an output, or beside it if an input has that name."""
        self._reserved.discard(name)
        return value if value.known is not None else self.step("identity", [value], name)

    def two(self, op: str, left: Value, right: Value, name: str) -> Value:
        """A step of two operands; a single known number becomes part of the step."""
        for value, other, first in ((right, left, False), (left, right, True)):
            number = _number(value, other)
            if number is not None and other.known is None:
                attributes = {"value": number} | ({"first": True} if first else {})
                return self.step(op, [other], name, **attributes)
        return self.step(op, [left, right], name)

    def integers(self, value: Value, what: str) -> list[int]:
        """Known whole numbers, flat.

        Raises:
            WeightsError: they are not known before the network runs.
        """
        array = self.known(value, what)
        if array.dtype.kind not in "iu" or array.size > MOST_LITERAL:
            raise WeightsError(f"{what} is no short list of whole numbers, as is expected.")
        return [int(number) for number in array.reshape(-1)]

    def known(self, value: Value, what: str) -> NDArray:
        """Known numbers.

        Raises:
            WeightsError: they are not known before the network runs.
        """
        if value.known is None:
            raise WeightsError(f"{what} depends on what the image shows, which is not read.")
        return value.known.numpy()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all values."""
        named = [*self._ports, *self._values.values()]
        return {value.name: value.shape for value in named}

    def graph(self, outputs: Mapping[str, Value], shapes: Sequence[Any], layout: Literal["last", "first"]) -> Graph:
        """The graph, without steps and constants that the outputs do not need.

        Args:
            outputs: values by name.
            shapes: of the ports, with None where any size will do.
            layout: see ``Graph``.

        Raises:
            WeightsError: its constants are unbelievably large.
        """
        if any(value.known is not None for value in outputs.values()):
            raise WeightsError("An output of the network does not depend on its input.")
        names = {value.name for value in outputs.values()}
        steps: list[Step] = []
        for step in reversed(self._steps):
            if names.intersection(step.outputs):
                steps.append(step)
                names.update(step.inputs)
        named = [self._values[name] for name in sorted(names) if name in self._values]
        weights = [value for value in named if value.known is not None]
        extra = sum(prod(value.shape) * value.meta.itemsize for value in weights if not value.stored)
        if extra > MOST_EXTRA:
            raise WeightsError(f"The constants of the network would take {extra >> 20} MB.")
        ports = [Port(value.name, tuple(shape)) for value, shape in zip(self._ports, shapes, strict=True)]
        final = tuple(value.name for value in outputs.values())
        arrays = {value.name: value.known.numpy() for value in weights}
        return Graph(tuple(ports), final, tuple(reversed(steps)), arrays, layout)

    def _fault(self, name: str, inputs: Sequence[Value], error: Exception) -> WeightsError:
        shapes = " and ".join(str(list(value.shape)) for value in inputs)
        return WeightsError(f"{name} cannot be computed from {shapes or 'nothing'}: {_short(error)}.")

    def _computed(self, op: str, inputs: Sequence[Value], attributes: Any, elements: int) -> list[Tensor] | None:
        """The results, where all inputs are known and neither they nor the results are large."""
        known = [value.known for value in inputs if value.known is not None]
        if len(known) != len(inputs) or elements > MOST_KNOWN:
            return None
        # What is only looked at in another way costs nothing; all else is counted.
        self._work += elements + sum(value.numel() for value in known)
        if self._work > _MOST_WORK:
            return None
        with torch.no_grad():
            made = OPS[op](known, attributes)
        return [made] if isinstance(made, Tensor) else list(made)

    def _name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._names or name in self._reserved:
            number += 1
            name = f"{wanted}~{number}"
        self._names.add(name)
        return name


def same(one: Graph, other: Graph) -> bool:
    """Whether two graphs differ in the sizes of their inputs at most."""
    if (one.steps, one.outputs, one.layout) != (other.steps, other.outputs, other.layout):
        return False
    if set(one.weights) != set(other.weights):
        return False
    return all(_equal(one.weights[name], other.weights[name]) for name in one.weights)


def _equal(one: NDArray, other: NDArray) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    pointers = (one.__array_interface__["data"], other.__array_interface__["data"])
    return (pointers[0] == pointers[1] and one.strides == other.strides) or np.array_equal(one, other, equal_nan=True)


def _number(value: Value, other: Value) -> float | int | None:
    """A single known number that takes part in an operation without changing the other's shape."""
    if value.known is None or value.known.numel() != 1 or value.rank > other.rank or value.real != other.real:
        return None
    number = value.known.reshape(()).item()
    return number if not isinstance(number, bool) and isfinite(number) else None


def _tensor(array: NDArray) -> Tensor:
    array = np.asarray(array)
    if array.size > 1 and not any(array.strides):
        # One number for all places stays one number in memory.
        return _tensor(array[(slice(0, 1),) * array.ndim].copy()).reshape(()).expand(array.shape)
    array = array.astype(np.float32 if array.dtype.kind == "f" else array.dtype.newbyteorder("="), copy=False)
    with warnings.catch_warnings():
        # PyTorch minds that the array cannot be written to; it is not.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


def _short(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")[:200]
