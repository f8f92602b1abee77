"""A trained segmentation network: what ``interactive.train`` returns, and what lies in a model's folder."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.postprocess import POSTPROCESSINGS, Postprocessing
from DeepMRILib.interactive.weight_shapes import AGAIN, check_plan, check_weights, fold_key, weight_shapes
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import Model, find_model
from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.trained import LICENCE, checked_provenance, described, from_card, without_paths, write_model

METHOD, KIND, FORMAT = "interactive", "network", 1
SHIPPED = "interactive-small"
"""The network that DeepMRI brings along."""
HISTORY, SCORES = "history.csv", "scores.csv"
MOST_FOLDS = 100
_WORDS = ("case", "label", "subtype")
_ENTRIES = ("plan", "folds", "postprocessing", "provenance")


@dataclass(frozen=True, eq=False)
class TrainedModel(Result):
    """Networks of one plan, one for each fold; their folder is a model (``model.json``, ``model.safetensors``).

    Attributes:
        name: in lists of models.
        plan: the networks' design and that of their input.
        weights: ``fold<k>.<name>`` to array, names as MONAI's DynUNet has them, none twice; float32 or float16.
        folds: the numbers k.
        postprocessing: what is done to a segmentation afterwards, as cross-validation has chosen.
        licence, source, training_data: what the model's card says.
        metrics: how well it did, name to number.
        history: the loss curves, a row for each fold and epoch.
        scores: cross-validation, a row for each case and label: what the network of the fold without it found, and
            what two engines without weights found from the same points.
        choices: Dice in cross-validation of each way of postprocessing, a row for each.
        pictures: of some cases the axial slice in the middle, (3, rows, columns): image, truth, prediction.
    """

    name: str
    plan: NetworkPlan
    weights: dict[str, NDArray]
    folds: tuple[int, ...]
    postprocessing: Postprocessing = "fill+largest"
    licence: str = LICENCE
    source: str = ""
    training_data: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    history: Table = field(default_factory=lambda: Table({}))
    scores: Table = field(default_factory=lambda: Table({}))
    choices: Table = field(default_factory=lambda: Table({}))
    pictures: dict[str, NDArray] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Of the weights' file."""
        return self.provenance.weights_sha256 or ""

    def weights_of(self, fold: int) -> dict[str, NDArray]:
        """The weights of a fold's network by DynUNet's names, float32."""
        return {name: self.weights[fold_key(fold, name)].astype(np.float32) for name in weight_shapes(self.plan)}

    def halved(self) -> TrainedModel:
        """The same with weights of 16 bits: half the file, and outputs that differ in the fourth digit."""
        weights = {name: array.astype(np.float16) for name, array in self.weights.items()}
        return replace(self, weights=weights, provenance=replace(self.provenance, weights_sha256=None))

    def card(self) -> ModelCard:
        """Its description, without what tells of patients: no file names, no command."""
        about = without_paths(self.provenance)
        about["inputs"].pop("cases", None)
        for place in ("workspace", "mlflow"):
            about["options"].pop(place, None)
        return described(
            self,
            METHOD,
            preprocessing={"channels": list(self.plan.channels), "labels": list(self.plan.labels)},
            extra={
                "kind": KIND,
                "format": FORMAT,
                "plan": self.plan.to_json(),
                "folds": list(self.folds),
                "postprocessing": self.postprocessing,
                "provenance": about,
            },
        )

    def write_files(self, folder: Path) -> None:
        """The model's two files, and those of any result."""
        Result.write_files(write_model(self, folder), folder)

    @classmethod
    def load(cls, place: Path | str) -> TrainedModel:
        """The networks in a model's folder, or the model of that name on this computer.

        Raises:
            WeightsError: no such model, one of another kind or of a newer version, or any part of it is damaged.
            InputError: neither a folder nor a name.
            DependencyError: safetensors is not installed.
        """
        return _read(find_model(place, METHOD))


def read_plan(place: Path | str) -> NetworkPlan:
    """The plan of the model in a folder or of that name; its weights are not read.

    Raises:
        WeightsError, InputError: as ``TrainedModel.load``.
    """
    card = find_model(place, METHOD).card
    _check_kind(card)
    with _faults_of(card):
        return _plan(card)


def is_network(card: ModelCard) -> bool:
    """Whether a model is one of ``interactive.train``."""
    return card.method == METHOD and card.extra.get("kind") == KIND


def _read(model: Model) -> TrainedModel:
    card = model.card
    _check_kind(card)
    weights = model.load_weights()
    with _faults_of(card):
        plan = _plan(card)
        folds = _folds(card.extra["folds"])
        if card.extra["postprocessing"] not in POSTPROCESSINGS:
            raise ValueError(f"its postprocessing is {card.extra['postprocessing']!r}.")
        made = checked_provenance(card.extra["provenance"], card.sha256)
    check_weights(card.name, weights, plan, folds)
    return TrainedModel(
        provenance=made,
        **from_card(card),
        plan=plan,
        weights=weights,
        folds=folds,
        postprocessing=card.extra["postprocessing"],
        history=_table(model.folder / HISTORY),
        scores=_table(model.folder / SCORES),
    )


def _plan(card: ModelCard) -> NetworkPlan:
    plan = NetworkPlan.from_json(card.extra["plan"])
    check_plan(plan)
    for name in ("channels", "labels"):
        if list(getattr(plan, name)) != card.preprocessing.get(name):
            raise ValueError(f"its plan has other {name} than its preprocessing.")
    return plan


def _folds(entry: Any) -> tuple[int, ...]:
    if not isinstance(entry, list) or not 1 <= len(entry) <= MOST_FOLDS:
        raise ValueError(f"its folds are {entry!r}; expected a list of 1 to {MOST_FOLDS} numbers.")
    if not all(type(fold) is int and fold >= 0 for fold in entry) or len(set(entry)) < len(entry):
        raise ValueError(f"its folds are {entry!r}; expected different whole numbers from 0.")
    return tuple(entry)


def _check_kind(card: ModelCard) -> None:
    """Refuse models that are no networks of ``interactive.train``, or newer ones, or such that lack something."""
    kind, version = card.extra.get("kind"), card.extra.get("format")
    if kind != KIND:
        raise WeightsError(
            f"The model {card.name} is no network for interactive segmentation (its kind is {kind!r}, not {KIND!r}). "
            "Choose one that is."
        )
    if version != FORMAT or isinstance(version, bool):
        newer = isinstance(version, int) and version > FORMAT
        remedy = "Update DeepMRI." if newer else AGAIN
        raise WeightsError(
            f"The network {card.name} was written in format {version!r}, and this version of DeepMRI reads format "
            f"{FORMAT}. {remedy}"
        )
    if missing := [name for name in _ENTRIES if name not in card.extra]:
        raise WeightsError(f"The model.json of {card.name} lacks the entry {missing[0]}. {AGAIN}")


@contextmanager
def _faults_of(card: ModelCard) -> Iterator[None]:
    """Say of which model an entry cannot be used."""
    try:
        yield
    except (InputError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise WeightsError(f"The model.json of {card.name} is not usable: {reason}. {AGAIN}") from error


def _table(path: Path) -> Table:
    """A table beside a model; empty where there is none, as in the store."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return Table.from_rows({name: _value(name, text) for name, text in row.items()} for row in rows)
    except FileNotFoundError:
        return Table({})
    except (OSError, TypeError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is no table ({error}). Delete it: the network does not need it.") from error


def _value(name: str, text: str) -> str | float | int | None:
    if name in _WORDS:  # a case may be called 001
        return text
    if text == "":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    return float(text)
