"""Attributes and constants of TensorFlow's messages as plain values."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.wire import DamagedError, Message

MOST_ELEMENTS = 1 << 31
"""No tensor of a network at hand has more; a splat of that many costs nothing until it is used."""

DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    9: "int64",
    10: "bool",
    # Half floats are computed as float32: the weights of mixed_float16 are float32 anyway.
    14: "float32",
    19: "float32",
    22: "int64",
    23: "int64",
}
"""DataType numbers and the type that values have here."""

_CONTENT = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    5: "<i2",
    6: "i1",
    9: "<i8",
    10: "?",
    19: "<f2",
    22: "<u4",
    23: "<u8",
}
_TYPED = {1: "floats", 2: "doubles", 3: "ints", 4: "ints", 5: "ints", 6: "ints", 9: "longs", 10: "bools", 14: "halves"}
_TYPED |= {19: "halves", 22: "uints", 23: "ulongs"}
_BFLOAT16, _HALF = 14, 19


class Operations:
    """The operations that a file describes (its stripped_op_list): default attributes, and order of outputs."""

    def __init__(self, definitions: list[Message]) -> None:
        self._definitions = {definition.name: definition for definition in definitions}
        self._defaults: dict[str, dict[str, Message]] = {}

    def attribute(self, node: Message, name: str) -> Any:
        """An attribute of a node as a plain value; where the file leaves it out, the operation's default.

        Raises:
            DamagedError: there is neither.
        """
        given = node.attr.get(name)
        if given is None:
            given = self._default(node.op).get(name)
        if given is None:
            raise DamagedError(f"its node {node.name} ({node.op}) lacks the attribute {name}")
        return plain(given)

    def describes(self, op: str) -> bool:
        """Whether the file describes an operation."""
        return op in self._definitions

    def output(self, node: Message, reference: list[str]) -> int:
        """Which output of a node ``name:argument:index`` names, counted through all its outputs."""
        argument, index = reference[1], reference[2]
        first = 0
        for entry in self._definition(node.op).output_arg:
            count = self._count(node, entry)
            if entry.name == argument:
                number = _index(index)
                if number >= count:
                    raise DamagedError(f"its node {node.name} has no output {argument}:{index}")
                return first + number
            first += count
        raise DamagedError(f"its node {node.name} has no output {argument}")

    def _count(self, node: Message, entry: Message) -> int:
        if entry.number_attr:
            return max(0, int(self.attribute(node, entry.number_attr)))
        if entry.type_list_attr:
            return len(self.attribute(node, entry.type_list_attr))
        return 1

    def _default(self, op: str) -> dict[str, Message]:
        if op not in self._defaults:
            definition = self._definitions.get(op)
            entries = definition.attr if definition is not None else []
            self._defaults[op] = {entry.name: entry.default for entry in entries if entry.has("default")}
        return self._defaults[op]

    def _definition(self, op: str) -> Message:
        if op not in self._definitions:
            raise DamagedError(f"it does not describe its operation {op}")
        return self._definitions[op]


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise DamagedError(f"it names an output {text}")
    return int(text)


def plain(value: Message) -> Any:
    """An attribute: text, number, bool, DataType number, shape, function's name, constant, or a list of these."""
    if value.has("s"):
        return text(value.s)
    if value.has("i"):
        return value.i
    if value.has("f"):
        return value.f
    if value.has("b"):
        return bool(value.b)
    if value.has("type"):
        return value.type
    if value.has("shape"):
        return shape(value.shape)
    if value.has("tensor"):
        return value.tensor
    if value.has("func"):
        return value.func.name
    if value.has("list"):
        return _list(value.list)
    raise DamagedError("it has an attribute without a value")


def _list(value: Message) -> list[Any]:
    for name in ("i", "f", "type"):
        if value.has(name):
            return getattr(value, name).tolist()
    if value.has("b"):
        return [bool(entry) for entry in value.b]
    if value.has("s"):
        return [text(entry) for entry in value.s]
    return [shape(entry) for entry in value.shape]


def text(view: memoryview) -> str:
    """Bytes as text.

    Raises:
        DamagedError: they are none.
    """
    try:
        return bytes(view).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError("it has a name that is no text") from error


def shape(value: Message) -> tuple[int | None, ...] | None:
    """A shape, None for an unknown size or number of axes."""
    if value.unknown_rank:
        return None
    sizes = tuple(None if dim.size == -1 else dim.size for dim in value.dim)
    if len(sizes) > 16 or any(size is not None and not 0 <= size < 1 << 40 for size in sizes):
        raise DamagedError("it has a shape that is damaged")
    return sizes


def constant(tensor: Message) -> NDArray:
    """A constant; one value for all elements is not repeated in memory (its strides are 0).

    Raises:
        DamagedError: sizes and values do not fit, or the type is not read.
    """
    sizes = shape(tensor.shape)
    if sizes is None or None in sizes or prod(sizes) > MOST_ELEMENTS:
        raise DamagedError("it has a constant of an unknown or unbelievable size")
    if tensor.dtype not in _CONTENT and tensor.dtype != _BFLOAT16:
        raise DamagedError(f"it has a constant of a type that is not read (DataType {tensor.dtype})")
    if len(tensor.content):
        values = _content(tensor)
    else:
        values = np.asarray(getattr(tensor, _TYPED[tensor.dtype]))
        values = _halves(tensor.dtype, values) if tensor.dtype in (_HALF, _BFLOAT16) else values
    return _filled(values.astype(DTYPES[tensor.dtype]), sizes)


def _content(tensor: Message) -> NDArray:
    form = np.dtype("<u2" if tensor.dtype == _BFLOAT16 else _CONTENT[tensor.dtype])
    if len(tensor.content) % form.itemsize:
        raise DamagedError("it has a constant that is cut")
    values = np.frombuffer(tensor.content, form)
    return _halves(_BFLOAT16, values) if tensor.dtype == _BFLOAT16 else values


def _halves(dtype: int, values: NDArray) -> NDArray:
    """Half floats from their bits."""
    bits = values.astype(np.uint16)
    return bits.view(np.float16) if dtype == _HALF else (bits.astype(np.uint32) << 16).view(np.float32)


def _filled(values: NDArray, sizes: tuple[int, ...]) -> NDArray:
    """Values in their shape; where there are fewer, the last stands for the rest, and zero where there are none."""
    count = prod(sizes)
    if len(values) == count:
        return values.reshape(sizes)
    if len(values) > count:
        raise DamagedError("it has a constant with more values than places")
    if len(values) <= 1:
        last = values[0] if len(values) else values.dtype.type(0)
        return np.broadcast_to(last, sizes)
    if count > 1 << 24:
        raise DamagedError("it has a constant of an unbelievable size")
    return np.concatenate([values, np.repeat(values[-1:], count - len(values))]).reshape(sizes)


def strings(tensor: Message) -> list[str]:
    """A constant row of texts."""
    return [text(entry) for entry in tensor.strings]
