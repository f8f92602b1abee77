"""The task "train a network for a study" of the IVIM panel."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from slicer import vtkMRMLNode, vtkMRMLPlotChartNode
from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.model_card import check_name
from DeepMRILib.mrml.ivim_study import deliverNetwork, studyRefusal, studySources, studyVolumes
from DeepMRILib.panel.machine import modelStore
from DeepMRILib.panel.network_keeping import freeName, keepNetwork
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers

TORCH_PACKAGES = ("safetensors>=0.4",)
"""What networks need beside PyTorch."""
FIRST_NAME = "study"


class IVIMTrainTask(JobTask):
    """One network for several series, put into the model store and chosen for the next fit."""

    jobKey = "ivim.train"
    section = "train"
    nodeParameters: ClassVar = {"studySeries": list[vtkMRMLNode], "lossChart": vtkMRMLPlotChartNode}
    inputParameters: ClassVar = {"volumes": "studySeries"}

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Train")

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def packages(self, parameters: Any) -> Sequence[str]:  # noqa: ARG002
        """To write the weights."""
        return TORCH_PACKAGES

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """The bounds of the other model's parameters."""
        return boundsOfOthers(parameters.train_model)

    def preselect(self, parameters: Any) -> None:
        """Give the network a name that is free."""
        if not parameters.train_name:
            parameters.train_name = freeName(modelStore(), f"{FIRST_NAME}-1")

    def inputNodes(self, parameters: Any) -> list[Any]:
        """The checked series."""
        return [node for node in parameters.studySeries if node is not None]

    def dependsOn(self, parameters: Any) -> list[Any]:
        """The checked series, and the sequences and browsers behind them."""
        return studySources(self.inputNodes(parameters))

    def missing(self, parameters: Any) -> str:
        """What keeps the training from running."""
        try:
            name = check_name(parameters.train_name)
            taken = name in {model.card.name for model in modelStore().list()}
        except DeepMRIError as error:
            return str(error)
        series = self.inputNodes(parameters)
        if not series:
            return _("Check the series of the study.")
        if taken:
            return _("There is already a network {name}; give this one another name.").format(name=name)
        return studyRefusal(series, parameters.bValues)

    def collect(self, parameters: Any, frame: Any) -> dict[str, Any]:  # noqa: ARG002
        """All series with all their frames."""
        return {"volumes": studyVolumes(self.inputNodes(parameters), parameters.bValues)}

    def deliver(self, results: Sequence[Any], parameters: Any) -> str:
        """Draw the loss curve, put the network into the store, and choose it."""
        trained = results[0]
        parameters.lossChart = deliverNetwork(trained, parameters.lossChart)
        store = keepNetwork(trained)
        parameters.method, parameters.model = "ivimnet", trained.options.model
        parameters.network = trained.name
        parameters.train_name = freeName(store, trained.name)
        text = _("Trained {name} on {voxels:,} voxels. It is chosen above: Apply fits the series with it.")
        return text.format(name=trained.name, voxels=trained.voxels)

    def show(self, parameters: Any) -> None:
        """Choose the loss curve for the views that show plots."""
        showNumbers(chartNode=parameters.lossChart)


def boundsOfOthers(model: str) -> set[str]:
    """The bounds, as settings, of parameters that a model does not have; those of all for no model."""
    names = {name for each in MODELS.values() for name in each.parameters}
    own = MODELS[model].parameters if model else ()
    return {f"{name}_bounds" for name in names - set(own)}
