"""A small network in a Keras file, to try the import on."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.errors import require
from DeepMRILib.pvs.engine import BOX


def import_inputs() -> dict[str, Any]:
    """A Keras file that holds one convolution, which answers to dark voxels."""
    return {"networks": Path(_folder().name) / "dark.h5"}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    write_keras(Path(folder.name) / "dark.h5", BOX)
    return folder


def write_keras(path: Path, box: tuple[int, int, int]) -> None:
    """Write the network for images of a size, laid out as Keras 2 does it."""
    h5py = require("h5py", "Writing a Keras file")
    layers = [
        _layer("InputLayer", "t1", {"batch_input_shape": [None, *box, 1], "dtype": "float32"}, []),
        _layer("Conv3D", "dark", {"filters": 1, "kernel_size": [1, 1, 1], "activation": "sigmoid"}, ["t1"]),
    ]
    config = {"name": "dark", "layers": layers, "input_layers": [["t1", 0, 0]], "output_layers": [["dark", 0, 0]]}
    weights = {"kernel:0": np.full((1, 1, 1, 1, 1), -20.0, np.float32), "bias:0": np.array([8.0], np.float32)}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": config})
        file.attrs["keras_version"] = "2.9.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"t1", b"dark"]
        group.create_group("t1").attrs["weight_names"] = np.array([], dtype="S1")
        layer = group.create_group("dark")
        layer.attrs["weight_names"] = [f"dark/{name}".encode() for name in weights]
        for name, values in weights.items():
            layer[f"dark/{name}"] = values


def _layer(kind: str, name: str, settings: dict[str, Any], inputs: list[str]) -> dict[str, Any]:
    inbound = [[[one, 0, 0, {}] for one in inputs]] if inputs else []
    return {"class_name": kind, "name": name, "config": {"name": name, **settings}, "inbound_nodes": inbound}
