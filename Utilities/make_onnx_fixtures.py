"""Make ONNX files of many kinds, for the tests of the importer, with what onnxruntime computes from them.

onnx and onnxruntime are no dependencies of DeepMRI: run this in an environment of its own (onnx 1.23 and onnxruntime
1.31 made the stored file)::

    python make_onnx_fixtures.py Testing/data/pvs/onnx.zip

Each case is ``NAME.onnx`` with ``NAME.npz`` in one archive: inputs (in:NAME) and outputs
(out:NAME). Weights are random.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Case = tuple[onnx.ModelProto, dict[str, NDArray]]


class Model:
    """An ONNX graph, node by node."""

    def __init__(self, opset: int, *shapes: Sequence[Any]) -> None:
        self.opset = opset
        self.rng = np.random.default_rng(sum(map(len, shapes)) + opset)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.inputs = [f"x{k}" for k in range(len(shapes))]
        self.shapes = shapes

    def weight(self, *shape: int, positive: bool = False) -> str:
        """Random numbers."""
        values = self.rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))
        return self.const((np.abs(values) + 0.5 if positive else values).astype(np.float32))

    def const(self, values: Any) -> str:
        """Given numbers; whole ones as int64."""
        array = np.asarray(values)
        array = array.astype(np.int64) if array.dtype.kind == "i" else array
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.weights.append(numpy_helper.from_array(array, f"w{len(self.weights)}"))
        return self.weights[-1].name

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; its outputs' names."""
        names = [f"v{len(self.nodes)}_{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def done(self, *outputs: str) -> Case:
        """The file, and random images."""
        infos = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in zip(self.inputs, self.shapes, strict=True)
        ]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", infos, made, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        sizes = [[n if isinstance(n, int) else 6 if k else 1 for k, n in enumerate(shape)] for shape in self.shapes]
        images = {name: self.rng.random(size).astype(np.float32) for name, size in zip(self.inputs, sizes, strict=True)}
        return model, images


def convolutions(opset: int) -> Case:
    """Kinds of padding, groups, strides, dilations; batch and instance normalisation; pools."""
    m = Model(opset, (1, 2, 9, 8, 9))
    x = m.add("Conv", "x0", m.weight(4, 2, 3, 3, 3), m.weight(4), pads=[1, 0, 2, 1, 1, 0])
    x = m.add("Conv", x, m.weight(6, 2, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 1, 2], group=2)
    x = m.add("BatchNormalization", x, *(m.weight(6) for _ in range(3)), m.weight(6, positive=True), epsilon=1e-3)
    x = m.add("MaxPool", x, kernel_shape=[3, 2, 2], strides=[1, 2, 1], pads=[1, 0, 0, 1, 1, 0])
    x = m.add("LeakyRelu", x, alpha=0.2)
    x = m.add("Conv", x, m.weight(4, 6, 3, 3, 3), auto_pad="SAME_LOWER", dilations=[1, 1, 1])
    x = m.add("InstanceNormalization", x, m.weight(4), m.weight(4))
    x = m.add("AveragePool", x, kernel_shape=[2, 2, 2], pads=[1, 1, 0, 0, 1, 1], count_include_pad=1)
    x = m.add("AveragePool", x, kernel_shape=[2, 3, 2], strides=[2, 2, 2], pads=[1, 1, 0, 0, 1, 1])
    x = m.add("PRelu", x, m.weight(4, 1, 1, 1))
    x = m.add("ConvTranspose", x, m.weight(4, 3, 3, 2, 2), m.weight(3), strides=[2, 2, 1], pads=[1, 0, 0, 0, 1, 0])
    x = m.add("ConvTranspose", x, m.weight(3, 2, 2, 3, 2), strides=[2, 3, 1], output_padding=[1, 1, 0])
    return m.done(m.add("Softmax", x, axis=1) if opset >= 13 else m.add("Sigmoid", x), m.add("GlobalAveragePool", x))


def activations(opset: int) -> Case:
    """One after the other, added up."""
    m = Model(opset, (2, 3, 4, 5))
    x = m.add("Mul", m.add("Sub", "x0", m.const(0.5)), m.const(np.float32(4)))
    kinds = ["Relu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "Softplus", "Softsign", "Tanh", "ThresholdedRelu", "Abs"]
    kinds += ["Exp", "Floor", "Ceil", "Neg", "Sin", "Cos", "Atan"] + (["Sign", "Erf"] if opset >= 9 else [])
    kinds += (["Round", "Celu"] if opset >= 12 else []) + (["HardSwish"] if opset >= 14 else [])
    kinds += (["Mish"] if opset >= 18 else []) + (["Gelu"] if opset >= 20 else [])
    total = x
    for kind in kinds:
        total = m.add("Add", total, m.add(kind, x))
    y = m.add("Div", m.add("Sqrt", m.add("Abs", x)), m.add("Pow", m.add("Exp", x), m.const(np.float32(2))))
    y = m.add("Max", y, m.add("Min", x, m.const(np.float32(0.3)), total), m.const(np.float32(-5)))
    clip = {"min": -1.0, "max": 2.0} if opset < 11 else {}
    limits = [] if opset < 11 else [m.const(np.float32(-1)), m.const(np.float32(2))]
    z = m.add("Sum", m.add("Clip", y, *limits, **clip), m.add("Mean", x, y), m.add("Reciprocal", m.add("Exp", x)))
    soft = [m.add(kind, x, axis=axis) for kind in ("Softmax", "LogSoftmax") for axis in (1, 3)]
    return m.done(total, z, *soft)


def shapes(opset: int) -> Case:
    """Sizes worked out by the graph, as PyTorch and TensorFlow export them."""
    m = Model(opset, ("n", 4, 5, 6))
    shape = m.add("Shape", "x0")
    n = m.add("Gather", shape, m.const(0), axis=0)
    cast = m.add("Cast", m.add("Mul", n, m.const(1)), to=TensorProto.INT64)
    axes = {"axes": [0]} if opset < 13 else {}
    zero = [] if opset < 13 else [m.const([0])]
    parts = [m.add("Unsqueeze", cast, *zero, **axes), m.const([-1]), m.const([6])]
    x = m.add("Reshape", "x0", m.add("Concat", *parts, axis=0))
    x = m.add("Transpose", x, perm=[0, 2, 1])
    if opset < 10:
        x = m.add("Slice", x, axes=[1, 2], starts=[1, -15], ends=[2**31 - 1, -1])
    else:
        x = m.add("Slice", x, m.const([1, -15]), m.const([2**63 - 1, -1]), m.const([1, -1]), m.const([2, 3]))
    x = m.add("Tile", x, m.const([1, 2, 1]))
    split = {"split": [1, 2]} if opset < 13 else {}
    given = [] if opset < 13 else [m.const([1, 2])]
    half = m.add("Slice", x, m.const([0]), m.const([3]), m.const([1])) if opset >= 10 else None
    half = half or m.add("Slice", x, axes=[1], starts=[0], ends=[3])
    a, b = m.add("Split", half, *given, outputs=2, axis=1, **split)
    y = m.add("Concat", b, a, axis=1)
    fill = m.add("ConstantOfShape", m.const([3, 1]), value=helper.make_tensor("v", TensorProto.FLOAT, [1], [2.5]))
    y = m.add("Add", y, fill) if opset >= 9 else y
    y = m.add("Expand", m.add("Unsqueeze", y, *([m.const([0])] if opset >= 13 else []), **axes), m.const([2, 1, 1, 1]))
    return m.done(x, m.add("Flatten", y, axis=2))


def more(opset: int) -> Case:
    """Reductions, products of matrices, comparison, normalisation, blocks."""
    m = Model(opset, (2, 8, 4, 6), (2, 8, 4, 6))
    x = "x0"
    outputs = []
    for kind in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"):
        new = opset >= 18
        axes = [m.const([1, 3])] if new else []
        outputs.append(m.add(kind, x, *axes, keepdims=0, **({} if new else {"axes": [1, -1]})))
    new = opset >= 13
    outputs.append(m.add("ReduceSum", x, *([m.const([2])] if new else []), **({} if new else {"axes": [2]})))
    chosen = m.add("Where", m.add("Greater", x, "x1"), x, m.add("Mul", "x1", m.const(np.float32(2))))
    flags = m.add("And", m.add("Less", x, m.const(np.float32(0.6))), m.add("Not", m.add("Greater", "x1", x)))
    outputs.append(m.add("Add", chosen, m.add("Cast", flags, to=TensorProto.FLOAT)))
    outputs.append(m.add("DepthToSpace", x, blocksize=2))
    outputs.append(m.add("SpaceToDepth", x, blocksize=2))
    if opset >= 11:
        outputs.append(m.add("DepthToSpace", x, blocksize=2, mode="CRD"))
    if opset >= 17:
        outputs.append(m.add("LayerNormalization", x, m.weight(4, 6), m.weight(4, 6), axis=2, epsilon=1e-4))
    if opset >= 21:
        outputs.append(m.add("GroupNormalization", x, m.weight(8), m.weight(8), num_groups=2))
    index = m.add("Cast", m.add("ArgMax", x, axis=1, keepdims=1), to=TensorProto.FLOAT)
    outputs.append(index)
    flat = m.add("Flatten", m.add("GlobalMaxPool", x))
    outputs.append(m.add("Gemm", flat, m.weight(5, 8), m.weight(5), transB=1, alpha=0.5, beta=2.0))
    outputs.append(m.add("MatMul", x, m.add("Transpose", "x1", perm=[0, 1, 3, 2])))
    return m.done(*outputs)


def pads_and_sizes(opset: int) -> Case:
    """Pad and Resize (Upsample in old versions) of all kinds."""
    m = Model(opset, (1, 1, 5, 4, 4))
    outputs = []
    for mode in ("constant", "reflect", "edge"):
        pads = [0, 0, 1, 0, 2, 0, 0, 2, 1, 1]
        extra = {"pads": pads} if opset < 11 else {}
        given = [] if opset < 11 else [m.const(pads), *([m.const(np.float32(1.5))] if mode == "constant" else [])]
        value = {"value": 1.5} if opset < 11 and mode == "constant" else {}
        outputs.append(m.add("Pad", "x0", *given, mode=mode, **extra, **value))
    scales = np.array([1, 1, 2, 2, 3], np.float32)
    if opset < 10:
        given = [m.const(scales)] if opset >= 9 else []
        extra = {} if opset >= 9 else {"scales": scales.tolist()}
        outputs.append(m.add("Upsample", "x0", *given, mode="nearest", **extra))
        return m.done(*outputs)
    if opset == 10:
        outputs.append(m.add("Resize", "x0", m.const(scales), mode="nearest"))
        return m.done(*outputs)
    empty = m.const(np.zeros(0, np.float32))
    for kind in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"):
        for rounding in ("round_prefer_floor", "floor", "round_prefer_ceil", "ceil"):
            numbers = {"coordinate_transformation_mode": kind, "nearest_mode": rounding}
            size = m.const([1, 1, 7, 3, 8])
            outputs.append(m.add("Resize", "x0", empty, empty, size, mode="nearest", **numbers))
        wide = m.const(np.array([1, 1, 2, 1.5, 0.6], np.float32))
        outputs.append(m.add("Resize", "x0", empty, wide, mode="linear", coordinate_transformation_mode=kind))
    return m.done(*outputs)


def network(opset: int) -> Case:
    """A small U-Net of any size, as PyTorch exports it."""
    m = Model(opset, ("n", 1, "x", "y", "z"))
    skip = m.add("Relu", m.add("Conv", "x0", m.weight(4, 1, 3, 3, 3), m.weight(4), pads=[1] * 6))
    x = m.add("MaxPool", skip, kernel_shape=[2] * 3, strides=[2] * 3)
    x = m.add("Conv", x, m.weight(4, 4, 3, 3, 3), m.weight(4), pads=[1] * 6)
    x = m.add("Mul", x, m.add("Sigmoid", x))
    x = m.add("ConvTranspose", x, m.weight(4, 4, 2, 2, 2), m.weight(4), strides=[2] * 3)
    x = m.add("Concat", x, skip, axis=1)
    return m.done(m.add("Sigmoid", m.add("Conv", x, m.weight(1, 8, 1, 1, 1))))


CASES = {
    "convolutions": (convolutions, (7, 13)),
    "activations": (activations, (8, 10, 12, 21)),
    "shapes": (shapes, (9, 11, 13, 18)),
    "more": (more, (9, 17, 18, 21)),
    "pads_and_sizes": (pads_and_sizes, (9, 10, 11, 19)),
    "network": (network, (9, 17)),
}


def main() -> None:
    """Write all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    with zipfile.ZipFile(parser.parse_args().archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (make, opsets) in CASES.items():
            for opset in opsets:
                model, images = make(opset)
                session = onnxruntime.InferenceSession(model.SerializeToString())
                found = dict(zip((o.name for o in session.get_outputs()), session.run(None, images), strict=True))
                arrays = {f"in:{key}": value for key, value in images.items()}
                arrays |= {f"out:{key}": value for key, value in found.items()}
                stream = io.BytesIO()
                np.savez_compressed(stream, **arrays)
                archive.writestr(f"{name}_{opset}.onnx", model.SerializeToString())
                archive.writestr(f"{name}_{opset}.npz", stream.getvalue())


if __name__ == "__main__":
    main()
