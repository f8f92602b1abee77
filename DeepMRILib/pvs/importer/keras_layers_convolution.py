"""Convolutions of Keras."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.keras_layers_activation import activate
from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Options, Site


def channels(options: Options) -> Literal["last", "first"]:
    """Where an image has its channels."""
    options.expect("data_format", "channels_last", "channels_first")
    return "first" if options.get("data_format") == "channels_first" else "last"


def _common(site: Site, dims: int) -> dict[str, Any]:
    options = site.options
    return {
        "strides": options.whole("strides", dims, 1),
        "dilations": options.whole("dilation_rate", dims, 1),
        "channels": channels(options),
    }


def _pads(site: Site, dims: int, dilations: list[int], kernel: list[int]) -> Any:
    padding = site.options.get("padding", "valid")
    if padding == "causal" and dims == 1:
        return [[(kernel[0] - 1) * dilations[0], 0]]
    if padding not in {"valid", "same"}:
        raise NotUnderstoodError(f"padding {str(padding)[:60]}")
    return padding


def _bias(site: Site, count: int) -> list[str]:
    if not site.options.flag("use_bias", True):
        return []
    site.shaped("bias", [count])
    return [site.weight("bias")]


def _filters(site: Site) -> int:
    return site.options.whole("filters", 1)[0]


def convolution(site: Site, dims: int) -> str:
    """Conv1D, Conv2D, Conv3D: kernel (x, y, z, in / groups, out)."""
    options = site.options
    size, filters = options.whole("kernel_size", dims), _filters(site)
    groups = options.whole("groups", 1, 1)[0]
    site.shaped("kernel", [*size, None, filters])
    common = _common(site, dims)
    pads = _pads(site, dims, common["dilations"], size)
    inputs = [site.input, site.weight("kernel", _forward), *_bias(site, filters)]
    made = site.add("conv", *inputs, **common, groups=groups, pads=pads)
    return activate(site, made, options.get("activation"))


def _forward(kernel: NDArray) -> NDArray:
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def transposed(site: Site, dims: int) -> str:
    """Conv1DTranspose and so on: kernel (x, y, z, out, in)."""
    options = site.options
    size, filters = options.whole("kernel_size", dims), _filters(site)
    options.expect("groups", 1)
    site.shaped("kernel", [*size, filters, None])
    common = _common(site, dims)
    extra = options.whole("output_padding", dims, 0, least=0) if options.has("output_padding") else [None] * dims
    options.ignore("output_padding")
    padding = options.get("padding", "valid")
    if padding not in {"valid", "same"}:
        raise NotUnderstoodError(f"padding {str(padding)[:60]}")
    axes = zip(size, common["strides"], common["dilations"], extra, strict=True)
    pads = [_cut((n - 1) * dilation + 1, stride, padding == "same", more) for n, stride, dilation, more in axes]
    inputs = [site.input, site.weight("kernel", _forward), *_bias(site, filters)]
    made = site.add("conv_transpose", *inputs, **common, pads=pads)
    return activate(site, made, options.get("activation"))


def _cut(kernel: int, stride: int, same: bool, extra: int | None) -> list[int]:
    """What Keras leaves of (size - 1) * stride + kernel voxels: what is cut before and after.

    The result has size * stride voxels ("same"), or as many as the kernel reaches and at least the stride ("valid");
    with ``output_padding`` (size - 1) * stride + kernel - 2 * pad + extra, where pad is kernel // 2 or 0. Cut is as if
    the convolution from the result to x had been padded: half of it, rounded down, before.
    """
    if extra is None:
        over = kernel - stride if same else min(kernel - stride, 0)
    else:
        over = (2 * (kernel // 2) if same else 0) - extra
        # TensorFlow wants a convolution of the result with that stride to have the size of x.
        if not (0 < kernel - over <= stride if same else -stride < over <= 0):
            raise NotUnderstoodError(f"output_padding {extra} with stride {stride}")
    before = max(over, 0) // 2 if same else 0
    return [before, over - before]


def depthwise(site: Site, dims: int) -> str:
    """DepthwiseConv1D, DepthwiseConv2D: kernel (x, y, in, multiplier)."""
    options = site.options
    made = _depthwise_step(site, dims, "kernel" if "kernel" in site.weights else "depthwise_kernel", bias=True)
    return activate(site, made, options.get("activation"))


def _depthwise_step(site: Site, dims: int, role: str, bias: bool) -> str:
    options = site.options
    size, multiplier = options.whole("kernel_size", dims), options.whole("depth_multiplier", 1, 1)[0]
    options.ignore("groups") if options.get("groups") == 1 else options.expect("groups")
    kernel = site.shaped(role, [*size, None, multiplier])
    common = _common(site, dims)
    pads = _pads(site, dims, common["dilations"], size)
    count = kernel.shape[-2]
    weight = site.weight(role, _each_channel)
    biases = _bias(site, count * multiplier) if bias else []
    return site.add("conv", site.input, weight, *biases, **common, groups=count, pads=pads)


def _each_channel(kernel: NDArray) -> NDArray:
    """(x, y, in, multiplier) to (in * multiplier, 1, x, y)."""
    moved = np.moveaxis(kernel, (-2, -1), (0, 1))
    return moved.reshape(-1, 1, *moved.shape[2:])


def separable(site: Site, dims: int) -> str:
    """SeparableConv1D, SeparableConv2D: a convolution of each channel, and one of 1 voxel across them."""
    options = site.options
    filters = _filters(site)
    made = _depthwise_step(site, dims, "depthwise_kernel", bias=False)
    site.shaped("pointwise_kernel", [*[1] * dims, None, filters])
    inputs = [made, site.weight("pointwise_kernel", _forward), *_bias(site, filters)]
    made = site.add("conv", *inputs, channels=channels(options))
    return activate(site, made, options.get("activation"))


def dense(site: Site) -> str:
    """Dense."""
    options = site.options
    units = options.whole("units", 1)[0]
    site.shaped("kernel", [None, units])
    options.expect("lora_rank")
    made = site.add("dense", site.input, site.weight("kernel"), *_bias(site, units))
    return activate(site, made, options.get("activation"))
