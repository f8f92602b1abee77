"""Operations that move values and do not change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Attributes = Mapping[str, Any]


def _reshape(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """To ``shape``; 0 keeps the size of that axis, one -1 is what is left."""
    x = inputs[0]
    return x.reshape([x.shape[axis] if size == 0 else int(size) for axis, size in enumerate(attributes["shape"])])


def _flatten(inputs: Sequence[Tensor], _attributes: Attributes) -> Tensor:
    """(n, ...) to (n, everything)."""
    return inputs[0].reshape(inputs[0].shape[0], -1)


def _transpose(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Axis k of the result is axis ``order[k]`` of x."""
    return inputs[0].permute([int(axis) for axis in attributes["order"]])


def _squeeze(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Without ``axes``, which must have size 1 (None: without all such)."""
    x = inputs[0]
    if attributes.get("axes") is None:
        return x.squeeze()
    axes = tuple(int(axis) % x.ndim for axis in attributes["axes"])
    if any(x.shape[axis] != 1 for axis in axes):
        raise ValueError(f"axes {axes} of {tuple(x.shape)} are not all 1")
    return x.squeeze(axes)


def _expand(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """With new axes of size 1 at ``axes`` of the result."""
    x = inputs[0]
    rank = x.ndim + len(attributes["axes"])
    for axis in sorted(int(axis) % rank for axis in attributes["axes"]):
        x = x.unsqueeze(axis)
    return x


def _concat(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return torch.cat(list(inputs), dim=int(attributes["axis"]))


def _stack(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return torch.stack(list(inputs), dim=int(attributes["axis"]))


def _split(inputs: Sequence[Tensor], attributes: Attributes) -> tuple[Tensor, ...]:
    """Into pieces of ``sizes`` along ``axis``."""
    return torch.split(inputs[0], [int(size) for size in attributes["sizes"]], dim=int(attributes["axis"]))


def _unstack(inputs: Sequence[Tensor], attributes: Attributes) -> tuple[Tensor, ...]:
    return torch.unbind(inputs[0], dim=int(attributes["axis"]))


def _slice(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """``starts[k]:stops[k]:steps[k]`` of ``axes[k]`` as in Python; None is the end, steps (1 if left out) are > 0."""
    x = inputs[0]
    axes = attributes["axes"]
    steps = attributes.get("steps") or [1] * len(axes)
    where: list[slice] = [slice(None)] * x.ndim
    for axis, start, stop, step in zip(axes, attributes["starts"], attributes["stops"], steps, strict=True):
        where[int(axis)] = slice(start, stop, step)
    return x[tuple(where)]


def _crop(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Without ``crops[k] = (before, after)`` of each axis."""
    x = inputs[0]
    pairs = zip(attributes["crops"], x.shape, strict=True)
    where = [(int(before), size - int(before) - int(after)) for (before, after), size in pairs]
    if any(before < 0 or left <= 0 for before, left in where):
        raise ValueError(f"nothing is left of {tuple(x.shape)} without {attributes['crops']}")
    return x[tuple(slice(before, before + left) for before, left in where)]


def _pad(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """With ``pads[k] = (before, after)`` on each axis; ``mode`` constant (``value``), reflect, symmetric or edge."""
    x = inputs[0]
    pads = [(int(before), int(after)) for before, after in attributes["pads"]]
    if len(pads) != x.ndim:
        raise ValueError(f"{len(pads)} pads for {x.ndim} axes")
    mode = attributes.get("mode", "constant")
    if mode == "constant":
        flat = [number for pair in reversed(pads) for number in pair]
        return functional.pad(x, flat, value=float(attributes.get("value", 0.0)))
    for axis, (before, after) in enumerate(pads):
        x = x.index_select(axis, _mirror(x.shape[axis], before, after, mode, x.device))
    return x


def _mirror(size: int, before: int, after: int, mode: str, device: torch.device) -> Tensor:
    """Which positions of an axis its padded form shows."""
    positions = torch.arange(-before, size + after, device=device)
    if mode == "edge":
        return positions.clamp(0, size - 1)
    if mode not in {"reflect", "symmetric"} or max(before, after) > size - (mode == "reflect"):
        raise ValueError(f"an axis of {size} cannot be padded by {before} and {after}: {mode}")
    last = size - 1
    if mode == "reflect":
        positions = positions.abs()
        return last - (last - positions).abs()
    positions = torch.where(positions < 0, -1 - positions, positions)
    return torch.where(positions > last, 2 * last + 1 - positions, positions)


def _repeat(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Each value ``times[k]`` times in a row along axis k: upsampling to the nearest voxel."""
    x = inputs[0]
    times = [int(number) for number in attributes["times"]]
    if len(times) != x.ndim or min(times) < 1:
        raise ValueError(f"times {times} for {x.ndim} axes")
    shape = list(x.shape)
    for axis in reversed([axis for axis, number in enumerate(times) if number > 1]):
        x = x.unsqueeze(axis + 1)
        x = x.expand([times[axis] if k == axis + 1 else size for k, size in enumerate(x.shape)])
    return x.reshape([size * number for size, number in zip(shape, times, strict=True)])


def _repeat_axis(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """Each value ``times`` times in a row along ``axis``."""
    x = inputs[0]
    times = [1] * x.ndim
    times[int(attributes["axis"])] = int(attributes["times"])
    return _repeat((x,), {"times": times})


def _getitem(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """``x[where]``: numbers, None for a new axis, ``"..."``, and ``[start, stop, step]``."""
    index = [
        ... if entry == "..." else slice(*entry) if isinstance(entry, list | tuple) else entry
        for entry in attributes["where"]
    ]
    return inputs[0][tuple(index)]


def _tile(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """The whole tensor ``times[k]`` times in a row along axis k."""
    return inputs[0].repeat([int(number) for number in attributes["times"]])


def _broadcast(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    return inputs[0].expand([int(size) for size in attributes["shape"]])


def _gather(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """The positions ``indices`` (numbers) of ``axis``."""
    positions = torch.tensor(attributes["indices"], dtype=torch.int64, device=inputs[0].device)
    axis = int(attributes["axis"]) % inputs[0].ndim
    found = inputs[0].index_select(axis, positions.reshape(-1) % inputs[0].shape[axis])
    return found.unflatten(axis, positions.shape) if positions.ndim != 1 else found


def _pad_like(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    """x with zeros around it to the size of another tensor: d // 2 before, the rest after; not along the channels."""
    x, other = inputs
    channels = 1 if attributes.get("channels") == "first" else x.ndim - 1
    missing = [0 if axis in {0, channels} else other.shape[axis] - x.shape[axis] for axis in range(x.ndim)]
    if min(missing) < 0:
        raise ValueError(f"{tuple(x.shape)} is larger than {tuple(other.shape)}")
    return _pad((x,), {"pads": [(d // 2, d - d // 2) for d in missing]})


SHAPE_OPS = {
    "reshape": _reshape,
    "flatten": _flatten,
    "transpose": _transpose,
    "squeeze": _squeeze,
    "expand": _expand,
    "concat": _concat,
    "stack": _stack,
    "split": _split,
    "unstack": _unstack,
    "slice": _slice,
    "crop": _crop,
    "pad": _pad,
    "pad_like": _pad_like,
    "repeat": _repeat,
    "repeat_axis": _repeat_axis,
    "getitem": _getitem,
    "tile": _tile,
    "broadcast": _broadcast,
    "gather": _gather,
}
