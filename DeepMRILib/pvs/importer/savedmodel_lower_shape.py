"""TensorFlow's operations on shapes and places as steps, with all sizes and positions as plain numbers."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from DeepMRILib.pvs.importer.savedmodel_call import Call, Lowering

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_MOST_PIECES = 4096


def _shape(call: Call) -> Value:
    return call.trace.numbers(call.name, call.value(0).shape)


def _shapes(call: Call) -> list[Value]:
    return [call.trace.numbers(call.name, value.shape) for value in call.values()]


def _rank(call: Call) -> Value:
    return call.trace.numbers(call.name, call.value(0).rank)


def _size(call: Call) -> Value:
    return call.trace.numbers(call.name, prod(call.value(0).shape))


def _reshape(call: Call) -> Value:
    return _reshaped(call, call.value(0), call.integers(1))


def _reshaped(call: Call, x: Value, shape: list[int]) -> Value:
    """Axes that keep their size are written as 0, so that the step does for other sizes too."""
    if shape.count(-1) > 1 or min(shape, default=1) < -1 or 0 in shape:
        raise call.refused(f"it reshapes to {shape}")
    kept = [0 if axis < x.rank and size == x.shape[axis] else size for axis, size in enumerate(shape)]
    return call.step("reshape", x, shape=kept)


def _transpose(call: Call) -> Value:
    return call.step("transpose", call.value(0), order=call.integers(1))


def _concat(call: Call) -> Value:
    first = call.node.op == "Concat"
    axis = call.integer(0 if first else -1)
    values = call.values()[1:] if first else call.values()[:-1]
    return call.step("concat", *values, axis=call.axis(axis, values[0].rank))


def _pack(call: Call) -> Value:
    return call.step("stack", *call.values(), axis=call.axis(call.attribute("axis"), call.value(0).rank + 1))


def _unpack(call: Call) -> list[Value]:
    x = call.value(0)
    axis = call.axis(call.attribute("axis"), x.rank)
    if x.shape[axis] != call.attribute("num") or x.shape[axis] > _MOST_PIECES:
        raise call.refused(f"it makes {call.attribute('num')} of {list(x.shape)}")
    return call.trace.steps("unstack", [x], call.name, axis=axis)


def _split(call: Call) -> list[Value]:
    x, count = call.value(1), call.attribute("num_split")
    axis = call.axis(call.integer(0), x.rank)
    if not 1 <= count <= _MOST_PIECES or x.shape[axis] % count:
        raise call.refused(f"it makes {count} of {list(x.shape)}")
    return call.trace.steps("split", [x], call.name, axis=axis, sizes=[x.shape[axis] // count] * count)


def _split_sizes(call: Call) -> list[Value]:
    x, sizes = call.value(0), call.integers(1)
    axis = call.axis(call.integer(2), x.rank)
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = x.shape[axis] - sum(sizes) - 1
    if len(sizes) > _MOST_PIECES or min(sizes, default=-1) < 0:
        raise call.refused(f"it makes pieces of {sizes}")
    return call.trace.steps("split", [x], call.name, axis=axis, sizes=sizes)


def _expand_dims(call: Call) -> Value:
    return call.step("expand", call.value(0), axes=[call.axis(call.integer(1), call.value(0).rank + 1)])


def _squeeze(call: Call) -> Value:
    x = call.value(0)
    axes = [call.axis(axis, x.rank) for axis in call.attribute("squeeze_dims")]
    axes = axes or [axis for axis, size in enumerate(x.shape) if size == 1]
    return call.step("squeeze", x, axes=axes)


def _tile(call: Call) -> Value:
    return call.step("tile", call.value(0), times=call.integers(1))


def _broadcast_to(call: Call) -> Value:
    return call.step("broadcast", call.value(0), shape=call.integers(1))


def _fill(call: Call) -> Value:
    return call.step("broadcast", call.value(1), shape=call.integers(0))


def _alike(number: int) -> Lowering:
    """ZerosLike and OnesLike: one number in all places."""

    def lower(call: Call) -> Value:
        x = call.value(0)
        one = call.trace.numbers(call.name, number, x.meta.dtype)
        return call.step("broadcast", one, shape=list(x.shape))

    return lower


def _range(call: Call) -> Value:
    start, limit, delta = (call.integer(index) for index in range(3))
    if delta == 0 or len(range(start, limit, delta)) > 1 << 16:
        raise call.refused(f"it counts from {start} to {limit} by {delta}")
    return call.trace.numbers(call.name, list(range(start, limit, delta)))


def _gather(call: Call) -> Value:
    x, axis = call.value(0), 0
    if call.node.op == "GatherV2":
        axis = call.axis(call.integer(2), x.rank)
        if call.attribute("batch_dims"):
            raise call.refused("it gathers per image")
    indices = call.trace.known(call.value(1), f"{call.what}: its input 2")
    flat = call.integers(1)
    if x.rank == 0 or any(not 0 <= index < x.shape[axis] for index in flat):
        raise call.refused("it takes what is not there")
    if indices.ndim == 0:
        return call.step("squeeze", call.step("gather", x, axis=axis, indices=flat), axes=[axis])
    return call.step("gather", x, axis=axis, indices=indices.tolist())


def _pairs(call: Call, index: int) -> list[tuple[int, int]]:
    numbers = call.integers(index)
    if len(numbers) % 2:
        raise call.refused(f"its input {index + 1} is no list of pairs")
    pairs = list(zip(numbers[0::2], numbers[1::2], strict=True))
    if any(min(pair) < 0 for pair in pairs):
        raise call.refused(f"it pads by {pairs}")
    return pairs


def _pad(call: Call) -> Value:
    value: Any = 0.0
    if call.node.op == "PadV2":
        numbers = call.trace.known(call.value(2), f"{call.what}: its input 3")
        # JSON has no infinity; as a text it has.
        value = float(numbers.reshape(-1)[0])
        value = value if abs(value) < float("inf") else str(value)
    return call.step("pad", call.value(0), pads=_pairs(call, 1), value=value)


def _mirror_pad(call: Call) -> Value:
    mode = {"REFLECT": "reflect", "SYMMETRIC": "symmetric"}.get(call.attribute("mode"))
    if mode is None:
        raise call.refused(f"it pads by the mode {call.attribute('mode')}")
    return call.step("pad", call.value(0), pads=_pairs(call, 1), mode=mode)


def _slice(call: Call) -> Value:
    x, starts, sizes = call.value(0), call.integers(1), call.integers(2)
    if not x.rank == len(starts) == len(sizes) or min(starts, default=0) < 0:
        raise call.refused(f"it cuts from {starts}")
    stops = [None if size == -1 else start + size for start, size in zip(starts, sizes, strict=True)]
    if any(stop is not None and not 0 <= stop <= size for stop, size in zip(stops, x.shape, strict=True)):
        raise call.refused(f"it cuts {sizes} from {starts} of {list(x.shape)}")
    return call.step("slice", x, axes=list(range(x.rank)), starts=starts, stops=stops)


def _strided_slice(call: Call) -> Value:
    """Python's slices; bits of the masks say which entries mean a whole axis, a new axis, one position or the rest."""
    masks = {name: call.attribute(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    begins, ends, steps = (call.integers(index) for index in (1, 2, 3))
    x, axis, added, dropped = call.value(0), 0, [], []
    where: list[tuple[int, int | None, int | None, int]] = []
    kept = 0
    for index, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << index
        if masks["ellipsis"] & bit:
            later = range(index + 1, len(begins))
            used = sum(1 for other in later if not masks["new_axis"] >> other & 1)
            kept += x.rank - axis - used
            axis = x.rank - used
        elif masks["new_axis"] & bit:
            added.append(kept)
            kept += 1
        elif masks["shrink_axis"] & bit:
            where.append((axis, begin, None if begin == -1 else begin + 1, 1))
            dropped.append(axis)
            axis += 1
        else:
            if step < 1:
                raise call.refused("it goes backwards")
            whole = (None if masks["begin"] & bit else begin, None if masks["end"] & bit else end)
            where.append((axis, *whole, step))
            axis, kept = axis + 1, kept + 1
    return _sliced(call, x, where, dropped, added)


def _sliced(call: Call, x: Value, where: list[Any], dropped: list[int], added: list[int]) -> Value:
    where = [entry for entry in where if not (entry[1] in (None, 0) and entry[2] is None and entry[3] == 1)]
    if any(entry[0] >= x.rank for entry in where):
        raise call.refused(f"it cuts more axes than {list(x.shape)} has")
    if where:
        axes, starts, stops, steps = (list(entries) for entries in zip(*where, strict=True))
        x = call.step("slice", x, axes=axes, starts=starts, stops=stops, steps=steps)
    if dropped:
        x = call.step("squeeze", x, axes=dropped)
    return call.step("expand", x, axes=added) if added else x


def _space_to_batch(call: Call) -> Value:
    block = call.integers(1)
    if min(block, default=0) < 1:
        raise call.refused(f"it has blocks of {block}")
    return call.step("tf.SpaceToBatchND", call.value(0), block=block, pads=_pairs(call, 2))


def _batch_to_space(call: Call) -> Value:
    block = call.integers(1)
    if min(block, default=0) < 1:
        raise call.refused(f"it has blocks of {block}")
    return call.step("tf.BatchToSpaceND", call.value(0), block=block, crops=_pairs(call, 2))


def _depth(op: str) -> Lowering:
    def lower(call: Call) -> Value:
        if call.attribute("data_format") != "NHWC" or call.attribute("block_size") < 1:
            raise call.refused(f"its data_format is {call.attribute('data_format')}")
        return call.step(op, call.value(0), block=call.attribute("block_size"))

    return lower


def _reverse(call: Call) -> Value:
    axes = [call.axis(axis, call.value(0).rank) for axis in call.integers(1)]
    return call.step("tf.ReverseV2", call.value(0), axes=axes)


def _broadcast_args(call: Call) -> Value:
    """The common shape of two shapes."""
    one, other = call.integers(0), call.integers(1)
    rank = max(len(one), len(other))
    pairs = list(zip([1] * (rank - len(one)) + one, [1] * (rank - len(other)) + other, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        raise call.refused(f"{one} and {other} do not fit")
    return call.trace.numbers(call.name, [b if a == 1 else a for a, b in pairs])


SHAPE: dict[str, Lowering] = {
    "BatchToSpaceND": _batch_to_space,
    "BroadcastArgs": _broadcast_args,
    "BroadcastTo": _broadcast_to,
    "Concat": _concat,
    "ConcatV2": _concat,
    "DepthToSpace": _depth("tf.DepthToSpace"),
    "ExpandDims": _expand_dims,
    "Fill": _fill,
    "Gather": _gather,
    "GatherV2": _gather,
    "MirrorPad": _mirror_pad,
    "OnesLike": _alike(1),
    "Pack": _pack,
    "Pad": _pad,
    "PadV2": _pad,
    "Range": _range,
    "Rank": _rank,
    "Reshape": _reshape,
    "ReverseV2": _reverse,
    "Shape": _shape,
    "ShapeN": _shapes,
    "Size": _size,
    "Slice": _slice,
    "SpaceToBatchND": _space_to_batch,
    "SpaceToDepth": _depth("tf.SpaceToDepth"),
    "Split": _split,
    "SplitV": _split_sizes,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unpack": _unpack,
    "ZerosLike": _alike(0),
}
