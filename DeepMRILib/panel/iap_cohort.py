"""The tasks of the IAPPredict panel on a folder of series: its headers looked through, its series sorted."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Sequence
from itertools import count, islice
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
from DeepMRILib.panel.outcome import plainName
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
    names = (name for _place, _folders, files in os.walk(Path(text)) for name in files)
    found = any(name.endswith((".nii", ".nii.gz")) for name in islice(names, MOST_LOOKED_AT))
    return IMAGE_PACKAGES if found else ()


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


class _ModelTask(_CohortTask):
    """What sorting and completing have in common: the chosen model looks at each series."""

    inputParameters: ClassVar = {"folder": "cohortFolder", "model": "model"}
    unused: Collection[str] = ()
    """Settings that the panel does not ask for."""

    def options(self, parameters: Any) -> Any:
        """The job's checked options, with the level of the first task."""
        return dataclasses.replace(_CohortTask.options(self, parameters), level=parameters.level)

    def irrelevant(self, parameters: Any) -> Collection[str]:
        """What stands above, and what is of one series alone."""
        hidden = {"level", "saliency", *self.unused}
        return hidden if self.asksModel(parameters) else hidden | {one.name for one in settings(PredictOptions)}

    def asksModel(self, parameters: Any) -> bool:  # noqa: ARG002 - sorting does not always
        """Whether a model is asked with these settings."""
        return True

    def needsTorch(self, parameters: Any) -> bool:
        """Models do."""
        return self.asksModel(parameters)

    def packages(self, parameters: Any) -> Sequence[str]:
        """To read the weights of models, and images."""
        if not self.asksModel(parameters):
            return ()
        return (*packagesOf(parameters), *imagePackages(parameters.cohortFolder))

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:
        """The folder, and the model where it is asked."""
        model = self.networks.place(parameters) if self.asksModel(parameters) else None
        return {**_CohortTask.collect(self, parameters, frame), "model": model}


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


class IAPSortTask(_ModelTask):
    """Sorts the series of a folder into domains, by what the headers or the chosen model say."""

    jobKey = "iap.sort"
    section = "sort"
    unused = ("files",)
    nodeParameters: ClassVar = {
        "cohortTable": vtkMRMLTableNode,
        "confusionTable": vtkMRMLTableNode,
        "unreadTable": vtkMRMLTableNode,
    }

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Sort")

    def asksModel(self, parameters: Any) -> bool:
        """Unless headers alone make the domains."""
        return parameters.sort_source != "header"

    def missing(self, parameters: Any) -> str:
        """Also a model where the image is asked."""
        wrong = _CohortTask.missing(self, parameters)
        if wrong or not self.asksModel(parameters):
            return wrong
        if not isChosen(parameters):
            return _("Choose a model above, or sort by what the headers say (source: header).")
        return self.networks.missing(parameters)

    def deliver(self, results: Sequence[CohortResult], parameters: Any) -> str:
        """Put the tables into the scene."""
        folder = Path(parameters.cohortFolder).name
        self.keep(parameters, deliverCohort(results[0], folder, self.old(parameters)))
        return cohortText(results[0], self.networks.notes(parameters.model))

    def show(self, parameters: Any) -> None:
        """Choose the domains for the view that shows tables."""
        showNumbers(parameters.cohortTable)


class IAPCompleteTask(_ModelTask):
    """Writes sidecars for the series of a folder, in which what the headers lack stands as predicted."""

    jobKey = "iap.complete"
    section = "complete"
    viewParameters: ClassVar = ("completeFolder",)
    nodeParameters: ClassVar = {"completeFolder": str}

    @property
    def buttonText(self) -> str:
        """Beside Apply."""
        return _("Complete")

    def missing(self, parameters: Any) -> str:
        """Also a model, and a place for the files."""
        wrong = _CohortTask.missing(self, parameters)
        if wrong:
            return wrong
        if not isChosen(parameters):
            return _("Choose a model above: it tells what the headers lack.")
        if not parameters.completeFolder:
            return _("Choose a folder to write to.")
        return self.networks.missing(parameters)

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:
        """Also the folder to write to must be there."""
        existingFolder(parameters.completeFolder)
        return _ModelTask.collect(self, parameters, frame)

    def deliver(self, results: Sequence[CohortResult], parameters: Any) -> str:
        """Write the sidecars into a new folder."""
        name = plainName(Path(parameters.cohortFolder).name)
        place = freeFolder(existingFolder(parameters.completeFolder), f"{name}-completed")
        told = self.networks.notes(parameters.model)
        notes = [note for note in results[0].provenance.notes if note not in told]
        if not len(results[0].written):
            return " ".join((_("Nothing was to be filled in."), *notes))
        results[0].save(place)
        text = _("{count} sidecars written to {place}.").format(count=len(results[0].written), place=place)
        return " ".join((text, *notes))


def freeFolder(parent: Path, name: str) -> Path:
    """A folder that does not exist yet: of this name, or with a number behind it."""
    names = (name if n == 1 else f"{name}-{n}" for n in count(1))
    return next(parent / one for one in names if not (parent / one).exists())
