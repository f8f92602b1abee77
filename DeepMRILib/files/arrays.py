"""Arrays of numbers in NumPy's own files: .npy, and .npz for several of them. Nothing is unpickled."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import check_claimed_size, damaged, input_file, unreadable
from DeepMRILib.writing import replacing

_NUMBERS = "biufc"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_DAMAGE = (EOFError, OverflowError, ValueError, TypeError, KeyError, NotImplementedError, zlib.error)


def read_array(path: str | Path) -> NDArray:
    """The array of a .npy file, or of a .npz file: its only one, or the one named as in ``scan.npz:kspace``.

    Raises:
        InputError: no such file, another kind of file, damaged, not numbers, or an .npz with several and no name.
    """
    named = re.fullmatch(r"(.+\.npz):([^:/\\]+)", str(path), re.IGNORECASE)
    place, name = (named[1], named[2]) if named else (str(path), None)
    file = input_file(place, "array file")
    suffix = file.suffix.lower()
    if suffix not in (".npy", ".npz"):
        raise InputError(f"{file.name} is no array file. Give a .npy or .npz file, as numpy.save and savez write them.")
    try:
        if suffix == ".npz":
            return _read_npz(file, name)
        with file.open("rb") as stream:
            return _read(file, stream, file.stat().st_size)
    except InputError:
        raise
    except zipfile.BadZipFile as error:
        raise damaged(file, "npz", error) from error
    except _DAMAGE as error:
        raise damaged(file, suffix[1:], error) from error
    except OSError as error:
        raise unreadable(file, error) from error


def _read_npz(path: Path, name: str | None) -> NDArray:
    with zipfile.ZipFile(path) as archive:
        names = [entry.removesuffix(".npy") for entry in archive.namelist() if entry.endswith(".npy")]
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            problem = f"has no array {name!r}" if name else f"holds {len(names)} arrays, and one is needed"
            raise InputError(
                f"{path.name} {problem}. It holds {', '.join(names) or 'none'}; name one as in {path.name}:NAME."
            )
        entry = archive.getinfo(f"{name}.npy")
        if entry.file_size:
            check_claimed_size(path, (entry.file_size,), 1, entry.compress_size, compressed=True)
        with archive.open(entry) as stream:
            return _read(path, stream, entry.file_size)


def _read(path: Path, stream: IO[bytes], size: int) -> NDArray:
    """The array of an open .npy file, after its header's claims have been compared with the file's size."""
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"its version {version[0]}.{version[1]} is not one for numbers")
    shape, _, dtype = _HEADERS[version](stream)
    if dtype.kind not in _NUMBERS:
        raise InputError(f"{path.name} holds values of type {dtype}; an array of numbers was expected.")
    if 0 not in shape:
        check_claimed_size(path, shape or (1,), dtype.itemsize, size - stream.tell(), compressed=False)
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def write_array(array: NDArray, path: str | Path) -> None:
    """Write one array as .npy.

    Raises:
        OutputError: the place cannot be written.
        TypeError: not an array of numbers.
    """
    path = Path(path)
    _check_numbers(path.name, array)
    with replacing(path) as (sibling,), sibling.open("wb") as stream:
        np.save(stream, array, allow_pickle=False)


def write_arrays(arrays: Mapping[str, NDArray], path: str | Path) -> None:
    """Write arrays by name as one .npz; any name will do, also those that ``numpy.savez`` keeps for itself.

    Raises:
        OutputError: the place cannot be written.
        TypeError: one is not an array of numbers.
    """
    path = Path(path)
    for name, array in arrays.items():
        _check_numbers(f"{name} of {path.name}", array)
    with replacing(path) as (sibling,), zipfile.ZipFile(sibling, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.save(stream, array, allow_pickle=False)


def _check_numbers(what: str, array: NDArray) -> None:
    if array.dtype.kind not in _NUMBERS:
        raise TypeError(f"{what} has values of type {array.dtype}; arrays of numbers are written")
