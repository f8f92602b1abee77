"""The base of every module's panel: it builds the settings, guards the scene, and keeps the sections that run jobs."""

from __future__ import annotations

import sys
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.panel.form_section import FormSection
from DeepMRILib.panel.job_log import JobLog
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.runner import JobRunner
from DeepMRILib.panel.section import JobSection
from DeepMRILib.panel.task import JobTask


class JobPanel(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """A panel for one job, or for several that run one at a time.

    The .ui file has four sections, each a collapsible button with a form layout, and the settings are added to the
    last two: ``inputsCollapsibleButton``, ``outputsCollapsibleButton``, ``settingsCollapsibleButton``,
    ``advancedCollapsibleButton``. Apply goes into its widget ``applyWidget`` where it has one, else below everything.
    A further task ``train`` of the Logic has the section ``trainCollapsibleButton``: its settings, its button, its
    progress and its status are added there.
    """

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: JobLogic | None = None
        self.sections: list[JobSection] = []
        self._parameters: Any = None
        self._guiTag: Any = None

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
        found = slicer.util.childWidgetVariables(uiWidget)
        self._forms = [FormSection(task, found, self._onMachineSetting) for task in self.logic.tasks]
        place = getattr(found, "applyWidget", None)
        self.sections = [
            JobSection(self, task, form.barLayout or (self.layout if place is None else place.layout()))
            for task, form in zip(self.logic.tasks, self._forms, strict=True)
        ]
        self.bar = self.sections[0].bar
        self.log = JobLog(self.layout)
        self.layout.addStretch(1)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self._observeScene()
        self.setupExtra()
        self.initializeParameterNode()

    def setupExtra(self) -> None:
        """Where a module connects widgets of its own."""

    def _observeScene(self) -> None:
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodeRemoved)

    @property
    def title(self) -> str:
        """The module's title."""
        return getattr(slicer.modules, self.moduleName.lower()).title

    @property
    def parameters(self) -> Any:
        """The module's parameters, also while the user is in another module."""
        return self.logic.getParameterNode() if self._parameters is None else self._parameters

    def addLog(self, text: str) -> None:
        """Add printed text to the log."""
        self.log.addLog(text)

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
        for section in self.sections:
            section.abandon(_("The scene was closed; the computation was stopped."))
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
        """A node is gone: a job that works on it is stopped."""
        for section in self.sections:
            if section.isRunning and section.hasLostNodes():
                section.abandon(_("An input was deleted; the computation was stopped."))

    # ---- parameters

    def initializeParameterNode(self) -> None:
        """Connect the panel to the module's parameter node, and choose what is obvious."""
        for form in self._forms:
            form.refreshMachineSettings()
        self._setParameterNode(self.logic.getParameterNode())
        for task in self.logic.tasks:
            task.preselect(self._parameters)

    def _setParameterNode(self, parameters: Any) -> None:
        if self._parameters is not None:
            self.releasePanel()
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onParametersModified)
            self.refresh()

    def onParametersModified(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """Something was chosen."""
        self.refresh()

    def _onMachineSetting(self) -> None:
        for form in self._forms:
            form.refreshMachineSettings()
        self.refresh()

    def refresh(self) -> None:
        """See what can be set now, and what each section still needs."""
        if self._parameters is None:
            return
        self.updatePanel(self._parameters)
        running = next((section for section in self.sections if section.isRunning), None)
        for section, form in zip(self.sections, self._forms, strict=True):
            form.showRelevant(self._parameters)
            if running is None:
                section.bar.setReady(self._missing(section))
            elif section is not running:
                section.bar.setReady(_("Another computation runs in this module; wait for it or cancel it."))

    def _missing(self, section: JobSection) -> str:
        return section.task.missing(self._parameters) or section.task.conflict(self._parameters)

    def updatePanel(self, parameters: Any) -> None:
        """Where a module shows or hides widgets of its own as parameters change."""

    def onDelivered(self, task: JobTask) -> None:
        """Where a module takes note of what one of its tasks has just delivered."""

    def releasePanel(self) -> None:
        """Where a module lets go of nodes that it observes: the user leaves, or the scene closes."""

    # ---- what the runner says outside of any run

    def onProgress(self, fraction: float, message: str) -> None:
        """Nothing runs: nothing to show."""

    def onLog(self, text: str) -> None:
        """Keep what was printed."""
        self.addLog(text)

    def onFinished(self, result: Any) -> None:
        """Nothing runs: nothing to deliver."""

    def onFailed(self, error: DeepMRIError) -> None:
        """Keep it in the log."""
        self.addLog(str(error))

    def onCancelled(self) -> None:
        """Nothing runs: nothing to stop."""
