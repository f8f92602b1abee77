"""A training that is cancelled or killed goes on with the same bits; two processes make the steps of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, OutputError, WeightsError
from DeepMRILib.training import TrainOptions, train

torch = pytest.importorskip("torch")
import training_job as job

from DeepMRILib import train_run

pytestmark = pytest.mark.torch
FOLDER, ROOT = Path(__file__).parent, Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def one_thread_and_every_step_reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Bits are compared, and a small network is slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(train_run, "REPORT_SECONDS", 0.0)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("changes", [job.RESUMED, {"optimizer": "sgd", "schedule": "poly", "accumulate": 2}])
@pytest.mark.parametrize("where", [0.1, 2, 3.5, 4.98])
def test_a_cancelled_training_goes_on_with_the_same_bits(tmp_path: Path, changes: dict, where: float) -> None:
    whole = job.run(changes, dropout=0.3)
    with pytest.raises(Cancelled):
        job.run(changes, dropout=0.3, checkpoint=tmp_path / "c", progress=job.stopper(where, job.cancel))
    resumed = job.run(changes, dropout=0.3, checkpoint=tmp_path / "c")
    assert job.losses(resumed) == job.losses(whole)
    assert len({epoch.learning_rate for epoch in whole.history}) > 1
    assert job.same(resumed.last_weights, whole.last_weights)
    assert job.same(resumed.best_weights, whole.best_weights)


def test_a_model_that_was_cancelled_with_can_be_used_again(tmp_path: Path) -> None:
    model, data = job.a_network(), job.some_data(35)
    options = TrainOptions(**{**job.SETTINGS, "accumulate": 3})
    whole = job.run({"accumulate": 3})
    given = {"validation": job.some_data(7, 1), "checkpoint": tmp_path / "c"}
    with pytest.raises(Cancelled):
        train(model, data, job.squared_error, options, progress=job.stopper(1.3, job.cancel), **given)
    assert any(weight.grad is not None for weight in model.parameters())
    result = train(model, data, job.squared_error, options, **given)
    assert job.same(result.last_weights, whole.last_weights)


def test_cancel_is_seen_in_validation() -> None:
    def stop(fraction: float, message: str) -> None:
        if "validation" in message:
            raise Cancelled

    seen = []

    def loss(model: torch.nn.Module, batch: Any) -> torch.Tensor:
        seen.append(len(batch[0]))
        return torch.ones(())

    with pytest.raises(Cancelled):
        job.run({"validation_batch_size": 2}, validation_loss=loss, progress=stop)
    assert seen == [2]


def test_a_killed_training_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "training_job.py"), "kill_me", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=an_environment(), text=True) as process:
        assert process.stdout.readline() == "in the middle\n"
        process.kill()
    assert process.returncode != 0
    saved = torch.load(tmp_path / "run.ckpt", weights_only=True)
    assert len(saved["history"]) == 2  # checkpoint_every is 2, and it was in epoch 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.ckpt"]
    resumed = job.run(job.RESUMED, dropout=0.3, checkpoint=tmp_path / "run.ckpt")
    whole = job.run(job.RESUMED, dropout=0.3)
    assert job.losses(resumed) == job.losses(whole)
    assert job.same(resumed.last_weights, whole.last_weights)


def an_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def test_a_finished_training_is_returned_and_can_be_lengthened(tmp_path: Path) -> None:
    whole = job.run({}, dropout=0.3)
    job.run({"epochs": 4}, dropout=0.3, checkpoint=tmp_path / "c")
    longer = job.run({}, dropout=0.3, checkpoint=tmp_path / "c")
    assert job.same(longer.last_weights, whole.last_weights)
    reports = []
    again = job.run({}, dropout=0.3, checkpoint=tmp_path / "c", progress=lambda *report: reports.append(report))
    assert reports == []
    assert job.losses(again) == job.losses(whole)
    assert job.same(again.best_weights, whole.best_weights)


def train_another_network(path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.Tanh(), torch.nn.Identity(), torch.nn.Linear(3, 2))
    data = {"data": job.some_data(35), "validation": job.some_data(7, 1)}
    train(model, loss=job.squared_error, options=TrainOptions(**job.SETTINGS), checkpoint=path, **data)


@pytest.mark.parametrize(
    ("again", "sentence"),
    [
        (
            lambda path: job.run({"learning_rate": 0.5}, checkpoint=path),
            "made with learning_rate 0.01, and now it is 0.5",
        ),
        (lambda path: job.run({"seed": 5}, checkpoint=path), "made with seed 4, and now it is 5"),
        (lambda path: job.run({}, samples=40, checkpoint=path), "35 and 7 samples .* now there are 40 and 7"),
        (train_another_network, "of another network: its weights '0.bias' differ"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path, again: Callable, sentence: str) -> None:
    path = tmp_path / "c"
    job.run({"epochs": 1}, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=sentence + ".* choose another checkpoint file"):
        again(path)
    assert path.read_bytes() == before


def test_what_a_caller_says_must_be_the_same(tmp_path: Path) -> None:
    def run(digest: str, **settings: int) -> None:
        options = TrainOptions(**{**job.SETTINGS, "epochs": 1, **settings})
        same = {"data": digest}
        train(job.a_network(), job.some_data(9), job.squared_error, options, checkpoint=tmp_path / "c", same=same)

    run("abc")
    with pytest.raises(InputError, match="made with data abc, and now it is abd"):
        run("abd")
    run("abc", epochs=2)


def test_a_poly_training_cannot_be_lengthened(tmp_path: Path) -> None:
    job.run({"schedule": "poly", "epochs": 2}, checkpoint=tmp_path / "c")
    with pytest.raises(InputError, match="made with epochs 2, and now it is 6"):
        job.run({"schedule": "poly"}, checkpoint=tmp_path / "c")


def test_a_damaged_checkpoint_or_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    job.run({"epochs": 1}, checkpoint=path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="is damaged"):
        job.run({}, checkpoint=path)
    torch.save({"weights": torch.ones(1)}, path)
    with pytest.raises(InputError, match="is no checkpoint of this version"):
        job.run({}, checkpoint=path)


def test_a_place_that_cannot_be_written_is_said_before_the_first_step(tmp_path: Path) -> None:
    reports = []
    with pytest.raises(OutputError, match="The folder .*absent does not exist"):
        job.run({}, checkpoint=tmp_path / "absent" / "c", progress=lambda *report: reports.append(report))
    assert reports == []


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c"
    whole = job.run({})
    job.run({"epochs": 2}, checkpoint=path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="cannot be written: the disk is full"):
        job.run({}, checkpoint=path)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["c"]
    assert job.same(job.run({}, checkpoint=path).last_weights, whole.last_weights)


# -- several processes --------------------------------------------------------------------------------------------


def test_two_processes_make_the_steps_of_one(tmp_path: Path) -> None:
    """One launch of torchrun: a whole training, one cancelled and resumed, one stopped early."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    command = [*launch, str(FOLDER / "training_job.py"), "parallel", str(tmp_path)]
    done = subprocess.run(command, check=False, env=an_environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    summaries = [json.loads((tmp_path / f"summary{rank}.json").read_text()) for rank in (0, 1)]
    weights = [torch.load(tmp_path / f"weights{rank}.pt", weights_only=True) for rank in (0, 1)]

    alone = job.run({})
    for mine in weights:
        for way in ("whole", "resumed"):
            assert all(torch.allclose(alone.last_weights[n], mine[way][n], atol=1e-5) for n in alone.last_weights)
    assert job.same(weights[0]["whole"], weights[1]["whole"])
    assert job.same(weights[0]["whole"], weights[0]["resumed"])
    for summary in summaries:
        assert summary["cancelled"]
        assert summary["stopped"] == "patience"
        assert np.allclose(summary["losses"], [(e.loss, e.validation_loss) for e in alone.history], atol=1e-5)
    assert summaries[0]["early"] == summaries[1]["early"]
    # A batch norm's running means end alike, and a NaN that only one process meets stops both.
    assert job.same(weights[0]["normed"], weights[1]["normed"])
    assert all("training loss in epoch 1, step " in summary["poisoned"] for summary in summaries)
    # Only the first process reports and writes.
    assert summaries[0]["reports"] > 6
    assert summaries[1]["reports"] == 0
    assert (tmp_path / "0.ckpt").exists()
    assert not (tmp_path / "1.ckpt").exists()
