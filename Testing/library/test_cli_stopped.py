"""The command line when it is stopped, and when the system refuses: real processes, signals and limits."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = [sys.executable, "-m", "DeepMRILib"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def heed_signals() -> None:
    """In the new process: as from a terminal, also where the tests run in the background or under nohup."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line, shell=True, executable="/bin/bash", cwd=folder, env=environment(), capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip


# Writes a marker when the new folder stands beside its place, and waits there to be stopped
_WAITING = """
import pathlib, sys, time
from DeepMRILib import cli, results
def wait(self, folder):
    (folder / "half").write_text("x")
    pathlib.Path(sys.argv[1]).write_text("now")
    time.sleep(60)
results.Result.write_files = wait
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_while_writing_leaves_nothing(dwi: Path, tmp_path: Path, number: int, code: int) -> None:
    marker, place = tmp_path / "in" / "marker", tmp_path / "place"
    place.mkdir()
    line = [sys.executable, "-c", _WAITING, marker, "ivim", "fit", dwi, "-o", place / "out", "-q", "--no-report"]
    with subprocess.Popen(
        [str(word) for word in line],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 - no threads here
    ) as ran:
        while not marker.exists():
            assert ran.poll() is None, ran.stderr.read()
            time.sleep(0.02)
        assert len(list(place.iterdir())) == 1
        ran.send_signal(number)
        error = ran.communicate(timeout=30)[1]
    assert ran.returncode == code
    assert error == "\ndeepmri: Stopped; nothing was written.\n"
    assert list(place.iterdir()) == []


def test_an_interrupt_while_the_program_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, signal, os\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'DeepMRILib.options':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    ran = subprocess.run(
        [*PROGRAM, "--version"], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
        preexec_fn=heed_signals,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (130, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_progress_bar_that_cannot_be_shown_does_not_fail_the_run(dwi: Path, tmp_path: Path) -> None:
    ran = shell(f"{shlex.join(PROGRAM)} ivim fit {dwi} -o out --no-report 2>/dev/full", tmp_path)
    assert ran.returncode == 0
    assert (tmp_path / "out" / "result.json").is_file()


@pytest.mark.parametrize(
    ("before", "place", "words"),
    [
        ("ulimit -f 1;", "out", "File too large"),
        ("", "/proc/out", "cannot be written"),
        ("mkdir gone; cd gone; rmdir ../gone;", "out", "out cannot be written"),
        ("", "x" * 300, "File name too long"),
        ("", ".", "is the folder that you are in"),
    ],
)
def test_what_the_system_refuses_is_one_line(dwi: Path, tmp_path: Path, before: str, place: str, words: str) -> None:
    if place.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    ran = shell(f"{before} {shlex.join(PROGRAM)} ivim fit {dwi} -q --no-report -o {place}", tmp_path)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("deepmri: ")
    assert ran.stderr.count("\n") == 1
    assert words in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_overwrite_never_takes_an_input_with_it(dwi: Path, tmp_path: Path) -> None:
    first = shell(f"{shlex.join(PROGRAM)} ivim phantom --size 36 28 3 --spacing 10.4 10.4 30 -o out -q", tmp_path)
    assert first.returncode == 0, first.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert json.loads((tmp_path / "out" / "result.json").read_text())["files"] == names
    series = next(name for name in names if (tmp_path / "out" / name.replace(".nii.gz", ".bval")).is_file())
    ran = shell(f"{shlex.join(PROGRAM)} ivim fit out/{series} -o out --overwrite -q", tmp_path)
    assert ran.returncode == 2
    assert "lies in the output" in ran.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


def test_the_result_tells_the_run_and_the_notes_are_shown(dwi: Path, tmp_path: Path) -> None:
    ran = shell(f"{shlex.join(PROGRAM)} ivim fit {dwi} -o out --no-report", tmp_path)
    assert ran.returncode == 0, ran.stderr
    made = json.loads((tmp_path / "out" / "result.json").read_text())["provenance"]
    assert made["command"] == f"deepmri ivim fit {dwi} -o out --no-report"
    record = made["inputs"]["files"]["volume"]
    assert record["path"] == str(dwi.resolve())
    assert record["bytes"] == dwi.stat().st_size
    digest = subprocess.run(["sha256sum", dwi], capture_output=True, text=True, check=True).stdout.split()[0]
    assert record["sha256"] == digest
    assert [line for line in ran.stderr.splitlines() if line.startswith("note: ")] == [
        f"note: {note}" for note in made["notes"]
    ]
