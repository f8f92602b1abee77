"""What a network sees in the image that the slider of the KSpaceIGS panel shows, through the panel's worker.

One run at a time: the next begins when the last has ended, with the slider where it is then. So the latest place wins,
and no answer is thrown away.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError, InputError
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.options_network import ApplyOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.jobs import find_job
from DeepMRILib.mrml.igs_inputs import labelsOn
from DeepMRILib.mrml.igs_live import agreement, showReconstruction, showSegmentation
from DeepMRILib.options import settings
from DeepMRILib.panel.machine import machineSettings
from DeepMRILib.panel.timers import onceAfter
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume

BUSY_MS = 100
"""While another job runs, look again so often."""


@dataclass(frozen=True, eq=False)
class Scene:
    """An undersampled image to look at.

    Attributes:
        key: equal for equal pictures.
        source: equal for pictures of one pattern and one image.
        pattern, lines, kind: what is acquired.
        options: how the image is cut into slices.
    """

    key: Any
    source: Any
    pattern: Pattern
    options: DataOptions
    lines: int
    kind: str


class _Run:
    """One run of the network, and who hears of it."""

    def __init__(self, look: NetworkLook, scene: Scene, model: str) -> None:
        self._look, self.scene, self.model = look, scene, model
        self.started = time.perf_counter()

    def onProgress(self, fraction: float, message: str) -> None:
        """Runs are short: that one is under way is all there is to see."""

    def onLog(self, text: str) -> None:
        """Keep what was printed."""
        self._look.onLog(text)

    def onFinished(self, result: Any) -> None:
        """An answer."""
        self._look.onAnswer(self, result)

    def onFailed(self, error: DeepMRIError) -> None:
        """No answer, and why."""
        self._look.onFailure(self, error)

    def onCancelled(self) -> None:
        """It was dropped."""
        self._look.onDropped()


class NetworkLook:
    """Keeps the segmentation in step with the undersampled image.

    Args:
        panel: the module's widget: its ``runner``, ``parameters`` and ``addLog`` are used.
        task: the module's Logic.
        onTold: called with a text of what was seen, and whether more is on its way.
    """

    def __init__(self, panel: Any, task: Any, onTold: Callable[[str, bool], None]) -> None:
        self._panel, self._task, self._onTold = panel, task, onTold
        self._scene: Scene | None = None
        self._answered: tuple[Any, str] | None = None
        self._text = ""
        self._run: _Run | None = None
        self._again = onceAfter(BUSY_MS, self._advance)

    def see(self, scene: Scene | None) -> None:
        """Look at this; None: there is nothing to look at."""
        self._scene = scene
        if scene is None:
            self._drop()
            self._answered = None
            self._tell("")
        else:
            self._advance()

    @property
    def hasCaughtUp(self) -> bool:
        """Whether what is seen is what was asked for last."""
        scene = self._scene
        return scene is None or self._answered == (scene.key, self._panel.parameters.model)

    def stop(self) -> None:
        """The user goes elsewhere: a run that is under way is dropped."""
        self._drop()
        self._again.stop()
        self._tell(self._text)

    def dispose(self) -> None:
        """The panel goes."""
        self.stop()
        self._again.deleteLater()

    def _advance(self) -> None:
        """Begin the run that is wanted, once there is room."""
        model = self._panel.parameters.model
        if not model:
            self._answered = None
            self._tell("")
        if self._scene is None or not model or self.hasCaughtUp or self._isRunning():
            return  # where one runs, the next begins when it has ended
        if self._panel.runner.isBusy():
            self._again.start()
        elif importlib.util.find_spec("torch") is None:
            self._answered = (self._scene.key, model)
            self._tell(_("The network needs PyTorch: press Apply once to install it."))
        else:
            self._start(_Run(self, self._scene, model))

    def _start(self, run: _Run) -> None:
        self._run = run
        try:
            inputs = {**self._task.imageInputs(self._panel.parameters), "pattern": run.scene.pattern}
            self._panel.runner.run(find_job("igs.apply"), inputs, _applyOptions(run.scene), run, givesWay=True)
        except DeepMRIError as error:
            self.onFailure(run, error)
            return
        self._tell(self._text)

    def _isRunning(self) -> bool:
        # The runner may have been stopped by somebody else, and then nothing more is heard of the run.
        return self._run is not None and self._panel.runner.serves(self._run)

    def _drop(self) -> None:
        if self._isRunning():
            self._panel.runner.drop()
        self._run = None

    # ---- answers

    def onLog(self, text: str) -> None:
        """Keep what a run has printed."""
        self._panel.addLog(text)

    def onAnswer(self, run: _Run, result: Any) -> None:
        """Show an answer, if it is still of this pattern, image and network; begin the next if the hand moved on."""
        scene, model = self._scene, self._panel.parameters.model
        if run is self._run and scene is not None and (run.scene.source, run.model) == (scene.source, model):
            self._answered = (run.scene.key, run.model)
            try:
                self._tell(self._shown(result, time.perf_counter() - run.started))
            except DeepMRIError as error:
                self.onFailure(run, error)
                return
        self.onDropped()

    def onFailure(self, run: _Run, error: DeepMRIError) -> None:
        """Say why there is no answer; the last good one stands."""
        self._answered = (run.scene.key, run.model)
        self._panel.addLog(str(error))
        self._tell(str(error))
        self.onDropped()

    def onDropped(self) -> None:
        """A run is over, and the next one may begin."""
        self._tell(self._text)
        if self._run is not None:
            self._advance()

    def _shown(self, result: Any, seconds: float) -> str:
        """Put an answer into the scene; returns what to say of it."""
        parameters, told = self._panel.parameters, []
        if result.segmentation is not None:
            told.append(self._segments(parameters, result.segmentation))
        if result.reconstruction is not None:
            node = showReconstruction(result.reconstruction, parameters.inputVolume, parameters.reconstructedVolume)
            choose(parameters, "reconstructedVolume", node)
        if result.classes is not None:
            told.append(_classText(result.classes))
        told.append(_("The network took {seconds:.1f} s.").format(seconds=seconds))
        return " ".join(filter(None, told))

    def _segments(self, parameters: Any, labels: LabelVolume) -> str:
        names = self._task.networks.labels(parameters.model)
        node = showSegmentation(labels, names, parameters.inputVolume, parameters.liveSegmentation)
        choose(parameters, "liveSegmentation", node)
        dice = agreement(labels, self._truth(parameters), names)
        listed = ", ".join(f"{name} {value:.2f}" for name, value in dice.items())
        return _("Dice: {listed}.").format(listed=listed) if dice else ""

    def _truth(self, parameters: Any) -> LabelVolume | None:
        """The chosen labels; None where there are none that can be used."""
        node = parameters.labelsSegmentation
        if node is None:
            return None
        try:
            return labelsOn(node, list(parameters.labelsSegments), parameters.inputVolume)
        except InputError:  # the search says so
            return None

    def _tell(self, text: str) -> None:
        self._text = text
        self._onTold(text, self._isRunning())


def choose(parameters: Any, name: str, node: Any) -> None:
    """Choose a node, where another was or none."""
    if node is not getattr(parameters, name):
        setattr(parameters, name, node)


def _applyOptions(scene: Scene) -> ApplyOptions:
    data = {setting.name: getattr(scene.options, setting.name) for setting in settings(DataOptions)}
    return ApplyOptions(**data, lines=scene.lines, kind=scene.kind, device=machineSettings()["device"])


def _classText(classes: Table) -> str:
    """How many slices were taken for which class."""
    found = [str(name) for name in classes.columns.get("class", [])]
    counts = {name: found.count(name) for name in dict.fromkeys(found)}
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return _("Slices by class: {listed}.").format(listed=listed) if counts else ""
