"""The task of the IAPPredict panel that trains a model on the user's own series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from slicer import vtkMRMLPlotChartNode
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.model_card import check_name
from DeepMRILib.mrml.iap_headers import existingFile
from DeepMRILib.mrml.losses import chartFromLosses
from DeepMRILib.panel.iap_cohort import existingFolder, imagePackages
from DeepMRILib.panel.iap_network import OWN_PACKAGES
from DeepMRILib.panel.machine import modelStore
from DeepMRILib.panel.network_keeping import freeName, keepNetwork
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers
from DeepMRILib.tables import Table

FIRST_NAME = "iap-1"


class IAPTrainTask(JobTask):
    """Trains a model on a folder of series; it is put among the models of this computer, and chosen."""

    jobKey = "iap.train"
    section = "train"
    inputParameters: ClassVar = {"folder": "trainFolder", "table": "trainTable"}
    nodeParameters: ClassVar = {"trainFolder": str, "trainTable": str, "trainingChart": vtkMRMLPlotChartNode}

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Train")

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def packages(self, parameters: Any) -> Sequence[str]:
        """To write weights, and to read images."""
        return (*OWN_PACKAGES, *imagePackages(parameters.trainFolder))

    def preselect(self, parameters: Any) -> None:
        """Give the model a name that is free."""
        if parameters.train_name in ("", self.job.options_type().name):
            parameters.train_name = freeName(modelStore(), FIRST_NAME)

    def missing(self, parameters: Any) -> str:
        """What keeps the model from being made."""
        if not parameters.trainFolder:
            return _("Choose a folder of series to learn from.")
        try:
            name = check_name(parameters.train_name)
            taken = name in {model.card.name for model in modelStore().list()}
        except DeepMRIError as error:
            return str(error)
        if taken:
            return _("There is already a model {name}; give this one another name.").format(name=name)
        return ""

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002 - there is one
        """The folder, and the table of known values."""
        table = existingFile(parameters.trainTable) if parameters.trainTable else None
        return {"folder": existingFolder(parameters.trainFolder), "table": table}

    def deliver(self, results: Sequence[Any], parameters: Any) -> str:
        """Draw the loss curve, put the model into the store, and choose it."""
        trained = results[0]
        columns = trained.history.columns
        history = {**columns, "validation_loss": columns.get("held_out_loss", [None] * len(trained.history))}
        chart = chartFromLosses(Table(history), f"{trained.name} loss", parameters.trainingChart)
        chart.SetTitle(_("{name}: loss of the training").format(name=trained.name))
        store = keepNetwork(trained)
        parameters.trainingChart, parameters.model, parameters.checkpointFile = chart, trained.name, ""
        parameters.train_name = freeName(store, trained.name)
        text = _("Trained {name}. It is chosen above.").format(name=trained.name)
        return " ".join((text, *trained.provenance.notes))

    def show(self, parameters: Any) -> None:
        """Choose the loss curve for the views that show plots."""
        showNumbers(chartNode=parameters.trainingChart)
