"""Networks of another program as a model of ours: what ``pvs.import`` returns, and what lies in the model's folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field, replace
from pathlib import Path

from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.model_card import MAX_CARD_BYTES, ModelCard
from DeepMRILib.model_store import CARD, LICENCE, WEIGHTS
from DeepMRILib.pvs.engine import Modality
from DeepMRILib.pvs.options import IntensityRule
from DeepMRILib.pvs.weights_out import write_arrays
from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.weight_files import sha256_of

METHOD, KIND, FORMAT = "pvs", "graph", 1


@dataclass(frozen=True, eq=False)
class ImportedNetworks(Result):
    """Networks whose answers are averaged; their folder is a model (``model.json``, ``model.safetensors``).

    Attributes:
        name: in lists of models.
        version: as its makers count.
        images: what the networks take, in this order.
        intensity: how the images' brightness is scaled.
        takes_t2: a network for a T1 that also works on a T2 with inverted brightness.
        classes: what the networks return: 1 for a probability, more where the first of several is background.
        folds: the networks' numbers k.
        weights: ``fold<k>.<name>`` to array.
        structures: networks as JSON (``importer.graph.Graph.structure``), each once.
        structure_of: of each fold the number of its structure.
        networks: a row for each: ``fold``, ``file``, ``recognised`` (by its md5, by its name, or not).
        licence, source: what the model's card says.
        licence_text: of LICENSE.txt; none is written where it is empty.
        published: the key of the published set, empty for networks of others.
        paper: what to cite.
    """

    name: str
    version: str
    images: tuple[Modality, ...]
    intensity: IntensityRule
    takes_t2: bool
    classes: int
    folds: tuple[int, ...]
    weights: dict[str, NDArray] = field(repr=False)
    structures: tuple[str, ...] = field(repr=False)
    structure_of: tuple[int, ...] = ()
    networks: Table = field(default_factory=lambda: Table({}))
    licence: str = ""
    source: str = ""
    licence_text: str = ""
    published: str = ""
    paper: str = ""

    def card(self) -> ModelCard:
        """Its description, without paths of this computer.

        Raises:
            InputError: the networks are so many and so different that it would be too long.
        """
        made = self.provenance
        known = {name: value for name, value in made.inputs.items() if name != "files"}
        card = ModelCard(
            name=self.name,
            method=METHOD,
            version=self.version,
            licence=self.licence,
            source=self.source,
            sha256=made.weights_sha256 or "",
            preprocessing={"images": list(self.images), "intensity": self.intensity, "masked_input": False},
            extra={
                "kind": KIND,
                "format": FORMAT,
                "folds": list(self.folds),
                "classes": self.classes,
                "takes_t2": self.takes_t2,
                "published": self.published,
                "paper": self.paper,
                "structures": list(self.structures),
                "structure_of": list(self.structure_of),
                "provenance": dataclasses.asdict(replace(made, inputs=known, command="")),
            },
        )
        size = len(card.to_json().encode("utf-8"))
        if size > MAX_CARD_BYTES:
            raise InputError(
                f"The description of {self.name} has {size} bytes, and {MAX_CARD_BYTES} are allowed: its "
                f"{len(self.folds)} networks are too different from each other. Import them one by one."
            )
        return card

    def write_files(self, folder: Path) -> None:
        """The model's files, and those of any result."""
        write_arrays(folder / WEIGHTS, self.weights)
        made = replace(self.provenance, weights_sha256=sha256_of(folder / WEIGHTS))
        written = replace(self, provenance=made)
        (folder / CARD).write_text(written.card().to_json(), encoding="utf-8")
        if self.licence_text:
            (folder / LICENCE).write_text(self.licence_text, encoding="utf-8")
        # Weights and structures have their files already: without them here, they get no second ones.
        super(ImportedNetworks, replace(written, weights=None, structures=None)).write_files(folder)
