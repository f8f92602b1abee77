"""A model of Keras with its weights becomes a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Port
from DeepMRILib.pvs.importer.keras_config import Call, Layer, Model, Ref
from DeepMRILib.pvs.importer.keras_functions import function, function_site
from DeepMRILib.pvs.importer.keras_lambda import LAMBDA, lambda_step, resolve
from DeepMRILib.pvs.importer.keras_layers import kind_of
from DeepMRILib.pvs.importer.keras_site import Building, NotUnderstoodError, Options, Site, Value
from DeepMRILib.pvs.importer.keras_weights import Path, Weights, is_function
from DeepMRILib.pvs.importer.lambdas import LambdaRules

MOST_CALLS = 20_000
_ANY = 16  # a layer that is not read may have as many outputs
Key = tuple[str, int]


@dataclass(eq=False)
class Assembly:
    """A graph under construction.

    Attributes:
        weights: by the layers' paths.
        rules: what Lambda layers do.
        keras: 2 or 3.
    """

    weights: Weights
    rules: LambdaRules
    keras: int
    building: Building = field(default_factory=Building)
    problems: dict[str, str] = field(default_factory=dict)
    layouts: set[str] = field(default_factory=set)
    lambdas: set[str] = field(default_factory=set)
    calls: int = 0


def build_graph(model: Model, weights: Weights, rules: LambdaRules, keras: int) -> Graph:
    """The graph of a model.

    Raises:
        WeightsError: it has layers that are not understood, all of which are named; or is damaged.
    """
    work = Assembly(weights, rules, keras)
    ports = [_port(model, ref) for ref in model.inputs]
    names = [work.building.fresh(port.name) for port in ports]
    outputs = run_model(work, model, (), [Value(name) for name in names])
    if work.problems:
        raise WeightsError(_sentence(work))
    if unused := rules.unused(work.lambdas):
        met = ", ".join(sorted(work.lambdas)) or "none"
        raise WeightsError(f"The network has no Lambda layer {', '.join(unused)}; its Lambda layers: {met}.")
    if len(work.layouts) > 1:
        raise WeightsError(
            "The network has images with channels first and others with channels last: that is not read."
        )
    graph = Graph(
        inputs=tuple(Port(name, port.shape) for name, port in zip(names, ports, strict=True)),
        outputs=tuple(value.name for value in outputs),
        steps=tuple(work.building.steps),
        weights=work.building.weights,
        layout="first" if work.layouts == {"channels_first"} else "last",
    )
    graph.check()
    return resolve(graph, rules)


def _sentence(work: Assembly) -> str:
    listed = "; ".join(f"{name} ({reason})" for name, reason in list(work.problems.items())[:20])
    more = f"; and {len(work.problems) - 20} more" if len(work.problems) > 20 else ""
    way = ""
    if any(reason.startswith(LAMBDA) for reason in work.problems.values()):
        name = next(name for name, reason in work.problems.items() if reason.startswith(LAMBDA))
        way = (
            " A Lambda layer holds program code, which is never run: say in Python what it does, for example "
            f'pvs.load_keras(path, lambdas={{"{name}": "swish"}}).'
        )
    return f"The network has layers that are not understood: {listed}{more}.{way}"


def _port(model: Model, ref: Ref) -> Port:
    layer = model.layers.get(ref.layer)
    if layer is None or layer.kind != "InputLayer":
        raise WeightsError(f"The model's input {ref.layer[:80]} is no input layer: the file is damaged.")
    shape = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
    good = isinstance(shape, list | tuple) and 2 <= len(shape) <= 5
    if not good or any(size is not None and (type(size) is not int or not 0 < size < 2**31) for size in shape):
        raise WeightsError(
            f"The network's input has the shape {str(shape)[:80]}; 2 to 5 sizes with the batch first are expected."
        )
    return Port(layer.name or "input", (None, *shape[1:]))


def run_model(work: Assembly, model: Model, path: Path, inputs: list[Value]) -> list[Value]:
    """Steps of a model, called with these inputs; gives its outputs.

    Raises:
        WeightsError: its layers refer to one another in a circle, or to what is not there.
    """
    if len(inputs) != len(model.inputs):
        raise WeightsError(f"The model {model.name[:80]} takes {len(model.inputs)} inputs, not {len(inputs)}.")
    values: dict[Key, list[Value]] = {}
    for ref, value in zip(model.inputs, inputs, strict=True):
        values[ref.layer, ref.node] = [value]
    for ref in model.outputs:
        _evaluate(work, model, path, (ref.layer, ref.node), values)
    return [_pick(values, ref) for ref in model.outputs]


def _evaluate(work: Assembly, model: Model, path: Path, wanted: Key, values: dict[Key, list[Value]]) -> None:
    """Run what is needed for one call, without recursion: files may hold long chains."""
    waiting: set[Key] = set()
    stack = [wanted]
    while stack:
        key = stack[-1]
        if key in values:
            stack.pop()
            continue
        layer, call = _find(model, key)
        needed = [(ref.layer, ref.node) for ref in refs_in((call.args, call.kwargs))]
        missing = [other for other in needed if other not in values]
        if missing:
            if key in waiting:
                raise WeightsError(
                    f"The model's layers feed themselves in a circle ({key[0][:80]}): the file is damaged."
                )
            waiting.add(key)
            stack += missing
            continue
        waiting.discard(key)
        values[key] = _use(work, layer, path, call, values)
        stack.pop()


def _find(model: Model, key: Key) -> tuple[Layer, Call]:
    name, node = key
    layer = model.layers.get(name)
    index = node - (layer.model.first_node if layer is not None and layer.model is not None else 0)
    if layer is None or not 0 <= index < len(layer.calls):
        raise WeightsError(
            f"The model refers to a use of the layer {name[:80]} that is not there: the file is damaged."
        )
    return layer, layer.calls[index]


def refs_in(value: Any) -> list[Ref]:
    """All tensors in nested arguments."""
    found: list[Ref] = []
    stack = [value]
    while stack:
        entry = stack.pop()
        if isinstance(entry, Ref):
            found.append(entry)
        elif isinstance(entry, Mapping):
            stack += entry.values()
        elif isinstance(entry, list | tuple):
            stack += entry
    return found


def _pick(values: Mapping[Key, list[Value]], ref: Ref) -> Value:
    found = values[ref.layer, ref.node]
    if not 0 <= ref.tensor < len(found):
        raise WeightsError(f"The model refers to an output of the layer {ref.layer[:80]} that is not there.")
    return found[ref.tensor]


def _filled(value: Any, values: Mapping[Key, list[Value]]) -> Any:
    if isinstance(value, Ref):
        return _pick(values, value)
    if isinstance(value, list | tuple):
        return [_filled(entry, values) for entry in value]
    if isinstance(value, Mapping):
        return {name: _filled(entry, values) for name, entry in value.items()}
    return value


def _use(work: Assembly, layer: Layer, path: Path, call: Call, values: Mapping[Key, list[Value]]) -> list[Value]:
    work.calls += 1
    if work.calls > MOST_CALLS:
        raise WeightsError(f"The network uses layers more than {MOST_CALLS} times.")
    args = tuple(_filled(value, values) for value in call.args)
    kwargs = _filled(call.kwargs, values)
    here = (*path, layer.name)
    name = "/".join(here)
    try:
        if layer.model is not None:
            _check_kwargs(kwargs)
            return run_model(work, layer.model, here, _tensors(args))
        site = Site(work.building, name, Options(layer.config), args, kwargs, work.weights.get(here, {}), work.keras)
        made = _apply(work, layer, site)
    except NotUnderstoodError as error:
        text = str(error)
        work.problems[name] = text if text.startswith(LAMBDA) else f"{layer.kind[:60]}: {text}"
        return [Value(work.building.fresh(name))] * _ANY
    return [Value(one) for one in ([made] if isinstance(made, str) else made)]


def _tensors(args: tuple[Any, ...]) -> list[Value]:
    given = args[0] if len(args) == 1 and isinstance(args[0], list) else list(args)
    if not all(isinstance(value, Value) for value in given):
        raise NotUnderstoodError("an input that is no tensor")
    return given


def _apply(work: Assembly, layer: Layer, site: Site) -> str | list[str]:
    if layer.kind in {"TFOpLambda", "SlicingOpLambda"}:
        return _function(site, layer, str(layer.config.get("function")))
    if is_function(layer):
        return _function(site, layer, site_name(layer.kind))
    _check_kwargs(site.kwargs)
    if layer.kind == "Lambda":
        work.lambdas.add(site.path)
        return lambda_step(site, work.rules, layer.name)
    kind = kind_of(layer.kind, site.options)
    if kind is None:
        raise NotUnderstoodError("a kind of layer that is not known")
    if layer.config.get("data_format") and layer.kind != "Flatten":
        work.layouts.add(str(layer.config["data_format"]))
    site.options.ignore(*kind.training)
    made = kind.make(site)
    site.options.finish()
    return made


def _function(site: Site, layer: Layer, name: str) -> str | list[str]:
    function_site(site, layer.config)
    made = function(site, name)
    site.options.finish()
    return made


def site_name(kind: str) -> str:
    """The name of a function of ``keras.ops`` from that of its class.

    >>> site_name("TrueDivide")
    'true_divide'
    """
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind).strip("_")


def _check_kwargs(kwargs: Mapping[str, Any]) -> None:
    for name, value in kwargs.items():
        nothing = all(entry in (None, False) for entry in value) if isinstance(value, list) else value in (None, False)
        if name not in {"training", "mask"} or not nothing:
            raise NotUnderstoodError(f"it is called with {name[:40]} {str(value)[:40]}")
