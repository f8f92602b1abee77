"""Which tensor of the checkpoint each variable of a SavedModel holds.

The restore function of the graph says so: it is what a server executes to load the model. The object graph, where
it is there, must agree. Names are never compared: they repeat, and Keras 3 gives the same weight several.
"""

from __future__ import annotations

from DeepMRILib.pvs.importer.checkpoint import Checkpoint
from DeepMRILib.pvs.importer.savedmodel_flatten import CALLS, Place, Program, data_inputs
from DeepMRILib.pvs.importer.savedmodel_proto import SAVED_MODEL
from DeepMRILib.pvs.importer.savedmodel_values import strings
from DeepMRILib.pvs.importer.wire import DamagedError, Decoder, Message

_PASSING = frozenset({"Identity", "IdentityN"})
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def restored(program: Program, saver: Message) -> dict[str, str]:
    """The checkpoint's key by the name of the variable's node in the main graph.

    Raises:
        DamagedError: the file has no restore function as TensorFlow 2 writes it, or it contradicts itself.
    """
    start = saver.restore.partition(":")[0].lstrip("^")
    node = program.main.body.nodes.get(start)
    if node is None or node.op not in CALLS:
        raise DamagedError("it has no function that restores its weights, as TensorFlow 2 writes it")
    keys: dict[str, str] = {}
    waiting = [program.enter(Place(0, start))]
    while waiting:
        scope = waiting.pop()
        for node in program.nodes(scope):
            if node.op in CALLS:
                waiting.append(program.enter(Place(scope, node.name)))
            elif node.op == "AssignVariableOp":
                handle, key = _assigned(program, scope, node)
                if keys.setdefault(handle, key) != key:
                    raise DamagedError(f"its variable {handle} is restored from two tensors")
    return keys


def _assigned(program: Program, scope: int, node: Message) -> tuple[str, str]:
    texts = data_inputs(node)
    if len(texts) != 2:
        raise DamagedError(f"its node {node.name} lacks an input")
    handle = program.locate(scope, texts[0]).place
    source = program.locate(scope, texts[1])
    maker = program.node(source.place)
    # Each pass goes one node up and is charged, so a ring of identities ends too.
    while maker.op in _PASSING:
        inputs = data_inputs(maker)
        if source.index >= len(inputs):
            raise DamagedError(f"its node {maker.name} lacks an input")
        source = program.locate(source.place.scope, inputs[source.index])
        maker = program.node(source.place)
    if handle.scope != 0 or program.node(handle).op != "VarHandleOp" or maker.op != "RestoreV2":
        raise DamagedError(f"its weights are restored in a way that is not known ({maker.op})")
    return handle.node, _restored_key(program, source.place, maker, source.index)


def _restored_key(program: Program, place: Place, node: Message, index: int) -> str:
    inputs = data_inputs(node)
    if len(inputs) != 3:
        raise DamagedError(f"its node {node.name} lacks an input")
    names, slices = (_texts(program, place.scope, text) for text in inputs[1:])
    if index >= len(names) or len(slices) != len(names):
        raise DamagedError(f"its node {node.name} restores {len(names)} tensors, number {index} is used")
    if slices[index]:
        raise DamagedError(f"its tensor {names[index]} is partitioned, which is not read")
    return names[index]


def _texts(program: Program, scope: int, reference: str) -> list[str]:
    node = program.node(program.locate(scope, reference).place)
    if node.op != "Const":
        raise DamagedError("the names of its weights are no constants")
    return strings(program.operations.attribute(node, "value"))


def check_objects(program: Program, objects: Message, checkpoint: Checkpoint, call: Place, keys: dict[str, str]) -> int:
    """Prove that the object graph names the same weights for the variables that the signature is given.

    Args:
        program: the file's graph.
        objects: its SavedObjectGraph.
        checkpoint: its weights.
        call: the node of the main graph that calls the signature's function.
        keys: what ``restored`` gave.

    Returns:
        The number of variables compared; 0 where the file has no object graph for this call.

    Raises:
        DamagedError: a variable has other numbers by the one way than by the other.
    """
    function = objects.functions.get(program.called(call))
    if function is None or _OBJECT_GRAPH not in checkpoint:
        return 0
    nodes = Decoder(SAVED_MODEL).decode("Trackables", checkpoint.text(_OBJECT_GRAPH)).nodes
    given = data_inputs(program.node(call))
    bound = function.bound.tolist()
    captured = given[len(given) - len(bound) :] if len(bound) <= len(given) else []
    compared = 0
    for number, reference in zip(bound, captured, strict=False):
        handle = program.locate(0, reference).place
        known = keys.get(handle.node)
        key = _object_key(nodes, number)
        if program.node(handle).op != "VarHandleOp" or known is None or key is None:
            continue
        one, other = checkpoint.find(known), checkpoint.find(key)
        if (one.crc, one.shape, one.dtype) != (other.crc, other.shape, other.dtype):
            raise DamagedError(f"its two lists of weights disagree about {handle.node}")
        compared += 1
    return compared


def _object_key(nodes: list[Message], number: int) -> str | None:
    if not 0 <= number < len(nodes):
        raise DamagedError("its list of objects is damaged")
    attributes = nodes[number].attributes
    return attributes[0].key if attributes else None
