"""The weights of a TensorFlow checkpoint: ``variables.index`` and its shards.

The index is a sorted table of LevelDB's format (https://github.com/google/leveldb/blob/main/doc/table_format.md)
whose values are BundleEntryProto messages; the shards hold the raw little-endian numbers.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.checkpoint_crc import crc32c, unmasked
from DeepMRILib.pvs.importer.wire import DamagedError, Decoder, Message, little, schema, varint

_TABLE = schema(
    {
        "Header": "1 num_shards int, 2 endianness int",
        "Entry": "1 dtype int, 2 shape Shape, 3 shard int, 4 offset int, 5 size int, 6 crc fixed32, 7 slices bytes*",
        "Shape": "2 dim Dim*, 3 unknown_rank int",
        "Dim": "1 size int",
    }
)
_MAGIC = 0xDB4775248B80FB57
_FOOTER = 48
_TRAILER = 5
_MOST_INDEX = 64 << 20
_MAPPED = 64 << 20
_MOST_KEYS = 200_000
_LONGEST_KEY = 2048
_MOST_WEIGHTS = 4 << 30

NUMERIC = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2", 22: "<u4", 23: "<u8"}
"""numpy's names of TensorFlow's DataType numbers that weights may have; bfloat16 (14) is widened on reading."""
BFLOAT16 = 14


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: DataType number, shape, file, first byte, bytes, checksum."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


class Checkpoint:
    """The tensors of ``<prefix>.index`` by key; numbers are read, and their checksum checked, when asked for."""

    def __init__(self, folder: Path, prefix: str = "variables") -> None:
        """Read the index.

        Raises:
            DamagedError: it is damaged, a shard lacks, or it is of a kind that is not read.
        """
        self._folder = folder
        self._prefix = prefix
        self._taken = 0
        entries = dict(_entries(memoryview(read_plain(folder / f"{prefix}.index", _MOST_INDEX))))
        decoder = Decoder(_TABLE)
        header = decoder.decode("Header", entries.pop(b"", memoryview(b"")))
        self._shards = header.num_shards
        if header.endianness != 0:
            raise DamagedError("its weights are stored in big-endian order, which is not read")
        if not 1 <= self._shards <= 1000:
            raise DamagedError(f"its index names {self._shards} weight files")
        self._entries = entries
        self._decoder = decoder

    def __contains__(self, key: str) -> bool:
        """Whether a tensor has this key."""
        return key.encode() in self._entries

    def keys(self) -> list[str]:
        """The tensors' keys."""
        return [key.decode("utf-8", errors="replace") for key in self._entries]

    def find(self, key: str) -> Tensor:
        """Where a tensor of numbers lies.

        Raises:
            DamagedError: there is none, or its entry contradicts itself.
        """
        data = self._entries.get(key.encode())
        if data is None:
            raise DamagedError(f"its checkpoint has no tensor {key}")
        entry = self._decoder.decode("Entry", data)
        if entry.slices:
            raise DamagedError(f"its tensor {key} is partitioned, which is not read")
        shape = _shape(entry.shape, key)
        itemsize = 2 if entry.dtype == BFLOAT16 else np.dtype(NUMERIC.get(entry.dtype, "V0")).itemsize
        if not itemsize:
            raise DamagedError(f"its tensor {key} is of a type that is not read (DataType {entry.dtype})")
        sound = 0 <= entry.shard < self._shards and entry.offset >= 0 and entry.size == prod(shape) * itemsize
        if not sound:
            raise DamagedError(f"the entry of its tensor {key} contradicts itself")
        return Tensor(entry.dtype, shape, entry.shard, entry.offset, entry.size, entry.crc)

    def text(self, key: str) -> memoryview:
        """A single text, as the object graph is stored: its length, 4 bytes of checksum of the length, the bytes."""
        data = self._entries.get(key.encode())
        if data is None:
            raise DamagedError(f"its checkpoint has no {key}")
        entry = self._decoder.decode("Entry", data)
        view = memoryview(self._bytes(key, entry.shard, entry.offset, entry.size))
        length, start = varint(view, 0)
        if entry.dtype != 7 or start + 4 + length != len(view):
            raise DamagedError(f"its text {key} is cut")
        return view[start + 4 :]

    def read(self, key: str) -> NDArray:
        """A tensor, float16 and bfloat16 as float32.

        Raises:
            DamagedError: the file lacks, is too short or its checksum is wrong.
        """
        tensor = self.find(key)
        self._taken += tensor.size
        if self._taken > _MOST_WEIGHTS:
            raise DamagedError(f"its weights are more than {_MOST_WEIGHTS >> 30} GB")
        data = self._bytes(key, tensor.shard, tensor.offset, tensor.size)
        if crc32c(memoryview(data)) != unmasked(tensor.crc):
            raise DamagedError(f"the checksum of its tensor {key} is wrong")
        if tensor.dtype == BFLOAT16:
            return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(tensor.shape)
        values = np.frombuffer(data, NUMERIC[tensor.dtype]).reshape(tensor.shape)
        return values.astype(np.float32) if tensor.dtype == 19 else values

    def _bytes(self, key: str, shard: int, offset: int, size: int) -> bytes:
        # The file's name is made of numbers only: no text of the index can lead out of the folder.
        path = self._folder / f"{self._prefix}.data-{shard:05d}-of-{self._shards:05d}"
        there = plain_size(path)
        if offset < 0 or size < 0 or offset + size > there:
            raise DamagedError(f"its tensor {key} lies beyond the end of {path.name}")
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise DamagedError(f"{path.name} ends early")
        return data


def plain_size(path: Path) -> int:
    """The bytes of a file that is neither a link nor a device.

    Raises:
        DamagedError: it is missing or of another kind.
    """
    try:
        status = path.lstat()
    except OSError as error:
        raise DamagedError(f"its file {path.name} is missing") from error
    if stat.S_ISLNK(status.st_mode):
        raise DamagedError(f"its file {path.name} is a link, which is not followed")
    if not stat.S_ISREG(status.st_mode):
        raise DamagedError(f"{path.name} is no file")
    return status.st_size


def read_plain(path: Path, most: int) -> bytes:
    """The content of a file that is neither a link nor larger than ``most`` bytes.

    Raises:
        DamagedError: it is missing, of another kind or too large.
    """
    size = plain_size(path)
    if size > most:
        raise DamagedError(f"its file {path.name} has {size >> 20} MB; up to {most >> 20} MB are expected")
    return path.read_bytes()


def file_view(path: Path, most: int) -> memoryview:
    """The bytes of a file; those of a large one are read when they are looked at.

    Raises:
        DamagedError: it is empty or has more than ``most`` bytes.
    """
    size = path.stat().st_size
    if not 0 < size <= most:
        raise DamagedError(f"{path.name} has {size} bytes; up to {most >> 20} MB are expected")
    return memoryview(path.read_bytes() if size < _MAPPED else np.memmap(path, np.uint8, "r"))


def _shape(shape: Message, key: str) -> tuple[int, ...]:
    sizes = tuple(dim.size for dim in shape.dim)
    if shape.unknown_rank or len(sizes) > 8 or any(not 0 <= size < 1 << 40 for size in sizes):
        raise DamagedError(f"the shape of its tensor {key} is damaged")
    return sizes


def _entries(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys and values of a table."""
    if len(data) < _FOOTER or little(data[-8:], "Q")[0] != _MAGIC:
        raise DamagedError("its index is no checkpoint index, or is cut")
    footer = data[-_FOOTER:]
    _, position = varint(footer, 0)
    _, position = varint(footer, position)
    offset, position = varint(footer, position)
    size, _ = varint(footer, position)
    count = 0
    for _, handle in _pairs(_block(data, offset, size)):
        offset, position = varint(handle, 0)
        size, _ = varint(handle, position)
        for key, value in _pairs(_block(data, offset, size)):
            count += 1
            if count > _MOST_KEYS:
                raise DamagedError("its index holds more tensors than any network has")
            yield key, value


def _block(data: memoryview, offset: int, size: int) -> memoryview:
    if offset + size + _TRAILER > len(data):
        raise DamagedError("a block of its index lies beyond the end")
    kind, stored = little(data[offset + size :], "BI")
    if crc32c(data[offset : offset + size + 1]) != unmasked(stored):
        raise DamagedError("the checksum of its index is wrong")
    if kind != 0:
        raise DamagedError("its index is compressed, which is not read")
    return data[offset : offset + size]


def _pairs(block: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Keys, each without what it shares with the one before, and values; restart points follow the pairs."""
    if len(block) < 4:
        raise DamagedError("a block of its index is cut")
    end = len(block) - 4 - 4 * little(block[-4:], "I")[0]
    if end < 0:
        raise DamagedError("a block of its index is cut")
    position, key = 0, b""
    while position < end:
        shared, position = varint(block, position)
        own, position = varint(block, position)
        size, position = varint(block, position)
        # A long key, shared by many, would grow without an end.
        if shared > len(key) or position + own + size > end or shared + own > _LONGEST_KEY:
            raise DamagedError("a block of its index is cut")
        key = key[:shared] + bytes(block[position : position + own])
        position += own
        yield key, block[position : position + size]
        position += size
