"""The worker process as the panel sees it: started, spoken to, listened to, and ended with all it has started.

On Windows a worker that has crashed by itself can no longer be asked what it had started; that is left.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import qt
import slicer

import DeepMRILib
from DeepMRILib.errors import WorkerError

END_WAIT_MS = 3_000
MESSAGE_FIELDS: dict[str, dict[str, Any]] = {
    "ready": {"pid": int},
    "alive": {},
    "progress": {"fraction": (int, float), "message": str},
    "done": {},
    "cancelled": {},
    "error": {"kind": str, "message": str},
}
"""What the protocol of DeepMRILib.worker allows; anything else is rubbish."""


class Listener(Protocol):
    """Who hears the worker."""

    def onMessage(self, message: dict[str, Any]) -> None:
        """One message of the protocol in DeepMRILib.worker."""

    def onLog(self, text: str) -> None:
        """Something that the worker or a library in it has printed."""

    def onEnded(self, error: WorkerError) -> None:
        """The process is gone, or was ended because it talked rubbish; the error says why."""


def workerCommand() -> list[str]:
    """Slicer's own Python without its launcher, so that ending the process ends the worker; ours outside Slicer."""
    suffix = ".exe" if os.name == "nt" else ""
    real = Path(slicer.app.slicerHome) / "bin" / f"python-real{suffix}"
    program = str(real) if real.is_file() else shutil.which("PythonSlicer") or sys.executable
    return [program, "-m", "DeepMRILib", "worker"]


class WorkerProcess:
    """One worker process.

    Args:
        listener: hears messages, printed text and the end.
        command: program and arguments; by default ``workerCommand()``.
        environment: variables to add.
    """

    def __init__(
        self, listener: Listener, command: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._listener = listener
        self._buffer = b""
        self._printed = b""
        self._pid: int | None = None
        self._ended = False
        self._process = qt.QProcess()
        self._process.setWorkingDirectory(str(Path(DeepMRILib.__file__).parents[1]))
        self._process.setProcessEnvironment(_environment(environment or {}))
        self._process.connect("readyReadStandardOutput()", self._onOutput)
        self._process.connect("readyReadStandardError()", self._onLog)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._onError)
        self._command = list(command or workerCommand())

    def start(self) -> None:
        """Start the process; a program that cannot be started is heard as an end."""
        self._process.start(self._command[0], self._command[1:])

    @property
    def pid(self) -> int | None:
        """The process's number, once it has said that it is ready."""
        return self._pid

    def readPending(self) -> None:
        """Hear what has arrived while Slicer was busy with something else."""
        if not self._ended:
            self._onOutput()

    def isRunning(self) -> bool:
        """Whether the process is starting or running."""
        return not self._ended and self._process.state() != qt.QProcess.NotRunning

    def send(self, **command: Any) -> None:
        """Give one command."""
        self._process.write(json.dumps(command, ensure_ascii=True).encode("ascii") + b"\n")

    def terminate(self) -> None:
        """Ask the operating system to end it."""
        self._process.terminate()

    def close(self) -> None:
        """End it with all that it has started, and hear nothing more of it."""
        self._ended = True
        if self._process.state() == qt.QProcess.NotRunning:
            return
        self._killTree()
        self._process.kill()
        self._process.waitForFinished(END_WAIT_MS)
        # Its connections hold this object from C++, where Python's collector cannot see them.
        self._process.deleteLater()

    def _killTree(self) -> None:
        if self._pid is None:
            return
        if os.name == "nt":
            command = ["taskkill", "/F", "/T", "/PID", str(self._pid)]
            subprocess.run(command, check=False, capture_output=True, creationflags=subprocess.CREATE_NO_WINDOW)
            return
        try:
            os.killpg(self._pid, signal.SIGKILL)  # the worker leads a group of its own
        except (ProcessLookupError, PermissionError):  # gone already
            return

    def _onOutput(self) -> None:
        self._buffer += _bytes(self._process.readAllStandardOutput())
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            if not self._ended:
                self._hear(line)

    def _hear(self, line: bytes) -> None:
        message = _message(line)
        if message is None:
            shown = line[:80].decode("ascii", "replace")
            self._fail(
                WorkerError(f"The worker answered with something that cannot be understood ({shown!r}); it was ended.")
            )
            return
        if message["type"] == "ready":
            self._pid = message["pid"] if message["pid"] > 1 else None  # 0 and 1 would name other groups of processes
        self._listener.onMessage(message)

    def _onLog(self) -> None:
        self._printed += _bytes(self._process.readAllStandardError())
        whole, newline, self._printed = self._printed.rpartition(b"\n")
        if newline and not self._ended:
            self._listener.onLog(whole.decode("utf-8", "replace"))

    def _onFinished(self, code: int, status: Any) -> None:
        self._printed += b"\n"  # what was printed last may lack its end
        self._onLog()
        crashed = status == qt.QProcess.CrashExit
        self._killTree()
        self._fail(WorkerError(_lastWords(code, crashed=crashed)))

    def _onError(self, error: Any) -> None:
        if error == qt.QProcess.FailedToStart:
            self._fail(
                WorkerError(f"The worker could not be started ({self._command[0]}): {self._process.errorString()}.")
            )

    def _fail(self, error: WorkerError) -> None:
        if not self._ended:
            self.close()
            self._listener.onEnded(error)


def _environment(additions: Mapping[str, str]) -> Any:
    environment = qt.QProcessEnvironment.systemEnvironment()
    for name, value in {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", **additions}.items():
        environment.insert(name, value)
    return environment


def _bytes(data: Any) -> bytes:
    """A QByteArray as bytes: PythonQt hands out str or bytes, PySide bytes."""
    content = data.data()
    return content.encode("utf-8", "replace") if isinstance(content, str) else bytes(content)


def _message(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line.decode("ascii"))
    except ValueError:  # neither ASCII nor JSON
        return None
    fields = MESSAGE_FIELDS.get(message.get("type")) if isinstance(message, dict) else None
    if fields is None or not all(_is(message.get(name), kind) for name, kind in fields.items()):
        return None
    return message


def _is(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _lastWords(code: int, *, crashed: bool) -> str:
    if crashed:
        return (
            f"The computation was ended from outside or crashed (signal {code}). With large images the memory has "
            "usually run out: take a smaller region, or close other programs. The log has the details."
        )
    return f"The computation ended unexpectedly (exit code {code}). The log has the details."
