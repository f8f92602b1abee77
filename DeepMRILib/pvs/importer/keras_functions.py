"""Functions of TensorFlow and of Keras 3 that stand in a model like layers (``TFOpLambda``, ``keras.ops``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from DeepMRILib.pvs.importer.keras_functions_shape import SHAPE_FUNCTIONS
from DeepMRILib.pvs.importer.keras_layers_activation import PLAIN, activate
from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Options, Site, Value

Maker = Callable[[Site], "str | list[str]"]
_FIRST = ("x", "features", "logits", "input_tensor", "input", "value", "values", "tensor", "t", "a", "condition")
_PREFIX = re.compile(r"^(compat\.v[12]\.|tf\.|_?keras\.(src\.)?(ops|backend|activations)\.|raw_ops\.)")
_FAMILY = re.compile(r"^(math|nn|__operators__|linalg|strings|keras\.activations|activations)\.")


def first(site: Site) -> str:
    """The tensor that a function works on: its first argument, by place or by name."""
    given = (
        site.args[0] if site.args else next((site.options.get(name) for name in _FIRST if site.options.has(name)), None)
    )
    if not isinstance(given, Value):
        raise NotUnderstoodError("an input that is no tensor")
    return given.name


def _binary(site: Site, op: str) -> str:
    """Two tensors, or a tensor and a number on either side."""
    left, right = (_argument(site, place, names) for place, names in ((0, ("x", "x1", "a")), (1, ("y", "x2", "b"))))
    if isinstance(left, Value) and isinstance(right, Value):
        return site.add(op, left.name, right.name)
    if isinstance(left, Value):
        return site.add(op, left.name, value=number(right))
    if isinstance(right, Value):
        return site.add(op, right.name, value=number(left), first=True)
    raise NotUnderstoodError("no tensor among its inputs")


def _argument(site: Site, place: int, names: Sequence[str]) -> Any:
    if len(site.args) > place:
        return site.args[place]
    return next((site.options.get(name) for name in names if site.options.has(name)), None)


def number(value: Any) -> Any:
    """A number, or lists of numbers."""
    if isinstance(value, list) and value and len(value) <= 4096:
        return [number(entry) for entry in value]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 3e38 or value != value:  # noqa: PLR0124
        raise NotUnderstoodError(f"a number {str(value)[:60]}")
    return value


def _unary(site: Site, op: str, **attributes: Any) -> str:
    return site.add(op, first(site), **attributes)


def _activation(site: Site, name: str) -> str:
    return activate(site, first(site), name)


def _with_number(site: Site, op: str, names: Sequence[str], attribute: str, default: float) -> str:
    """An activation with one setting."""
    name = next((name for name in names if site.options.has(name)), names[0])
    value = site.args[1] if len(site.args) > 1 else site.options.number(name, default)
    return site.add(op, first(site), **{attribute: number(value)})


def _relu(site: Site) -> str:
    site.options.expect("max_value")
    site.options.expect("threshold", 0, 0.0)
    slope = site.options.number("negative_slope", 0.0) or site.options.number("alpha", 0.0)
    return site.add("leaky_relu", first(site), slope=slope) if slope else site.add("relu", first(site))


def _gelu(site: Site, default: bool) -> str:
    return site.add("gelu", first(site), approximate=site.options.flag("approximate", default))


def _softmax(site: Site, op: str) -> str:
    axis = site.args[1] if len(site.args) > 1 else site.options.get("axis", -1)
    if type(axis) is not int:
        raise NotUnderstoodError(f"axis {str(axis)[:60]}")
    return site.add(op, first(site), axis=axis)


def _swish(site: Site) -> str:
    site.options.expect("beta", 1, 1.0)
    return site.add("silu", first(site))


def _reduce(site: Site, op: str) -> str:
    options = site.options
    axis = site.args[1] if len(site.args) > 1 else options.get("axis")
    axes = [axis] if isinstance(axis, int) else axis
    if axes is not None and not (isinstance(axes, list) and all(type(entry) is int for entry in axes)):
        raise NotUnderstoodError(f"axis {str(axis)[:60]}")
    return site.add(op, first(site), axes=axes, keep=options.flag("keepdims", False))


def _clip(site: Site) -> str:
    """clip_by_value, clip."""
    low = _argument(site, 1, ("clip_value_min", "x_min"))
    high = _argument(site, 2, ("clip_value_max", "x_max"))
    return site.add("clip", first(site), low=options_number(low), high=options_number(high))


def options_number(value: Any) -> float:
    """A single finite number."""
    found = number(value)
    if isinstance(found, list):
        raise NotUnderstoodError("lists for single numbers")
    return float(found)


def _cast(site: Site) -> str:
    kind = str(site.args[1] if len(site.args) > 1 else site.options.get("dtype"))
    types = {"float16": "float", "bfloat16": "float", "float32": "float", "float64": "float"}
    types |= {"bool": "bool", "int32": "int32", "int64": "int64"}
    if kind not in types:
        raise NotUnderstoodError(f"a cast to {kind[:60]}")
    return site.add("cast", first(site), type=types[kind])


def _sum(site: Site) -> str:
    """add_n."""
    listed = _argument(site, 0, ("inputs",))
    if not isinstance(listed, list) or not listed or not all(isinstance(value, Value) for value in listed):
        raise NotUnderstoodError("an input that is no tensor")
    return site.add("add", *(value.name for value in listed))


def _select(site: Site) -> str:
    values = [_argument(site, place, names) for place, names in enumerate((("condition",), ("x", "x1"), ("y", "x2")))]
    if not isinstance(values[0], Value):
        raise NotUnderstoodError("a condition that is no tensor")
    like = next((value for value in values[1:] if isinstance(value, Value)), None)
    if like is None:
        raise NotUnderstoodError("no tensor to choose from")
    branches = [
        value.name if isinstance(value, Value) else site.add("constant", like.name, value=number(value))
        for value in values[1:]
    ]
    return site.add("select", values[0].name, *branches)


def _matmul(site: Site) -> str:
    values = [_argument(site, place, names) for place, names in enumerate((("a", "x1"), ("b", "x2")))]
    if not all(isinstance(value, Value) for value in values):
        raise NotUnderstoodError("an input that is no tensor")
    turned = {name: site.options.flag(name, False) for name in ("transpose_a", "transpose_b")}
    return site.add("matmul", *(value.name for value in values), **turned)


_BINARY = {
    "add": "add", "subtract": "sub", "sub": "sub", "multiply": "mul", "mul": "mul", "divide": "div", "truediv": "div",
    "div": "div", "true_divide": "div", "floordiv": "floor_div", "floor_divide": "floor_div", "mod": "mod",
    "floormod": "mod", "maximum": "maximum", "minimum": "minimum", "pow": "pow", "power": "pow",
    "squared_difference": "squared_difference", "greater": "greater", "greater_equal": "greater_equal", "less": "less",
    "less_equal": "less_equal", "equal": "equal", "not_equal": "not_equal", "logical_and": "logical_and",
    "logical_or": "logical_or", "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal",
}  # fmt: skip
_UNARY = {
    "abs": "abs", "absolute": "abs", "negative": "neg", "neg": "neg", "exp": "exp", "expm1": "expm1", "log": "log",
    "log1p": "log1p", "sqrt": "sqrt", "rsqrt": "rsqrt", "square": "square", "reciprocal": "reciprocal", "sign": "sign",
    "floor": "floor", "ceil": "ceil", "round": "round", "rint": "round", "sin": "sin", "cos": "cos", "tan": "tan",
    "erf": "erf", "erfc": "erfc", "identity": "identity", "stop_gradient": "identity", "logical_not": "logical_not",
}  # fmt: skip
_REDUCE = {
    **{f"reduce_{name}": f"reduce_{name}" for name in ("mean", "sum", "max", "min", "prod")},
    **{name: f"reduce_{name}" for name in ("mean", "sum", "max", "min", "prod")},
    "amax": "reduce_max", "amin": "reduce_min",
}  # fmt: skip
_ACTIVATIONS = {*PLAIN, "hard_sigmoid"} - {"relu", "gelu", "leaky_relu", "softmax", "log_softmax", "swish", "silu"}

FUNCTIONS: dict[str, Maker] = {
    **{name: partial(_binary, op=op) for name, op in _BINARY.items()},
    **{name: partial(_unary, op=op) for name, op in _UNARY.items()},
    **{name: partial(_reduce, op=op) for name, op in _REDUCE.items()},
    **{name: partial(_activation, name=name) for name in _ACTIVATIONS},
    "relu": _relu,
    "swish": _swish,
    "silu": _swish,
    "softmax": partial(_softmax, op="softmax"),
    "log_softmax": partial(_softmax, op="log_softmax"),
    "elu": partial(_with_number, op="elu", names=("alpha",), attribute="alpha", default=1.0),
    "celu": partial(_with_number, op="celu", names=("alpha",), attribute="alpha", default=1.0),
    "clip_by_value": _clip,
    "clip": _clip,
    "cast": _cast,
    "add_n": _sum,
    "where": _select,
    "matmul": _matmul,
    **SHAPE_FUNCTIONS,
}
_LEAKY = {
    "leaky_relu": partial(
        _with_number, op="leaky_relu", names=("alpha", "negative_slope"), attribute="slope", default=0.2
    )
}


def function(site: Site, name: str) -> str | list[str]:
    """Steps of a function by its name: ``math.add``, ``nn.relu``, ``Add`` (of ``keras.ops``).

    Raises:
        NotUnderstoodError: it is not known, or is used in a way that is not.
    """
    plain = _FAMILY.sub("", _PREFIX.sub("", name))
    # TensorFlow's gelu and that of Keras' layers are exact, that of keras.ops is not unless told.
    table: Mapping[str, Maker] = {**FUNCTIONS, **_LEAKY, "gelu": partial(_gelu, default=site.keras == 3)}
    if plain not in table:
        raise NotUnderstoodError("a function that is not known")
    return table[plain](site)


def function_site(site: Site, settings: Mapping[str, Any]) -> Site:
    """The same use with all that was given by name, in the configuration or the call, as its options."""
    site.options = Options({**settings, **site.kwargs})
    site.options.ignore("name", "function", "_name")
    return site
