"""The worker process, spoken to over its real pipes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from job_cases import job_cases

from DeepMRILib.jobs import find_job
from DeepMRILib.worker_folder import ask_to_cancel, read_result, write_job

ROOT = Path(__file__).resolve().parents[2]
FINAL = {"done", "error", "cancelled"}


class Worker:
    """A real worker process and its messages."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "DeepMRILib", "worker"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def message(self) -> dict:
        while True:
            line = self.process.stdout.readline()
            assert line, "the worker has gone: " + self.process.stderr.read().decode()
            message = json.loads(line.decode("ascii"))
            if message["type"] != "alive":
                return message

    def order(self, folder: Path) -> None:
        self.process.stdin.write(json.dumps({"run": str(folder)}).encode() + b"\n")
        self.process.stdin.flush()

    def until_final(self) -> list[dict]:
        messages = [self.message()]
        while messages[-1]["type"] not in FINAL:
            messages.append(self.message())
        return messages


@pytest.fixture
def worker() -> Iterator[Worker]:
    started = Worker()
    assert started.message()["type"] == "ready"
    yield started
    started.process.kill()
    started.process.wait(10)
    for stream in (started.process.stdin, started.process.stdout, started.process.stderr):
        stream.close()


def job_folder(tmp_path: Path, job=None, **changes) -> Path:
    job = job or find_job("ivim.fit")
    folder = tmp_path / f"job{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    write_job(folder, job, {**job.example_inputs(), **changes}, job.example_options())
    return folder


@job_cases
def test_every_job_gives_the_same_through_the_worker_as_in_process(job, worker: Worker, tmp_path: Path) -> None:
    folder = job_folder(tmp_path, job)
    worker.order(folder)
    messages = worker.until_final()
    assert messages[-1]["type"] == "done", messages[-1]
    fractions = [message["fraction"] for message in messages if message["type"] == "progress"]
    assert fractions == sorted(fractions)
    through_worker, here = read_result(folder), job.run(job.example_inputs(), job.example_options())
    assert type(through_worker) is type(here)
    for name, value in vars(here).items():
        _assert_equal(name, value, getattr(through_worker, name))


def _assert_equal(name: str, one: object, other: object) -> None:
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            _assert_equal(f"{name}.{key}", one[key], other[key])
    elif isinstance(one, np.ndarray):
        assert np.array_equal(one, other, equal_nan=True), name
    elif hasattr(one, "array"):
        assert np.array_equal(one.array, other.array, equal_nan=True), name
    elif hasattr(one, "rows"):
        timed = {"seconds"}  # how long it took is no part of what was found
        same = [{key: column for key, column in table.columns.items() if key not in timed} for table in (one, other)]
        assert json.dumps(same[0]) == json.dumps(same[1]), name


def test_a_warm_worker_runs_one_job_after_the_other(worker: Worker, tmp_path: Path) -> None:
    for _ in range(3):
        worker.order(job_folder(tmp_path))
        assert worker.until_final()[-1] == {"type": "done"}


def test_bad_input_is_one_sentence_and_the_worker_lives_on(worker: Worker, tmp_path: Path) -> None:
    shape = find_job("ivim.fit").example_inputs()["volume"].shape
    worker.order(job_folder(tmp_path, mask=np.zeros(shape)))
    message = worker.until_final()[-1]
    assert message["type"] == "error"
    assert message["kind"] == "InputError"
    assert message["message"].startswith("The mask is empty")
    worker.order(job_folder(tmp_path))
    assert worker.until_final()[-1]["type"] == "done"


def test_a_job_cancelled_before_it_starts_writes_no_result(worker: Worker, tmp_path: Path) -> None:
    folder = job_folder(tmp_path)
    ask_to_cancel(folder)
    worker.order(folder)
    assert worker.until_final()[-1] == {"type": "cancelled"}
    assert not (folder / "result.json").exists()


def test_what_libraries_print_does_not_reach_the_protocol(tmp_path: Path) -> None:
    code = (
        "import os, sys, threading\n"
        "from DeepMRILib import worker, jobs\n"
        "run = jobs.Job.run\n"
        "def noisy(*a, **k):\n"
        "    print('from print'); sys.stdout.flush(); os.write(1, b'from C\\n'); os.system('echo from a child')\n"
        "    return run(*a, **k)\n"
        "jobs.Job.run = noisy\n"
        "worker.main()\n"
    )
    folder = job_folder(tmp_path)
    ran = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    ran.stdin.write(json.dumps({"run": str(folder)}).encode() + b"\n")
    ran.stdin.flush()
    lines = []
    while not lines or lines[-1]["type"] not in FINAL:
        lines.append(json.loads(ran.stdout.readline()))
    ran.stdin.close()
    printed = ran.stderr.read().decode()
    ran.wait(10)
    ran.stdout.close()
    ran.stderr.close()
    assert lines[-1]["type"] == "done"
    assert all(text in printed for text in ("from print", "from C", "from a child"))


def test_the_worker_says_every_second_that_it_lives(worker: Worker) -> None:
    line = worker.process.stdout.readline()
    assert json.loads(line) == {"type": "alive"}


def test_the_worker_ends_when_its_input_closes(worker: Worker) -> None:
    worker.process.stdin.close()
    worker.process.wait(5)


def test_the_worker_ends_when_its_parent_is_killed_even_if_the_pipe_stays_open(tmp_path: Path) -> None:
    """Slicer crashes; another process still holds the other end of the worker's input."""
    code = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-m', 'DeepMRILib', 'worker']\n"
        "p = subprocess.Popen(command, stdin=sys.stdin, stdout=subprocess.PIPE)\n"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait(5)
    parent.stdout.close()
    assert _gone(child, within_s=5)
    parent.stdin.close()


def _gone(process: psutil.Process, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False
