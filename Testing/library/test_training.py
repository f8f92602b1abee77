"""The training loop: it learns, stops in time, takes data of many kinds, and says what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, DeviceMemoryError, InputError
from DeepMRILib.training import TrainOptions, train

torch = pytest.importorskip("torch")
import training_job as job

from DeepMRILib import train_run
from DeepMRILib.train_data import Batches, epoch_order, to_device

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def one_thread_and_every_step_reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bits are compared, and a small network is slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(train_run, "REPORT_SECONDS", 0.0)
    yield
    torch.set_num_threads(threads)


class Scripted:
    """A validation loss that is given beforehand, one for each epoch of a single batch."""

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def __call__(self, model: torch.nn.Module, batch: Any) -> torch.Tensor:
        return torch.tensor(self.values.pop(0))


def scripted(values: list[float], **changes: Any) -> Any:
    return job.run({"epochs": len(values), **changes}, validation_loss=Scripted(*values))


# -- what is learnt -----------------------------------------------------------------------------------------------


def test_a_linear_map_is_found() -> None:
    random = np.random.default_rng(0)
    truth, inputs = np.array([[1.0, -2.0, 0.5]]), random.normal(size=(500, 3))
    model = torch.nn.Linear(3, 1)
    options = TrainOptions(device="cpu", epochs=40, batch_size=25, learning_rate=0.02)
    result = train(model, (inputs, inputs @ truth.T + 3), job.squared_error, options)
    assert not model.training
    assert np.allclose(model.weight.detach(), truth, atol=1e-3)
    assert model.bias.item() == pytest.approx(3, abs=1e-3)
    assert result.history[0].validation_loss is None
    assert result.best_loss == min(epoch.loss for epoch in result.history)
    assert result.device == "cpu"
    assert [epoch.number for epoch in result.history] == list(range(1, len(result.history) + 1))


def test_it_stops_when_the_loss_no_longer_falls_and_keeps_the_best_weights() -> None:
    result = job.run({"epochs": 20, "patience": 3}, validation_loss=Scripted(5, 4, 3, 3.5, 3, 9, 1))
    assert (result.stopped, result.best_epoch, len(result.history), result.best_loss) == ("patience", 3, 6, 3)
    assert job.same(result.best_weights, job.run({"epochs": 3}).last_weights)
    assert job.same(result.last_weights, job.run({"epochs": 6}).last_weights)


def test_an_improvement_below_min_delta_does_not_count() -> None:
    assert scripted([5, 4.95, 4.91, 4.8, 4.75]).best_epoch == 5
    assert scripted([5, 4.95, 4.91, 4.8, 4.75], min_delta=0.1).best_epoch == 4


@pytest.mark.parametrize("restore_best", [True, False])
def test_the_model_holds_the_best_or_the_last_weights(restore_best: bool) -> None:
    model, data = job.a_network(), job.some_data(7)
    options = TrainOptions(device="cpu", epochs=3, batch_size=8, restore_best=restore_best)
    result = train(model, data, job.squared_error, options, validation=data, validation_loss=Scripted(1, 2, 3))
    assert result.best_epoch == 1
    assert job.same(model.state_dict(), result.best_weights if restore_best else result.last_weights)
    assert not job.same(result.best_weights, result.last_weights)
    assert not model.training


def test_plateau_lowers_the_rate() -> None:
    changes = {"schedule": "plateau", "plateau_patience": 1, "plateau_factor": 0.5, "learning_rate": 0.08}
    result = scripted([5, 4, 4, 4, 3, 3, 3, 3], **changes)
    assert [epoch.learning_rate for epoch in result.history] == [0.08, 0.08, 0.08, 0.08, 0.04, 0.04, 0.04, 0.02]


def test_plateau_can_go_back_to_the_best_weights() -> None:
    changes = {"schedule": "plateau", "plateau_patience": 0}
    stays = scripted([1, 2], **changes)
    returns = scripted([1, 2], plateau_from_best=True, **changes)
    assert job.same(returns.last_weights, returns.best_weights)
    assert not job.same(stays.last_weights, stays.best_weights)


def test_poly_lets_the_rate_fall_to_zero() -> None:
    result = job.run({"schedule": "poly", "epochs": 4, "learning_rate": 0.1})
    expected = [0.1 * (1 - epoch / 4) ** 0.9 for epoch in range(4)]
    assert [epoch.learning_rate for epoch in result.history] == pytest.approx(expected)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_learns_and_decays_weights(optimizer: str) -> None:
    result = job.run({"optimizer": optimizer})
    assert result.history[-1].loss < 0.8 * result.history[0].loss
    decayed = job.run({"optimizer": optimizer, "weight_decay": 5.0})
    size = [sum(weight.norm() for weight in each.last_weights.values()) for each in (result, decayed)]
    assert size[1] < size[0]


def test_the_gradient_is_clipped() -> None:
    changes = {"optimizer": "sgd", "momentum": 0, "learning_rate": 1.0, "batch_size": 35, "epochs": 1}
    start = job.a_network().state_dict()

    def step(clip: float) -> float:
        weights = job.run({**changes, "clip_gradient": clip}).last_weights
        return torch.cat([(weights[name] - start[name]).ravel() for name in start]).norm().item()

    assert step(0.0) > 0.1
    assert step(0.01) == pytest.approx(0.01, rel=1e-3)


def test_accumulated_batches_make_one_step() -> None:
    whole = job.run({"batch_size": 16}, samples=32)
    parts = job.run({"batch_size": 4, "accumulate": 4}, samples=32)
    assert all(torch.allclose(whole.last_weights[n], parts.last_weights[n], atol=1e-6) for n in whole.last_weights)


def test_an_incomplete_group_of_batches_is_a_step_of_its_own() -> None:
    """Five samples, one a batch, four batches a step: gradient descent by hand, on four samples and on the last."""
    changes = {"optimizer": "sgd", "momentum": 0, "learning_rate": 0.1, "batch_size": 1, "accumulate": 4, "epochs": 1}
    result = job.run(changes, samples=5)
    model, (inputs, targets) = job.a_network(), job.some_data(5)
    order = epoch_order(5, 0, job.SETTINGS["seed"], epoch=1)
    for group in (order[:4], order[4:]):
        batch = [torch.from_numpy(part[group]).float() for part in (inputs, targets)]
        gradients = torch.autograd.grad(job.squared_error(model, batch), list(model.parameters()))
        with torch.no_grad():
            for weight, gradient in zip(model.parameters(), gradients, strict=True):
                weight.sub_(0.1 * gradient)
    assert all(torch.allclose(result.last_weights[n], value, atol=1e-6) for n, value in model.state_dict().items())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_half_precision_on_cuda_learns_and_resumes(tmp_path: Path) -> None:
    changes = {"device": "cuda", "mixed_precision": True}
    whole = job.run(changes)
    assert whole.device.startswith("cuda")
    assert whole.history[-1].loss < 0.8 * whole.history[0].loss
    with pytest.raises(Cancelled):
        job.run(changes, checkpoint=tmp_path / "c", progress=job.stopper(2.5, job.cancel))
    resumed = job.run(changes, checkpoint=tmp_path / "c")
    assert resumed.best_loss == pytest.approx(whole.best_loss, rel=0.05)


# -- random numbers and data --------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_result_and_another_does_not() -> None:
    one, two, other = (job.run({"seed": seed}, dropout=0.3) for seed in (4, 4, 5))
    assert job.same(one.last_weights, two.last_weights)
    assert job.losses(one) == job.losses(two)
    assert not job.same(one.last_weights, other.last_weights)


def test_every_epoch_has_each_sample_once_in_another_order() -> None:
    first, second = (epoch_order(50, 0, seed=1, epoch=epoch) for epoch in (1, 2))
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()
    part = epoch_order(50, 12, seed=1, epoch=1)
    assert len(set(part.tolist())) == 12
    assert epoch_order(50, 12, seed=1, epoch=2).tolist() != part.tolist()


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n", [1, 7, 8, 9, 16, 33])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_processes_share_each_batch(n: int, size: int, drop_last: bool) -> None:
    parts = [Batches(np.arange(n), 8, drop_last, rank, size) for rank in range(size)]
    expected = n - n % 8 if drop_last and n > 8 else n
    seen = []
    for number, batches in enumerate(zip(*parts, strict=True)):
        counts = [part.counts(number) for part in parts]
        assert len({whole for _, whole in counts}) == 1
        assert sum(mine for mine, _ in counts) == counts[0][1]
        for batch, (mine, _) in zip(batches, counts, strict=True):
            assert len(batch) == max(mine, 1)
            seen += batch[:mine]
    assert sorted(seen) == list(range(expected))
    assert {len(part) for part in parts} == {-(-expected // 8)}


def recorded(data: Any, *, collate: Callable | None = None, **changes: Any) -> list[torch.Tensor]:
    """The batches that a loss is given in one epoch."""
    batches = []

    def loss(model: torch.nn.Module, batch: Any) -> torch.Tensor:
        batches.append(batch)
        return model(torch.ones(1, 2)).sum() ** 2

    options = TrainOptions(**{"device": "cpu", "epochs": 1, "batch_size": 4, **changes})
    train(torch.nn.Linear(2, 1), data, loss, options, collate=collate)
    return batches


def test_a_memory_mapped_matrix_is_read_by_rows(tmp_path: Path) -> None:
    matrix = np.arange(60, dtype=">f8").reshape(20, 3)
    np.save(tmp_path / "signals.npy", matrix)
    mapped = np.load(tmp_path / "signals.npy", mmap_mode="r")
    batches = recorded(mapped)
    assert [tuple(batch.shape) for batch in batches] == [(4, 3)] * 5
    assert batches[0].dtype == torch.float32
    assert sorted(torch.cat(batches)[:, 0].tolist()) == matrix[:, 0].tolist()
    assert len(recorded(mapped, max_batches_per_epoch=2)) == 2
    assert [len(batch) for batch in recorded(mapped[:10])] == [4, 4, 2]
    assert [len(batch) for batch in recorded(mapped[:10], drop_last=True)] == [4, 4]
    assert [len(batch) for batch in recorded(mapped[:3], drop_last=True)] == [3]


def test_arrays_keep_their_kind_of_number() -> None:
    arrays = (
        np.ones((4, 2), np.complex128),
        np.ones(4, ">i2"),
        torch.ones(4, dtype=torch.float64),
        torch.ones(4).int(),
    )
    (batch,) = recorded(arrays)
    assert [part.dtype for part in batch] == [torch.complex64, torch.int16, torch.float32, torch.int32]
    assert batch[0].shape == (4, 2)


class Cases(torch.utils.data.Dataset):
    """Samples as dictionaries, with random augmentation in MONAI's manner."""

    def __init__(self) -> None:
        self.transform = self
        self.random = np.random.RandomState()

    def set_random_state(self, seed: int) -> None:
        self.random = np.random.RandomState(seed)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"image": torch.full((1, 2), float(index)), "noise": self.random.rand(), "name": f"case {index}"}


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_of_dictionaries_is_augmented_alike_each_time(workers: int) -> None:
    one, two = (recorded(Cases(), workers=workers) for _ in range(2))
    assert [batch["name"] for batch in one] == [batch["name"] for batch in two]
    assert one[0]["image"].shape == (4, 1, 2)
    noise = [torch.cat([batch["noise"] for batch in each]) for each in (one, two)]
    assert torch.equal(noise[0], noise[1])
    assert len(set(noise[0].tolist())) == 8
    other = torch.cat([batch["noise"] for batch in recorded(Cases(), workers=workers, seed=1)])
    assert not torch.equal(noise[0], other)


def test_samples_of_different_sizes_are_collated_as_asked() -> None:
    batches = recorded([torch.ones(n) for n in range(1, 9)], collate=list)
    assert [len(batch) for batch in batches] == [4, 4]
    assert sorted(len(sample) for batch in batches for sample in batch) == list(range(1, 9))


def test_a_batch_of_any_shape_is_moved() -> None:
    from typing import NamedTuple

    class Pair(NamedTuple):
        a: Any
        b: Any

    moved = to_device({"x": [torch.ones(1), (torch.ones(2),)], "p": Pair(torch.ones(3), "name")}, "meta")
    assert moved["x"][0].device.type == moved["x"][1][0].device.type == moved["p"].a.device.type == "meta"
    assert moved["p"].b == "name"


# -- bad input ----------------------------------------------------------------------------------------------------


def frozen() -> torch.nn.Module:
    return job.a_network().requires_grad_(False)


INPUTS, TARGETS = job.some_data(20)
GOOD = {"model": job.a_network, "data": (INPUTS, TARGETS), "validation": None, "settings": {}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data": (INPUTS[:0], TARGETS[:0])}, "training data are empty"),
        ({"data": []}, "training data are empty"),
        ({"validation": (INPUTS[:0], TARGETS[:0])}, "validation data are empty"),
        ({"data": (INPUTS, TARGETS[:9])}, r"arrays of \[20, 9\] samples"),
        ({"data": iter([1])}, "are a list_iterator; expected an array"),
        ({"model": frozen}, "no weights that may be trained"),
        ({"data": (INPUTS * np.nan, TARGETS)}, "training loss in epoch 1, step 1 is nan: .* Lower the learning rate"),
        ({"validation": (INPUTS * np.inf, TARGETS)}, "validation loss in epoch 1 is nan"),
        ({"settings": {"learning_rate": 10.0, "optimizer": "sgd"}}, r"loss in epoch \d+, step \d+ is (inf|nan)"),
        ({"settings": {"batch_size": 0}}, "batch_size is 0"),
        ({"settings": {"optimizer": "magic"}}, "optimizer is 'magic'; choose one of"),
        ({"settings": {"device": "mps"}}, "device mps was asked for"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(change: dict, sentence: str) -> None:
    if change.get("settings", {}).get("device") == "mps" and torch.backends.mps.is_available():
        pytest.skip("this computer has the device")
    given = {**GOOD, **change}
    options = TrainOptions(**{"device": "cpu", "epochs": 30, "batch_size": 8, **given["settings"]})
    with pytest.raises(InputError, match=sentence):
        train(given["model"](), given["data"], job.squared_error, options, validation=given["validation"])


def test_too_little_memory_is_said() -> None:
    def hungry(model: torch.nn.Module, batch: Any) -> torch.Tensor:
        return model(torch.empty(2**48, 5)).sum()

    with pytest.raises(DeviceMemoryError, match=r"Training with batches of 8 needs more memory .* Use smaller batches"):
        train(job.a_network(), INPUTS, hungry, TrainOptions(device="cpu", batch_size=8))


def test_the_time_is_written_down() -> None:
    def slow(model: torch.nn.Module, batch: Any) -> torch.Tensor:
        time.sleep(0.05)
        return job.squared_error(model, batch)

    result = train(job.a_network(), job.some_data(2), slow, TrainOptions(device="cpu", epochs=1))
    assert 0.05 <= result.history[0].seconds < 5
