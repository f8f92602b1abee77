"""HDF5 files of others: opened, and what they hold checked, before memory is taken for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from DeepMRILib.device import free_memory, in_words
from DeepMRILib.errors import InputError, require
from DeepMRILib.files.paths import check_claimed_size, damaged, input_file

SUFFIXES = (".h5", ".hdf5", ".mrd")
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An open h5py.File; damage that shows while it is read becomes a sentence.

    Raises:
        InputError: no such file, not HDF5, or damaged.
        DependencyError: h5py is not installed.
    """
    h5py = require("h5py", "Reading raw data in HDF5 files")
    path = input_file(path, "HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except _DAMAGE as error:
        raise damaged(path, "HDF5", error) from error


def member(group: Any, name: str) -> Any | None:
    """What a group holds under a name, None for nothing or a link: links can lead to other files."""
    import h5py

    if name not in group or group.get(name, getlink=True, getclass=True) is not h5py.HardLink:
        return None
    return group[name]


def dataset(path: Path, group: Any, name: str) -> Any | None:
    """The array of a group by its name, its size checked; None where there is none.

    Raises:
        InputError: it lies in another file, or claims more values than the file can hold.
    """
    import h5py

    found = member(group, name)
    if not isinstance(found, h5py.Dataset):
        return None
    if found.is_virtual or found.external:
        raise InputError(f"{path.name} keeps its {name} in other files. Copy it into one file (h5repack).")
    if found.shape and 0 not in found.shape:
        stored = min(found.id.get_storage_size(), path.stat().st_size)
        check_claimed_size(path, found.shape, found.dtype.itemsize, stored, compressed=found.compression is not None)
    return found


def check_room(path: Path, needed: int) -> None:
    """Refuse what does not fit into memory.

    Raises:
        InputError: more bytes are needed than are free.
    """
    free = free_memory("cpu")
    if free is not None and needed > free:
        raise InputError(
            f"{path.name} needs about {in_words(needed)} of memory, and {in_words(free)} are free. Take fewer slices."
        )
