"""Writing a safetensors file array by array: of large networks nothing is held twice."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError

_NAMES = {
    "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
    "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "b1": "BOOL",
}  # fmt: skip


def write_arrays(path: Path, weights: Mapping[str, NDArray]) -> None:
    """Write arrays by name as the safetensors package would, but without a second copy of all of them.

    Args:
        path: of the file.
        weights: arrays of numbers or truth values of any shape.

    Raises:
        WeightsError: nothing to write, or numbers of a kind that the format does not know.
    """
    if not weights:
        raise WeightsError("The network has no weights.")
    # the widest numbers first: so each array begins at a multiple of its number's size
    order = sorted(weights, key=lambda name: (-weights[name].dtype.itemsize, name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in order:
        array = weights[name]
        stop = start + array.nbytes
        header[name] = {"dtype": _kind(name, array), "shape": list(array.shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    with path.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            stream.write(np.asarray(weights[name], weights[name].dtype.newbyteorder("<"), order="C").tobytes())


def _kind(name: str, array: NDArray) -> str:
    kind = _NAMES.get(array.dtype.str[1:])
    if kind is None:
        raise WeightsError(f"The weights {name!r} are of the type {array.dtype}, which cannot be stored.")
    return kind
