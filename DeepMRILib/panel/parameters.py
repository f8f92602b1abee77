"""The parameter node of a panel, built from the job's options class: nothing is written twice.

A Literal becomes a Choice, a range a WithinRange, a default a Default. A tuple is kept as text ("0 0.005"), because
Slicer's parameter nodes can connect no widget to a tuple.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from slicer.parameterNodeWrapper import Choice, Default, WithinRange, parameterNodeWrapper

from DeepMRILib.errors import InputError
from DeepMRILib.options import Setting, from_json, settings

MACHINE_SETTINGS = ("device", "model_folder")
"""Settings that belong to the computer, not to the scene: they live in QSettings (see machine.py)."""


def parameterNodeClass(name: str, optionsTypes: Mapping[str, type], nodes: Mapping[str, Any]) -> type:
    """A ``parameterNodeWrapper`` class with the given node parameters and one parameter per setting.

    Args:
        name: the class name, e.g. "IVIMFitParameterNode".
        optionsTypes: the options class of each job, by what stands before its settings' names ("" for the first).
        nodes: name to annotation of the parameters that are not settings (inputs and outputs).
    """
    annotations = dict(nodes)
    for prefix, optionsType in optionsTypes.items():
        for setting in sceneSettings(optionsType):
            annotations[prefix + setting.name] = annotation(setting)
    return parameterNodeWrapper(type(name, (), {"__annotations__": annotations, "__module__": __name__}))


def sceneSettings(optionsType: type) -> tuple[Setting, ...]:
    """The settings that are saved with the scene."""
    return tuple(setting for setting in settings(optionsType) if setting.name not in MACHINE_SETTINGS)


def annotation(setting: Setting) -> Any:
    """The annotated type of one setting."""
    if setting.length is not None:
        return Annotated[str, Default(tupleText(setting.default))]
    if setting.kind is Literal:
        return Annotated[str, Choice(list(setting.choices)), Default(setting.default)]
    if setting.range is not None:
        low, high = (setting.kind(end) for end in setting.range)
        return Annotated[setting.kind, WithinRange(low, high), Default(setting.default)]
    return Annotated[setting.kind, Default(Path(setting.default) if setting.kind is Path else setting.default)]


def resetUnknownChoices(parameters: Any, optionsTypes: Mapping[str, type], nodes: Mapping[str, Any]) -> None:
    """Give choices that this version does not know their default.

    A scene of another version may hold some, Slicer reads them unchecked, and no widget could show them.
    """
    known = {
        prefix + setting.name: setting.choices
        for prefix, optionsType in optionsTypes.items()
        for setting in sceneSettings(optionsType)
        if setting.choices and setting.length is None  # several choices are kept as text
    }
    for name, annotated in nodes.items():
        for note in getattr(annotated, "__metadata__", ()):
            if isinstance(note, Choice):
                known[name] = note.choices
    for name, choices in known.items():
        value = getattr(parameters, name)
        if value not in choices:
            default = parameters.default(name).value
            logging.warning("%s is %r in this scene, which is not known here; %r is taken.", name, value, default)
            setattr(parameters, name, default)


def tupleText(values: tuple[Any, ...]) -> str:
    """A tuple as a panel shows it."""
    return " ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def optionsFromParameters(optionsType: type, parameters: Any, machine: Mapping[str, Any], prefix: str = "") -> Any:
    """The job's checked options from the parameter node and the computer's own settings.

    Args:
        prefix: what stands before the settings' names in the parameter node.

    Raises:
        InputError: a setting cannot be read or is out of range.
    """
    values = {
        setting.name: _value(setting, getattr(parameters, prefix + setting.name))
        for setting in sceneSettings(optionsType)
    }
    known = {setting.name for setting in settings(optionsType)}
    values |= {name: value for name, value in machine.items() if name in known}
    return from_json(optionsType, values)


def _value(setting: Setting, value: Any) -> Any:
    if setting.length is None:
        return value
    entries = value.replace(",", " ").replace(";", " ").split()
    if setting.kind not in (int, float):
        return tuple(entries)
    try:
        return tuple(setting.kind(entry) for entry in entries)
    except ValueError as error:
        raise InputError(
            f"{setting.label} is {value!r}; write numbers with spaces between them. {setting.tooltip}"
        ) from error
