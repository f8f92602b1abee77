"""Arrays in .npy and .npz files: read with their header checked, written whole, nothing unpickled."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError, OutputError

ARRAYS = [
    np.array(2.5),
    np.empty((0, 3)),
    np.array([True, False]),
    np.array([1 + 2j], np.complex64),
    np.arange(6, dtype=">i4").reshape(2, 3),
    np.asfortranarray(np.arange(24, dtype=np.float16).reshape(2, 3, 4)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays_come_back_as_they_were(array: np.ndarray, tmp_path: Path) -> None:
    files.write_array(array, tmp_path / "a.npy")
    files.write_arrays({"x": array}, tmp_path / "a.npz")
    for name in ("a.npy", "a.npz", "a.npz:x"):
        back = files.read_array(tmp_path / name if ":" not in name else f"{tmp_path}/{name}")
        assert (back.dtype, back.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(back, array)


def test_compressed_files_and_one_of_several_arrays(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "s.npz", kspace=np.zeros((100, 100)), mask=np.ones(3))
    assert np.array_equal(files.read_array(f"{tmp_path / 's.npz'}:mask"), np.ones(3))
    assert files.read_array(f"{tmp_path / 's.npz'}:kspace").shape == (100, 100)
    with pytest.raises(InputError, match=r"s.npz holds 2 arrays.*kspace, mask; name one as in s.npz:NAME"):
        files.read_array(tmp_path / "s.npz")
    with pytest.raises(InputError, match="s.npz has no array 'x'. It holds kspace, mask"):
        files.read_array(f"{tmp_path / 's.npz'}:x")


def test_any_name_will_do(tmp_path: Path) -> None:
    arrays = {"file": np.ones(1), "arr_0": np.zeros(2), "self": np.ones((2, 2))}
    files.write_arrays(arrays, tmp_path / "n.npz")
    with np.load(tmp_path / "n.npz") as read:
        assert read.files == list(arrays)
        assert all(np.array_equal(read[name], array) for name, array in arrays.items())


def npy(array: np.ndarray, **header: object) -> bytes:
    """The bytes of a .npy file, its header changed."""
    stream = io.BytesIO()
    values = {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape, **header}
    np.lib.format.write_array_header_1_0(stream, values)
    return stream.getvalue() + array.tobytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(np.ones(4))[:-1], r"claims 4 values"),
        (npy(np.ones(4), shape=(2**40, 2**10)), "truncated or damaged"),
        (npy(np.ones(4), shape=(-4,)), "damaged|not a complete"),
        (npy(np.ones(4), descr="|O"), "type object; an array of numbers"),
        (npy(np.ones(4), descr="<U2"), "an array of numbers was expected"),
        (npy(np.ones(4), descr="nonsense"), "not a complete np[yz] file"),
        (b"", "not a complete np[yz] file"),
        (b"hello, this is text", "not a complete np[yz] file"),
        (b"\x93NUMPY\x09\x00aaaaaa", "not a complete np[yz] file"),
    ],
)
def test_damaged_files_are_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=words):
        files.read_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content)
    with pytest.raises(InputError, match=words):
        files.read_array(tmp_path / "a.npz")


def test_changed_bytes_of_an_npz_are_a_sentence_or_are_read(tmp_path: Path, rng: np.random.Generator) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.arange(50.0))
    whole = (tmp_path / "a.npz").read_bytes()
    refused = 0
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        (tmp_path / "b.npz").write_bytes(content)
        try:
            files.read_array(tmp_path / "b.npz")
        except InputError:
            refused += 1
    assert refused > 100


def test_what_is_no_array_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mat").touch()
    with pytest.raises(InputError, match="a.mat is no array file"):
        files.read_array(tmp_path / "a.mat")
    with pytest.raises(InputError, match="There is no array file"):
        files.read_array(tmp_path / "b.npy")
    (tmp_path / "c.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="not a complete npz file"):
        files.read_array(tmp_path / "c.npz")


def test_writing_says_why_not_and_keeps_the_old(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist"):
        files.write_array(np.ones(1), tmp_path / "no" / "a.npy")
    files.write_arrays({"x": np.ones(1)}, tmp_path / "a.npz")
    with pytest.raises(TypeError, match="y of a.npz has values of type object"):
        files.write_arrays({"x": np.zeros(1), "y": np.array([{}], dtype=object)}, tmp_path / "a.npz")
    assert files.read_array(tmp_path / "a.npz") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
