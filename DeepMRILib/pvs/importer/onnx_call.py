"""One node of an ONNX graph on its way to steps: its attributes, its inputs, and where its steps go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.onnx_proto import text
from DeepMRILib.pvs.importer.wire import Message

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Trace, Value

_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 6, 7, 8


@dataclass(frozen=True, eq=False)
class Call:
    """A node, the values of its inputs (None where one is left out), and the version of the operations."""

    trace: Trace
    node: Message
    inputs: Sequence[Value | None]
    opset: int

    @property
    def name(self) -> str:
        """The node's name, or that of its first output."""
        return self.node.name or self.node.outputs[0]

    @property
    def what(self) -> str:
        """The node's name and operation, for messages."""
        return f"The operation {self.name} ({self.node.op})"

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute as a plain value (a Message where it is a tensor), or the default."""
        entry = next((entry for entry in self.node.attributes if entry.name == name), None)
        if entry is None:
            return default
        if entry.reference:
            raise self.refused(f"its attribute {name} refers to another")
        kinds: dict[int, Callable[[], Any]] = {
            _FLOAT: lambda: entry.f,
            _INT: lambda: entry.i,
            _STRING: lambda: text(entry.s),
            _TENSOR: lambda: entry.t,
            _FLOATS: entry.floats.tolist,
            _INTS: entry.ints.tolist,
            _STRINGS: lambda: [text(item) for item in entry.strings],
        }
        kind = entry.kind or next((k for k, n in zip(kinds, "fist", strict=False) if entry.has(n)), 0)
        if kind not in kinds:
            raise self.refused(f"its attribute {name} is of an unknown kind")
        return kinds[kind]()

    def optional(self, index: int) -> Value | None:
        """An input, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def value(self, index: int) -> Value:
        """An input."""
        value = self.optional(index)
        if value is None:
            raise self.refused(f"its input {index + 1} is not there")
        return value

    def values(self) -> list[Value]:
        """All inputs."""
        return [self.value(index) for index in range(len(self.inputs))]

    def integers(self, index: int) -> list[int]:
        """An input that is known whole numbers, flat."""
        return self.trace.integers(self.value(index), f"{self.what}: its input {index + 1}")

    def given(self, name: str, index: int) -> list[int] | None:
        """Whole numbers that were an attribute in older versions and are an input in newer ones."""
        if self.optional(index) is not None:
            return self.integers(index)
        return self.attribute(name)

    def number(self, index: int) -> float | None:
        """An input that is one known number, or None where it is left out."""
        value = self.optional(index)
        if value is None:
            return None
        found = self.trace.known(value, f"{self.what}: its input {index + 1}").reshape(-1)
        if len(found) != 1:
            raise self.refused(f"its input {index + 1} is not one number")
        return found[0].item()

    def step(self, op: str, *inputs: Value, **attributes: Any) -> Value:
        """Add a step."""
        return self.trace.step(op, inputs, self.name, **attributes)

    def refused(self, why: str) -> WeightsError:
        """The error to raise for what is not understood."""
        return WeightsError(f"{self.what} is not read: {why}.")

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front."""
        if not -rank <= axis < rank:
            raise self.refused(f"it has no axis {axis}")
        return axis % rank


Lowering = Callable[[Call], "Value | list[Value | None]"]
