"""A matrix of signals that grows block by block and need not fit into the memory."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.writing import refusals_as_errors

IN_MEMORY = 512 * 1024**2
"""Bytes up to which a study is kept in memory: a million voxels with 128 images."""
BLOCK = 65_536
"""Rows that are copied at once."""


class SignalStore:
    """Rows of float32: in memory while they are few, then in a temporary file without a name.

    The system removes that file with its last user, however the process ends: nobody's images are left behind.
    """

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._stream: io.BytesIO | BinaryIO = io.BytesIO()
        self.rows = self.columns = 0

    @property
    def on_disk(self) -> bool:
        """Whether the rows have moved into the file."""
        return not isinstance(self._stream, io.BytesIO)

    def append(self, values: NDArray) -> None:
        """Add rows (m, n), all calls with the same n.

        Raises:
            OutputError: the disk of the temporary files is full.
        """
        block = np.ascontiguousarray(values, dtype=np.float32)
        if not self.on_disk and self._stream.tell() + block.nbytes > self._in_memory:
            self._move()
        with self._refusals():
            self._stream.write(block.data)
        self.rows, self.columns = self.rows + len(block), block.shape[1]

    def matrix(self) -> NDArray:
        """All rows (rows, n), only to be read: an array, or a memory map of the file."""
        shape = (self.rows, self.columns)
        if isinstance(self._stream, io.BytesIO):
            return np.frombuffer(self._stream.getbuffer(), np.float32).reshape(shape)
        with self._refusals():
            self._stream.flush()
        return np.memmap(self._stream, np.float32, "r", shape=shape)

    def close(self) -> None:
        """Let go of the file; a memory map of it stays usable."""
        if self.on_disk:
            self._stream.close()

    def _move(self) -> None:
        with self._refusals():
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close
        memory, self._stream = self._stream, file
        with self._refusals(), memory.getbuffer() as content:
            file.write(content)

    @staticmethod
    def _refusals() -> AbstractContextManager[None]:
        place = tempfile.gettempdir()
        return refusals_as_errors(
            f"The signals of the study cannot be kept among the temporary files in {place}, which TMPDIR names"
        )


@contextmanager
def signal_store(in_memory: int | None = None) -> Iterator[SignalStore]:
    """A store whose file goes in the end."""
    store = SignalStore(IN_MEMORY if in_memory is None else in_memory)
    try:
        yield store
    finally:
        store.close()


def copy_rows(matrix: NDArray, chosen: NDArray, store: SignalStore) -> None:
    """Append the rows of the ascending numbers ``chosen`` (m,), block by block."""
    for start in range(0, len(chosen), BLOCK):
        store.append(matrix[chosen[start : start + BLOCK]])
