"""The task of the KSpaceIGS panel: what is needed of the scene to find k-space lines, and where they go."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import slicer
from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLPlotChartNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLSequenceNode,
    vtkMRMLTableNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, Default

from DeepMRILib.errors import InputError
from DeepMRILib.igs.options import DataOptions, FindOptions
from DeepMRILib.igs.result import PatternResult
from DeepMRILib.mrml import igs as nodes
from DeepMRILib.mrml.igs_inputs import companionsOf, dataInputs, likelyImage
from DeepMRILib.mrml.igs_record import IGSNodes
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.options import settings
from DeepMRILib.panel.igs_network import NetworkChoice
from DeepMRILib.panel.machine import machineSettings
from DeepMRILib.panel.parameters import optionsFromParameters
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers, showVolume

NETWORK_PACKAGES = ("monai>=1.5", "safetensors>=0.4")
KINDS = ("recommended", "igs", "block", "centre")
SHARED = {setting.name for setting in settings(DataOptions)} - {"part"} | {"axis", "second_axis"}
"""Settings of the data and of its encoding, which all tasks of the panel have in common."""
IN_WORDS = {"axis", "second_axis"}
"""Settings that a box of words stands for."""
OF_NETWORKS = {"batch", "device"}
LIVE = ("liveSegmentation", "reconstructedVolume")
"""Outputs of the slider alone."""

Labels = vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode | None


class IGSData:
    """What all tasks of the panel have in common: the data, and how they are cut into slices.

    A ``JobTask`` that has it as another base gets its data settings from those of the first task.
    """

    networks: NetworkChoice

    def options(self, parameters: Any) -> Any:
        """The job's checked options, with the first task's settings of the data."""
        options = JobTask.options(self, parameters)
        found = optionsFromParameters(FindOptions, parameters, machineSettings())
        known = {setting.name for setting in settings(type(options))} & SHARED
        return dataclasses.replace(options, **{name: getattr(found, name) for name in known})

    def irrelevant(self, parameters: Any) -> Collection[str]:  # noqa: ARG002
        """What the first task's settings say, and the consent to files of others, which the panel does not take."""
        return SHARED | {"trust"}

    def inputNodes(self, parameters: Any) -> list[Any]:
        """The image with its labels and its phase; none of them where the data are those of a folder."""
        return dataNodes(parameters)

    def preselect(self, parameters: Any) -> None:
        """The first task chooses the data."""

    def dataMissing(self, parameters: Any) -> str:
        """What is wrong with the choice of data."""
        return dataMissing(parameters)

    def dataInputs(self, parameters: Any) -> dict[str, Any]:
        """The job's inputs ``data``, ``labels`` and ``phase``."""
        return chosenData(parameters)


def dataNodes(parameters: Any) -> list[Any]:
    """The nodes that data are read from."""
    if parameters.dataFolder:
        return []
    given = (parameters.inputVolume, parameters.labelsSegmentation, parameters.phaseVolume)
    return [node for node in given if node is not None]


def dataMissing(parameters: Any) -> str:
    """What is wrong with the choice of image, labels, phase and folder; "" when nothing is."""
    image, phase = parameters.inputVolume, parameters.phaseVolume
    if parameters.dataFolder:
        return _("An image and a folder are chosen. Choose none for one of them.") if image is not None else ""
    if image is None:
        return _("Choose an image, or a folder with images.")
    if phase is image:
        return _("{name} is chosen for the image and for its phase.").format(name=nodeName(image))
    return ""


def chosenData(parameters: Any) -> dict[str, Any]:
    """The inputs ``data``, ``labels`` and ``phase`` of all jobs, from what is chosen."""
    return dataInputs(
        parameters.inputVolume,
        labelsNode=parameters.labelsSegmentation,
        segments=list(parameters.labelsSegments),
        phaseNode=parameters.phaseVolume,
        folder=parameters.dataFolder,
    )


class IGSFindTask(JobTask):
    """Finds the k-space lines that serve a task, or the image, best.

    ``KSpaceIGSLogic(IGSFindTask, JobLogic)`` is the module's Logic. The node parameters, for the .ui file:

    - ``inputVolume``, ``phaseVolume``: the image and its phase
    - ``labelsSegmentation``, ``labelsSegments``: what is where, and the IDs of the segments that count (all: none)
    - ``dataFolder``: a folder or file instead of an image
    - ``model``: name of the network whose task is served; empty for the image itself
    - ``linesTable``, ``rivalsTable``, ``lossChart``, ``maskVolume``, ``undersampledVolume``, ``growthSequence``,
      ``liveSegmentation``, ``reconstructedVolume``: results
    - ``shownLines`` (0 for all), ``shownKind``, ``live``: what the slider shows
    """

    jobKey = "igs.find"
    inputParameters: ClassVar = {
        "data": "inputVolume",
        "labels": "labelsSegmentation",
        "phase": "phaseVolume",
        "network": "model",
    }
    viewParameters: ClassVar = ("labelsSegments", "dataFolder", "shownLines", "shownKind", "live", *LIVE)
    nodeParameters: ClassVar = {
        "inputVolume": vtkMRMLScalarVolumeNode,
        "labelsSegmentation": Labels,
        "labelsSegments": list[str],
        "phaseVolume": vtkMRMLScalarVolumeNode,
        "dataFolder": str,
        "model": str,
        "linesTable": vtkMRMLTableNode,
        "rivalsTable": vtkMRMLTableNode,
        "lossChart": vtkMRMLPlotChartNode,
        "maskVolume": vtkMRMLScalarVolumeNode,
        "undersampledVolume": vtkMRMLScalarVolumeNode,
        "growthSequence": vtkMRMLSequenceNode,
        "liveSegmentation": vtkMRMLSegmentationNode,
        "reconstructedVolume": vtkMRMLScalarVolumeNode,
        "shownLines": int,
        "shownKind": Annotated[str, Choice(list(KINDS)), Default("recommended")],
        "live": Annotated[bool, Default(True)],
    }

    def __init__(self) -> None:
        self.networks = NetworkChoice()

    def preselect(self, parameters: Any) -> None:
        """Choose the first image, with the labels and the phase that came with it."""
        if parameters.inputVolume is None and not parameters.dataFolder:
            image = parameters.inputVolume = likelyImage()
            if image is not None and parameters.labelsSegmentation is None and parameters.phaseVolume is None:
                parameters.labelsSegmentation, parameters.phaseVolume = companionsOf(image)

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose, and which choices do not go together."""
        return dataMissing(parameters) or self.networks.refusal(parameters.model, parameters.loss)

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """What boxes of words stand for, and settings of networks without one."""
        hidden = IN_WORDS | {"trust"}
        if not parameters.model:
            hidden |= OF_NETWORKS
        if parameters.acceleration > 0:
            hidden |= {"lines"}
        return hidden if parameters.stop else hidden | {"held_out"}

    def inputNodes(self, parameters: Any) -> list[Any]:
        """The image with its labels and its phase."""
        return dataNodes(parameters)

    def needsTorch(self, parameters: Any) -> bool:
        """Networks do."""
        return bool(parameters.model)

    def packages(self, parameters: Any) -> Sequence[str]:
        """To build networks and to read their weights."""
        return NETWORK_PACKAGES if self.needsTorch(parameters) else ()

    def outputs(self, parameters: Any) -> IGSNodes:
        """The chosen outputs."""
        return IGSNodes(**{name: getattr(parameters, name) for name in self.outputNames()})

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002 - there is one
        """The job's inputs."""
        return {**chosenData(parameters), "network": self.networks.folder(parameters.model)}

    def imageInputs(self, parameters: Any) -> dict[str, Any]:
        """The inputs of a look at the image through the chosen network: no labels."""
        inputs = dataInputs(parameters.inputVolume, phaseNode=parameters.phaseVolume)
        del inputs["labels"]
        return {**inputs, "network": self.networks.folder(parameters.model)}

    def deliver(self, results: Sequence[PatternResult], parameters: Any) -> str:
        """Put the table of lines with what belongs to it into the scene."""
        made = nodes.deliverPattern(
            results[0],
            parameters.inputVolume,
            self.outputs(parameters),
            phaseNode=parameters.phaseVolume,
            network=parameters.model,
        )
        for name in self.outputNames():
            setattr(parameters, name, getattr(made, name))
        parameters.shownLines = 0
        return nodes.summary(results[0])

    def show(self, parameters: Any) -> None:
        """Show what the lines give in the slice views, and choose table and chart for their views."""
        showVolume(parameters.undersampledVolume or parameters.maskVolume)
        showNumbers(parameters.linesTable, parameters.lossChart)

    # ---- Slicer's Python console

    def process(
        self,
        imageNode: Any = None,
        options: FindOptions | None = None,
        *,
        labels: Any = None,
        segments: Sequence[str] = (),
        phase: Any = None,
        folder: Path | str = "",
        network: Path | str = "",
        outputs: IGSNodes | None = None,
    ) -> IGSNodes:
        """Find k-space lines in this process, and return the nodes of the table, the chart and the pictures.

        Args:
            imageNode: the image, its slices stacked along ``options.slice_axis``.
            options: ``DeepMRILib.igs.FindOptions``.
            labels: a segmentation or a label map of the image.
            segments: IDs of the segments that count; all by default.
            phase: phase of the image in radians.
            folder: a folder or file instead of an image.
            network: whose task the lines are to serve: a model's folder or name; none for the image itself.
            outputs: nodes to update; new ones are made for those that are None.

        Raises:
            InputError (a ValueError): something given cannot be used; the text says what and what to do.
        """
        if options is not None and not isinstance(options, FindOptions):
            raise InputError(f"{nodeName(options)} was given as settings; give FindOptions(...).")
        checkPresent(imageNode, labels, phase)
        inputs = dataInputs(imageNode, labelsNode=labels, segments=segments, phaseNode=phase, folder=folder)
        place = network if isinstance(network, Path) else self.networks.folder(network)
        result = self.job.run({**inputs, "network": place}, options)
        with transaction(slicer.mrmlScene):
            return nodes.deliverPattern(
                result, imageNode, outputs, phaseNode=phase, network=place.name if place is not None else ""
            )


def checkPresent(*given: Any) -> None:
    """Refuse nodes that were removed from the scene: nobody would see what becomes of them."""
    for node in given:
        if isNode(node, "vtkMRMLNode") and not slicer.mrmlScene.IsNodePresent(node):
            raise InputError(f"{nodeName(node)} is not in the scene any more. Load it again, or choose another.")
