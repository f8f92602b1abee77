"""Runs one job at a time in a worker process, keeps the worker warm, and always ends in exactly one outcome."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import slicer

from DeepMRILib import errors
from DeepMRILib.errors import DeepMRIError, OutputError, WorkerError
from DeepMRILib.jobs import Job
from DeepMRILib.panel.machine import workerEnvironment
from DeepMRILib.panel.process import WorkerProcess
from DeepMRILib.panel.timers import onceAfter
from DeepMRILib.worker_folder import ask_to_cancel, read_result, write_job

READY_WITHIN_MS = 60_000
"""A cold disk takes Python and numpy up to 10 s; a minute means that something is wrong."""
SILENT_FOR_MS = 300_000
"""The worker says every second that it lives. Libraries that keep Python's lock silence it while they compute, minutes
at worst; longer silence means that it hangs or was stopped. The user can cancel long before."""
GRACE_MS = 2_000
"""Slicer itself may have been busy while the worker's words arrived: they are read before it is given up."""
CANCEL_WITHIN_MS = 1_000
"""A job that has not noticed the cancel file by then is ended by force: cancel takes effect within 2 s."""
KILL_AFTER_MS = 400
KEEP_WARM_MS = 300_000
"""A worker holds about 100 MB (over 1 GB with torch on a GPU): it is let go after five idle minutes."""


class Outcome(Protocol):
    """Who waits for the job. Each run ends in exactly one of finished, failed and cancelled."""

    def onProgress(self, fraction: float, message: str) -> None:
        """How far the job is."""

    def onLog(self, text: str) -> None:
        """Something printed."""

    def onFinished(self, result: Any) -> None:
        """The job's result."""

    def onFailed(self, error: DeepMRIError) -> None:
        """The job failed; the error's text is for the user."""

    def onCancelled(self) -> None:
        """The job was stopped as asked."""


class JobRunner:
    """Runs jobs in a worker process, one at a time.

    Args:
        outcome: hears how jobs end that name no other listener.
        command: the worker's program and arguments, for tests; by default Slicer's Python.
    """

    def __init__(self, outcome: Outcome, command: list[str] | None = None) -> None:
        self._listener = self._outcome = outcome
        self._command = command
        self._worker: WorkerProcess | None = None
        self._folder: Path | None = None
        self._givesWay = False
        self._waiting: tuple[Path, Outcome] | None = None
        self._ready = False
        self._preparing = ""
        self._cancelling = False
        self._doubted = False
        self._silence = onceAfter(SILENT_FOR_MS, self._onSilence)
        self._force = onceAfter(CANCEL_WITHIN_MS, self._onCancelIgnored)
        self._kill = onceAfter(KILL_AFTER_MS, self._onTerminateIgnored)
        self._idle = onceAfter(KEEP_WARM_MS, self.stop)

    def isBusy(self) -> bool:
        """Whether a job runs."""
        return self._folder is not None

    def serves(self, outcome: Outcome) -> bool:
        """Whether the job of that listener runs or waits."""
        waits = self._waiting is not None and self._waiting[1] is outcome
        return waits or (self.isBusy() and self._outcome is outcome)

    def workerPid(self) -> int | None:
        """The worker's process number, None while there is none."""
        return self._worker.pid if self._worker is not None else None

    def run(
        self,
        job: Job,
        inputs: Mapping[str, Any],
        options: Any,
        outcome: Outcome | None = None,
        *,
        givesWay: bool = False,
    ) -> None:
        """Start a job.

        Args:
            outcome: hears how this run ends; by default the runner's own.
            givesWay: nobody has asked for this run in particular: when another job is started meanwhile, this one is
                dropped, and the other begins as soon as it has ended.

        Raises:
            OutputError: the inputs could not be written for the worker (no space, no right).
        """
        if self.isBusy() and (not self._givesWay or self._waiting is not None):
            raise RuntimeError("a job runs already")
        folder = self._written(job, inputs, options)
        listener = self._listener if outcome is None else outcome
        if self.isBusy():
            self._waiting = (folder, listener)
            self.drop()
        else:
            self._begin(folder, listener, givesWay)

    def prepare(self, job: Job) -> None:
        """Start the worker and let it load what a job needs, where there is none: the first run then waits for less."""
        if self._worker is None or not self._worker.isRunning():
            self._preparing = job.key
            self._startWorker()
            self._idle.start()

    def drop(self) -> None:
        """Ask the job to stop and let it: its result is no longer wanted, and the worker stays whatever it does."""
        if not self.isBusy() or self._cancelling:
            return
        self._cancelling = True
        with contextlib.suppress(OSError):  # then it computes to its end
            ask_to_cancel(self._folder)

    def cancel(self) -> None:
        """Ask the job to stop; by force if it does not listen. A job that still waits for its turn ends at once."""
        if not self.isBusy() or self._force.isActive() or self._kill.isActive():
            return
        waiting, self._waiting = self._waiting, None
        self.drop()
        self._force.start()
        if waiting is not None:
            shutil.rmtree(waiting[0], ignore_errors=True)
            waiting[1].onCancelled()

    def dispose(self) -> None:
        """End everything for good; the panel goes."""
        self.stop()
        for timer in (self._silence, self._force, self._kill, self._idle):
            timer.deleteLater()

    def stop(self) -> None:
        """End the job and the worker now; nothing more is heard of either."""
        self._endWorker()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            shutil.rmtree(waiting[0], ignore_errors=True)
        self._clean()

    def onMessage(self, message: dict[str, Any]) -> None:
        """Hear the worker."""
        kind = message["type"]
        self._doubted = False
        if kind == "ready":
            self._onReady()
        if not self.isBusy():
            return
        self._silence.start(SILENT_FOR_MS)
        if kind == "progress" and not self._cancelling:
            self._outcome.onProgress(message["fraction"], message["message"])
        elif kind == "cancelled":
            self._end(self._outcome.onCancelled)
        elif kind == "error":
            self._fail(_error(message))
        elif kind == "done":
            self._onDone()

    def onLog(self, text: str) -> None:
        """Hear what was printed."""
        self._outcome.onLog(text)

    def onEnded(self, error: WorkerError) -> None:
        """Hear that the worker is gone: its job ends as cancelled if that was asked, else as failed."""
        self._endWorker()
        if not self.isBusy():
            return
        if self._cancelling:
            self._end(self._outcome.onCancelled)
        else:
            self._fail(error)

    def _begin(self, folder: Path, outcome: Outcome, givesWay: bool = False) -> None:
        self._folder, self._outcome, self._givesWay = folder, outcome, givesWay
        self._cancelling = False
        self._idle.stop()
        if self._worker is None or not self._worker.isRunning():
            self._startWorker()
        elif self._ready:
            self._order()

    def _startWorker(self) -> None:
        self._ready = False
        self._silence.start(READY_WITHIN_MS)
        self._worker = WorkerProcess(self, self._command, workerEnvironment())
        self._worker.start()

    def _onReady(self) -> None:
        self._ready = True
        self._silence.stop()
        if self.isBusy():
            self._order()
        elif self._preparing:
            self._worker.send(prepare=self._preparing)
        self._preparing = ""

    def _written(self, job: Job, inputs: Mapping[str, Any], options: Any) -> Path:
        place, written = temporaryFolder(), False
        folder = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="DeepMRI-", dir=place))
            write_job(folder, job, inputs, options)
            written = True
        except OSError as error:
            raise OutputError(
                f"The data could not be written to the temporary folder {place}: {error.strerror or error}. "
                "Free some space there, or set another temporary folder in Slicer's settings."
            ) from error
        finally:
            if folder is not None and not written:
                shutil.rmtree(folder, ignore_errors=True)
        return folder

    def _order(self) -> None:
        self._silence.start(SILENT_FOR_MS)
        self._worker.send(run=str(self._folder))

    def _onDone(self) -> None:
        if self._cancelling:  # it was done before it saw the wish to stop: the user's wish counts
            self._end(self._outcome.onCancelled)
            return
        try:
            result = read_result(self._folder)
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ImportError,
            EOFError,
            MemoryError,
        ) as error:
            unreadable = WorkerError(f"The worker's result could not be read ({error}). The log has the details.")
            self._endWorker()
            self._fail(unreadable)
            return
        finished = self._outcome.onFinished
        self._end(lambda: finished(result))

    def _fail(self, error: DeepMRIError) -> None:
        failed = self._outcome.onFailed
        self._end(lambda: failed(error))

    def _end(self, tell: Callable[[], None]) -> None:
        """One run is over: the one that waits begins before anybody hears of it and could start another."""
        self._clean()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._begin(*waiting)
        elif self._worker is not None:
            self._idle.start()
        tell()

    def _clean(self) -> None:
        for timer in (self._silence, self._force, self._kill):
            timer.stop()
        folder, self._folder = self._folder, None
        self._cancelling = False
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _endWorker(self) -> None:
        self._idle.stop()
        self._silence.stop()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _onSilence(self) -> None:
        if not self._doubted and self._worker is not None:
            self._doubted = True
            self._silence.start(GRACE_MS)
            self._worker.readPending()
            return
        waited = (SILENT_FOR_MS if self._ready else READY_WITHIN_MS) // 1000
        self.onEnded(WorkerError(f"The worker has not answered for {waited} s and was ended. The log has the details."))

    def _onCancelIgnored(self) -> None:
        if self._worker is not None:
            self._worker.terminate()
        self._kill.start()

    def _onTerminateIgnored(self) -> None:
        self.onEnded(WorkerError("The worker was ended."))


def temporaryFolder() -> Path:
    """Where job folders are made: Slicer's temporary folder, or the system's when that is gone."""
    place = Path(slicer.app.temporaryPath)
    return place if place.is_dir() else Path(tempfile.gettempdir())


def _error(message: Mapping[str, Any]) -> DeepMRIError:
    kind = getattr(errors, message["kind"], None)
    known = isinstance(kind, type) and issubclass(kind, DeepMRIError)
    return (kind if known else WorkerError)(message["message"])
