"""The same network with fewer steps: what follows a convolution goes into its kernel, bias and activation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.graph import Graph, Step

_KERNEL_AXIS = {"conv": 0, "conv_transpose": 1, "dense": -1}
"""Where the kernel of an operation has its output channels."""
_ACTIVATIONS = {"relu", "silu", "sigmoid", "tanh", "leaky_relu", "elu", "clip"}
_AFFINE = {"scale_shift", "add", "sub", "mul", "div"}
Affine = tuple[NDArray, NDArray]


def fold(graph: Graph) -> Graph:
    """An equal graph: copies left out, x * sigmoid(x) as one step, scale and shift after a convolution in its weights.

    Only a value that nothing else uses is folded away. Results differ by rounding alone.
    """
    return _Folding(graph).result()


class _Folding:
    """One pass over the steps; what is made stands in the place of the later of two steps."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._weights: dict[str, NDArray] = dict(graph.weights)
        self._renamed: dict[str, str] = {}
        self._uses = Counter(name for step in graph.steps for name in step.inputs) + Counter(graph.outputs)
        self._makers: dict[str, int] = {}
        self._steps: list[Step | None] = []

    def result(self) -> Graph:
        for given in self._graph.steps:
            step = replace(given, inputs=tuple(self._renamed.get(name, name) for name in given.inputs))
            if _nothing(step):
                self._rename(step.outputs[0], step.inputs[0])
                continue
            step = self._swish(self._constant_norm(step))
            self._place(self._activation(self._affine(step)))
        steps = tuple(step for step in self._steps if step is not None)
        used = {name for step in steps for name in step.inputs} | set(self._graph.outputs)
        outputs = tuple(self._renamed.get(name, name) for name in self._graph.outputs)
        weights = {name: array for name, array in self._weights.items() if name in used | set(outputs)}
        return replace(self._graph, steps=steps, outputs=outputs, weights=weights)

    def _place(self, step: Step) -> None:
        for name in step.outputs:
            self._makers[name] = len(self._steps)
        self._steps.append(step)

    def _rename(self, old: str, new: str) -> None:
        self._renamed[old] = new
        self._uses[new] += self._uses[old] - 1

    def _single(self, name: str, *ops: str) -> Step | None:
        """The step that makes a value, if it is one of these and nothing else uses the value."""
        place = self._makers.get(name)
        step = None if place is None else self._steps[place]
        return step if step is not None and step.op in ops and self._uses[name] == 1 else None

    def _remove(self, step: Step) -> None:
        self._steps[self._makers[step.outputs[0]]] = None

    def _constant_norm(self, step: Step) -> Step:
        """A batch normalisation by constants is a scale and a shift."""
        if step.op != "batch_norm" or any(name not in self._weights for name in step.inputs[1:]):
            return step
        mean, variance, gamma, beta = (self._weights[name].astype(np.float64) for name in step.inputs[1:])
        scale = gamma / np.sqrt(variance + float(step.attributes["epsilon"]))
        names = [self._new(f"{step.outputs[0]}:{part}", value) for part, value in
                 (("scale", scale), ("shift", beta - mean * scale))]  # fmt: skip
        return Step("scale_shift", (step.inputs[0], *names), step.outputs, {"axes": step.attributes.get("axes", [-1])})

    def _swish(self, step: Step) -> Step:
        if step.op != "mul" or len(step.inputs) != 2:
            return step
        for x, other in (step.inputs, step.inputs[::-1]):
            gate = self._single(other, "sigmoid")
            if gate is not None and gate.inputs == (x,):
                self._remove(gate)
                self._uses[x] -= 1
                return Step("silu", (x,), step.outputs)
        return step

    def _affine(self, step: Step) -> Step:
        """A convolution with the scale and shift that followed it."""
        if step.op not in _AFFINE or not step.inputs:
            return step
        for x in step.inputs:
            conv = self._single(x, *_KERNEL_AXIS)
            if conv is None or "activation" in conv.attributes or conv.inputs[1] not in self._weights:
                continue
            affine = self._scale_shift(step, x, conv)
            made = None if affine is None else self._folded(conv, step, affine)
            if made is not None:
                self._remove(conv)
                return made
        return step

    def _scale_shift(self, step: Step, x: str, conv: Step) -> Affine | None:
        """What a step does to each output channel, where it is a scale and a shift of constants."""
        kernel = self._weights[conv.inputs[1]]
        rank = None if conv.op == "dense" else kernel.ndim
        first = conv.attributes.get("channels", "last") == "first" and conv.op != "dense"
        count = kernel.shape[_KERNEL_AXIS[conv.op]]
        if step.op == "scale_shift":
            axes = list(step.attributes.get("axes", (-1,)))
            fits = axes in ([[1]] if first else [[-1], [(rank or 0) - 1]]) and step.inputs[0] == x
            fits = fits and all(name in self._weights for name in step.inputs[1:])
            return (self._weights[step.inputs[1]], self._weights[step.inputs[2]]) if fits else None
        operand = self._operand(step, x)
        number = None if operand is None else _per_channel(operand, count, rank, first)
        return None if number is None else _as_affine(step.op, number)

    def _operand(self, step: Step, x: str) -> NDArray | None:
        """The constant beside x; for differences and quotients it must be the second."""
        if step.op in {"sub", "div"} and (step.attributes.get("first") or step.inputs[0] != x):
            return None
        if len(step.inputs) == 1 and isinstance(step.attributes.get("value"), int | float):
            return np.asarray(step.attributes["value"], dtype=np.float64)
        others = [name for name in step.inputs if name != x]
        if len(step.inputs) != 2 or len(others) != 1 or others[0] not in self._weights:
            return None
        return self._weights[others[0]].astype(np.float64)

    def _folded(self, conv: Step, step: Step, affine: Affine) -> Step | None:
        x, name, *bias_name = conv.inputs
        kernel = self._weights[name].astype(np.float64)
        axis = _KERNEL_AXIS[conv.op] % kernel.ndim
        if conv.op == "conv_transpose" and conv.attributes.get("groups", 1) != 1:
            return None
        if any(given not in self._weights for given in bias_name):
            return None
        count = kernel.shape[axis]
        scale, shift = (np.broadcast_to(np.asarray(value, np.float64).reshape(-1), (count,)) for value in affine)
        bias = self._weights[bias_name[0]].astype(np.float64) if bias_name else np.zeros(count)
        kernel = kernel * scale.reshape([-1 if k == axis else 1 for k in range(kernel.ndim)])
        return replace(conv, inputs=(x, self._new(name, kernel), self._new(f"{name}:bias", bias * scale + shift)),
                       outputs=step.outputs)  # fmt: skip

    def _new(self, name: str, array: NDArray) -> str:
        """A weight under a name of its own: the old one may serve other steps."""
        count = 1
        while f"{name}*{count}" in self._weights:
            count += 1
        self._weights[f"{name}*{count}"] = array.astype(np.float32)
        return f"{name}*{count}"

    def _activation(self, step: Step) -> Step:
        """A convolution with the activation that followed it."""
        if step.op not in _ACTIVATIONS:
            return step
        conv = self._single(step.inputs[0], "conv", "conv_transpose")
        if conv is None or "activation" in conv.attributes:
            return step
        self._remove(conv)
        attributes: Mapping[str, Any] = {**conv.attributes, "activation": [step.op, dict(step.attributes)]}
        return replace(conv, outputs=step.outputs, attributes=attributes)


def _nothing(step: Step) -> bool:
    neutral = {"add": 0, "sub": 0, "mul": 1, "div": 1}
    same = step.op in neutral and step.attributes.get("value") == neutral[step.op] and not step.attributes.get("first")
    return step.op == "identity" or (same and len(step.inputs) == 1)


def _per_channel(operand: NDArray, count: int, rank: int | None, first: bool) -> NDArray | None:
    """A constant as one number, or one for each channel; None where it changes along another axis too."""
    if operand.size == 1 and operand.ndim <= (rank or 1):
        return operand.reshape(-1)
    if rank is None or operand.ndim > rank or operand.size != count:
        return operand if rank is None and operand.shape == (count,) else None
    shape = (1,) * (rank - operand.ndim) + operand.shape
    return operand.reshape(-1) if shape[1 if first else -1] == count else None


def _as_affine(op: str, number: NDArray) -> Affine | None:
    one, zero = np.ones(1), np.zeros(1)
    if op == "add":
        return one, number
    if op == "sub":
        return one, -number
    if op == "div" and not number.all():
        return None
    return (number if op == "mul" else 1 / number), zero
