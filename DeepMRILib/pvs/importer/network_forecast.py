"""What a network will need, found before anything is allocated: PyTorch's meta device knows shapes and no values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Step
from DeepMRILib.pvs.importer.network_graph import PYTHON, last_uses
from DeepMRILib.pvs.importer.network_ops import OPS

MOST_BYTES = 8 * 2**30
"""A single tensor in 32 bits; the largest of SHIVA's networks has 0.7 GB."""
_MULTIPLYING = {"conv", "conv_transpose", "dense", "matmul"}
_WRONG = (RuntimeError, ValueError, TypeError, IndexError, KeyError, ZeroDivisionError, OverflowError, AttributeError)


@dataclass(frozen=True)
class Forecast:
    """What a run will need.

    Attributes:
        shapes: of every value, the inputs and weights included.
        outputs: the shapes of the outputs.
        macs: products that are added up in convolutions and matrices.
        peak_bytes: the most that the values of one moment take in 32 bits, without the weights.
        weight_bytes: of the weights in 32 bits.
    """

    shapes: Mapping[str, tuple[int, ...]]
    outputs: tuple[tuple[int, ...], ...]
    macs: int
    peak_bytes: int
    weight_bytes: int


def shapes_of(
    graph: Graph, input_shapes: Sequence[Sequence[int]] | None = None, *, most_bytes: int = MOST_BYTES
) -> Forecast:
    """Forecast a run with inputs of these shapes; without them those of the graph, with a batch of 1.

    Raises:
        WeightsError: the steps do not fit together, a value has more than ``most_bytes``, or an input has no size.
    """
    given = fixed_shapes(graph) if input_shapes is None else [tuple(map(int, shape)) for shape in input_shapes]
    if len(given) != len(graph.inputs):
        raise WeightsError(f"The network takes {len(graph.inputs)} inputs; shapes of {len(given)} were given.")
    with torch.device("meta"):
        values = {port.name: _meta(shape) for port, shape in zip(graph.inputs, given, strict=True)}
        weights = {name: _weight(array) for name, array in graph.weights.items()}
    return _run(graph, values, weights, most_bytes)


def fixed_shapes(graph: Graph) -> list[tuple[int, ...]]:
    """The shapes of the inputs with a batch of 1.

    Raises:
        WeightsError: an input may have any size.
    """
    shapes = [(1, *port.shape[1:]) for port in graph.inputs]
    for port, shape in zip(graph.inputs, shapes, strict=True):
        if None in shape:
            raise WeightsError(f"The network's input {port.name} may have any size: say which one.")
    return [tuple(int(size or 1) for size in shape) for shape in shapes]


def _meta(shape: Sequence[int]) -> Tensor:
    return torch.empty(tuple(shape), dtype=torch.float32)


def _weight(array: Any) -> Tensor:
    whole = array.dtype.kind in "iub"
    return torch.empty(array.shape, dtype=torch.int64 if whole else torch.float32)


def _run(graph: Graph, values: dict[str, Tensor], weights: dict[str, Tensor], most: int) -> Forecast:
    shapes = {name: tuple(value.shape) for name, value in (values | weights).items()}
    macs, peak = 0, 0
    functions = getattr(graph, "functions", {})
    for value in (*values.values(), *weights.values()):
        _check_size(value.numel(), most, "An input or a weight")
    for step, done in zip(graph.steps, last_uses(graph), strict=True):
        inputs = [values[name] if name in values else weights[name] for name in step.inputs]
        made = _apply(step, inputs, functions)
        for value in made:
            _check_size(value.numel(), most, f"The step {step.op} ({step.outputs[0][:80]})")
        values |= zip(step.outputs, made, strict=True)
        shapes |= {name: tuple(value.shape) for name, value in zip(step.outputs, made, strict=True)}
        macs += _macs(step, inputs, made[0])
        peak = max(peak, _alive(values.values()))
        for name in done:
            values.pop(name, None)
    outputs = tuple(shapes[name] for name in graph.outputs)
    return Forecast(shapes, outputs, macs, peak, sum(4 * value.numel() for value in weights.values()))


def _apply(step: Step, inputs: list[Tensor], functions: Mapping[str, Any]) -> tuple[Tensor, ...]:
    try:
        if step.op == PYTHON:
            made = functions[step.attributes["function"]](*inputs)
        else:
            with torch.device("meta"):
                made = OPS[step.op](inputs, step.attributes)
    except _WRONG as error:
        if step.op == PYTHON:
            raise
        shapes = ", ".join(str(tuple(value.shape)) for value in inputs)
        raise WeightsError(
            f"The network does not fit together: its step {step.op} ({step.outputs[0][:80]}) cannot work on {shapes} "
            f"({str(error).splitlines()[0][:200] if str(error) else type(error).__name__})."
        ) from error
    made = (made,) if isinstance(made, Tensor) else tuple(made)
    if len(made) != len(step.outputs):
        raise WeightsError(f"The network is damaged: its step {step.op} makes {len(made)} values.")
    return made


def _check_size(count: int, most: int, what: str) -> None:
    if count * 4 > most:
        raise WeightsError(
            f"{what} of the network has {count * 4 / 2**30:.1f} GB; up to {most / 2**30:.1f} GB are accepted."
        )


def _macs(step: Step, inputs: Sequence[Tensor], made: Tensor) -> int:
    if step.op not in _MULTIPLYING:
        return 0
    if step.op in {"dense", "matmul"}:
        return made.numel() * inputs[0].shape[-1]
    kernel = inputs[1]
    voxels = made if step.op == "conv" else inputs[0]
    return voxels.numel() * math.prod(kernel.shape[1:])


def _alive(values: Any) -> int:
    """Bytes of all memory that values are in; views of one tensor count once."""
    stores = {value.untyped_storage()._cdata: value.untyped_storage().nbytes() for value in values}
    return sum(stores.values())
