"""The tasks of the IAPPredict panel on a folder of series: its headers looked through, its series sorted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from slicer import vtkMRMLTableNode
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.iap.options import PredictOptions
from DeepMRILib.iap.result import AuditResult, CohortResult
from DeepMRILib.mrml.iap_cohort import CohortNodes, auditText, cohortText, deliverAudit, deliverCohort
from DeepMRILib.options import settings
from DeepMRILib.panel.iap_network import NetworkChoice, isChosen, packagesOf
from DeepMRILib.panel.task import JobTask
from DeepMRILib.panel.views import showNumbers

IMAGE_PACKAGES = ("nibabel>=5.2",)
MOST_LOOKED_AT = 2000
"""Files of a folder that are looked at for images, before the job is started."""


def existingFolder(text: str) -> Path:
    """A folder that is there.

    Raises:
        InputError: it is not, or cannot be looked at.
    """
    try:
        path = Path(text).expanduser()
        if path.is_dir():
            return path
    except (OSError, RuntimeError, ValueError):  # a name that is too long, the home of nobody
        pass
    raise InputError(_("There is no folder {text}. Choose another.").format(text=text))


def imagePackages(text: str) -> tuple[str, ...]:
    """What the files of a folder need to be read, beside what Slicer has."""
    try:
        files = islice(Path(text).expanduser().rglob("*.nii*"), MOST_LOOKED_AT)
        return IMAGE_PACKAGES if next(files, None) is not None else ()
    except (OSError, RuntimeError, ValueError):
        return ()


class _CohortTask(JobTask):
    """What audit and sorting have in common."""

    inputParameters: ClassVar = {"folder": "cohortFolder"}
    networks: NetworkChoice

    def preselect(self, parameters: Any) -> None:
        """The user chooses the folder."""

    def missing(self, parameters: Any) -> str:
        """A folder is needed."""
        return "" if parameters.cohortFolder else _("Choose a folder.")

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002 - there is one
        """The folder."""
        return {"folder": existingFolder(parameters.cohortFolder)}

    def old(self, parameters: Any) -> CohortNodes:
        """The tables that are updated."""
        return CohortNodes(**{name: getattr(parameters, name) for name in CohortNodes.names()})

    def keep(self, parameters: Any, made: CohortNodes) -> None:
        """Choose the tables that were delivered."""
        for name in self.nodeParameters:
            if name in CohortNodes.names():
                setattr(parameters, name, getattr(made, name))


class IAPAuditTask(_CohortTask):
    """Looks through the headers of a folder; no model is needed."""

    jobKey = "iap.audit"
    section = "audit"
    viewParameters: ClassVar = ("cohortFolder",)
    nodeParameters: ClassVar = {
        "cohortFolder": str,
        "auditTable": vtkMRMLTableNode,
        "findingsTable": vtkMRMLTableNode,
        "groupsTable": vtkMRMLTableNode,
        "coverageTable": vtkMRMLTableNode,
        "unreadTable": vtkMRMLTableNode,
    }

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Audit")

    def deliver(self, results: Sequence[AuditResult], parameters: Any) -> str:
        """Put the tables into the scene."""
        folder = Path(parameters.cohortFolder).name
        self.keep(parameters, deliverAudit(results[0], folder, self.old(parameters)))
        return auditText(results[0])

    def show(self, parameters: Any) -> None:
        """Choose the findings for the view that shows tables."""
        showNumbers(parameters.findingsTable)


class IAPSortTask(_CohortTask):
    """Sorts the series of a folder into domains, by what the headers or the chosen model say."""

    jobKey = "iap.sort"
    section = "sort"
    inputParameters: ClassVar = {"folder": "cohortFolder", "model": "model"}
    nodeParameters: ClassVar = {
        "cohortTable": vtkMRMLTableNode,
        "confusionTable": vtkMRMLTableNode,
        "unreadTable": vtkMRMLTableNode,
    }

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Sort")

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """Files stay where they are; with headers alone there is nothing to set for a model."""
        hidden = {"files", "saliency"}
        if parameters.sort_source == "header":
            hidden |= {setting.name for setting in settings(PredictOptions)}
        return hidden

    def missing(self, parameters: Any) -> str:
        """Also a model where the image is asked."""
        wrong = _CohortTask.missing(self, parameters) or self.networks.missing(parameters)
        if wrong or parameters.sort_source == "header" or isChosen(parameters):
            return wrong
        return _("Choose a model above, or sort by what the headers say (source: header).")

    def needsTorch(self, parameters: Any) -> bool:
        """Models do."""
        return parameters.sort_source != "header"

    def packages(self, parameters: Any) -> Sequence[str]:
        """To read the weights of models, and images."""
        if parameters.sort_source == "header":
            return ()
        return (*packagesOf(parameters), *imagePackages(parameters.cohortFolder))

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:
        """The folder, and the model where the image is asked."""
        model = None if parameters.sort_source == "header" else self.networks.place(parameters)
        return {**_CohortTask.collect(self, parameters, frame), "model": model}

    def deliver(self, results: Sequence[CohortResult], parameters: Any) -> str:
        """Put the tables into the scene."""
        folder = Path(parameters.cohortFolder).name
        self.keep(parameters, deliverCohort(results[0], folder, self.old(parameters)))
        return cohortText(results[0])

    def show(self, parameters: Any) -> None:
        """Choose the domains for the view that shows tables."""
        showNumbers(parameters.cohortTable)
