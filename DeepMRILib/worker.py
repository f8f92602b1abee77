"""The process that computes for Slicer's panels.

Started as ``python -m DeepMRILib worker`` in the folder above DeepMRILib. It reads commands from standard input and
answers on standard output, one ASCII JSON object per line:

=========================================  =============================================================
command                                    answers
=========================================  =============================================================
(start)                                    ``{"type": "ready", "pid": ...}``
``{"prepare": "<job>"}``                   none; the modules of that job are loaded
``{"run": "<job folder>"}``                ``{"type": "progress", "fraction": ..., "message": ...}`` ...,
                                           then one of ``done``, ``cancelled``,
                                           ``{"type": "error", "kind": ..., "message": ...}``
(every second)                             ``{"type": "alive"}``
=========================================  =============================================================

The job folder holds ``job.json`` (job, options, inputs), the arrays as .npy, and ``cancel`` once the user has asked
to stop; the worker adds ``result.json`` and its arrays. An error that nobody foresaw ends the process with a
traceback on standard error. The process ends by itself, with all it has started, when its standard input closes or
its parent is gone.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from DeepMRILib.errors import Cancelled, DeepMRIError, DeviceMemoryError, OutputError

JOB_FILE, RESULT_FILE, CANCEL_FILE = "job.json", "result.json", "cancel"
ALIVE_EVERY_S = 1.0
PROGRESS_EVERY_S = 0.05
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
POSIX = os.name == "posix"


class Protocol:
    """The channel to the panel: whole lines, from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, **message: Any) -> None:
        """Write one message as one line."""
        line = json.dumps(message, ensure_ascii=True).encode("ascii") + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


class JobProgress:
    """A job's ``progress``: sent on at most 20 times a second, and ``Cancelled`` once the cancel file is there."""

    def __init__(self, protocol: Protocol, cancel_file: Path) -> None:
        self._protocol = protocol
        self._cancel_file = cancel_file
        self._sent = 0.0

    def __call__(self, fraction: float, message: str) -> None:
        now = time.monotonic()
        if now - self._sent < PROGRESS_EVERY_S and fraction < 1:
            return
        self._sent = now
        if self._cancel_file.exists():
            raise Cancelled
        self._protocol.send(type="progress", fraction=float(fraction), message=str(message))


def main() -> int:
    """Serve jobs until standard input closes."""
    commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    protocol = Protocol(_take_standard_output())
    if POSIX and os.getpgrp() != os.getpid():
        os.setpgid(0, 0)  # a group of our own: whoever ends us can end all that we have started
    threading.Thread(target=_read_commands, args=(commands,), daemon=True).start()
    threading.Thread(target=_stay_alive, args=(protocol, os.getppid()), daemon=True).start()
    protocol.send(type="ready", pid=os.getpid())
    try:
        while True:
            command = json.loads(commands.get())
            if "prepare" in command:
                _prepare(command["prepare"])
            else:
                _run(Path(command["run"]), protocol)
    finally:
        # Python would wait for the thread that reads standard input, and abort: the traceback is told here.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _take_standard_output() -> BinaryIO:
    """Keep the way to the panel for the protocol, and send everything else that is printed to standard error."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stream


def _read_commands(commands: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        commands.put(line)
    _end_with_children()


def _stay_alive(protocol: Protocol, parent: int) -> None:
    while os.getppid() == parent:
        try:
            protocol.send(type="alive")
        except OSError:  # nobody listens any more
            break
        time.sleep(ALIVE_EVERY_S)
    _end_with_children()


def _end_with_children() -> None:
    """End without a parent: nobody else removes the job's folder, which holds a patient's images."""
    if _current:
        shutil.rmtree(_current[-1], ignore_errors=True)
    if POSIX and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


_current: list[Path] = []
"""The folder of the job that runs."""


def _prepare(key: str) -> None:
    """Load what a job needs, so that its first run does not wait for that."""
    from DeepMRILib import jobs, transfer  # noqa: F401 - the run reads and writes arrays

    jobs.load(jobs.find_job(key).function)


def _run(folder: Path, protocol: Protocol) -> None:
    _current[:] = [folder]
    try:
        _compute(folder, JobProgress(protocol, folder / CANCEL_FILE))
    except Cancelled:
        protocol.send(type="cancelled")
    except DeepMRIError as error:
        protocol.send(type="error", kind=type(error).__name__, message=str(error))
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        text = f"The disk of the temporary folder {folder.parent} is full. Free some space there and try again."
        protocol.send(type="error", kind=OutputError.__name__, message=text)
    except MemoryError:
        text = "The computation needs more memory than is free. Close other programs, or take a smaller region."
        protocol.send(type="error", kind=DeviceMemoryError.__name__, message=text)
    else:
        protocol.send(type="done")


def _compute(folder: Path, progress: JobProgress) -> None:
    # Imported here: the worker says "ready" before numpy is loaded, and Slicer's user sees that something happens.
    from DeepMRILib import jobs, options, transfer

    order = json.loads((folder / JOB_FILE).read_text(encoding="ascii"))
    progress(0.0, "Reading the data")
    job = jobs.find_job(order["job"])
    inputs = transfer.decode(order["inputs"], folder)
    settings = options.from_json(job.options_type, order["options"])
    result = job.run(inputs, settings, progress)
    partial = folder / (RESULT_FILE + ".part")
    partial.write_text(json.dumps(transfer.encode(result, folder)), encoding="ascii")
    partial.replace(folder / RESULT_FILE)
