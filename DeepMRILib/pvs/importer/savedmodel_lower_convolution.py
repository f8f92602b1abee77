"""TensorFlow's convolutions, pools, normalisations and resizing as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib.pvs.importer.savedmodel_call import Call, Lowering

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_MOST_SIZE = 1 << 16


def _channels(call: Call) -> str:
    return "first" if call.attribute("data_format").startswith("NC") else "last"


def _spatial(call: Call, numbers: list[int], what: str) -> list[int]:
    """Of one number for each axis those of space; batch and channels must have 1."""
    channels = 1 if _channels(call) == "first" else len(numbers) - 1
    others = [number for axis, number in enumerate(numbers) if axis in (0, channels)]
    space = [number for axis, number in enumerate(numbers) if axis not in (0, channels)]
    if others != [1, 1] or not all(1 <= number < _MOST_SIZE for number in space):
        raise call.refused(f"its {what} are {numbers}")
    return space


def _pads(call: Call) -> Any:
    padding = call.attribute("padding")
    if padding == "EXPLICIT":
        numbers = call.attribute("explicit_paddings")
        pairs = list(zip(numbers[0::2], numbers[1::2], strict=True))
        channels = 1 if _channels(call) == "first" else len(pairs) - 1
        return [pair for axis, pair in enumerate(pairs) if axis not in (0, channels)]
    if padding not in {"SAME", "VALID"}:
        raise call.refused(f"its padding is {padding}")
    return padding.lower()


def _convolved(call: Call, kernel: Value, groups: int) -> Value:
    return call.step(
        "conv",
        call.value(0),
        kernel,
        strides=_spatial(call, call.attribute("strides"), "strides"),
        dilations=_spatial(call, call.attribute("dilations"), "dilations"),
        pads=_pads(call),
        groups=groups,
        channels=_channels(call),
    )


def _conv(call: Call) -> Value:
    """The kernel is (x, y, z, in / groups, out); how many groups there are only its size tells."""
    x, kernel = call.value(0), call.value(1)
    _ranks(call, x, kernel)
    inputs = x.shape[1 if _channels(call) == "first" else -1]
    within = kernel.shape[-2]
    if not within or inputs % within:
        raise call.refused(f"its kernel {list(kernel.shape)} does not fit {inputs} channels")
    space = list(range(kernel.rank - 2))
    order = [kernel.rank - 1, kernel.rank - 2, *space]
    return _convolved(call, call.step("transpose", kernel, order=order), inputs // within)


def _depthwise(call: Call) -> Value:
    """The kernel is (x, y, in, times): each channel has its own kernels."""
    x, kernel = call.value(0), call.value(1)
    _ranks(call, x, kernel)
    width, height, channels, times = kernel.shape
    turned = call.step("transpose", kernel, order=[2, 3, 0, 1])
    return _convolved(call, call.step("reshape", turned, shape=[channels * times, 1, width, height]), channels)


def _ranks(call: Call, x: Value, kernel: Value) -> None:
    if x.rank != kernel.rank or x.rank not in (4, 5):
        raise call.refused(f"it convolves {list(x.shape)} by {list(kernel.shape)}")


def _conv_transpose(call: Call) -> Value:
    """The gradient of a convolution: input 0 is the size of the result, which says what is cut off."""
    size, kernel, x = call.integers(0), call.value(1), call.value(2)
    _ranks(call, x, kernel)
    channels = _channels(call)
    strides = _spatial(call, call.attribute("strides"), "strides")
    dilations = _spatial(call, call.attribute("dilations"), "dilations")
    if len(size) != x.rank or size[0] != x.shape[0] or call.attribute("padding") not in {"SAME", "VALID"}:
        raise call.refused(f"it makes {size} of {list(x.shape)}")
    made = size[1] if channels == "first" else size[-1]
    wide = size[2:] if channels == "first" else size[1:-1]
    narrow = x.shape[2:] if channels == "first" else x.shape[1:-1]
    sizes = zip(narrow, wide, kernel.shape[:-2], strides, dilations, strict=True)
    cut = [
        _cut(call, narrow, wide, (span - 1) * dilation + 1, stride) for narrow, wide, span, stride, dilation in sizes
    ]
    if not kernel.shape[-2] or made % kernel.shape[-2]:
        raise call.refused(f"its kernel {list(kernel.shape)} does not fit {made} channels")
    order = [kernel.rank - 1, kernel.rank - 2, *range(kernel.rank - 2)]
    turned = call.step("transpose", kernel, order=order)
    groups = made // kernel.shape[-2]
    numbers = {"strides": strides, "dilations": dilations, "pads": cut, "groups": groups, "channels": channels}
    return call.step("conv_transpose", x, turned, **numbers)


def _cut(call: Call, narrow: int, wide: int, span: int, stride: int) -> list[int]:
    """What the whole transposed result has too many of, before and after, along an axis."""
    if call.attribute("padding") == "SAME":
        expected = -(-wide // stride)
        before = max((expected - 1) * stride + span - wide, 0) // 2
    else:
        expected, before = -(-(wide - span + 1) // stride), 0
    if narrow != expected:
        raise call.refused(f"it makes {wide} of {narrow} by steps of {stride}")
    return [before, (narrow - 1) * stride + span - before - wide]


def _pool(op: str) -> Lowering:
    def lower(call: Call) -> Value:
        size = _spatial(call, call.attribute("ksize"), "windows")
        strides = _spatial(call, call.attribute("strides"), "strides")
        numbers = {"size": size, "strides": strides, "pads": _pads(call), "channels": _channels(call)}
        return call.step(op, call.value(0), **numbers)

    return lower


def _batch_norm(call: Call) -> list[Value | None]:
    """With its own statistics in training mode, which Keras 2 uses for layer and group normalisation."""
    x, scale, offset = (call.value(index) for index in range(3))
    axis = 1 if _channels(call) == "first" else x.rank - 1
    epsilon = call.attribute("epsilon")
    if call.attribute("is_training"):
        others = [other for other in range(x.rank) if other != axis]
        plain = call.step("normalise", x, axes=others, epsilon=epsilon)
        y = call.step("scale_shift", plain, scale, offset, axes=[axis])
    else:
        mean, variance = call.value(3), call.value(4)
        y = call.step("batch_norm", x, mean, variance, scale, offset, axes=[axis], epsilon=epsilon)
    return [y, *[None] * 5]


def _resize(call: Call) -> Value:
    x, size = call.value(0), call.integers(1)
    if x.rank != 4 or len(size) != 2 or not all(1 <= number < _MOST_SIZE for number in size):
        raise call.refused(f"it makes {size} of {list(x.shape)}")
    corners, halves = call.attribute("align_corners"), call.attribute("half_pixel_centers")
    for axis, number in zip((1, 2), size, strict=True):
        if x.shape[axis] != number:
            place = resized_places(x.shape[axis], number, corners=corners, halves=halves)
            x = (
                _nearest(call, x, axis, place)
                if call.node.op == "ResizeNearestNeighbor"
                else _linear(call, x, axis, place)
            )
    return x


def resized_places(size: int, wanted: int, *, corners: bool, halves: bool) -> np.ndarray:
    """Where the voxels of the resized axis lie on the old one, as TensorFlow's kernels count (in float32)."""
    positions = np.arange(wanted, dtype=np.float32)
    scale = np.float32(size) / np.float32(wanted)
    if corners and wanted > 1:
        return positions * (np.float32(size - 1) / np.float32(wanted - 1))
    half = np.float32(0.5)
    return (positions + half) * scale - half if halves else positions * scale


def _nearest(call: Call, x: Value, axis: int, place: np.ndarray) -> Value:
    corners, halves = call.attribute("align_corners"), call.attribute("half_pixel_centers")
    # TensorFlow takes the voxel whose extent holds the centre: with half-pixel centres that is floor(place + 0.5).
    index = np.floor(place + np.float32(0.5) if corners or halves else place).astype(int).clip(0, x.shape[axis] - 1)
    times = len(index) // x.shape[axis]
    if index.tolist() == [position for position in range(x.shape[axis]) for _ in range(times)]:
        return call.step("repeat", x, times=[times if other == axis else 1 for other in range(x.rank)])
    return call.step("gather", x, axis=axis, indices=index.tolist())


def _linear(call: Call, x: Value, axis: int, place: np.ndarray) -> Value:
    last = x.shape[axis] - 1
    low = np.floor(place)
    weight = (place - low).astype(np.float32)
    low = low.astype(int)
    numbers = {"low": low.clip(0, last).tolist(), "high": (low + 1).clip(0, last).tolist(), "weight": weight.tolist()}
    return call.step("tf.Interpolate", x, axis=axis, **numbers)


CONVOLUTION: dict[str, Lowering] = {
    "AvgPool": _pool("average_pool"),
    "AvgPool3D": _pool("average_pool"),
    "Conv2D": _conv,
    "Conv2DBackpropInput": _conv_transpose,
    "Conv3D": _conv,
    "Conv3DBackpropInputV2": _conv_transpose,
    "DepthwiseConv2dNative": _depthwise,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "MaxPool": _pool("max_pool"),
    "MaxPool3D": _pool("max_pool"),
    "ResizeBilinear": _resize,
    "ResizeNearestNeighbor": _resize,
}
