"""Files of weights: ours, other kinds, damaged ones, and PyTorch files of others that might run code."""

from __future__ import annotations

import json
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import DependencyError, InputError, WeightsError
from DeepMRILib.model_store import load_state_dict
from DeepMRILib.weight_files import _check_torch_version, read_safetensors, sha256_of, write_safetensors

pytest.importorskip("safetensors")

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros(2, dtype=np.float32)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"PK\x03\x04\x00\x00\x08\x08" + bytes(40), "a PyTorch or zip file, not safetensors. If you trust"),
        (pickle.dumps({"a": 1}), "a Python pickle, not safetensors"),
        (pickle.dumps({"a": 1}, protocol=2), "a Python pickle, not safetensors"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
        (b"", "damaged"),
        (b"hello, these are not weights", "damaged"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=sentence):
        read_safetensors(path)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "whole", WEIGHTS)
    whole = (tmp_path / "whole").read_bytes()
    for length in (4, 8, 40, len(whole) - 1):
        (tmp_path / "part").write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="damaged"):
            read_safetensors(tmp_path / "part")


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize("lie", ["header of an exbibyte", "tensor of an exbibyte"])
def test_sizes_are_checked_before_anything_is_allocated(tmp_path: Path, framework: str, lie: str) -> None:
    """An attempt to allocate an exbibyte would be a MemoryError; the file is refused as damaged instead."""
    pytest.importorskip(framework)
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**58], "data_offsets": [0, 2**60]}}).encode()
    length = 2**60 if lie.startswith("header") else len(header)
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", length) + header + bytes(64))
    with pytest.raises(WeightsError, match="damaged"):
        read_safetensors(path, framework)


@pytest.mark.torch
@pytest.mark.parametrize("wrapped", ["", "state_dict", "model"])
@pytest.mark.parametrize("zipped", [True, False])
def test_the_weights_in_a_pytorch_file_are_read(tmp_path: Path, wrapped: str, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    weights = torch.nn.Linear(2, 3).state_dict()
    content = {wrapped: weights, "epoch": 3} if wrapped else weights
    torch.save(content, tmp_path / "net.pt", _use_new_zipfile_serialization=zipped)
    read = load_state_dict(tmp_path / "net.pt")
    assert read.keys() == weights.keys()
    assert all(torch.equal(read[name], weights[name]) for name in weights)


class _Evil:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("ran.txt").absolute(),))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save({"a": torch.ones(1), "evil": _Evil()}, "net.pt")
    Path("plain.pkl").write_bytes(pickle.dumps(_Evil()))
    torch.save(torch.nn.Linear(2, 2), "module.pt")
    for name in ("net.pt", "plain.pkl", "module.pt"):
        with pytest.raises(WeightsError, match=r"could run code .* torch.save\(model.state_dict\(\), path\)"):
            load_state_dict(Path(name))
    assert not Path("ran.txt").exists()


@pytest.mark.torch
def test_a_file_that_is_no_pytorch_file_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.ones(300)}, tmp_path / "whole.pt")
    whole = (tmp_path / "whole.pt").read_bytes()
    path = tmp_path / "net.pt"
    for content in (b"", b"PK", whole[: len(whole) // 2], b"hello", b"\x80\x02", bytes(100)):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="is damaged|could run code"):
            load_state_dict(path)
    with pytest.raises(WeightsError, match="There is no file"):
        load_state_dict(tmp_path / "absent.pt")
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds no weights"):
        load_state_dict(path)


@pytest.mark.torch
def test_a_packed_file_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "net.pt")
    with (
        zipfile.ZipFile(tmp_path / "net.pt") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.namelist():
            packed.writestr(entry, plain.read(entry))
    assert (tmp_path / "bomb.pt").stat().st_size < 20_000
    with pytest.raises(WeightsError, match="compressed zip"):
        load_state_dict(tmp_path / "bomb.pt")


def test_a_pytorch_with_an_unsafe_reader_is_refused() -> None:
    _check_torch_version("2.6.0+cu124")
    _check_torch_version("2.13.0a0")
    for version in ("2.2.2", "2.5.1+cpu", "1.13.1"):
        with pytest.raises(DependencyError, match="only from 2.6 on"):
            _check_torch_version(version)


# -- damage ---------------------------------------------------------------------------------------------------------


def altered(content: bytes, seed: int) -> bytes:
    """A file with a few bytes flipped, replaced, removed or put in."""
    draw, changed = random.Random(seed), bytearray(content)
    for _ in range(draw.choice([1, 2, 5, 20])):
        way, place = draw.randrange(4), draw.randrange(len(changed))
        if way == 0:
            changed[place] ^= 1 << draw.randrange(8)
        elif way == 1:
            changed[place] = draw.randrange(256)
        elif way == 2:
            del changed[place : place + draw.randrange(1, 9)]
        else:
            changed[place:place] = draw.randbytes(draw.randrange(1, 5))
    return bytes(changed)


def refusals(read: Callable[[Path], Any], whole: bytes, path: Path, number: int) -> int:
    """How many of the altered files are refused; any error but a ``WeightsError`` fails the test."""
    refused = 0
    for seed in range(number):
        path.write_bytes(altered(whole, seed))
        try:
            read(path)
        except WeightsError:
            refused += 1
    return refused


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore:.*TypedStorage")
@pytest.mark.parametrize("zipped", [True, False])
def test_every_damage_of_a_pytorch_file_is_a_sentence(tmp_path: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "whole.pt", _use_new_zipfile_serialization=zipped)
    assert refusals(load_state_dict, (tmp_path / "whole.pt").read_bytes(), tmp_path / "net.pt", 400) > 200


@pytest.mark.parametrize("framework", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
def test_every_damage_of_a_safetensors_file_is_a_sentence(tmp_path: Path, framework: str) -> None:
    pytest.importorskip(framework)
    write_safetensors(tmp_path / "whole", WEIGHTS)
    whole = (tmp_path / "whole").read_bytes()
    assert refusals(lambda path: read_safetensors(path, framework), whole, tmp_path / "x", 400) > 200


def test_a_file_without_tensors_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<Q", 2) + b"{}")
    with pytest.raises(WeightsError, match="holds no tensor"):
        read_safetensors(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_or_a_folder_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        for read in (read_safetensors, sha256_of):
            with pytest.raises(WeightsError, match="is no file but a folder, a pipe or a device"):
                read(path)


# -- what can be saved ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        np.array([1, None], dtype=object),
        np.array(["a"]),
        np.ones(2, dtype=complex),
        np.ones(2, dtype=np.longdouble),
        np.array(["2026-01-01"], dtype="M8[s]"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_other_than_numbers_are_refused_by_name(tmp_path: Path, bad: np.ndarray) -> None:
    with pytest.raises(InputError, match="The weights 'odd' are of the type .* cannot be saved"):
        write_safetensors(tmp_path / "x", {**WEIGHTS, "odd": bad})
    assert not (tmp_path / "x").exists()


@pytest.mark.torch
def test_tensors_that_cannot_be_saved_are_refused_by_name(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for bad in (torch.ones(2, dtype=torch.complex64), torch.eye(2).to_sparse(), torch.ones(2, device="meta")):
        with pytest.raises(InputError, match="The weights 'odd' are of the type .* cannot be saved"):
            write_safetensors(tmp_path / "x", {"fine": torch.ones(2), "odd": bad})
    with pytest.raises(InputError, match="'odd' are a dtype"):
        write_safetensors(tmp_path / "x", {"odd": torch.float32})


@pytest.mark.parametrize("name", [1, None, "\ud800", "__metadata__"])
def test_names_that_cannot_be_saved_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(InputError, match="have a name that cannot be saved"):
        write_safetensors(tmp_path / "x", {name: np.ones(2)})


def test_a_single_number_and_swapped_bytes_come_back_as_they_were(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "x", {"number": np.array(3.5), "swapped": np.arange(4, dtype=">f4")})
    weights = read_safetensors(tmp_path / "x")
    assert weights["number"].shape == ()
    assert weights["number"] == 3.5
    assert np.array_equal(weights["swapped"], np.arange(4))


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_numbers_that_numpy_lacks_are_read_by_pytorch_and_said_by_numpy(tmp_path: Path, kind: str) -> None:
    torch = pytest.importorskip("torch")
    values = torch.ones(3).to(getattr(torch, kind))
    write_safetensors(tmp_path / "x", {"a": values})
    assert torch.equal(read_safetensors(tmp_path / "x", "torch")["a"].float(), torch.ones(3))
    with pytest.raises(WeightsError, match="a number type that numpy cannot hold"):
        read_safetensors(tmp_path / "x")
