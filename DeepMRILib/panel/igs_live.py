"""The acceleration slider of the KSpaceIGS panel: lines, image and segmentation follow the hand.

The order of lines is nested, so any number of them is known at once: mask and image are made in this process, the
image in k-space being kept. What a network sees in it comes from the panel's worker, one run at a time: the next begins
when the last has ended, with the slider where it is then, so that the latest place wins and no answer is thrown away.
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
from DeepMRILib.igs.options_network import ApplyOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.jobs import find_job
from DeepMRILib.mrml.igs import shownText
from DeepMRILib.mrml.igs_inputs import labelsOn
from DeepMRILib.mrml.igs_live import (
    LiveImage,
    agreement,
    pictureShape,
    showImage,
    showMask,
    showReconstruction,
    showSegmentation,
)
from DeepMRILib.mrml.igs_pictures import maskPicture
from DeepMRILib.mrml.igs_record import (
    PATTERN,
    ROLE,
    IGSNodes,
    IGSRecord,
    hasPattern,
    linkedNodes,
    patternOf,
    recordOf,
)
from DeepMRILib.options import to_json
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.live_request import imageKey
from DeepMRILib.panel.machine import machineSettings
from DeepMRILib.panel.timers import onceAfter
from DeepMRILib.volume import LabelVolume

BUSY_MS = 100
"""While another job runs, look again so often."""


@dataclass(frozen=True)
class LiveState:
    """What the panel says of what the slider shows.

    Attributes:
        text: of the lines and the image.
        isError: it says what is wrong.
        segmented: of the segmentation; empty where there is none.
        isBusy: a segmentation is on its way.
        seconds: that the last change took until the image was in the scene.
    """

    text: str = ""
    isError: bool = False
    segmented: str = ""
    isBusy: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class _Shown:
    """What is to be seen: equal for equal pictures."""

    table: str
    version: int
    image: tuple[Any, ...]
    lines: int
    kind: str


class _Run:
    """One run of the network, and who hears of it."""

    def __init__(self, live: LivePattern, key: tuple[_Shown, str]) -> None:
        self._live, self.key = live, key
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
        """It was dropped."""
        self._live.onDropped()


class LivePattern:
    """Keeps mask, undersampled image and segmentation in step with the slider.

    Args:
        panel: the module's widget: its ``runner``, ``parameters`` and ``addLog`` are used.
        task: the module's Logic.
        onState: called with a ``LiveState`` whenever it changes.
    """

    def __init__(self, panel: Any, task: Any, onState: Callable[[LiveState], None]) -> None:
        self._panel, self._task, self._onState = panel, task, onState
        self.state = LiveState()
        self.pattern: Pattern | None = None
        self._record: IGSRecord | None = None
        self._source: tuple[str, int] = ("", 0)
        self._image: LiveImage | None = None
        self._imageOf: Any = None
        self._done: _Shown | None = None
        self._failed: _Shown | None = None
        self._segmented: tuple[_Shown, str] | None = None
        self._soon = Follower(self._advance)
        self._again = onceAfter(BUSY_MS, self._segment)
        self._run: _Run | None = None

    # ---- what the panel calls

    def refresh(self, parameters: Any) -> None:
        """Follow what is chosen now; call it from ``updatePanel``."""
        if not hasPattern(parameters.linesTable):
            had = bool(self._source[0])
            self.forget()
            if had:  # the next search shall not write into what belongs to the pattern that was let go
                self._choose(parameters, IGSNodes(parameters.linesTable))
            return
        if self._source != _sourceOf(parameters.linesTable):
            self._adopt(parameters)
        if self.pattern is None:
            return
        nodes = [node for node in (parameters.inputVolume, parameters.phaseVolume) if node is not None]
        self._soon.watch([(node, vtk.vtkCommand.ModifiedEvent) for node in nodes])
        shown = self._shown(parameters)
        if parameters.live and shown not in (self._done, self._failed):
            self._soon.poke()
        elif parameters.live:
            self._segment()
        if not self.state.text:
            self._say(text=shownText(self.pattern, shown.lines, shown.kind))

    def lines(self, parameters: Any) -> int:
        """How many lines are shown."""
        most = self.pattern.lines if self.pattern is not None else 1
        return min(parameters.shownLines, most) if parameters.shownLines > 0 else most

    def forget(self) -> None:
        """There is no pattern."""
        self._drop()
        self.pattern = self._record = self._image = self._imageOf = None
        self._done = self._failed = self._segmented = None
        self._source = ("", 0)
        self._say(text="", isError=False, segmented="")

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere."""
        self._drop()
        self._soon.stop()
        self._again.stop()
        self._say()

    def dispose(self) -> None:
        """The panel goes."""
        self.stop()
        self._soon.dispose()
        self._again.deleteLater()

    # ---- lines and image, in this process

    def _adopt(self, parameters: Any) -> None:
        """Another pattern: the slider changes what belongs to it."""
        self.forget()
        self._source = _sourceOf(parameters.linesTable)
        self._choose(parameters, linkedNodes(parameters.linesTable))
        try:
            self.pattern, self._record = patternOf(parameters.linesTable), recordOf(parameters.linesTable)
        except DeepMRIError as error:
            self._say(text=str(error), isError=True)

    def _choose(self, parameters: Any, nodes: IGSNodes) -> None:
        """Choose these nodes as outputs."""
        with slicer.util.NodeModify(parameters):
            for name in self._task.outputNames():
                _keep(parameters, name, getattr(nodes, name))

    def _shown(self, parameters: Any) -> _Shown:
        images = (imageKey(parameters.inputVolume), imageKey(parameters.phaseVolume))
        return _Shown(*self._source, images, self.lines(parameters), parameters.shownKind)

    def _advance(self) -> None:
        parameters = self._panel.parameters
        if self.pattern is None or self._source != _sourceOf(parameters.linesTable) or not parameters.live:
            return  # the panel is about to say what is chosen now
        shown = self._shown(parameters)
        if shown not in (self._done, self._failed):
            started = time.perf_counter()
            try:
                self._show(parameters, shown)
            except DeepMRIError as error:
                self._failed = shown
                self._say(text=str(error), isError=True, segmented="")
                return
            self._done, self._failed = shown, None
            text = shownText(self.pattern, shown.lines, shown.kind)
            self._say(text=text, isError=False, seconds=time.perf_counter() - started)
        self._segment()

    def _show(self, parameters: Any, shown: _Shown) -> None:
        pattern, record, node = self.pattern, self._record, parameters.inputVolume
        masks = pattern.masks(shown.lines, kind=shown.kind)
        image = self._liveImage(parameters, shown)
        shape = image.shape if image is not None else pictureShape(pattern, parameters.maskVolume)
        mask = showMask(maskPicture(pattern, masks, shape), node, record.options, parameters.maskVolume)
        seen = parameters.undersampledVolume
        if image is not None:
            seen = showImage(image, masks, node, seen)
        with slicer.util.NodeModify(parameters):
            _keep(parameters, "maskVolume", mask)
            _keep(parameters, "undersampledVolume", seen)

    def _liveImage(self, parameters: Any, shown: _Shown) -> LiveImage | None:
        """The chosen image in k-space; None where there is none."""
        key = (shown.table, shown.version, shown.image)
        if parameters.inputVolume is not None and self._imageOf != key:
            options = self._record.options
            self._image = LiveImage.of(parameters.inputVolume, parameters.phaseVolume, self.pattern, options)
            self._imageOf = key
        return self._image if parameters.inputVolume is not None else None

    # ---- the segmentation, in the worker

    def _segment(self) -> None:
        """Begin the run that is wanted, once there is room."""
        parameters = self._panel.parameters
        key = (self._shown(parameters), parameters.model) if self.pattern is not None else None
        if key is None or not self._isWanted(parameters, key):
            return
        if self._isRunning():
            return  # the next begins when it has ended
        if self._panel.runner.isBusy():
            self._again.start()
            return
        if importlib.util.find_spec("torch") is None:
            self._segmented = key
            self._say(segmented=_("The network needs PyTorch: press Apply once to install it."))
            return
        self._start(parameters, key)

    def _isWanted(self, parameters: Any, key: tuple[_Shown, str]) -> bool:
        hasImage = parameters.inputVolume is not None and key[0] == self._done
        if not (hasImage and parameters.live and parameters.model):
            if not parameters.model and self.state.segmented:
                self._say(segmented="")
            return False
        return key != self._segmented

    def _start(self, parameters: Any, key: tuple[_Shown, str]) -> None:
        run = self._run = _Run(self, key)
        try:
            inputs = {**self._task.imageInputs(parameters), "pattern": self.pattern}
            options = self._applyOptions(key[0])
            self._panel.runner.run(find_job("igs.apply"), inputs, options, run, givesWay=True)
        except DeepMRIError as error:
            self.onFailure(run, error)
            return
        self._say()

    def _applyOptions(self, shown: _Shown) -> ApplyOptions:
        values = {**to_json(self._record.options), "size": tuple(self._record.options.size)}
        device = machineSettings().get("device", "auto")
        return ApplyOptions(**values, lines=shown.lines, kind=shown.kind, device=device)

    def _isRunning(self) -> bool:
        # The runner may have been stopped by somebody else, and then nothing more is heard of the run.
        return self._run is not None and self._panel.runner.serves(self._run)

    def _drop(self) -> None:
        if self._isRunning():
            self._panel.runner.drop()
        self._run = None

    def onLog(self, text: str) -> None:
        """Keep what a run has printed."""
        self._panel.addLog(text)

    def onAnswer(self, run: _Run, result: Any) -> None:
        """Show an answer, if it is still of this pattern and image, and begin the next run if the hand moved on."""
        parameters = self._panel.parameters
        asked, model = run.key
        same = run is self._run and self.pattern is not None and model == parameters.model
        if same and (asked.table, asked.version, asked.image) == self._imageOf:
            self._segmented = run.key
            try:
                self._showAnswer(parameters, result, time.perf_counter() - run.started)
            except DeepMRIError as error:
                self.onFailure(run, error)
                return
        self.onDropped()

    def _showAnswer(self, parameters: Any, result: Any, seconds: float) -> None:
        told = []
        if result.segmentation is not None:
            told.append(self._showSegments(parameters, result.segmentation))
        if result.reconstruction is not None:
            node = showReconstruction(result.reconstruction, parameters.inputVolume, parameters.reconstructedVolume)
            _keep(parameters, "reconstructedVolume", node)
        if result.classes is not None:
            told.append(_classText(result.classes))
        told.append(_("The network took {seconds:.1f} s.").format(seconds=seconds))
        self._say(segmented=" ".join(filter(None, told)))

    def _showSegments(self, parameters: Any, labels: LabelVolume) -> str:
        names = self._task.networks.labels(parameters.model)
        node = showSegmentation(labels, names, parameters.inputVolume, parameters.liveSegmentation)
        _keep(parameters, "liveSegmentation", node)
        dice = agreement(labels, self._truth(parameters), names)
        listed = ", ".join(f"{name} {value:.2f}" for name, value in dice.items())
        return _("Dice: {listed}.").format(listed=listed) if dice else ""

    def _truth(self, parameters: Any) -> Any:
        """The chosen labels; None where there are none that can be used."""
        node = parameters.labelsSegmentation
        if node is None:
            return None
        try:
            return labelsOn(node, list(parameters.labelsSegments), parameters.inputVolume)
        except InputError:  # the search says so
            return None

    def onFailure(self, run: _Run, error: DeepMRIError) -> None:
        """Say why there is no answer; the last good one stands."""
        self._segmented = run.key
        self._panel.addLog(str(error))
        self._say(segmented=str(error))
        self.onDropped()

    def onDropped(self) -> None:
        """A run is over, and the next one may begin."""
        self._say()
        if self._run is not None:
            self._segment()

    def _say(self, **changes: Any) -> None:
        state = replace(self.state, isBusy=self._isRunning(), **changes)
        if state != self.state:
            self.state = state
            self._onState(state)


def _sourceOf(table: Any) -> tuple[str, int]:
    """Which pattern belongs to a table: another value when it was found anew."""
    node = table.GetNodeReference(ROLE + PATTERN) if table is not None else None
    return (table.GetID(), node.GetMTime()) if node is not None else ("", 0)


def _keep(parameters: Any, name: str, node: Any) -> None:
    """Choose a node, where another was or none."""
    if node is not getattr(parameters, name):
        setattr(parameters, name, node)


def _classText(classes: Any) -> str:
    """How many slices were taken for which class."""
    found = [str(name) for name in classes.columns.get("class", [])]
    counts = {name: found.count(name) for name in dict.fromkeys(found)}
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return _("Slices by class: {listed}.").format(listed=listed) if counts else ""
