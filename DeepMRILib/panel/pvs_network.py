"""The choice of a network for perivascular spaces in the panel."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.model_store import Model
from DeepMRILib.panel.machine import modelStore

ENGINE, METHOD = "network", "pvs"
IMAGES = {"t1": "T1", "flair": "FLAIR", "t2": "T2"}


class NetworkChoice:
    """The networks on this computer, and why one cannot be used on the chosen images."""

    def __init__(self) -> None:
        self._models: dict[str, Model] = {}
        self.reload()

    def reload(self) -> None:
        """Look again which networks there are: an import, the command line or the user may have added some."""
        try:
            self._models = {model.card.name: model for model in modelStore().list(METHOD)}
        except InputError:  # a folder that cannot be used: the run says so
            self._models = {}

    @property
    def hasOwn(self) -> bool:
        """Whether DeepMRI brings a network along, which is taken where none is chosen."""
        return any(model.shipped for model in self._models.values())

    def names(self) -> list[str]:
        """Of all networks here."""
        return list(self._models)

    def missing(self, parameters: Any) -> str:
        """Why the chosen network cannot be used; "" when it can, or the engine needs none."""
        if parameters.engine != ENGINE:
            return ""
        if not parameters.model:
            return "" if self.hasOwn else _("Choose a network, or import one below.")
        if parameters.model not in self._models:
            gone = _("There is no network {name} on this computer. Choose another, or import it.")
            return gone.format(name=parameters.model)
        return self._refusal(parameters.model, chosenImages(parameters))

    def entries(self, parameters: Any) -> dict[str, tuple[str, str]]:
        """For the combo box: each network with a remark if it does not fit, and why or what it is."""
        entries, images = {}, chosenImages(parameters)
        for name, model in self._models.items():
            refusal = self._refusal(name, images)
            about = _("{source}. Licence: {licence}").format(source=model.card.source, licence=model.card.licence)
            entries[name] = (_("does not fit") if refusal else "", refusal or about)
        return entries

    def _refusal(self, name: str, images: tuple[str, ...]) -> str:
        card = self._models[name].card
        wanted = tuple(map(str, card.preprocessing.get("images", ())))
        if not images or not wanted or set(wanted) == set(images) or self._takesInstead(name, wanted, images):
            return ""
        text = _("The network {name} takes {wanted}, and {given} is chosen.")
        return text.format(name=name, wanted=_listed(wanted), given=_listed(images))

    def _takesInstead(self, name: str, wanted: tuple[str, ...], images: tuple[str, ...]) -> bool:
        """A network for a T1 leaves a FLAIR out; some take an inverted T2 for it."""
        if wanted != ("t1",):
            return False
        return "t1" in images or (images == ("t2",) and bool(self._models[name].card.extra.get("takes_t2", False)))


def chosenImages(parameters: Any) -> tuple[str, ...]:
    """Which images are chosen."""
    nodes = {"t1": parameters.t1Volume, "flair": parameters.flairVolume, "t2": parameters.t2Volume}
    return tuple(name for name, node in nodes.items() if node is not None)


def _listed(images: tuple[str, ...]) -> str:
    return " + ".join(IMAGES.get(name, name) for name in images)
