"""IAPPredict: what an MR image says about how it was acquired, checked against its header, in 3D Slicer."""

import sys
from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

try:
    import DeepMRILib  # noqa: F401 - beside this file once installed
except ModuleNotFoundError:
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # one folder up in a checkout

from DeepMRILib.mrml.iap_rows import rowsOf
from DeepMRILib.mrml.iap_sample import SAMPLE_NAME, SMALL, sampleNodes
from DeepMRILib.mrml.nodes import isNode
from DeepMRILib.panel.base import JobPanel
from DeepMRILib.panel.choice_box import ChoiceBox
from DeepMRILib.panel.iap_cohort import IAPAuditTask, IAPCompleteTask, IAPSortTask
from DeepMRILib.panel.iap_export import ExportSection
from DeepMRILib.panel.iap_list import ParameterList
from DeepMRILib.panel.iap_show import ShowSection
from DeepMRILib.panel.iap_source import SourceSection
from DeepMRILib.panel.iap_task import IAPPredictTask, IAPSaliencyTask
from DeepMRILib.panel.iap_train import IAPTrainTask
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.model_box import ModelBox
from DeepMRILib.panel.options_form import addRow
from DeepMRILib.panel.sample_data import registerSample
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showVolume

MODEL_HELP = (
    "The model that looks at the images: iap-demo, which was trained on simulated images and only shows how this "
    "works, or one that you have trained below. None: the header alone."
)
LEVEL_HELP = "This fraction of sets and intervals holds the truth, on images like those of the training."
LEVELS = (0.8, 0.9, 0.95)


class IAPPredict(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Acquisition Parameter Prediction")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Informatics")]
        parent.dependencies = ["Volumes", "Tables", "Plots"]
        parent.contributors = ["The DeepMRI contributors"]
        parent.helpText = _(
            "What an MR image says about its scanner and its settings, checked against its header: for one series, or "
            "for a folder that is audited and sorted. For research use only."
        )
        parent.acknowledgementText = _(
            "After Konz and Mazurowski, Reverse Engineering Breast MRIs (MIDL 2023). Please cite the DeepMRI extension "
            "and that paper."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Add simulated series to Slicer's Sample Data; they are computed here, nothing is downloaded."""
    registerSample(SAMPLE_NAME, __file__, loadSample)


def loadSample(source: Any = None) -> list[Any]:  # noqa: ARG001 - Slicer hands over the source
    """Simulate three series of one head and add them to the scene, with their headers."""
    with slicer.util.WaitCursor():
        made = sampleNodes()
    showVolume(made[0])
    return made


class IAPPredictLogic(IAPPredictTask, JobLogic):
    """The prediction as Apply runs it, folders and training as further tasks; ``process`` is the console's door."""

    moreTasks = (IAPSaliencyTask, IAPAuditTask, IAPSortTask, IAPCompleteTask, IAPTrainTask)

    def __init__(self, parent: Any = None) -> None:
        JobLogic.__init__(self, parent)
        IAPPredictTask.__init__(self)
        for task in self.tasks[1:]:
            task.first, task.networks = self, self.networks


class IAPPredictWidget(JobPanel):
    """The panel."""

    def createLogic(self) -> IAPPredictLogic:
        """The module's Logic."""
        return IAPPredictLogic()

    def setupExtra(self) -> None:
        """Connect the choices of model, level and files, the list of parameters, and the buttons."""
        settings = self.ui.settingsCollapsibleButton.layout()
        modelRow = addRow(settings, 0, _("Model"), _(MODEL_HELP))
        modelRow.widget.setObjectName("modelBox")
        self._modelBox = ModelBox(modelRow.widget, _("none: the header alone"), self._setter("model"))
        self.levelRow = addRow(settings, 3, _("Level"), _(LEVEL_HELP))
        self.levelRow.widget.setObjectName("levelBox")
        self._levelBox = ChoiceBox(self.levelRow.widget, self._setter("level"))
        self.source = SourceSection(self)
        self.list = ParameterList(self)
        self.showing, self.exporting = ShowSection(self), ExportSection(self)
        goes = slicer.mrmlScene.NodeAboutToBeRemovedEvent
        self.addObserver(slicer.mrmlScene, goes, self.onNodeAboutToBeRemoved, priority=1.0)  # before the selectors

    def _setter(self, name: str) -> Any:
        return lambda value: setattr(self.parameters, name, value)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller: Any, event: Any, node: Any) -> None:
        """Choose nothing in its place: a selector would choose the node before it in its list, which is another's."""
        if self._parameters is not None:
            for name in self._parameters.allParameters:
                value = getattr(self._parameters, name)
                if isNode(value, "vtkMRMLNode") and value is node:
                    setattr(self._parameters, name, None)

    def initializeParameterNode(self) -> None:
        """Also look which models there are."""
        self.logic.networks.reload()
        JobPanel.initializeParameterNode(self)

    def updatePanel(self, parameters: Any) -> None:
        """Show what belongs to the chosen series, model and table."""
        self.source.refresh(parameters)
        self._modelBox.update(self.logic.networks.entries(), parameters.model)
        notes = " ".join(self.logic.networks.notes(parameters.model))
        self.ui.modelLabel.setText(notes)
        self.ui.modelLabel.setVisible(bool(notes))
        levels = sorted({*LEVELS, parameters.level})
        self._levelBox.update({level: f"{100 * level:.4g} %" for level in levels}, parameters.level)
        self.levelRow.setVisible(bool(parameters.model or parameters.checkpointFile))
        self.list.refresh(parameters)
        self.showing.refresh(parameters)
        self.exporting.refresh(parameters)

    def onDelivered(self, task: JobTask) -> None:
        """There may be one model more."""
        if task is self.logic.tasks[-1]:
            self.logic.networks.reload()

    def releasePanel(self) -> None:
        """Nothing is followed any more."""
        self.list.stop()
        self.source.forget()

    def cleanup(self) -> None:
        """The panel goes."""
        JobPanel.cleanup(self)
        self.list.dispose()


class IAPPredictTest(ScriptedLoadableModuleTest):
    """The module's self test: Reload and Test, or ctest."""

    def setUp(self) -> None:
        """Start from a few small simulated series."""
        slicer.mrmlScene.Clear()
        self.series = sampleNodes(SMALL)

    def runTest(self) -> None:
        """Run all."""
        self.setUp()
        self.test_headersAreRead()
        self.delayDisplay(_("Test passed"))

    def test_headersAreRead(self) -> None:
        """Without a model the table says what the header says and lacks."""
        for node, sequence in zip(self.series, ("SE", "GR", "IR"), strict=True):
            made = IAPPredictLogic().process(node)
            rows = {row.parameter: row for row in rowsOf(made.parametersTable)}
            self.assertEqual(rows["sequence"].header, sequence)
            self.assertGreater(float(rows["echo_time"].header), 0)
            missing = "missing in the header" if sequence == "IR" else "not predicted"
            self.assertEqual((rows["inversion_time"].header, rows["inversion_time"].verdict), ("", missing))
