"""ONNX's convolutions, pools, normalisations and resizing as steps; channels are always first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from DeepMRILib.pvs.importer.onnx_call import Call, Lowering
from DeepMRILib.pvs.importer.onnx_resize import resized

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_MOST = 1 << 16


def _spatial(call: Call, name: str, dims: int, default: int = 1) -> list[int]:
    found = call.attribute(name, [default] * dims)
    if len(found) != dims or not all(1 <= number < _MOST for number in found):
        raise call.refused(f"its {name} are {found}")
    return found


def _pads(call: Call, dims: int, least: int = 0) -> Any:
    auto = call.attribute("auto_pad", "NOTSET")
    named = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}
    if auto in named:
        return named[auto]
    pads = call.attribute("pads", [0] * 2 * dims)
    if auto != "NOTSET" or len(pads) != 2 * dims or not all(least <= number < _MOST for number in pads):
        raise call.refused(f"its pads are {pads} ({auto})")
    return [list(pair) for pair in zip(pads[:dims], pads[dims:], strict=True)]


def _image(call: Call) -> int:
    """The number of spatial axes."""
    rank = call.value(0).rank
    if not 3 <= rank <= 5:
        raise call.refused(f"its image has {rank} axes")
    return rank - 2


def _kernel(call: Call, dims: int) -> Value:
    kernel = call.value(1)
    if kernel.rank != dims + 2 or list(kernel.shape[2:]) != call.attribute("kernel_shape", list(kernel.shape[2:])):
        raise call.refused(f"its kernel is {list(kernel.shape)}")
    return kernel


def _bias(call: Call) -> list[Value]:
    bias = call.optional(2)
    return [] if bias is None else [bias]


def _conv(call: Call) -> Value:
    dims = _image(call)
    kernel, groups = _kernel(call, dims), call.attribute("group", 1)
    if groups < 1 or kernel.shape[1] * groups != call.value(0).shape[1] or kernel.shape[0] % groups:
        raise call.refused(f"its kernel {list(kernel.shape)} does not fit {call.value(0).shape[1]} channels")
    numbers = {name: _spatial(call, name, dims) for name in ("strides", "dilations")}
    numbers |= {"pads": _pads(call, dims), "groups": groups, "channels": "first"}
    return call.step("conv", call.value(0), kernel, *_bias(call), **numbers)


def _conv_transpose(call: Call) -> Value:
    dims = _image(call)
    x, kernel, groups = call.value(0), _kernel(call, dims), call.attribute("group", 1)
    if groups < 1 or kernel.shape[0] != x.shape[1] or x.shape[1] % groups:
        raise call.refused(f"its kernel {list(kernel.shape)} does not fit {x.shape[1]} channels")
    strides, dilations = _spatial(call, "strides", dims), _spatial(call, "dilations", dims)
    more = call.attribute("output_padding", [0] * dims)
    if len(more) != dims or not all(0 <= number < _MOST for number in more):
        raise call.refused(f"its output_padding is {more}")
    spans = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    whole = [s * (n - 1) + span for s, n, span in zip(strides, x.shape[2:], spans, strict=True)]
    cut = _cut(call, strides, whole, more)
    numbers = {"strides": strides, "dilations": dilations, "pads": cut, "groups": groups, "channels": "first"}
    return call.step("conv_transpose", x, kernel, *_bias(call), **numbers)


def _cut(call: Call, strides: list[int], whole: list[int], more: list[int]) -> list[list[int]]:
    """What the whole transposed result has too many of, before and after, on each axis."""
    dims = len(whole)
    auto, wanted = call.attribute("auto_pad", "NOTSET"), call.attribute("output_shape")
    if wanted is None and auto not in {"SAME_UPPER", "SAME_LOWER"}:
        # What would be cut below 0 is added: tf2onnx writes this.
        pads = _pads(call, dims, -_MOST)
        pairs = [[0, 0]] * dims if pads == "valid" else pads
        return [[before, after - extra] for (before, after), extra in zip(pairs, more, strict=True)]
    if wanted is None:
        wanted = [n * stride for n, stride in zip(call.value(0).shape[2:], strides, strict=True)]
    if len(wanted) != dims or not all(1 <= size < _MOST for size in wanted):
        raise call.refused(f"its output_shape is {wanted}")
    cut = []
    for size, full, extra in zip(wanted, whole, more, strict=True):
        total = full + extra - size
        # Which side gets the odd voxel changed between the versions, and programs differ.
        if total < 0 or (total % 2 and (call.opset < 11 or auto not in {"SAME_UPPER", "SAME_LOWER"})):
            raise call.refused(f"it makes {size} of {full}")
        before = total // 2 if auto == "SAME_UPPER" else total - total // 2
        cut.append([before, total - before - extra])
    return cut


def _pool(op: str) -> Lowering:
    def lower(call: Call) -> list[Value | None]:
        dims = _image(call)
        size, strides = _spatial(call, "kernel_shape", dims), _spatial(call, "strides", dims)
        dilations = _spatial(call, "dilations", dims)
        pads = _pads(call, dims)
        count = bool(call.attribute("count_include_pad", 0))
        if op == "average_pool" and set(dilations) != {1}:
            raise call.refused("it averages dilated windows")
        if call.attribute("ceil_mode", 0) and not isinstance(pads, str):
            if count:
                raise call.refused("it rounds sizes up and counts the padding")
            spans = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
            numbers = zip(call.value(0).shape[2:], spans, strides, pads, strict=True)
            pads = [_rounded_up(n, span, stride, *pair) for n, span, stride, pair in numbers]
        elif call.attribute("ceil_mode", 0) and pads == "valid":
            raise call.refused("it rounds sizes up without pads")
        numbers = {"size": size, "strides": strides, "pads": pads, "channels": "first"}
        numbers |= {"dilations": dilations} if op == "max_pool" else {"count_pads": count}
        return [call.step(op, call.value(0), **numbers), None]

    return lower


def _rounded_up(n: int, span: int, stride: int, before: int, after: int) -> list[int]:
    """Pads that make the last window whole; one that would begin behind the image and its first pad is left out."""
    count = -(-(n + before + after - span) // stride) + 1
    if (count - 1) * stride >= n + before:
        count -= 1
    return [before, max(after, (count - 1) * stride + span - n - before)]


def _global(op: str) -> Lowering:
    def lower(call: Call) -> Value:
        return call.step(op, call.value(0), axes=list(range(2, call.value(0).rank)), keep=True)

    return lower


def _batch_norm(call: Call) -> list[Value | None]:
    if call.attribute("training_mode", 0) or not call.attribute("spatial", 1):
        raise call.refused("it is in training mode, or not by channel")
    x, scale, shift, mean, variance = (call.value(index) for index in range(5))
    epsilon = call.attribute("epsilon", 1e-5)
    y = call.step("batch_norm", x, mean, variance, scale, shift, axes=[1], epsilon=epsilon)
    return [y, *[None] * 4]


def _instance_norm(call: Call) -> Value:
    x = call.value(0)
    plain = call.step("normalise", x, axes=list(range(2, x.rank)), epsilon=call.attribute("epsilon", 1e-5))
    return call.step("scale_shift", plain, call.value(1), call.value(2), axes=[1])


def _layer_norm(call: Call) -> list[Value | None]:
    x = call.value(0)
    axis = call.axis(call.attribute("axis", -1), x.rank)
    y = call.step("normalise", x, axes=list(range(axis, x.rank)), epsilon=call.attribute("epsilon", 1e-5))
    y = call.step("mul", y, call.value(1))
    bias = call.optional(2)
    return [y if bias is None else call.step("add", y, bias), None, None]


def _group_norm(call: Call) -> Value:
    """Before version 21 scale and shift are by group, since then by channel."""
    x, groups = call.value(0), call.attribute("num_groups", 0)
    if groups < 1 or x.rank < 3 or x.shape[1] % groups:
        raise call.refused(f"it makes {groups} groups of {list(x.shape)}")
    y = call.step("group_norm", x, groups=groups, axis=1, epsilon=call.attribute("epsilon", 1e-5))
    scale, shift = call.value(1), call.value(2)
    if call.opset < 21:
        times = [x.shape[1] // groups]
        scale, shift = (call.step("repeat", value, times=times) for value in (scale, shift))
    return call.step("scale_shift", y, scale, shift, axes=[1])


CONVOLUTION: dict[str, Lowering] = {
    "AveragePool": _pool("average_pool"),
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global("reduce_mean"),
    "GlobalMaxPool": _global("reduce_max"),
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LayerNormalization": _layer_norm,
    "MaxPool": _pool("max_pool"),
    "Resize": resized,
    "Upsample": resized,
}
