"""Activations of Keras, as layers and as settings of other layers."""

from __future__ import annotations

from typing import Any

from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Options, Site

PLAIN: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("relu", {}),
    "relu6": ("clip", {"low": 0.0, "high": 6.0}),
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "swish": ("silu", {}),
    "silu": ("silu", {}),
    "softplus": ("softplus", {}),
    "softsign": ("softsign", {}),
    "selu": ("selu", {}),
    "elu": ("elu", {}),
    "celu": ("celu", {}),
    "gelu": ("gelu", {}),
    "mish": ("mish", {}),
    "exponential": ("exp", {}),
    "softmax": ("softmax", {"axis": -1}),
    "log_softmax": ("log_softmax", {"axis": -1}),
    "log_sigmoid": ("log_sigmoid", {}),
    "tanh_shrink": ("tanh_shrink", {}),
    "hard_tanh": ("clip", {"low": -1.0, "high": 1.0}),
    "hard_shrink": ("hard_shrink", {}),
    "soft_shrink": ("soft_shrink", {}),
    "squareplus": ("squareplus", {}),
    "hard_swish": ("hard_swish", {}),
    "hard_silu": ("hard_swish", {}),
    "leaky_relu": ("leaky_relu", {"slope": 0.2}),
    "sparse_sigmoid": ("hard_sigmoid", {"scale": 0.5, "offset": 0.5}),
}
"""Activations by name, with what they do where nothing is set."""
HARD_SIGMOID = {2: {"scale": 0.2, "offset": 0.5}, 3: {"scale": 1 / 6, "offset": 0.5}}
_LAYERS = {"ReLU", "LeakyReLU", "ELU", "Softmax", "ThresholdedReLU"}


def activate(site: Site, x: str, given: Any) -> str:
    """Step of an activation as it stands in a configuration: a name, or an object of Keras."""
    if given in (None, "linear"):
        return x
    if isinstance(given, dict):
        return _object(site, x, given)
    if given == "hard_sigmoid":
        return site.add("hard_sigmoid", x, **HARD_SIGMOID[site.keras])
    if not isinstance(given, str) or given not in PLAIN:
        raise NotUnderstoodError(f"activation {str(given)[:60]}")
    op, attributes = PLAIN[given]
    return site.add(op, x, **attributes)


def _object(site: Site, x: str, given: dict[str, Any]) -> str:
    """``{"class_name": "function", "config": "relu"}`` or a layer as an activation."""
    kind, config = given.get("class_name"), given.get("config")
    registered = given.get("registered_name")
    if kind == "function" and isinstance(config, str) and registered in (None, config):
        return activate(site, x, config)
    if isinstance(kind, str) and kind in _LAYERS and isinstance(config, dict):
        options = Options(config)
        made = apply_layer(site, x, kind, options)
        options.finish()
        return made
    raise NotUnderstoodError(f"activation {str(registered or kind)[:60]}")


def apply_layer(site: Site, x: str, kind: str, options: Options) -> str:
    """Step of a layer that is nothing but an activation."""
    if kind == "ReLU":
        return _relu(site, x, options)
    if kind == "LeakyReLU":
        name = "negative_slope" if options.has("negative_slope") else "alpha"
        return site.add("leaky_relu", x, slope=options.number(name, 0.3))
    if kind == "ELU":
        return site.add("elu", x, alpha=options.number("alpha", 1.0))
    if kind == "ThresholdedReLU":
        return site.add("threshold", x, threshold=options.number("theta", 1.0))
    return site.add("softmax", x, axis=single_axis(options, -1))


def single_axis(options: Options, default: int) -> int:
    """An axis, given as a number or as a list of one."""
    axis = options.get("axis", default)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if type(axis) is not int:
        raise NotUnderstoodError(f"axis {str(axis)[:60]}")
    return axis


def _relu(site: Site, x: str, options: Options) -> str:
    slope, threshold = options.number("negative_slope", 0.0), options.number("threshold", 0.0)
    most = options.number("max_value", 0.0) if options.has("max_value") else None
    options.ignore("max_value")
    if slope or threshold:
        return site.add("threshold", x, threshold=threshold, slope=slope, most=most)
    return site.add("relu", x) if most is None else site.add("clip", x, low=0.0, high=most)


def activation_layer(site: Site) -> str:
    """Activation."""
    return activate(site, site.input, site.options.get("activation"))


def relu_layer(site: Site) -> str:
    """ReLU."""
    return apply_layer(site, site.input, "ReLU", site.options)


def leaky_relu_layer(site: Site) -> str:
    """LeakyReLU."""
    return apply_layer(site, site.input, "LeakyReLU", site.options)


def elu_layer(site: Site) -> str:
    """ELU."""
    return apply_layer(site, site.input, "ELU", site.options)


def thresholded_relu_layer(site: Site) -> str:
    """ThresholdedReLU."""
    return apply_layer(site, site.input, "ThresholdedReLU", site.options)


def softmax_layer(site: Site) -> str:
    """Softmax."""
    return apply_layer(site, site.input, "Softmax", site.options)


def prelu_layer(site: Site) -> str:
    """PReLU: its slopes have the input's shape, with 1 along the shared axes."""
    site.options.ignore("shared_axes")
    return site.add("prelu", site.input, site.weight("alpha"))
