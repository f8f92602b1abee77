"""The base of every module's Logic: what a job needs from the scene, and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from DeepMRILib.jobs import Job, find_job
from DeepMRILib.panel.machine import machineSettings
from DeepMRILib.panel.parameters import optionsFromParameters, parameterNodeClass, resetUnknownChoices


class JobLogic(ScriptedLoadableModuleLogic):
    """Collects a job's inputs from the scene and delivers its results to it.

    A module's Logic sets the class attributes and fills in the four methods that raise here.

    Attributes:
        jobKey: the job, e.g. "ivim.fit".
        nodeParameters: name to annotation of the inputs and outputs in the parameter node.
        inputParameters: the job's inputs to the node parameters that they come from.
    """

    jobKey: str = ""
    nodeParameters: Mapping[str, Any] = {}
    inputParameters: Mapping[str, str] = {}
    _parameterNodeClass: type | None = None
    _parameters: Any = None

    @property
    def job(self) -> Job:
        """The job that Apply runs."""
        return find_job(self.jobKey)

    def getParameterNode(self) -> Any:
        """The module's parameter node, wrapped: inputs, outputs and every setting of the job.

        One wrapper for one node: each keeps values of its own and observes the node, and what is written through a
        second one reaches the widgets of the first too late.
        """
        node = super().getParameterNode()
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = self._wrapperClass()(node)
        resetUnknownChoices(self._parameters, self.job.options_type, self.nodeParameters)
        return self._parameters

    def forgetParameterNode(self) -> None:
        """Wrap the node anew when it is next asked for: a scene was closed or read, and what was kept of it is old."""
        self._parameters = None

    @classmethod
    def _wrapperClass(cls) -> type:
        if cls._parameterNodeClass is None:
            name = cls.__name__.replace("Logic", "ParameterNode")
            cls._parameterNodeClass = parameterNodeClass(name, find_job(cls.jobKey).options_type, cls.nodeParameters)
        return cls._parameterNodeClass

    def options(self, parameters: Any) -> Any:
        """The job's checked options.

        Raises:
            InputError: a setting is bad.
        """
        return optionsFromParameters(self.job.options_type, parameters, machineSettings())

    def inputNodes(self, parameters: Any) -> list[Any]:
        """The nodes that the job works on."""
        nodes = (getattr(parameters, name) for name in self.inputParameters.values())
        return [node for node in nodes if node is not None]

    def conflict(self, parameters: Any) -> str:
        """Which chosen nodes stand in each other's way, in one sentence; empty when none do."""
        inputs = {node.GetID() for node in self.inputNodes(parameters)}
        taken: set[str] = set()
        for name in set(self.nodeParameters) - set(self.inputParameters.values()):
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
        """Python packages that these settings need beyond what Slicer has; asked for when Apply is pressed."""
        return ()

    def needsTorch(self, parameters: Any) -> bool:  # noqa: ARG002
        """Whether these settings need PyTorch; asked for when Apply is pressed."""
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
        """What the user still has to choose, in one sentence; empty when Apply can run."""
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
