"""The choice of the network whose task a k-space pattern is to serve."""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.model_store import Model
from DeepMRILib.panel.machine import modelStore

METHOD = "igs"
OF_IMAGES = ("auto", "l1", "ssim", "psnr")
"""Losses that need no network."""


class NetworkChoice:
    """The networks on this computer, and what is wrong with the choice."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self.reload()

    def reload(self) -> None:
        """Look again which networks there are: a training, the command line or the user may have added some."""
        try:
            self._models = {model.card.name: model for model in modelStore().list(METHOD)}
        except InputError:  # a folder that cannot be used: the run says so
            self._models = {}

    def folder(self, name: str) -> Path | None:
        """The chosen network; None for none.

        Raises:
            InputError: it is gone.
        """
        if not name:
            return None
        if name not in self._models:
            raise InputError(self.missing(name))
        return self._models[name].folder

    def missing(self, name: str) -> str:
        """Why the chosen network cannot be used; "" when it can, or none is chosen."""
        if not name or name in self._models:
            return ""
        gone = _("There is no network {name} on this computer. Choose another, or train one below.")
        return gone.format(name=name)

    def refusal(self, name: str, loss: str) -> str:
        """Also when a loss needs a network and there is none."""
        if not name and loss not in OF_IMAGES:
            text = _("The loss {loss} needs a network. Train one below and choose it, or choose l1, ssim or psnr.")
            return text.format(loss=loss)
        return self.missing(name)

    def labels(self, name: str) -> dict[int, str]:
        """What a network's outputs are called, by their number."""
        labels = self._models[name].card.extra.get("labels", {}) if name in self._models else {}
        if not isinstance(labels, dict):
            return {}
        return {int(label): str(text) for label, text in labels.items() if str(label).isdecimal()}

    def entries(self) -> dict[str, tuple[str, str]]:
        """For the combo box: each network and what it is."""
        cards = {name: model.card for name, model in self._models.items()}
        return {name: ("", f"{card.training_data}. {card.source}.") for name, card in cards.items()}
