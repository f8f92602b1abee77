"""Files of weights: ours, other kinds, damaged ones, and PyTorch files of others that might run code."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import DependencyError, WeightsError
from DeepMRILib.model_store import load_state_dict
from DeepMRILib.weight_files import _check_torch_version, read_safetensors, write_safetensors

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
