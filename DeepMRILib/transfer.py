"""Values on their way between Slicer and the worker: arrays as .npy files in the job's folder, the rest as JSON.

What arrives is what was sent, in value, type and shape; only NumPy's scalars arrive as Python's. What cannot travel
is a TypeError where it is sent. No pickle: ``np.load`` refuses objects, and a dataclass or named tuple is rebuilt
only if it is one of the library's own.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path, PurePath
from typing import Any

import numpy as np

Json = Any
OWN_PACKAGE = "DeepMRILib"
_ARRAY_KINDS = "biufcSU"


def encode(value: Any, folder: Path) -> Json:
    """``value`` as JSON; its arrays are written into ``folder``, beside those that are there.

    Raises:
        TypeError: something in it cannot travel.
        OSError: no space or no right to write.
    """
    return _Encoder(folder).encode(value)


class _Encoder:
    """Numbers the arrays of one message, from the first number that is free in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        there = [int(path.stem) for path in folder.glob("*.npy") if path.stem.isdecimal()]
        self._next = max(there, default=-1) + 1

    def encode(self, value: Any) -> Json:
        if isinstance(value, np.generic):
            value = _python_scalar(value)
        # the very types: a subclass (an IntEnum) would arrive as something else
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is complex:
            return {"complex": [value.real, value.imag]}
        if isinstance(value, np.ndarray):
            return {"array": self._write(value)}
        if isinstance(value, PurePath):
            return {"path": str(value)}
        if type(value) in (list, tuple):
            return {type(value).__name__: [self.encode(entry) for entry in value]}
        if type(value) is dict:
            return {"dict": [[self.encode(key), self.encode(entry)] for key, entry in value.items()]}
        return self._encode_own(value)

    def _encode_own(self, value: Any) -> Json:
        kind = type(value)
        reference = f"{kind.__module__}:{kind.__qualname__}"
        if not _is_record(kind) or not _is_own(kind.__module__) or "." in kind.__qualname__:
            raise TypeError(f"a {kind.__name__} cannot travel between processes")
        if dataclasses.is_dataclass(kind):
            names = [item.name for item in dataclasses.fields(kind) if item.init]
        else:
            names = list(kind._fields)
        return {"class": reference, "fields": {name: self.encode(getattr(value, name)) for name in names}}

    def _write(self, array: np.ndarray) -> str:
        if array.dtype.kind not in _ARRAY_KINDS or isinstance(array, np.ma.MaskedArray):
            what = "a masked array" if isinstance(array, np.ma.MaskedArray) else f"an array of type {array.dtype}"
            raise TypeError(f"{what} cannot travel between processes")
        name = f"{self._next:04d}.npy"
        self._next += 1
        # The order in memory is kept: a transposed view of Slicer's array is written as it lies, without a copy.
        np.save(self._folder / name, array, allow_pickle=False)
        return name


def _python_scalar(value: np.generic) -> Any:
    plain = value.item()
    if type(plain) not in (bool, int, float, complex, str):  # dates, records, longdouble: Python has none or another
        raise TypeError(f"a {type(value).__name__} cannot travel between processes")
    return plain


def decode(value: Json, folder: Path) -> Any:
    """The value that ``encode`` was given, its arrays read into memory.

    Raises:
        ValueError: not a message of ``encode``, or one that names foreign files or classes.
        OSError: an array's file is missing.
    """
    if not isinstance(value, dict):
        return value
    (kind, content), *rest = value.items()
    if kind == "array":
        return np.load(_inside(folder, content), allow_pickle=False)
    if kind == "complex":
        return complex(*content)
    if kind == "path":
        return Path(content)
    if kind in ("list", "tuple"):
        entries = [decode(entry, folder) for entry in content]
        return entries if kind == "list" else tuple(entries)
    if kind == "dict":
        return {decode(key, folder): decode(entry, folder) for key, entry in content}
    if kind == "class":
        fields = dict(rest)["fields"]
        return _own_class(content)(**{name: decode(entry, folder) for name, entry in fields.items()})
    raise ValueError(f"unknown kind of value {kind!r}")


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not a file of the job's folder")
    return folder / name


def _is_own(module: str) -> bool:
    return module == OWN_PACKAGE or module.startswith(OWN_PACKAGE + ".")


def _is_record(kind: Any) -> bool:
    """Whether it is a dataclass or the class of a named tuple."""
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )


def _own_class(reference: str) -> type:
    module, _, name = reference.partition(":")
    if not _is_own(module):
        raise ValueError(f"{reference!r} is not a class of {OWN_PACKAGE}")
    found = getattr(importlib.import_module(module), name)
    if not _is_record(found):
        raise ValueError(f"{reference!r} is not a dataclass or named tuple")
    return found
