"""A trained network for perivascular spaces: what ``pvs.train`` returns, and what lies in a model's folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import find_model
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.trained import LICENCE, check_kind, described, from_card, without_paths, write_model

METHOD, KIND, FORMAT, FOLD = "pvs", "unet", 1, "fold0."


@dataclass(frozen=True, eq=False)
class TrainedNetwork(Result):
    """A network; its folder is a model (``model.json``, ``model.safetensors``).

    Attributes:
        name: in lists of models.
        design: of ``network_unet.build_network``.
        weights: ``fold0.<name>`` to array, float32 or float16.
        licence, source, training_data: what the model's card says.
        metrics: how well it did, name to number.
        history: the loss curve, a row for each epoch: ``epoch``, ``steps``, ``loss``, ``average_precision`` (of the
            patches held out), ``learning_rate``, ``seconds``.
        scores: the patches held out, a row for each method: ``method``, ``where``, ``average_precision``, ``dice``,
            ``cluster_f1``, ``threshold``.
    """

    name: str
    design: dict[str, Any]
    weights: dict[str, NDArray] = field(repr=False)
    licence: str = LICENCE
    source: str = ""
    training_data: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    history: Table = field(default_factory=lambda: Table({}))
    scores: Table = field(default_factory=lambda: Table({}))

    def state(self) -> dict[str, NDArray]:
        """The weights by the network's own names, float32."""
        return {name.removeprefix(FOLD): array.astype(np.float32) for name, array in self.weights.items()}

    def card(self) -> ModelCard:
        """Its description, without paths of this computer."""
        start = Path(self.provenance.options.get("start", "")).name
        return described(
            self,
            METHOD,
            preprocessing={"images": ["t1"], "intensity": "shivai_1.3", "t2_inverted": True, "masked_input": False},
            extra={
                "kind": KIND,
                "format": FORMAT,
                "folds": [0],
                "takes_t2": True,
                "design": self.design,
                "provenance": without_paths(self.provenance, checkpoint="", start=start),
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
        check_kind(card, KIND, FORMAT)
        made, design = card.extra.get("provenance"), card.extra.get("design")
        known = {item.name for item in dataclasses.fields(Provenance)}
        if not isinstance(made, dict) or not {"job", "engine", "options"} <= set(made) <= known:
            raise WeightsError(f"The model.json of {card.name} does not say how it was made. Get the model again.")
        if not isinstance(design, dict):
            raise WeightsError(f"The model.json of {card.name} has no design. Get the model again.")
        return cls(
            provenance=Provenance(**{**made, "notes": tuple(made.get("notes", ())), "weights_sha256": card.sha256}),
            **from_card(card),
            design=design,
            weights=model.load_weights(),
        )
