"""The choice of a trained IVIM network in the panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError, InputError
from DeepMRILib.ivim.network_choice import check_network, network_model, networks
from DeepMRILib.model_store import Model
from DeepMRILib.mrml.ivim_series import seriesBValues
from DeepMRILib.panel.machine import modelStore

METHOD = "ivimnet"


class NetworkChoice:
    """The networks on this computer, and why one cannot be applied to a series."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self._fault = ""
        self.reload()

    def reload(self) -> None:
        """Look again which networks there are: a training, another panel or the user may have added some."""
        self._models, self._fault = {}, ""
        try:
            self._models = {model.card.name: model for model in networks(modelStore())}
        except InputError as error:
            self._fault = str(error)

    def names(self) -> list[str]:
        """Of all networks here."""
        return list(self._models)

    def modelOf(self, name: str) -> str:
        """The signal equation of a network; "" when it is not here."""
        return network_model(self._models[name].card) if name in self._models else ""

    def folder(self, parameters: Any) -> Path | None:
        """The network to apply; None to train one on the series."""
        chosen = self._chosen(parameters)
        return self._models[chosen].folder if chosen in self._models else None

    def missing(self, parameters: Any) -> str:
        """Why the chosen network cannot be applied to the chosen series; "" when it can, or none is chosen."""
        chosen = self._chosen(parameters)
        return self._refusal(chosen, parameters, _bValues(parameters)) if chosen else ""

    def entries(self, parameters: Any) -> dict[str, tuple[str, str]]:
        """For the combo box: each network with a remark if it cannot be applied, and why or what it is."""
        if parameters.method != METHOD:
            return dict.fromkeys(self._models, ("", ""))
        entries, values = {}, _bValues(parameters)
        for name, model in self._models.items():
            refusal = self._refusal(name, parameters, values)
            card = model.card
            entries[name] = (_("does not fit") if refusal else "", refusal or f"{card.training_data}. {card.source}.")
        return entries

    @staticmethod
    def _chosen(parameters: Any) -> str:
        return parameters.network if parameters.method == METHOD else ""

    def _refusal(self, name: str, parameters: Any, values: NDArray | None) -> str:
        if name not in self._models:
            gone = _("There is no network {name} on this computer. Choose another, or train one.").format(name=name)
            return self._fault or gone
        if values is None:
            return ""  # said already, where the b-values are shown
        try:
            check_network(self._models[name].card, values, parameters.model)
        except DeepMRIError as error:
            return str(error)
        return ""


def _bValues(parameters: Any) -> NDArray | None:
    """Those of the chosen series; None where they are not known."""
    if parameters.inputSeries is None:
        return None
    return seriesBValues(parameters.inputSeries, parameters.bValues)[0]
