"""Answers that neither agree nor disagree: of another sequence than the header's, without interval, of an empty set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from iap_models import HalvesModel, row_of, siemens_slices, write_nifti

from DeepMRILib import iap

DOUBTED = "Told as of a sequence SE, which the image shows, but is not sure of or the header contradicts."


class Sequences(HalvesModel):
    """The brighter left half is a spin echo's; each sequence has echo times of its own."""

    def __init__(self) -> None:
        super().__init__(calibrated=False)
        self.layout = iap.Layout(
            (
                iap.Head("sequence", "categorical", 0, 2, ("GR", "SE")),
                iap.Head("echo_time", "continuous", 2, 4, mean=5.0, only=("sequence", ("GR",))),
                iap.Head("echo_time", "continuous", 4, 6, mean=80.0, only=("sequence", ("SE",))),
            )
        )

    def _one(self, image: np.ndarray) -> np.ndarray:
        return np.array([*super()._one(image)[[0, 2]], 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("sidecar", "source", "value", "note"),
    [
        ({"ScanningSequence": "GR"}, "image", 80.0, DOUBTED),
        ({"ScanningSequence": "SE"}, "image", 80.0, ""),
        ({"ScanningSequence": "GR"}, "header", 5.0, "Told as of a sequence GR, which the header says."),
        ({"ScanningSequence": "EP"}, "header", 80.0, DOUBTED),
        ({}, "header", 80.0, ""),
    ],
)
def test_the_headers_sequence_may_decide_for_which_one_times_are_told(tmp_path, sidecar, source, value, note):
    path = write_nifti(tmp_path, "scan", siemens_slices(), json.dumps({"Modality": "MR", **sidecar}))
    result = iap.predict(path, Sequences(), iap.PredictOptions(sequence=source))
    assert row_of(result, "sequence")["predicted"] == "SE"
    echo = row_of(result, "echo_time")
    assert (echo["predicted"], echo["note"]) == (value, note)


def test_a_time_of_another_sequence_than_the_headers_neither_agrees_nor_disagrees(tmp_path):
    for sequence, verdict in (("SE", "disagree"), ("GR", "unsure")):
        sidecar = json.dumps({"Modality": "MR", "ScanningSequence": sequence, "EchoTime": 0.5})
        path = write_nifti(tmp_path, sequence, siemens_slices(), sidecar)
        assert row_of(iap.predict(path, Sequences()), "echo_time")["verdict"] == verdict


def test_a_number_with_too_few_series_for_an_interval_rules_nothing_out(tmp_path):
    model = HalvesModel()
    heads = {head.name: iap.HeadCalibration(1.0, (0.1, 0.2)) for head in model.layout.heads}
    model.calibration = iap.Calibration(heads, model.calibration.outside, 2)
    path = write_nifti(tmp_path, "scan", siemens_slices(), json.dumps({"Modality": "MR", "EchoTime": 0.5}))
    echo = row_of(iap.predict(path, model), "echo_time")
    assert (echo["verdict"], echo["low"], echo["high"]) == ("unsure", None, None)
    assert "too few series" in echo["note"]


class Torn(HalvesModel):
    """To whom all vendors are nearly as likely."""

    def _one(self, image: np.ndarray) -> np.ndarray:
        found = super()._one(image)
        found[:3] = 0.1, 0, 0
        return found


def test_a_class_whose_set_is_empty_neither_agrees_nor_disagrees(tmp_path):
    model = Torn()
    heads = {head.name: iap.HeadCalibration(1.0, (0.01,) * 60) for head in model.layout.heads}
    model.calibration = iap.Calibration(heads, model.calibration.outside, 60)
    for name in ("GE", "Siemens", "Philips"):
        path = write_nifti(tmp_path, name, siemens_slices(), json.dumps({"Modality": "MR", "Manufacturer": name}))
        vendor = row_of(iap.predict(path, model), "manufacturer")
        assert vendor["probability"] < 0.5
        assert vendor["verdict"] == "unsure"
