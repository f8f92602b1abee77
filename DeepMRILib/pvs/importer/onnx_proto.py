"""What of an ONNX file's messages is read (onnx/onnx.proto), and its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.checkpoint import plain_size
from DeepMRILib.pvs.importer.wire import DamagedError, Message, schema

ONNX = schema(
    {
        "Model": "1 ir int, 2 producer str, 7 graph Graph, 8 opsets Opset*",
        "Opset": "1 domain str, 2 version int",
        "Graph": "1 nodes Node*, 2 name str, 5 weights Tensor*, 11 inputs Info*, 12 outputs Info*, 15 sparse bytes*",
        "Node": "1 inputs str*, 2 outputs str*, 3 name str, 4 op str, 5 attributes Attribute*, 7 domain str",
        # Graphs within attributes are not decoded: the operations that have them are refused.
        "Attribute": "1 name str, 2 f float, 3 i int, 4 s bytes, 5 t Tensor, 6 g bytes, 7 floats float*, 8 ints int*, "
        "9 strings bytes*, 20 kind int, 21 reference str",
        "Tensor": "1 dims int*, 2 dtype int, 3 segment bytes, 4 floats float*, 5 ints int*, 7 longs int*, 8 name str, "
        "9 raw bytes, 10 doubles double*, 11 ulongs int*, 13 external Entry*, 14 location int",
        "Entry": "1 key str, 2 value str",
        "Info": "1 name str, 2 type Type",
        "Type": "1 tensor TensorType",
        "TensorType": "1 dtype int, 2 shape Shape",
        "Shape": "1 dims Dim*",
        "Dim": "1 size int, 2 name str",
    }
)
FLOATS = frozenset({1, 10, 11, 16})
CASTS = {1: "float", 10: "float", 11: "float", 16: "float", 6: "int32", 7: "int64", 9: "bool"}
"""DataType numbers that values may be cast to."""
_RAW = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 12: "<u4"}
_RAW |= {13: "<u8", 16: "<u2"}
_TYPED = {1: "floats", 7: "longs", 11: "doubles", 12: "ulongs", 13: "ulongs"}
_HALF, _BFLOAT16 = 10, 16
_MOST_ELEMENTS = 1 << 31


def numbers(tensor: Message, folder: Path) -> NDArray:
    """A tensor: floats as float32, whole numbers as int32 or int64, or bool.

    Raises:
        DamagedError: its size and content do not fit, or its file is not to be read.
    """
    shape = tensor.dims.tolist()
    if len(shape) > 16 or any(not 0 <= size < 1 << 31 for size in shape) or prod(shape) > _MOST_ELEMENTS:
        raise DamagedError(f"its tensor {tensor.name} is of a damaged or unbelievable size")
    if tensor.dtype not in _RAW or tensor.has("segment"):
        raise DamagedError(f"its tensor {tensor.name} is of a type that is not read (DataType {tensor.dtype})")
    form = np.dtype(_RAW[tensor.dtype])
    if tensor.location or tensor.external:
        values = np.frombuffer(_external(tensor, folder, prod(shape) * form.itemsize), form)
    elif tensor.has("raw"):
        if len(tensor.raw) != prod(shape) * form.itemsize:
            raise DamagedError(f"its tensor {tensor.name} is cut")
        values = np.frombuffer(tensor.raw, form)
    else:
        values = np.asarray(getattr(tensor, _TYPED.get(tensor.dtype, "ints")))
        values = values.astype(np.uint16).view(np.float16) if tensor.dtype == _HALF else values
    if values.size != prod(shape):
        raise DamagedError(f"its tensor {tensor.name} has {values.size} numbers for {shape}")
    return _widened(tensor.dtype, values).reshape(shape)


def _widened(dtype: int, values: NDArray) -> NDArray:
    if dtype == _BFLOAT16:
        return (values.astype(np.uint32) << 16).view(np.float32)
    if dtype in FLOATS:
        return values.astype(np.float32, copy=False)
    if dtype == 9:
        return values.astype(bool)
    return values.astype(np.int64 if dtype in (7, 12, 13) else np.int32)


def _external(tensor: Message, folder: Path, size: int) -> bytes:
    """Bytes of a file beside the model's, and of no other file."""
    given = {entry.key: entry.value for entry in tensor.external}
    name = given.get("location", "")
    parts = PurePosixPath(name).parts
    inside = name and not any(mark in name for mark in ("\\", ":", "\0")) and not PurePosixPath(name).is_absolute()
    if tensor.location != 1 or not inside or ".." in parts:
        raise DamagedError(f"its tensor {tensor.name} lies in a file outside its folder, which is not read")
    path = folder
    for part in parts:
        path /= part
        if path.is_symlink():
            raise DamagedError(f"its file {name} is a link, which is not followed")
    offset, length = (_whole(given.get(key, default)) for key, default in (("offset", "0"), ("length", str(size))))
    if length != size or offset + size > plain_size(path):
        raise DamagedError(f"its tensor {tensor.name} lies beyond the end of {name}")
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise DamagedError("it places a tensor at no number")
    return int(text)


def text(view: Any) -> str:
    """Bytes as text.

    Raises:
        DamagedError: they are none.
    """
    try:
        return bytes(view).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedError("it has a name that is no text") from error


def sizes(info: Message) -> list[int | None]:
    """The shape of an input, None where any size will do.

    Raises:
        DamagedError: it is no image of floats.
    """
    tensor = info.type.tensor
    if tensor.dtype not in FLOATS or not tensor.has("shape"):
        raise DamagedError(f"its input {info.name} is no image of known axes in float32")
    found: Sequence[int] = [dim.size for dim in tensor.shape.dims]
    if len(found) > 16 or any(not -1 <= size < 1 << 31 for size in found):
        raise DamagedError(f"its input {info.name} has a damaged shape")
    return [size if size > 0 else None for size in found]
