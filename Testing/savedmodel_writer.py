"""Writes SavedModel folders without TensorFlow: for benchmarks, and for files that TensorFlow would not write."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.checkpoint_crc import crc32c, masked
from DeepMRILib.pvs.importer.savedmodel_proto import SAVED_MODEL
from DeepMRILib.pvs.importer.wire import Field, Schema, schema

CHECKPOINT = schema(
    {
        "Header": "1 num_shards int, 2 endianness int",
        "Entry": "1 dtype int, 2 shape Shape, 3 shard int, 4 offset int, 5 size int, 6 crc fixed32, 7 slices bytes*",
        "Shape": "2 dim Dim*, 3 unknown_rank int",
        "Dim": "1 size int",
    }
)
FLOAT, INT, STRING, RESOURCE = 1, 3, 7, 20
_DTYPES = {"float32": FLOAT, "float64": 2, "int32": INT, "int64": 9, "bool": 10}
_MAGIC = 0xDB4775248B80FB57
OUTPUTS: dict[str, list[dict[str, Any]]] = {
    "Split": [{"name": "output", "number_attr": "num_split"}],
    "Unpack": [{"name": "output", "number_attr": "num"}],
    "IdentityN": [{"name": "output", "type_list_attr": "T"}],
    "FusedBatchNormV3": [{"name": name} for name in ("y", "mean", "variance", "one", "two", "three")],
    "StatefulPartitionedCall": [{"name": "output", "type_list_attr": "Tout"}],
    "RestoreV2": [{"name": "tensors", "type_list_attr": "dtypes"}],
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "Conv3D": {"data_format": "NDHWC", "dilations": [1] * 5},
    "Conv3DBackpropInputV2": {"data_format": "NDHWC", "dilations": [1] * 5},
    "MaxPool3D": {"data_format": "NDHWC"},
    "AvgPool3D": {"data_format": "NDHWC"},
    "BiasAdd": {"data_format": "NHWC"},
    "FusedBatchNormV3": {"data_format": "NHWC", "epsilon": 1e-4, "is_training": True},
    "StridedSlice": dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0),
    "Pack": {"axis": 0},
    "Sum": {"keep_dims": False},
    "MatMul": {"transpose_a": False, "transpose_b": False},
    "Squeeze": {"squeeze_dims": []},
    "GatherV2": {"batch_dims": 0},
}


class DType(NamedTuple):
    """A DataType number as an attribute."""

    number: int


class Function(NamedTuple):
    """A function's name as an attribute."""

    name: str


class Shape(NamedTuple):
    """A shape as an attribute, -1 for an unknown size."""

    sizes: tuple[int, ...]


class Raw(NamedTuple):
    """An attribute as a message's fields."""

    fields: dict[str, Any]


def encode(table: Schema, name: str, values: Mapping[str, Any]) -> bytes:
    """A message of the table."""
    by_name = {entry.name: entry for entry in table[name].values()}
    return b"".join(_field(table, by_name[key], value) for key, value in values.items())


def _field(table: Schema, entry: Field, value: Any) -> bytes:
    if entry.keyed:
        plain = Field(2, entry.name, entry.kind)
        pairs = ((_bytes(1, key.encode()) + _field(table, plain, item)) for key, item in value.items())
        return b"".join(_bytes(entry.number, pair) for pair in pairs)
    if entry.repeated:
        single = Field(entry.number, entry.name, entry.kind)
        return b"".join(_field(table, single, item) for item in value)
    if entry.kind == "int":
        return varint(entry.number << 3) + varint(int(value))
    if entry.kind in {"float", "fixed32"}:
        return varint(entry.number << 3 | 5) + struct.pack("<f" if entry.kind == "float" else "<I", value)
    if entry.kind == "double":
        return varint(entry.number << 3 | 1) + struct.pack("<d", value)
    if entry.kind in {"str", "bytes"}:
        return _bytes(entry.number, value.encode() if isinstance(value, str) else bytes(value))
    data = bytes(value) if isinstance(value, bytes) else encode(table, entry.kind, value)
    return _bytes(entry.number, data)


def varint(number: int) -> bytes:
    """A number of seven bits a byte, negative ones as 64 bits."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*result, number])


def _bytes(number: int, data: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(array: NDArray) -> dict[str, Any]:
    """A TensorProto of numbers."""
    array = np.asarray(array)
    return {"dtype": _DTYPES[array.dtype.name], "shape": _shape(array.shape), "content": array.tobytes()}


def texts(values: Sequence[str]) -> dict[str, Any]:
    """A TensorProto of texts."""
    return {"dtype": STRING, "shape": _shape((len(values),)), "strings": list(values)}


def _shape(sizes: Sequence[int]) -> dict[str, Any]:
    return {"dim": [{"size": size} for size in sizes]}


def attribute(value: Any) -> dict[str, Any]:
    """An AttrValue of a Python value."""
    if isinstance(value, Raw):
        return value.fields
    if isinstance(value, DType):
        return {"type": value.number}
    if isinstance(value, Function):
        return {"func": {"name": value.name}}
    if isinstance(value, Shape):
        return {"shape": _shape(value.sizes)}
    if isinstance(value, np.ndarray):
        return {"tensor": tensor(value)}
    if isinstance(value, list):
        kind = "type" if value and isinstance(value[0], DType) else "i"
        return {"list": {kind: [item.number if isinstance(item, DType) else item for item in value]}}
    for kind, name in ((bool, "b"), (int, "i"), (float, "f"), (str, "s")):
        if isinstance(value, kind):
            return {name: value}
    raise TypeError(value)


def node(name: str, op: str, inputs: Sequence[str] = (), **attributes: Any) -> dict[str, Any]:
    """A NodeDef."""
    return {
        "name": name,
        "op": op,
        "input": list(inputs),
        "attr": {key: attribute(value) for key, value in attributes.items()},
    }


class Writer:
    """A network of one function, with what TensorFlow puts around it; parts may be changed before ``write``."""

    def __init__(self) -> None:
        self.body: list[dict[str, Any]] = []
        self.functions: dict[str, dict[str, Any]] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.outputs: dict[str, str] = {}
        self.variables: dict[str, NDArray] = {}
        self.slices: list[str] | None = None
        self._names: set[str] = set()

    def input(self, name: str, shape: tuple[int, ...]) -> str:
        """An image, -1 where any size will do."""
        self.inputs[name] = shape
        return name

    def variable(self, name: str, array: NDArray) -> str:
        """Weights."""
        self.variables[name] = np.asarray(array)
        argument = f"weight_{len(self.variables) - 1}"
        return self.add("ReadVariableOp", [argument], name=f"{name}/read", output="value")

    def const(self, array: Any) -> str:
        """Numbers; whole ones as int32."""
        array = np.asarray(array)
        array = array.astype(np.int32 if array.dtype.kind == "i" else np.float32)
        return self.add("Const", value=array)

    def add(self, op: str, inputs: Sequence[str] = (), name: str = "", output: str = "", **attributes: Any) -> str:
        """A node; the reference to its first output."""
        name = name or f"{op}_{len(self.body)}"
        self.body.append(node(name, op, inputs, **attributes))
        return f"{name}:{output or OUTPUTS.get(op, [{'name': 'output'}])[0]['name']}:0"

    def graph(self) -> dict[str, Any]:
        """The MetaGraphDef's fields."""
        handles = list(self.variables)
        self.functions.setdefault("body", self._function(self.body, self.outputs))
        called = node("call", "StatefulPartitionedCall", self._arguments(), f=Function("body"), Tout=self._types())
        results = {name: f"call:output:{index}" for index, name in enumerate(self.outputs)}
        self.functions.setdefault("wrapper", self._function([called], results))
        self.functions.setdefault("restore", self._restore())
        main = [node(f"serving_{name}", "Placeholder", dtype=DType(FLOAT)) for name in self.inputs]
        main += [node(name, "VarHandleOp", shape=Shape(self.variables[name].shape)) for name in handles]
        given = [*(f"serving_{name}" for name in self.inputs), *handles]
        main.append(node("Serve", "StatefulPartitionedCall", given, f=Function("wrapper"), Tout=self._types()))
        main.append(node("file", "Const", value=Raw({"tensor": texts(["variables"])})))
        restoring = node("Restore", "StatefulPartitionedCall", ["file", *handles], f=Function("restore"), Tout=[])
        infos = {
            name: {"name": f"serving_{name}:0", "dtype": FLOAT, "shape": _shape(s)} for name, s in self.inputs.items()
        }
        results = {name: {"name": f"Serve:{k}", "dtype": FLOAT} for k, name in enumerate(self.outputs)}
        return {
            "info": {"tags": ["serve"], "version": "2.21.0", "ops": {"op": self._operations()}},
            "graph": {
                "node": [*main, restoring],
                "library": {"function": [encode(SAVED_MODEL, "FunctionDef", f) for f in self.functions.values()]},
            },
            "saver": {"filename": "file:0", "restore": "Restore"},
            "signatures": {"serving_default": {"inputs": infos, "outputs": results, "method": "predict"}},
        }

    def write(self, folder: Path, graph: dict[str, Any] | None = None) -> Path:
        """The folder; ``graph`` is the MetaGraphDef if it is not this one's."""
        (folder / "variables").mkdir(parents=True)
        meta = encode(SAVED_MODEL, "MetaGraph", graph or self.graph())
        (folder / "saved_model.pb").write_bytes(encode(SAVED_MODEL, "SavedModel", {"meta_graphs": [meta]}))
        write_checkpoint(folder / "variables", {_key(name): array for name, array in self.variables.items()})
        return folder

    def _arguments(self) -> list[str]:
        return [*self.inputs, *(f"weight_{index}" for index in range(len(self.variables)))]

    def _types(self) -> list[DType]:
        return [DType(FLOAT)] * len(self.outputs)

    def _function(self, nodes: list[dict[str, Any]], results: Mapping[str, str]) -> dict[str, Any]:
        name = "body" if nodes is self.body else "wrapper"
        arguments = [{"name": argument} for argument in self._arguments()]
        head = {"name": name, "input_arg": arguments, "output_arg": [{"name": f"out_{key}"} for key in results]}
        return {"signature": head, "node": nodes, "ret": {f"out_{key}": text for key, text in results.items()}}

    def _restore(self) -> dict[str, Any]:
        keys = [_key(name) for name in self.variables]
        slices = self.slices or [""] * len(keys)
        nodes = [
            node("names", "Const", value=Raw({"tensor": texts(keys)})),
            node("slices", "Const", value=Raw({"tensor": texts(slices)})),
            node(
                "read",
                "RestoreV2",
                ["prefix", "names:output:0", "slices:output:0"],
                dtypes=[DType(FLOAT)] * len(keys),
            ),
        ]
        for index in range(len(keys)):
            nodes.append(node(f"pass_{index}", "Identity", [f"read:tensors:{index}"]))
            nodes.append(node(f"set_{index}", "AssignVariableOp", [f"weight_{index}", f"pass_{index}:output:0"]))
        arguments = [{"name": "prefix"}, *({"name": f"weight_{index}"} for index in range(len(keys)))]
        return {"signature": {"name": "restore", "input_arg": arguments}, "node": nodes}

    def _operations(self) -> list[dict[str, Any]]:
        used = {entry["op"] for function in self.functions.values() for entry in function["node"]}
        used |= {"Placeholder", "VarHandleOp", "StatefulPartitionedCall", "Const"}
        return [
            {
                "name": op,
                "output_arg": OUTPUTS.get(op, [{"name": "value" if op == "ReadVariableOp" else "output"}]),
                "attr": [{"name": key, "default": attribute(value)} for key, value in DEFAULTS.get(op, {}).items()],
            }
            for op in sorted(used)
        ]


def _key(name: str) -> str:
    return f"{name}/.ATTRIBUTES/VARIABLE_VALUE"


def write_checkpoint(folder: Path, tensors: Mapping[str, NDArray], shards: int = 1) -> None:
    """``variables.index`` and its shards."""
    files: list[list[bytes]] = [[] for _ in range(shards)]
    entries = {b"": encode(CHECKPOINT, "Header", {"num_shards": shards})}
    for index, key in enumerate(sorted(tensors, key=str.encode)):
        data = np.ascontiguousarray(tensors[key]).tobytes()
        shard = index % shards
        entry = {
            "dtype": _DTYPES[tensors[key].dtype.name],
            "shape": _shape(tensors[key].shape),
            "shard": shard,
            "offset": sum(map(len, files[shard])),
            "size": len(data),
            "crc": masked(crc32c(memoryview(data))),
        }
        entries[key.encode()] = encode(CHECKPOINT, "Entry", entry)
        files[shard].append(data)
    for shard, parts in enumerate(files):
        (folder / f"variables.data-{shard:05d}-of-{shards:05d}").write_bytes(b"".join(parts))
    (folder / "variables.index").write_bytes(table(entries))


def table(entries: Mapping[bytes, bytes]) -> bytes:
    """A sorted table of LevelDB's format with one block."""
    keys = sorted(entries)
    block = _block([(key, entries[key]) for key in keys])
    data = _sealed(block)
    handle = varint(0) + varint(len(block))
    start = len(data)
    meta = _block([])
    data += _sealed(meta)
    first = len(data)
    index = _block([(keys[-1], handle)])
    data += _sealed(index)
    footer = varint(start) + varint(len(meta)) + varint(first) + varint(len(index))
    return data + footer.ljust(40, b"\0") + struct.pack("<Q", _MAGIC)


def _block(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    data, before = b"", b""
    for key, value in pairs:
        shared = next(
            (k for k, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return data + struct.pack("<II", 0, 1)


def _sealed(block: bytes) -> bytes:
    return block + b"\0" + struct.pack("<I", masked(crc32c(memoryview(block + b"\0"))))
