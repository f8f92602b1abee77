"""Layers of Keras that pool, pad, crop, enlarge, reshape or join."""

from __future__ import annotations

from typing import Any

from DeepMRILib.pvs.importer.keras_layers_activation import single_axis
from DeepMRILib.pvs.importer.keras_layers_convolution import channels
from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Options, Site


def pooling(site: Site, dims: int, op: str) -> str:
    """MaxPooling and AveragePooling; without strides they are as large as the window."""
    options = site.options
    size = options.whole("pool_size", dims, 2)
    padding = options.get("padding", "valid")
    if padding not in {"valid", "same"}:
        raise NotUnderstoodError(f"padding {str(padding)[:60]}")
    strides = options.whole("strides", dims, size)
    return site.add(op, site.input, size=size, strides=strides, pads=padding, channels=channels(options))


def _spatial(options: Options, dims: int) -> list[int]:
    start = 2 if channels(options) == "first" else 1
    return list(range(start, start + dims))


def global_pooling(site: Site, dims: int, op: str) -> str:
    """GlobalAveragePooling and GlobalMaxPooling."""
    keep = site.options.flag("keepdims", False)
    return site.add(op, site.input, axes=_spatial(site.options, dims), keep=keep)


def _pairs(options: Options, name: str, dims: int) -> list[list[int]]:
    """For each axis what comes before and after: one number, one for each axis, or pairs."""
    value = options.get(name, 1)
    values = [value] * dims if isinstance(value, int) else value
    if dims == 1 and isinstance(values, list) and len(values) == 2 and all(type(entry) is int for entry in values):
        values = [values]
    if not isinstance(values, list | tuple) or len(values) != dims:
        raise NotUnderstoodError(f"{name} {str(value)[:60]}")
    pairs = [[entry, entry] if isinstance(entry, int) else list(entry) for entry in values]
    if any(len(pair) != 2 or any(type(n) is not int or not 0 <= n < 2**31 for n in pair) for pair in pairs):
        raise NotUnderstoodError(f"{name} {str(value)[:60]}")
    return pairs


def _all_axes(options: Options, pairs: list[Any], nothing: Any) -> list[Any]:
    first = channels(options) == "first"
    return [nothing, nothing, *pairs] if first else [nothing, *pairs, nothing]


def zero_padding(site: Site, dims: int) -> str:
    """ZeroPadding1D, 2D, 3D."""
    pads = _all_axes(site.options, _pairs(site.options, "padding", dims), [0, 0])
    return site.add("pad", site.input, pads=pads)


def cropping(site: Site, dims: int) -> str:
    """Cropping1D, 2D, 3D."""
    crops = _all_axes(site.options, _pairs(site.options, "cropping", dims), [0, 0])
    return site.add("crop", site.input, crops=crops)


def upsampling(site: Site, dims: int) -> str:
    """UpSampling1D, 2D, 3D: to the nearest voxel, and in two dimensions linear too."""
    options = site.options
    times = options.whole("size", dims, 2)
    if dims == 2 and options.get("interpolation", "nearest") == "bilinear":
        return site.add("resize_linear", site.input, times=times, channels=channels(options))
    options.expect("interpolation", "nearest")
    return site.add("repeat", site.input, times=_all_axes(options, times, 1))


def merging(site: Site, op: str) -> str:
    """Add, Multiply, Average, Maximum, Minimum; Subtract of two."""
    inputs = site.inputs
    if op == "sub" and len(inputs) != 2:
        raise NotUnderstoodError(f"{len(inputs)} inputs")
    return site.add(op, *inputs, same_rank=True)


def concatenate(site: Site) -> str:
    """Concatenate along any axis."""
    return site.add("concat", *site.inputs, axis=single_axis(site.options, -1))


def flatten(site: Site) -> str:
    """Flatten."""
    if channels(site.options) == "first":
        raise NotUnderstoodError("data_format channels_first")
    return site.add("flatten", site.input)


def reshape(site: Site) -> str:
    """Reshape of everything but the batch."""
    shape = site.options.get("target_shape")
    whole = isinstance(shape, list) and all(type(size) is int and (size > 0 or size == -1) for size in shape)
    if not whole or shape.count(-1) > 1:
        raise NotUnderstoodError(f"target_shape {str(shape)[:60]}")
    return site.add("reshape", site.input, shape=[0, *shape])


def permute(site: Site) -> str:
    """Permute: axes counted from 1, without the batch."""
    dims = site.options.get("dims")
    if not isinstance(dims, list) or sorted(dims) != list(range(1, len(dims) + 1)):
        raise NotUnderstoodError(f"dims {str(dims)[:60]}")
    return site.add("transpose", site.input, order=[0, *dims])


def rescaling(site: Site) -> str:
    """Rescaling: x * scale + offset."""
    x = site.add("mul", site.input, value=_numbers(site.options, "scale", 1.0))
    return site.add("add", x, value=_numbers(site.options, "offset", 0.0))


def _numbers(options: Options, name: str, default: float) -> Any:
    value = options.get(name, default)
    if isinstance(value, list) and value and all(type(entry) in (int, float) for entry in value):
        return [float(entry) for entry in value]
    return options.number(name, default)


def identity(site: Site) -> str:
    """Layers that do nothing outside of training."""
    return site.input
