"""What the trained networks of all methods share: their model's two files, and what its card says."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import CARD, WEIGHTS
from DeepMRILib.results import Provenance
from DeepMRILib.weight_files import sha256_of, write_safetensors

LICENCE = "Not stated: ask whoever trained this network before you pass it on"
_IN_CARD = ("name", "licence", "source", "training_data")


class Written(Protocol):
    """A training's result, a dataclass, whose folder is a model."""

    provenance: Provenance
    weights: dict[str, NDArray]

    def card(self) -> ModelCard:
        """Its description, without paths of this computer."""


class Described(Written, Protocol):
    """One that has fields for what every card says."""

    name: str
    licence: str
    source: str
    training_data: str
    metrics: dict[str, float]


AnyTrained = TypeVar("AnyTrained", bound=Written)


def write_model(trained: AnyTrained, folder: Path) -> AnyTrained:
    """Write ``model.safetensors`` and ``model.json``.

    Returns:
        What is left for the result's other files: its provenance names the weights' file, which is not written again.
    """
    write_safetensors(folder / WEIGHTS, trained.weights)
    made = replace(trained.provenance, weights_sha256=sha256_of(folder / WEIGHTS))
    written = replace(trained, provenance=made)
    (folder / CARD).write_text(written.card().to_json(), encoding="utf-8")
    return replace(written, weights=None)


def weights_sha256(weights: Mapping[str, NDArray]) -> str:
    """The SHA-256 that the weights' file has when it is written."""
    with tempfile.TemporaryDirectory() as folder:
        write_safetensors(Path(folder) / WEIGHTS, weights)
        return sha256_of(Path(folder) / WEIGHTS)


def described(
    trained: Described, method: str, *, preprocessing: Mapping[str, Any], extra: Mapping[str, Any]
) -> ModelCard:
    """The card of a trained network; ``preprocessing`` and ``extra`` are the method's own entries."""
    made = trained.provenance
    return ModelCard(
        name=trained.name,
        method=method,
        version="1",
        licence=trained.licence,
        source=trained.source or f"Trained with DeepMRI {made.version} ({made.job}) on {made.created[:10]}",
        sha256=made.weights_sha256 or "",
        preprocessing=preprocessing,
        training_data=trained.training_data,
        metrics=trained.metrics,
        extra=extra,
    )


def from_card(card: ModelCard) -> dict[str, Any]:
    """What ``described`` took from fields, for fields of the same names."""
    return {name: getattr(card, name) for name in _IN_CARD} | {"metrics": dict(card.metrics)}


def without_paths(made: Provenance, **options: Any) -> dict[str, Any]:
    """How a network was made as its card tells it: no command, no names of files, and these options as given here."""
    about = dataclasses.asdict(replace(made, command=""))
    about["options"] |= options
    about["inputs"].pop("files", None)
    return about


def check_kind(card: ModelCard, kind: str, version: int, what: str = "network") -> None:
    """Refuse models of another kind or format.

    Raises:
        WeightsError: with what it is.
    """
    if card.extra.get("kind") != kind or card.extra.get("format") != version:
        raise WeightsError(
            f"The model {card.name} is no {what} that this version of DeepMRI trained (kind "
            f"{card.extra.get('kind')!r}, format {card.extra.get('format')!r}). Choose another, or update DeepMRI."
        )


def checked_provenance(entry: Any, sha256: str) -> Provenance:
    """A card's provenance, whole and of the types that reports show.

    Raises:
        LookupError: an entry is missing or unknown.
        TypeError: one has another type.
    """
    if not isinstance(entry, dict):
        raise TypeError(f"its provenance is a {type(entry).__name__}.")
    if unknown := sorted(set(entry) - {item.name for item in dataclasses.fields(Provenance)}):
        raise LookupError(f"its provenance has an entry {unknown[0]!r}, which this version does not know.")
    texts = ("job", "engine", "version", "created", "device", "command")
    kinds: dict[str, Any] = dict.fromkeys(texts, str) | dict.fromkeys(("options", "inputs", "seconds"), dict)
    kinds |= {"notes": list, "seed": (int, type(None))}
    for name, kind in kinds.items():
        if name not in entry:
            raise LookupError(f"its provenance lacks the entry {name}.")
        if not isinstance(entry[name], kind):
            raise TypeError(f"its provenance's {name} is {entry[name]!r}.")
    if not all(isinstance(note, str) for note in entry["notes"]):
        raise TypeError("its provenance's notes are no texts.")
    return Provenance(**{**entry, "notes": tuple(entry["notes"]), "weights_sha256": sha256})
