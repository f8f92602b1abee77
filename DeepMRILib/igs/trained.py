"""A trained task network: what ``igs.train`` and ``igs.finetune`` return, and what lies in a model's folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import find_model
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.trained import LICENCE, check_kind, described, from_card, without_paths, write_model

if TYPE_CHECKING:
    import torch

METHOD, KIND, FORMAT = "igs", "igs-task", 1
PREPROCESSING = "(magnitude - mean) / standard deviation, both of the fully sampled image, each contrast by itself"
_AGAIN = "Get the model again."
_LONGEST_NUMBER = 4


@dataclass(frozen=True, eq=False)
class TrainedNetwork(Result):
    """A network for a task; its folder is a model (``model.json``, ``model.safetensors``).

    Attributes:
        name: in lists of models.
        design: of ``network_nets.build_network``.
        weights: name to array, as in the network's state dictionary.
        labels: what its labels (from 1 on) or classes (from 0 on) are called, by their number as a text; empty for
            reconstruction.
        size: rows and columns (or slices, rows and columns) of the images that it was trained on; it takes others too.
        spacing: of those images in mm.
        licence, source, training_data: what the model's card says.
        metrics: how well it did, name to number.
        history: the loss curve, a row for each epoch: ``epoch``, ``loss``, ``held_out`` (loss of the cases held out),
            ``learning_rate``, ``seconds``.
        scores: the cases held out, a row for each method: ``method``, ``images`` (full, x4, ...), ``lines``, and
            ``dice``, ``accuracy`` or ``psnr``.
    """

    name: str
    design: dict[str, Any]
    weights: dict[str, NDArray] = field(repr=False)
    labels: dict[str, str] = field(default_factory=dict)
    size: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    licence: str = LICENCE
    source: str = ""
    training_data: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    history: Table = field(default_factory=lambda: Table({}))
    scores: Table = field(default_factory=lambda: Table({}))

    @property
    def task(self) -> str:
        """segmentation, classification or reconstruction."""
        return self.design["task"]

    def module(self) -> torch.nn.Module:
        """The network, on the CPU, in evaluation mode.

        Raises:
            WeightsError: the design is unknown, or the weights are not of it.
            DependencyError: PyTorch or MONAI is not installed.
        """
        torch = require("torch", "A task network")
        require("monai", "A task network")
        from DeepMRILib.igs.network_nets import build_network

        try:
            network = build_network(self.design)
            network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in self.weights.items()})
        except (InputError, RuntimeError) as error:
            raise WeightsError(f"The weights of {self.name} do not fit its design. {_AGAIN}") from error
        network.trained_on = {"labels": dict(self.labels), "size": list(self.size), "spacing": list(self.spacing)}
        return network.eval()

    def card(self) -> ModelCard:
        """Its description, without paths of this computer."""
        cleared = {"checkpoint": ""} if "checkpoint" in self.provenance.options else {}
        return described(
            self,
            METHOD,
            preprocessing={"intensity": PREPROCESSING},
            extra={
                "kind": KIND,
                "format": FORMAT,
                "design": self.design,
                "labels": self.labels,
                "size": list(self.size),
                "spacing": list(self.spacing),
                "provenance": without_paths(self.provenance, **cleared),
            },
        )

    def write_files(self, folder: Path) -> None:
        """The model's two files, and those of any result."""
        Result.write_files(write_model(self, folder), folder)

    @classmethod
    def load(cls, place: Path | str) -> TrainedNetwork:
        """The network in a model's folder, or the model of that name on this computer, without curve and scores.

        Raises:
            WeightsError: no such model, one of another kind or of a newer version, or damaged.
            InputError: neither a folder nor a name.
            DependencyError: safetensors is not installed.
        """
        model = find_model(place, METHOD)
        card = model.card
        check_kind(card, KIND, FORMAT, "task network")
        found = cls(
            provenance=_provenance(card),
            **from_card(card),
            design=_entry(card, "design", dict),
            weights=model.load_weights(),
            labels=_labels(card),
            size=_numbers(card, "size", int),
            spacing=_numbers(card, "spacing", float),
        )
        if not isinstance(found.design.get("task"), str):
            raise WeightsError(f"The model.json of {card.name} does not say what the network is for. {_AGAIN}")
        return found


def _provenance(card: ModelCard) -> Provenance:
    made = _entry(card, "provenance", dict)
    known = {item.name for item in dataclasses.fields(Provenance)}
    plain = all(isinstance(made.get(name, {}), dict) for name in ("options", "inputs", "seconds"))
    if not {"job", "engine", "options"} <= set(made) <= known or not plain:
        raise WeightsError(f"The model.json of {card.name} does not say how it was made. {_AGAIN}")
    return Provenance(**{**made, "notes": tuple(made.get("notes", ())), "weights_sha256": card.sha256})


def _labels(card: ModelCard) -> dict[str, str]:
    found = _entry(card, "labels", dict)
    if not all(label.isdecimal() and len(label) <= _LONGEST_NUMBER for label in found):
        raise WeightsError(f"The model.json of {card.name} has labels that are no numbers. {_AGAIN}")
    return {label: str(name) for label, name in found.items()}


def _entry(card: ModelCard, name: str, kind: type) -> Any:
    found = card.extra.get(name)
    if not isinstance(found, kind):
        raise WeightsError(f"The model.json of {card.name} has no {name}. {_AGAIN}")
    return found


def _numbers(card: ModelCard, name: str, kind: type) -> tuple:
    found = _entry(card, name, list)
    if not all(type(value) in (int, float) for value in found):
        raise WeightsError(f"The model.json of {card.name} has no usable {name}. {_AGAIN}")
    return tuple(kind(value) for value in found)
