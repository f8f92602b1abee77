"""Protocol-buffer messages and checkpoints are read as they are written, and damage is told."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from savedmodel_writer import CHECKPOINT, encode, table, varint, write_checkpoint

from DeepMRILib.pvs.importer.checkpoint import Checkpoint
from DeepMRILib.pvs.importer.checkpoint_crc import crc32c, masked, unmasked
from DeepMRILib.pvs.importer.wire import DamagedError, Decoder, schema

TABLE = schema(
    {
        "Outer": "1 number int, 2 text str, 3 rows int*, 4 inner Inner, 5 named Inner{}, 6 many Inner*, 7 part float, "
        "8 parts float*, 9 raw bytes, 10 wide double, 11 sum fixed32",
        "Inner": "1 value int",
    }
)


def decoded(data: bytes):
    return Decoder(TABLE).decode("Outer", memoryview(data))


def test_all_kinds_come_back():
    values = {
        "number": -7,
        "text": "\u00b5m",
        "rows": [1, 300, -1, 1 << 40],
        "inner": {"value": 5},
        "named": {"a": {"value": 1}, "b": {}},
        "many": [{"value": 2}, {"value": 3}],
        "part": 0.5,
        "parts": [1.5, -2.0],
        "raw": b"\0\1",
        "wide": 1e300,
        "sum": 0xFFFF_FFFF,
    }
    found = decoded(encode(TABLE, "Outer", values))
    assert (found.number, found.text, found.inner.value, found.part, found.wide) == (-7, "\u00b5m", 5, 0.5, 1e300)
    assert found.rows.tolist() == values["rows"]
    assert {key: item.value for key, item in found.named.items()} == {"a": 1, "b": 0}
    assert [item.value for item in found.many] == [2, 3]
    assert found.parts.tolist() == [1.5, -2.0]
    assert bytes(found.raw) == b"\0\1"
    assert found.sum == 0xFFFF_FFFF


def test_packed_rows_are_the_same_as_single_ones():
    numbers = [0, 1, 127, 128, 1 << 62, -1, -(1 << 63)]
    packed = b"".join(map(varint, numbers))
    data = varint(3 << 3 | 2) + varint(len(packed)) + packed + varint(3 << 3) + varint(9)
    assert decoded(data).rows.tolist() == [*numbers, 9]
    floats = struct.pack("<3f", 1, 2, 3)
    assert decoded(varint(8 << 3 | 2) + varint(12) + floats).parts.tolist() == [1, 2, 3]


def test_what_is_left_out_has_its_default_and_unknown_fields_are_skipped():
    found = decoded(varint(99 << 3) + varint(5) + varint(98 << 3 | 1) + bytes(8))
    assert (found.number, found.text, found.part) == (0, "", 0.0)
    assert (found.rows.size, found.many, found.named, found.inner.value) == (0, [], {}, 0)
    assert not decoded(b"").has("number")
    with pytest.raises(AttributeError):
        _ = found.nothing


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x08", "ends within a number"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "too long"),
        (b"\x12\x05ab", "ends within a field"),
        (b"\x0b", "unknown type"),
        (b"\x00\x00", "without a number"),
        (b"\x12\x02\xff\xfe", "no text"),
        (b"\x10\x01", "another type"),
        (b"\x22\x02\x08", "ends within a field"),
        (b"\x42\x03abc", "cut"),
        (b"\x1a\x02\x80\x80", "ends within a number"),
    ],
)
def test_damage_is_told(data: bytes, why: str):
    with pytest.raises(DamagedError, match=why):
        decoded(data)


def test_a_file_of_empty_messages_ends():
    with pytest.raises(DamagedError, match="more entries"):
        Decoder(TABLE, most=1000).decode("Outer", memoryview(b"\x32\x00" * 2000))


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 511, 4096, 70_001])
def test_the_checksum_is_that_of_the_definition(size: int):
    data = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8).tobytes()
    register = 0xFFFF_FFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    assert crc32c(memoryview(data)) == register ^ 0xFFFF_FFFF
    assert unmasked(masked(register)) == register


def test_a_checksum_over_several_blocks_is_joined(monkeypatch: pytest.MonkeyPatch):
    data = memoryview(bytes(range(256)) * 40)
    whole = crc32c(data)
    monkeypatch.setattr("DeepMRILib.pvs.importer.checkpoint_crc._BLOCK", 1000)
    assert crc32c(data) == whole


def a_checkpoint(folder: Path, shards: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    arrays = {f"layer/{k}/kernel": rng.normal(size=(k + 1, 3)).astype(np.float32) for k in range(5)}
    arrays["count"] = np.array(7, np.int64)
    write_checkpoint(folder, arrays, shards)
    return arrays


@pytest.mark.parametrize("shards", [1, 3])
def test_tensors_come_back_from_one_and_several_files(tmp_path: Path, shards: int):
    arrays = a_checkpoint(tmp_path, shards)
    checkpoint = Checkpoint(tmp_path)
    assert sorted(checkpoint.keys()) == sorted(arrays)
    for key, array in arrays.items():
        np.testing.assert_array_equal(checkpoint.read(key), array)


def test_a_link_is_not_followed(tmp_path: Path):
    arrays = a_checkpoint(tmp_path)
    shard = tmp_path / "variables.data-00000-of-00001"
    other = tmp_path / "elsewhere"
    shard.rename(other)
    shard.symlink_to(other)
    with pytest.raises(DamagedError, match="is a link"):
        Checkpoint(tmp_path).read(next(iter(arrays)))
    index = tmp_path / "variables.index"
    index.rename(tmp_path / "index")
    index.symlink_to(tmp_path / "index")
    with pytest.raises(DamagedError, match="is a link"):
        Checkpoint(tmp_path)


def test_every_cut_of_the_index_is_told(tmp_path: Path):
    a_checkpoint(tmp_path)
    index = tmp_path / "variables.index"
    data = index.read_bytes()
    for size in range(0, len(data), 7):
        index.write_bytes(data[:size])
        with pytest.raises(DamagedError):
            Checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"size": 11}, "contradicts"),
        ({"offset": -4}, "contradicts"),
        ({"shard": 1}, "contradicts"),
        ({"dtype": 7}, "type that is not read"),
        ({"dtype": 255}, "type that is not read"),
        ({"slices": [b"\x0a\x00"]}, "partitioned"),
        ({"shape": {"dim": [{"size": 1 << 50}]}}, "shape"),
        ({"shape": {"dim": [{"size": -3}]}}, "shape"),
        ({"shape": {"unknown_rank": 1}}, "shape"),
        ({"offset": 1 << 40}, "beyond the end"),
        ({"crc": 1}, "checksum"),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict, why: str):
    write_checkpoint(tmp_path, {"a": np.ones(3, np.float32)})
    sound = {"dtype": 1, "shape": {"dim": [{"size": 3}]}, "shard": 0, "offset": 0, "size": 12, "crc": 0}
    entries = {b"": encode(CHECKPOINT, "Header", {"num_shards": 1})}
    entries[b"a"] = encode(CHECKPOINT, "Entry", sound | changes)
    (tmp_path / "variables.index").write_bytes(table(entries))
    with pytest.raises(DamagedError, match=why):
        Checkpoint(tmp_path).read("a")


@pytest.mark.parametrize(
    ("header", "why"), [({"num_shards": 1, "endianness": 1}, "big-endian"), ({"num_shards": 0}, "0 weight files")]
)
def test_other_kinds_of_checkpoint_are_refused(tmp_path: Path, header: dict, why: str):
    (tmp_path / "variables.index").write_bytes(table({b"": encode(CHECKPOINT, "Header", header)}))
    with pytest.raises(DamagedError, match=why):
        Checkpoint(tmp_path)


def test_an_unknown_key_is_named(tmp_path: Path):
    a_checkpoint(tmp_path)
    with pytest.raises(DamagedError, match="no tensor nothing"):
        Checkpoint(tmp_path).read("nothing")
