"""A network given as plain steps, run by PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Port, Step
from DeepMRILib.pvs.importer.network_ops import OPS

PYTHON = "python"
"""The op of a step that calls a function of the graph's ``functions`` (see ``lambdas.FunctionGraph``)."""


class GraphNetwork(torch.nn.Module):
    """A graph as a module: its weights are buffers, so that ``to``, ``half`` and ``state_dict`` work.

    It takes and returns tensors in the graph's own layout; numbers with fractions get the precision of the weights.
    A value is computed once and let go after its last use.

    Raises:
        WeightsError: a step names an operation that is not known.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        graph.check()
        self.inputs = graph.inputs
        self.outputs = graph.outputs
        self.layout = graph.layout
        self._keys = {name: f"{index}:{name.replace('.', '_')}" for index, name in enumerate(graph.weights)}
        for name, array in graph.weights.items():
            self.register_buffer(self._keys[name], _tensor(array))
        functions: Mapping[str, Callable[..., Any]] = getattr(graph, "functions", {})
        self._plan = [
            (step, _function(step, functions), done) for step, done in zip(graph.steps, last_uses(graph), strict=True)
        ]
        self.eval()

    @property
    def precision(self) -> torch.dtype:
        """Of the weights."""
        return next((value.dtype for value in self.buffers() if value.is_floating_point()), torch.float32)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The outputs, several as a tuple; the inputs are given in the order of ``graph.inputs``.

        Raises:
            InputError: an input has another shape than the network takes.
        """
        if len(inputs) != len(self.inputs):
            raise TypeError(f"the network takes {len(self.inputs)} inputs, {len(inputs)} were given")
        for port, value in zip(self.inputs, inputs, strict=True):
            _check_shape(port, value)
        precision = self.precision
        named = zip(self.inputs, inputs, strict=True)
        values = {port.name: value.to(precision) if value.is_floating_point() else value for port, value in named}
        del inputs
        outputs = self._run(values, precision)
        return outputs[0] if len(outputs) == 1 else outputs

    def _run(self, values: dict[str, Tensor], precision: torch.dtype) -> tuple[Tensor, ...]:
        for step, function, done in self._plan:
            given = [values[name] if name in values else self._buffers[self._keys[name]] for name in step.inputs]
            made = function(given, step.attributes)
            del given
            made = (made,) if isinstance(made, Tensor) else tuple(made)
            for name, value in zip(step.outputs, made, strict=True):
                # A cast inside the network, or a constant, must not raise a network of 16 bits to 32.
                coerced = value.is_floating_point() and value.dtype != precision
                values[name] = value.to(precision) if coerced else value
            del made, value
            for name in done:
                values.pop(name, None)
        kept = (values[name] if name in values else self._buffers[self._keys[name]] for name in self.outputs)
        return tuple(kept)


class ImageNetwork(torch.nn.Module):
    """A graph as PyTorch's networks are: images have their channels first, whatever the graph's own layout."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.network = GraphNetwork(graph)
        self.eval()

    def forward(self, *images: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Outputs (n, c, x, y, z) for images (n, c, x, y, z); what has no spatial axes stays as it is."""
        last = self.network.layout == "last"
        with torch.no_grad():
            made = self.network(*[_move(image, 1, -1) if last else image for image in images])
            made = (made,) if isinstance(made, Tensor) else made
            moved = tuple(_move(value, -1, 1) if last else value for value in made)
        return moved[0] if len(moved) == 1 else moved


def _move(value: Tensor, start: int, end: int) -> Tensor:
    return value.movedim(start, end) if value.ndim > 2 else value


def last_uses(graph: Graph) -> list[tuple[str, ...]]:
    """For each step the values that nothing needs after it."""
    last: dict[str, int] = {}
    for index, step in enumerate(graph.steps):
        last.update(dict.fromkeys((*step.inputs, *step.outputs), index))
    done: list[list[str]] = [[] for _ in graph.steps]
    kept = {*graph.outputs, *graph.weights}
    for name, index in last.items():
        if name not in kept:
            done[index].append(name)
    return [tuple(names) for names in done]


def _check_shape(port: Port, value: Tensor) -> None:
    """Refuse another size than the network was made for: steps worked out for one would mix up another's voxels."""
    fits = len(port.shape) == value.ndim and all(
        wanted in (None, given) for wanted, given in zip(port.shape, value.shape, strict=True)
    )
    if not fits:
        wanted = " x ".join("any" if size is None else str(size) for size in port.shape)
        given = " x ".join(str(size) for size in value.shape)
        raise InputError(
            f"The network takes {wanted} values at {port.name}, and was given {given}. Resample the image."
        )


def _function(step: Step, functions: Mapping[str, Callable[..., Any]]) -> Callable[..., Any]:
    if step.op == PYTHON and step.attributes.get("function") in functions:
        return _called(functions[step.attributes["function"]])
    if step.op not in OPS:
        raise WeightsError(f"The network uses the operation {step.op}, which this version of DeepMRI does not know.")
    return OPS[step.op]


def _called(function: Callable[..., Any]) -> Callable[[Sequence[Tensor], Mapping[str, Any]], Any]:
    return lambda inputs, _attributes: function(*inputs)


def _tensor(array: Any) -> Tensor:
    array = np.asarray(array)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
    # PyTorch wants memory of its own in the machine's byte order that it may write to.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
