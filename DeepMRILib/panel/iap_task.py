"""The tasks of the IAPPredict panel on one series: what header and image say, and what in the image decides."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

import slicer
from slicer import vtkMRMLPlotChartNode, vtkMRMLScalarVolumeNode, vtkMRMLTableNode
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.iap.options import PredictOptions
from DeepMRILib.iap.result import IAPResult
from DeepMRILib.mrml import iap as nodes
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.iap_headers import FoundHeader, findHeader
from DeepMRILib.mrml.iap_inputs import isReversed, likelySeries, predictInputs
from DeepMRILib.mrml.iap_record import ROLE, IAPNodes, IAPRecord
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.options import settings
from DeepMRILib.panel.iap_network import NetworkChoice, isChosen, packagesOf
from DeepMRILib.panel.machine import machineSettings
from DeepMRILib.panel.parameters import optionsFromParameters
from DeepMRILib.panel.pvs_views import showOverlay
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers

IN_WORDS = {"level", "saliency"}
"""Settings that the panel asks for in its own words."""
LINKS = "DeepMRI-series-"
"""Begins the names of folders with links to DICOM files."""
ALL = {setting.name for setting in settings(PredictOptions)}


class IAPPredictTask(JobTask):
    """Tells the acquisition parameters of one series and compares them with its header.

    ``IAPPredictLogic(IAPPredictTask, JobLogic)`` is the module's Logic. The node parameters, for the .ui file:

    - ``inputVolume``: the series
    - ``headerFile``: a sidecar or DICOM file that the header is read from; empty for what is found
    - ``originalPixels``: the pixels of the DICOM files instead of the volume's
    - ``model``, ``checkpointFile``: name of a model, or the file of a published network; neither for the header alone
    - ``shownParameter``: the row that is chosen
    - ``parametersTable``, ``slicesTable``, ``outsideTable``, ``stripChart``: results
    """

    jobKey = "iap.predict"
    inputParameters: ClassVar = {"data": "inputVolume", "header": "headerFile", "model": "model"}
    viewParameters: ClassVar = ("originalPixels", "checkpointFile", "shownParameter")
    nodeParameters: ClassVar = {
        "inputVolume": vtkMRMLScalarVolumeNode,
        "headerFile": str,
        "originalPixels": bool,
        "model": str,
        "checkpointFile": str,
        "shownParameter": str,
        "parametersTable": vtkMRMLTableNode,
        "slicesTable": vtkMRMLTableNode,
        "outsideTable": vtkMRMLTableNode,
        "stripChart": vtkMRMLPlotChartNode,
    }

    def __init__(self) -> None:
        self.networks = NetworkChoice()
        self._links: tempfile.TemporaryDirectory | None = None

    def preselect(self, parameters: Any) -> None:
        """Choose the first series, one with a header before others."""
        if parameters.inputVolume is None:
            parameters.inputVolume = likelySeries()

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose."""
        if parameters.inputVolume is None:
            return _("Choose an image.")
        try:
            found = findHeader(parameters.inputVolume, parameters.headerFile)
        except InputError as error:
            return str(error)
        if found.kind == "none" and not isChosen(parameters):
            return _("This image has no header. Choose a sidecar or a DICOM file, or a model that looks at the image.")
        return self.networks.missing(parameters)

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """What the panel asks for in words, and all settings of models where none is chosen."""
        if not isChosen(parameters):
            return ALL
        return IN_WORDS | ({"slice_axis"} if takesOriginal(parameters) else set())

    def needsTorch(self, parameters: Any) -> bool:
        """Models do."""
        return isChosen(parameters)

    def packages(self, parameters: Any) -> Sequence[str]:
        """To read the weights of models."""
        return packagesOf(parameters)

    def outputs(self, parameters: Any) -> IAPNodes:
        """The chosen outputs; where a table is only looked at, those of the image's own table."""
        table, image = parameters.parametersTable, parameters.inputVolume
        if table is not None and not nodes.isTableOf(table, image):
            return IAPNodes(nodes.tableOf(image))
        return IAPNodes(**{name: getattr(parameters, name) for name in self.outputNames()})

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002 - there is one
        """The job's inputs."""
        original = takesOriginal(parameters)
        return predictInputs(
            parameters.inputVolume,
            header=parameters.headerFile,
            original=original,
            model=self.networks.place(parameters),
            place=self._newPlace() if original else None,
        )

    def deliver(self, results: Sequence[IAPResult], parameters: Any) -> str:
        """Put the tables and the strip plot into the scene."""
        image = parameters.inputVolume
        record = recordOfRun(results[0], image, original=takesOriginal(parameters), model=_modelName(parameters))
        made = nodes.deliverResult(results[0], image, self.outputs(parameters), record=record)
        for name in self.outputNames():
            setattr(parameters, name, getattr(made, name))
        parameters.shownParameter = nodes.shownFirst(made)
        self._dropPlace()
        return nodes.summary(results[0], self.networks.notes(parameters.model))

    def show(self, parameters: Any) -> None:
        """Choose table and chart for the views that show them."""
        showNumbers(parameters.parametersTable, parameters.stripChart)

    def _newPlace(self) -> Path:
        """An empty folder, until the next run: links to DICOM files that lie among others."""
        self._dropPlace()
        self._links = tempfile.TemporaryDirectory(prefix=LINKS, ignore_cleanup_errors=True)
        return Path(self._links.name)

    def _dropPlace(self) -> None:
        links, self._links = self._links, None
        if links is not None:
            links.cleanup()

    # ---- Slicer's Python console

    def process(
        self,
        volumeNode: Any,
        options: PredictOptions | None = None,
        *,
        header: Path | str = "",
        model: Path | str = "",
        original: bool = False,
        outputs: IAPNodes | None = None,
    ) -> IAPNodes:
        """Tell the parameters of a series in this process, and return the nodes of the tables and the strip plot.

        Args:
            volumeNode: the series.
            options: ``DeepMRILib.iap.PredictOptions``.
            header: a sidecar or a DICOM file; by default what is found for the node.
            model: a model's name, its folder, or a checkpoint; none compares nothing and shows the header.
            original: the pixels of the DICOM files instead of the node's.
            outputs: nodes to update; new ones are made for those that are None.

        Raises:
            InputError (a ValueError): something given cannot be used; the text says what and what to do.
        """
        if options is not None and not isinstance(options, PredictOptions):
            raise InputError(f"{nodeName(options)} was given as settings; give PredictOptions(...).")
        _checkPresent(volumeNode)
        place = model if isinstance(model, Path) else (self.networks.folder(model) if model else None)
        with tempfile.TemporaryDirectory(prefix=LINKS) as folder:
            inputs = predictInputs(volumeNode, header=header, original=original, model=place, place=Path(folder))
            if all(value is None for name, value in inputs.items() if name != "data") and not original:
                raise InputError(f"{nodeName(volumeNode)} has no header. Give header=..., or a model.")
            result = self.job.run(inputs, options)
        record = recordOfRun(result, volumeNode, original=original, model=place.name if place else "")
        with transaction(slicer.mrmlScene):
            return nodes.deliverResult(result, volumeNode, outputs, record=record)


class IAPSaliencyTask(JobTask):
    """Searches the image for what decides about the chosen parameter."""

    jobKey = "iap.predict"
    section = "saliency"
    inputParameters: ClassVar = IAPPredictTask.inputParameters
    nodeParameters: ClassVar = {"saliencyVolume": vtkMRMLScalarVolumeNode}
    first: IAPPredictTask
    """The task that tells the parameters, on whose choices this one works."""

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Show what decides")

    def preselect(self, parameters: Any) -> None:
        """The first task chooses."""

    def options(self, parameters: Any) -> PredictOptions:
        """The first task's settings, and the chosen parameter."""
        found = optionsFromParameters(PredictOptions, parameters, machineSettings())
        return dataclasses.replace(found, saliency=parameters.shownParameter)

    def irrelevant(self, parameters: Any) -> Collection[str]:  # noqa: ARG002
        """All are the first task's."""
        return ALL

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def packages(self, parameters: Any) -> Sequence[str]:
        """Those of the model."""
        return packagesOf(parameters)

    def missing(self, parameters: Any) -> str:
        """Also a model and a parameter are needed."""
        wrong = self.first.missing(parameters)
        if wrong:
            return wrong
        if not isChosen(parameters):
            return _("Choose a model above: it is the model that decides.")
        told = nodes.toldParameters(parameters.parametersTable)
        if parameters.shownParameter in told and sourceOf(parameters.parametersTable) is parameters.inputVolume:
            return ""
        return _("Press Apply, and choose a parameter of the list that the image tells.")

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:
        """The job's inputs."""
        return self.first.collect(parameters, frame)

    def deliver(self, results: Sequence[IAPResult], parameters: Any) -> str:
        """Put what decides into the scene."""
        if results[0].saliency is None:
            raise InputError(_("The model found nothing to hide in these images. Choose another parameter."))
        node = nodes.deliverSaliency(results[0], parameters.inputVolume, parameters.saliencyVolume)
        parameters.saliencyVolume = node
        if parameters.parametersTable is not None:
            parameters.parametersTable.SetNodeReferenceID(f"{ROLE}saliencyVolume", node.GetID())
        return _("{name} is laid over the image: bright is where hiding the image changes the answer most.").format(
            name=node.GetName()
        )

    def show(self, parameters: Any) -> None:
        """Lay it over the image."""
        showOverlay(parameters.inputVolume, parameters.saliencyVolume)


def takesOriginal(parameters: Any) -> bool:
    """Whether the pixels come from DICOM files: asked for, and the files are known."""
    return bool(parameters.originalPixels) and ownHeader(parameters.inputVolume).kind == "dicom"


def ownHeader(node: Any) -> FoundHeader:
    """What is found for an image without the user's help."""
    return findHeader(node)


def recordOfRun(result: IAPResult, image: Any, *, original: bool, model: str) -> IAPRecord:
    """How slices are counted, and what was asked for."""
    options = result.provenance.options
    return IAPRecord(
        axis="k" if original else str(options.get("slice_axis", "k")),
        reversed=original and isReversed(image),
        level=float(options.get("level", 0.9)),
        model=model,
        notes=list(result.provenance.notes),
    )


def _modelName(parameters: Any) -> str:
    return parameters.model or (Path(parameters.checkpointFile).name if parameters.checkpointFile else "")


def _checkPresent(node: Any) -> None:
    """Refuse a node that was removed from the scene: nobody would see what becomes of it."""
    if isNode(node, "vtkMRMLNode") and not slicer.mrmlScene.IsNodePresent(node):
        raise InputError(f"{nodeName(node)} is not in the scene any more. Load it again, or choose another.")
