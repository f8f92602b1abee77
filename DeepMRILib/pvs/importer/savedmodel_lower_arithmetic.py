"""TensorFlow's arithmetic, activations and reductions as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from DeepMRILib.pvs.importer.savedmodel_call import Call, Lowering
from DeepMRILib.pvs.importer.savedmodel_values import DTYPES

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_ONE = {
    "Abs": "abs",
    "Atan": "atan",
    "Ceil": "ceil",
    "Cos": "cos",
    "Erf": "erf",
    "Erfc": "erfc",
    "Exp": "exp",
    "Expm1": "expm1",
    "Floor": "floor",
    "Inv": "reciprocal",
    "Log": "log",
    "Log1p": "log1p",
    "LogicalNot": "logical_not",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Rint": "round",
    "Round": "round",
    "Rsqrt": "rsqrt",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Square": "square",
    "Tan": "tan",
    "Tanh": "tanh",
}
_TWO = {
    "Add": "add",
    "AddV2": "add",
    "DivNoNan": "tf.DivNoNan",
    "Equal": "equal",
    "FloorDiv": "floor_div",
    "FloorMod": "mod",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Less": "less",
    "LessEqual": "less_equal",
    "LogicalAnd": "logical_and",
    "LogicalOr": "logical_or",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Mul": "mul",
    "NotEqual": "not_equal",
    "Pow": "pow",
    "RealDiv": "div",
    "SquaredDifference": "squared_difference",
    "Sub": "sub",
}
_REDUCED = {
    "Max": "reduce_max",
    "Mean": "reduce_mean",
    "Min": "reduce_min",
    "Prod": "reduce_prod",
    "Sum": "reduce_sum",
}


def _one(op: str) -> Lowering:
    return lambda call: call.step(op, call.value(0))


def _two(op: str) -> Lowering:
    return lambda call: call.trace.two(op, call.value(0), call.value(1), call.name)


def _div(call: Call) -> Value:
    if not call.value(0).real:
        raise call.refused("it divides whole numbers")
    return _two("div")(call)


def _reduced(op: str) -> Lowering:
    def lower(call: Call) -> Value:
        x = call.value(0)
        axes = [call.axis(axis, x.rank) for axis in call.integers(1)]
        return call.step(op, x, axes=axes, keep=call.attribute("keep_dims"))

    return lower


def _logical(op: str) -> Lowering:
    """All and Any, by way of whole numbers."""

    def lower(call: Call) -> Value:
        whole = call.trace.step("cast", [call.value(0)], call.name, type="int32")
        axes = [call.axis(axis, whole.rank) for axis in call.integers(1)]
        found = call.step(op, whole, axes=axes, keep=call.attribute("keep_dims"))
        return call.step("cast", found, type="bool")

    return lower


def _cast(call: Call) -> Value:
    kind = DTYPES.get(call.attribute("DstT"))
    names = {"float32": "float", "float64": "float", "int32": "int32", "int64": "int64", "bool": "bool"}
    if kind not in names or call.attribute("DstT") in {22, 23}:
        raise call.refused(f"it casts to a type that is not read (DataType {call.attribute('DstT')})")
    return call.step("cast", call.value(0), type=names[kind])


def _add_n(call: Call) -> Value:
    return call.step("add", *call.values())


def _leaky_relu(call: Call) -> Value:
    return call.step("leaky_relu", call.value(0), slope=call.attribute("alpha"))


def _relu6(call: Call) -> Value:
    return call.step("clip", call.value(0), low=0.0, high=6.0)


def _clip(call: Call) -> Value:
    low = call.trace.two("maximum", call.value(0), call.value(1), call.name)
    return call.trace.two("minimum", low, call.value(2), call.name)


def _softmax(op: str) -> Lowering:
    return lambda call: call.step(op, call.value(0), axis=-1)


def _select(call: Call) -> Value:
    condition, yes, no = (call.value(index) for index in range(3))
    if call.node.op == "Select" and not condition.shape == yes.shape == no.shape:
        raise call.refused("its inputs have several shapes")
    return call.step("select", condition, yes, no)


def _bias_add(call: Call) -> Value:
    x, bias = call.value(0), call.value(1)
    if call.node.op == "BiasAdd" and call.attribute("data_format").startswith("NC"):
        bias = call.step("reshape", bias, shape=[-1, *[1] * (x.rank - 2)])
    return call.step("add", x, bias)


def _matmul(call: Call) -> Value:
    names = ("transpose_a", "transpose_b") if call.node.op == "MatMul" else ("adj_x", "adj_y")
    a, b = (call.attribute(name) for name in names)
    return call.step("matmul", call.value(0), call.value(1), transpose_a=a, transpose_b=b)


def _einsum(call: Call) -> Value:
    return call.step("tf.Einsum", *call.values(), equation=call.attribute("equation"))


def _arg_max(call: Call) -> Value:
    axis = call.axis(call.integer(1), call.value(0).rank)
    return call.step("tf.ArgMax", call.value(0), axis=axis)


ARITHMETIC: dict[str, Lowering] = {
    **{name: _one(op) for name, op in _ONE.items()},
    **{name: _two(op) for name, op in _TWO.items()},
    **{name: _reduced(op) for name, op in _REDUCED.items()},
    "All": _logical("reduce_min"),
    "Any": _logical("reduce_max"),
    "AddN": _add_n,
    "ArgMax": _arg_max,
    "BatchMatMul": _matmul,
    "BatchMatMulV2": _matmul,
    "BiasAdd": _bias_add,
    "BiasAddV1": _bias_add,
    "Cast": _cast,
    "ClipByValue": _clip,
    "Div": _div,
    "Einsum": _einsum,
    "Elu": _one("elu"),
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _softmax("log_softmax"),
    "MatMul": _matmul,
    "Relu6": _relu6,
    "Select": _select,
    "SelectV2": _select,
    "Softmax": _softmax("softmax"),
}
