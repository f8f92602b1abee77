"""Hostile and damaged ONNX files are refused with one sentence, quickly and in little memory."""

from __future__ import annotations

import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from pvs_onnx_files import File
from savedmodel_writer import varint

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.network_graph import GraphNetwork
from DeepMRILib.pvs.importer.onnx import read_onnx

DATA = Path(__file__).resolve().parents[1] / "data" / "pvs"
Changed = Callable[[File], object]


def chain(file: File) -> None:
    value = "x"
    for index in range(40_001):
        value = file.add("Relu", value, out="y" if index == 40_000 else "")


def ending(op: str, *arrays: object, **attributes: object) -> Changed:
    return lambda file: file.add(op, "x", *(file.weight(array) for array in arrays), out="y", **attributes)


def weight(**changes: object) -> Changed:
    """An addition of numbers whose message is changed."""
    return lambda file: file.add("Add", "x", file.weight(np.zeros(6), **changes), out="y")


def cycle(file: File) -> None:
    file.add("Relu", "y", out="a")
    file.add("Relu", "a", out="y")


def twice(file: File) -> None:
    file.add("Relu", "x", out="y")
    file.add("Abs", "x", out="y")


def splat(file: File) -> None:
    """Many numbers made of one, several times over."""
    value = file.add("ConstantOfShape", file.weight([1 << 28, 1, 1, 1, 1]))
    file.add("Add", "x", file.add("Mul", value, value), out="y")


def control(file: File) -> None:
    for op in ("If", "Loop", "Scan"):
        file.add(op, "x", out=op)
    file.add("Concat", "If", "Loop", "Scan", out="y", axis=1)


def by_content(file: File) -> None:
    file.add("Reshape", "x", file.add("Cast", "x", to=7), out="y")


def divided(file: File) -> None:
    file.add("Reshape", "x", file.add("Div", file.weight([6, 6]), file.weight([0, 1])), out="y")


BAD: dict[str, tuple[Changed, str]] = {
    "control flow": (control, "If, Loop, Scan"),
    "own domain": (lambda file: file.add("Relu", "x", out="y", domain="com.me"), "com.me.Relu"),
    "Einsum": (ending("Einsum", np.ones(6), equation="a,b->ab"), "Einsum"),
    "cycle": (cycle, "made later"),
    "two of a name": (twice, "two of its nodes"),
    "long chain": (chain, "more than 6000 operations|more entries"),
    "missing value": (lambda file: file.add("Add", "x", "nobody", out="y"), "nobody"),
    "no such output": (lambda file: file.add("Relu", "x", out="z"), "not computed|no network"),
    "text": (weight(dtype=8), "DataType 8"),
    "cut": (weight(raw=b"abc"), "is cut"),
    "2^40 numbers": (weight(dims=[1 << 40]), "unbelievable"),
    "2^31 - 1 squared": (weight(dims=[(1 << 31) - 1] * 2), "unbelievable"),
    "negative size": (weight(dims=[-6]), "unbelievable"),
    "in pieces": (weight(segment=b"\x08\x00"), "not read"),
    "sizes of the image": (by_content, "what the image shows"),
    "division by 0": (divided, "cannot be computed"),
    "stride 0": (ending("MaxPool", kernel_shape=[2] * 3, strides=[2, 0, 2]), "strides"),
    "kernel 0": (ending("MaxPool", kernel_shape=[0] * 3), "kernel_shape"),
    "dilation 0": (ending("Conv", np.ones((1, 2, 1, 1, 1)), dilations=[0, 1, 1]), "dilations"),
    "negative pads": (ending("Conv", np.ones((1, 2, 1, 1, 1)), pads=[-1] * 6), "pads"),
    "group 0": (ending("Conv", np.ones((1, 2, 1, 1, 1)), group=0), "does not fit"),
    "other channels": (ending("Conv", np.ones((1, 7, 1, 1, 1))), "does not fit"),
    "training": (ending("BatchNormalization", *[np.ones(2)] * 4, training_mode=1), "training mode"),
    "cubic": (ending("Resize", np.zeros(0), np.ones(5), mode="cubic"), "cubic"),
    "coordinates": (
        ending("Resize", np.zeros(0), np.array([1, 1, 2, 2, 2.0]), coordinate_transformation_mode="tf_crop_and_resize"),
        "tf_crop_and_resize",
    ),
    "scale 0": (ending("Resize", np.zeros(0), np.array([1, 1, 0, 1, 1.0])), "scales"),
    "backwards": (ending("Slice", [5], [0], [2], [-1]), "backwards"),
    "no such axis": (ending("Concat", np.ones((1, 2, 6, 6, 6)), axis=9), "no axis"),
    "gather beyond": (ending("Gather", [7], axis=1), "not there"),
    "pad mode": (ending("Pad", [0] * 10, mode="wrap"), "wrap"),
    "several outputs": (lambda file: file.nodes.append(two_outputs()), "2 outputs"),
    "tile bomb": (ending("Tile", [1, 1, 1 << 20, 1 << 20, 1]), "numbers"),
    "pad bomb": (ending("Pad", [0] * 9 + [1 << 40]), "numbers|cannot be computed"),
    "size bomb": (ending("Resize", np.zeros(0), np.array([1, 1, 60000, 60000, 1.0])), "sizes|numbers"),
    "expand bomb": (ending("Expand", [1 << 38, 2, 6, 6, 6]), "numbers"),
    "constant bomb": (splat, "MB|numbers"),
    "range bomb": (lambda f: f.add("Range", *(f.weight(n) for n in (0, 1 << 40, 1)), out="y"), "counts"),
}


def two_outputs() -> dict:
    return {"inputs": ["x"], "outputs": ["y", "z"], "name": "n", "op": "Relu"}


def peak() -> int:
    """The most memory that this process has had; Windows does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.parametrize("name", sorted(BAD))
def test_it_is_refused(name: str, tmp_path: Path):
    change, why = BAD[name]
    file = File()
    change(file)
    path = file.write(tmp_path / "model.onnx")
    before, start = peak(), time.process_time()
    with pytest.raises(WeightsError, match=why) as caught:
        read_onnx(path)
    assert time.process_time() - start < 5
    assert peak() - before < 500e6
    text = str(caught.value)
    assert text.startswith("model.onnx")
    assert "\n" not in text
    assert len(text) < 500


@pytest.mark.parametrize("opset", [6, 22, 99])
def test_other_versions_are_refused(tmp_path: Path, opset: int):
    file = File(opset=opset)
    file.add("Relu", "x", out="y")
    with pytest.raises(WeightsError, match=f"version {opset}"):
        read_onnx(file.write(tmp_path / "model.onnx"))


@pytest.mark.parametrize("data", [b"", b"\x08", b"no model", b"\x08\x07" * 50, b"\x3a\x00", bytes(range(256))])
def test_what_is_no_network_is_refused(tmp_path: Path, data: bytes):
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="model.onnx"):
        read_onnx(path)
    with pytest.raises(WeightsError, match="is no file"):
        read_onnx(tmp_path / "nothing.onnx")


def test_ten_million_nodes_are_refused(tmp_path: Path):
    path = tmp_path / "model.onnx"
    nodes = b"\x0a\x00" * 10_000_000
    path.write_bytes(b"\x08\x08" + b"\x3a" + varint(len(nodes)) + nodes)
    start = time.process_time()
    with pytest.raises(WeightsError, match="more entries"):
        read_onnx(path)
    assert time.process_time() - start < 5


def test_flipped_bits_and_cuts_never_crash(tmp_path: Path):
    """Each is refused, or is another network that runs: ONNX has no checksums."""
    with zipfile.ZipFile(DATA / "onnx.zip") as archive:
        data = archive.read("convolutions_13.onnx")
    rng = np.random.default_rng(7)
    path = tmp_path / "model.onnx"
    refused = 0
    for trial in range(60):
        changed = bytearray(data)
        if trial % 4:
            changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        else:
            changed = changed[: rng.integers(len(data))]
        path.write_bytes(changed)
        try:
            graph = read_onnx(path)
        except WeightsError:
            refused += 1
            continue
        with torch.no_grad():
            GraphNetwork(graph)(torch.zeros([n or 8 for n in graph.inputs[0].shape]))
    assert refused >= 15
