"""ONNX files written without onnx, for what onnx itself would not write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from savedmodel_writer import encode

from DeepMRILib.pvs.importer.onnx_proto import ONNX

_DTYPES = {"float32": 1, "int64": 7, "int32": 6, "bool": 9}


def tensor(name: str, array: Any) -> dict[str, Any]:
    """A TensorProto."""
    array = np.asarray(array)
    array = array.astype(np.int64) if array.dtype.kind == "i" else array
    array = array.astype(np.float32) if array.dtype.kind == "f" else array
    return {"dims": array.shape, "dtype": _DTYPES[array.dtype.name], "name": name, "raw": array.tobytes()}


def attribute(name: str, value: Any) -> dict[str, Any]:
    """An AttributeProto of a Python value."""
    if isinstance(value, dict):
        return {"name": name, "t": value, "kind": 4}
    if isinstance(value, list):
        whole = all(isinstance(item, int) for item in value)
        return {"name": name, "ints" if whole else "floats": value, "kind": 7 if whole else 6}
    kinds = ((int, "i", 2), (float, "f", 1), (str, "s", 3))
    key, kind = next((key, kind) for plain, key, kind in kinds if isinstance(value, plain))
    return {"name": name, key: value, "kind": kind}


class File:
    """A graph with the image ``x``, node by node."""

    def __init__(self, shape: tuple[Any, ...] = (1, 2, 6, 6, 6), opset: int = 17) -> None:
        self.shape = shape
        self.opset = opset
        self.nodes: list[dict[str, Any]] = []
        self.weights: list[dict[str, Any]] = []
        self.opsets: list[dict[str, Any]] = [{"domain": "", "version": opset}]
        self.outputs = ["y"]

    def weight(self, array: NDArray | list, **changes: Any) -> str:
        """Numbers."""
        self.weights.append(tensor(f"w{len(self.weights)}", array) | changes)
        return self.weights[-1]["name"]

    def add(self, op: str, *inputs: str, out: str = "", domain: str = "", **attributes: Any) -> str:
        """A node; the name of its output."""
        out = out or f"v{len(self.nodes)}"
        entries = [attribute(name, value) for name, value in attributes.items()]
        node = {"inputs": inputs, "outputs": [out], "name": f"n{len(self.nodes)}", "op": op, "attributes": entries}
        self.nodes.append(node | ({"domain": domain} if domain else {}))
        return out

    def write(self, path: Path) -> Path:
        """The file."""
        dims = [{"size": n} if isinstance(n, int) else {"name": n} for n in self.shape]
        info = {"name": "x", "type": {"tensor": {"dtype": 1, "shape": {"dims": dims}}}}
        graph = {
            "nodes": self.nodes,
            "name": "g",
            "weights": self.weights,
            "inputs": [info],
            "outputs": [{"name": name} for name in self.outputs],
        }
        path.write_bytes(encode(ONNX, "Model", {"ir": 8, "graph": graph, "opsets": self.opsets}))
        return path
