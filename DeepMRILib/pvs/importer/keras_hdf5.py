"""HDF5 files of Keras, read with care: nothing outside of the file, nothing larger than what is stored of it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError, require

MOST_BYTES = 2 * 2**30
"""Of one file, and of all weights read from it."""
_MOST_NAMES = 100_000
_MOST_PIECES = 1000
_MOST_NAME_BYTES = 16 * 2**20
_SMALL = 16 * 2**20
_MOST_RATIO = 50  # trained weights hardly shrink; zeros (a fresh bias) do, and are small
_FILTERS = {1, 2, 3}  # gzip, shuffle, checksum: they come with the library; others load more code
# What the library raises for damaged files is of many kinds, none of which says more than that.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, UnicodeError, OverflowError)


class Hdf5:
    """An open file; use it with ``with Hdf5(path) as file``."""

    def __init__(self, source: Path | BytesIO) -> None:
        self._source = source
        self._left = MOST_BYTES
        self._file: Any = None

    def __enter__(self) -> Hdf5:
        """Open it.

        Raises:
            WeightsError: it cannot be read.
        """
        h5py = require("h5py", "Reading a network of Keras")
        self._h5py = h5py
        with _reading():
            self._file = h5py.File(self._source, "r")
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        with contextlib.suppress(*_DAMAGE):
            self._file.close()

    def group(self, *path: str) -> Any | None:
        """A group, or None where there is none; names are taken link by link, and only links to what is inside count.

        Raises:
            WeightsError: it leads out of the file, or is damaged.
        """
        found: Any = self._file
        with _reading():
            for name in path:
                found = self._member(found, name)
                if found is None:
                    return None
            return found if isinstance(found, self._h5py.Group) else None

    def _member(self, group: Any, name: str) -> Any | None:
        for part in name.split("/"):
            if part in {"", "."} or not isinstance(group, self._h5py.Group) or part not in group:
                return None
            if group.get(part, getlink=True, getclass=True) is not self._h5py.HardLink:
                raise WeightsError(
                    f"The file refers to another file or place ({part[:80]}); such links are not followed."
                )
            group = group[part]
        return group

    def names(self, group: Any) -> list[str]:
        """What is in a group."""
        with _reading():
            if len(group) > _MOST_NAMES:
                raise WeightsError(f"The file has {len(group)} entries in one group; up to {_MOST_NAMES} are expected.")
            return [str(name) for name in group]

    def text(self, group: Any, name: str) -> str | None:
        """An attribute that is a text."""
        value = self._attribute(group, name)
        if value is None:
            return None
        if isinstance(value, bytes | np.bytes_):
            with _reading():
                return bytes(value).decode("utf-8")
        if isinstance(value, str):
            return value
        raise WeightsError(f"The file is damaged: its {name[:80]} is no text. Get the file again.")

    def texts(self, group: Any, name: str) -> list[str] | None:
        """An attribute that is a list of texts; Keras cuts long ones into ``name0``, ``name1`` ..."""
        whole = self._attribute(group, name)
        if whole is not None:
            return _texts(whole, name)
        found: list[str] = []
        for number in range(_MOST_PIECES):
            piece = self._attribute(group, f"{name}{number}")
            if piece is None:
                break
            found += _texts(piece, name)
        return found or None

    def _attribute(self, group: Any, name: str) -> Any:
        with _reading():
            if name not in group.attrs:
                return None
            kind = self._h5py.h5a.open(group.id, name.encode())
            count = math.prod(kind.shape or ())
            # Texts of any length take a reference of 16 bytes each in the attribute.
            if count > _MOST_NAMES or count * kind.dtype.itemsize > _MOST_NAME_BYTES:
                raise WeightsError(f"The file is damaged: its {name[:80]} has {count} entries. Get the file again.")
            return group.attrs[name]

    def array(self, group: Any, name: str) -> NDArray:
        """A data set of numbers with fractions as float32.

        Raises:
            WeightsError: it is missing, too large, of another kind, kept outside of the file, or not finite.
        """
        with _reading():
            data = self._member(group, name)
            if not isinstance(data, self._h5py.Dataset):
                raise WeightsError(f"The file is incomplete: it lacks the weights {name[:120]}. Get the file again.")
            self._check(data, name[:120])
            with np.errstate(over="ignore"):  # what is too large for 32 bits is refused below
                values = np.asarray(data[()], dtype=np.float32)
        if not np.isfinite(values).all():
            raise WeightsError(
                f"The weights {name[:120]} are not all finite numbers: the training failed or the file is damaged."
            )
        return values

    def _check(self, data: Any, name: str) -> None:
        plist = data.id.get_create_plist()
        if data.is_virtual or plist.get_external_count():
            raise WeightsError(f"The weights {name} lie in another file; such references are not followed.")
        if data.dtype.kind != "f" or data.dtype.itemsize not in {2, 4, 8} or data.shape is None:
            raise WeightsError(f"The weights {name} are no numbers with fractions but {data.dtype}.")
        filters = {plist.get_filter(index)[0] for index in range(plist.get_nfilters())}
        if filters - _FILTERS:
            raise WeightsError(f"The weights {name} are compressed in a way that is not read.")
        size = math.prod(data.shape) * data.dtype.itemsize
        stored = data.id.get_storage_size()
        chunk = math.prod(data.chunks or ()) * data.dtype.itemsize
        ratio = max(size, chunk) / max(stored, 1)
        if (ratio > 1 and not filters and chunk <= size) or (max(size, chunk) > _SMALL and ratio > _MOST_RATIO):
            raise WeightsError(
                f"The weights {name} claim {size} bytes, {stored} are there: the file is damaged or not to be trusted."
            )
        self._left -= max(size, math.prod(data.shape) * 4)
        if self._left < 0:
            raise WeightsError(f"The file's weights take more than {MOST_BYTES / 2**30:.0f} GB.")


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except WeightsError:
        raise
    except _DAMAGE as error:
        raise WeightsError("The file is damaged: it cannot be read as HDF5. Get it again.") from error


def _texts(value: Any, name: str) -> list[str]:
    with _reading():
        entries = np.asarray(value).reshape(-1).tolist()
        found = [entry.decode("utf-8") if isinstance(entry, bytes) else entry for entry in entries]
    if not all(isinstance(entry, str) for entry in found):
        raise WeightsError(f"The file is damaged: its {name[:80]} are no texts. Get the file again.")
    return found
