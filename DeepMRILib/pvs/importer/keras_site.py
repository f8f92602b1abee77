"""What the makers of layers work with: the graph under construction, and one use of one layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import MOST_STEPS, Step

IGNORED = frozenset(
    {
        *("name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dtype"),
        *("activity_regularizer", "seed", "noise_shape", "autocast", "build_input_shape"),
    }
)
"""Settings that do not change what a trained layer gives."""
_IGNORED_ENDS = ("_initializer", "_regularizer", "_constraint")


class NotUnderstoodError(Exception):
    """A layer that is not read, and why; gathered, so that a user learns of all of them at once."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, by its name."""

    name: str


class Options:
    """Settings of a layer: each that matters must be asked for, so that none is passed over."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """A setting; None counts as not given."""
        self._asked.add(name)
        value = self._values.get(name)
        return default if value is None else value

    def has(self, name: str) -> bool:
        """Whether it is given."""
        return self._values.get(name) is not None

    def ignore(self, *names: str) -> None:
        """Settings that do not matter here."""
        self._asked.update(names)

    def expect(self, name: str, *accepted: Any) -> None:
        """A setting that is read only with these values, or not given.

        Raises:
            NotUnderstoodError: it has another.
        """
        if self.has(name) and self.get(name) not in accepted:
            raise NotUnderstoodError(f"{name} {str(self.get(name))[:60]}")
        self._asked.add(name)

    def finish(self) -> None:
        """Nothing may be left that was not asked for.

        Raises:
            NotUnderstoodError: something is.
        """
        left = [
            name
            for name, value in self._values.items()
            if value is not None and name not in self._asked | IGNORED and not name.endswith(_IGNORED_ENDS)
        ]
        if left:
            raise NotUnderstoodError(f"unknown setting {', '.join(left)[:80]}")

    def number(self, name: str, default: float) -> float:
        """A finite number."""
        value = self.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise NotUnderstoodError(f"{name} {str(value)[:60]}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or False."""
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise NotUnderstoodError(f"{name} {str(value)[:60]}")
        return value

    def whole(self, name: str, count: int, default: Any = None, least: int = 1) -> list[int]:
        """Whole numbers, one for each axis; a single one counts for all."""
        value = self.get(name, default)
        values = [value] * count if isinstance(value, int) else value
        good = isinstance(values, list | tuple) and len(values) == count
        if not good or any(type(entry) is not int or not least <= entry < 2**31 for entry in values):
            raise NotUnderstoodError(f"{name} {str(value)[:60]}")
        return list(values)


class Building:
    """The steps and weights of a graph, as they come together."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.weights: dict[str, NDArray] = {}
        self._names: dict[str, int] = {}

    def fresh(self, name: str) -> str:
        """A name that is not used yet."""
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if not count else self.fresh(f"{name}#{count}")

    def add(self, name: str, op: str, inputs: Sequence[str], attributes: Mapping[str, Any], outputs: int = 1) -> list:
        """A step; its values are named after the layer."""
        if len(self.steps) >= MOST_STEPS:
            raise WeightsError(f"The network has more than {MOST_STEPS} steps.")
        made = [self.fresh(name) for _ in range(outputs)]
        self.steps.append(Step(op, tuple(inputs), tuple(made), dict(attributes)))
        return made

    def weight(self, name: str, array: NDArray) -> str:
        """A weight; several uses of a layer share it."""
        if name in self.weights:
            return name
        self._names.setdefault(name, 1)
        self.weights[name] = np.ascontiguousarray(array, dtype=np.float32)
        return name


@dataclass(eq=False)
class Site:
    """One use of one layer.

    Attributes:
        building: the graph.
        path: the layer's name with those of the models around it.
        options: its settings.
        args: what it is called with: ``Value``, numbers, lists.
        kwargs: the same, by name.
        weights: by role.
        keras: 2 or 3: some settings mean different things.
    """

    building: Building
    path: str
    options: Options
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, NDArray] = field(default_factory=dict)
    keras: int = 2

    @property
    def inputs(self) -> list[str]:
        """The names of the tensors that it takes."""
        given = self.args[0] if len(self.args) == 1 and isinstance(self.args[0], list) else self.args
        if not given or not all(isinstance(value, Value) for value in given):
            raise NotUnderstoodError("an input that is no tensor")
        return [value.name for value in given]

    @property
    def input(self) -> str:
        """The one tensor that it takes."""
        if len(self.inputs) != 1:
            raise NotUnderstoodError(f"{len(self.inputs)} inputs")
        return self.inputs[0]

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A step with one output."""
        return self.building.add(self.path, op, inputs, attributes)[0]

    def weight(self, role: str, change: Callable[[NDArray], NDArray] | None = None) -> str:
        """The name of a weight, changed to how the graph wants it."""
        array = self.weights[role]
        return self.building.weight(f"{self.path}/{role}", array if change is None else change(array))

    def made(self, role: str, array: NDArray) -> str:
        """The name of a weight that was computed from the layer's."""
        return self.building.weight(f"{self.path}/{role}", array)

    def shaped(self, role: str, shape: Sequence[int | None]) -> NDArray:
        """A weight that must have a shape, None where any size will do.

        Raises:
            NotUnderstoodError: it has another.
        """
        array = self.weights[role]
        expected = len(shape) == array.ndim and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
        if not expected:
            text = " x ".join("?" if size is None else str(size) for size in shape) or "no axes"
            raise NotUnderstoodError(f"its {role} has the shape {array.shape}, {text} was expected")
        return array
