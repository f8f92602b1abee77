"""The task "fit" of the IVIM panel: what it needs from the scene, and where its results go."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import slicer.util
from slicer import (
    vtkMRMLDiffusionWeightedVolumeNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLPlotChartNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSequenceNode,
    vtkMRMLTableNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default

from DeepMRILib.errors import InputError
from DeepMRILib.ivim import IVIMResult
from DeepMRILib.ivim.options import check_method
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml.ivim_fits import FitKind, FitNodes, findFits, isOfAnotherFit, moreOf
from DeepMRILib.mrml.ivim_series import firstSeries, fitInputs, missingBValues, seriesFrames
from DeepMRILib.mrml.sequences import browserOfProxy, selectedFrame, sourceNodes
from DeepMRILib.panel.ivim_network import METHOD, NetworkChoice
from DeepMRILib.panel.ivim_train import TORCH_PACKAGES, boundsOfOthers
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers, showVolume

THIS_FRAME, ALL_FRAMES = "this frame", "all frames"
ONLY_OF = {
    "prior": ("bayes",),
    "splits": ("segmented",),
    "seed": ("bayes", METHOD),
    "preset": (METHOD,),
    "members": (METHOD,),
    "device": (METHOD,),
}
"""Settings that only some methods have."""
OF_TRAINING = {"preset", "members", "body_part", "average", "fit_s0", "b_min", "b_max"}
"""Settings that a network has brought with it from its training."""
ALL_BOUNDS = boundsOfOthers("")


class IVIMFitTask(JobTask):
    """Fits the chosen series; each of its methods and models keeps outputs of its own."""

    jobKey = "ivim.fit"
    inputParameters: ClassVar = {
        "volume": "inputSeries",
        "mask": "maskSegmentation",
        "labels": "regionsSegmentation",
    }
    viewParameters = ("inspectorTarget", "inspectorChart")
    nodeParameters: ClassVar = {
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
        "network": str,
        **{name: vtkMRMLScalarVolumeNode for name in FitNodes.names() if name.endswith("Map")},
        "sdMaps": bool,
        "qualityMaps": bool,
        "regionsTable": vtkMRMLTableNode,
        "decayChart": vtkMRMLPlotChartNode,
        "inspectorTarget": vtkMRMLMarkupsFiducialNode | vtkMRMLSegmentationNode | None,
        "inspectorSegment": str,
        "inspectorChart": vtkMRMLPlotChartNode,
    }

    def __init__(self) -> None:
        self.networks = NetworkChoice()
        self._frame: int | None = None
        self._followed: tuple[str, str] | None = None

    def forgetOutputs(self) -> None:
        """Another scene: its outputs are those that were saved with it."""
        self._followed = None

    def preselect(self, parameters: Any) -> None:
        """Choose the first series with several b-values."""
        if parameters.inputSeries is None:
            parameters.inputSeries = firstSeries()

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose, or which choices do not go together."""
        try:
            check_method(parameters.method, parameters.model)
        except InputError as error:
            return str(error)
        if parameters.inputSeries is None:
            return _("Choose a diffusion series first.")
        if parameters.maskSegmentation is not None and not parameters.maskSegment:
            return _("The mask's segmentation has no segment; add one or choose none.")
        unknown = missingBValues(parameters.inputSeries, parameters.bValues, parameters.model)
        return unknown or self.networks.missing(parameters)

    def irrelevant(self, parameters: Any) -> set[str]:
        """The settings of other methods and models, and those that a trained network has brought with it."""
        hidden, method = boundsOfOthers(parameters.model), parameters.method
        hidden |= {name for name, methods in ONLY_OF.items() if method not in methods}
        applied = method == METHOD and parameters.network
        return hidden | OF_TRAINING | ALL_BOUNDS if applied else hidden

    def needsTorch(self, parameters: Any) -> bool:
        """Networks do."""
        return parameters.method == METHOD

    def packages(self, parameters: Any) -> Sequence[str]:
        """To read the weights of networks."""
        return TORCH_PACKAGES if self.needsTorch(parameters) else ()

    def frames(self, parameters: Any) -> list[Any]:
        """The frames to fit: the chosen node, or each frame of its sequence."""
        if parameters.frames == ALL_FRAMES:
            return seriesFrames(parameters.inputSeries) or [parameters.inputSeries]
        self._frame = selectedFrame(parameters.inputSeries)  # the user may scroll on while the fit runs
        return [parameters.inputSeries]

    def collect(self, parameters: Any, frame: Any) -> dict[str, Any]:
        """The job's inputs."""
        inputs = fitInputs(
            frame,
            parameters.bValues,
            parameters.maskSegmentation,
            parameters.maskSegment,
            parameters.regionsSegmentation,
            geometryNode=parameters.inputSeries,
        )
        return {**inputs, "network": self.networks.folder(parameters)}

    def dependsOn(self, parameters: Any) -> list[Any]:
        """The inputs, and the sequence and browser that a series is a frame of."""
        browser = browserOfProxy(parameters.inputSeries)
        nodesBehind = sourceNodes(parameters.inputSeries) + ([browser] if browser is not None else [])
        return self.inputNodes(parameters) + nodesBehind

    def show(self, parameters: Any) -> None:
        """Show the first map in the slice views, and choose the table and the plot for their views."""
        showVolume(parameters.ADCMap if parameters.model == "adc" else parameters.DMap)
        showNumbers(parameters.regionsTable, parameters.decayChart)

    def deliver(self, results: Sequence[IVIMResult], parameters: Any) -> str:
        """Put maps, table and plot into the scene."""
        outputs = FitNodes(**{name: getattr(parameters, name) for name in FitNodes.namesOf(parameters.model)})
        asked = {"kind": self.kind(parameters), "sdMaps": parameters.sdMaps, "qualityMaps": parameters.qualityMaps}
        outputs = dataclasses.replace(outputs, more=moreOf(outputs))
        if len(results) > 1:
            outputs = nodes.deliverFrames(results, parameters.inputSeries, outputs, **asked)
        else:
            outputs = nodes.deliverFit(results[0], parameters.inputSeries, outputs, frame=self._frame, **asked)
        for name in FitNodes.names():
            setattr(parameters, name, getattr(outputs, name))
        return nodes.summary(results)

    @staticmethod
    def kind(parameters: Any) -> FitKind:
        """Which of a series' fits the choices make."""
        options = {name: getattr(parameters, name) for name in ("method", "model", "preset")}
        return FitKind.of(options, parameters.network)

    def followFit(self, parameters: Any) -> None:
        """Let the output selectors show the results of the chosen series, method and model, or none.

        So a run updates the earlier one of its kind, and never what another method has made.
        """
        series, kind = parameters.inputSeries, self.kind(parameters)
        place = (series.GetID() if series is not None else "", kind.key)
        moved = self._followed not in (None, place)
        self._followed = place
        chosen = {name: getattr(parameters, name) for name in FitNodes.names()}
        of = FitNodes.namesOf(kind.model)
        wrong = [n for n, node in chosen.items() if moved or n not in of or isOfAnotherFit(node, series, kind)]
        found = findFits(series).get(kind, FitNodes()) if wrong else None
        with slicer.util.NodeModify(parameters):
            for name in wrong:
                node = getattr(found, name) if name in of else None
                if node is not chosen[name]:
                    setattr(parameters, name, node)
