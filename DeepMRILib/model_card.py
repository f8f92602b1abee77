"""What is known of a trained model: the content of its ``model.json``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.weight_files import check_regular

FORMAT = 1
"""The version of model.json that is written here; files of a higher one are refused."""

MAX_CARD_BYTES = 1024**2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_METHOD = re.compile(r"[a-z][a-z0-9_]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Windows opens devices, not folders, under these names, whatever follows a dot.
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


@dataclass(frozen=True)
class ModelCard:
    """A trained model's description, stored beside its weights.

    Attributes:
        name: also the model's folder: letters, digits, ``.``, ``_`` and ``-``, at most 64.
        method: the method package that uses it: ``"ivim"``, ``"pvs"``, ...
        version: of the model, as its makers count.
        licence: of the weights: an SPDX identifier or the text that a user must accept.
        source: who made it and where it came from: a citation, an address.
        sha256: of model.safetensors, 64 hexadecimal digits; filled in when the model is saved.
        preprocessing: what the method needs to prepare an image as in training (JSON values).
        training_data: on what it was trained, in words.
        metrics: how well it did, name to number.
        extra: whatever else the method wants to keep (JSON values), e.g. the network's settings.

    Raises:
        InputError: a bad name, an empty entry, or a value that JSON cannot hold.

    Example:
        >>> card = ModelCard("net-1", "ivim", "1.0", "Apache-2.0", "this project")
        >>> ModelCard.from_json(card.to_json()) == card
        True
    """

    name: str
    method: str
    version: str
    licence: str
    source: str
    sha256: str = ""
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    training_data: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_type(item.name, getattr(self, item.name))
        check_name(self.name)
        if not _METHOD.fullmatch(self.method):
            raise InputError(f"The method {self.method!r} of model {self.name} must be a lower-case word such as ivim.")
        for entry in ("version", "licence", "source"):
            if not getattr(self, entry).strip():
                raise InputError(f"The {entry} of model {self.name} is empty; say it, for those who use the model.")
        if self.sha256 and not _SHA256.fullmatch(self.sha256):
            raise InputError(f"The sha256 of model {self.name} must be 64 lower-case hexadecimal digits.")
        _check_metrics(self.name, self.metrics)
        self.to_json()

    def to_json(self) -> str:
        """The text of model.json."""
        values = {"format": FORMAT, **{item.name: _plain(getattr(self, item.name)) for item in fields(self)}}
        try:
            text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
            text.encode("utf-8")  # refuses half a character (a lone surrogate)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(
                f"The description of model {self.name} cannot be written as JSON ({error}); "
                "use text, finite numbers, lists and dictionaries."
            ) from error
        return text

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """The card that ``to_json`` wrote.

        Raises:
            WeightsError: no JSON, entries missing or unknown, or written by a newer version.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WeightsError(f"The model's model.json is no valid JSON ({error}). Get the model again.") from error
        if not isinstance(values, dict) or values.get("format") is None:
            raise WeightsError("The model's model.json lacks the entry format; it is not a DeepMRI model.")
        version = values.pop("format")
        if type(version) is not int or version < 1:  # True is an int, too
            raise WeightsError(
                f"The model's model.json has the format {version!r}; a whole number from 1 was expected."
            )
        if version > FORMAT:
            raise WeightsError(
                f"The model was written in format {version}, and this version of DeepMRI reads up to {FORMAT}. "
                "Update the extension."
            )
        return cls._from_values(values)

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> ModelCard:
        names = {item.name for item in fields(cls)}
        missing = sorted({"name", "method", "version", "licence", "source"} - set(values))
        unknown = sorted(set(values) - names)
        if missing or unknown:
            fault = f"lacks the entry {missing[0]}" if missing else f"has an unknown entry {unknown[0]!r}"
            raise WeightsError(f"The model's model.json {fault}; what a method adds belongs under extra.")
        try:
            return cls(**values)
        except InputError as error:
            raise WeightsError(f"The model's model.json is not usable. {error}") from error


def check_name(name: str) -> str:
    """The name, if it can be a folder's on every system and leads nowhere else.

    Raises:
        InputError: it is empty, too long, a path, or reserved.
    """
    usable = isinstance(name, str) and _NAME.fullmatch(name) and not name.endswith(".")
    if not usable or name.partition(".")[0].lower() in _RESERVED:
        raise InputError(
            f"The model name {name!r} cannot be used: take letters, digits, '.', '_' and '-' (at most 64, "
            "beginning with a letter or digit, and no name that Windows reserves)."
        )
    return name


def read_card(path: Path) -> ModelCard:
    """The card in a ``model.json``.

    Raises:
        WeightsError: the file is missing, no file, larger than 1 MiB, or not a usable card.
    """
    check_regular(path)
    try:
        size = path.stat().st_size
        if size > MAX_CARD_BYTES:
            raise WeightsError(f"{path} has {size} bytes; a model's description has at most {MAX_CARD_BYTES}.")
        return ModelCard.from_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WeightsError(f"There is no model in {path.parent}: its model.json is missing.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} cannot be read: {error}.") from error


def _check_type(name: str, value: Any) -> None:
    expected = Mapping if name in ("preprocessing", "metrics", "extra") else str
    if not isinstance(value, expected):
        kind = "a dictionary" if expected is Mapping else "text"
        raise InputError(f"The entry {name} of a model's description must be {kind}; got {value!r}.")


def _check_metrics(model: str, metrics: Mapping[str, Any]) -> None:
    for name, value in metrics.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise InputError(f"The metric {name} of model {model} must be a number; got {value!r}.")


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
