"""What becomes of a Lambda layer: what was said of it, or what the shapes around it tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Step
from DeepMRILib.pvs.importer.keras_layers_activation import activate
from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Site
from DeepMRILib.pvs.importer.lambdas import IDENTITY, PAD, FunctionGraph, LambdaRules

LAMBDA = "a Lambda layer"
_OPEN = "lambda"
"""The op of a step whose meaning is found at the end, when the shapes are known."""


def lambda_step(site: Site, rules: LambdaRules, name: str) -> str:
    """The step of a Lambda layer; its byte-code is not looked at.

    Raises:
        NotUnderstoodError: nothing says what it does.
    """
    meaning = rules.of(site.path, name)
    if callable(meaning):
        return site.add("python", *site.inputs, function=site.path)
    if meaning == PAD or (meaning is None and rules.by_shape):
        return site.add(_OPEN, site.input, meaning=meaning or "", layer=site.path)
    if meaning == IDENTITY:
        return site.input
    if meaning is None:
        raise NotUnderstoodError(f"{LAMBDA} of which it is not known what it does")
    try:
        return activate(site, site.input, meaning)
    except NotUnderstoodError as error:
        raise NotUnderstoodError(f"{LAMBDA} that was said to be {str(meaning)[:60]}, which is not known") from error


def resolve(graph: Graph, rules: LambdaRules) -> Graph:
    """Give the open Lambdas their meaning, and functions to those that have one.

    A layer whose result is concatenated with a larger image puts zeros around it, half of the missing voxels (rounded
    down) before; any other is swish.

    Raises:
        WeightsError: the shapes allow neither.
    """
    for place, step in enumerate(graph.steps):
        if step.op == _OPEN:
            graph = replace(graph, steps=(*graph.steps[:place], _closed(graph, step), *graph.steps[place + 1 :]))
    named = {step.attributes["function"] for step in graph.steps if step.op == "python"}
    if not named:
        return graph
    functions: dict[str, Callable[..., Any]] = {}
    for path in named:
        found = rules.of(path, path.rpartition("/")[2], *_tails(path))
        if callable(found):
            functions[path] = found
    values = {entry.name: getattr(graph, entry.name) for entry in fields(Graph)}
    return FunctionGraph(**values, functions=functions)


def _tails(path: str) -> list[str]:
    """The ends of a path: a layer's own name may hold slashes."""
    parts = path.split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts))]


def _closed(graph: Graph, step: Step) -> Step:
    size = _shape(graph, step.inputs[0])
    wanted = [_shape(graph, name) for name in _beside(graph, step)]
    larger = {shape for shape in wanted if shape[1:-1] != size[1:-1]}
    if not larger and step.attributes["meaning"] != PAD:
        return Step("silu", step.inputs, step.outputs)
    name = step.attributes["layer"]
    if len(larger) > 1 or (not larger and not wanted):
        raise WeightsError(f"The Lambda layer {name[:80]} cannot be padding: nothing says to which size.")
    target = next(iter(larger), size)
    missing = [b - a for a, b in zip(size[1:-1], target[1:-1], strict=True)]
    if len(size) != len(target) or min(missing) < 0:
        raise WeightsError(f"The Lambda layer {name[:80]} makes {size} into {target}: it is not known how.")
    pads = [[0, 0], *([d // 2, d - d // 2] for d in missing), [0, 0]]
    return Step("pad", step.inputs, step.outputs, {"pads": pads})


def _beside(graph: Graph, step: Step) -> list[str]:
    """What the result is directly concatenated with, as far as it does not come from the result itself."""
    made = step.outputs[0]
    joined = [other for other in graph.steps if other.op == "concat" and made in other.inputs]
    names = {name for other in joined for name in other.inputs} - {made}
    return [name for name in sorted(names) if made not in _behind(graph, name)]


def _behind(graph: Graph, name: str) -> set[str]:
    """Everything that a value is made from, itself included."""
    needed = {name}
    for step in reversed(graph.steps):
        if needed.intersection(step.outputs):
            needed.update(step.inputs)
    return needed


def _shape(graph: Graph, name: str) -> tuple[int, ...]:
    from DeepMRILib.pvs.importer.network_forecast import shapes_of

    needed = _behind(graph, name)
    kept = [step for step in graph.steps if needed.intersection(step.outputs)]
    # Lambdas that are still open count as activations here, which keep the shape.
    steps = tuple(replace(step, op="identity") if step.op in {_OPEN, "python"} else step for step in kept)
    part = Graph(graph.inputs, (name,), steps, graph.weights, graph.layout)
    return shapes_of(part).outputs[0]
