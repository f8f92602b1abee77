"""PVSSegment: perivascular spaces of the brain, in 3D Slicer."""

import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import slicer
import vtk
from slicer import vtkMRMLMarkupsROINode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

try:
    import DeepMRILib  # noqa: F401 - beside this file once installed
except ModuleNotFoundError:
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # one folder up in a checkout

from DeepMRILib.mrml.nodes import isNode
from DeepMRILib.mrml.pvs_record import recordOf
from DeepMRILib.mrml.pvs_relabel import relabelSegmentation
from DeepMRILib.mrml.pvs_sample import SAMPLE_NAME, SMALL, sampleNodes
from DeepMRILib.mrml.segments import maskFromSegment
from DeepMRILib.panel.base import JobPanel
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.model_box import ModelBox
from DeepMRILib.panel.options_form import addRow
from DeepMRILib.panel.pvs_clusters import ClusterList
from DeepMRILib.panel.pvs_import import ImportSection, PVSImportTask
from DeepMRILib.panel.pvs_labelling import Labelling
from DeepMRILib.panel.pvs_network import ENGINE, NetworkChoice
from DeepMRILib.panel.pvs_show import ShowSection
from DeepMRILib.panel.pvs_sliders import Sliders
from DeepMRILib.panel.pvs_task import PVSSegmentTask
from DeepMRILib.panel.sample_data import registerSample
from DeepMRILib.panel.segment_box import SegmentBox
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showVolume
from DeepMRILib.pvs.options import RelabelOptions

NETWORK_HELP = "The network that looks for spaces: the one that comes with DeepMRI, or one that you have imported."


class PVSSegment(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Perivascular Space Segmentation")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Neuroimaging")]
        parent.dependencies = ["Volumes", "Segmentations", "Markups"]
        parent.contributors = ["The DeepMRI contributors"]
        parent.helpText = _(
            "Perivascular spaces of the brain in a T1 image (with a FLAIR, or in a T2 instead): found by filters for "
            "thin tubes, or by a network; with a table for each region. Networks that the SHIVA group has published "
            "can be imported. For research use only."
        )
        parent.acknowledgementText = _(
            "After SHIVA-PVS (Boutinaud et al., Frontiers in Neuroinformatics 2021) and SHiVAi. Please cite the "
            "DeepMRI extension and the paper of the method or the network that you use."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Add a generated head to Slicer's Sample Data; it is computed here, nothing is downloaded."""
    registerSample(SAMPLE_NAME, __file__, loadSample)


def loadSample(source: Any = None) -> list[Any]:  # noqa: ARG001 - Slicer hands over the source
    """Compute a head with tubes and add it to the scene, with its parcellation and its true spaces, both hidden."""
    with slicer.util.WaitCursor():
        made = sampleNodes()
    showVolume(made.t1)
    return made.all


class PVSSegmentLogic(PVSSegmentTask, JobLogic):
    """The segmentation as Apply runs it, the import as a second task; ``process`` is the console's door."""

    moreTasks = (PVSImportTask,)
    nodeParameters: ClassVar = {**PVSSegmentTask.nodeParameters, "cropBox": vtkMRMLMarkupsROINode}
    viewParameters: ClassVar = (*PVSSegmentTask.viewParameters, "cropBox")

    def __init__(self, parent: Any = None) -> None:
        JobLogic.__init__(self, parent)
        self.networks = NetworkChoice()

    def forgetParameterNode(self) -> None:
        """Another scene: also its images are others."""
        JobLogic.forgetParameterNode(self)
        self.last = None

    def missing(self, parameters: Any) -> str:
        """Also why the chosen network cannot be used."""
        return PVSSegmentTask.missing(self, parameters) or self.networks.missing(parameters)


class PVSSegmentWidget(JobPanel):
    """The panel."""

    def createLogic(self) -> PVSSegmentLogic:
        """The module's Logic."""
        return PVSSegmentLogic()

    def setupExtra(self) -> None:
        """Connect the choice of segment and network, the sliders, the list of clusters and the buttons."""
        self._maskBox = SegmentBox(self.ui.maskSegmentBox, self._setter("maskSegment"), _("All segments"))
        self.networkRow = addRow(self.ui.settingsCollapsibleButton.layout(), 1, _("Network"), _(NETWORK_HELP))
        unchosen = _("of DeepMRI") if self.logic.networks.hasOwn else _("Choose a network")
        self._networkBox = ModelBox(self.networkRow.widget, unchosen, self._setter("model"))
        self.labelling = Labelling(self, self.onLabelling)
        self.sliders = Sliders(self)
        self.clusters = ClusterList(self)
        self.importing = ImportSection(self, self.logic.tasks[1])
        self.showing = ShowSection(self)
        goes = slicer.mrmlScene.NodeAboutToBeRemovedEvent
        self.addObserver(slicer.mrmlScene, goes, self.onNodeAboutToBeRemoved, priority=1.0)  # before the selectors
        self.onLabelling("", False)

    def _setter(self, name: str) -> Any:
        return lambda value: setattr(self.parameters, name, value)

    def onLabelling(self, text: str, isError: bool) -> None:
        """Show how many spaces there are with the sliders as they are."""
        font = self.ui.countLabel.font
        font.setBold(isError)
        self.ui.countLabel.setFont(font)
        self.ui.countLabel.setText(text)
        self.ui.countLabel.setVisible(bool(text))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAboutToBeRemoved(self, caller: Any, event: Any, node: Any) -> None:
        """Choose nothing in its place: a selector would choose the node before it in its list, which is another's."""
        if self._parameters is not None:
            for name in self.logic.nodeParameters:
                if getattr(self._parameters, name) is node:
                    setattr(self._parameters, name, None)

    def initializeParameterNode(self) -> None:
        """Also look which networks there are."""
        self.logic.networks.reload()
        JobPanel.initializeParameterNode(self)

    def updatePanel(self, parameters: Any) -> None:
        """Show what belongs to the chosen images, engine and segmentation."""
        mask = parameters.maskSegmentation
        segments = mask if isNode(mask, "vtkMRMLSegmentationNode") else None
        segment = self._maskBox.update(segments, parameters.maskSegment)
        if segments is not None and segment != parameters.maskSegment:
            parameters.maskSegment = segment
        for widget in (self.ui.maskSegmentBox, self.ui.maskSegmentBoxLabel):
            widget.setVisible(segments is not None)
        self.networkRow.setVisible(parameters.engine == ENGINE)
        self._networkBox.update(self.logic.networks.entries(parameters), parameters.model)
        self.sliders.refresh(parameters)
        self.labelling.refresh(parameters)
        self.clusters.refresh(parameters)
        self.importing.refresh()
        self.showing.refresh(parameters)

    def onDelivered(self, task: JobTask) -> None:
        """A segmentation was written, or there is one network more."""
        if task is self.logic:
            self.labelling.delivered(slicer.mrmlScene.GetNodeByID(self.logic.last[0]))
        else:
            self.logic.networks.reload()
            self.importing.onImported()

    def releasePanel(self) -> None:
        """Nothing is followed any more."""
        for part in (self.labelling, self.clusters):
            part.stop()

    def cleanup(self) -> None:
        """The panel goes."""
        JobPanel.cleanup(self)
        for part in (self.labelling, self.clusters):
            part.dispose()


class PVSSegmentTest(ScriptedLoadableModuleTest):
    """The module's self test: Reload and Test, or ctest."""

    def setUp(self) -> None:
        """Start from a small head with tubes."""
        slicer.mrmlScene.Clear()
        self.sample = sampleNodes(SMALL)

    def runTest(self) -> None:
        """Run all."""
        self.setUp()
        self.test_tubesAreFound()
        self.delayDisplay(_("Test passed"))

    def test_tubesAreFound(self) -> None:
        """Vesselness finds most of the tubes; a lower threshold adds voxels."""
        made = PVSSegmentLogic().process(self.sample.t1, parcellation=self.sample.parcellation)
        found = self.mask(made.segmentation)
        truth = maskFromSegment(
            self.sample.truth, self.sample.truth.GetSegmentation().GetNthSegmentID(0), self.sample.t1
        ).array
        self.assertGreater(float((found & (truth > 0)).sum()), 0.3 * float((truth > 0).sum()))
        relabelSegmentation(made.segmentation, RelabelOptions(threshold=0.3))
        self.assertGreater(int(self.mask(made.segmentation).sum()), int(found.sum()))
        self.assertGreater(made.regionsTable.GetNumberOfRows(), 1)

    def mask(self, segmentation: Any) -> Any:
        """(i, j, k) bool: the spaces."""
        return np.asarray(maskFromSegment(segmentation, recordOf(segmentation).segment, self.sample.t1).array) > 0
