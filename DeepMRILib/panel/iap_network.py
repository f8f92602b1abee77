"""The choice of the model that tells acquisition parameters: one of this computer's, or a checkpoint's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.model_store import Model
from DeepMRILib.mrml.iap_headers import existingFile
from DeepMRILib.panel.machine import modelStore

METHOD = "iap"
OWN_PACKAGES = ("safetensors>=0.4",)
CHECKPOINT_PACKAGES = ("monai>=1.5",)
"""The published network is MONAI's."""


class NetworkChoice:
    """The models on this computer, and what is wrong with the choice."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self.reload()

    def reload(self) -> None:
        """Look again which models there are: a training, the command line or the user may have added some."""
        try:
            self._models = {model.card.name: model for model in modelStore().list(METHOD)}
        except InputError:  # a folder that cannot be used: the run says so
            self._models = {}

    def place(self, parameters: Any) -> Path | None:
        """The chosen model's folder or the checkpoint; None for none.

        Raises:
            InputError: it is gone, or both are chosen.
        """
        wrong = self.missing(parameters)
        if wrong:
            raise InputError(wrong)
        if parameters.checkpointFile:
            return existingFile(parameters.checkpointFile)
        return self._models[parameters.model].folder if parameters.model else None

    def folder(self, name: str) -> Path:
        """A model's folder.

        Raises:
            InputError: there is none of that name.
        """
        if name not in self._models:
            raise InputError(self._gone(name))
        return self._models[name].folder

    def missing(self, parameters: Any) -> str:
        """Why the choice cannot be used; "" when it can, or nothing is chosen."""
        if parameters.checkpointFile:
            if parameters.model:
                return _("A model and a file are chosen. Choose none for one of them.")
            try:
                existingFile(parameters.checkpointFile)
            except InputError as error:
                return str(error)
            return ""
        return "" if not parameters.model or parameters.model in self._models else self._gone(parameters.model)

    @staticmethod
    def _gone(name: str) -> str:
        text = _("There is no model {name} on this computer. Choose another, or train one below.")
        return text.format(name=name)

    def notes(self, name: str) -> tuple[str, ...]:
        """What a reader of a model's answers must know, one sentence each; none where it does not say."""
        made = self._models[name].card.extra.get("provenance") if name in self._models else None
        notes = made.get("notes", ()) if isinstance(made, dict) else ()
        return tuple(str(note) for note in notes) if isinstance(notes, (list, tuple)) else ()

    def entries(self) -> dict[str, tuple[str, str]]:
        """For the combo box: each model and what it is."""
        cards = {name: model.card for name, model in self._models.items()}
        return {name: ("", f"{card.training_data}. {card.source}.".lstrip(". ")) for name, card in cards.items()}


def isChosen(parameters: Any) -> bool:
    """Whether a model or a checkpoint is to look at the images."""
    return bool(parameters.model or parameters.checkpointFile)


def packagesOf(parameters: Any) -> tuple[str, ...]:
    """What the chosen model needs beside PyTorch."""
    if parameters.checkpointFile:
        return CHECKPOINT_PACKAGES
    return OWN_PACKAGES if parameters.model else ()
