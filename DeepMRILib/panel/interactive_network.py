"""The choice of a trained segmentation network in the panel."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.model_store import Model
from DeepMRILib.panel.machine import modelStore

ENGINE, METHOD = "network", "interactive"


class NetworkChoice:
    """The segmentation networks on this computer, and why one cannot be used on the chosen images."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self.reload()

    def reload(self) -> None:
        """Look again which networks there are: a training, another panel or the user may have added some."""
        try:
            self._models = {model.card.name: model for model in modelStore().list(METHOD)}
        except InputError:  # a folder that cannot be used: the run says so
            self._models = {}

    def missing(self, parameters: Any) -> str:
        """Why the chosen network cannot be used; "" when it can, or none is chosen."""
        if parameters.engine != ENGINE or not parameters.model:
            return ""
        if parameters.model not in self._models:
            gone = _("There is no network {name} on this computer. Choose another, or train one.")
            return gone.format(name=parameters.model)
        return self._refusal(parameters.model, _images(parameters))

    def entries(self, parameters: Any) -> dict[str, tuple[str, str]]:
        """For the combo box: each network with a remark if it does not fit, and why or what it is."""
        entries, images = {}, _images(parameters)
        for name, model in self._models.items():
            refusal, card = self._refusal(name, images), model.card
            entries[name] = (_("does not fit") if refusal else "", refusal or f"{card.training_data}. {card.source}.")
        return entries

    def _refusal(self, name: str, images: int) -> str:
        channels = self._models[name].card.preprocessing.get("channels", ())
        if not images or not channels or len(channels) == images:
            return ""
        text = _("The network {name} takes {count} images ({channels}), and {given} are chosen.")
        return text.format(name=name, count=len(channels), channels=", ".join(map(str, channels)), given=images)


def _images(parameters: Any) -> int:
    """How many images are chosen; 0 while there is none."""
    image = parameters.inputVolume.GetImageData() if parameters.inputVolume is not None else None
    if image is None:
        return 0
    return image.GetNumberOfScalarComponents() + sum(node is not None for node in parameters.channels)
