"""The operations of a SavedModel as the steps of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Port
from DeepMRILib.pvs.importer.savedmodel_call import Call, Lowering
from DeepMRILib.pvs.importer.savedmodel_flatten import FlatNode, Place, Source
from DeepMRILib.pvs.importer.savedmodel_lower_arithmetic import ARITHMETIC
from DeepMRILib.pvs.importer.savedmodel_lower_convolution import CONVOLUTION
from DeepMRILib.pvs.importer.savedmodel_lower_shape import SHAPE
from DeepMRILib.pvs.importer.savedmodel_peephole import simplified
from DeepMRILib.pvs.importer.savedmodel_values import Operations, constant

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Trace, Value


def _passed(call: Call) -> list[Value]:
    return call.values()


LOWERINGS: dict[str, Lowering] = {
    **ARITHMETIC,
    **CONVOLUTION,
    **SHAPE,
    "EnsureShape": _passed,
    "Identity": _passed,
    "IdentityN": _passed,
    "PreventGradient": _passed,
    "Snapshot": _passed,
    "StopGradient": _passed,
}
_HANDLED = frozenset({"Const", "Placeholder", "VarHandleOp", "ReadVariableOp"})


@dataclass(frozen=True, eq=False)
class Content:
    """What a signature of a SavedModel computes.

    Attributes:
        nodes: in an order of computing.
        ports: the inputs, and for each the node that stands for it.
        outputs: where each named output comes from.
        weights: arrays by the name of the variable's node.
        operations: their defaults.
        simple: put rows of steps together that are one thing.
    """

    nodes: Sequence[FlatNode]
    ports: Sequence[tuple[Port, Place]]
    outputs: Mapping[str, Source]
    weights: Mapping[str, NDArray]
    operations: Operations
    simple: bool = True


def check_known(nodes: Sequence[FlatNode], operations: Operations) -> None:
    """Prove that every operation is one that is read.

    Raises:
        WeightsError: some are not; all are named.
    """
    used = {node.message.op for node in nodes}
    strange = sorted(op for op in used if (op not in LOWERINGS and op not in _HANDLED) or not operations.describes(op))
    if strange:
        raise WeightsError(
            f"The network uses TensorFlow operations that are not read here: {', '.join(map(_shown, strange))}. "
            "Nothing was imported, because its result would be wrong."
        )


def lowered(
    content: Content, trace: Trace, sizes: Sequence[Sequence[int]], shapes: Sequence[Sequence[int | None]]
) -> Graph:
    """The graph for inputs of these sizes, whose ports are then given these shapes.

    Raises:
        WeightsError: an operation cannot be computed, or has a form that is not read.
    """
    values: dict[Source, Value | None] = {}
    for (port, place), size in zip(content.ports, sizes, strict=True):
        values[Source(place, 0)] = trace.port(port.name, size)
    for node in content.nodes:
        if Source(node.place, 0) in values:
            continue
        made = _made(content, trace, node, values)
        for index, value in enumerate(made):
            values[Source(node.place, index)] = value
    outputs = {}
    for name, source in content.outputs.items():
        value = values.get(source)
        if value is None:
            raise WeightsError(f"The output {name} of the network is not computed by anything.")
        outputs[name] = trace.output(name, value)
    formats = {_format(content, node) for node in content.nodes} - {None}
    graph = trace.graph(outputs, shapes, "first" if formats == {"NC"} else "last")
    return simplified(graph, trace.shapes) if content.simple else graph


def _made(
    content: Content, trace: Trace, node: FlatNode, values: Mapping[Source, Value | None]
) -> Sequence[Value | None]:
    op, name = node.message.op, node.message.name
    if op == "Const":
        tensor = content.operations.attribute(node.message, "value")
        # A text is of no use to any step; where one is used after all, it is missing.
        return [None if tensor.dtype == 7 else trace.constant(name, constant(tensor))]
    if op == "VarHandleOp":
        return [None]
    if op == "ReadVariableOp":
        handle = node.inputs[0].place.node if node.inputs else ""
        if handle not in content.weights:
            raise WeightsError(
                f"The network reads the variable {handle or name}, whose weights are not in its checkpoint."
            )
        return [_weight(trace, handle, content.weights[handle])]
    if op == "Placeholder":
        raise WeightsError(f"The network needs the input {name}, which its signature does not name.")
    made = LOWERINGS[op](Call(trace, content.operations, node.message, [values.get(source) for source in node.inputs]))
    return made if isinstance(made, list) else [made]  # type: ignore[list-item]


def _weight(trace: Trace, name: str, array: NDArray) -> Value:
    return trace.constant(name, array, stored=True)


def _format(content: Content, node: FlatNode) -> str | None:
    """Whether an operation on images has the channels first (NC) or last."""
    if node.message.op not in CONVOLUTION or node.message.op.startswith("Resize"):
        return None
    known = "data_format" in node.message.attr or content.operations.describes(node.message.op)
    return content.operations.attribute(node.message, "data_format")[:2] if known else None


def _shown(op: str) -> str:
    return op[:60]
