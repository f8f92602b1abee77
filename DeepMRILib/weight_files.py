"""Files of network weights: safetensors of our own, and PyTorch files of others, read without running their code."""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from DeepMRILib.errors import DependencyError, InputError, WeightsError, require

if TYPE_CHECKING:
    import torch

Framework = Literal["numpy", "torch"]

_WAY_OUT = (
    "If you trust where it came from, read its weights with DeepMRILib.model_store.load_state_dict and store them "
    "with ModelStore.save."
)
# How PyTorch's and Python's readers stumble over damaged bytes.
_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
)
# What files of other kinds begin with.
_OTHER_KINDS = {
    b"PK\x03\x04": "a PyTorch or zip file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"\x89HDF": "an HDF5 (Keras) file",
}


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file as 64 hexadecimal digits, read piece by piece.

    Raises:
        WeightsError: the file is missing or cannot be read.
    """
    check_regular(path)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1024**2):
                digest.update(piece)
    except FileNotFoundError as error:
        raise WeightsError(f"The weights {path} are missing. Add the model again.") from error
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read: {error}.") from error
    return digest.hexdigest()


def read_safetensors(path: Path, framework: Framework = "numpy", device: str = "cpu") -> dict[str, Any]:
    """The arrays of a safetensors file by name.

    Args:
        path: the file. Its header is checked against its size before anything is allocated.
        framework: ``"numpy"`` for arrays, ``"torch"`` for tensors.
        device: where tensors are put; a resolved device.

    Raises:
        WeightsError: missing, damaged, or not safetensors at all.
        DependencyError: safetensors or PyTorch is not installed.
    """
    check_kind(path)
    reader = _safetensors(framework)
    from safetensors import SafetensorError

    try:
        weights = reader.load_file(path, device=device) if framework == "torch" else reader.load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"The weights {path} are damaged ({error}). Get the model again.") from error
    except (TypeError, KeyError, AttributeError) as error:
        # numpy has no bfloat16 nor float8; how safetensors says so differs between its versions.
        raise WeightsError(f"The weights {path} hold a number type that {framework} cannot hold ({error}).") from error
    if not weights:
        raise WeightsError(f"The weights file {path} is empty: it holds no tensor. Get the model again.")
    return weights


def write_safetensors(path: Path, weights: Mapping[str, Any]) -> None:
    """Write numpy arrays or torch tensors (all of one kind) by name.

    Raises:
        InputError: nothing to write, values that are no arrays of numbers, or names that are no text.
    """
    if not weights:
        raise InputError("The model has no weights to save.")
    framework = _framework_of(weights)
    for name, value in weights.items():
        _check_name(name)
        _check_numbers(name, value, framework)
    writer = _safetensors(framework)
    if framework == "torch":
        # Shared or strided memory cannot be stored: each tensor gets its own.
        weights = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in weights.items()}
    else:
        import numpy as np

        # safetensors writes an array's memory as it lies.
        weights = {
            name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C") for name, array in weights.items()
        }
    writer.save_file(weights, path)


def _safetensors(framework: Framework) -> Any:
    if framework not in ("numpy", "torch"):
        raise InputError(f"Weights come as numpy or torch, not as {framework!r}.")
    if framework == "torch":
        require("torch", "Reading and writing a network's weights")
    return require(f"safetensors.{framework}", "Reading and writing a network's weights", "safetensors")


def _framework_of(weights: Mapping[str, Any]) -> Framework:
    import numpy as np

    if all(isinstance(value, np.ndarray) for value in weights.values()):
        return "numpy"
    torch = sys.modules.get("torch")  # whoever has a tensor has imported it
    for name, value in weights.items():
        if torch is None or not isinstance(value, torch.Tensor):
            raise InputError(
                f"The weights {name!r} are a {type(value).__name__}; give numpy arrays only or PyTorch tensors only."
            )
    return "torch"


def _check_name(name: Any) -> None:
    usable = isinstance(name, str) and name != "__metadata__"  # which safetensors keeps for itself
    if not usable or any("\ud800" <= letter <= "\udfff" for letter in name):
        raise InputError(f"The weights {name!r} have a name that cannot be saved; names are text.")


def _check_numbers(name: str, value: Any, framework: Framework) -> None:
    """Refuse what safetensors cannot hold, or holds in some of its versions only."""
    if framework == "numpy":
        # long double has 8 bytes on Windows and 16 elsewhere
        usable = value.dtype.kind in "biuf" and value.dtype.itemsize <= 8 and value.dtype.char != "g"
    else:
        usable = value.layout is sys.modules["torch"].strided and not (
            value.is_complex() or value.is_quantized or value.is_meta
        )
    if not usable:
        raise InputError(
            f"The weights {name!r} are of the type {value.dtype} and cannot be saved; "
            "give dense arrays of whole or floating-point numbers of at most 64 bits."
        )


def check_regular(path: Path) -> None:
    """Refuse what is there but no file: opening a pipe waits for ever, and a device never ends.

    Raises:
        WeightsError: a folder, a pipe or a device, or no right to look.
    """
    try:
        usable = path.is_file() or not path.exists()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}.") from error
    if not usable:
        raise WeightsError(f"{path} is no file but a folder, a pipe or a device. Get the model again.")


def check_kind(path: Path) -> None:
    """Name the files that people take for safetensors, before the reader says 'header too large'.

    Raises:
        WeightsError: missing, not readable, no file, or begins like a file of another kind.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise WeightsError(f"The weights {path} are missing. Add the model again.") from error
    except OSError as error:
        raise WeightsError(f"The weights {path} cannot be read: {error}.") from error
    # A safetensors file begins with its header's length in eight bytes and the header, which is JSON.
    if start[8:] == b"{" and int.from_bytes(start[:8], "little") <= size - 8:
        return
    for magic, kind in _OTHER_KINDS.items():
        if start.startswith(magic):
            raise WeightsError(f"{path.name} is {kind}, not safetensors. {_WAY_OUT}")


def load_torch_file(path: Path) -> Any:
    """What a PyTorch file holds, read with ``weights_only=True``: tensors, numbers, text, lists and dictionaries.

    Raises:
        WeightsError: missing, damaged, or with Python objects that would have to be run to be read.
        DependencyError: PyTorch is missing, or older than 2.6, where such files could run code
            in spite of ``weights_only`` (CVE-2025-32434).
    """
    torch = require("torch", "Reading a PyTorch file")
    _check_torch_version(torch.__version__)
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no file {path}.")
    _check_not_packed(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path.name} holds Python objects besides weights, and opening it could run code on your computer. "
            "In the program that made it, save the weights alone: torch.save(model.state_dict(), path)."
        ) from error
    except _STUMBLES as error:
        raise _damaged(path, error) from error


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """A network's weights from a PyTorch file of others: name to tensor, on the CPU.

    A checkpoint that keeps them under ``state_dict`` or ``model`` (Lightning, MONAI) is understood.

    Raises:
        WeightsError: as ``load_torch_file``, or there are no weights in it.
    """
    import torch

    content = load_torch_file(path)
    candidates = [content]
    if isinstance(content, Mapping):
        candidates += [content.get(key) for key in ("state_dict", "model_state_dict", "model", "network_weights")]
    for found in candidates:
        if isinstance(found, Mapping) and found and all(isinstance(value, torch.Tensor) for value in found.values()):
            return dict(found)
    raise WeightsError(
        f"{Path(path).name} holds no weights: expected tensors by name, at its top or under state_dict. "
        "Save them with torch.save(model.state_dict(), path)."
    )


def _check_torch_version(version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < (2, 6):
        raise DependencyError(
            f"PyTorch {version} is installed, and PyTorch files can be read safely only from 2.6 on. Update PyTorch, "
            "or convert the file to safetensors elsewhere."
        )


def _check_not_packed(path: Path) -> None:
    """Refuse a zip whose entries are compressed: PyTorch writes none, and a few bytes of it can fill the memory."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except _STUMBLES as error:
        raise _damaged(path, error) from error
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or (
        sum(entry.file_size for entry in entries) > path.stat().st_size
    ):
        raise WeightsError(f"{path.name} is a compressed zip, not a file that PyTorch wrote. Unpack it first.")


def _damaged(path: Path, error: BaseException) -> WeightsError:
    if isinstance(error, OSError) and error.errno:
        return WeightsError(f"{path.name} cannot be read ({error.strerror}). Copy it to a folder of your own.")
    return WeightsError(
        f"{path.name} is no PyTorch weights file, or is damaged. Expected is what torch.save writes: give that file, "
        "or download or copy it again."
    )
