"""ONNX files give what onnxruntime computed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from pvs_onnx_files import File

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.graph_fold import fold
from DeepMRILib.pvs.importer.network_graph import GraphNetwork
from DeepMRILib.pvs.importer.onnx import read_onnx

DATA = Path(__file__).resolve().parents[1] / "data" / "pvs"


def cases() -> list[str]:
    with zipfile.ZipFile(DATA / "onnx.zip") as archive:
        return sorted(name[:-5] for name in archive.namelist() if name.endswith(".onnx"))


def run(graph: Graph, *images: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        made = GraphNetwork(graph)(*map(torch.from_numpy, images))
    return [value.numpy() for value in (made if isinstance(made, tuple) else (made,))]


def unpacked(name: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    with zipfile.ZipFile(DATA / "onnx.zip") as archive:
        archive.extract(f"{name}.onnx", folder)
        with np.load(io.BytesIO(archive.read(f"{name}.npz"))) as stored:
            return folder / f"{name}.onnx", dict(stored)


def test_there_are_stored_files():
    assert len(cases()) >= 20


@pytest.mark.parametrize("name", cases())
def test_stored_files_give_what_onnxruntime_computed(name: str, tmp_path: Path):
    path, stored = unpacked(name, tmp_path)
    graph = read_onnx(path)
    again = Graph.from_structure(json.loads(json.dumps(graph.structure())), graph.weights)
    for one in (graph, again, fold(graph), read_onnx(path, simple=False) if "network" not in name else graph):
        found = run(one, *[stored[f"in:{port.name}"] for port in one.inputs])
        for output, value in zip(graph.outputs, found, strict=True):
            assert value.shape == stored[f"out:{output}"].shape, output
            np.testing.assert_allclose(value, stored[f"out:{output}"], rtol=1e-5, atol=1e-5, err_msg=output)
    assert graph.layout == "first"


def test_a_file_of_tf2onnx_has_its_channels_last():
    graph = read_onnx(DATA / "transposed_keras3_tf2onnx.onnx")
    assert graph.layout == "last"
    with np.load(DATA / "transposed_keras3_io.npz") as stored:
        (image,) = (stored[name] for name in stored if name.startswith("in:"))
        (expected,) = (stored[name] for name in stored if name.startswith("out:"))
    np.testing.assert_allclose(run(graph, image)[0], expected, rtol=0, atol=1e-5)


def test_one_channel_moved_by_a_reshape_is_last_too(tmp_path: Path):
    """tf2onnx writes so where there is one channel."""
    file = File((1, 4, 5, 6, 1))
    moved = file.add("Reshape", "x", file.weight([1, 1, 4, 5, 6]))
    file.add("Conv", moved, file.weight(np.ones((1, 1, 1, 1, 1)) * 2.0), out="y")
    graph = read_onnx(file.write(tmp_path / "a.onnx"))
    assert graph.layout == "last"
    file = File((1, 1, 4, 5, 6))
    file.add("Conv", "x", file.weight(np.ones((1, 1, 1, 1, 1)) * 2.0), out="y")
    assert read_onnx(file.write(tmp_path / "b.onnx")).layout == "first"


def test_a_large_file_is_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, stored = unpacked("network_17", tmp_path)
    monkeypatch.setattr("DeepMRILib.pvs.importer.checkpoint._MAPPED", 100)
    graph = read_onnx(path)
    found = run(graph, stored["in:x0"])[0]
    np.testing.assert_allclose(found, stored[f"out:{graph.outputs[0]}"], atol=1e-5)


def test_any_size_stays_any_size(tmp_path: Path):
    graph = read_onnx(unpacked("network_17", tmp_path)[0])
    assert graph.inputs[0].shape == (None, 1, None, None, None)
    assert run(graph, np.zeros((2, 1, 8, 10, 12), np.float32))[0].shape == (2, 1, 8, 10, 12)


def test_weights_may_lie_in_a_file_beside_it(tmp_path: Path):
    kernel = np.random.default_rng(1).normal(size=(3, 2, 1, 1, 1)).astype(np.float32)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "weights.bin").write_bytes(b"12345678" + kernel.tobytes())
    graph = read_onnx(external(tmp_path, "parts/weights.bin", offset=8, length=kernel.nbytes))
    np.testing.assert_array_equal(next(iter(graph.weights.values())), kernel)


def external(folder: Path, location: str, **numbers: int) -> Path:
    file = File()
    entries = [{"key": "location", "value": location}]
    entries += [{"key": key, "value": str(value)} for key, value in numbers.items()]
    name = file.weight(np.zeros((3, 2, 1, 1, 1)), external=entries, location=1)
    del file.weights[-1]["raw"]
    file.add("Conv", "x", name, out="y")
    return file.write(folder / "model.onnx")


@pytest.mark.parametrize(
    ("location", "numbers", "why"),
    [
        ("../weights.bin", {}, "outside its folder"),
        ("/etc/passwd", {}, "outside its folder"),
        ("C:\\weights.bin", {}, "outside its folder"),
        ("parts/../../weights.bin", {}, "outside its folder"),
        ("", {}, "outside its folder"),
        ("nothing.bin", {}, "missing"),
        ("weights.bin", {"offset": 1}, "beyond the end"),
        ("weights.bin", {"length": 5}, "beyond the end"),
        ("link.bin", {}, "is a link"),
        ("folder/weights.bin", {}, "is a link"),
    ],
)
def test_no_other_file_is_read(tmp_path: Path, location: str, numbers: dict, why: str):
    inside = tmp_path / "inside"
    inside.mkdir()
    for folder in (tmp_path, inside):
        (folder / "weights.bin").write_bytes(bytes(24))
    (inside / "link.bin").symlink_to(tmp_path / "weights.bin")
    (inside / "folder").symlink_to(tmp_path)
    with pytest.raises(WeightsError, match=why):
        read_onnx(external(inside, location, **numbers))


def test_external_weights_are_read_without_offset_and_length(tmp_path: Path):
    (tmp_path / "weights.bin").write_bytes(bytes(24))
    assert run(read_onnx(external(tmp_path, "weights.bin")), np.ones((1, 2, 6, 6, 6), np.float32))[0].max() == 0
