"""The operations behind a SavedModel's outputs, its function calls resolved, each after what it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from DeepMRILib.pvs.importer.savedmodel_values import Operations, plain
from DeepMRILib.pvs.importer.wire import DamagedError, Decoder, Message

CALLS = frozenset({"StatefulPartitionedCall", "PartitionedCall"})
MOST_WORK = 60_000
"""Calls, references and nodes looked at; the largest file of a published kind needs a tenth."""
DEEPEST = 40


class Place(NamedTuple):
    """A node in one call of its function; the number tells calls of the same function apart, 0 is the main graph."""

    scope: int
    node: str


class Source(NamedTuple):
    """An output of a node."""

    place: Place
    index: int


@dataclass(frozen=True, eq=False)
class FlatNode:
    """A node and where its inputs come from; ``message`` is its NodeDef."""

    place: Place
    message: Message
    inputs: tuple[Source, ...]


@dataclass(frozen=True, eq=False)
class _Body:
    """A function, or the main graph (which has no arguments and no results)."""

    name: str
    nodes: dict[str, Message]
    arguments: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Scope:
    number: int
    body: _Body
    caller: _Scope | None
    arguments: dict[str, str]
    depth: int


class Program:
    """The main graph and the functions of a meta graph; a function is decoded when it is first called."""

    def __init__(self, graph: Message, operations: Operations, decoder: Decoder) -> None:
        self.operations = operations
        self._decoder = decoder
        self._work = 0
        self._library: dict[str, memoryview] = {}
        for data in graph.library.function:
            self._library.setdefault(decoder.decode("FunctionHead", data).signature.name, data)
        self._bodies: dict[str, _Body] = {}
        self._calls: dict[Place, _Scope] = {}
        self.main = _Scope(0, _Body("", _by_name(graph.node, "the main graph")), None, {}, 0)
        self._scopes = [self.main]

    def node(self, place: Place) -> Message:
        """The NodeDef at a place."""
        return self._scopes[place.scope].body.nodes[place.node]

    def nodes(self, scope: int) -> list[Message]:
        """All nodes of a call."""
        return list(self._scopes[scope].body.nodes.values())

    def locate(self, scope: int, reference: str) -> Source:
        """The node that makes a value, through calls and arguments.

        Raises:
            DamagedError: nothing makes it, or functions call each other without an end.
        """
        here = self._scopes[scope]
        while True:
            self._charge()
            parts = reference.split(":")
            if here.caller is not None and len(parts) == 1:
                if reference not in here.arguments:
                    raise DamagedError(f"its function {here.body.name} uses {reference}, which is not there")
                reference, here = here.arguments[reference], here.caller
                continue
            node = here.body.nodes.get(parts[0])
            if node is None:
                raise DamagedError(f"it uses {parts[0]}, which is not there")
            index = self._index(here, node, parts)
            if node.op not in CALLS:
                return Source(Place(here.number, node.name), index)
            here = self._scopes[self.enter(Place(here.number, node.name))]
            if index >= len(here.body.results):
                raise DamagedError(f"its function {here.body.name} has no result {index}")
            reference = here.body.results[index]

    def enter(self, place: Place) -> int:
        """The number of the call that a node makes."""
        if place in self._calls:
            return self._calls[place].number
        self._charge()
        caller, node = self._scopes[place.scope], self.node(place)
        body = self._body(str(plain(node.attr["f"])) if "f" in node.attr else "")
        above: _Scope | None = caller
        while above is not None:
            if above.body is body:
                raise DamagedError(f"its function {body.name} calls itself")
            above = above.caller
        given = data_inputs(node)
        if len(given) != len(body.arguments):
            raise DamagedError(f"its function {body.name} is called with {len(given)} values")
        if caller.depth >= DEEPEST:
            raise DamagedError("its functions call each other too deeply")
        arguments = dict(zip(body.arguments, given, strict=True))
        scope = _Scope(len(self._scopes), body, caller, arguments, caller.depth + 1)
        self._scopes.append(scope)
        self._calls[place] = scope
        return scope.number

    def called(self, place: Place) -> str:
        """The name of the function that a call node names."""
        return self._scopes[self.enter(place)].body.name

    def results(self, scope: int) -> list[Source]:
        """What a call gives back."""
        return [self.origin(self.locate(scope, text)) for text in self._scopes[scope].body.results]

    def origin(self, source: Source) -> Source:
        """Where a value comes from that nodes Identity only pass on; each is charged, so a ring of them ends."""
        node = self.node(source.place)
        while node.op == "Identity" and data_inputs(node):
            source = self.locate(source.place.scope, data_inputs(node)[0])
            node = self.node(source.place)
        return source

    def flatten(self, outputs: list[Source]) -> list[FlatNode]:
        """All nodes that the outputs need, in an order of computing.

        Raises:
            DamagedError: a value depends on itself, or there are more nodes than any network has.
        """
        done: dict[Place, FlatNode] = {}
        inputs: dict[Place, tuple[Source, ...]] = {}
        stack = [source.place for source in reversed(outputs)]
        while stack:
            place = stack[-1]
            if place in done:
                stack.pop()
            elif place in inputs:
                done[place] = FlatNode(place, self.node(place), inputs[place])
                stack.pop()
            else:
                self._charge()
                inputs[place] = tuple(self.locate(place.scope, text) for text in data_inputs(self.node(place)))
                waiting = [source.place for source in inputs[place] if source.place not in done]
                if any(other in inputs for other in waiting):
                    raise DamagedError(f"its node {place.node} depends on itself")
                stack.extend(reversed(waiting))
        return list(done.values())

    def _index(self, scope: _Scope, node: Message, parts: list[str]) -> int:
        if scope.caller is None:
            digits = parts[1] if len(parts) > 1 else "0"
        elif len(parts) == 3:
            # An operation that the file does not describe is refused by its name later.
            if self.operations.describes(node.op):
                return self.operations.output(node, parts)
            digits = parts[2]
        else:
            digits = ""
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            raise DamagedError(f"it uses {':'.join(parts)}, which is no value")
        return int(digits)

    def _body(self, name: str) -> _Body:
        if name not in self._bodies:
            if name not in self._library:
                raise DamagedError(f"its function {name} is missing")
            function = self._decoder.decode("FunctionDef", self._library[name])
            results = [function.ret.get(entry.name, "") for entry in function.signature.output_arg]
            arguments = tuple(entry.name for entry in function.signature.input_arg)
            self._bodies[name] = _Body(name, _by_name(function.node, name), arguments, tuple(results))
        return self._bodies[name]

    def _charge(self) -> None:
        self._work += 1
        if self._work > MOST_WORK:
            raise DamagedError("it has more operations or calls than any network at hand")


def data_inputs(node: Message) -> list[str]:
    """The inputs that carry values; those that only order the execution begin with a caret."""
    return [text for text in node.input if not text.startswith("^")]


def _by_name(nodes: list[Message], where: str) -> dict[str, Message]:
    named = {node.name: node for node in nodes}
    if len(named) != len(nodes):
        raise DamagedError(f"two nodes of {where} have one name")
    return named
