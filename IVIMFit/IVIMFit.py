"""IVIMFit: diffusion and perfusion maps from multi-b-value MRI, in 3D Slicer."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import slicer
from slicer import (
    vtkMRMLDiffusionWeightedVolumeNode,
    vtkMRMLPlotChartNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSequenceNode,
    vtkMRMLTableNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, Default
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

try:
    import DeepMRILib  # noqa: F401 - beside this file once installed
except ModuleNotFoundError:
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # one folder up in a checkout

from DeepMRILib.ivim import FitOptions, IVIMResult, PhantomOptions
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml.sequences import browserOfProxy, selectedFrame, sourceNodes
from DeepMRILib.panel.base import JobPanel
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.segment_box import SegmentBox
from DeepMRILib.panel.views import showNumbers, showVolume

PHANTOM_LIVER_D = 1.5e-3  # mm2/s, the OSIPI reference value that the phantom is made with
THIS_FRAME, ALL_FRAMES = "this frame", "all frames"


class IVIMFit(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("IVIM Fit")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Diffusion")]
        parent.dependencies = ["Volumes", "Segmentations", "Sequences"]
        parent.contributors = ["The DeepMRI contributors"]
        parent.helpText = _(
            "Maps of diffusion (D), perfusion fraction (f) and pseudo-diffusion (D*) from diffusion-weighted MRI with "
            "several b-values (intravoxel incoherent motion). For research use only."
        )
        parent.acknowledgementText = _(
            "The model is that of Le Bihan et al., Radiology 1988. Please cite the DeepMRI extension and the "
            "paper of the method that you use."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData() -> None:
    """Add the abdomen phantom to Slicer's Sample Data; it is computed here, nothing is downloaded."""
    import SampleData

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="DeepMRI",
        sampleName="IVIMFitAbdomenPhantom",
        thumbnailFileName=str(Path(__file__).parent / "Resources" / "Icons" / "IVIMFitAbdomenPhantom.png"),
        uris="",
        fileNames="IVIMFitAbdomenPhantom",
        nodeNames="IVIMFitAbdomenPhantom",
        customDownloader=loadPhantom,
    )


def loadPhantom(source: Any = None) -> list[Any]:  # noqa: ARG001 - Slicer hands over the source
    """Compute the abdomen phantom and add it to the scene, with its organs as a segmentation."""
    made = nodes.phantomNodes()
    showVolume(made[0])
    return list(made)


class IVIMFitLogic(JobLogic):
    """What the fit needs from the scene and gives back to it."""

    jobKey = "ivim.fit"
    inputParameters = {"volume": "inputSeries", "mask": "maskSegmentation", "labels": "regionsSegmentation"}
    nodeParameters = {
        "inputSeries": (
            vtkMRMLDiffusionWeightedVolumeNode
            | vtkMRMLVectorVolumeNode
            | vtkMRMLSequenceNode
            | vtkMRMLScalarVolumeNode
            | None
        ),
        "bValues": str,
        "frames": Annotated[str, Choice([THIS_FRAME, ALL_FRAMES]), Default(THIS_FRAME)],
        "maskSegmentation": vtkMRMLSegmentationNode,
        "maskSegment": str,
        "regionsSegmentation": vtkMRMLSegmentationNode,
        "DMap": vtkMRMLScalarVolumeNode,
        "fMap": vtkMRMLScalarVolumeNode,
        "D_starMap": vtkMRMLScalarVolumeNode,
        "S0Map": vtkMRMLScalarVolumeNode,
        "qualityMaps": bool,
        "R2Map": vtkMRMLScalarVolumeNode,
        "RMSEMap": vtkMRMLScalarVolumeNode,
        "regionsTable": vtkMRMLTableNode,
        "decayChart": vtkMRMLPlotChartNode,
    }

    _frame: int | None = None

    def process(
        self,
        seriesNode: Any,
        options: FitOptions | None = None,
        *,
        bValues: Sequence[float] | str | None = None,
        maskSegmentation: Any = None,
        maskSegment: str = "",
        regionsSegmentation: Any = None,
        outputs: nodes.FitNodes | None = None,
        qualityMaps: bool = False,
    ) -> nodes.FitNodes:
        """Fit a series in this process and return the nodes of the maps, the table and the plot.

        Args:
            seriesNode: diffusion-weighted volume, vector volume, sequence of volumes, or a proxy of one.
            options: ``DeepMRILib.ivim.FitOptions``.
            bValues: in s/mm2, one per image; by default those found with the series.
            maskSegmentation, maskSegment: node and segment ID of the mask.
            regionsSegmentation: its segments are the table's rows.
            outputs: nodes to update; new ones are made for those that are None.
            qualityMaps: also make maps of R2 and RMSE.

        Raises:
            InputError (a ValueError): something given cannot be used; the text says what and what to do.
        """
        inputs = nodes.fitInputs(seriesNode, bValues, maskSegmentation, maskSegment, regionsSegmentation)
        result = self.job.run(inputs, options)
        return nodes.deliverFit(result, seriesNode, outputs or nodes.FitNodes(), qualityMaps=qualityMaps)

    def preselect(self, parameters: Any) -> None:
        """Choose the first series with several b-values."""
        if parameters.inputSeries is None:
            parameters.inputSeries = nodes.firstSeries()

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose."""
        if parameters.inputSeries is None:
            return _("Choose a diffusion series first.")
        if parameters.maskSegmentation is not None and not parameters.maskSegment:
            return _("The mask's segmentation has no segment; add one or choose none.")
        return nodes.missingBValues(parameters.inputSeries, parameters.bValues)

    def frames(self, parameters: Any) -> list[Any]:
        """The frames to fit: the chosen node, or each frame of its sequence."""
        if parameters.frames == ALL_FRAMES:
            return nodes.seriesFrames(parameters.inputSeries) or [parameters.inputSeries]
        self._frame = selectedFrame(parameters.inputSeries)  # the user may scroll on while the fit runs
        return [parameters.inputSeries]

    def collect(self, parameters: Any, frame: Any) -> dict[str, Any]:
        """The job's inputs."""
        return nodes.fitInputs(
            frame,
            parameters.bValues,
            parameters.maskSegmentation,
            parameters.maskSegment,
            parameters.regionsSegmentation,
            geometryNode=parameters.inputSeries,
        )

    def dependsOn(self, parameters: Any) -> list[Any]:
        """The inputs, and the sequence and browser that a series is a frame of."""
        browser = browserOfProxy(parameters.inputSeries)
        nodesBehind = sourceNodes(parameters.inputSeries) + ([browser] if browser is not None else [])
        return self.inputNodes(parameters) + nodesBehind

    def show(self, parameters: Any) -> None:
        """Show D in the slice views, and choose the table and the plot for their views."""
        showVolume(parameters.DMap)
        showNumbers(parameters.regionsTable, parameters.decayChart)

    def deliver(self, results: Sequence[IVIMResult], parameters: Any) -> str:
        """Put maps, table and plot into the scene."""
        outputs = nodes.FitNodes(**{name: getattr(parameters, name) for name in nodes.FitNodes.names()})
        if len(results) > 1:
            outputs = nodes.deliverFrames(results, parameters.inputSeries, outputs, qualityMaps=parameters.qualityMaps)
        else:
            outputs = nodes.deliverFit(
                results[0], parameters.inputSeries, outputs, qualityMaps=parameters.qualityMaps, frame=self._frame
            )
        for name in nodes.FitNodes.names():
            setattr(parameters, name, getattr(outputs, name))
        return nodes.summary(results)


class IVIMFitWidget(JobPanel):
    """The panel."""

    def createLogic(self) -> IVIMFitLogic:
        """The module's Logic."""
        return IVIMFitLogic()

    def setupExtra(self) -> None:
        """Connect the choice of a segment."""
        self._segmentBox = SegmentBox(self.ui.maskSegmentBox, self._onSegmentChosen)

    def _onSegmentChosen(self, segmentId: str) -> None:
        if self._parameters is not None:
            self._parameters.maskSegment = segmentId

    def updatePanel(self, parameters: Any) -> None:
        """Show the b-values found, the mask's segments, and the choice of frames where there are some."""
        segment = self._segmentBox.update(parameters.maskSegmentation, parameters.maskSegment)
        if parameters.maskSegment != segment:
            parameters.maskSegment = segment
        self.ui.bValuesFoundLabel.setText(nodes.describeBValues(parameters.inputSeries, parameters.bValues))
        several = bool(nodes.seriesFrames(parameters.inputSeries))
        for widget in (self.ui.framesBox, self.ui.framesBoxLabel):
            widget.setVisible(several)


class IVIMFitTest(ScriptedLoadableModuleTest):
    """The module's self test: Reload and Test, or ctest."""

    def setUp(self) -> None:
        """Start from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run all."""
        self.setUp()
        self.test_fitOfThePhantomFindsItsTruth()

    def test_fitOfThePhantomFindsItsTruth(self) -> None:
        """The liver's median D of the phantom is found within 10 %."""
        series, organs = nodes.phantomNodes(PhantomOptions(size=(72, 56, 8), spacing=(5.2, 5.2, 18.0)))
        fitted = IVIMFitLogic().process(series, regionsSegmentation=organs)
        found = nodes.regionMedian(fitted.regionsTable, "liver", "D")
        self.assertAlmostEqual(found, PHANTOM_LIVER_D, delta=0.1 * PHANTOM_LIVER_D)
        self.delayDisplay(_("Test passed"))
