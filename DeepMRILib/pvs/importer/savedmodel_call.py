"""One operation of a SavedModel on its way to steps: its attributes, its inputs, and where its steps go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.savedmodel_values import Operations
from DeepMRILib.pvs.importer.wire import Message

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Trace, Value


@dataclass(frozen=True, eq=False)
class Call:
    """A node, the values of its inputs (None for what is not computed here), and the trace that takes its steps."""

    trace: Trace
    operations: Operations
    node: Message
    inputs: Sequence[Value | None]

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    @property
    def what(self) -> str:
        """The node's name and operation, for messages."""
        return f"The operation {self.node.name} ({self.node.op})"

    def attribute(self, name: str) -> Any:
        """An attribute as a plain value."""
        return self.operations.attribute(self.node, name)

    def value(self, index: int) -> Value:
        """An input."""
        value = self.inputs[index] if -len(self.inputs) <= index < len(self.inputs) else None
        if value is None:
            raise self.refused(f"its input {index + 1} is not there")
        return value

    def values(self) -> list[Value]:
        """All inputs."""
        return [self.value(index) for index in range(len(self.inputs))]

    def integers(self, index: int) -> list[int]:
        """An input that is known whole numbers, flat."""
        return self.trace.integers(self.value(index), f"{self.what}: its input {index + 1}")

    def integer(self, index: int) -> int:
        """An input that is one known whole number."""
        numbers = self.integers(index)
        if len(numbers) != 1:
            raise self.refused(f"its input {index + 1} is not one number")
        return numbers[0]

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


Lowering = Callable[[Call], "Value | Sequence[Value | None]"]
