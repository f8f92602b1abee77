"""One job of a panel: its button, its run, and what becomes of its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.panel.dependencies import ensurePackages, ensureTorch
from DeepMRILib.panel.job_bar import JobBar
from DeepMRILib.panel.runner import JobRunner
from DeepMRILib.panel.task import JobTask


class Panel(Protocol):
    """What a section needs of the panel that it is in."""

    runner: JobRunner
    title: str

    @property
    def parameters(self) -> Any:
        """The module's parameters, also while the user is in another module."""

    def refresh(self) -> None:
        """See again what each section still needs."""

    def onDelivered(self, task: JobTask) -> None:
        """A task has delivered its results."""

    def addLog(self, text: str) -> None:
        """Something to keep in the log."""


class JobSection:
    """Runs one task in the panel's runner, from the click to the nodes in the scene.

    Args:
        panel: whose runner it uses; the panel's sections run one at a time.
        task: the job, and how it meets the scene.
        layout: its button, progress and status are added to its end.
    """

    def __init__(self, panel: Panel, task: JobTask, layout: Any) -> None:
        self._panel = panel
        self.task = task
        self.bar = JobBar(layout, self.onPressed, task.buttonText, task.section)
        self._running = False
        self._forget()

    @property
    def isRunning(self) -> bool:
        """Whether the job that runs is this section's."""
        return self._running

    def onPressed(self) -> None:
        """Run the job, or stop the running one."""
        if self._running:
            self.bar.showCancelling()
            self._panel.runner.cancel()
            return
        with self._guarded():
            self._ensureDependencies()
            self._chosen = snapshot(self._panel.parameters)
            self._frames = self.task.frames(self._chosen)
            self._options = self.task.options(self._chosen)
            self._runNodes = [node.GetID() for node in self.task.dependsOn(self._chosen)]
            self._runNextFrame()

    def hasLostNodes(self) -> bool:
        """Whether a node is gone that the running job works on."""
        return any(slicer.mrmlScene.GetNodeByID(nodeId) is None for nodeId in self._runNodes)

    def abandon(self, message: str) -> None:
        """Stop the job, if it is this section's that runs; nothing is written."""
        if self._running:
            self._panel.runner.stop()
            self._end(message)

    def onProgress(self, fraction: float, message: str) -> None:
        """Hear the job."""
        if len(self._frames) > 1:
            number = len(self._results) + 1
            message = _("Frame {number} of {count}: {message}").format(
                number=number, count=len(self._frames), message=message
            )
            fraction = (number - 1 + fraction) / len(self._frames)
        self.bar.showProgress(fraction, message)

    def onLog(self, text: str) -> None:
        """Hear what was printed."""
        self._panel.addLog(text)

    def onFailed(self, error: DeepMRIError) -> None:
        """The job failed: say why; the scene is as it was."""
        self._end(str(error), error=True)

    def onCancelled(self) -> None:
        """The job was stopped: the scene is as it was."""
        self._end(_("Stopped; the scene is as it was."))

    def onFinished(self, result: Any) -> None:
        """The job is done, or the next frame's turn has come."""
        self._results.append(result)
        with self._guarded():
            if len(self._results) < len(self._frames):
                self._runNextFrame()
                return
            self._dropDeletedOutputs()
            before = dict(vars(self._chosen))
            with transaction(slicer.mrmlScene):
                message = self.task.deliver(self._results, self._chosen)
            self._panel.onDelivered(self.task)
            self._keepOutputs(before)
            self.task.show(self._chosen)
            self._end(message)

    def _runNextFrame(self) -> None:
        inputs = self.task.collect(self._chosen, self._frames[len(self._results)])
        self._panel.runner.run(self.task.job, inputs, self._options, self)
        if not self._results:
            self._running = True
            self.bar.showRunning()
            self._panel.refresh()

    def _ensureDependencies(self) -> None:
        parameters, title = self._panel.parameters, self._panel.title
        installed = self.task.needsTorch(parameters) and ensureTorch(title)
        installed = ensurePackages(self.task.packages(parameters), title) or installed
        if installed:
            self._panel.runner.stop()  # a warm worker does not see what was installed after its start

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever goes wrong, the panel is ready for the next click; what nobody foresaw keeps its traceback."""
        done = False
        try:
            yield
            done = True
        except DeepMRIError as error:
            self._end(str(error), error=True)
            done = True
        finally:
            if not done:
                self._panel.runner.stop()
                self._end(_("Something unexpected went wrong; the scene is as it was. See Slicer's log."), error=True)

    def _dropDeletedOutputs(self) -> None:
        """An output that the user has deleted meanwhile is made anew."""
        for name, value in vars(self._chosen).items():
            if hasattr(value, "GetID") and not slicer.mrmlScene.IsNodePresent(value):
                setattr(self._chosen, name, None)

    def _keepOutputs(self, before: Mapping[str, Any]) -> None:
        """Put what the delivery has made into the parameter node, also when the user is in another module."""
        for name, value in vars(self._chosen).items():
            if value is not before[name]:
                setattr(self._panel.parameters, name, value)

    def _forget(self) -> None:
        self._results: list[Any] = []
        self._frames: list[Any] = []
        self._runNodes: list[str] = []
        self._chosen: Any = None
        self._options: Any = None

    def _end(self, message: str, *, error: bool = False) -> None:
        self._running = False
        self._forget()
        self.bar.showIdle(message, error=error)
        if error:
            self._panel.addLog(message)
        self._panel.refresh()


def snapshot(parameters: Any) -> SimpleNamespace:
    """The parameters as they are now: what the user changes later is for the next run."""
    values = {name: getattr(parameters, name) for name in parameters.allParameters}
    # A list of the parameter node writes back into it.
    return SimpleNamespace(
        **{name: list(value) if isinstance(value, MutableSequence) else value for name, value in values.items()}
    )
