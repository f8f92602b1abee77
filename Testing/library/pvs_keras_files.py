"""Files of Keras 2 and 3 written by hand, as Keras lays them out: a layer with its weights, or a whole row of them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

VOLUME = (4, 5, 3, 4)


@dataclass
class Written:
    """A layer: its class, settings, weights in Keras' order, and what it is called with (the layer before)."""

    kind: str
    name: str
    config: dict[str, Any] = field(default_factory=dict)
    weights: Mapping[str, NDArray] = field(default_factory=dict)
    inbound: Any = None


def entry(layer: Written, before: str) -> dict[str, Any]:
    """The layer as it stands in a description of Keras 2."""
    inbound = [[[before, 0, 0, {}]]] if layer.inbound is None else layer.inbound
    return {
        "class_name": layer.kind,
        "name": layer.name,
        "config": {"name": layer.name, "trainable": True, "dtype": "float32", **layer.config},
        "inbound_nodes": inbound,
    }


def functional(layers: Sequence[Written], shape: Sequence[int | None] = VOLUME, name: str = "model") -> dict[str, Any]:
    """A model of layers in a row."""
    image = {"name": "image", "batch_input_shape": [None, *shape], "dtype": "float32"}
    entries = [{"class_name": "InputLayer", "name": "image", "config": image, "inbound_nodes": []}]
    before = "image"
    for layer in layers:
        entries.append(entry(layer, before))
        before = layer.name
    config = {"name": name, "layers": entries, "input_layers": [["image", 0, 0]], "output_layers": [[before, 0, 0]]}
    return {"class_name": "Functional", "config": config}


def write_weights(file: h5py.Group, layers: Sequence[Written]) -> None:
    """The groups of the weights of Keras 2."""
    file.attrs["layer_names"] = [layer.name for layer in layers]
    for layer in layers:
        group = file.create_group(layer.name)
        names = [f"{layer.name}/{role}:0" for role in layer.weights]
        group.attrs["weight_names"] = names
        for name, array in zip(names, layer.weights.values(), strict=True):
            group[name] = np.asarray(array, dtype=np.asarray(array).dtype if array.dtype != np.float64 else np.float32)


def write_h5(path: Path, layers: Sequence[Written], config: Any = None, shape: Sequence[int | None] = VOLUME) -> Path:
    """A whole file of Keras 2."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.13.1"
        file.attrs["model_config"] = json.dumps(functional(layers, shape) if config is None else config)
        write_weights(file.create_group("model_weights"), layers)
    return path


def write_archive(path: Path, members: Mapping[str, bytes | str] | None = None) -> Path:
    """A ``.keras`` archive with a convolution in it; ``members`` take the place of its own."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["layers/conv3d/vars/0"] = np.ones((1, 1, 1, 4, 2), np.float32)
        file["layers/conv3d/vars/1"] = np.zeros(2, np.float32)
    tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, *VOLUME], "keras_history": ["image", 0, 0]}}
    conv = {"name": "conv", "filters": 2, "kernel_size": [1, 1, 1]}
    layers = [
        {"class_name": "InputLayer", "name": "image", "inbound_nodes": [],
         "config": {"name": "image", "batch_shape": [None, *VOLUME]}},
        {"class_name": "Conv3D", "module": "keras.layers", "name": "conv", "config": conv,
         "inbound_nodes": [{"args": [tensor], "kwargs": {}}]},
    ]  # fmt: skip
    model = {"layers": layers, "input_layers": ["image", 0, 0], "output_layers": ["conv", 0, 0]}
    own: dict[str, bytes | str] = {
        "metadata.json": json.dumps({"keras_version": "3.5.0"}),
        "config.json": json.dumps({"class_name": "Functional", "module": "keras", "config": model}),
        "model.weights.h5": buffer.getvalue(),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**own, **(members or {})}.items():
            archive.writestr(name, data)
    return path


def conv(name: str = "conv", channels: int = 4, filters: int = 2, **config: Any) -> Written:
    """A convolution of one voxel with weights that are not all alike."""
    rng = np.random.default_rng(5)
    settings = {"filters": filters, "kernel_size": [1, 1, 1], **config}
    kernel = rng.normal(size=(*settings["kernel_size"], channels, filters)).astype(np.float32)
    return Written("Conv3D", name, settings, {"kernel": kernel, "bias": rng.normal(size=filters).astype(np.float32)})
