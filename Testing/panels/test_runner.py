"""The runner ends every job in exactly one outcome, whatever the worker does, and leaves no process and no file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from DeepMRILib.errors import InputError, OutputError, WorkerError
from DeepMRILib.jobs import find_job

READY = (
    "import json, os, sys, time\ndef say(**m): print(json.dumps(m), flush=True)\nsay(type='ready', pid=os.getpid())\n"
)
JOB = find_job("ivim.fit")


class Heard:
    """Collects what a runner tells."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, Any]] = []
        self.progress: list[float] = []
        self.log = ""

    def onProgress(self, fraction: float, message: str) -> None:
        self.progress.append(fraction)

    def onLog(self, text: str) -> None:
        self.log += text

    def onFinished(self, result: Any) -> None:
        self.ends.append(("finished", result))

    def onFailed(self, error: Exception) -> None:
        self.ends.append(("failed", error))

    def onCancelled(self) -> None:
        self.ends.append(("cancelled", None))


class Bench:
    """A runner, what was heard of it, and the folder in which it works."""

    def __init__(self, folder: Path, wait_until) -> None:
        from DeepMRILib.panel import runner

        self.module = runner
        self.folder = folder
        self.heard = Heard()
        self.wait_until = wait_until
        self.runner: Any = None

    def start(self, script: str | None = None, outcome: Any = None, givesWay: bool = False, **inputs: Any) -> None:
        command = None if script is None else [sys.executable, "-u", "-c", script]
        if self.runner is None:
            self.runner = self.module.JobRunner(self.heard, command)
        inputs = {**JOB.example_inputs(), **inputs}
        self.runner.run(JOB, inputs, JOB.options_type(), outcome, givesWay=givesWay)

    def end(self, within_s: float = 30) -> tuple[str, Any]:
        count = len(self.heard.ends)
        self.wait_until(lambda: len(self.heard.ends) > count or (count == 0 and self.heard.ends), within_s, "the end")
        return self.heard.ends[-1]

    def pid(self) -> int:
        self.wait_until(lambda: self.runner.workerPid() is not None, 20, "the worker")
        return self.runner.workerPid()


@pytest.fixture
def bench(slicer_app, wait_until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    from DeepMRILib.panel import runner

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(runner, "temporaryFolder", lambda: folder)
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    made = Bench(folder, wait_until)
    yield made
    made.runner.stop()
    assert list(folder.iterdir()) == [], "a job's folder was left"
    wait_until(
        lambda: not [c for c in psutil.Process().children(recursive=True) if c.pid not in before and _lives(c)],
        5, "all processes to be gone",
    )  # fmt: skip


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_job_comes_back_equal_to_the_same_job_in_process(bench: Bench) -> None:
    bench.start()
    kind, result = bench.end()
    assert kind == "finished"
    here = JOB.run(JOB.example_inputs())
    for name, volume in here.maps.items():
        assert np.array_equal(result.maps[name].array, volume.array)
    assert bench.heard.progress == sorted(bench.heard.progress)


def test_the_worker_stays_warm_for_the_next_job(bench: Bench) -> None:
    bench.start()
    bench.end()
    first = bench.pid()
    bench.start()
    assert bench.end()[0] == "finished"
    assert bench.pid() == first


def test_bad_input_is_heard_as_the_librarys_own_error(bench: Bench) -> None:
    bench.start(mask=np.zeros(JOB.example_inputs()["volume"].shape))
    kind, error = bench.end()
    assert kind == "failed"
    assert isinstance(error, InputError)
    assert str(error).startswith("The mask is empty")


@pytest.mark.parametrize(
    "rubbish",
    [
        "print('hello', flush=True)",
        "os.write(1, b'\\xff\\xfe\\n')",
        "say(type='surprise')",
        "print('[1, 2]', flush=True)",
        "say(type='progress', fraction='a', message=3)",
        "say(kind='x')",
    ],
)
def test_rubbish_ends_the_worker_with_a_sentence(bench: Bench, rubbish: str) -> None:
    bench.start(READY + rubbish + "\ntime.sleep(60)\n")
    kind, error = bench.end()
    assert kind == "failed"
    assert isinstance(error, WorkerError)
    assert "cannot be understood" in str(error)


def test_a_result_that_is_not_there_is_a_sentence(bench: Bench) -> None:
    bench.start(READY + "say(type='done')\ntime.sleep(60)\n")
    kind, error = bench.end()
    assert kind == "failed"
    assert "result could not be read" in str(error)


def test_a_damaged_result_is_a_sentence(bench: Bench) -> None:
    damage = (
        "folder = json.loads(sys.stdin.readline())['run']\n"
        "open(folder + '/result.json', 'w').write(json.dumps({'class': 'os:system', 'fields': {}}))\n"
        "say(type='done')\ntime.sleep(60)\n"
    )
    bench.start(READY + damage)
    kind, error = bench.end()
    assert kind == "failed"
    assert "result could not be read" in str(error)


def test_a_killed_worker_is_a_clear_message(bench: Bench) -> None:
    bench.start(READY + "time.sleep(60)\n")
    os.kill(bench.pid(), signal.SIGKILL)
    kind, error = bench.end()
    assert kind == "failed"
    assert "memory" in str(error)
    assert "signal 9" in str(error)


def test_a_worker_that_fails_leaves_its_traceback_in_the_log(bench: Bench) -> None:
    bench.start(READY + "raise RuntimeError('deep inside')\n")
    kind, error = bench.end()
    assert kind == "failed"
    assert "ended unexpectedly (exit code 1)" in str(error)
    assert "deep inside" in bench.heard.log


def test_an_unforeseen_error_in_the_real_worker_is_a_plain_end_with_its_traceback(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr(bench.module, "write_job", lambda folder, *_: (folder / "job.json").write_text("rubbish"))
    bench.start()
    kind, error = bench.end()
    assert kind == "failed"
    assert "exit code 1" in str(error)
    assert "JSONDecodeError" in bench.heard.log


def test_a_job_folder_does_not_outlive_a_crash_of_slicer(tmp_path: Path) -> None:
    """The worker removes what its dead parent cannot: the folder holds a patient's images."""
    folder = tmp_path / "DeepMRI-job"
    folder.mkdir()
    code = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-c', 'from DeepMRILib import worker, jobs; import time;'\n"
        "           'jobs.Job.run = lambda *a, **k: time.sleep(60); worker.main()']\n"
        "p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "p.stdout.readline()\n"
        f'p.stdin.write(b\'{{"run": "{folder}"}}\\n\'); p.stdin.flush()\n'
        "print(p.stdout.readline(), p.stdout.readline(), flush=True); time.sleep(60)\n"
    )
    from DeepMRILib.worker_folder import write_job

    write_job(folder, JOB, JOB.example_inputs(), JOB.options_type())
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE
    )
    parent.stdout.readline()
    time.sleep(0.3)
    parent.kill()
    parent.wait(5)
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()


def test_a_program_that_is_not_there_is_a_clear_message(bench: Bench) -> None:
    bench.runner = bench.module.JobRunner(bench.heard, ["/nowhere/python-real"])
    bench.start()
    kind, error = bench.end()
    assert kind == "failed"
    assert "could not be started" in str(error)


def test_a_silent_worker_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.module, "SILENT_FOR_MS", 700)
    bench.start(READY + "time.sleep(60)\n")
    kind, error = bench.end()
    assert kind == "failed"
    assert "has not answered" in str(error)


def test_a_stopped_worker_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.module, "SILENT_FOR_MS", 1500)
    bench.start(READY + "while True: say(type='alive'); time.sleep(0.2)\n")
    os.kill(bench.pid(), signal.SIGSTOP)
    kind, error = bench.end()
    assert kind == "failed"
    assert "has not answered" in str(error)


@pytest.mark.parametrize(
    "worker",
    ["time.sleep(60)\n", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True: time.sleep(1)\n"],
    ids=["deaf to the file", "deaf to all"],
)
def test_cancel_takes_effect_within_two_seconds(bench: Bench, worker: str) -> None:
    bench.start(READY + worker)
    bench.pid()
    started = time.monotonic()
    bench.runner.cancel()
    assert bench.end(5)[0] == "cancelled"
    assert time.monotonic() - started < 2


def test_cancel_of_a_real_fit_keeps_the_worker(bench: Bench) -> None:
    series = JOB.example_inputs()["volume"]
    many = type(series)(np.tile(series.array, (8, 8, 8, 1)), series.affine, series.b_values)
    bench.start(volume=many, labels=None)
    bench.wait_until(lambda: bench.heard.progress, 20, "the first progress")
    pid = bench.pid()
    started = time.monotonic()
    bench.runner.cancel()
    assert bench.end(5)[0] == "cancelled"
    assert time.monotonic() - started < 2
    bench.start()
    assert bench.end()[0] == "finished"
    assert bench.pid() == pid


def test_children_of_the_worker_die_with_it(bench: Bench) -> None:
    family = (
        "import subprocess; os.setpgid(0, 0)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    )
    bench.start(READY.replace("say(type='ready'", "os.setpgid(0, 0)\nsay(type='ready'") + family)
    bench.wait_until(lambda: bench.heard.log.strip().isdigit(), 20, "the child")
    child = psutil.Process(int(bench.heard.log))
    bench.runner.stop()
    bench.wait_until(lambda: not child.is_running() or not _lives(child), 5, "the child to be gone")


def test_the_temporary_folder_cannot_be_written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.runner = bench.module.JobRunner(bench.heard)

    def full(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench.module, "write_job", full)
    with pytest.raises(OutputError, match="No space left on device"):
        bench.start()
    assert not bench.runner.isBusy()


def test_out_of_memory_in_the_worker_is_a_sentence(bench: Bench) -> None:
    limited = (
        "import resource, sys\n"
        "from DeepMRILib import worker, jobs\n"
        "def greedy(self, *a, **k):\n"
        "    import numpy\n"
        "    numpy.ones(2**62, dtype=numpy.uint8)\n"
        "jobs.Job.run = greedy\n"
        "worker.main()\n"
    )
    bench.start(limited)
    kind, error = bench.end()
    assert kind == "failed"
    assert "more memory than is free" in str(error)


def test_the_order_names_job_and_settings_in_plain_json(bench: Bench) -> None:
    echo = (
        "order = json.loads(sys.stdin.readline())\n"
        "sys.stderr.write(open(order['run'] + '/job.json').read() + chr(10)); sys.stderr.flush()\n"
        "say(type='cancelled'); time.sleep(60)\n"
    )
    bench.start(READY + echo)
    assert bench.end()[0] == "cancelled"
    bench.wait_until(lambda: bench.heard.log.endswith("}"), 5, "the order")
    order = json.loads(bench.heard.log)
    assert order["job"] == "ivim.fit"
    assert order["options"]["method"] == "lsq"


DEAF_ONCE = READY + (
    "sys.stdin.readline()\ntime.sleep(1.6)\nsay(type='done')\n"
    "sys.stdin.readline()\nsay(type='cancelled')\ntime.sleep(60)\n"
)
"""Does not hear of the wish to stop for longer than a job that was asked to cancel may live."""


def test_a_dropped_job_is_left_to_its_end_and_the_worker_lives(bench: Bench) -> None:
    bench.start(DEAF_ONCE)
    pid = bench.pid()
    bench.runner.drop()
    assert bench.end(5)[0] == "cancelled"
    assert bench.runner.workerPid() == pid
    bench.start()
    assert bench.end()[0] == "cancelled"
    assert bench.runner.workerPid() == pid


def test_a_run_that_gives_way_makes_room_for_the_next(bench: Bench) -> None:
    first, second = Heard(), Heard()
    bench.start(outcome=first, givesWay=True)
    bench.start(outcome=second)
    assert bench.runner.serves(first)
    assert bench.runner.serves(second)
    with pytest.raises(RuntimeError, match="runs already"):
        bench.start(outcome=Heard())
    bench.wait_until(lambda: second.ends, 30, "the second job")
    assert second.ends[0][0] == "finished"
    assert [kind for kind, _ in first.ends] == ["cancelled"]
    assert not bench.runner.serves(second)


def test_a_run_that_was_asked_for_gives_no_way(bench: Bench) -> None:
    bench.start()
    with pytest.raises(RuntimeError, match="runs already"):
        bench.start(givesWay=True)
    assert bench.end()[0] == "finished"


def test_a_job_that_waits_can_be_cancelled(bench: Bench) -> None:
    first, second = Heard(), Heard()
    bench.start(READY + "time.sleep(60)\n", outcome=first, givesWay=True)
    bench.pid()
    bench.start(outcome=second)
    bench.runner.cancel()
    assert [kind for kind, _ in second.ends] == ["cancelled"]
    bench.wait_until(lambda: first.ends, 5, "the first job")
    assert first.ends[0][0] == "cancelled"
    assert not bench.runner.isBusy()


def test_a_job_that_waits_begins_also_when_the_worker_dies(bench: Bench) -> None:
    first, second = Heard(), Heard()
    bench.start(outcome=first, givesWay=True)
    pid = bench.pid()
    bench.start(outcome=second)
    os.kill(pid, signal.SIGKILL)
    bench.wait_until(lambda: second.ends, 30, "the second job")
    assert second.ends[0][0] == "finished"
    assert len(first.ends) == 1


def test_stopping_leaves_no_job_that_waits(bench: Bench) -> None:
    first, second = Heard(), Heard()
    bench.start(READY + "time.sleep(60)\n", outcome=first, givesWay=True)
    bench.start(outcome=second)
    bench.runner.stop()
    assert not bench.runner.isBusy()
    assert first.ends == second.ends == []
