"""KSpaceIGS: which k-space lines to acquire for the task at hand, in 3D Slicer."""

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

from DeepMRILib.igs.options import FindOptions
from DeepMRILib.mrml.igs_record import patternOf
from DeepMRILib.mrml.igs_sample import SAMPLE_NAME, SMALL, sampleNodes
from DeepMRILib.mrml.nodes import isNode
from DeepMRILib.panel.base import JobPanel
from DeepMRILib.panel.choice_box import ChoiceBox
from DeepMRILib.panel.igs_compare import IGSCompareTask
from DeepMRILib.panel.igs_export import ExportSection
from DeepMRILib.panel.igs_live import LivePattern, LiveState
from DeepMRILib.panel.igs_show import ShowSection
from DeepMRILib.panel.igs_sliders import PatternSliders
from DeepMRILib.panel.igs_task import IGSFindTask
from DeepMRILib.panel.igs_train import IGSTrainTask, IGSTuneTask
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.model_box import ModelBox
from DeepMRILib.panel.options_form import addRow
from DeepMRILib.panel.sample_data import registerSample
from DeepMRILib.panel.segment_list import SegmentList
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showVolume

NETWORK_HELP = (
    "The network whose task the lines are to serve, such as a segmentation; none: the image itself. Train one below."
)
AXIS_HELP = "The axis of a slice that is phase-encoded: lines are left out along it. The other one is read out."
SECOND_HELP = "A second phase-encoded axis (ky-kz), for points instead of lines: of acquisitions in 3D."


class KSpaceIGS(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("k-Space Sampling (IGS)")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Utilities")]
        parent.dependencies = ["Volumes", "Segmentations", "Sequences"]
        parent.contributors = ["The DeepMRI contributors"]
        parent.helpText = _(
            "Which lines of k-space to acquire so that a network segments, classifies or reconstructs best from few of "
            "them: found by iterative gradient sampling, compared with the usual patterns, and written for scanners. "
            "For research use only."
        )
        parent.acknowledgementText = _(
            "After Razumov, Rogov and Dylov, Magnetic Resonance Imaging 2023. Please cite the DeepMRI extension and "
            "that paper."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Add drawn hearts to Slicer's Sample Data; they are computed here, nothing is downloaded."""
    registerSample(SAMPLE_NAME, __file__, loadSample)


def loadSample(source: Any = None) -> list[Any]:  # noqa: ARG001 - Slicer hands over the source
    """Draw hearts and add them to the scene, with what is where, and with their phase."""
    with slicer.util.WaitCursor():
        made = sampleNodes()
    showVolume(made.image)
    return made.all


class KSpaceIGSLogic(IGSFindTask, JobLogic):
    """The search as Apply runs it, comparison and trainings as further tasks; ``process`` is the console's door."""

    moreTasks = (IGSCompareTask, IGSTrainTask, IGSTuneTask)

    def __init__(self, parent: Any = None) -> None:
        JobLogic.__init__(self, parent)
        IGSFindTask.__init__(self)
        for task in self.tasks[1:]:
            task.networks = self.networks


class KSpaceIGSWidget(JobPanel):
    """The panel."""

    def createLogic(self) -> KSpaceIGSLogic:
        """The module's Logic."""
        return KSpaceIGSLogic()

    def setupExtra(self) -> None:
        """Connect the choices of network, segments, folder and axes, the slider, and the buttons."""
        self.segments = SegmentList(self.ui.segmentsList, self._setter("labelsSegments"))
        settings = self.ui.settingsCollapsibleButton.layout()
        self.networkRow = addRow(settings, 0, _("Network"), _(NETWORK_HELP))
        self._networkBox = ModelBox(self.networkRow.widget, _("none: serve the image"), self._setter("model"))
        self.axisRow = addRow(settings, 1, _("Phase-encoded"), _(AXIS_HELP))
        self.axisRow.widget.setObjectName("axisBox")
        self._axisBox = ChoiceBox(self.axisRow.widget, self._setter("axis"))
        self.secondRow = addRow(self.ui.advancedCollapsibleButton.layout(), 0, _("Also encoded"), _(SECOND_HELP))
        self._secondBox = ChoiceBox(self.secondRow.widget, self._setter("second_axis"))
        self.ui.folderEdit.connect("currentPathChanged(QString)", self.onFolder)
        self.live = LivePattern(self, self.logic, self.onLive)
        self.sliders = PatternSliders(self)
        self.showing, self.exporting = ShowSection(self), ExportSection(self)
        goes = slicer.mrmlScene.NodeAboutToBeRemovedEvent
        self.addObserver(slicer.mrmlScene, goes, self.onNodeAboutToBeRemoved, priority=1.0)  # before the selectors
        self.onLive(LiveState())

    def _setter(self, name: str) -> Any:
        return lambda value: setattr(self.parameters, name, value)

    def onFolder(self, path: str) -> None:
        """A folder was chosen or typed."""
        if path.strip() != self.parameters.dataFolder:
            self.parameters.dataFolder = path.strip()

    def onLive(self, state: LiveState) -> None:
        """Say what the slider shows, and what the network sees in it."""
        font = self.ui.patternLabel.font
        font.setBold(state.isError)
        self.ui.patternLabel.setFont(font)
        segmented = state.segmented + (_(" The network works.") if state.isBusy else "")
        for label, text in ((self.ui.patternLabel, state.text), (self.ui.segmentedLabel, segmented.strip())):
            label.setText(text)
            label.setVisible(bool(text))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller: Any, event: Any, node: Any) -> None:
        """Choose nothing in its place: a selector would choose the node before it in its list, which is another's."""
        if self._parameters is not None:
            for name in self._parameters.allParameters:
                value = getattr(self._parameters, name)
                if isNode(value, "vtkMRMLNode") and value is node:
                    setattr(self._parameters, name, None)

    def initializeParameterNode(self) -> None:
        """Also look which networks there are."""
        self.logic.networks.reload()
        JobPanel.initializeParameterNode(self)

    def updatePanel(self, parameters: Any) -> None:
        """Show what belongs to the chosen images, network and pattern."""
        self._updateChoices(parameters)
        self.live.refresh(parameters)
        lines = self.live.lines(parameters)
        self.sliders.refresh(self.live.pattern, lines, parameters.shownKind)
        self.showing.refresh(parameters)
        self.exporting.refresh(parameters, lines)

    def _updateChoices(self, parameters: Any) -> None:
        node = parameters.labelsSegmentation
        segmentation = node if isNode(node, "vtkMRMLSegmentationNode") else None
        known = list(segmentation.GetSegmentation().GetSegmentIDs()) if segmentation is not None else []
        chosen = [segment for segment in parameters.labelsSegments if segment in known]
        if chosen != list(parameters.labelsSegments):
            parameters.labelsSegments = chosen
        self.segments.update(segmentation, chosen)
        for widget in (self.ui.segmentsList, self.ui.segmentsListLabel):
            widget.setVisible(segmentation is not None)
        if self.ui.folderEdit.currentPath != parameters.dataFolder:
            self.ui.folderEdit.currentPath = parameters.dataFolder
        self._networkBox.update(self.logic.networks.entries(), parameters.model)
        axes = {-1: _("columns"), -2: _("rows")}
        if parameters.slice_axis == "volume" or parameters.axis == -3:
            axes[-3] = _("slices")
        self._axisBox.update(axes, parameters.axis)
        others = {axis: word for axis, word in axes.items() if axis != parameters.axis}
        others.setdefault(parameters.second_axis, axes.get(parameters.second_axis, _("slices")))
        self._secondBox.update({0: _("none"), **others} | {0: _("none")}, parameters.second_axis)

    def onDelivered(self, task: JobTask) -> None:
        """A pattern was found, or there is one network more."""
        if task is self.logic:
            self.live.forget()
        elif task is not self.logic.tasks[1]:
            self.logic.networks.reload()

    def releasePanel(self) -> None:
        """Nothing is followed any more."""
        self.live.stop()

    def cleanup(self) -> None:
        """The panel goes."""
        JobPanel.cleanup(self)
        self.live.dispose()


class KSpaceIGSTest(ScriptedLoadableModuleTest):
    """The module's self test: Reload and Test, or ctest."""

    def setUp(self) -> None:
        """Start from a few small hearts."""
        slicer.mrmlScene.Clear()
        self.sample = sampleNodes(SMALL)

    def runTest(self) -> None:
        """Run all."""
        self.setUp()
        self.test_linesAreFound()
        self.delayDisplay(_("Test passed"))

    def test_linesAreFound(self) -> None:
        """Lines of the other axis are others; more lines of one search leave less error."""
        patterns = []
        for axis in (-1, -2):
            options = FindOptions(lines=12, loss="l1", axis=axis, part="all")
            made = KSpaceIGSLogic().process(self.sample.image, options, phase=self.sample.phase)
            patterns.append(patternOf(made.linesTable))
            self.assertEqual(made.linesTable.GetNumberOfRows(), 12)
        for pattern in patterns:
            self.assertEqual(int(pattern.order[0]), SMALL.size // 2)
            self.assertEqual(int(pattern.mask(lines=5).sum()), 5)
            self.assertLess(pattern.losses[-1], 0.7 * pattern.losses[0])
        self.assertNotEqual(list(patterns[0].order), list(patterns[1].order))
