"""A trained network for acquisition parameters: what ``iap.train`` returns, its folder, and the network at work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.iap.calibration import Calibration
from DeepMRILib.iap.layout import Layout
from DeepMRILib.iap.options_network import TrainOptions
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import find_model
from DeepMRILib.options import validate
from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.trained import LICENCE, check_kind, checked_provenance, described, from_card, without_paths, write_model

if TYPE_CHECKING:
    from DeepMRILib.iap.network_iap import IAPNetwork

METHOD, KIND, FORMAT = "iap", "iap-net", 2
NETWORK, OUTSIDE = "network.", "outside."
"""What the names of the weights' two kinds of arrays begin with."""
OUTSIDE_NEEDS = (f"{OUTSIDE}middle", f"{OUTSIDE}whitening")
CALIBRATED = "; calibrated on "
"""In a card's words on its data, before those on its calibration."""
PREPROCESSING = {
    "name": "iap",
    "intensity": "from 0, 1 at the 99.5 % quantile, cut off at 1.5",
    "shape": "padded to a square, resized bilinearly with anti-aliasing",
    "cues": "noise, background and aspect of the slice as it came",
}
BATCH = 64


@dataclass(frozen=True, eq=False)
class TrainedModel(Result):
    """A network; its folder is a model (``model.json``, ``model.safetensors``).

    Attributes:
        name: in lists of models.
        layout: what its outputs stand for, as ``Layout.to_json`` gives it.
        design: ``size`` of its images and ``channels``.
        weights: ``network.<name>`` of the network and ``outside.<name>`` of the statistics of ``outside``, to array.
        calibration: ``Calibration.to_json`` without the arrays of ``outside``.
        licence, source, training_data: what the model's card says.
        metrics: how well it did, name to number.
        history: the loss curve, a row for each epoch: ``epoch``, ``loss``, ``held_out_loss``, ``learning_rate``,
            ``seconds``.
        parts: who was in which part: ``part``, ``patients``, ``series``, ``slices``.
    """

    name: str
    layout: list[dict[str, Any]]
    design: dict[str, Any]
    weights: dict[str, NDArray] = field(repr=False)
    calibration: dict[str, Any] = field(repr=False, default_factory=dict)
    licence: str = LICENCE
    source: str = ""
    training_data: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    history: Table = field(default_factory=lambda: Table({}))
    parts: Table = field(default_factory=lambda: Table({}))

    def model(self, device: devices.Device = "auto") -> IAPModel:
        """The network ready for work."""
        return IAPModel(self, device)

    def card(self) -> ModelCard:
        """Its description, without paths of this computer."""
        parameters = Path(self.provenance.options.get("parameters", "")).name
        return described(
            self,
            METHOD,
            preprocessing=PREPROCESSING,
            extra={
                "kind": KIND,
                "format": FORMAT,
                "design": self.design,
                "layout": self.layout,
                "calibration": self.calibration,
                "provenance": without_paths(self.provenance, checkpoint="", parameters=parameters),
            },
        )

    def write_files(self, folder: Path) -> None:
        """The model's two files, and those of any result."""
        # The card holds the calibration: it gets no file of its own.
        Result.write_files(replace(write_model(self, folder), calibration=None), folder)

    @classmethod
    def load(cls, place: Path | str) -> TrainedModel:
        """The network in a model's folder, or the model of that name on this computer, without curve and parts.

        Raises:
            WeightsError: no such model, one of another kind or of a newer version, or damaged.
            InputError: neither a folder nor a name.
            DependencyError: safetensors is not installed.
        """
        stored = find_model(place, METHOD)
        card, extra = stored.card, stored.card.extra
        check_kind(card, KIND, FORMAT)
        try:
            made = checked_provenance(extra["provenance"], card.sha256)
            float(Calibration.from_json(extra["calibration"]).outside["limit"])
            Layout.from_json(extra["layout"])
            design = _design(extra["design"])
        except (InputError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"The model.json of {card.name} is damaged ({error}). Get the model again.") from error
        weights = stored.load_weights()
        if missing := next((name for name in OUTSIDE_NEEDS if name not in weights), None):
            raise WeightsError(f"The weights of {card.name} lack {missing}. Get the model again.")
        return cls(
            provenance=made,
            **from_card(card),
            layout=extra["layout"],
            design=design,
            weights=weights,
            calibration=dict(extra["calibration"]),
        )


def _design(given: Mapping[str, Any]) -> dict[str, Any]:
    """A network's size and channels, within what a training allows: more could fill the memory."""
    size, channels = int(given["size"]), [int(one) for one in given["channels"]]
    validate(TrainOptions(size=size, channels=tuple(channels)))
    return {"size": size, "channels": channels}


class IAPModel:
    """A network of ours at work: see ``model.Model`` for what it offers.

    Args:
        trained: the network.
        device: where it computes.

    Raises:
        WeightsError: weights that do not fit its design.
        DependencyError: PyTorch is not installed.
    """

    def __init__(self, trained: TrainedModel, device: devices.Device = "auto") -> None:
        require("torch", "Telling parameters from images")
        self.name, self.training_data = trained.name, trained.training_data
        self.layout = Layout.from_json(trained.layout)
        self.weights_sha256 = trained.provenance.weights_sha256 or ""
        self.notes = trained.provenance.notes
        self.size = int(trained.design["size"])
        self.calibration = _calibration(trained)
        self.device = devices.resolve(device)
        self._network = _network(trained, self.layout.outputs).to(self.device).eval()

    @classmethod
    def load(cls, place: Path | str, *, device: devices.Device = "auto") -> IAPModel:
        """The model in a folder, or of that name; see ``TrainedModel.load``."""
        return cls(TrainedModel.load(place), device)

    def logits(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, outputs) float32."""
        return self.logits_and_features(slices)[0]

    def features(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, f) float32: the mean of each feature of each depth, and the cues."""
        return self.logits_and_features(slices)[1]

    def logits_and_features(self, slices: Sequence[NDArray]) -> tuple[NDArray, NDArray]:
        """Both at once.

        Raises:
            InputError: no slices, or one that is not 2D.
            DeviceMemoryError: the device's memory does not suffice.
        """
        from DeepMRILib.iap.network_iap import forward

        if not len(slices) or any(np.ndim(one) != 2 or not np.size(one) for one in slices):
            raise InputError("Give one slice or more, each a 2D array of grey values (rows, columns).")
        with devices.out_of_memory_as_error(self.device, f"Looking at {BATCH} slices at once", "Give fewer slices."):
            parts = [
                forward(self._network, slices[start : start + BATCH], self.size, self.device)
                for start in range(0, len(slices), BATCH)
            ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _calibration(trained: TrainedModel) -> Calibration:
    known = Calibration.from_json(trained.calibration)
    arrays = {name.removeprefix(OUTSIDE): array for name, array in trained.weights.items() if name.startswith(OUTSIDE)}
    return replace(known, outside={**known.outside, **arrays})


def _network(trained: TrainedModel, outputs: int) -> IAPNetwork:
    import torch

    from DeepMRILib.iap.network_iap import IAPNetwork

    network = IAPNetwork(tuple(trained.design["channels"]), outputs)
    state = {
        name.removeprefix(NETWORK): torch.from_numpy(np.array(array, order="C"))
        for name, array in trained.weights.items()
        if name.startswith(NETWORK)
    }
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"The weights of {trained.name} do not fit its design. Get the model again.") from error
    return network
