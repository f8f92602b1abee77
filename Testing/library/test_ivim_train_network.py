"""Training the IVIM networks: what is learned, repeated, interrupted, and refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, WeightsError
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.plan import NetworkPlan, plan_for

torch = pytest.importorskip("torch")

from DeepMRILib import train_run
from DeepMRILib.ivim.network_apply import estimate
from DeepMRILib.ivim.network_data import TrainingSignals
from DeepMRILib.ivim.network_step import FlatAdam
from DeepMRILib.ivim.train_network import Trained, train_network

pytestmark = pytest.mark.torch

B = np.array([0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700.0])
SMALL: dict[str, Any] = {"batch_size": 32, "max_batches": 60, "epochs": 4, "learning_rate": 1e-3}


def simulated(n: int, seed: int = 1, noise: float = 0.05) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    ranges = {"D": (0.0005, 0.003), "f": (0.05, 0.55), "D_star": (0.01, 0.1)}
    truth = {name: random.uniform(*interval, n) for name, interval in ranges.items()}
    clean = biexp(B, **truth)
    return 500 * (clean + random.normal(0, noise, clean.shape)), truth


SIGNALS, _ = simulated(600)


def plan(preset: str = "optim", **changes: Any) -> NetworkPlan:
    return plan_for(preset, "biexp", B, **{**SMALL, **changes})


def small_default(**changes: Any) -> NetworkPlan:
    return plan_for(
        "default", "biexp", B, **{"simulated": 3000, "epochs": 3, "width": 16, "batch_size": 256, **changes}
    )


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def losses(trained: Trained) -> list[tuple]:
    columns = trained.history.columns
    return list(zip(columns["epoch"], columns["loss"], columns["validation_loss"], strict=True))


@pytest.fixture(autouse=True)
def every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_run, "REPORT_SECONDS", 0.0)


# -- what is learned ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "epochs"), [("optim", 25), ("orig", 25)])
def test_a_short_training_beats_the_constant_guess(preset: str, epochs: int) -> None:
    signals, _ = simulated(4000, noise=0.02)
    tests, truth = simulated(1000, seed=2, noise=0.02)
    small = plan(preset, epochs=epochs, learning_rate=3e-3, max_batches=500)
    trained = train_network(signals, small)
    found = estimate(tests, small, trained.weights, bounds=Bounds())
    whole = np.isfinite(found["D"])
    assert whole.mean() > 0.95
    for name in ("D", "f"):
        error = np.square(found[name] - truth[name])[whole].mean()
        assert error < 0.4 * truth[name][whole].var(), name
    assert found["S0"][whole] == pytest.approx(np.full(whole.sum(), 500), rel=0.2)


def test_a_short_default_training_beats_the_constant_guess_and_knows_its_error() -> None:
    signals, _ = simulated(1500, noise=0.02)
    tests, truth = simulated(1000, seed=2, noise=0.02)
    small = small_default(simulated=20_000, epochs=6, width=32)
    found = estimate(tests, small, train_network(signals, small).weights, bounds=Bounds())
    for name in ("D", "f", "D_star"):
        error = found[name] - truth[name]
        assert np.square(error).mean() < 0.7 * truth[name].var(), name
        assert 0.5 < np.mean(np.abs(error) <= found[f"{name}_sd"]) < 0.85, name


def test_it_stops_with_patience_and_keeps_the_best_or_the_last_weights() -> None:
    hasty = plan(patience=2, epochs=200, learning_rate=0.05, keep="best")
    trained = train_network(SIGNALS, hasty)
    curve = trained.history.columns["validation_loss"]
    assert trained.stopped == "patience"
    assert trained.best_epoch == int(np.argmin(curve)) + 1
    assert len(curve) == trained.best_epoch + 2
    shorter = train_network(SIGNALS, dataclasses.replace(hasty, epochs=trained.best_epoch))
    assert same(trained.weights, shorter.weights)
    last = train_network(SIGNALS, dataclasses.replace(hasty, keep="last"))
    assert losses(last) == losses(trained)
    longer = train_network(SIGNALS, dataclasses.replace(hasty, epochs=len(curve), patience=300, keep="last"))
    assert same(last.weights, longer.weights)
    assert not same(last.weights, trained.weights)


def test_plateau_lowers_the_rate_of_a_member_alone() -> None:
    trained = train_network(SIGNALS, plan(plateau=1, patience=50, epochs=14, learning_rate=0.05))
    rates = trained.history.columns["learning_rate"]
    assert rates[0] == pytest.approx(0.05)
    assert rates[-1] < 0.011
    assert rates == sorted(rates, reverse=True)


# -- the same again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [plan, small_default])
def test_the_same_seed_gives_the_same_weights_and_another_does_not(make: Callable[..., NetworkPlan]) -> None:
    one, two, other = (train_network(SIGNALS, make(seed=seed)) for seed in (3, 3, 4))
    assert same(one.weights, two.weights)
    assert losses(one) == losses(two)
    assert not same(one.weights, other.weights)


def test_a_member_of_an_ensemble_is_the_network_trained_alone() -> None:
    """With early stopping: the members stop at epochs of their own."""
    hasty = {"patience": 1, "epochs": 12, "learning_rate": 0.01}
    together = train_network(SIGNALS, plan(members=3, seed=7, **hasty))
    for member in range(3):
        alone = train_network(SIGNALS, plan(seed=7 + member, **hasty))
        assert together.best_epochs[member] == alone.best_epochs[0]
        for name, value in alone.weights.items():
            assert np.allclose(together.weights[name][member], value[0], atol=1e-4), name
    assert len(set(together.best_epochs)) > 1


def test_a_memory_mapped_matrix_gives_what_it_gives_in_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "signals.npy", SIGNALS)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    assert same(train_network(mapped, plan()).weights, train_network(SIGNALS, plan()).weights)


def test_each_signal_is_met_once_in_an_epoch_and_held_ones_never() -> None:
    numbered = np.tile(np.linspace(1, 0.3, 11), (100, 1))
    numbered[:, 5] = 0.4 + np.arange(100) / 1000
    data = TrainingSignals(numbered, plan(members=2, batch_size=15))
    assert data.counts == (90, 10)
    held, learned = data.validation()[:, 5], data.epoch(1)[:, :, 5]
    for member in range(2):
        met = learned[:, member].ravel()
        assert len(set(met.tolist())) == 90
        assert set(met.tolist()).isdisjoint(held[member].tolist())
    assert set(held[0].tolist()) != set(held[1].tolist())
    assert not np.array_equal(learned, data.epoch(2)[:, :, 5])


def test_dropout_leaves_out_as_many_units_as_planned() -> None:
    masks = TrainingSignals(SIGNALS, plan()).masks(1, 0, 20)
    assert masks.shape == (20, 1, 4, 11, 32)
    assert np.mean(masks == 0) == pytest.approx(0.1, abs=0.01)
    assert masks.max() == pytest.approx(1 / 0.9, rel=1e-4)


# -- stopped and taken up again -----------------------------------------------------------------------------------


def stopper(fraction: float) -> Callable[[float, str], None]:
    def progress(done: float, message: str) -> None:
        if done > fraction:
            raise Cancelled

    return progress


@pytest.mark.parametrize(
    "whole_plan", [plan(members=2, epochs=6, plateau=1, learning_rate=0.02), small_default(members=2)]
)
def test_a_stopped_training_goes_on_to_the_same_result(tmp_path: Path, whole_plan: NetworkPlan) -> None:
    whole = train_network(SIGNALS, whole_plan)
    with pytest.raises(Cancelled):
        train_network(SIGNALS, whole_plan, checkpoint=tmp_path / "c", progress=stopper(0.6))
    resumed = train_network(SIGNALS, whole_plan, checkpoint=tmp_path / "c")
    assert same(resumed.weights, whole.weights)
    assert losses(resumed) == losses(whole)
    assert resumed.best_epochs == whole.best_epochs
    again = train_network(SIGNALS, whole_plan, checkpoint=tmp_path / "c")
    assert same(again.weights, whole.weights)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    train_network(SIGNALS, plan(epochs=1), checkpoint=path)
    with pytest.raises(InputError, match="made with learning_rate 0.001, and now it is 0.5"):
        train_network(SIGNALS, plan(learning_rate=0.5), checkpoint=path)
    with pytest.raises(InputError, match="made with signals "):
        train_network(SIGNALS[:300], plan(), checkpoint=path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WeightsError, match="is damaged"):
        train_network(SIGNALS, plan(), checkpoint=path)


def test_a_checkpoint_of_default_goes_on_with_its_own_signals_only(tmp_path: Path) -> None:
    train_network(SIGNALS, small_default(epochs=1), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="was made with "):
        train_network(SIGNALS * 2, small_default(epochs=1), checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match=r"was made with members \d, and now it is 3\."):
        train_network(SIGNALS, small_default(epochs=1, members=3), checkpoint=tmp_path / "c")


def test_a_cancelled_training_stops_within_an_epoch() -> None:
    reports = []

    def progress(done: float, message: str) -> None:
        reports.append((done, message))
        raise Cancelled

    with pytest.raises(Cancelled):
        train_network(SIGNALS, plan(), progress=progress)
    assert len(reports) == 1


# -- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["optim", "default"])
@pytest.mark.parametrize(
    ("signals", "sentence"),
    [
        (SIGNALS[:1], "at least 10 usable signals .* of the 1 given, 1 can be used"),
        (SIGNALS[:0], "of the 0 given, 0 can be used"),
        (np.full((50, 11), np.nan), "of the 50 given, 0 can be used"),
        (SIGNALS[:, :4], "11 b-values do not go with 4 samples"),
    ],
)
def test_signals_that_cannot_be_learned_from_are_refused(preset: str, signals: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        train_network(signals, plan_for(preset, "biexp", B))


def test_given_validation_signals_decide() -> None:
    held, _ = simulated(200, seed=9)
    trained = train_network(SIGNALS, plan(epochs=2), validation=held)
    assert losses(trained) != losses(train_network(SIGNALS, plan(epochs=2)))
    with pytest.raises(InputError, match="None of the 3 validation signals"):
        train_network(SIGNALS, plan(), validation=np.zeros((3, 11)))


def test_a_loss_that_is_no_number_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FlatAdam, "step", lambda self, gradient: self.weights.fill_(float("nan")))
    with pytest.raises(InputError, match="no finite number in epoch 1: .* Lower the learning rate"):
        train_network(SIGNALS, plan())


@pytest.mark.parametrize("model", ["biexp", "triexp"])
def test_every_model_trains_on_protocols_without_b_zero(model: str) -> None:
    b = np.array([10.0, 10, 20, 40, 60, 100, 150])
    signals = 80 * np.exp(-b * 0.002) * np.random.default_rng(0).normal(1, 0.02, (200, 7))
    for preset, changes in (("optim", {}), ("orig", {}), ("default", {"simulated": 2000, "width": 8})):
        small = plan_for(preset, model, b, epochs=1, batch_size=32, **changes)
        trained = train_network(signals, small)
        assert all(np.isfinite(value).all() for value in trained.weights.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("make", [plan, small_default])
def test_cuda_gives_what_the_cpu_gives(make: Callable[..., NetworkPlan]) -> None:
    one, two = (train_network(SIGNALS, make(), device=device) for device in ("cpu", "cuda"))
    assert two.device.startswith("cuda")
    if make is plan:
        assert all(np.allclose(one.weights[name], two.weights[name], atol=1e-3) for name in one.weights)
