"""Small networks for the tests of perivascular spaces: as plain data, as models, and as files that Keras writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.pvs.engine import Problem
from DeepMRILib.pvs.imported import ImportedNetworks
from DeepMRILib.pvs.importer.graph import Graph, Port, Step
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.results import Provenance

BOX = (12, 14, 10)
COUNT = {"t1": 1, "flair": 2}


def a_graph(
    seed: int = 0, *, channels: int = 1, classes: int = 1, names: str = "", box: tuple[Any, ...] = BOX
) -> Graph:
    """Convolution, SiLU, convolution, sigmoid (or softmax), with random weights."""
    draw = np.random.default_rng(seed)
    first, second, bias = f"{names}conv/kernel", f"{names}head/kernel", f"{names}head/bias"
    weights = {
        first: draw.normal(size=(4, channels, 3, 3, 3)).astype(np.float32),
        second: draw.normal(size=(classes, 4, 1, 1, 1)).astype(np.float32),
        bias: draw.normal(size=classes).astype(np.float32),
    }
    last = Step("sigmoid", ("c",), ("y",)) if classes == 1 else Step("softmax", ("c",), ("y",), {"axis": -1})
    steps = (
        Step("conv", ("x", first), ("a",), {"pads": "same"}),
        Step("silu", ("a",), ("b",)),
        Step("conv", ("b", second, bias), ("c",), {"pads": "same"}),
        last,
    )
    return Graph((Port("x", (None, *box, channels)),), ("y",), steps, weights)


def a_model(
    graphs: list[Graph], images: tuple[str, ...] = ("t1",), name: str = "small", **changes: Any
) -> ImportedNetworks:
    """Networks as an import returns them."""
    texts = [json.dumps(graph.structure()) for graph in graphs]
    structures = tuple(dict.fromkeys(texts))
    values: dict[str, Any] = {
        "provenance": Provenance(job="pvs.import-model", engine="made for a test", options={}),
        "name": name,
        "version": "1",
        "images": images,
        "intensity": "shivai_1.3",
        "takes_t2": False,
        "classes": 1,
        "folds": tuple(range(len(graphs))),
        "weights": {f"fold{n}.{key}": array for n, graph in enumerate(graphs) for key, array in graph.weights.items()},
        "structures": structures,
        "structure_of": tuple(structures.index(text) for text in texts),
        "licence": "CC0-1.0",
        "source": "made for a test",
        **changes,
    }
    return ImportedNetworks(**values)


def a_problem(*modalities: str, seed: int = 5, box: tuple[int, int, int] = BOX, **options: Any) -> Problem:
    """Noise in a box of that size, and a brain in its middle."""
    draw = np.random.default_rng(seed)
    brain = np.zeros(box, bool)
    brain[2:-2, 3:-2, 1:-2] = True
    images = {name: draw.gamma(4.0, 100.0, box).astype(np.float32) for name in modalities or ("t1",)}
    return Problem(images, brain, None, np.eye(4), SegmentOptions(engine="network", device="cpu", **options))


def keras_file(
    path: Path, seed: int = 0, *, channels: int = 1, classes: int = 1, box: tuple[Any, ...] = BOX, head: str = ""
) -> Path:
    """The network of ``a_graph`` as Keras 2 writes it into an HDF5 file, with the same weights."""
    import h5py

    weights = a_graph(seed, channels=channels, classes=classes, box=box).weights
    layers = [
        _layer("InputLayer", "input_1", [], batch_input_shape=[None, *box, channels], dtype="float32"),
        _layer("Conv3D", "conv", ["input_1"], **_convolution(4, 3, "swish", bias=False)),
        _layer("Conv3D", "head", ["conv"], **_convolution(
            classes, 1, head or ("sigmoid" if classes == 1 else "softmax"), bias=True
        )),
    ]  # fmt: skip
    config = {"name": "model", "layers": layers, "input_layers": [["input_1", 0, 0]],
              "output_layers": [["head", 0, 0]]}  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = "2.9.0", "tensorflow"
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"input_1", b"conv", b"head"]
        group.create_group("input_1").attrs["weight_names"] = np.array([], "S1")
        for layer, names in (("conv", ["kernel"]), ("head", ["kernel", "bias"])):
            inside = group.create_group(layer)
            inside.attrs["weight_names"] = [f"{layer}/{name}:0".encode() for name in names]
            for name in names:
                array = weights[f"{layer}/{name}"]
                # Keras has (x, y, z, in, out)
                inside[f"{layer}/{name}:0"] = array.transpose(2, 3, 4, 1, 0) if name == "kernel" else array
    return path


def _layer(kind: str, name: str, inputs: list[str], **config: Any) -> dict[str, Any]:
    nodes = [[[one, 0, 0, {}] for one in inputs]] if inputs else []
    return {"class_name": kind, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}


def _convolution(filters: int, size: int, activation: str, *, bias: bool) -> dict[str, Any]:
    return {
        "trainable": True, "dtype": "float32", "filters": filters, "kernel_size": [size] * 3, "strides": [1, 1, 1],
        "padding": "same", "data_format": "channels_last", "dilation_rate": [1, 1, 1], "groups": 1,
        "activation": activation, "use_bias": bias,
    }  # fmt: skip
