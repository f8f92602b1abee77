"""Plans of the IVIM networks and the signals that they are given; no PyTorch is needed for them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.network_input import normalised, usable
from DeepMRILib.ivim.plan import NetworkPlan, plan_for

B = (0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 150.0, 300.0, 500.0, 700.0)
TISSUE = {"D": 0.001, "f": 0.2, "D_star": 0.05}


@pytest.mark.parametrize(
    ("preset", "model", "count"), [("optim", "biexp", 1280), ("optim", "triexp", 1920), ("orig", "biexp", 432)]
)
def test_presets_have_the_published_number_of_weights(preset: str, model: str, count: int) -> None:
    assert plan_for(preset, model, B).parameter_count == count


def test_the_published_bounds_are_widened_as_published() -> None:
    reach = plan_for("optim", "biexp", B).reach
    expected = {"D": (-0.0015, 0.0065), "f": (-0.21, 0.91), "D_star": (-0.0535, 0.2585), "S0": (-0.6, 2.6)}
    assert {name: pytest.approx(interval) for name, interval in reach.items()} == expected


@pytest.mark.parametrize("preset", ["default", "optim", "orig"])
@pytest.mark.parametrize("model", ["biexp", "triexp"])
def test_a_plan_goes_through_json(preset: str, model: str) -> None:
    plan = plan_for(preset, model, B, members=3, seed=5)
    again = NetworkPlan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert again.outputs == plan.outputs


def test_orig_never_fits_s0_and_takes_the_bounds_of_the_caller() -> None:
    plan = plan_for("orig", "biexp", B, Bounds(f=(0.0, 0.5)).as_dict())
    assert not plan.fit_s0
    assert plan.outputs == ("D_star", "f", "D")
    assert plan.bounds["f"] == (0.0, 0.5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"preset": "magic"}, "'magic' is not known; choose one of default, optim, orig"),
        ({"model": "adc"}, "no network for the model 'adc'"),
        ({"b_values": ()}, "none were given"),
        ({"b_values": (0, -5)}, "finite and not negative"),
        ({"width": 0}, "width of an IVIM network is 0"),
        ({"members": 1000}, "members of an IVIM network is 1000"),
        ({"dropout": 1.5}, "dropout of an IVIM network is 1.5"),
        ({"constraint": "relu"}, "choose one of sigmoid, abs"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict, sentence: str) -> None:
    given = {"preset": "optim", "model": "biexp", "b_values": B, **change}
    with pytest.raises(InputError, match=sentence):
        plan_for(given.pop("preset"), given.pop("model"), given.pop("b_values"), **given)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda plan: plan.pop("depth"), "depth does not fit"),
        (lambda plan: plan.update(extra=1), "extra does not fit"),
        (lambda plan: plan.update(depth="2"), "depth of an IVIM network is '2'"),
        (lambda plan: plan.update(bounds={"D": [0, 1, 2]}), "cannot be read"),
        (lambda plan: plan.update(bounds={"D": [0, 0.005]}), "bounds of D_star"),
    ],
)
def test_a_plan_of_a_damaged_file_is_refused(change, sentence: str) -> None:
    plan = plan_for("optim", "biexp", B).to_json()
    change(plan)
    with pytest.raises(InputError, match=sentence):
        NetworkPlan.from_json(plan)


def test_signals_are_relative_to_the_lowest_b_and_rising_ones_left_out() -> None:
    b = np.array(B)
    decay = 300 * biexp(b, **TISSUE)
    rising = decay.copy()
    rising[-3:] = 400
    dark, broken = np.zeros(11), np.where(b == 60, np.nan, decay)
    relative, start = normalised(np.stack([decay, rising, dark, broken]), b)
    assert relative[0] == pytest.approx(biexp(b, **TISSUE), rel=1e-5)
    assert start[0] == pytest.approx(300)
    assert usable(relative, b).tolist() == [True, False, False, False]
    assert usable(relative, b, voxel_filter=False).tolist() == [True, True, False, False]


def test_the_filter_is_numpys_percentile_and_needs_no_high_b() -> None:
    random = np.random.default_rng(0)
    relative = random.uniform(0.9, 1.5, (500, 6)).astype(np.float32)
    b = np.array([0.0, 10, 20, 30, 40, 45])
    assert usable(relative, b).tolist() == (np.percentile(relative, 95, axis=1) < 1.3).tolist()
    assert 0 < usable(relative, b).sum() < 500
