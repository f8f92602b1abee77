"""ONNX's operations on shapes and places as steps, with all sizes and positions as plain numbers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib.pvs.importer.onnx_call import Call, Lowering
from DeepMRILib.pvs.importer.onnx_proto import numbers

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_MOST_PIECES = 4096


def _shape(call: Call) -> Value:
    sizes = call.value(0).shape
    return call.trace.numbers(call.name, sizes[call.attribute("start", 0) : call.attribute("end", None)])


def _size(call: Call) -> Value:
    return call.trace.numbers(call.name, prod(call.value(0).shape))


def _constant(call: Call) -> Value:
    single = {"value_float": np.float32, "value_int": np.int64, "value_floats": np.float32, "value_ints": np.int64}
    for name, dtype in single.items():
        if (given := call.attribute(name)) is not None:
            return call.trace.constant(call.name, np.asarray(given, dtype))
    tensor = call.attribute("value")
    if tensor is None or tensor.location or tensor.external:
        raise call.refused("it has no numbers")
    return call.trace.constant(call.name, numbers(tensor, _NOWHERE))


_NOWHERE: Any = None


def _constant_of_shape(call: Call) -> Value:
    tensor = call.attribute("value")
    value = np.zeros(1, np.float32) if tensor is None else numbers(tensor, _NOWHERE)
    if value.size != 1:
        raise call.refused("its value is not one number")
    return call.step("broadcast", call.trace.constant(call.name, value.reshape(())), shape=call.integers(0))


def _reshape(call: Call) -> Value:
    """Axes that keep their size are written as 0, so that the step does for other sizes too."""
    x, shape = call.value(0), call.integers(1)
    if call.attribute("allowzero", 0) and 0 in shape:
        raise call.refused(f"it reshapes to {shape}")
    if shape.count(-1) > 1 or min(shape, default=1) < -1 or any(n == 0 and k >= x.rank for k, n in enumerate(shape)):
        raise call.refused(f"it reshapes to {shape}")
    kept = [0 if axis < x.rank and size == x.shape[axis] else size for axis, size in enumerate(shape)]
    return call.step("reshape", x, shape=kept)


def _flatten(call: Call) -> Value:
    x = call.value(0)
    axis = call.attribute("axis", 1)
    if not -x.rank <= axis <= x.rank:
        raise call.refused(f"it has no axis {axis}")
    axis = axis + x.rank if axis < 0 else axis
    first = 0 if axis == 1 else prod(x.shape[:axis])
    return call.step("reshape", x, shape=[first, prod(x.shape[axis:])])


def _transpose(call: Call) -> Value:
    x = call.value(0)
    return call.step("transpose", x, order=call.attribute("perm", list(range(x.rank))[::-1]))


def _squeeze(call: Call) -> Value:
    x = call.value(0)
    axes = call.given("axes", 1)
    if axes is None:
        axes = [axis for axis, size in enumerate(x.shape) if size == 1]
    return call.step("squeeze", x, axes=[call.axis(axis, x.rank) for axis in axes])


def _unsqueeze(call: Call) -> Value:
    x, axes = call.value(0), call.given("axes", 1) or []
    return call.step("expand", x, axes=[call.axis(axis, x.rank + len(axes)) for axis in axes])


def _concat(call: Call) -> Value:
    values = call.values()
    return call.step("concat", *values, axis=call.axis(call.attribute("axis", 1), values[0].rank))


def _split(call: Call) -> list[Value]:
    x = call.value(0)
    axis = call.axis(call.attribute("axis", 0), x.rank)
    sizes = call.given("split", 1)
    if sizes is None:
        count = call.attribute("num_outputs", len(call.node.outputs))
        if not 1 <= count <= min(_MOST_PIECES, x.shape[axis]):
            raise call.refused(f"it makes {count} of {list(x.shape)}")
        piece = -(-x.shape[axis] // count)
        sizes = [min(piece, x.shape[axis] - k * piece) for k in range(count)]
    if not 1 <= len(sizes) <= _MOST_PIECES or min(sizes) < 0:
        raise call.refused(f"it makes pieces of {sizes[:8]}")
    return call.trace.steps("split", [x], call.name, axis=axis, sizes=sizes)


def _slice(call: Call) -> Value:
    x = call.value(0)
    starts, ends = call.given("starts", 1) or [], call.given("ends", 2) or []
    axes = call.given("axes", 3)
    axes = list(range(len(starts))) if axes is None else [call.axis(axis, x.rank) for axis in axes]
    steps = call.integers(4) if call.optional(4) is not None else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or len(set(axes)) != len(axes):
        raise call.refused("its starts, ends, axes and steps do not fit")
    if any(step < 1 for step in steps):
        raise call.refused("it goes backwards")
    stops = [None if end >= 1 << 31 else end for end in ends]
    return call.step("slice", x, axes=axes, starts=starts, stops=stops, steps=steps)


def _gather(call: Call) -> Value:
    x = call.value(0)
    axis = call.axis(call.attribute("axis", 0), x.rank)
    indices = call.trace.known(call.value(1), f"{call.what}: its input 2")
    flat = call.integers(1)
    if any(not -x.shape[axis] <= index < x.shape[axis] for index in flat):
        raise call.refused("it takes what is not there")
    if indices.ndim == 0:
        return call.step("squeeze", call.step("gather", x, axis=axis, indices=flat), axes=[axis])
    return call.step("gather", x, axis=axis, indices=indices.tolist())


def _expand(call: Call) -> Value:
    """To the common shape of its own and the given one."""
    x, shape = call.value(0), call.integers(1)
    rank = max(x.rank, len(shape))
    own, given = ([1] * (rank - len(sizes)) + list(sizes) for sizes in (x.shape, shape))
    common = [b if a == 1 else a for a, b in zip(own, given, strict=True)]
    if any(b not in (1, c) for b, c in zip(given, common, strict=True)):
        raise call.refused(f"{list(x.shape)} does not expand to {shape}")
    return call.step("broadcast", x, shape=common)


def _tile(call: Call) -> Value:
    return call.step("tile", call.value(0), times=call.integers(1))


def _range(call: Call) -> Value:
    start, limit, delta = (call.number(index) for index in range(3))
    whole = all(isinstance(number, int) for number in (start, limit, delta))
    if not whole or not delta or len(range(start, limit, delta)) > 1 << 16:
        raise call.refused(f"it counts from {start} to {limit} by {delta}")
    return call.trace.numbers(call.name, list(range(start, limit, delta)))


def _pad(call: Call) -> Value:
    """Pads are all befores, then all afters."""
    x, pads = call.value(0), call.given("pads", 1) or []
    mode = call.attribute("mode", "constant")
    axes = list(range(x.rank))
    if call.optional(3) is not None:
        axes = [call.axis(axis, x.rank) for axis in call.integers(3)]
    if len(pads) != 2 * len(axes) or mode not in {"constant", "reflect", "edge"} or min(pads, default=0) < 0:
        raise call.refused(f"it pads by {pads}, mode {mode}")
    pairs = [(0, 0)] * x.rank
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        pairs[axis] = (before, after)
    value = call.attribute("value", 0.0) if call.opset < 11 else call.number(2) or 0.0
    # JSON has no infinity; as a text it has.
    plain = value if abs(value) < float("inf") else str(value)
    return call.step("pad", x, pads=pairs, mode=mode, **({"value": plain} if mode == "constant" else {}))


def _dropout(call: Call) -> list[Value | None]:
    if call.optional(2) is not None and call.number(2):
        raise call.refused("it is in training mode")
    return [call.value(0), None]


def _depth_to_space(call: Call) -> Value:
    """(n, c, x, y): the block's places are before the channels (DCR) or after them (CRD)."""
    x, b = call.value(0), call.attribute("blocksize", 0)
    if x.rank != 4 or b < 1 or x.shape[1] % (b * b):
        raise call.refused(f"it makes blocks of {b} of {list(x.shape)}")
    n, c, w, h = x.shape
    crd = call.attribute("mode", "DCR") == "CRD"
    split = [n, c // (b * b), b, b, w, h] if crd else [n, b, b, c // (b * b), w, h]
    y = call.step("reshape", x, shape=split)
    y = call.step("transpose", y, order=[0, 1, 4, 2, 5, 3] if crd else [0, 3, 4, 1, 5, 2])
    return call.step("reshape", y, shape=[n, c // (b * b), w * b, h * b])


def _space_to_depth(call: Call) -> Value:
    x, b = call.value(0), call.attribute("blocksize", 0)
    if x.rank != 4 or b < 1 or x.shape[2] % b or x.shape[3] % b:
        raise call.refused(f"it makes blocks of {b} of {list(x.shape)}")
    n, c, w, h = x.shape
    y = call.step("reshape", x, shape=[n, c, w // b, b, h // b, b])
    y = call.step("transpose", y, order=[0, 3, 5, 1, 2, 4])
    return call.step("reshape", y, shape=[n, c * b * b, w // b, h // b])


SHAPE: dict[str, Lowering] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": _size,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
