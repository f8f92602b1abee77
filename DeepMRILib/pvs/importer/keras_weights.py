"""Which weights of a file belong to which layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.keras_config import Layer, Model
from DeepMRILib.pvs.importer.keras_hdf5 import Hdf5
from DeepMRILib.pvs.importer.keras_layers import TRAINED, Roles, kind_of
from DeepMRILib.pvs.importer.keras_site import Options

Path = tuple[str, ...]
Weights = Mapping[Path, Mapping[str, NDArray]]
_ROLES = {
    *("kernel", "bias", "gamma", "beta", "alpha", "depthwise_kernel", "pointwise_kernel"),
    *TRAINED,
}
_NUMBER = re.compile(r"_\d+$")


@dataclass(frozen=True)
class Leaf:
    """A layer that is no model, with the names of the models that it is in."""

    path: Path
    layer: Layer
    roles: Roles
    frozen: bool


def leaves(layer: Layer, around: Path = (), frozen: bool = False) -> Iterator[Leaf]:
    """The layers with weights in a layer, itself or those of the model that it is, in Keras' order."""
    path = (*around, layer.name)
    if layer.model is not None:
        frozen = frozen or not layer.model.trainable
        for inner in layer.model.layers.values():
            yield from leaves(inner, path, frozen)
        return
    roles = roles_of(layer)
    if roles:
        yield Leaf(path, layer, roles, frozen or layer.config.get("trainable") is False)


def roles_of(layer: Layer) -> Roles:
    """The weights that a layer has by its settings; none for kinds that are not known."""
    options = Options(layer.config)
    kind = None if is_function(layer) else kind_of(layer.kind, options)
    return kind.roles(options) if kind else ()


def is_function(layer: Layer) -> bool:
    """Whether it stands for a function of ``keras.ops``, some of which are named like layers."""
    return ".ops" in layer.module


def by_name(file: Hdf5, root: tuple[str, ...], model: Model) -> Weights:
    """The weights of a file of Keras 2: a group for each layer, in which a list of names gives their order.

    A model inside the model has one group: first what gradients train, layer by layer, and then the rest.

    Raises:
        WeightsError: some are missing, or do not belong there.
    """
    found: dict[Path, dict[str, NDArray]] = {}
    for layer in model.layers.values():
        inner = list(leaves(layer))
        order = [(leaf, role) for leaf in inner for role in leaf.roles if _early(leaf, role)]
        order += [(leaf, role) for leaf in inner for role in leaf.roles if not _early(leaf, role)]
        group = file.group(*root, layer.name)
        names = (file.texts(group, "weight_names") or []) if group is not None else []
        if len(names) != len(order):
            raise WeightsError(
                f"The layer {layer.name[:80]} should have {len(order)} weights and has {len(names)}: "
                "the file is incomplete, or of a kind that is not read."
            )
        for (leaf, role), name in zip(order, names, strict=True):
            _check_role(leaf, role, name)
            if role != "count":  # of images that were looked at: a whole number, which nothing needs
                found.setdefault(leaf.path, {})[role] = file.array(group, name)
    return found


def _early(leaf: Leaf, role: str) -> bool:
    return role not in TRAINED and not leaf.frozen


def _check_role(leaf: Leaf, role: str, name: str) -> None:
    """A name that says something else than the order: better no answer than a wrong one."""
    last = _NUMBER.sub("", name.rpartition("/")[2].partition(":")[0])
    alike = {role, role.removeprefix("depthwise_")}
    if last in _ROLES and last not in alike:
        raise WeightsError(
            f"The weights of the layer {leaf.layer.name[:80]} are in an unknown order: {role} was expected, "
            f"{last} is there."
        )


def by_place(file: Hdf5, model: Model, root: tuple[str, ...] = ()) -> Weights:
    """The weights of a ``.keras`` archive: ``layers/conv3d_1/vars/0``, numbered by class in the order of the layers.

    Raises:
        WeightsError: some are missing, or do not belong there.
    """
    found: dict[Path, dict[str, NDArray]] = {}
    _gather(file, model, root, (), found)
    return found


def _gather(file: Hdf5, model: Model, root: tuple[str, ...], path: Path, found: dict[Path, dict[str, NDArray]]) -> None:
    used: dict[str, int] = {}
    for layer in model.layers.values():
        if is_function(layer):
            continue
        base = snake_case(layer.kind.rpartition(">")[2])
        count = used.get(base, 0)
        used[base] = count + 1
        place = (*root, "layers", f"{base}_{count}" if count else base)
        if layer.model is not None:
            _gather(file, layer.model, place, (*path, layer.name), found)
        elif arrays := _variables(file, layer, place):
            found[(*path, layer.name)] = arrays


def _variables(file: Hdf5, layer: Layer, place: tuple[str, ...]) -> dict[str, NDArray]:
    group: Any = file.group(*place, "vars")
    names = file.names(group) if group is not None else []
    roles = roles_of(layer)
    if sorted(names) != sorted(str(number) for number in range(len(roles))):
        raise WeightsError(
            f"The layer {layer.name[:80]} should have {len(roles)} weights and has {len(names)}: "
            "the file is incomplete, or of a kind that is not read."
        )
    written = file.text(group, "name") if group is not None else None
    if roles and written not in (None, layer.name):
        raise WeightsError(f"The weights of the layer {layer.name[:80]} are named after another: {written[:80]}.")
    return {role: file.array(group, str(number)) for number, role in enumerate(roles) if role != "count"}


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it for places.

    >>> snake_case("Conv3DTranspose"), snake_case("PReLU")
    ('conv3d_transpose', 'p_re_lu')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
