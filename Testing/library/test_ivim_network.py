"""The IVIM networks: the batched module, the hand-written gradient, and estimates within bounds."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.ivim.bounds import Bounds, TriexpBounds
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.plan import NetworkPlan, plan_for

B = (0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 150.0, 300.0, 500.0, 700.0)
TISSUE = {"D": 0.001, "f": 0.2, "D_star": 0.05}


torch = pytest.importorskip("torch")

from DeepMRILib.ivim.network import IvimNetwork, network_of
from DeepMRILib.ivim.network_apply import estimate
from DeepMRILib.ivim.network_posterior import PosteriorNetwork
from DeepMRILib.ivim.network_step import FlatAdam, Gradient

pytestmark = pytest.mark.torch


def masks_for(plan: NetworkPlan, network: IvimNetwork, n: int) -> list[torch.Tensor]:
    if not plan.dropout:
        return []
    shape = (network.groups, plan.width, n)
    return [(torch.rand(shape) > 0.1).double() / 0.9 for _ in range(plan.depth - 1)]


@pytest.mark.parametrize("preset", ["optim", "orig"])
@pytest.mark.parametrize("model", ["biexp", "triexp"])
@pytest.mark.parametrize("fit_s0", [True, False])
@pytest.mark.parametrize("members", [1, 3])
def test_the_hand_written_gradient_is_that_of_autograd(preset: str, model: str, fit_s0: bool, members: int) -> None:
    plan = plan_for(preset, model, B, fit_s0=fit_s0, members=members)
    torch.manual_seed(0)
    network = IvimNetwork(plan).double().train()
    signals = torch.rand(members, 11, 16, dtype=torch.float64)
    masks = masks_for(plan, network, 16)
    assert sum(value.numel() for value in network.parameters()) == members * plan.parameter_count
    gradient = Gradient(network, 16)
    loss = (network(signals, masks) - signals).square().mean((1, 2)).sum()
    expected = torch.cat([value.flatten() for value in torch.autograd.grad(loss, list(network.parameters()))])
    squares = torch.empty(members, 1, 1, dtype=torch.float64)
    with torch.no_grad():
        found = gradient(signals, masks, squares)
    assert torch.allclose(found, expected, atol=1e-13)
    assert squares.sum() / (11 * 16) == pytest.approx(loss.item())


def test_signals_far_outside_still_have_a_finite_gradient() -> None:
    plan = plan_for("optim", "triexp", (0.0, 10.0, 100.0, 1000.0, 3000.0, 5000.0))
    network = IvimNetwork(plan).train()
    with torch.no_grad():
        network.bias4.fill_(-50.0)  # every rate at the negative end of its widened bounds
    gradient = Gradient(network, 8)
    with torch.no_grad():
        found = gradient(torch.rand(1, 6, 8), [torch.ones(network.groups, 6, 8)] * 3, torch.empty(1, 1, 1))
    assert torch.isfinite(found).all()


def test_adam_on_one_vector_makes_the_steps_of_pytorchs() -> None:
    torch.manual_seed(0)
    start = torch.randn(50, dtype=torch.float64)
    mine, theirs = start.clone(), torch.nn.Parameter(start.clone())
    adam = FlatAdam(mine, torch.full_like(mine, 0.01), 0.1)
    reference = torch.optim.Adam([theirs], lr=0.01, weight_decay=0.1)
    for _ in range(20):
        gradient = torch.randn(50, dtype=torch.float64)
        theirs.grad = gradient.clone()
        reference.step()
        adam.step(gradient)
    assert torch.allclose(mine, theirs.detach(), rtol=1e-12)


def test_each_member_is_the_network_of_its_own_seed() -> None:
    signals = torch.rand(1, 11, 20)
    together = IvimNetwork(plan_for("optim", "biexp", B, members=3, seed=4)).eval()
    alone = IvimNetwork(plan_for("optim", "biexp", B, seed=6)).eval()
    with torch.no_grad():
        found = together.parameters_of(signals.expand(3, -1, -1))
        expected = alone.parameters_of(signals)
    assert torch.allclose(found[2], expected[0], atol=1e-6)
    assert not torch.allclose(found[1], expected[0], atol=1e-3)


# -- estimates ----------------------------------------------------------------------------------------------------


def weights_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def some_signals(n: int = 300, scale: float = 1000.0) -> np.ndarray:
    random = np.random.default_rng(1)
    clean = biexp(
        np.array(B), random.uniform(0.0005, 0.003, n), random.uniform(0, 0.5, n), random.uniform(0.01, 0.1, n)
    )
    return scale * (clean + random.normal(0, 0.03, clean.shape))


@pytest.mark.parametrize("preset", ["default", "optim", "orig"])
@pytest.mark.parametrize("model", ["biexp", "triexp"])
def test_estimates_of_any_weights_are_within_bounds(preset: str, model: str) -> None:
    bounds = Bounds() if model == "biexp" else TriexpBounds()
    plan = plan_for(preset, model, B, members=2)
    network = PosteriorNetwork(plan) if preset == "default" else IvimNetwork(plan)
    signals = some_signals()
    signals[3], signals[4, 2] = 0, np.nan
    found = estimate(signals, plan, weights_of(network), bounds=bounds)
    whole = np.flatnonzero(np.isfinite(found["D"]))
    assert {3, 4}.isdisjoint(whole)
    assert len(whole) > 200
    assert np.isnan(found["D_sd"][[3, 4]]).all()
    start = signals[whole, 0]
    for name, (low, high) in bounds.as_dict().items():
        values = found[name][whole] / (start if name == "S0" else 1)
        assert values.min() >= low - 1e-6
        assert values.max() <= high + 1e-6
        if name != "S0" or plan.fit_s0:
            assert (found[f"{name}_sd"][whole] > 0).all()
    rates = ["D", "D_star"] if model == "biexp" else ["D", "D_star1", "D_star2"]
    for slower, faster in pairwise(rates):
        assert (found[faster][whole] >= found[slower][whole]).all()
    if model == "triexp":
        assert (found["f1"] + found["f2"])[whole].max() <= 1 + 1e-9


def test_compartments_in_the_wrong_order_are_exchanged() -> None:
    """A network that always answers f = 0.2, D* = 0.05, D = 0.001, and one that gives the two the other's names."""
    plan = plan_for("optim", "biexp", B)
    right, exchanged = (
        constant(plan, {"D": D, "f": blood, "D_star": D_star, "S0": tissue})
        for D, D_star, blood, tissue in ((0.001, 0.05, 0.2, 0.8), (0.0065 - 1e-4, 0.001, 0.8, 0.2))
    )
    signals = np.tile(100 * biexp(np.array(B), **TISSUE), (5, 1))
    one, other = (estimate(signals, plan, weights, bounds=Bounds()) for weights in (right, exchanged))
    assert one["D"] == pytest.approx(np.full(5, 0.001), rel=1e-3)
    assert one["S0"] == pytest.approx(np.full(5, 100), rel=1e-3)
    assert other["D"] == pytest.approx(one["D"], rel=1e-3)
    assert other["f"] == pytest.approx(one["f"], rel=1e-3)


def constant(plan: NetworkPlan, values: dict[str, float]) -> dict[str, np.ndarray]:
    """Weights of a network that gives the same parameters for every signal."""
    weights = weights_of(IvimNetwork(plan))
    last = f"{plan.depth}"
    weights[f"weight{last}"] = np.zeros_like(weights[f"weight{last}"])
    part = [(values[name] - plan.reach[name][0]) / np.ptp(plan.reach[name]) for name in plan.outputs]
    weights[f"bias{last}"] = np.log(np.array(part) / (1 - np.array(part))).reshape(1, 4, 1).astype(np.float32)
    return weights


def test_a_fixed_s0_is_the_signal_at_the_lowest_b() -> None:
    plan = plan_for("optim", "biexp", B)
    signals = some_signals(50)
    found = estimate(signals, plan, weights_of(IvimNetwork(plan)), bounds=Bounds(), fit_s0=False)
    whole = np.isfinite(found["D"])
    assert found["S0"][whole] == pytest.approx(signals[whole, 0], rel=1e-5)
    assert np.isnan(found["S0_sd"]).all()


def test_weights_of_another_network_are_refused() -> None:
    plan = plan_for("optim", "biexp", B)
    weights = weights_of(IvimNetwork(plan))
    with pytest.raises(WeightsError, match="do not belong to this IVIM network"):
        network_of(dataclasses.replace(plan, depth=3), weights)
    with pytest.raises(InputError, match="11 b-values do not go with 4 samples"):
        estimate(np.ones((3, 4)), plan, weights, bounds=Bounds())


def test_no_usable_voxel_gives_nan() -> None:
    plan = plan_for("optim", "biexp", B)
    found = estimate(np.full((4, 11), np.nan), plan, weights_of(IvimNetwork(plan)), bounds=Bounds())
    assert set(found) == {"D", "f", "D_star", "S0", "D_sd", "f_sd", "D_star_sd", "S0_sd"}
    assert all(np.isnan(values).all() for values in found.values())
