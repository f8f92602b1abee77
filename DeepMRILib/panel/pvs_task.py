"""The task of the PVSSegment panel: what is needed of the scene to find perivascular spaces, and where they go."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import slicer
from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLPlotChartNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.mrml import pvs as nodes
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.pvs_inputs import likelyT1, segmentInputs
from DeepMRILib.mrml.pvs_record import PVSNodes
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.options import settings
from DeepMRILib.panel.pvs_network import ENGINE
from DeepMRILib.panel.pvs_views import showOverlay
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.volume import Volume

NETWORK_PACKAGES = ("safetensors>=0.4",)
SLIDERS = {"threshold", "min_size"}
"""Settings that have a slider instead of a row: they can be changed after the run, too."""
OF_NETWORKS = {"intensity", "flips", "half", "device"}
OF_BOTH = {"engine", "max_outside", "register_flair"}
"""All others are settings of vesselness."""

Labels = vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode | vtkMRMLScalarVolumeNode | None


class PVSSegmentTask(JobTask):
    """Finds the perivascular spaces of one brain.

    ``PVSSegmentLogic(PVSSegmentTask, JobLogic)`` is the module's Logic. The node parameters, for the .ui file:

    - ``t1Volume``, ``flairVolume``, ``t2Volume``: the images
    - ``maskSegmentation``, ``maskSegment``: the brain mask, and which segment of it ("" for all)
    - ``parcellationSegmentation``: FreeSurfer's or SynthSeg's labels, as a label map or as segments
    - ``model``: name of a network, for the engine network; empty for the one of DeepMRI
    - ``segmentation``, ``probabilityMap``, ``regionsTable``, ``censusTable``, ``qcTable``, ``sizeChart``: results
    """

    jobKey = "pvs.segment"
    inputParameters: ClassVar = {
        "t1": "t1Volume",
        "flair": "flairVolume",
        "t2": "t2Volume",
        "brain_mask": "maskSegmentation",
        "parcellation": "parcellationSegmentation",
        "model": "model",
    }
    viewParameters: ClassVar = ("maskSegment",)
    nodeParameters: ClassVar = {
        "t1Volume": vtkMRMLScalarVolumeNode,
        "flairVolume": vtkMRMLScalarVolumeNode,
        "t2Volume": vtkMRMLScalarVolumeNode,
        "maskSegmentation": Labels,
        "maskSegment": str,
        "parcellationSegmentation": Labels,
        "model": str,
        "segmentation": vtkMRMLSegmentationNode,
        "probabilityMap": vtkMRMLScalarVolumeNode,
        "regionsTable": vtkMRMLTableNode,
        "censusTable": vtkMRMLTableNode,
        "qcTable": vtkMRMLTableNode,
        "sizeChart": vtkMRMLPlotChartNode,
    }
    last: tuple[str, dict[str, Volume]] | None = None
    """ID of the segmentation that was written last, and ``PVSResult.conformed`` of its run: for the report."""

    def preselect(self, parameters: Any) -> None:
        """Choose the image that is most likely a T1."""
        if parameters.t1Volume is None and parameters.t2Volume is None:
            parameters.t1Volume = likelyT1()

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose, and which images do not go together."""
        if parameters.t1Volume is None and parameters.t2Volume is None:
            return _("Choose a T1 image, or a T2 image.")
        if parameters.t1Volume is not None and parameters.t2Volume is not None:
            return _("A T1 and a T2 image are chosen. Choose none for one of them.")
        if parameters.flairVolume is not None and parameters.t1Volume is None:
            return _("A FLAIR image helps a T1 image only. Choose none for it.")
        images = [node for node in (parameters.t1Volume, parameters.flairVolume) if node is not None]
        if len(set(images)) < len(images):
            return _("{name} is chosen for the T1 and the FLAIR image.").format(name=nodeName(images[0]))
        return ""

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """What has a slider, and the settings of the other engine."""
        known = {setting.name for setting in settings(SegmentOptions)}
        others = known - OF_NETWORKS - OF_BOTH if self.needsTorch(parameters) else OF_NETWORKS
        registration = {"register_flair"} if parameters.flairVolume is None else set()
        return SLIDERS | others | registration

    def needsTorch(self, parameters: Any) -> bool:
        """Networks do."""
        return parameters.engine == ENGINE

    def packages(self, parameters: Any) -> Sequence[str]:
        """To read the weights of networks."""
        return NETWORK_PACKAGES if self.needsTorch(parameters) else ()

    def outputs(self, parameters: Any) -> PVSNodes:
        """The chosen outputs."""
        return PVSNodes(**{name: getattr(parameters, name) for name in self.outputNames()})

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002 - there is one
        """The job's inputs."""
        return segmentInputs(
            parameters.t1Volume,
            flairNode=parameters.flairVolume,
            t2Node=parameters.t2Volume,
            maskNode=parameters.maskSegmentation,
            maskSegment=parameters.maskSegment,
            parcellationNode=parameters.parcellationSegmentation,
            model=parameters.model if parameters.engine == ENGINE else None,
        )

    def deliver(self, results: Sequence[PVSResult], parameters: Any) -> str:
        """Put the segment, its probability, its tables and its chart into the scene."""
        made = nodes.deliverResult(results[0], mainImage(parameters), self.outputs(parameters))
        for name in self.outputNames():
            setattr(parameters, name, getattr(made, name))
        self.last = made.segmentation.GetID(), results[0].conformed
        return nodes.summary(results[0])

    def show(self, parameters: Any) -> None:
        """Lay the probability over the image, and choose table and chart for the views that show them."""
        showOverlay(mainImage(parameters), parameters.probabilityMap)
        showNumbers(parameters.regionsTable, parameters.sizeChart)

    # ---- Slicer's Python console

    def process(
        self,
        t1Node: Any = None,
        options: SegmentOptions | None = None,
        *,
        flair: Any = None,
        t2: Any = None,
        brainMask: Any = None,
        brainMaskSegment: str = "",
        parcellation: Any = None,
        model: Path | str | None = None,
        outputs: PVSNodes | None = None,
    ) -> PVSNodes:
        """Find the perivascular spaces in this process, and return the nodes of the segmentation, tables and chart.

        Args:
            t1Node: the T1; None where ``t2`` is given instead.
            options: ``DeepMRILib.pvs.SegmentOptions``.
            flair: a FLAIR of the same head, beside a T1.
            t2: a T2, without a T1.
            brainMask: a label map or a segmentation; an approximate mask is made where there is none.
            brainMaskSegment: ID of the segment of it; all by default.
            parcellation: FreeSurfer's or SynthSeg's labels, as a label map or as segments.
            model: a network's folder or name, for the engine network.
            outputs: nodes to update; new ones are made for those that are None.

        Raises:
            InputError (a ValueError): something given cannot be used; the text says what and what to do.
        """
        if options is not None and not isinstance(options, SegmentOptions):
            raise InputError(f"{nodeName(options)} was given as settings; give SegmentOptions(...).")
        _checkPresent(t1Node, flair, t2, brainMask, parcellation)
        inputs = segmentInputs(
            t1Node,
            flairNode=flair,
            t2Node=t2,
            maskNode=brainMask,
            maskSegment=brainMaskSegment,
            parcellationNode=parcellation,
            model=model,
        )
        result = self.job.run(inputs, options)
        with transaction(slicer.mrmlScene):
            made = nodes.deliverResult(result, t1Node if t1Node is not None else t2, outputs)
        self.last = made.segmentation.GetID(), result.conformed
        return made


def mainImage(parameters: Any) -> Any:
    """The image in which the spaces are looked for; None while there is none."""
    return parameters.t1Volume if parameters.t1Volume is not None else parameters.t2Volume


def _checkPresent(*given: Any) -> None:
    """Refuse nodes that were removed from the scene: nobody would see what becomes of them."""
    for node in given:
        if isNode(node, "vtkMRMLNode") and not slicer.mrmlScene.IsNodePresent(node):
            raise InputError(f"{nodeName(node)} is not in the scene any more. Load it again, or choose another.")
