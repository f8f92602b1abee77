"""TensorFlow SavedModel folders (Keras 2 saves, Keras 3 exports, plain modules) as graphs, without TensorFlow.

Nothing of the file is executed: its operations are translated, and what is not known is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from DeepMRILib.errors import WeightsError, require
from DeepMRILib.pvs.importer.checkpoint import Checkpoint, file_view, plain_size
from DeepMRILib.pvs.importer.graph import Graph, Port
from DeepMRILib.pvs.importer.savedmodel_flatten import CALLS, FlatNode, Place, Program, Source, data_inputs
from DeepMRILib.pvs.importer.savedmodel_link import check_objects, restored
from DeepMRILib.pvs.importer.savedmodel_lower import Content, check_known, lowered
from DeepMRILib.pvs.importer.savedmodel_proto import SAVED_MODEL
from DeepMRILib.pvs.importer.savedmodel_values import Operations, shape
from DeepMRILib.pvs.importer.wire import DamagedError, Decoder, Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BYTES = 2 << 30
_FAULTS = (DamagedError, KeyError, IndexError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError)


def is_savedmodel(folder: Path) -> bool:
    """Whether a folder is a SavedModel."""
    return (Path(folder) / "saved_model.pb").is_file()


def read_savedmodel(folder: Path, *, simple: bool = True) -> Graph:
    """The network of a SavedModel's signature ``serving_default`` (or ``serve``, or its only one).

    Inputs that may have any size keep a None in their shape if the steps are the same for all sizes.

    Args:
        folder: with ``saved_model.pb``, and the folder ``variables`` if it has weights.
        simple: put rows of steps together that are one thing (``savedmodel_peephole``).

    Raises:
        WeightsError: the folder is no SavedModel, is damaged, or uses what is not read; all unknown operations are
            named at once.
        DependencyError: PyTorch is not installed.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise WeightsError(f"{folder} is no folder; a SavedModel is a folder with saved_model.pb in it.")
    require("torch", "Reading a network", "torch")
    with _reading(folder):
        return _any_size(replace(_content(folder), simple=simple))


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        raise WeightsError(f"{folder.name}: {error}") from error
    except OSError as error:
        raise WeightsError(f"{folder.name} cannot be read ({error.strerror or error}).") from error
    except _FAULTS as error:
        why = str(error) if isinstance(error, DamagedError) else f"{type(error).__name__}: {error}"[:200]
        raise WeightsError(f"{folder.name} is damaged or no network that is read here: {why}. Get it again.") from error


def _content(folder: Path) -> Content:
    path = folder / "saved_model.pb"
    plain_size(path)
    return _understood(folder, file_view(path, _MOST_BYTES))


def _understood(folder: Path, data: memoryview) -> Content:
    decoder = Decoder(SAVED_MODEL)
    graph = _meta_graph(decoder, data)
    signature = _signature(graph)
    operations = Operations(graph.info.ops.op)
    program = Program(graph.graph, operations, decoder)
    outputs = {name: program.locate(0, info.name) for name, info in signature.outputs.items()}
    nodes = program.flatten(list(outputs.values()))
    check_known(nodes, operations)
    call = _call(program, signature)
    ports, outputs = _by_order(program, call, _ports(program, signature), outputs)
    handles = [node for node in nodes if node.message.op == "VarHandleOp"]
    weights = _weights(folder, _Links(decoder, graph, program, call), handles) if handles else {}
    return Content(nodes, ports, outputs, weights, operations)


@dataclass(frozen=True, eq=False)
class _Links:
    """What tells which weights a variable has."""

    decoder: Decoder
    graph: Message
    program: Program
    call: Place | None


def _meta_graph(decoder: Decoder, data: memoryview) -> Message:
    graphs = decoder.decode("SavedModel", data).meta_graphs
    for view in graphs:
        if "serve" in decoder.decode("MetaTags", view).info.tags:
            return decoder.decode("MetaGraph", view)
    raise DamagedError("it holds no network for use (tag serve)")


def _signature(graph: Message) -> Message:
    usable = {name: entry for name, entry in graph.signatures.items() if entry.inputs and entry.outputs}
    for name in ("serving_default", "serve"):
        if name in usable:
            return usable[name]
    if len(usable) != 1:
        raise DamagedError(f"it has {len(usable)} signatures and none is called serving_default")
    return next(iter(usable.values()))


def _call(program: Program, signature: Message) -> Place | None:
    """The node of the main graph that calls the signature's function."""
    name = next(iter(signature.outputs.values())).name.partition(":")[0]
    node = program.main.body.nodes.get(name)
    return Place(0, name) if node is not None and node.op in CALLS else None


def _ports(program: Program, signature: Message) -> list[tuple[Port, Place]]:
    """The inputs, and the nodes that stand for them."""
    ports = []
    for name, info in signature.inputs.items():
        source = program.locate(0, info.name)
        sizes = shape(info.shape)
        if program.node(source.place).op != "Placeholder" or sizes is None or info.dtype not in (1, 19):
            raise DamagedError(f"its input {name} is no image of known axes in float32")
        ports.append((Port(name, sizes), source.place))
    return ports


def _by_order(
    program: Program, call: Place | None, ports: list[tuple[Port, Place]], outputs: dict[str, Source]
) -> tuple[list[tuple[Port, Place]], dict[str, Source]]:
    """Inputs and outputs as the innermost function has them that takes and gives all of them.

    The signature itself sorts them by name; the function that it calls has them in the order of the network.
    """
    taken = [place for _, place in ports]
    origins = {name: program.origin(source) for name, source in outputs.items()}
    given = list(origins.values())
    while call is not None:
        node, inside = program.node(call), program.enter(call)
        arguments = [program.locate(call.scope, text).place for text in data_inputs(node)]
        results = program.results(inside)
        if not set(taken) <= set(arguments) or not set(given) <= set(results):
            break
        taken.sort(key=arguments.index)
        given.sort(key=results.index)
        calls = [node.name for node in program.nodes(inside) if node.op in CALLS]
        call = Place(inside, calls[0]) if len(calls) == 1 else None
    named = sorted(outputs.items(), key=lambda entry: (given.index(origins[entry[0]]), entry[0]))
    return sorted(ports, key=lambda entry: taken.index(entry[1])), dict(named)


def _weights(folder: Path, links: _Links, handles: Sequence[FlatNode]) -> dict[str, NDArray]:
    """Arrays by the variable's node; nothing is read before all entries are known to fit."""
    variables = folder / "variables"
    if variables.is_symlink():
        raise DamagedError("its folder variables is a link, which is not followed")
    checkpoint = Checkpoint(variables)
    keys = restored(links.program, links.graph.saver)
    if links.call is not None and len(links.graph.objects):
        objects = links.decoder.decode("ObjectGraph", links.graph.objects)
        check_objects(links.program, objects, checkpoint, links.call, keys)
    for node in handles:
        name = node.place.node
        if node.place.scope != 0 or name not in keys:
            raise DamagedError(f"its variable {name} is not in its checkpoint")
        expected = links.program.operations.attribute(node.message, "shape")
        if not _fits(expected, checkpoint.find(keys[name]).shape):
            raise DamagedError(f"its variable {name} is stored with another shape than it has")
    return {node.place.node: checkpoint.read(keys[node.place.node]) for node in handles}


def _fits(expected: Sequence[int | None] | None, found: Sequence[int]) -> bool:
    if expected is None:
        return True
    same_rank = len(expected) == len(found)
    return same_rank and all(a is None or a == b for a, b in zip(expected, found, strict=True))


def _any_size(content: Content) -> Graph:
    from DeepMRILib.pvs.importer.network_sizes import any_size
    from DeepMRILib.pvs.importer.network_trace import Trace

    return any_size(
        lambda sizes, shapes, most: lowered(content, Trace(list(content.outputs), most), sizes, shapes),
        [port.shape for port, _ in content.ports],
    )
