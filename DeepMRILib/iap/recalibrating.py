"""A trained network calibrated anew, on other series than it brought along: one's own, or more of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.iap.calibrating import calibration_of
from DeepMRILib.iap.heads import targets
from DeepMRILib.iap.layout import Layout
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.trained import CALIBRATED, TrainedModel


def recalibrated(trained: TrainedModel, data: SliceSet, device: devices.Device = "auto") -> TrainedModel:
    """The same network with temperatures, scores and the limit of what is outside from these series.

    Sets and intervals then keep their promise for series like these, looked at with about as many slices.

    Args:
        trained: the network; its weights stay as they are.
        data: series with known parameters that it was not trained on.
        device: where it computes.

    Raises:
        InputError: nothing is known of what the network tells.
        DependencyError: PyTorch is not installed.
    """
    layout = Layout.from_json(trained.layout)
    wanted = targets(layout, data.values, len(data), learning=False)
    if not np.isfinite(wanted).any():
        told = ", ".join(layout.by_parameter)
        raise InputError(f"Nothing is known of what this network tells ({told}). Give series with such headers.")
    model = trained.model(device)
    logits, features = model.logits_and_features(data.slices)
    sure = calibration_of(layout, data, logits, features, model.calibration.outside)
    learned = trained.training_data.partition(CALIBRATED)[0]
    made = replace(trained.provenance, inputs={**trained.provenance.inputs, "calibrated_anew_on": sure.series})
    return replace(
        trained,
        provenance=made,
        calibration=sure.to_json(),
        training_data=learned + CALIBRATED + f"{sure.series} series of {len(set(data.patients))} others.",
    )
