"""IVIMFit: diffusion and perfusion maps from multi-b-value MRI, in 3D Slicer."""

import importlib.util
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

try:
    import DeepMRILib  # noqa: F401 - beside this file once installed
except ModuleNotFoundError:
    sys.path.append(str(Path(__file__).resolve().parents[1]))  # one folder up in a checkout

from DeepMRILib.ivim import FitOptions, PhantomOptions, TrainOptions
from DeepMRILib.ivim.options import MODELS_OF
from DeepMRILib.model_store import open_model
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml.ivim_fits import FitKind, FitNodes, findFits
from DeepMRILib.mrml.ivim_inspector import inspect, showInspection
from DeepMRILib.mrml.ivim_series import describeBValues, fitInputs, seriesFrames
from DeepMRILib.mrml.ivim_study import deliverNetwork, studyCandidates, studyVolumes
from DeepMRILib.panel.base import JobPanel
from DeepMRILib.panel.check_list import CheckEntry, CheckList
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.ivim_fit import METHOD, IVIMFitTask
from DeepMRILib.panel.ivim_inspector import InspectorSection
from DeepMRILib.panel.ivim_train import IVIMTrainTask
from DeepMRILib.panel.logic import JobLogic
from DeepMRILib.panel.machine import modelStore
from DeepMRILib.panel.model_box import ModelBox
from DeepMRILib.panel.network_keeping import keepNetwork
from DeepMRILib.panel.options_form import addRow
from DeepMRILib.panel.sample_data import registerSample
from DeepMRILib.panel.segment_box import SegmentBox
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showVolume

NETWORK_HELP = (
    "A trained network to apply, or a new one for this series alone. One network for all series of a study makes them "
    "comparable: train it below."
)
PHANTOM_LIVER_D = 1.5e-3  # mm2/s, the OSIPI reference value that the phantom is made with


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
    registerSample("IVIMFitAbdomenPhantom", __file__, loadPhantom)


def loadPhantom(source: Any = None) -> list[Any]:  # noqa: ARG001 - Slicer hands over the source
    """Compute the abdomen phantom and add it to the scene, with its organs as a segmentation."""
    made = nodes.phantomNodes()
    showVolume(made[0])
    return list(made)


class IVIMFitLogic(IVIMFitTask, JobLogic):
    """The fit as Apply runs it, the training as a second task, and the doors of Slicer's Python console."""

    moreTasks = (IVIMTrainTask,)

    def __init__(self, parent: Any = None) -> None:
        JobLogic.__init__(self, parent)
        IVIMFitTask.__init__(self)

    def forgetParameterNode(self) -> None:
        """Another scene: also its outputs are others."""
        JobLogic.forgetParameterNode(self)
        self.forgetOutputs()

    def process(
        self,
        seriesNode: Any,
        options: FitOptions | None = None,
        *,
        bValues: Sequence[float] | str | None = None,
        maskSegmentation: Any = None,
        maskSegment: str = "",
        regionsSegmentation: Any = None,
        network: Path | str = "",
        outputs: FitNodes | None = None,
        sdMaps: bool = False,
        qualityMaps: bool = False,
    ) -> FitNodes:
        """Fit a series in this process and return the nodes of the maps, the table and the plot.

        Args:
            seriesNode: diffusion-weighted volume, vector volume, sequence of volumes, or a proxy of one.
            options: ``DeepMRILib.ivim.FitOptions``.
            bValues: in s/mm2, one per image; by default those found with the series.
            maskSegmentation, maskSegment: node and segment ID of the mask.
            regionsSegmentation: its segments are the table's rows.
            network: a trained network that the method ivimnet applies, by name or folder; by default it trains one.
            outputs: nodes to update; new ones are made for those that are None.
            sdMaps, qualityMaps: also make maps of the standard deviations; of R2, RMSE and quality.

        Raises:
            InputError (a ValueError): something given cannot be used; the text says what and what to do.
        """
        inputs = fitInputs(seriesNode, bValues, maskSegmentation, maskSegment, regionsSegmentation)
        name = ""
        if network:
            model = open_model(network, "ivim") if isinstance(network, Path) else modelStore().find(network, "ivim")
            inputs["network"], name = model.folder, model.card.name
        result = self.job.run(inputs, options)
        return nodes.deliverFit(
            result,
            seriesNode,
            outputs or FitNodes(),
            kind=FitKind.ofResult(result, name),
            sdMaps=sdMaps,
            qualityMaps=qualityMaps,
        )

    def train(
        self, seriesNodes: Sequence[Any], options: TrainOptions | None = None, *, bValues: str = "", keep: bool = False
    ) -> tuple[Any, Any]:
        """Train one network for several series in this process; returns it, and the node of its loss curve.

        Args:
            seriesNodes: all frames of those that are frames of a sequence count.
            options: ``DeepMRILib.ivim.TrainOptions``.
            bValues: as typed, for series whose own are not known.
            keep: put it into the models of this computer, where the panel and ``process`` find it by its name.
        """
        trained = self.tasks[1].job.run({"volumes": studyVolumes(seriesNodes, bValues)}, options)
        if keep:
            keepNetwork(trained)
        return trained, deliverNetwork(trained)

    def inspect(self, seriesNode: Any, targetNode: Any, segment: str = "", chart: Any = None) -> tuple[Any, Any]:
        """The decay of a series and all its fits at a point or in a segment: its numbers, and the node of its plot."""
        found = inspect(seriesNode, targetNode, segment)
        return found, showInspection(found, seriesNode, targetNode, chart)


class IVIMFitWidget(JobPanel):
    """The panel."""

    def createLogic(self) -> IVIMFitLogic:
        """The module's Logic."""
        return IVIMFitLogic()

    def setupExtra(self) -> None:
        """Connect the choice of segment, network and series, and the section that follows a point."""
        self._segmentBox = SegmentBox(self.ui.maskSegmentBox, self._setter("maskSegment"))
        self.networkRow = addRow(self.ui.settingsCollapsibleButton.layout(), 2, _("Network"), _(NETWORK_HELP))
        self._networkBox = ModelBox(self.networkRow.widget, _("train on this series"), self._onNetwork)
        self._studyList = CheckList(self.ui.studyList, self._setter("studySeries"))
        self.inspector = InspectorSection(self)
        # Soon after: a node gets its image and its b-values only after it was added.
        self._sceneFollower, self._study = Follower(self._updateStudy), None
        for event in (slicer.mrmlScene.NodeAddedEvent, slicer.mrmlScene.NodeRemovedEvent):
            self.addObserver(slicer.mrmlScene, event, self._sceneFollower.poke)

    def _setter(self, name: str) -> Any:
        return lambda value: setattr(self.parameters, name, value)

    def _onNetwork(self, name: str) -> None:
        parameters = self.parameters
        with slicer.util.NodeModify(parameters):
            parameters.network = name
            parameters.model = self.logic.networks.modelOf(name) or parameters.model

    def _updateStudy(self) -> None:
        if self._parameters is not None:
            entries = [CheckEntry(node, text) for node, text in studyCandidates(self._parameters.bValues)]
            self._studyList.update(entries, list(self._parameters.studySeries))

    def initializeParameterNode(self) -> None:
        """Also look which networks there are."""
        self.logic.networks.reload()
        JobPanel.initializeParameterNode(self)

    def updatePanel(self, parameters: Any) -> None:
        """Show what belongs to the chosen series, method and model."""
        segment = self._segmentBox.update(parameters.maskSegmentation, parameters.maskSegment)
        if parameters.maskSegment != segment:
            parameters.maskSegment = segment
        for widget in (self.ui.maskSegmentBox, self.ui.maskSegmentBoxLabel):
            widget.setVisible(parameters.maskSegmentation is not None)
        self.ui.bValuesFoundLabel.setText(describeBValues(parameters.inputSeries, parameters.bValues))
        several = bool(seriesFrames(parameters.inputSeries))
        for widget in (self.ui.framesBox, self.ui.framesBoxLabel):
            widget.setVisible(several)
        self.networkRow.setVisible(parameters.method == METHOD)
        self._networkBox.update(self.logic.networks.entries(parameters), parameters.network)
        self.logic.followFit(parameters)
        shown = FitNodes.namesOf(parameters.model)
        for name in (name.removesuffix("Map") for name in FitNodes.names() if name.endswith("Map")):
            for widget in (getattr(self.ui, f"{name}Selector"), getattr(self.ui, f"{name}SelectorLabel")):
                widget.setVisible(f"{name}Map" in shown)
        study = (parameters.bValues, [node.GetID() for node in parameters.studySeries if node is not None])
        if study != self._study:  # looking for the b-values of all series reads files: not at each key that is pressed
            self._study = study
            self._sceneFollower.poke()
        self.inspector.refresh(parameters)

    def onDelivered(self, task: JobTask) -> None:
        """After a training there is one network more."""
        if task is not self.logic:
            self.logic.networks.reload()

    def releasePanel(self) -> None:
        """The inspector lets go of the point."""
        self.inspector.stop()

    def cleanup(self) -> None:
        """The panel goes."""
        self.inspector.dispose()
        self._sceneFollower.dispose()
        JobPanel.cleanup(self)


class IVIMFitTest(ScriptedLoadableModuleTest):
    """The module's self test: Reload and Test, or ctest. Networks are tested where PyTorch is installed."""

    def setUp(self) -> None:
        """Start from a small phantom."""
        slicer.mrmlScene.Clear()
        self.series, self.organs = nodes.phantomNodes(PhantomOptions(size=(72, 56, 4), spacing=(5.2, 5.2, 36.0)))

    def runTest(self) -> None:
        """Run all."""
        for test in (self.test_everyMethodFindsTheTruthOfThePhantom, self.test_networks, self.test_inspector):
            self.setUp()
            test()
        self.delayDisplay(_("Test passed"))

    def test_everyMethodFindsTheTruthOfThePhantom(self) -> None:
        """The liver's median D of the phantom is found; its ADC is higher, as it holds the perfusion as well."""
        for method, models in MODELS_OF.items():
            for model in models if method != METHOD else ():
                options = FitOptions(method=method, model=model)
                fitted = IVIMFitLogic().process(self.series, options, regionsSegmentation=self.organs)
                name, tolerance = ("ADC", 0.5) if model == "adc" else ("D", 0.25 if model == "triexp" else 0.1)
                found = nodes.regionMedian(fitted.regionsTable, "liver", name)
                self.assertAlmostEqual(found, PHANTOM_LIVER_D, delta=tolerance * PHANTOM_LIVER_D)
        self.assertEqual(len(findFits(self.series)), sum(map(len, MODELS_OF.values())) - len(MODELS_OF[METHOD]))

    def test_networks(self) -> None:
        """A tiny network learns from two series, and is applied to one of them."""
        if importlib.util.find_spec("torch") is None:
            self.delayDisplay(_("PyTorch is not installed: networks are not tested"))
            return
        options = TrainOptions(name="self-test", preset="optim", members=1, epochs=2)
        other = nodes.phantomNodes(PhantomOptions(size=(36, 28, 3), spacing=(10.4, 10.4, 48.0), seed=1))[0]
        trained, chart = IVIMFitLogic().train([self.series, other], options)
        self.assertEqual(len(trained.history.columns["loss"]), 2)
        self.assertGreater(chart.GetNumberOfPlotSeriesNodes(), 0)
        with tempfile.TemporaryDirectory() as folder:
            saved = trained.save(Path(folder) / "self-test")
            fitted = IVIMFitLogic().process(self.series, FitOptions(method=METHOD), network=saved)
        self.assertEqual(fitted.DMap.GetName(), f"{self.series.GetName()} D ivimnet self-test")

    def test_inspector(self) -> None:
        """At a point in the liver the curve of the fit runs through the measured signal."""
        IVIMFitLogic().process(self.series)
        liver = self.organs.GetSegmentation().GetSegmentIdBySegmentName("liver")
        seen, chart = IVIMFitLogic().inspect(self.series, self.organs, liver)
        fit = seen.fits["least squares"]
        self.assertAlmostEqual(fit.values["D"], PHANTOM_LIVER_D, delta=0.2 * PHANTOM_LIVER_D)
        self.assertAlmostEqual(fit.curve[0] / seen.signal[0], 1.0, delta=0.1)
        self.assertEqual(chart.GetNumberOfPlotSeriesNodes(), 2)
