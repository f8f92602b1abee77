"""ONNX's Resize and Upsample, axis by axis with the places worked out beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.onnx_call import Call

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_MOST = 1 << 16


def resized(call: Call) -> Value:
    """Nearest or linear; every other kind is refused."""
    x = call.value(0)
    mode = call.attribute("mode", "nearest")
    plain = not call.attribute("antialias", 0) and call.attribute("keep_aspect_ratio_policy", "stretch") == "stretch"
    if mode not in {"nearest", "linear"} or not plain:
        raise call.refused(f"its mode is {mode}, or it smoothes or keeps proportions")
    sizes, scales = _wanted(call, x)
    for axis, (size, scale) in enumerate(zip(sizes, scales, strict=True)):
        if size == x.shape[axis] and scale == 1:
            continue
        place = _places(call, x.shape[axis], size, scale)
        x = _nearest(call, x, axis, place) if mode == "nearest" else _linear(call, x, axis, place)
    return x


def _wanted(call: Call, x: Value) -> tuple[list[int], list[float]]:
    """Size and scale of each axis: one of them is given, as an attribute in the oldest version."""
    index = 1 if call.node.op == "Upsample" or call.opset < 11 else 2
    axes = call.attribute("axes", list(range(x.rank)))
    axes = [call.axis(axis, x.rank) for axis in axes]
    sizes, scales = list(x.shape), [1.0] * x.rank
    given = call.optional(3) if index == 2 else None
    if given is not None and given.shape != (0,):
        wanted = call.integers(3)
        factors = [size / x.shape[axis] for axis, size in zip(axes, wanted, strict=True)]
    else:
        factors = _scales(call, index)
        wanted = [int(np.floor(x.shape[axis] * factor)) for axis, factor in zip(axes, factors, strict=True)]
    if not all(1 <= size < _MOST for size in wanted):
        raise call.refused(f"it makes sizes of {wanted}")
    for axis, size, factor in zip(axes, wanted, factors, strict=True):
        sizes[axis], scales[axis] = size, factor
    return sizes, scales


def _scales(call: Call, index: int) -> list[float]:
    if call.optional(index) is None:
        factors = call.attribute("scales")
    else:
        factors = call.trace.known(call.value(index), f"{call.what}: its input {index + 1}").reshape(-1).tolist()
    if not factors or not all(0 < factor < _MOST for factor in factors):
        raise call.refused(f"its scales are {factors}")
    return factors


def _places(call: Call, size: int, wanted: int, scale: float) -> NDArray:
    """Where the new voxels lie on the old axis."""
    positions = np.arange(wanted, dtype=np.float64)
    early = call.node.op == "Upsample" or call.opset < 11
    kind = "asymmetric" if early else call.attribute("coordinate_transformation_mode", "half_pixel")
    if kind == "asymmetric":
        return positions / scale
    if kind == "half_pixel" or (kind == "pytorch_half_pixel" and wanted > 1):
        return (positions + 0.5) / scale - 0.5
    if kind == "half_pixel_symmetric":
        centre = size / 2 * (1 - wanted / (scale * size))
        return centre + (positions + 0.5) / scale - 0.5
    if kind == "tf_half_pixel_for_nn":
        return (positions + 0.5) / scale
    if kind == "align_corners" and wanted > 1:
        return positions * ((size - 1) / (wanted - 1))
    if kind in {"align_corners", "pytorch_half_pixel"}:
        return np.zeros(wanted)
    raise call.refused(f"its coordinates are {kind}")


def _nearest(call: Call, x: Value, axis: int, place: NDArray) -> Value:
    early = call.node.op == "Upsample" or call.opset < 11
    kind = "floor" if early else call.attribute("nearest_mode", "round_prefer_floor")
    rules = {
        "round_prefer_floor": lambda p: np.ceil(p - 0.5),
        "round_prefer_ceil": lambda p: np.floor(p + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    if kind not in rules:
        raise call.refused(f"its nearest voxel is by {kind}")
    # Places are computed in float32 by other programs; a hair's breadth must not decide.
    index = rules[kind](np.round(place, 6)).astype(int).clip(0, x.shape[axis] - 1).tolist()
    times = len(index) // x.shape[axis]
    if index == [position for position in range(x.shape[axis]) for _ in range(times)]:
        return call.step("repeat", x, times=[times if other == axis else 1 for other in range(x.rank)])
    return call.step("gather", x, axis=axis, indices=index)


def _linear(call: Call, x: Value, axis: int, place: NDArray) -> Value:
    last = x.shape[axis] - 1
    place = place.clip(0, last)
    low = np.floor(place).astype(int)
    weight = (place - low).astype(np.float32)
    numbers = {"low": low.tolist(), "high": (low + 1).clip(0, last).tolist(), "weight": weight.tolist()}
    return call.step("onnx.Interpolate", x, axis=axis, **numbers)
