"""A damaged checkpoint is refused and never leads to another result; one training at a time writes to it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from DeepMRILib.errors import Cancelled, InputError, OutputError, WeightsError

torch = pytest.importorskip("torch")
import training_job as job

from DeepMRILib import train_checkpoint as checkpoints
from DeepMRILib import train_lock, train_run

pytestmark = pytest.mark.torch
FOLDER, ROOT = Path(__file__).parent, Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def one_thread_and_every_step_reported(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(train_run, "REPORT_SECONDS", 0.0)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    job.run({"epochs": 2}, checkpoint=tmp_path / "c")
    return tmp_path / "c"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_damaged_checkpoint_is_refused_or_leads_to_the_same_result(checkpoint: Path) -> None:
    """Bytes that are flipped anywhere: a result may come only when they were of no account."""
    whole = checkpoint.read_bytes()
    expected, refused = job.run({"epochs": 3}), 0
    for seed in range(150):
        draw, changed = random.Random(seed), bytearray(whole)
        for _ in range(draw.choice([1, 3, 10])):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        checkpoint.write_bytes(changed)
        try:
            result = job.run({"epochs": 3}, checkpoint=checkpoint)
        except (WeightsError, InputError):  # InputError where the entry that is hit is what marks a checkpoint
            refused += 1
            assert checkpoint.read_bytes() == changed
        else:
            assert job.same(result.last_weights, expected.last_weights)
            assert job.losses(result) == job.losses(expected)
    assert refused > 75


def test_one_turned_bit_in_a_weight_is_seen(checkpoint: Path) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["weights"]["0.weight"].view(torch.int32)[0, 0] ^= 1
    torch.save(content, checkpoint)
    with pytest.raises(WeightsError, match="its content is not what was written.* Delete it, or choose another file"):
        job.run({}, checkpoint=checkpoint)


def without(name: str) -> Callable[[dict], object]:
    return lambda content: content.pop(name)


def with_value(name: str, value: Any) -> Callable[[dict], object]:
    return lambda content: content.update({name: value})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        *((without(name), f"its part {name} is missing") for name in checkpoints._KINDS),
        (with_value("history", {"a": 1}), "its part history is missing or of a wrong kind"),
        (with_value("history", [{"number": 1}]), "missing 4 required positional arguments"),
        (with_value("history", [3]), "argument after"),
        (with_value("history", []), "its best epoch 2 and its 0 epochs do not fit"),
        (with_value("best_epoch", 7), "its best epoch 7 and its 2 epochs do not fit"),
        (with_value("best_weights", {}), "its best_weights are not those of its network"),
        (with_value("weights", {"0.weight": 3}), "its weights are not those of its network"),
        (with_value("optimizer", {}), "param_groups"),
        (with_value("identity", {}), "settings"),
    ],
)
def test_a_missing_or_wrong_part_is_named(checkpoint: Path, change: Callable[[dict], object], sentence: str) -> None:
    content = torch.load(checkpoint, weights_only=True)
    change(content)
    del content["sha256"]
    torch.save({**content, "sha256": checkpoints._digest(content)}, checkpoint)
    with pytest.raises(WeightsError, match=rf"The checkpoint .* is damaged \(.*{sentence}"):
        job.run({}, checkpoint=checkpoint)


def test_the_digest_tells_values_names_types_and_shapes_apart() -> None:
    ones = torch.ones(2, 3)
    contents = [
        {"a": ones},
        {"b": ones},
        {"a": ones.T},
        {"a": ones.double()},
        {"a": -ones},
        {"a": [1, 2]},
        {"a": [12]},
        {"a": ["1, 2"]},
        {"a": 1},
        {"a": 1.0},
        {"a": True},
        {"a": None},
        {"a": torch.zeros(0)},
        {"a": torch.tensor(1.0)},
    ]
    assert len({checkpoints._digest(content) for content in contents}) == len(contents)


# -- two trainings ----------------------------------------------------------------------------------------------------


def test_another_process_that_trains_into_the_checkpoint_is_said_and_its_death_frees_it(tmp_path: Path) -> None:
    command = [sys.executable, str(FOLDER / "training_job.py"), "kill_me", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            assert process.stdout.readline() == "in the middle\n"
            before = (tmp_path / "run.ckpt").read_bytes()
            with pytest.raises(OutputError, match=r"Another running training writes to .*run\.ckpt. Wait for it"):
                job.run(job.RESUMED, dropout=0.3, checkpoint=tmp_path / "run.ckpt")
            assert (tmp_path / "run.ckpt").read_bytes() == before
            job.run({"epochs": 1}, checkpoint=tmp_path / "other.ckpt")
        finally:
            process.kill()
    assert job.run(job.RESUMED, dropout=0.3, checkpoint=tmp_path / "run.ckpt").stopped == "epochs"


def test_another_thread_is_said_too_and_a_stopped_training_frees_the_checkpoint(tmp_path: Path) -> None:
    within, errors = threading.Event(), []

    def second() -> None:
        try:
            job.run({}, checkpoint=tmp_path / "." / "c")
        except OutputError as error:
            errors.append(str(error))

    def start_second() -> None:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        within.set()
        raise Cancelled

    with pytest.raises(Cancelled):
        job.run({}, checkpoint=tmp_path / "c", progress=job.stopper(1.2, start_second))
    assert within.is_set()
    assert len(errors) == 1
    assert "Another running training" in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert job.run({}, checkpoint=tmp_path / "c").stopped == "epochs"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no open file")
def test_no_training_leaves_its_lock_among_the_temporary_files(tmp_path: Path, monkeypatch) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    seen: list[int] = []

    def stop() -> None:
        seen.append(len(list(place.iterdir())))
        raise Cancelled

    with pytest.raises(Cancelled):
        job.run({}, checkpoint=tmp_path / "c", progress=job.stopper(1.2, stop))
    assert seen == [1]
    assert job.run({}, checkpoint=tmp_path / "c").stopped == "epochs"
    assert not list(place.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no open file")
def test_a_lock_that_its_last_holder_removed_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch) -> None:
    lock, taken = train_lock._lock, []

    def slow(file: object, checkpoint: Path) -> None:
        if not taken:
            Path(file.name).unlink()
        taken.append(file.name)
        lock(file, checkpoint)

    monkeypatch.setattr("DeepMRILib.train_lock._lock", slow)
    with train_lock.only_training(tmp_path / "c"):
        assert len(taken) == 2
        assert Path(taken[-1]).exists()
    assert not Path(taken[-1]).exists()
