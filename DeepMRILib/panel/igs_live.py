"""The acceleration slider of the KSpaceIGS panel: lines, image and segmentation follow the hand.

The order of lines is nested, so any number of them is known at once: mask and image are made in this process, the
image in k-space being kept. What a network sees in it comes from the panel's worker (``igs_look``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import slicer
import vtk

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.mrml.igs import shownText
from DeepMRILib.mrml.igs_live import LiveImage, pictureShape, showImage, showMask
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
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.igs_look import NetworkLook, Scene, choose
from DeepMRILib.panel.live_request import imageKey


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

    @property
    def source(self) -> tuple[Any, ...]:
        """Which pattern and image: the same at every place of the slider."""
        return self.table, self.version, self.image


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
        self._soon = Follower(self._advance)
        self.look = NetworkLook(panel, task, lambda text, isBusy: self._say(segmented=text, isBusy=isBusy))

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
        if not parameters.live:
            self.look.see(None)
        elif shown not in (self._done, self._failed):
            self._soon.poke()
        else:
            self.look.see(self._scene(parameters))
        if not self.state.text:
            self._say(text=shownText(self.pattern, shown.lines, shown.kind))

    def lines(self, parameters: Any) -> int:
        """How many lines are shown."""
        most = self.pattern.lines if self.pattern is not None else 1
        return min(parameters.shownLines, most) if parameters.shownLines > 0 else most

    def forget(self) -> None:
        """There is no pattern."""
        self.look.see(None)
        self.pattern = self._record = self._image = self._imageOf = None
        self._done = self._failed = None
        self._source = ("", 0)
        self._say(text="", isError=False)

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere."""
        self.look.stop()
        self._soon.stop()

    def dispose(self) -> None:
        """The panel goes."""
        self.stop()
        self.look.dispose()
        self._soon.dispose()

    # ---- lines and image

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
                choose(parameters, name, getattr(nodes, name))

    def _shown(self, parameters: Any) -> _Shown:
        images = (imageKey(parameters.inputVolume), imageKey(parameters.phaseVolume))
        return _Shown(*self._source, images, self.lines(parameters), parameters.shownKind)

    def _scene(self, parameters: Any) -> Scene | None:
        """What a network may look at; None without an image, or when it could not be made."""
        shown = self._shown(parameters)
        if parameters.inputVolume is None or shown != self._done:
            return None
        return Scene(shown, shown.source, self.pattern, self._record.options, shown.lines, shown.kind)

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
                self._say(text=str(error), isError=True)
                self.look.see(None)
                return
            self._done, self._failed = shown, None
            text = shownText(self.pattern, shown.lines, shown.kind)
            self._say(text=text, isError=False, seconds=time.perf_counter() - started)
        self.look.see(self._scene(parameters))

    def _show(self, parameters: Any, shown: _Shown) -> None:
        pattern, node = self.pattern, parameters.inputVolume
        masks = pattern.masks(shown.lines, kind=shown.kind)
        image = self._liveImage(parameters, shown)
        shape = image.shape if image is not None else pictureShape(pattern, parameters.maskVolume)
        picture = maskPicture(pattern, masks, shape)
        mask = showMask(picture, node, self._record.options, parameters.maskVolume)
        seen = parameters.undersampledVolume
        if image is not None:
            seen = showImage(image, masks, node, seen)
        with slicer.util.NodeModify(parameters):
            choose(parameters, "maskVolume", mask)
            choose(parameters, "undersampledVolume", seen)

    def _liveImage(self, parameters: Any, shown: _Shown) -> LiveImage | None:
        """The chosen image in k-space; None where there is none."""
        if parameters.inputVolume is None:
            return None
        if self._imageOf != shown.source:
            options = self._record.options
            self._image = LiveImage.of(parameters.inputVolume, parameters.phaseVolume, self.pattern, options)
            self._imageOf = shown.source
        return self._image

    def _say(self, **changes: Any) -> None:
        state = replace(self.state, **changes)
        if state != self.state:
            self.state = state
            self._onState(state)


def _sourceOf(table: Any) -> tuple[str, int]:
    """Which pattern belongs to a table: another value when it was found anew."""
    node = table.GetNodeReference(ROLE + PATTERN) if table is not None else None
    return (table.GetID(), node.GetMTime()) if node is not None else ("", 0)
