"""A worker that is started before there is a job for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from test_runner import JOB, READY, Bench

ANSWER = (
    "import os, pathlib\n"
    "for line in sys.stdin:\n"
    "    command = json.loads(line)\n"
    "    print(sorted(command), file=sys.stderr, flush=True)\n"
    "    if 'run' in command: say(type='cancelled')\n"
)
"""Tells what it was told, and stops every job."""
SLOW = "import time\ntime.sleep(0.4)\n" + READY + ANSWER


@pytest.fixture
def bench(slicer_app, tmp_path, monkeypatch, wait_until) -> Iterator[Bench]:
    from DeepMRILib.panel import runner

    monkeypatch.setattr(runner, "temporaryFolder", lambda: tmp_path)
    made = Bench(tmp_path, wait_until)
    yield made
    made.runner.dispose()
    assert list(tmp_path.iterdir()) == []


def prepared(bench: Bench, script: str | None = None) -> Any:
    command = None if script is None else [sys.executable, "-u", "-c", script]
    bench.runner = bench.module.JobRunner(bench.heard, command)
    bench.runner.prepare(JOB)
    return bench.runner


def test_the_first_job_finds_a_worker(bench: Bench) -> None:
    runner = prepared(bench)
    assert not runner.isBusy()
    bench.wait_until(lambda: runner.workerPid() is not None, 20, "the worker")
    pid = runner.workerPid()
    runner.prepare(JOB)
    bench.start()
    assert bench.end()[0] == "finished"
    assert runner.workerPid() == pid


def test_it_has_loaded_what_the_job_needs(bench: Bench) -> None:
    runner = prepared(bench)
    bench.wait_until(lambda: runner.workerPid() is not None, 20, "the worker")
    worker = psutil.Process(runner.workerPid())
    if not hasattr(worker, "memory_maps"):
        pytest.skip("this system does not tell what a process has loaded")

    def loaded() -> bool:
        return any("numpy" in found.path for found in worker.memory_maps())

    bench.wait_until(loaded, 20, "numpy")


def test_a_job_that_comes_before_the_worker_is_ready_is_ordered_once(bench: Bench) -> None:
    runner = prepared(bench, SLOW)
    bench.start()
    assert bench.end() == ("cancelled", None)
    bench.start()
    assert bench.end() == ("cancelled", None)
    assert bench.heard.log.count("['run']") == 2
    assert "prepare" not in bench.heard.log
    assert len(bench.heard.ends) == 2
    assert runner.workerPid() is not None


def test_a_worker_that_is_not_used_is_let_go(bench: Bench) -> None:
    runner = prepared(bench, READY + ANSWER)
    bench.wait_until(lambda: "['prepare']" in bench.heard.log, 10, "the wish")
    worker = psutil.Process(runner.workerPid())
    assert runner._idle.isActive()
    assert not runner._silence.isActive()
    runner._idle.timeout.emit()
    assert runner.workerPid() is None
    bench.wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 5, "its end")


def test_a_worker_that_cannot_start_is_told_at_the_first_job_only(bench: Bench) -> None:
    runner = prepared(bench, "raise SystemExit(3)")
    bench.wait_until(lambda: runner._worker is None, 10, "the end")
    assert bench.heard.ends == []
    bench.start()
    kind, error = bench.end()
    assert kind == "failed"
    assert "exit code 3" in str(error)
