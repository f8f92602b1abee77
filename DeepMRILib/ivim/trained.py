"""A trained IVIM network: what ``ivim.train`` returns, and what lies in a model's folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import options as settings
from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.ivim.engine import Problem
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.plan import NetworkPlan
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import Model, find_model
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.trained import LICENCE, checked_provenance, without_paths, write_model
from DeepMRILib.volume import checked_b_values

METHOD, KIND, FORMAT = "ivim", "network", 1
HISTORY = "history.csv"
PREPARATION = ("model", "body_part", "preset", "members", "average", "fit_s0", "background", "b_min", "b_max")
"""Settings of the training that hold for every later fit."""
AGAIN = "Train it again with this version of DeepMRI, or get a whole copy."


@dataclass(frozen=True, eq=False)
class TrainedModel(Result):
    """One network for a study; its folder is a model (``model.json``, ``model.safetensors``).

    Attributes:
        name: in lists of models.
        plan: the network's design.
        weights: its numbers by name.
        history: the loss curve: ``epoch``, ``loss``, ``validation_loss`` (means of the members), ``learning_rate``.
        options: the fit that it makes: signal equation, bounds of every parameter, averaging, range of b-values.
        b_values: (n,) in s/mm2, ascending: what it must be given.
        voxels: on how many it was trained.
        series: one row per series that it was trained on; empty when the model was loaded.
    """

    name: str
    plan: NetworkPlan
    weights: dict[str, NDArray]
    history: Table
    options: FitOptions
    b_values: tuple[float, ...]
    voxels: int
    series: Table = field(default_factory=lambda: Table({}))

    @property
    def sha256(self) -> str:
        """Of the weights' file."""
        return self.provenance.weights_sha256 or ""

    def problem(self, **changes: Any) -> Problem:
        """What it fits; ``changes`` of the options say how the result is wanted."""
        return Problem.of(replace(self.options, **changes))

    def card(self) -> ModelCard:
        """Its description, without what tells of patients: no file names, no command."""
        made = self.provenance
        about = without_paths(made)
        about["options"].pop("checkpoint", None)
        preparation = {name: getattr(self.options, name) for name in kept_settings(self.options.model)}
        return ModelCard(
            name=self.name,
            method=METHOD,
            version="1",
            licence=LICENCE,
            source=f"Trained with DeepMRI {made.version} (ivim.train) on {made.created[:10]}",
            sha256=self.sha256,
            preprocessing={**preparation, "b_values": list(self.b_values)},
            training_data=f"{self.voxels} voxels of {made.inputs['series']} series",
            metrics={"validation_loss": made.inputs["validation_loss"]},
            extra={
                "kind": KIND,
                "format": FORMAT,
                "plan": self.plan.to_json(),
                "voxels": self.voxels,
                "provenance": about,
            },
        )

    def write_files(self, folder: Path) -> None:
        """The model's two files, and those of any result."""
        Result.write_files(write_model(self, folder), folder)

    @classmethod
    def load(cls, place: Path | str) -> TrainedModel:
        """The network in a model's folder, or the model of that name on this computer.

        Raises:
            WeightsError: no such model, one of another kind or of a newer version, or any part of it is damaged.
            InputError: neither a folder nor a name.
            DependencyError: safetensors is not installed.
        """
        return _read(find_model(place, METHOD))


def kept_settings(model: str) -> tuple[str, ...]:
    """The settings of a training that hold for every later fit."""
    return (*PREPARATION, *(f"{name}_bounds" for name in MODELS[model].parameters))


def _read(model: Model) -> TrainedModel:
    card = model.card
    _check_kind(card)
    weights = model.load_weights()
    with _faults_of(card):
        prepared = dict(card.preprocessing)
        b_values = checked_b_values(prepared.pop("b_values"))
        options = settings.from_json(FitOptions, {"method": "ivimnet", **prepared})
        Problem.of(options)
        plan = NetworkPlan.from_json(card.extra["plan"])
        _check_agreement(plan, options, tuple(b_values.tolist()))
        made = _provenance(card.extra["provenance"], card.sha256)
        voxels = card.extra["voxels"]
        if isinstance(voxels, bool) or not isinstance(voxels, int) or voxels < 1:
            raise ValueError(f"the number of voxels is {voxels!r}.")
    _check_weights(card.name, weights, plan)
    return TrainedModel(
        provenance=made,
        name=card.name,
        plan=plan,
        weights=weights,
        history=_history(model.folder / HISTORY),
        options=options,
        b_values=tuple(b_values.tolist()),
        voxels=voxels,
    )


def _check_agreement(plan: NetworkPlan, options: FitOptions, b_values: tuple[float, ...]) -> None:
    """Refuse a plan for another fit than the description promises."""
    promised = {name: getattr(options, name) for name in ("model", "preset", "members", "fit_s0")}
    for name, value in {**promised, "b_values": b_values}.items():
        if getattr(plan, name) != value:
            raise ValueError(f"its plan has another {name} than its preprocessing.")


def _check_weights(name: str, weights: Mapping[str, NDArray], plan: NetworkPlan) -> None:
    """Refuse weights of which no network can be made, before memory is taken for it."""
    needed, there = plan.members * plan.parameter_count, sum(array.size for array in weights.values())
    if there < needed:
        raise WeightsError(
            f"The network {name} has {needed:,} numbers by its model.json, and its weights hold {there:,}. {AGAIN}"
        )
    for key, array in weights.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise WeightsError(f"The weights {key} of the network {name} are no finite numbers. {AGAIN}")


def _provenance(entry: Any, sha256: str) -> Provenance:
    """Refuse one that a card could not be made from again."""
    made = checked_provenance(entry, sha256)
    for name in ("series", "validation_loss"):
        if name not in made.inputs:
            raise LookupError(f"its provenance lacks the entry {name}.")
    return made


def _check_kind(card: ModelCard) -> None:
    """Refuse models that are no networks of ``ivim.train``, or newer ones, or such that lack something."""
    kind, version = card.extra.get("kind"), card.extra.get("format")
    if kind != KIND:
        raise WeightsError(
            f"The model {card.name} is no network that ivim.train made (its kind is {kind!r}, not {KIND!r}). "
            "Choose one that is."
        )
    if version != FORMAT:
        newer = isinstance(version, int) and version > FORMAT
        remedy = "Update DeepMRI." if newer else AGAIN
        raise WeightsError(
            f"The network {card.name} was written in format {version!r}, and this version of DeepMRI reads format "
            f"{FORMAT}. {remedy}"
        )
    signal = card.preprocessing.get("model")
    names = kept_settings(signal) if isinstance(signal, str) and signal in MODELS else PREPARATION
    missing = [name for name in (*names, "b_values") if name not in card.preprocessing]
    missing += [name for name in ("plan", "voxels", "provenance") if name not in card.extra]
    if missing:
        raise WeightsError(f"The model.json of {card.name} lacks the entry {missing[0]}. {AGAIN}")


@contextmanager
def _faults_of(card: ModelCard) -> Iterator[None]:
    """Say of which model an entry cannot be used."""
    try:
        yield
    except (InputError, LookupError, TypeError, ValueError) as error:
        raise WeightsError(f"The model.json of {card.name} is not usable: {error} {AGAIN}") from error


def _history(path: Path) -> Table:
    """The loss curve beside a model; empty where there is none, as in the store."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return Table.from_rows({name: _number(name, text) for name, text in row.items()} for row in rows)
    except FileNotFoundError:
        return Table({})
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is no loss curve ({error}). Delete it: the network does not need it.") from error


def _number(name: str, text: str) -> float | int | None:
    if text == "":
        return None
    return int(text) if name == "epoch" else float(text)
