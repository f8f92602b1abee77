"""The base of every module's panel: it builds the settings, runs the job and guards the scene."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.panel.dependencies import ensurePackages, ensureTorch
from DeepMRILib.panel.job_bar import JobBar
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.options_form import addMachineSettings, addOptions, refreshMachineSettings
from DeepMRILib.panel.runner import JobRunner


class JobPanel(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """A panel for one job. The .ui file has three sections, and the settings are added to the last two:

    ``inputsCollapsibleButton``, ``outputsCollapsibleButton``, ``settingsCollapsibleButton``,
    ``advancedCollapsibleButton``, each with a form layout.
    """

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: JobLogic | None = None
        self._parameters: Any = None
        self._guiTag: Any = None
        self._results: list[Any] = []
        self._frames: list[Any] = []
        self._runNodes: list[str] = []
        self._chosen: Any = None
        self._runOptions: Any = None

    def createLogic(self) -> JobLogic:
        """The module's Logic."""
        raise NotImplementedError

    def setup(self) -> None:
        """Build the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = self.createLogic()
        self.runner = JobRunner(self)
        uiWidget = slicer.util.loadUI(self.resourcePath(f"UI/{self.moduleName}.ui"))
        self.layout.addWidget(uiWidget)
        self._addSettings(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.bar = JobBar(self.layout, self.onApply)
        self.layout.addStretch(1)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodeRemoved)
        self.setupExtra()
        self.initializeParameterNode()

    def setupExtra(self) -> None:
        """Where a module connects widgets of its own."""

    def _addSettings(self, uiWidget: Any) -> None:
        sections = slicer.util.childWidgetVariables(uiWidget)
        main, advanced = sections.settingsCollapsibleButton, sections.advancedCollapsibleButton
        addOptions(self.logic.job.options_type, main.layout(), advanced.layout())
        self._machineWidgets = addMachineSettings(self.logic.job.options_type, advanced.layout())

    # ---- Slicer's life cycle

    def cleanup(self) -> None:
        """The panel goes: nothing of it may run on."""
        self.runner.dispose()
        self._setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """The user comes to the module."""
        self.initializeParameterNode()

    def exit(self) -> None:
        """The user goes to another module; a running job goes on."""
        self._setParameterNode(None)

    def onReload(self) -> None:
        """Reload the module together with our library, which Slicer would keep.

        Other modules of the extension keep the classes that they have: reload each that is open.
        """
        self.runner.stop()
        for name in [name for name in sys.modules if name.partition(".")[0] == "DeepMRILib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """The scene closes: the job is stopped and nothing is written."""
        self._abandon(_("The scene was closed; the computation was stopped."))
        self._setParameterNode(None)
        self.logic.forgetParameterNode()

    def onSceneEndClose(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """A new scene: begin anew if the user is here."""
        if self.parent.isEntered:
            self.initializeParameterNode()

    def onSceneEndImport(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """A scene was read: its settings and choices are shown."""
        shown = self._parameters is not None
        self._setParameterNode(None)
        self.logic.forgetParameterNode()
        if shown or self.parent.isEntered:
            self.initializeParameterNode()

    def onNodeRemoved(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """A node is gone: if the job works on it, the job is stopped."""
        if self.runner.isBusy() and any(slicer.mrmlScene.GetNodeByID(nodeId) is None for nodeId in self._runNodes):
            self._abandon(_("An input was deleted; the computation was stopped."))

    def _abandon(self, message: str) -> None:
        if self.runner.isBusy():
            self.runner.stop()
            self._endRun(message)

    # ---- parameters

    def initializeParameterNode(self) -> None:
        """Connect the panel to the module's parameter node, and choose what is obvious."""
        refreshMachineSettings(self._machineWidgets)
        self._setParameterNode(self.logic.getParameterNode())
        self.logic.preselect(self._parameters)

    def _setParameterNode(self, parameters: Any) -> None:
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.onParametersModified()

    def onParametersModified(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """Something was chosen: see what Apply still needs."""
        if self._parameters is None:
            return
        self.updatePanel(self._parameters)
        if not self.runner.isBusy():
            self.bar.setReady(self.logic.missing(self._parameters) or self.logic.conflict(self._parameters))

    def updatePanel(self, parameters: Any) -> None:
        """Where a module shows or hides widgets of its own as parameters change."""

    # ---- the job

    def onApply(self) -> None:
        """Run the job, or stop the running one."""
        if self.runner.isBusy():
            self.bar.showCancelling()
            self.runner.cancel()
            return
        with self._guarded():
            self._ensureDependencies()
            self._chosen = self._snapshot(self._parameters)
            self._frames = self.logic.frames(self._chosen)
            self._results = []
            self._runOptions = self.logic.options(self._chosen)
            self._runNodes = [node.GetID() for node in self.logic.dependsOn(self._chosen)]
            self._runNextFrame()

    def _ensureDependencies(self) -> None:
        title = getattr(slicer.modules, self.moduleName.lower()).title
        installed = self.logic.needsTorch(self._parameters) and ensureTorch(title)
        installed = ensurePackages(self.logic.packages(self._parameters), title) or installed
        if installed:
            self.runner.stop()  # a warm worker does not see what was installed after its start

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Whatever goes wrong, the panel is ready for the next Apply; what nobody foresaw keeps its traceback."""
        done = False
        try:
            yield
            done = True
        except DeepMRIError as error:
            self._endRun(str(error), error=True)
            done = True
        finally:
            if not done:
                self.runner.stop()
                self._endRun(
                    _("Something unexpected went wrong; the scene is as it was. See Slicer's log."), error=True
                )

    @staticmethod
    def _snapshot(parameters: Any) -> SimpleNamespace:
        """The parameters as they are now: what the user changes later is for the next run."""
        return SimpleNamespace(**{name: getattr(parameters, name) for name in parameters.allParameters})

    def _runNextFrame(self) -> None:
        inputs = self.logic.collect(self._chosen, self._frames[len(self._results)])
        self.runner.run(self.logic.job, inputs, self._runOptions)
        if not self._results:
            self.bar.showRunning()

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
        self.bar.addLog(text)

    def onFailed(self, error: DeepMRIError) -> None:
        """The job failed: say why; the scene is as it was."""
        self._endRun(str(error), error=True)

    def onCancelled(self) -> None:
        """The job was stopped: the scene is as it was."""
        self._endRun(_("Stopped; the scene is as it was."))

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
                message = self.logic.deliver(self._results, self._chosen)
            self._keepOutputs(before)
            self.logic.show(self._chosen)
            self._endRun(message)

    def _dropDeletedOutputs(self) -> None:
        """An output that the user has deleted meanwhile is made anew."""
        for name, value in vars(self._chosen).items():
            if hasattr(value, "GetID") and not slicer.mrmlScene.IsNodePresent(value):
                setattr(self._chosen, name, None)

    def _keepOutputs(self, before: Mapping[str, Any]) -> None:
        """Put what the delivery has made into the parameter node, also when the user is in another module."""
        parameters = self.logic.getParameterNode() if self._parameters is None else self._parameters
        for name, value in vars(self._chosen).items():
            if value is not before[name]:
                setattr(parameters, name, value)

    def _endRun(self, message: str, *, error: bool = False) -> None:
        self._results, self._frames, self._runNodes, self._chosen = [], [], [], None
        self.bar.showIdle(message, error=error)
        self.onParametersModified()
