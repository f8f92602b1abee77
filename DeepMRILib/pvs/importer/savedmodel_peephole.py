"""Rows of steps that TensorFlow writes for one thing, put back together: numerically the same, with fewer passes.

Upsampling to the nearest voxel arrives as Split and ConcatV2 (Keras 2) or as ExpandDims, Tile and Reshape (Keras 3),
swish as x * sigmoid(1 * x), a dilated convolution between SpaceToBatchND and BatchToSpaceND, and an unrolled batch
normalisation as a product and a sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.pvs.importer.graph import Graph, Step

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class _View:
    """The graph as a rule sees it; a rule may add weights."""

    makers: dict[str, Step]
    uses: Counter[str]
    weights: dict[str, NDArray]
    shapes: Shapes

    def maker(self, name: str, op: str, *, once: bool = False) -> Step | None:
        """The step of this kind that makes a value, with ``once`` only if nothing else uses it."""
        step = self.makers.get(name)
        found = step is not None and step.op == op and not (once and self.uses[name] > 1)
        return step if found else None


Rule = Callable[[_View, Step], "Step | None"]


def simplified(graph: Graph, shapes: Shapes) -> Graph:
    """The graph with its rows of steps put together; ``shapes`` are those of its values.

    The result of every rule is made of values that are there before its last step, so the order stays.
    """
    weights = dict(graph.weights)
    steps = list(graph.steps)
    renamed: dict[str, str] = {}
    makers: dict[str, Step] = {}
    uses = Counter(name for step in steps for name in step.inputs) + Counter(graph.outputs)
    view = _View(makers, uses, weights, shapes)
    for index, given in enumerate(steps):
        step = replace(given, inputs=tuple(renamed.get(name, name) for name in given.inputs))
        if _passes(step) and step.outputs[0] not in graph.outputs:
            renamed[step.outputs[0]] = step.inputs[0]
            # What used the copy now uses the original.
            uses[step.inputs[0]] += uses[step.outputs[0]] - 1
        step = _ruled(view, step)
        steps[index] = step
        makers.update(dict.fromkeys(step.outputs, step))
    return _needed(replace(graph, steps=tuple(steps), weights=weights))


def _ruled(view: _View, step: Step) -> Step:
    """The step after all rules, each of which may make way for another."""
    for _ in range(8):
        made = next((made for rule in _RULES.get(step.op, ()) if (made := rule(view, step)) is not None), None)
        if made is None:
            break
        step = made
    return step


def _needed(graph: Graph) -> Graph:
    """Without steps and weights that the outputs do not need."""
    names = set(graph.outputs)
    steps: list[Step] = []
    for step in reversed(graph.steps):
        if names.intersection(step.outputs):
            steps.append(step)
            names.update(step.inputs)
    weights = {name: array for name, array in graph.weights.items() if name in names}
    return replace(graph, steps=tuple(reversed(steps)), weights=weights)


def _passes(step: Step) -> bool:
    """Whether a step gives back what it is given: x, or x * 1."""
    one = step.op == "mul" and step.attributes.get("value") == 1 and len(step.inputs) == 1
    return step.op == "identity" or one


def _silu(view: _View, step: Step) -> Step | None:
    """x * sigmoid(x)."""
    if len(step.inputs) != 2:
        return None
    for x, gate in (step.inputs, step.inputs[::-1]):
        sigmoid = view.maker(gate, "sigmoid", once=True)
        if sigmoid is not None and sigmoid.inputs == (x,):
            return Step("silu", (x,), step.outputs)
    return None


def _split_concat(view: _View, step: Step) -> Step | None:
    """An axis cut into single voxels, each of them put together several times."""
    split = view.maker(step.inputs[0], "split")
    axis = step.attributes["axis"]
    if split is None or split.attributes["axis"] != axis or set(split.attributes["sizes"]) != {1}:
        return None
    times, left = divmod(len(step.inputs), len(split.outputs))
    if left or step.inputs != tuple(name for name in split.outputs for _ in range(times)):
        return None
    rank = len(view.shapes[split.inputs[0]])
    return Step("repeat", split.inputs, step.outputs, {"times": [times if k == axis else 1 for k in range(rank)]})


def _expand_tile_reshape(view: _View, step: Step) -> Step | None:
    """A new axis after one, tiled, and joined with it."""
    tile = view.maker(step.inputs[0], "tile")
    expand = view.maker(tile.inputs[0], "expand") if tile is not None else None
    if tile is None or expand is None or len(expand.attributes["axes"]) != 1:
        return None
    axis = expand.attributes["axes"][0]
    times = tile.attributes["times"]
    before, after = view.shapes[expand.inputs[0]], view.shapes[step.outputs[0]]
    others = [number for k, number in enumerate(times) if k != axis]
    expected = tuple(size * times[axis] if k == axis - 1 else size for k, size in enumerate(before))
    if axis < 1 or set(others) != {1} or after != expected:
        return None
    factors = [times[axis] if k == axis - 1 else 1 for k in range(len(before))]
    return Step("repeat", expand.inputs, step.outputs, {"times": factors})


def _repeat_twice(view: _View, step: Step) -> Step | None:
    """Upsampling axis by axis."""
    first = view.maker(step.inputs[0], "repeat")
    if first is None:
        return None
    pairs = zip(first.attributes["times"], step.attributes["times"], strict=True)
    return Step("repeat", first.inputs, step.outputs, {"times": [a * b for a, b in pairs]})


def _dilated(view: _View, step: Step) -> Step | None:
    """A convolution of every n-th voxel."""
    conv = view.maker(step.inputs[0], "conv", once=True)
    apart = view.maker(conv.inputs[0], "tf.SpaceToBatchND") if conv is not None else None
    if conv is None or apart is None:
        return None
    plain: dict[str, Any] = dict(conv.attributes)
    dims = len(plain["strides"])
    block, crops = apart.attributes["block"], step.attributes["crops"]
    fits = block == step.attributes["block"] and len(block) <= dims and plain["channels"] == "last"
    if not fits or plain["pads"] != "valid" or set(plain["strides"]) != {1} or set(plain["dilations"]) != {1}:
        return None
    pads = [(a - c, b - d) for (a, b), (c, d) in zip(apart.attributes["pads"], crops, strict=True)]
    if any(min(pair) < 0 for pair in pads):
        return None
    more = dims - len(block)
    plain |= {"dilations": [*block, *[1] * more], "pads": [*pads, *[(0, 0)] * more]}
    return Step("conv", (apart.inputs[0], *conv.inputs[1:]), step.outputs, plain)


def _scale_shift(view: _View, step: Step) -> Step | None:
    """x * scale + shift with a number for each channel, which come last."""
    if len(step.inputs) != 2:
        return None
    for product, shift in (step.inputs, step.inputs[::-1]):
        mul = view.maker(product, "mul", once=True)
        if mul is None or len(mul.inputs) != 2:
            continue
        x, scale = mul.inputs if mul.inputs[1] in view.weights else mul.inputs[::-1]
        if x in view.weights or not (_per_channel(view, scale, x) and _per_channel(view, shift, x)):
            continue
        flat = [_flat(view, name) for name in (scale, shift)]
        return Step("scale_shift", (x, *flat), step.outputs, {"axes": [-1]})
    return None


def _per_channel(view: _View, name: str, x: str) -> bool:
    array, shape = view.weights.get(name), view.shapes[x]
    return array is not None and array.ndim <= len(shape) and array.size == shape[-1] == (array.shape or (0,))[-1]


def _flat(view: _View, name: str) -> str:
    if view.weights[name].ndim == 1:
        return name
    flat = f"{name}~flat"
    view.weights[flat] = view.weights[name].reshape(-1)
    return flat


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "mul": (_silu,),
    "add": (_scale_shift,),
    "concat": (_split_concat,),
    "reshape": (_expand_tile_reshape,),
    "repeat": (_repeat_twice,),
    "tf.BatchToSpaceND": (_dilated,),
}
