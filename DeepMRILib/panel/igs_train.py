"""The tasks of the KSpaceIGS panel that make networks: one is trained, or adapted to the lines that were found."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar

from slicer import vtkMRMLPlotChartNode
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.model_card import check_name
from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.igs_record import hasPattern, patternOf
from DeepMRILib.mrml.losses import chartFromLosses
from DeepMRILib.panel.igs_task import NETWORK_PACKAGES, IGSData
from DeepMRILib.panel.machine import modelStore
from DeepMRILib.panel.network_keeping import freeName, keepNetwork
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers
from DeepMRILib.tables import Table


class _NetworkTask(IGSData, JobTask):
    """What training and adapting have in common."""

    nodeParameters: ClassVar = {"trainingChart": vtkMRMLPlotChartNode}
    inputParameters: ClassVar = {"data": "inputVolume", "labels": "labelsSegmentation", "phase": "phaseVolume"}
    firstName = ""

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def packages(self, parameters: Any) -> Sequence[str]:  # noqa: ARG002
        """To build networks and to write their weights."""
        return NETWORK_PACKAGES

    def preselect(self, parameters: Any) -> None:
        """Give the network a name that is free."""
        if getattr(parameters, f"{self.prefix}name") in ("", self.job.options_type().name):
            setattr(parameters, f"{self.prefix}name", freeName(modelStore(), f"{self.firstName}-1"))

    def missing(self, parameters: Any) -> str:
        """What keeps the network from being made."""
        wrong = self.dataMissing(parameters)
        if wrong:
            return wrong
        try:
            name = check_name(getattr(parameters, f"{self.prefix}name"))
            taken = name in {model.card.name for model in modelStore().list()}
        except DeepMRIError as error:
            return str(error)
        if taken:
            return _("There is already a network {name}; give this one another name.").format(name=name)
        return ""

    def deliver(self, results: Sequence[Any], parameters: Any) -> str:
        """Draw the loss curve, put the network into the store, and choose it."""
        trained = results[0]
        columns = trained.history.columns
        history = {**columns, "validation_loss": columns.get("held_out", [None] * len(trained.history))}
        chart = chartFromLosses(Table(history), f"{trained.name} loss", parameters.trainingChart)
        chart.SetTitle(f"{trained.name}: loss of the training")
        if parameters.inputVolume is not None:
            placeResult(chart, parameters.inputVolume)
        store = keepNetwork(trained)
        parameters.trainingChart, parameters.model = chart, trained.name
        setattr(parameters, f"{self.prefix}name", freeName(store, trained.name))
        text = _("{made} {name}. It is chosen above.").format(made=self.madeText, name=trained.name)
        return " ".join((text, *trained.provenance.notes))

    @property
    def madeText(self) -> str:
        """How the sentence about the new network begins."""
        raise NotImplementedError

    def show(self, parameters: Any) -> None:
        """Choose the loss curve for the views that show plots."""
        showNumbers(chartNode=parameters.trainingChart)


class IGSTrainTask(_NetworkTask):
    """A network for the task of the labels, put into the model store and chosen for the next search."""

    jobKey = "igs.train"
    section = "train"
    firstName = "kspace"

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Train")

    @property
    def madeText(self) -> str:
        """How the sentence about the new network begins."""
        return _("Trained")

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """The data."""
        return self.dataInputs(parameters)

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """Random masks have settings of their own."""
        hidden = set(IGSData.irrelevant(self, parameters))
        return hidden if parameters.train_masks == "random" else hidden | {"full", "highest_acceleration"}


class IGSTuneTask(_NetworkTask):
    """The chosen network adapted to the lines that were found, as many as the slider shows."""

    jobKey = "igs.finetune"
    section = "tune"
    firstName = "kspace-tuned"
    inputParameters: ClassVar = {**_NetworkTask.inputParameters, "network": "model", "pattern": "linesTable"}

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Adapt")

    @property
    def madeText(self) -> str:
        """How the sentence about the new network begins."""
        return _("Adapted")

    def inputNodes(self, parameters: Any) -> list[Any]:
        """Also the table of lines."""
        return [*IGSData.inputNodes(self, parameters), *([parameters.linesTable] if parameters.linesTable else [])]

    def missing(self, parameters: Any) -> str:
        """Also a pattern and a network are needed."""
        wrong = self.networks.missing(parameters.model)
        if not parameters.model:
            wrong = _("Choose a network above, or train one.")
        elif not wrong and not hasPattern(parameters.linesTable):
            wrong = _("Press Apply to find a pattern first.")
        return wrong or _NetworkTask.missing(self, parameters)

    def options(self, parameters: Any) -> Any:
        """As many lines, and of the pattern, as the slider shows."""
        options = IGSData.options(self, parameters)
        return dataclasses.replace(options, lines=max(parameters.shownLines, 0), kind=parameters.shownKind)

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """What the slider says."""
        return {"lines", "kind"} | set(IGSData.irrelevant(self, parameters))

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """The data, the network and the pattern."""
        network: Path | None = self.networks.folder(parameters.model)
        return {**self.dataInputs(parameters), "network": network, "pattern": patternOf(parameters.linesTable)}
