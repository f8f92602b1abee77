"""Segmentation while points are placed and dragged: a coarse answer at once, the full one when the mouse rests.

The job runs in the panel's worker, one run at a time. While points move, the next run begins when the last has ended,
with the points as they are then: none of the many positions in between is waited for, and none of the answers that do
come is thrown away, so that the segment follows the hand. A full run that is overtaken by a change is asked to stop.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError, InputError
from DeepMRILib.interactive.points import FEWEST
from DeepMRILib.mrml.interactive import summary, tableOfSegments
from DeepMRILib.mrml.interactive_history import placedCount, pointsState
from DeepMRILib.mrml.interactive_record import hasRecord
from DeepMRILib.mrml.interactive_segments import isFilled
from DeepMRILib.mrml.points import pointEvents
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.live_actions import UserActions
from DeepMRILib.panel.live_request import Request, imagesOf, targetOf
from DeepMRILib.panel.section import snapshot
from DeepMRILib.panel.timers import onceAfter

REST_MS = 300
"""A hand that has not moved for that long has found its place."""
BUSY_MS = 100
"""While another job runs, look again so often."""


@dataclass(frozen=True)
class LiveState:
    """What a panel shows of the live segmentation.

    Attributes:
        text: one sentence for the user; empty when there is nothing to say.
        isError: the sentence says what is wrong; the last good segmentation stands.
        isBusy: something is being computed.
        isPreview: what stands in the segment is the coarse answer.
        lastSeconds: of the last full answer, from its start to the segment in the scene; None before the first.
        expectedSeconds: how long the next full answer is likely to take; None when nobody knows.
        canUndo: there is an action to take back.
    """

    text: str = ""
    isError: bool = False
    isBusy: bool = False
    isPreview: bool = False
    lastSeconds: float | None = None
    expectedSeconds: float | None = None
    canUndo: bool = False


class _Run:
    """One run of the job, and who hears of it."""

    def __init__(self, live: LiveSegmentation, request: Request, *, isFull: bool) -> None:
        self._live = live
        self.request = request
        self.isFull = isFull
        self.voxels = 1
        self.started = time.perf_counter()

    def onProgress(self, fraction: float, message: str) -> None:
        """Runs are short: that one is under way is all there is to see."""

    def onLog(self, text: str) -> None:
        """Keep what was printed."""
        self._live.onLog(text)

    def onFinished(self, result: Any) -> None:
        """An answer."""
        self._live.onAnswer(self, result)

    def onFailed(self, error: DeepMRIError) -> None:
        """No answer, and why."""
        self._live.onFailure(self, error)

    def onCancelled(self) -> None:
        """It was overtaken."""
        self._live.onDropped()


class LiveSegmentation:
    """Keeps the segment in step with the points.

    Args:
        panel: the module's widget: its ``runner``, ``parameters`` and ``addLog`` are used.
        task: the module's Logic (``InteractiveSegTask``).
        onState: called with a ``LiveState`` whenever it changes.
    """

    def __init__(self, panel: Any, task: Any, onState: Callable[[LiveState], None]) -> None:
        self._panel, self._task, self._onState = panel, task, onState
        self.state = LiveState()
        self._follower = Follower(self._onChanged)
        self._actions = UserActions()
        self._rest = onceAfter(REST_MS, self._onRest)
        self._again = onceAfter(BUSY_MS, self._advance)
        self._run: _Run | None = None
        self._target: tuple[Any, ...] | None = None
        self._wanted = self._summary = ""
        self._isForeign = False
        self._seen = self._done = self._failed = None
        self._lastFull: tuple[_Run, float] | None = None

    # ---- what the panel calls

    def refresh(self, parameters: Any) -> None:
        """Follow what is chosen now; call it from ``updatePanel``. Changed settings start a new run.

        Where the user wants no live segmentation, actions are still kept, to be taken back.
        """
        if parameters.inputVolume is None or parameters.points is None:
            self.stop()
            self.forget()
            return
        if not parameters.live:
            self._drop()
            self._wanted, self._seen = "", None
        if self._target != targetOf(parameters):
            self._adopt(parameters)
        lists = _lists(parameters)
        self._follower.watch(_events(parameters, lists))
        self._actions.watch(lists)
        self._follower.poke()

    def prepare(self) -> None:
        """The user begins to place points: the worker starts meanwhile, so that the first answer need not wait."""
        if self._panel.parameters.live:
            self._panel.runner.prepare(self._task.job)

    def answered(self, key: Any) -> None:
        """Apply has answered this request: it is not run once more, and what stands there is no preview."""
        self._done, self._failed, self._isForeign = key, None, False
        self._say(text="", isError=False, isPreview=False)

    def undo(self) -> None:
        """Take back the user's last action: points and segments are as they were before it."""
        if not len(self._actions):
            return
        parameters = self._panel.parameters
        self._drop()
        self._rest.stop()
        self._wanted = ""
        ids = list(self._task.segments(parameters).values())
        step, gone = self._actions.undo(_lists(parameters), parameters.segmentation, ids)
        self._done, self._isForeign = step.note
        self._seen = self._failed = None
        if parameters.resultsTable is not None and parameters.segmentation is not None:
            tableOfSegments(parameters.segmentation, parameters.resultsTable)
        segment = "" if parameters.segment in gone else parameters.segment
        self._target = (*targetOf(parameters)[:-1], segment)
        parameters.segment = segment
        self._say(text=_("Undone."), isError=False, isPreview=False)
        self._follower.poke()

    def deletePoint(self, node: Any, index: int) -> None:
        """Remove one control point of a point list, or its place where their number is fixed; it can be undone."""
        if node.GetFixedNumberOfControlPoints():
            node.UnsetNthControlPointPosition(index)
        else:
            node.RemoveNthControlPoint(index)

    def forget(self) -> None:
        """Another lesion or another scene: there is nothing to undo any more."""
        self._target = None
        self._actions.begin([])
        self._say(text="", isError=False, isPreview=False, lastSeconds=None, expectedSeconds=None)

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere; a live run that is under way is dropped."""
        self._drop()
        self._follower.stop()
        self._actions.watch([])
        self._rest.stop()
        self._again.stop()
        self._wanted, self._seen = "", None
        self._say()

    def dispose(self) -> None:
        """The panel goes."""
        self.stop()
        self._actions.begin([])
        self._follower.dispose()
        for timer in (self._rest, self._again):
            timer.deleteLater()

    # ---- what changes

    def _adopt(self, parameters: Any) -> None:
        """Begin anew; a segment that holds something stays as it is until a point or a setting changes.

        One that was not made from points stays until a point changes: it is somebody's work.
        """
        self._drop()
        self._target = targetOf(parameters)
        self._actions.begin(_lists(parameters))
        self._wanted, self._seen, self._done, self._failed, self._summary = "", None, None, None, ""
        self._say(isPreview=False, isError=False, text="", lastSeconds=None, expectedSeconds=None)
        self._isForeign = False
        if isFilled(parameters.segmentation, parameters.segment):
            self._isForeign = not hasRecord(parameters.segmentation, parameters.segment)
            request = self._request(parameters) if parameters.live else None
            self._done = None if request is None else request.key

    def _onChanged(self) -> None:
        """A point, a place or a setting may have changed."""
        parameters = self._panel.parameters
        if self._target != targetOf(parameters):
            return  # the panel is about to say what is chosen now
        ids = list(self._task.segments(parameters).values())
        before = (self._done, self._isForeign)
        if self._actions.note(_lists(parameters), parameters.segmentation, ids, before):
            self._isForeign = False
            self._rest.start()
        self._say()
        if not parameters.live:
            return
        request = self._request(parameters)
        if request is None or self._isForeign or request.key in (self._done, self._failed):
            self._wanted = ""
            self._dropOvertaken(request)
            if request is not None and request.key == self._done and self.state.isError:
                self._say(text=self._summary, isError=False)
        elif request.key != self._seen:
            self._seen = request.key
            self._wanted = "preview"
            self._rest.start()
            self._advance()

    def _onRest(self) -> None:
        """Nothing has changed for a while: what there is deserves the full answer."""
        self._actions.rest()
        if self._panel.parameters.live:
            self._wanted = "full"
            self._advance()

    def _advance(self) -> None:
        """Begin the run that is wanted, once there is room."""
        request = self._request(self._panel.parameters) if self._wanted else None
        if request is None or request.key == self._done:
            self._wanted = ""
        elif self._isRunning():
            self._dropOvertaken(request)
        elif self._panel.runner.isBusy():
            self._again.start()
        else:
            self._start(request)

    def _start(self, request: Request) -> None:
        run = self._run = _Run(self, request, isFull=self._wanted == "full")
        self._wanted = ""
        try:
            inputs = request.inputs()
            run.voxels = inputs["volume"].array.size
            self._panel.runner.run(self._task.job, inputs, request.options(run.isFull), run, givesWay=True)
        except DeepMRIError as error:
            self.onFailure(run, error)
            return
        self._say(isError=False, expectedSeconds=self._expected(run))

    def _dropOvertaken(self, request: Request | None) -> None:
        """A full run of something older is asked to stop; a coarse one is short, and shows that something happens."""
        if self._isRunning() and (request is None or (self._run.isFull and self._run.request.key != request.key)):
            self._panel.runner.drop()

    def _drop(self) -> None:
        if self._isRunning():
            self._panel.runner.drop()
        self._run = None

    def _isRunning(self) -> bool:
        # The runner may have been stopped by somebody else, and then nothing more is heard of the run.
        return self._run is not None and self._panel.runner.serves(self._run)

    def _request(self, parameters: Any) -> Request | None:
        """What there is to segment; None, and why in the status, where there is nothing."""
        if self._task.needsTorch(parameters) and importlib.util.find_spec("torch") is None:
            self._say(text=_("The network needs PyTorch: press Apply once to install it."), isError=True)
            return None
        try:
            return Request.of(self._task, parameters)
        except InputError as error:
            # what is still missing is for the panel's hints to say; here is said what is wrong
            placed = placedCount(pointsState(parameters.points))
            enough = placed >= FEWEST
            if 0 < placed < FEWEST:
                self.prepare()  # also where points are placed by other means than the panel's button
            self._say(text=str(error) if enough else "", isError=enough)
            return None

    # ---- answers

    def onLog(self, text: str) -> None:
        """Keep what a run has printed."""
        self._panel.addLog(text)

    def onAnswer(self, run: _Run, result: Any) -> None:
        """Show an answer, if what it belongs to is still there."""
        parameters = self._panel.parameters
        asked = run is self._run and self._target == targetOf(parameters)
        if asked and run.request.images == imagesOf(parameters):
            try:
                self._show(run, result, parameters)
            except DeepMRIError as error:
                self.onFailure(run, error)
        self.onDropped()

    def onFailure(self, run: _Run, error: DeepMRIError) -> None:
        """Say why there is no answer; the last good one stands."""
        self._failed = run.request.key if run.isFull else None
        self._panel.addLog(str(error))
        self._say(text=str(error), isError=True)
        self._advance()

    def onDropped(self) -> None:
        """A run is over, and the next one may begin."""
        self._say()
        self._advance()

    def _show(self, run: _Run, result: Any, parameters: Any) -> None:
        outputs = snapshot(parameters)
        if run.isFull:
            self._task.deliver([result], outputs)
        else:
            self._task.preview(result, outputs)
        self._done = run.request.key if run.isFull else None
        self._target = targetOf(outputs)
        with slicer.util.NodeModify(parameters):
            for name in ("segmentation", "segment", "resultsTable", "confidenceMap"):
                if getattr(outputs, name) != getattr(parameters, name):
                    setattr(parameters, name, getattr(outputs, name))
        seconds = time.perf_counter() - run.started
        if run.isFull:
            self._lastFull = run, seconds
            self._summary = summary(result, seconds)
            self._say(text=self._summary, lastSeconds=seconds)
        self._say(isError=False, isPreview=not run.isFull)

    def _expected(self, run: _Run) -> float | None:
        """How long a full run is likely to take, from the last one with this engine."""
        if self._lastFull is None:
            return None
        last, seconds = self._lastFull
        same = last.request.options(True).engine == run.request.options(True).engine
        return seconds * run.voxels / last.voxels if same else None

    def _say(self, **changes: Any) -> None:
        state = replace(self.state, isBusy=self._isRunning(), canUndo=len(self._actions) > 0, **changes)
        if state != self.state:
            self.state = state
            self._onState(state)


def _lists(parameters: Any) -> list[Any]:
    """All point lists."""
    nodes = (parameters.points, *parameters.otherPoints, parameters.negativePoints)
    return list(dict.fromkeys(node for node in nodes if node is not None))


def _events(parameters: Any, lists: list[Any]) -> list[tuple[Any, Any]]:
    """What changes the answer: the points, the images, and their places."""
    images = [node for node in (parameters.inputVolume, *parameters.channels) if node is not None]
    events = [event for node in lists for event in pointEvents(node)]
    changes = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
    return events + [(node, event) for node in images for event in changes]
