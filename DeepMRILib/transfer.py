"""Values on their way between Slicer and the worker: arrays as .npy files in the job's folder, the rest as JSON.

No pickle: ``np.load`` refuses objects, and a dataclass is rebuilt only if it is one of the library's own.
"""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import numpy as np

Json = Any
OWN_PACKAGE = "DeepMRILib"


def encode(value: Any, folder: Path) -> Json:
    """``value`` as JSON; its arrays are written into ``folder``."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {"array": _write_array(value, folder)}
    if isinstance(value, Path):
        return {"path": str(value)}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [encode(entry, folder) for entry in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key, folder), encode(entry, folder)] for key, entry in value.items()]}
    if dataclasses.is_dataclass(value):
        fields = {
            item.name: encode(getattr(value, item.name), folder) for item in dataclasses.fields(value) if item.init
        }
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": fields}
    raise TypeError(f"a {type(value).__name__} cannot travel between processes")


def decode(value: Json, folder: Path) -> Any:
    """The value that ``encode`` was given, its arrays read into memory."""
    if not isinstance(value, dict):
        return value
    (kind, content), *rest = value.items()
    if kind == "array":
        return np.load(_inside(folder, content), allow_pickle=False)
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


def _write_array(array: np.ndarray, folder: Path) -> str:
    name = f"{sum(1 for _ in folder.glob('*.npy')):04d}.npy"
    # The order in memory is kept: a transposed view of Slicer's array is written as it lies, without a copy.
    np.save(folder / name, array, allow_pickle=False)
    return name


def _inside(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise ValueError(f"{name!r} is not a file of the job's folder")
    return folder / name


def _own_class(reference: str) -> type:
    module, _, name = reference.partition(":")
    if module != OWN_PACKAGE and not module.startswith(OWN_PACKAGE + "."):
        raise ValueError(f"{reference!r} is not a class of {OWN_PACKAGE}")
    found = getattr(importlib.import_module(module), name)
    if not dataclasses.is_dataclass(found):
        raise ValueError(f"{reference!r} is not a dataclass")
    return found
