"""What a panel must know of one job: which nodes it takes from the scene, and what it gives back to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _

from DeepMRILib.jobs import Job, find_job
from DeepMRILib.panel.machine import machineSettings
from DeepMRILib.panel.parameters import optionsFromParameters


class JobTask:
    """Collects a job's inputs from the scene and delivers its results to it.

    A module's Logic is its first task (``JobLogic``); further ones, such as a training, are named in the Logic's
    ``moreTasks``. A task sets the class attributes and fills in the four methods that raise here.

    Attributes:
        jobKey: the job, e.g. "ivim.fit".
        section: empty for the module's first task. A further task "train" has the section ``trainCollapsibleButton``
            of the .ui file, and its settings are called ``train_<name>`` in the parameter node.
        nodeParameters: name to annotation of the inputs and outputs in the parameter node.
        inputParameters: the job's inputs to the node parameters that they come from.
        viewParameters: those of ``nodeParameters`` that are neither input nor output, only what the panel shows.
    """

    jobKey: str = ""
    section: str = ""
    nodeParameters: Mapping[str, Any] = {}
    inputParameters: Mapping[str, str] = {}
    viewParameters: Collection[str] = ()

    @property
    def job(self) -> Job:
        """The job that runs."""
        return find_job(self.jobKey)

    @property
    def prefix(self) -> str:
        """What stands before the settings' names in the parameter node."""
        return f"{self.section}_" if self.section else ""

    @property
    def buttonText(self) -> str:
        """What the button says that starts the job."""
        return _("Apply")

    def options(self, parameters: Any) -> Any:
        """The job's checked options.

        Raises:
            InputError: a setting is bad.
        """
        return optionsFromParameters(self.job.options_type, parameters, machineSettings(), self.prefix)

    def irrelevant(self, parameters: Any) -> Collection[str]:  # noqa: ARG002 - for modules that have some
        """The settings that make no difference with these choices; the panel hides them."""
        return ()

    def inputNodes(self, parameters: Any) -> list[Any]:
        """The nodes that the job works on."""
        nodes = (getattr(parameters, name) for name in self.inputParameters.values())
        return [node for node in nodes if hasattr(node, "GetID")]

    def outputNames(self) -> list[str]:
        """The node parameters that the job's results go to."""
        others = {*self.inputParameters.values(), *self.viewParameters}
        return [name for name in self.nodeParameters if name not in others]

    def conflict(self, parameters: Any) -> str:
        """Which chosen nodes stand in each other's way, in one sentence; empty when none do."""
        inputs = {node.GetID() for node in self.inputNodes(parameters)}
        taken: set[str] = set()
        for name in self.outputNames():
            node = getattr(parameters, name)
            if not hasattr(node, "GetID"):
                continue
            if node.GetID() in inputs:
                return _("{name} is an input and an output; choose another output.").format(name=node.GetName())
            if node.GetID() in taken:
                return _("{name} is chosen for two outputs; choose another for one.").format(name=node.GetName())
            taken.add(node.GetID())
        return ""

    def packages(self, parameters: Any) -> Sequence[str]:  # noqa: ARG002 - for modules that need some
        """Python packages that these settings need beyond what Slicer has; asked for when the job is started."""
        return ()

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Whether these settings need PyTorch; asked for when the job is started."""
        return False

    def frames(self, parameters: Any) -> list[Any]:  # noqa: ARG002
        """One entry per run of the job: None for the input as it stands, or the frames of its sequence."""
        return [None]

    def preselectFirst(self, parameters: Any, name: str, nodeClass: str) -> None:
        """Choose the scene's first node of a class for a parameter that has none."""
        if getattr(parameters, name) is None:
            setattr(parameters, name, slicer.mrmlScene.GetFirstNodeByClass(nodeClass))

    def preselect(self, parameters: Any) -> None:
        """Choose inputs that are obvious from the scene, where the user has chosen none."""
        raise NotImplementedError

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose, in one sentence; empty when the job can run."""
        raise NotImplementedError

    def collect(self, parameters: Any, frame: Any) -> dict[str, Any]:
        """The job's inputs by name.

        Raises:
            InputError: the nodes do not hold what the job needs.
        """
        raise NotImplementedError

    def show(self, parameters: Any) -> None:
        """Show what was delivered in Slicer's views."""

    def dependsOn(self, parameters: Any) -> list[Any]:
        """The nodes without which a running job's result has no place: the inputs, and what else the module names."""
        return self.inputNodes(parameters)

    def deliver(self, results: Sequence[Any], parameters: Any) -> str:
        """Put the results (one per frame) into the scene, and say in one sentence what there is now."""
        raise NotImplementedError
