"""ONNX's arithmetic, activations and reductions as steps."""

from __future__ import annotations

from functools import reduce
from math import isclose, prod
from typing import TYPE_CHECKING

from DeepMRILib.pvs.importer.onnx_call import Call, Lowering
from DeepMRILib.pvs.importer.onnx_proto import CASTS

if TYPE_CHECKING:
    from DeepMRILib.pvs.importer.network_trace import Value

_ONE = {
    "Abs": "abs",
    "Atan": "atan",
    "Ceil": "ceil",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "HardSwish": "hard_swish",
    "Identity": "identity",
    "Log": "log",
    "Mish": "mish",
    "Neg": "neg",
    "Not": "logical_not",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Tan": "tan",
    "Tanh": "tanh",
}
_TWO = {
    "Add": "add",
    "And": "logical_and",
    "Equal": "equal",
    "Greater": "greater",
    "GreaterOrEqual": "greater_equal",
    "Less": "less",
    "LessOrEqual": "less_equal",
    "Mul": "mul",
    "Or": "logical_or",
    "Pow": "pow",
    "Sub": "sub",
}
_MANY = {"Max": "maximum", "Min": "minimum", "Sum": "add"}
_REDUCED = {
    "ReduceMax": "reduce_max",
    "ReduceMean": "reduce_mean",
    "ReduceMin": "reduce_min",
    "ReduceProd": "reduce_prod",
    "ReduceSum": "reduce_sum",
}


def _one(op: str) -> Lowering:
    return lambda call: call.step(op, call.value(0))


def _two(op: str) -> Lowering:
    return lambda call: call.trace.two(op, call.value(0), call.value(1), call.name)


def _many(op: str) -> Lowering:
    return lambda call: reduce(lambda a, b: call.trace.two(op, a, b, call.name), call.values())


def _mean(call: Call) -> Value:
    return call.step("average", *call.values())


def _div(call: Call) -> Value:
    """Whole numbers are divided towards zero, which for sizes is the same as down."""
    if call.value(0).real:
        return _two("div")(call)
    for index in (0, 1):
        if min(call.integers(index), default=0) < 0:
            raise call.refused("it divides negative whole numbers")
    return _two("floor_div")(call)


def _mod(call: Call) -> Value:
    if call.attribute("fmod", 0):
        raise call.refused("its fmod is not 0")
    return _two("mod")(call)


def _cast(call: Call) -> Value:
    kind = CASTS.get(call.attribute("to", 0))
    if kind is None:
        raise call.refused(f"it casts to DataType {call.attribute('to')}")
    return call.step("cast", call.value(0), type=kind)


def _clip(call: Call) -> Value:
    x, limits = call.value(0), [call.optional(1), call.optional(2)]
    if call.opset < 11 or all(limit is None or limit.known is not None for limit in limits):
        old = call.opset < 11
        low, high = (call.attribute(name) if old else call.number(k) for k, name in ((1, "min"), (2, "max")))
        low, high = _plain(low), _plain(high)
        return x if low is None and high is None else call.step("clip", x, low=low, high=high)
    for op, limit in zip(("maximum", "minimum"), limits, strict=True):
        x = x if limit is None else call.trace.two(op, x, limit, call.name)
    return x


def _plain(limit: float | None) -> float | None:
    """A limit that limits nothing is none: older files write the largest float."""
    return None if limit is None or abs(limit) > 3.4e38 else limit


def _leaky_relu(call: Call) -> Value:
    return call.step("leaky_relu", call.value(0), slope=call.attribute("alpha", 0.01))


def _prelu(call: Call) -> Value:
    return call.step("prelu", call.value(0), call.value(1))


def _alpha(op: str) -> Lowering:
    return lambda call: call.step(op, call.value(0), alpha=call.attribute("alpha", 1.0))


def _selu(call: Call) -> Value:
    usual = {"alpha": 1.6732632, "gamma": 1.050701}
    if not all(isclose(call.attribute(name, value), value, rel_tol=1e-6) for name, value in usual.items()):
        raise call.refused("its alpha or gamma are not the usual ones")
    return call.step("selu", call.value(0))


def _hard_sigmoid(call: Call) -> Value:
    numbers = {"scale": call.attribute("alpha", 0.2), "offset": call.attribute("beta", 0.5)}
    return call.step("hard_sigmoid", call.value(0), **numbers)


def _thresholded(call: Call) -> Value:
    return call.step("threshold", call.value(0), threshold=call.attribute("alpha", 1.0), slope=0.0)


def _gelu(call: Call) -> Value:
    return call.step("gelu", call.value(0), approximate=call.attribute("approximate", "none") == "tanh")


def _softmax(op: str) -> Lowering:
    """Before version 13 over all axes from one on, taken as one."""

    def lower(call: Call) -> Value:
        x = call.value(0)
        axis = call.axis(call.attribute("axis", 1 if call.opset < 13 else -1), x.rank)
        if call.opset >= 13 or prod(x.shape[axis + 1 :]) == 1:
            return call.step(op, x, axis=axis)
        flat = call.step("reshape", x, shape=[prod(x.shape[:axis]), prod(x.shape[axis:])])
        return call.step("reshape", call.step(op, flat, axis=-1), shape=list(x.shape))

    return lower


def _where(call: Call) -> Value:
    return call.step("select", *(call.value(index) for index in range(3)))


def _axes(call: Call) -> list[int]:
    x = call.value(0)
    axes = call.given("axes", 1)
    if axes:
        return [call.axis(axis, x.rank) for axis in axes]
    return [] if call.attribute("noop_with_empty_axes", 0) else list(range(x.rank))


def _reduced(op: str) -> Lowering:
    return lambda call: call.step(op, call.value(0), axes=_axes(call), keep=bool(call.attribute("keepdims", 1)))


def _norm(call: Call) -> Value:
    """ReduceL1, ReduceL2, ReduceSumSquare."""
    x = call.step("abs" if call.node.op == "ReduceL1" else "square", call.value(0))
    total = call.step("reduce_sum", x, axes=_axes(call), keep=bool(call.attribute("keepdims", 1)))
    return call.step("sqrt", total) if call.node.op == "ReduceL2" else total


def _arg_max(call: Call) -> Value:
    axis = call.axis(call.attribute("axis", 0), call.value(0).rank)
    if call.attribute("select_last_index", 0):
        raise call.refused("it takes the last of equals")
    found = call.step("tf.ArgMax", call.value(0), axis=axis)
    return call.step("expand", found, axes=[axis]) if call.attribute("keepdims", 1) else found


def _matmul(call: Call) -> Value:
    return call.step("matmul", call.value(0), call.value(1))


def _gemm(call: Call) -> Value:
    """alpha * a @ b + beta * c."""
    turned = {f"transpose_{name.lower()}": bool(call.attribute(f"trans{name}", 0)) for name in "AB"}
    y = call.step("matmul", call.value(0), call.value(1), **turned)
    alpha, beta, c = call.attribute("alpha", 1.0), call.attribute("beta", 1.0), call.optional(2)
    y = y if alpha == 1 else call.step("mul", y, value=alpha)
    if c is None:
        return y
    return call.trace.two("add", y, c if beta == 1 else call.step("mul", c, value=beta), call.name)


ARITHMETIC: dict[str, Lowering] = {
    **{name: _one(op) for name, op in _ONE.items()},
    **{name: _two(op) for name, op in _TWO.items()},
    **{name: _many(op) for name, op in _MANY.items()},
    **{name: _reduced(op) for name, op in _REDUCED.items()},
    "ArgMax": _arg_max,
    "Cast": _cast,
    "Celu": _alpha("celu"),
    "Clip": _clip,
    "Div": _div,
    "Elu": _alpha("elu"),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _softmax("log_softmax"),
    "MatMul": _matmul,
    "Mean": _mean,
    "Mod": _mod,
    "PRelu": _prelu,
    "ReduceL1": _norm,
    "ReduceL2": _norm,
    "ReduceSumSquare": _norm,
    "Selu": _selu,
    "Softmax": _softmax("softmax"),
    "ThresholdedRelu": _thresholded,
    "Where": _where,
}
