"""A trained segmentation network as a model: its folder, its card, and every fault of them."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
from interactive_network import PLAN, a_model, a_plan, one_thread, same_weights, trained

from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.weight_shapes import weight_shapes
from DeepMRILib.model_store import ModelStore

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
_FIXTURES = (trained,)


# -- the model's folder --


def test_a_model_comes_back_as_it_was_and_by_its_name(trained: TrainedModel, tmp_path: Path) -> None:
    folder = trained.save(tmp_path / "net")
    loaded = TrainedModel.load(folder)
    assert same_weights(loaded, trained)
    assert (loaded.plan, loaded.folds, loaded.postprocessing) == (trained.plan, trained.folds, trained.postprocessing)
    assert loaded.history.columns["dice"] == trained.history.columns["dice"]
    assert loaded.scores.columns["case"] == trained.scores.columns["case"]
    assert loaded.sha256 == trained.sha256
    store = ModelStore()
    store.save(loaded.card(), loaded.weights)
    assert same_weights(TrainedModel.load("net-1"), trained)


def test_a_card_holds_no_names_of_cases_and_no_folders(trained: TrainedModel) -> None:
    made = replace(trained.provenance, command="deepmri interactive train /home/somebody")
    text = replace(trained, provenance=made).card().to_json()
    assert not any(words in text for words in ("case_1", "somebody", "workspace"))
    assert "somebody" not in a_model().card().to_json()
    assert "Dice" not in text
    assert json.loads(text)["metrics"]["dice"] == pytest.approx(trained.metrics["dice"])


def test_cases_called_by_numbers_stay_text(trained: TrainedModel, tmp_path: Path) -> None:
    folder = trained.save(tmp_path / "net")
    rows = list(csv.reader((folder / "scores.csv").open()))
    rows[1][0] = "007"
    with (folder / "scores.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    assert TrainedModel.load(folder).scores.columns["case"][0] == "007"


def test_half_the_weights_are_half_the_file_and_nearly_the_same(tmp_path: Path) -> None:
    model = a_model()
    sizes = [
        (one.save(tmp_path / name) / "model.safetensors").stat().st_size
        for name, one in (("whole", model), ("half", model.halved()))
    ]
    assert sizes[1] < 0.8 * sizes[0]
    loaded = TrainedModel.load(tmp_path / "half")
    for name, array in loaded.weights_of(0).items():
        assert array.dtype == np.float32
        assert np.allclose(array, model.weights_of(0)[name], rtol=1e-3, atol=1e-4)


def set_entry(card: dict, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for name in way:
        card = card[name]
    if value is KeyError:
        del card[last]
    else:
        card[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("method", "ivim", "is for ivim, not for interactive"),
        ("extra.kind", "seeds", "is no network for interactive segmentation"),
        ("extra.format", 99, "format 99.*Update DeepMRI"),
        ("extra.format", "x", "format 'x'.*Train it again"),
        ("extra.plan", KeyError, "lacks the entry plan"),
        ("extra.plan", [], "not usable"),
        ("extra.plan.spacing", [1, 1], "three lengths in mm"),
        ("extra.plan.spacing", [1, 1, "x"], "not usable"),
        ("extra.plan.strides", [[1, 1, 1]], "strides"),
        ("extra.plan.heads", 7, "7 heads"),
        ("extra.plan.filters", [2, 3, 10**9], "have the shape"),
        ("extra.plan.filters", [2, 3, 0], "whole numbers above 0"),
        ("extra.plan.kernels", [[3, 3]] * 3, "three whole numbers"),
        ("extra.plan.divisible_by", [3, 4, 4], "multiples of"),
        ("extra.plan.geodesic", "exact", "geodesic map is 'exact'"),
        ("extra.plan.edge_weight", 7, "edge weight is 7"),
        ("extra.plan.labels", ["tumour"], "other labels than its preprocessing"),
        ("extra.plan.surprise", 1, "not usable"),
        ("extra.plan.negative", "yes", "its negative is 'yes'"),
        ("extra.plan.heads", True, "its heads are True"),
        ("extra.plan.strides", 3, "its strides is 3; expected a list"),
        ("extra.plan.strides", [[0, 0, 0]] * 3, "hold a 0"),
        ("extra.plan.strides", [1, 2, 3], "not lists of three"),
        ("extra.plan.channels", [1], "not texts"),
        ("extra.plan.fixed_shape", [0, 1, 1], "its fixed shape is"),
        ("extra.plan.relax", 10**400, "not all finite numbers"),
        ("extra.plan.normalisation", [{"kind": "fixed", "sd": "1"}], "not all finite numbers"),
        ("extra.plan.normalisation", [], "0 normalisations"),
        ("extra.plan.normalisation", [{"kind": "zscore", "sd": 0}], "divides by 0"),
        ("extra.folds", [], "folds are"),
        ("extra.folds", [0, 0], "folds are"),
        ("extra.folds", [0, 5], "unknown weights fold1"),
        ("extra.postprocessing", "magic", "postprocessing is 'magic'"),
        ("extra.provenance", "me", "provenance is a str"),
        ("extra.provenance.job", KeyError, "lacks the entry job"),
        ("extra.provenance.notes", "x", "notes is 'x'"),
        ("preprocessing", {}, "other channels than its preprocessing"),
    ],
)
def test_every_fault_of_a_model_is_one_sentence(path: str, value: Any, words: str, tmp_path: Path) -> None:
    folder = a_model().save(tmp_path / "net")
    card = json.loads((folder / "model.json").read_text())
    set_entry(card, path, value)
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=words) as caught:
        TrainedModel.load(folder)
    assert "\n" not in str(caught.value)


def test_weights_that_are_damaged_or_not_finite(tmp_path: Path) -> None:
    model = a_model()
    name = "fold0.output_block.conv.conv.bias"
    broken = replace(model, weights={**model.weights, name: np.array([math.nan, 0], np.float32)})
    with pytest.raises(WeightsError, match="are no finite numbers"):
        TrainedModel.load(broken.save(tmp_path / "nan"))
    folder = model.save(tmp_path / "net")
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04")
    with pytest.raises(WeightsError):
        TrainedModel.load(folder)


@pytest.mark.parametrize("plan", [PLAN, a_plan(2, 3, heads=1, negative=True)])
def test_the_shapes_told_are_those_of_the_network(plan: Any) -> None:
    expected = {name: tuple(value.shape) for name, value in build(plan).named_parameters()}
    assert weight_shapes(plan) == expected
