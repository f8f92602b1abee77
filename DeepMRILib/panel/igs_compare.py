"""The task of the KSpaceIGS panel that compares a pattern with the usual ones of as many lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from slicer import vtkMRMLPlotChartNode, vtkMRMLTableNode
from slicer.i18n import tr as _

from DeepMRILib.igs.result import Evaluation
from DeepMRILib.mrml.igs_compare import ComparisonNodes, deliverComparison, summary
from DeepMRILib.mrml.igs_record import hasPattern, patternOf
from DeepMRILib.panel.igs_task import NETWORK_PACKAGES, OF_NETWORKS, IGSData
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers


class IGSCompareTask(IGSData, JobTask):
    """Scores of the pattern and of its baselines on the part of the data that neither training nor search has seen."""

    jobKey = "igs.test"
    section = "compare"
    inputParameters: ClassVar = {
        "pattern": "linesTable",
        "data": "inputVolume",
        "labels": "labelsSegmentation",
        "phase": "phaseVolume",
        "network": "model",
    }
    nodeParameters: ClassVar = {
        "summaryTable": vtkMRMLTableNode,
        "scoresTable": vtkMRMLTableNode,
        "scoreChart": vtkMRMLPlotChartNode,
    }

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Compare")

    def needsTorch(self, parameters: Any) -> bool:
        """Networks do."""
        return bool(parameters.model) or "probabilistic" in parameters.compare_baselines

    def packages(self, parameters: Any) -> Sequence[str]:
        """To build networks and to read their weights."""
        return NETWORK_PACKAGES if self.needsTorch(parameters) else ()

    def inputNodes(self, parameters: Any) -> list[Any]:
        """Also the table of lines."""
        return [*IGSData.inputNodes(self, parameters), *([parameters.linesTable] if parameters.linesTable else [])]

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """Without a network there is nothing to adapt."""
        hidden = set(IGSData.irrelevant(self, parameters))
        return hidden if parameters.model else hidden | OF_NETWORKS | {"finetune_epochs"}

    def missing(self, parameters: Any) -> str:
        """A pattern is needed."""
        wrong = self.dataMissing(parameters) or self.networks.missing(parameters.model)
        if wrong or hasPattern(parameters.linesTable):
            return wrong
        return _("Press Apply to find a pattern first.")

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002
        """The pattern, the data and the network."""
        network = self.networks.folder(parameters.model)
        return {**self.dataInputs(parameters), "pattern": patternOf(parameters.linesTable), "network": network}

    def deliver(self, results: Sequence[Evaluation], parameters: Any) -> str:
        """Put tables and chart into the scene."""
        old = ComparisonNodes(parameters.summaryTable, parameters.scoresTable, parameters.scoreChart)
        word = patternOf(parameters.linesTable).encoding.word
        made = deliverComparison(results[0], parameters.inputVolume, old, word=word)
        for name, node in vars(made).items():
            setattr(parameters, name, node)
        return summary(results[0])

    def show(self, parameters: Any) -> None:
        """Choose table and chart for their views."""
        showNumbers(parameters.summaryTable, parameters.scoreChart)
