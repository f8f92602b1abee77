"""ONNX files (operations of version 7 to 21) as graphs, without onnx or onnxruntime.

Nothing of the file is executed. The graph's images have their channels first, as ONNX has them, unless the file
begins by moving them there from the end (files that tf2onnx made of Keras networks): then they are last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from DeepMRILib.errors import WeightsError, require
from DeepMRILib.pvs.importer.checkpoint import file_view
from DeepMRILib.pvs.importer.graph import Graph, Port, Step
from DeepMRILib.pvs.importer.onnx_call import Call, Lowering
from DeepMRILib.pvs.importer.onnx_lower_arithmetic import ARITHMETIC
from DeepMRILib.pvs.importer.onnx_lower_convolution import CONVOLUTION
from DeepMRILib.pvs.importer.onnx_lower_shape import SHAPE
from DeepMRILib.pvs.importer.onnx_proto import ONNX, numbers, sizes
from DeepMRILib.pvs.importer.savedmodel_peephole import simplified
from DeepMRILib.pvs.importer.wire import DamagedError, Decoder, Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from DeepMRILib.pvs.importer.network_trace import Trace, Value

LOWERINGS: dict[str, Lowering] = {**ARITHMETIC, **CONVOLUTION, **SHAPE}
OPSETS = range(7, 22)
_OWN_DOMAINS = frozenset({"", "ai.onnx"})
_MOST_BYTES = (2 << 30) - 1
_FAULTS = (DamagedError, KeyError, IndexError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError)


@dataclass(frozen=True, eq=False)
class Content:
    """A file's network: the nodes that its outputs need, ports, names of outputs, weights, version."""

    nodes: Sequence[Message]
    ports: Sequence[Port]
    outputs: Sequence[str]
    weights: Mapping[str, NDArray]
    opset: int
    simple: bool


def read_onnx(path: Path, *, simple: bool = True) -> Graph:
    """The network of an ONNX file; numbers in other files are read only if these lie beside it.

    Inputs that may have any size keep a None in their shape if the steps are the same for all sizes.

    Args:
        path: of the file.
        simple: put rows of steps together that are one thing (``savedmodel_peephole``).

    Raises:
        WeightsError: it is no ONNX file, is damaged, or uses what is not read; all unknown operations are named at
            once.
        DependencyError: PyTorch is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} is no file; an ONNX file is expected.")
    require("torch", "Reading a network", "torch")
    with _reading(path):
        content = _content(file_view(path, _MOST_BYTES), path.parent)
        return _any_size(replace(content, simple=simple))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{path.name}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{path.name} cannot be read ({error.strerror or error}).") from error
    except _FAULTS as error:
        why = str(error) if isinstance(error, DamagedError) else f"{type(error).__name__}: {error}"[:200]
        raise WeightsError(f"{path.name} is damaged or no network that is read here: {why}. Get it again.") from error


def _content(data: memoryview, folder: Path) -> Content:
    model = Decoder(ONNX).decode("Model", data)
    graph = model.graph
    if not graph.nodes or not graph.outputs:
        raise DamagedError("it holds no network of ONNX")
    opset = _opset(model)
    outputs = [info.name for info in graph.outputs]
    nodes = _needed(graph.nodes, outputs)
    _check_known(nodes)
    if len(graph.sparse):
        raise WeightsError("The network has sparse weights, which are not read.")
    used = {name for node in nodes for name in node.inputs} | set(outputs)
    stored = {tensor.name: tensor for tensor in graph.weights}
    weights = {name: numbers(tensor, folder) for name, tensor in stored.items() if name in used}
    ports = [Port(info.name, tuple(sizes(info))) for info in graph.inputs if info.name not in stored]
    if not ports:
        raise DamagedError("its network has no input")
    return Content(nodes, ports, outputs, weights, opset, simple=True)


def _opset(model: Message) -> int:
    versions = [entry.version for entry in model.opsets if entry.domain in _OWN_DOMAINS]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise WeightsError(
            f"The network is of ONNX operations of version {versions[0] if versions else 'unknown'}; versions "
            f"{OPSETS[0]} to {OPSETS[-1]} are read. Export it with one of these (17 is a good choice)."
        )
    return versions[0]


def _needed(nodes: Sequence[Message], outputs: Sequence[str]) -> list[Message]:
    """The nodes behind the outputs; each must stand after what it uses."""
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.outputs):
            if makers.setdefault(name, index) != index:
                raise DamagedError(f"two of its nodes make {name}")
    wanted: set[int] = set()
    waiting = [makers[name] for name in outputs if name in makers]
    while waiting:
        index = waiting.pop()
        if index in wanted:
            continue
        wanted.add(index)
        before = [makers[name] for name in nodes[index].inputs if name in makers]
        if any(other >= index for other in before):
            raise DamagedError(f"its node {nodes[index].name} uses what is made later")
        waiting.extend(before)
    return [nodes[index] for index in sorted(wanted)]


def _check_known(nodes: Sequence[Message]) -> None:
    strange = {
        node.op if node.domain in _OWN_DOMAINS else f"{node.domain}.{node.op}"
        for node in nodes
        if node.domain not in _OWN_DOMAINS or node.op not in LOWERINGS
    }
    if strange:
        named = ", ".join(sorted(name[:60] for name in strange))
        raise WeightsError(
            f"The network uses ONNX operations that are not read here: {named}. "
            "Nothing was imported, because its result would be wrong."
        )


def _any_size(content: Content) -> Graph:
    from DeepMRILib.pvs.importer.network_sizes import any_size
    from DeepMRILib.pvs.importer.network_trace import Trace

    return any_size(
        lambda sizes, shapes, most: _lowered(content, Trace(content.outputs, most), sizes, shapes),
        [port.shape for port in content.ports],
    )


def _lowered(
    content: Content, trace: Trace, sizes: Sequence[Sequence[int]], shapes: Sequence[Sequence[int | None]]
) -> Graph:
    values: dict[str, Value | None] = {
        port.name: trace.port(port.name, size) for port, size in zip(content.ports, sizes, strict=True)
    }
    values |= {name: trace.constant(name, array, stored=True) for name, array in content.weights.items()}
    for node in content.nodes:
        lacking = [name for name in node.inputs if name and name not in values]
        if lacking:
            raise DamagedError(f"its node {node.name or node.op} uses {lacking[0]}, which nothing makes")
        given = [values[name] if name else None for name in node.inputs]
        made = LOWERINGS[node.op](Call(trace, node, given, content.opset))
        made = made if isinstance(made, list) else [made]
        if len(node.outputs) > len(made):
            raise WeightsError(
                f"The operation {node.name} ({node.op}) has {len(node.outputs)} outputs, which is not read."
            )
        values |= {name: value for name, value in zip(node.outputs, made, strict=False) if name}
    outputs = {}
    for name in content.outputs:
        value = values.get(name)
        if value is None:
            raise WeightsError(f"The output {name} of the network is not computed by anything.")
        outputs[name] = trace.output(name, value)
    graph = trace.graph(outputs, shapes, "first")
    graph = simplified(graph, trace.shapes) if content.simple else graph
    return replace(graph, layout=_layout(graph, trace.shapes))


def _layout(graph: Graph, shapes: Mapping[str, tuple[int, ...]]) -> Literal["last", "first"]:
    """Last, if all that is done first with an image is to move its channels from the end to the front.

    First, if it is convolved or pooled at once. Where something else is done first, the channels are last if there are
    up to four at the end, and more of the other axis.
    """
    images = [port.name for port in graph.inputs if len(port.shape) >= 3]
    used = [step for step in graph.steps if step.inputs and step.inputs[0] in images]
    if any(step.attributes.get("channels") == "first" for step in used):
        return "first"
    if used and {step.inputs[0] for step in used} == set(images) and all(_moves(step, shapes) for step in used):
        return "last"
    few = [port.shape[1] is not None and (port.shape[-1] or 9) <= 4 < port.shape[1] for port in graph.inputs]
    return "last" if all(few) else "first"


def _moves(step: Step, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    before, after = shapes[step.inputs[0]], shapes[step.outputs[0]]
    rank = len(before)
    if step.op == "transpose":
        return list(step.attributes["order"]) == [0, rank - 1, *range(1, rank - 1)]
    # With one channel tf2onnx writes the same as a reshape.
    return step.op == "reshape" and before[-1] == 1 and after == (before[0], 1, *before[1:-1])
