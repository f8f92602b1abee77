"""SavedModels of Keras 2, Keras 3 and plain TensorFlow give what TensorFlow computed."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from savedmodel_writer import Writer

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.graph_fold import fold
from DeepMRILib.pvs.importer.network_graph import GraphNetwork
from DeepMRILib.pvs.importer.savedmodel import is_savedmodel, read_savedmodel

DATA = Path(__file__).resolve().parents[1] / "data" / "pvs"
STORED = sorted(path.name[: -len("_io.npz")] for path in DATA.glob("*_io.npz"))
SHARED = ["resunet_savedmodel_keras2", "resunet_savedmodel_keras3export"]
SHARED += ["v1pad_savedmodel_keras2", "v1pad_savedmodel_keras3export"]


def run(graph: Graph, *images: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        made = GraphNetwork(graph)(*map(torch.from_numpy, images))
    return [value.numpy() for value in (made if isinstance(made, tuple) else (made,))]


def unpacked(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(DATA / f"{name}.zip") as archive:
        archive.extractall(folder / name)
    return folder / name


def plain(name: str) -> str:
    """An output's name in the file; one that an input has too gets an addition."""
    return name.partition("~")[0]


def compare(graph: Graph, stored: np.lib.npyio.NpzFile) -> None:
    found = run(graph, *[stored[f"in:{port.name}"] for port in graph.inputs])
    for name, value in zip(graph.outputs, found, strict=True):
        expected = stored[f"out:{plain(name)}"]
        assert value.shape == expected.shape
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)


def test_there_are_stored_networks():
    assert len(STORED) >= 8


@pytest.mark.parametrize("name", STORED)
def test_stored_networks_give_what_tensorflow_computed(name: str, tmp_path: Path):
    folder = unpacked(name, tmp_path)
    assert is_savedmodel(folder)
    graph = read_savedmodel(folder)
    with np.load(DATA / f"{name}_io.npz") as stored:
        compare(graph, stored)
        compare(Graph.from_structure(json.loads(json.dumps(graph.structure())), graph.weights), stored)
        folded = fold(graph)
        names = zip(run(folded, *[stored[f"in:{port.name}"] for port in graph.inputs]), graph.outputs, strict=True)
        for value, output in names:
            np.testing.assert_allclose(value, stored[f"out:{plain(output)}"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in STORED if not name.startswith("anysize")])
def test_putting_rows_of_steps_together_changes_nothing(name: str, tmp_path: Path):
    folder = unpacked(name, tmp_path)
    simple, full = read_savedmodel(folder), read_savedmodel(folder, simple=False)
    assert len(simple.steps) <= len(full.steps)
    with np.load(DATA / f"{name}_io.npz") as stored:
        compare(full, stored)
        images = [stored[f"in:{port.name}"] for port in simple.inputs]
    for one, other in zip(run(simple, *images), run(full, *images), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SHARED)
def test_published_kinds_of_network(name: str, shared_data: Path):
    folder = shared_data.parent / "fixtures" / "pvs" / f"share_{name}"
    graph = read_savedmodel(folder)
    with np.load(f"{folder}_io.npz") as stored:
        (found,) = run(graph, stored["x"])
        np.testing.assert_allclose(found, stored["y"], rtol=0, atol=1e-5)
        (folded,) = run(fold(graph), stored["x"])
        np.testing.assert_allclose(folded, stored["y"], rtol=0, atol=1e-5)
    assert graph.inputs[0].shape[0] is None
    assert graph.layout == "last"


def test_keras_2_and_3_end_in_the_same_steps(shared_data: Path):
    folder = shared_data.parent / "fixtures" / "pvs"
    both = [read_savedmodel(folder / f"share_{name}") for name in SHARED[:2]]
    kinds = [Counter(step.op.replace("batch_norm", "scale_shift") for step in graph.steps) for graph in both]
    assert kinds[0] == kinds[1]
    assert kinds[0]["repeat"] == 2
    assert kinds[0]["silu"] == 10
    assert len(fold(both[0]).steps) == len(fold(both[1]).steps)


def test_a_keras_file_and_its_export_agree(shared_data: Path):
    from DeepMRILib.pvs.importer.reading import read_network

    folder = shared_data.parent / "fixtures" / "pvs"
    with np.load(folder / "share_resunet_savedmodel_keras3export_io.npz") as stored:
        x = stored["x"]
    (one,) = run(read_network(folder / "share_resunet_keras3.keras"), x)
    (other,) = run(read_network(folder / "share_resunet_savedmodel_keras3export"), x)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_two_inputs_stand_in_the_networks_order(tmp_path: Path):
    """The signature has the inputs sorted by name: alpha, zulu."""
    graph = read_savedmodel(unpacked("two_keras2", tmp_path))
    assert [port.name for port in graph.inputs] == ["zulu", "alpha"]
    assert set(graph.outputs) == {"image", "grade"}


def test_any_size_stays_any_size(tmp_path: Path):
    graph = read_savedmodel(unpacked("anysize_keras3", tmp_path))
    assert graph.inputs[0].shape == (None, None, None, None, 1)
    assert run(graph, np.zeros((2, 10, 8, 14, 1), np.float32))[0].shape == (2, 10, 8, 14, 1)


def test_a_batch_may_be_larger_where_the_steps_allow_it(tmp_path: Path):
    graph = read_savedmodel(unpacked("transposed_keras3", tmp_path))
    assert graph.inputs[0].shape[0] is None
    images = np.random.default_rng(0).random((3, *graph.inputs[0].shape[1:])).astype(np.float32)
    (together,) = run(graph, images)
    single = np.concatenate([run(graph, image[np.newaxis])[0] for image in images])
    np.testing.assert_allclose(together, single, rtol=1e-5, atol=1e-6)


def test_weights_keep_the_names_of_their_variables(tmp_path: Path):
    graph = read_savedmodel(unpacked("half_keras2", tmp_path))
    assert any(name.startswith("conv3d") and "kernel" in name for name in graph.weights)


def test_computing_with_an_open_size_is_refused(tmp_path: Path):
    """The image is divided by how many voxels it has."""
    writer = Writer()
    x = writer.input("image", (-1, -1, 4, 4, 1))
    shape = writer.add("Shape", [x])
    count = writer.add("StridedSlice", [shape, *map(writer.const, ([1], [2], [1]))], shrink_axis_mask=1)
    writer.outputs["y"] = writer.add("RealDiv", [x, writer.add("Cast", [count], **cast())])
    with pytest.raises(WeightsError, match="computes with that size"):
        read_savedmodel(writer.write(tmp_path / "model"))


def cast() -> dict:
    from savedmodel_writer import DType

    return {"SrcT": DType(3), "DstT": DType(1)}


def test_what_is_used_twice_is_not_put_together_wrongly(tmp_path: Path):
    """sigmoid(x) is an output too: x * sigmoid(x) must leave it there."""
    writer = Writer()
    x = writer.input("image", (-1, 4, 4, 4, 2))
    kernel = np.random.default_rng(1).normal(size=(1, 1, 1, 2, 2)).astype(np.float32)
    y = writer.add("Conv3D", [x, writer.variable("k", kernel)], strides=[1] * 5, padding="VALID")
    product = writer.add("Mul", [y, writer.const(np.array([2.0, 3.0]))])
    shifted = writer.add("AddV2", [product, writer.const(np.array([1.0, -1.0]))])
    gate = writer.add("Sigmoid", [shifted])
    writer.outputs |= {"a": writer.add("Mul", [gate, shifted]), "b": gate, "c": product}
    folder = writer.write(tmp_path / "model")
    simple, full = read_savedmodel(folder), read_savedmodel(folder, simple=False)
    image = np.random.default_rng(2).random((1, 4, 4, 4, 2)).astype(np.float32)
    for one, other in zip(run(simple, image), run(full, image), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    truth = np.einsum("nxyzc,cd->nxyzd", image, kernel[0, 0, 0]) * [2.0, 3.0]
    np.testing.assert_allclose(run(simple, image)[2], truth, atol=1e-5)


def test_an_upsampling_that_is_none_is_left_alone(tmp_path: Path):
    """Pieces that are put together in another order are no upsampling."""
    writer = Writer()
    x = writer.input("image", (1, 2, 4, 4, 1))
    split = writer.add("Split", [writer.const(1), x], name="s", num_split=2)
    pieces = [split, "s:output:1"]
    order = [pieces[k] for k in (0, 1, 0, 1)]
    writer.outputs["y"] = writer.add("ConcatV2", [*order, writer.const(1)])
    graph = read_savedmodel(writer.write(tmp_path / "model"))
    image = np.random.default_rng(2).random((1, 2, 4, 4, 1)).astype(np.float32)
    np.testing.assert_array_equal(run(graph, image)[0], image[:, [0, 1, 0, 1]])
    assert "repeat" not in {step.op for step in graph.steps}


def test_a_large_file_is_read_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = unpacked("transposed_keras3", tmp_path)
    whole = read_savedmodel(folder)
    monkeypatch.setattr("DeepMRILib.pvs.importer.checkpoint._MAPPED", 100)
    mapped = read_savedmodel(folder)
    assert mapped.structure() == whole.structure()
    assert all(np.array_equal(mapped.weights[name], array) for name, array in whole.weights.items())


def test_channels_first_gives_the_same_as_last(tmp_path: Path):
    """Files made on a GPU may have them first; TensorFlow itself cannot run those on a processor."""
    rng = np.random.default_rng(4)
    kernel, turned = (rng.normal(size=(3, 3, 3, 2, 4)).astype(np.float32) for _ in range(2))
    rows = [rng.uniform(0.5, 1.5, 4).astype(np.float32) for _ in range(5)]
    graphs = {}
    for layout in ("NCDHW", "NDHWC"):
        first = layout == "NCDHW"
        writer = Writer()
        x = writer.input("image", (-1, 2, 8, 6, 7) if first else (-1, 8, 6, 7, 2))
        here = {"data_format": layout, "padding": "SAME"}
        steps = [1, 1, 2, 2, 1] if first else [1, 2, 2, 1, 1]
        x = writer.add("Conv3D", [x, writer.variable("k", kernel)], strides=steps, dilations=[1] * 5, **here)
        x = writer.add("BiasAdd", [x, writer.const(rows[0])], data_format="NCHW" if first else "NHWC")
        more = [writer.const(row) for row in rows[1:]]
        x = writer.add("FusedBatchNormV3", [x, *more], data_format=layout, is_training=False, epsilon=0.01)
        x = writer.add("MaxPool3D", [x], ksize=steps, strides=[1] * 5, **here)
        size = writer.const([1, 2, 8, 6, 7] if first else [1, 8, 6, 7, 2])
        back = [size, writer.variable("t", turned), x]
        x = writer.add("Conv3DBackpropInputV2", back, strides=steps, dilations=[1] * 5, **here)
        writer.outputs["y"] = x
        graphs[layout] = read_savedmodel(writer.write(tmp_path / layout))
    assert [graphs[name].layout for name in ("NCDHW", "NDHWC")] == ["first", "last"]
    image = rng.random((1, 8, 6, 7, 2)).astype(np.float32)
    (last,) = run(graphs["NDHWC"], image)
    (first,) = run(graphs["NCDHW"], np.moveaxis(image, -1, 1))
    np.testing.assert_allclose(np.moveaxis(first, 1, -1), last, atol=1e-5)


def test_the_graph_is_plain_data(tmp_path: Path):
    graph = read_savedmodel(unpacked("odd_keras2", tmp_path))
    json.dumps(graph.structure(), allow_nan=False)
    graph.check()
    with pytest.raises(WeightsError, match="second time"):
        replace(graph, steps=(*graph.steps, graph.steps[-1])).check()
