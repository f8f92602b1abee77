"""The description of a model of Keras 2 or 3 as plain objects: layers, how they are called, what refers to what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from DeepMRILib.errors import WeightsError

MOST_TEXT = 16 * 2**20
MOST_LAYERS = 20_000
DEEPEST = 30
FUNCTIONS = "keras.ops"
_MODELS = {"Functional", "Model", "Sequential"}
_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class Ref:
    """A tensor: output ``tensor`` of call ``node`` of a layer."""

    layer: str
    node: int
    tensor: int


@dataclass(frozen=True)
class Call:
    """One use of a layer; the arguments hold ``Ref``, numbers, texts, lists and dictionaries."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer.

    Attributes:
        name: unique in its model.
        kind: its class.
        module: where Keras has the class, "" in files of Keras 2.
        config: its settings.
        calls: its uses in the model.
        model: what it consists of, where it is a model itself.
    """

    name: str
    kind: str
    module: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...] = ()
    model: Model | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """A functional or sequential model; ``first_node`` is the number by which its own first call is referred to."""

    name: str
    layers: Mapping[str, Layer]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    first_node: int = 0
    trainable: bool = True
    sequential: bool = field(default=False)


def parse_text(text: bytes | str, what: str = "The model's description") -> Any:
    """JSON of a sensible size.

    Raises:
        WeightsError: it is none.
    """
    if len(text) > MOST_TEXT:
        raise WeightsError(f"{what} has {len(text) / 2**20:.0f} MB; up to {MOST_TEXT // 2**20} MB are read.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{what} is damaged: it is no JSON that can be read. Get the file again.") from error


def parse_model(config: Any) -> Model:
    """The model that Keras described.

    Raises:
        WeightsError: it is not one, or of a kind that is not read.
    """
    try:
        return _model(_entry(config), 0)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"The model's description is damaged ({type(error).__name__}: {error}). Get the file again."
        ) from error


def _entry(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict | list):
        raise TypeError("an entry without class and config")
    return value


def _model(entry: Mapping[str, Any], depth: int) -> Model:
    kind, config = str(entry["class_name"]), entry["config"]
    if depth > DEEPEST:
        raise ValueError(f"models inside one another more than {DEEPEST} deep")
    if kind == "Sequential":
        return _sequential(config, depth)
    if kind in _MODELS and isinstance(config, dict) and "layers" in config:
        return _functional(config, depth)
    raise WeightsError(
        f"The file holds a model of the kind {kind[:80]}; functional and sequential models are read. "
        "Others hide what they compute in program code: save it as a SavedModel or as ONNX."
    )


def _functional(config: Mapping[str, Any], depth: int) -> Model:
    entries = _entries(config["layers"])
    names = [str(entry.get("name") or entry["config"]["name"]) for entry in entries]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two layers are named {twice[:80]}")
    known = frozenset(names)
    modern = any(isinstance(node, dict) for entry in entries for node in entry.get("inbound_nodes") or ())
    layers = {
        name: _layer(name, entry, tuple(_call(node, known) for node in entry.get("inbound_nodes") or ()), depth, modern)
        for name, entry in zip(names, entries, strict=True)
    }
    return Model(
        name=str(config.get("name", "model")),
        layers=layers,
        inputs=_refs(config["input_layers"], known),
        outputs=_refs(config["output_layers"], known),
        first_node=0 if modern else 1,
        trainable=config.get("trainable", True) is not False,
    )


def _sequential(config: Any, depth: int) -> Model:
    # The oldest files have the list of layers itself for a configuration.
    listed = config if isinstance(config, list) else config["layers"]
    entries = [entry for entry in _entries(listed) if entry["class_name"] != "InputLayer"]
    shape = _input_shape(listed, config)
    layers: dict[str, Layer] = {"": Layer("", "InputLayer", "", {"batch_input_shape": shape})}
    last = Ref("", 0, 0)
    modern = any(str(entry.get("module", "")).startswith("keras") and "registered_name" in entry for entry in entries)
    for entry in entries:
        name = str(entry.get("name") or entry["config"]["name"])
        if name in layers:
            raise ValueError(f"two layers are named {name[:80]}")
        layers[name] = _layer(name, entry, (Call((last,), {}),), depth, modern)
        inner = layers[name].model
        last = Ref(name, inner.first_node if inner else 0, 0)
    settings = config if isinstance(config, dict) else {}
    return Model(
        name=str(settings.get("name", "sequential")),
        layers=layers,
        inputs=(Ref("", 0, 0),),
        outputs=(last,),
        first_node=0 if modern else 1,
        trainable=settings.get("trainable", True) is not False,
        sequential=True,
    )


def _input_shape(listed: Sequence[Mapping[str, Any]], config: Any) -> Any:
    first = listed[0]["config"] if listed else {}
    settings = config if isinstance(config, dict) else {}
    found = (first.get("batch_shape"), first.get("batch_input_shape"), settings.get("build_input_shape"))
    return next((shape for shape in found if shape is not None), None)


def _entries(listed: Any) -> list[Mapping[str, Any]]:
    if not isinstance(listed, list) or len(listed) > MOST_LAYERS:
        raise ValueError("no list of layers of a sensible length")
    return [_entry(entry) for entry in listed]


def _layer(name: str, entry: Mapping[str, Any], calls: tuple[Call, ...], depth: int, modern: bool) -> Layer:
    kind, module = str(entry["class_name"]), str(entry.get("module") or "")
    registered = entry.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        kind = registered
    if modern and not module and kind != "InputLayer" and not {"trainable", "layers"} & set(entry["config"]):
        # HDF5 files of Keras 3 do not say where a class is from; functions have no settings of layers.
        module = FUNCTIONS
    model = _model(entry, depth + 1) if kind in _MODELS else None
    if model is not None:
        # The numbers of its calls are those of the model around it.
        model = Model(**{**vars(model), "first_node": 0 if modern else 1})
    return Layer(name, kind, module, entry["config"], calls, model)


def _refs(listed: Any, known: frozenset[str]) -> tuple[Ref, ...]:
    """Inputs or outputs of a model: a reference, or lists or dictionaries of them."""
    if isinstance(listed, dict):
        listed = list(listed.values())
    if ref := _ref(listed, known):
        return (ref,)
    if not isinstance(listed, list) or not listed:
        raise ValueError("a model without inputs or outputs")
    found: list[Ref] = []
    for entry in listed:
        ref = _ref(entry, known)
        if ref is None:
            raise ValueError(f"an input or output {str(entry)[:80]} that is no layer")
        found.append(ref)
    return tuple(found)


def _ref(value: Any, known: frozenset[str]) -> Ref | None:
    """``["layer", 0, 0]``, as Keras refers to a tensor."""
    match value:
        case [str(name), int(node), int(tensor)] if name in known:
            return Ref(name, node, tensor)
    return None


def _call(node: Any, known: frozenset[str]) -> Call:
    if isinstance(node, dict):
        kwargs = {str(name): _modern(value) for name, value in node["kwargs"].items()}
        return Call(tuple(_modern(value) for value in node["args"]), kwargs)
    if not isinstance(node, list) or not node:
        raise TypeError("a use of a layer that is no list")
    if isinstance(node[0], str):  # a single first argument
        first, kwargs = _legacy(node, known)
        return Call((first,), kwargs)
    pairs = [_legacy(entry, known) for entry in node]
    values = [value for value, _ in pairs]
    # Several inputs are one argument, a list; what else was given stands with each of them.
    return Call((values[0] if len(values) == 1 else values,), pairs[0][1])


def _legacy(entry: Any, known: frozenset[str]) -> tuple[Any, dict[str, Any]]:
    name, node, tensor, *rest = entry
    kwargs = {str(key): _nested(value, known) for key, value in (rest[0] if rest else {}).items()}
    if name == _CONSTANT:
        return tensor, kwargs
    ref = _ref([name, node, tensor], known)
    if ref is None:
        raise ValueError(f"a layer uses {str(name)[:80]}, which is not there")
    return ref, kwargs


def _nested(value: Any, known: frozenset[str]) -> Any:
    if ref := _ref(value, known):
        return ref
    if isinstance(value, list):
        return [_nested(entry, known) for entry in value]
    return value


def _modern(value: Any) -> Any:
    """An argument as Keras 3 writes it."""
    if isinstance(value, list):
        return [_modern(entry) for entry in value]
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        name, node, tensor = value["config"]["keras_history"]
        return Ref(str(name), int(node), int(tensor))
    return value
