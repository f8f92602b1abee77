"""InteractiveSeg: a lesion from six points just inside its margin, in 3D Slicer."""

import sys
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

try:
    import DeepMRILib  # noqa: F401 - beside this file once installed
except ModuleNotFoundError:
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # one folder up in a checkout

from DeepMRILib.errors import InputError
from DeepMRILib.interactive import SegmentOptions
from DeepMRILib.mrml.interactive import phantomNodes
from DeepMRILib.mrml.interactive_inputs import furtherImages
from DeepMRILib.mrml.interactive_record import recordOf
from DeepMRILib.mrml.interactive_training import SAMPLE, SAMPLE_NAME
from DeepMRILib.mrml.points import fiducialsFromPoints, pointsFromFiducials
from DeepMRILib.mrml.segments import maskFromSegment
from DeepMRILib.panel.base import JobPanel
from DeepMRILib.panel.check_list import CheckEntry, CheckList
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.interactive_export import ExportSection
from DeepMRILib.panel.interactive_lesions import Lesions
from DeepMRILib.panel.interactive_live import LiveSegmentation, LiveState
from DeepMRILib.panel.interactive_network import ENGINE, NetworkChoice
from DeepMRILib.panel.interactive_points import PointsSection, Shortcuts
from DeepMRILib.panel.interactive_readout import liveText, sizeText
from DeepMRILib.panel.interactive_source import SourceSection
from DeepMRILib.panel.interactive_task import InteractiveSegTask
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.model_box import ModelBox
from DeepMRILib.panel.options_form import addRow
from DeepMRILib.panel.sample_data import registerSample
from DeepMRILib.panel.segment_box import SegmentBox
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showVolume

NETWORK_HELP = "The trained network that segments: the one that comes with DeepMRI, or one of your own."
KEYS = {"P": "placeButton", "N": "placeNegativeButton", "L": "newLesionButton", "Ctrl+Z": "undoButton"}
KEPT_FREE = ("points", "negativePoints", "segmentation", "resultsTable", "confidenceMap")
"""Choices that become none when their node is deleted: with any other, live segmentation would write into it."""
TOOLS: dict[str, Any] = {
    "sourceSegmentation": vtkMRMLSegmentationNode,
    "sourceSegment": str,
    "sourceJitter": Annotated[float, WithinRange(0.0, 20.0)],
    "sourceSeed": Annotated[int, WithinRange(0, 999999)],
}
"""What the section "points from a segment" remembers."""


class InteractiveSeg(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Interactive Segmentation from Points")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Volumes", "Segmentations", "Markups"]
        parent.contributors = ["The DeepMRI contributors"]
        parent.helpText = _(
            "A lesion from six points placed just inside its margin, one on each side and in any order. The "
            "segmentation follows while points are dragged; points outside make it give way. It works without a "
            "network, or with a trained one. For research use only."
        )
        parent.acknowledgementText = _(
            "After InteractiveNet (Spaanderman et al., arXiv 2402.07746) and MIDeepSeg (Luo et al., Medical Image "
            "Analysis 2021;72:102102). Please cite the DeepMRI extension and the paper of the method that you use."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Add a generated lesion to Slicer's Sample Data; it is computed here, nothing is downloaded."""
    registerSample(SAMPLE_NAME, __file__, loadSample)


def loadSample(source: Any = None) -> list[Any]:  # noqa: ARG001 - Slicer hands over the source
    """Compute the image with a lesion and add it to the scene, with its true outline as a hidden segmentation."""
    image, truth, _none = phantomNodes(SAMPLE, withPoints=False)
    showVolume(image)
    return [image, truth]


class InteractiveSegLogic(InteractiveSegTask, JobLogic):
    """The segmentation as Apply runs it; ``process`` is its door in Slicer's Python console."""

    nodeParameters: ClassVar = {**InteractiveSegTask.nodeParameters, **TOOLS}
    viewParameters = (*InteractiveSegTask.viewParameters, *TOOLS)

    def __init__(self, parent: Any = None) -> None:
        JobLogic.__init__(self, parent)
        self.lesions = Lesions()
        self.networks = NetworkChoice()

    def forgetParameterNode(self) -> None:
        """Another scene: also its lesions are others."""
        JobLogic.forgetParameterNode(self)
        self.lesions.forget()

    def missing(self, parameters: Any) -> str:
        """Also why the chosen network cannot be used."""
        return InteractiveSegTask.missing(self, parameters) or self.networks.missing(parameters)


class InteractiveSegWidget(JobPanel):
    """The panel."""

    def createLogic(self) -> InteractiveSegLogic:
        """The module's Logic."""
        return InteractiveSegLogic()

    def setupExtra(self) -> None:
        """Connect the points, the live segmentation, the choices of segment, network and images, and the tools."""
        self.lesions = self.logic.lesions
        self.live = LiveSegmentation(self, self.logic, self.onLive)
        self.points = PointsSection(self, self.lesions, self.live)
        self.source, self.export = SourceSection(self, self.lesions), ExportSection(self)
        self._segmentBox = SegmentBox(self.ui.segmentBox, self._onSegment, _("New segment"))
        self.networkRow = addRow(self.ui.settingsCollapsibleButton.layout(), 1, _("Network"), _(NETWORK_HELP))
        self._networkBox = ModelBox(self.networkRow.widget, _("of DeepMRI"), self._setter("model"))
        self._channelList = CheckList(self.ui.channelList, self._setter("channels"))
        # Soon after: a node gets its image only after it was added.
        self._sceneFollower = Follower(self._updateScene)
        self._segmentFollower = Follower(self._updateSegment)
        for event in (slicer.mrmlScene.NodeAddedEvent, slicer.mrmlScene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self._sceneFollower.poke)
        goes = slicer.mrmlScene.NodeAboutToBeRemovedEvent
        self.addObserver(slicer.mrmlScene, goes, self.onNodeAboutToBeRemoved, priority=1.0)  # before the selectors
        self._shortcuts = Shortcuts({key: getattr(self.ui, name) for key, name in KEYS.items()})
        self.onLive(self.live.state)

    def _setter(self, name: str) -> Any:
        return lambda value: setattr(self.parameters, name, value)

    def _onSegment(self, segmentId: str) -> None:
        try:
            self.lesions.goTo(self.parameters, segmentId)
        except InputError as error:
            self.bar.showIdle(str(error), error=True)
            self.refresh()  # the box shows again what is chosen

    def onLive(self, state: LiveState) -> None:
        """Show what the live segmentation does."""
        isLive = self._parameters is not None and self._parameters.live
        text = "" if state.isError and self._isSaid(state.text) else liveText(state, isLive)
        if self.ui.liveLabel.text != text:
            self.ui.liveLabel.setText(text)
        self.ui.liveLabel.setVisible(bool(text))
        self.ui.undoButton.setEnabled(state.canUndo)

    def _isSaid(self, text: str) -> bool:
        """Whether the hints below the points, or below Apply, say so already."""
        if self.points.told.says(text):
            return True
        return self._parameters is not None and text == self.logic.missing(self._parameters)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller: Any, event: Any, node: Any) -> None:
        """Choose nothing in its place: a selector would choose the node before it in its list, which is another's."""
        if self._parameters is not None:
            for name in KEPT_FREE:
                if getattr(self._parameters, name) is node:
                    setattr(self._parameters, name, None)

    def onSceneStartClose(self, caller: Any = None, event: Any = None) -> None:
        """Also what was said of the lesions is of the past."""
        JobPanel.onSceneStartClose(self, caller, event)
        self.live.forget()

    def initializeParameterNode(self) -> None:
        """Also look which networks and images there are."""
        self.logic.networks.reload()
        JobPanel.initializeParameterNode(self)
        self._sceneFollower.poke()

    def enter(self) -> None:
        """The user comes to the module: its keys work."""
        JobPanel.enter(self)
        self._shortcuts.install(slicer.util.mainWindow() or self.parent)

    def exit(self) -> None:
        """The user goes to another module: the keys are free."""
        self._shortcuts.remove()
        JobPanel.exit(self)

    def updatePanel(self, parameters: Any) -> None:
        """Show what belongs to the chosen lesion, image and engine."""
        if self.lesions.follow(parameters):
            self.live.forget()
        self.networkRow.setVisible(parameters.engine == ENGINE)
        self._networkBox.update(self.logic.networks.entries(parameters), parameters.model)
        for widget in (self.ui.confidenceSelector, self.ui.confidenceSelectorLabel):
            widget.setVisible(parameters.wantConfidence)
        self.points.refresh(parameters)
        self.source.refresh(parameters)
        self.export.refresh(parameters)
        self._updateScene()
        self._segmentFollower.watch(_segmentEvents(parameters))
        self._updateSegment()
        self.live.refresh(parameters)

    def _updateScene(self) -> None:
        if self._parameters is None:
            return
        entries = [CheckEntry(node, node.GetName()) for node in furtherImages(self._parameters.inputVolume)]
        self._channelList.update(entries, list(self._parameters.channels))
        for widget in (self.ui.channelList, self.ui.channelListLabel):
            widget.setVisible(bool(entries))

    def _updateSegment(self) -> None:
        """Show which segments there are, and how large the chosen one is."""
        if self._parameters is not None:
            segment = self._segmentBox.update(self._parameters.segmentation, self._parameters.segment)
            text = sizeText(self._parameters.resultsTable, segment)
            self.ui.sizeLabel.setText(text)
            self.ui.sizeLabel.setVisible(bool(text))

    def onDelivered(self, task: JobTask) -> None:
        """Segment and table were written."""
        self.live.answered(self.logic.applied)
        self._segmentFollower.poke()

    def releasePanel(self) -> None:
        """Nothing is followed any more."""
        for part in (self.live, self.points, self._sceneFollower, self._segmentFollower):
            part.stop()

    def cleanup(self) -> None:
        """The panel goes."""
        JobPanel.cleanup(self)
        self._shortcuts.remove()
        for part in (self.live, self.points, self._sceneFollower, self._segmentFollower):
            part.dispose()


def _segmentEvents(parameters: Any) -> list[tuple[Any, Any]]:
    """What changes the list of segments and their sizes."""
    events = []
    if parameters.resultsTable is not None:
        events.append((parameters.resultsTable, vtk.vtkCommand.ModifiedEvent))
    if parameters.segmentation is not None:
        segments = parameters.segmentation.GetSegmentation()
        changes = (segments.SegmentAdded, segments.SegmentRemoved, segments.SegmentModified)
        events += [(segments, change) for change in changes]
    return events


class InteractiveSegTest(ScriptedLoadableModuleTest):
    """The module's self test: Reload and Test, or ctest."""

    def setUp(self) -> None:
        """Start from the sample data and six points inside its lesion."""
        slicer.mrmlScene.Clear()
        self.image, truth, (self.points, _second) = phantomNodes(SAMPLE)
        self.known = maskFromSegment(truth, truth.GetSegmentation().GetNthSegmentID(0), self.image)

    def runTest(self) -> None:
        """Run all."""
        for test in (self.test_lesion, self.test_outsidePoint, self.test_twoSegments, self.test_badPoint):
            self.setUp()
            test()
        self.delayDisplay(_("Test passed"))

    def dice(self, made: Any, segmentId: str) -> float:
        """How well a segment agrees with the known lesion, 0 to 1."""
        found = maskFromSegment(made.segmentation, segmentId, self.image).array > 0
        known = self.known.array > 0
        return float(2 * np.sum(found & known) / (found.sum() + known.sum()))

    def test_lesion(self) -> None:
        """Both engines without weights find the lesion, and the segment knows its points."""
        for engine in ("geodesic", "graphcut"):
            made = InteractiveSegLogic().process(self.image, self.points, SegmentOptions(engine=engine))
            segmentId = made.segments["lesion"]
            self.assertGreater(self.dice(made, segmentId), 0.85)
            self.assertEqual(len(recordOf(made.segmentation, segmentId).points), 6)

    def test_outsidePoint(self) -> None:
        """The segmentation gives way at a point outside."""
        made = InteractiveSegLogic().process(self.image, self.points)
        before = maskFromSegment(made.segmentation, made.segments["lesion"], self.image)
        inside = before.ras_from_voxel(np.argwhere(before.array)[:1])
        negative = fiducialsFromPoints(inside, "outside", referenceVolume=self.image)
        made = InteractiveSegLogic().process(self.image, self.points, negativePoints=negative)
        after = maskFromSegment(made.segmentation, made.segments["lesion"], self.image)
        self.assertEqual(after.array[tuple(np.rint(after.voxel_from_ras(inside)).astype(int)[0])], 0)

    def test_twoSegments(self) -> None:
        """A second lesion leaves the first as it was."""
        first = InteractiveSegLogic().process(self.image, self.points)
        before = maskFromSegment(first.segmentation, first.segments["lesion"], self.image).array
        points = pointsFromFiducials(self.points, self.image)
        inner = points.mean(axis=0) + 0.6 * (points - points.mean(axis=0))
        second = fiducialsFromPoints(inner, "second", referenceVolume=self.image)
        InteractiveSegLogic().process(self.image, second, segmentation=first.segmentation)
        self.assertEqual(first.segmentation.GetSegmentation().GetNumberOfSegments(), 2)
        after = maskFromSegment(first.segmentation, first.segments["lesion"], self.image).array
        self.assertTrue(np.array_equal(before, after))

    def test_badPoint(self) -> None:
        """A point outside the image is refused by its name."""
        self.points.SetNthControlPointPosition(0, 500.0, 0.0, 0.0)
        said = ""
        try:
            InteractiveSegLogic().process(self.image, self.points)
        except InputError as error:
            said = str(error)
        self.assertIn("lies outside the image", said)
