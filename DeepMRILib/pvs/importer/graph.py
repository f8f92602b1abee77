"""A network as plain data: named values, and the steps that make one from others.

Every format is read into this, and ``network_graph.GraphNetwork`` runs it. As text it is JSON, its weights lie in a
safetensors file; nothing in it can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError

FORMAT = 1
MOST_STEPS = 100_000


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        op: its name in ``network_ops.OPS``.
        inputs: names of values: of an input, a weight, or an output of an earlier step.
        outputs: names of the values that it makes.
        attributes: everything else, as JSON values.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    """An input of the network: its name and shape with the batch first, None where any size will do."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network.

    Attributes:
        inputs: in their order.
        outputs: the values that it returns.
        steps: in the order of computing.
        weights: arrays by name.
        layout: where its images have their channels; ``last`` is (n, x, y, z, c), ``first`` (n, c, x, y, z).
    """

    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    steps: tuple[Step, ...]
    weights: Mapping[str, NDArray]
    layout: Literal["last", "first"] = "last"

    def structure(self) -> dict[str, Any]:
        """Everything but the weights, as JSON values."""
        return {
            "format": FORMAT,
            "layout": self.layout,
            "inputs": [{"name": port.name, "shape": list(port.shape)} for port in self.inputs],
            "outputs": list(self.outputs),
            "steps": [[step.op, list(step.inputs), list(step.outputs), dict(step.attributes)] for step in self.steps],
        }

    @classmethod
    def from_structure(cls, values: Any, weights: Mapping[str, NDArray]) -> Graph:
        """What ``structure`` gave, with weights.

        Raises:
            WeightsError: no such structure, or one that uses what is not there.
        """
        try:
            json.dumps(values, allow_nan=False)
            graph = cls(
                inputs=tuple(Port(str(port["name"]), tuple(port["shape"])) for port in values["inputs"]),
                outputs=tuple(map(str, values["outputs"])),
                steps=tuple(_step(entry) for entry in values["steps"]),
                weights=weights,
                layout={"last": "last", "first": "first"}[values["layout"]],
            )
            readable = values["format"] == FORMAT
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise WeightsError(f"The network's description is damaged ({error}). Import the network again.") from error
        if not readable:
            raise WeightsError("The network was stored by another version of DeepMRI. Import it again.")
        graph.check()
        return graph

    def check(self) -> None:
        """Prove that each step uses what is there by then, and that each value is made once.

        Raises:
            WeightsError: it does not.
        """
        if len(self.steps) > MOST_STEPS:
            raise WeightsError(f"The network has {len(self.steps)} steps; up to {MOST_STEPS} are expected.")
        known = {port.name for port in self.inputs} | set(self.weights)
        for step in self.steps:
            lacking = [name for name in step.inputs if name not in known]
            twice = [name for name in step.outputs if name in known]
            if lacking or twice:
                fault = f"uses {lacking[0]}, which is not there" if lacking else f"makes {twice[0]} a second time"
                raise WeightsError(f"The network is damaged: its step {step.op} {fault}. Get the file again.")
            known.update(step.outputs)
        if missing := [name for name in self.outputs if name not in known]:
            raise WeightsError(f"The network is damaged: nothing makes its output {missing[0]}. Get the file again.")


def _step(entry: Any) -> Step:
    op, inputs, outputs, attributes = entry
    if not isinstance(attributes, dict):
        raise TypeError("attributes are no dictionary")
    return Step(str(op), tuple(map(str, inputs)), tuple(map(str, outputs)), attributes)
