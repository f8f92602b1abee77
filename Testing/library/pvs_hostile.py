"""SavedModels that no honest program writes: each function returns a folder that must be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from savedmodel_writer import DType, Function, Raw, Writer, encode, node

from DeepMRILib.pvs.importer.savedmodel_proto import SAVED_MODEL

Made = Callable[[Path], Path]
FLOAT = DType(1)


def network() -> tuple[Writer, str]:
    """A writer with an image of 8 x 8 x 8 and a convolution of it."""
    writer = Writer()
    x = writer.input("image", (-1, 8, 8, 8, 1))
    kernel = np.random.default_rng(0).normal(size=(3, 3, 3, 1, 2)).astype(np.float32)
    y = writer.add("Conv3D", [x, writer.variable("conv/kernel", kernel)], strides=[1] * 5, padding="SAME")
    writer.outputs["y"] = y
    return writer, y


def ending(op: str, *more: Any, **attributes: Any) -> Made:
    """A network that ends in an operation of the convolved image and of constants."""

    def made(folder: Path) -> Path:
        writer, y = network()
        constants = [entry if isinstance(entry, str) else writer.const(entry) for entry in more]
        writer.outputs["y"] = writer.add(op, [y, *constants], **attributes)
        return writer.write(folder)

    return made


def constant(sizes: list[int], **fields: Any) -> Made:
    """A constant of so many numbers, added to the image."""

    def made(folder: Path) -> Path:
        writer, y = network()
        value = {"dtype": 1, "shape": {"dim": [{"size": size} for size in sizes]}, **fields}
        bomb = writer.add("Const", value=Raw({"tensor": value}))
        writer.outputs["y"] = writer.add("AddV2", [y, bomb])
        return writer.write(folder)

    return made


def folded(op: str, first: Any, *more: Any, **attributes: Any) -> Made:
    """An operation of constants alone, added to the image."""

    def made(folder: Path) -> Path:
        writer, y = network()
        inputs = [writer.const(entry) for entry in (first, *more)]
        writer.outputs["y"] = writer.add("AddV2", [y, writer.add(op, inputs, **attributes)])
        return writer.write(folder)

    return made


def unknown(*ops: str) -> Made:
    """Operations one after the other."""

    def made(folder: Path) -> Path:
        writer, y = network()
        for op in ops:
            y = writer.add(op, [y])
        writer.outputs["y"] = y
        return writer.write(folder)

    return made


def calling(bodies: dict[str, list[str]]) -> Made:
    """Functions of one value that call others in a row; an empty row returns the value."""

    def made(folder: Path) -> Path:
        writer, y = network()
        for name, called in bodies.items():
            nodes, value = [], "x"
            for index, other in enumerate(called):
                nodes.append(node(f"n{index}", "PartitionedCall", [value], f=Function(other), Tout=[FLOAT]))
                value = f"n{index}:output:0"
            head = {"name": name, "input_arg": [{"name": "x"}], "output_arg": [{"name": "y"}]}
            writer.functions[name] = {"signature": head, "node": nodes, "ret": {"y": value}}
        first = next(iter(bodies))
        writer.outputs["y"] = writer.add("PartitionedCall", [y], f=Function(first), Tout=[FLOAT])
        return writer.write(folder)

    return made


def cycle(folder: Path) -> Path:
    writer, y = network()
    writer.add("AddV2", [y, "b:output:0"], name="a", output="output")
    writer.outputs["y"] = writer.add("Relu", ["a:output:0"], name="b")
    return writer.write(folder)


def long_chain(folder: Path) -> Path:
    writer, y = network()
    for index in range(100_000):
        y = writer.add("Relu", [y], name=f"r{index}")
    writer.outputs["y"] = y
    return writer.write(folder)


def twice_named(folder: Path) -> Path:
    writer, _ = network()
    writer.body.append(writer.body[0])
    return writer.write(folder)


def missing_input(folder: Path) -> Path:
    writer, _ = network()
    writer.outputs["y"] = writer.add("Relu", ["nobody:output:0"])
    return writer.write(folder)


def sizes_of_the_image(folder: Path) -> Path:
    """A reshape by the image's own numbers."""
    writer, y = network()
    numbers = writer.add("Cast", [y], SrcT=FLOAT, DstT=DType(3))
    writer.outputs["y"] = writer.add("Reshape", [y, numbers])
    return writer.write(folder)


def written_on_the_way(folder: Path) -> Path:
    writer, y = network()
    writer.outputs["y"] = writer.add("AssignVariableOp", ["weight_0", y])
    return writer.write(folder)


def partitioned(folder: Path) -> Path:
    writer, _ = network()
    writer.slices = ["3 3 3 1 2 0,1:0,3:0,3:0,1:0,2"]
    return writer.write(folder)


def other_shape(folder: Path) -> Path:
    """The graph has another shape for the variable than the checkpoint."""
    writer, _ = network()
    graph = writer.graph()
    handle = next(entry for entry in graph["graph"]["node"] if entry["op"] == "VarHandleOp")
    handle["attr"]["shape"] = {"shape": {"dim": [{"size": 3}, {"size": 5}]}}
    return writer.write(folder, graph)


def no_restore(folder: Path) -> Path:
    writer, _ = network()
    graph = writer.graph()
    graph["saver"]["restore"] = "nowhere"
    return writer.write(folder, graph)


def no_text(folder: Path) -> Path:
    """A node whose name is no UTF-8."""
    writer, _ = network()
    graph = writer.graph()
    graph["graph"]["node"].append({"name": b"\xff\xfe", "op": "NoOp"})
    encoded = encode(SAVED_MODEL, "MetaGraph", {key: value for key, value in graph.items() if key != "graph"})
    # The encoder takes texts; the bytes are put in afterwards.
    graph["graph"]["node"][-1]["name"] = "QQ"
    whole = encode(SAVED_MODEL, "MetaGraph", graph).replace(b"\x0a\x02QQ", b"\x0a\x02\xff\xfe")
    writer.write(folder, graph)
    assert len(encoded) < len(whole)
    (folder / "saved_model.pb").write_bytes(encode(SAVED_MODEL, "SavedModel", {"meta_graphs": [whole]}))
    return folder


def many_messages(folder: Path) -> Path:
    """Ten million nodes of two bytes each."""
    writer, _ = network()
    writer.write(folder)
    graph = b"\x0a\x00" * 10_000_000
    meta = encode(SAVED_MODEL, "MetaGraph", {"info": {"tags": ["serve"]}, "graph": graph})
    (folder / "saved_model.pb").write_bytes(encode(SAVED_MODEL, "SavedModel", {"meta_graphs": [meta]}))
    return folder


def shard_missing(folder: Path) -> Path:
    network()[0].write(folder)
    shard(folder).unlink()
    return folder


def shard_short(folder: Path) -> Path:
    network()[0].write(folder)
    shard(folder).write_bytes(shard(folder).read_bytes()[:-1])
    return folder


def shard_changed(folder: Path) -> Path:
    network()[0].write(folder)
    data = bytearray(shard(folder).read_bytes())
    data[17] ^= 1
    shard(folder).write_bytes(data)
    return folder


def index_missing(folder: Path) -> Path:
    network()[0].write(folder)
    (folder / "variables" / "variables.index").unlink()
    return folder


def shard(folder: Path) -> Path:
    return folder / "variables" / "variables.data-00000-of-00001"


IMAGE_PADS = [[0, 0], [0, 1 << 30], [0, 0], [0, 0], [0, 0]]
NESTED = {f"f{depth}": [f"f{depth + 1}"] * 2 for depth in range(30)} | {"f30": []}
CONV = {"strides": [1] * 5, "padding": "SAME"}
POOL = {"ksize": [1, 2, 2, 2, 1], "strides": [1, 2, 2, 2, 1], "padding": "SAME"}
BOMBS: dict[str, tuple[Made, str]] = {
    "constant of 2^40": (constant([1 << 40]), "shape"),
    "constant of 2^39 by 2^39": (constant([1 << 39, 1 << 39]), "size"),
    "splat of 2^29": (constant([1 << 17, 8, 8, 8, 2], floats=[2.0]), "MB"),
    "splat of 2^36": (constant([1 << 36, 1, 1, 1, 1], floats=[2.0]), "size"),
    "tile of constants": (folded("Tile", np.ones((4, 1, 1, 1, 1)), [1 << 24, 8, 8, 8, 2]), "numbers"),
    "small tile of constants": (folded("Tile", np.ones((1, 1, 1, 1, 1)), [1 << 28, 1, 1, 1, 1]), "numbers"),
    "tile of the image": (ending("Tile", [1, 1 << 20, 1 << 10, 1, 1]), "numbers"),
    "fill": (folded("Fill", [1 << 28, 8, 8, 8, 2], 1.0), "numbers"),
    "pad": (ending("Pad", IMAGE_PADS), "numbers"),
    "range": (folded("Range", 0, 1 << 30, 1), "counts"),
    "calls 2^30": (calling(NESTED), "more operations or calls"),
    "chain of 100000": (long_chain, "more operations or calls"),
    "ten million nodes": (many_messages, "more entries"),
    "pieces": (ending("Unpack", num=10**9, axis=1), "it makes"),
}
REFUSED: dict[str, tuple[Made, str]] = {
    **BOMBS,
    "negative size": (constant([-5]), "shape"),
    "more values than places": (constant([2], floats=[1.0, 2.0, 3.0]), "more values"),
    "recursion": (calling({"f": ["f"]}), "calls itself"),
    "mutual recursion": (calling({"f": ["g"], "g": ["f"]}), "calls itself"),
    "function missing": (calling({"f": ["nowhere"]}), "nowhere is missing"),
    "deep calls": (calling({f"f{k}": [f"f{k + 1}"] for k in range(60)} | {"f60": []}), "too deeply"),
    "cycle": (cycle, "depends on itself"),
    "two of a name": (twice_named, "one name"),
    "missing input": (missing_input, "nobody"),
    "Python": (unknown("PyFunc", "EagerPyFunc"), "EagerPyFunc, PyFunc"),
    "files": (unknown("ReadFile", "WriteFile"), "ReadFile, WriteFile"),
    "control flow": (unknown("While", "StatelessWhile", "If", "Case"), "Case, If, StatelessWhile, While"),
    "chance": (unknown("RandomUniform"), "RandomUniform"),
    "assignment": (written_on_the_way, "AssignVariableOp"),
    "sizes of the image": (sizes_of_the_image, "what the image shows"),
    "stride 0": (ending("MaxPool3D", **(POOL | {"strides": [1, 0, 2, 2, 1]})), "strides"),
    "negative stride": (ending("MaxPool3D", **(POOL | {"strides": [1, -2, 2, 2, 1]})), "strides"),
    "stride of the batch": (ending("MaxPool3D", **(POOL | {"strides": [2, 2, 2, 2, 1]})), "strides"),
    "window 0": (ending("AvgPool3D", **(POOL | {"ksize": [1, 0, 2, 2, 1]})), "windows"),
    "dilation 0": (ending("Conv3D", np.ones((1, 1, 1, 2, 2)), **CONV, dilations=[1, 0, 1, 1, 1]), "dilations"),
    "padding": (ending("Conv3D", np.ones((1, 1, 1, 2, 2)), strides=[1] * 5, padding="EVEN"), "EVEN"),
    "kernel of other channels": (ending("Conv3D", np.ones((1, 1, 1, 7, 2)), **CONV), "does not fit"),
    "kernel of 4 axes": (ending("Conv3D", np.ones((1, 1, 7, 2)), **CONV), "convolves"),
    "blocks of 0": (ending("SpaceToBatchND", [0, 0, 0], np.zeros((3, 2), int)), "blocks"),
    "split in 0": (ending("Split", num_split=0), "no output"),
    "pad below 0": (ending("Pad", [[0, 0], [-1, 0], [0, 0], [0, 0], [0, 0]]), "pads"),
    "backwards": (ending("StridedSlice", [0], [8], [-1]), "backwards"),
    "beyond the axes": (ending("StridedSlice", [0] * 7, [1] * 7, [1] * 7), "more axes"),
    "no such axis": (ending("ExpandDims", 17), "no axis"),
    "gather beyond": (ending("GatherV2", [9], 1), "not there"),
    "shapes that do not fit": (ending("AddV2", np.ones(7)), "cannot be computed"),
    "cast to text": (ending("Cast", SrcT=FLOAT, DstT=DType(7)), "DataType 7"),
    "partitioned": (partitioned, "partitioned"),
    "other shape": (other_shape, "another shape"),
    "no restore function": (no_restore, "restores"),
    "no text": (no_text, "no text"),
    "shard missing": (shard_missing, "missing"),
    "shard short": (shard_short, "beyond the end"),
    "shard changed": (shard_changed, "checksum"),
    "index missing": (index_missing, "missing"),
}
