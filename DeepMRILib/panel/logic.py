"""The base of every module's Logic: its first task, and the parameter node that all its tasks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from DeepMRILib.panel.parameters import parameterNodeClass, resetUnknownChoices
from DeepMRILib.panel.task import JobTask


class JobLogic(JobTask, ScriptedLoadableModuleLogic):
    """A module's Logic: the task that Apply runs.

    Attributes:
        moreTasks: the classes of the module's other tasks, each with a section of its own in the panel.
        tasks: all tasks, this one first.
    """

    moreTasks: Sequence[type[JobTask]] = ()
    _parameterNodeClass: type | None = None
    _parameters: Any = None

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self.tasks: list[JobTask] = [self, *(task() for task in self.moreTasks)]

    def getParameterNode(self) -> Any:
        """The module's parameter node, wrapped: inputs, outputs and every setting of the jobs.

        One wrapper for one node: each keeps values of its own and observes the node, and what is written through a
        second one reaches the widgets of the first too late.
        """
        node = super().getParameterNode()
        if self._parameters is None or self._parameters.parameterNode is not node:
            self._parameters = self._wrapperClass()(node)
        resetUnknownChoices(self._parameters, self._optionsTypes(), self._allNodeParameters())
        return self._parameters

    def forgetParameterNode(self) -> None:
        """Wrap the node anew when it is next asked for: a scene was closed or read, and what was kept of it is old."""
        self._parameters = None

    def _wrapperClass(self) -> type:
        cls = type(self)
        if cls._parameterNodeClass is None:
            name = cls.__name__.replace("Logic", "ParameterNode")
            cls._parameterNodeClass = parameterNodeClass(name, self._optionsTypes(), self._allNodeParameters())
        return cls._parameterNodeClass

    def _optionsTypes(self) -> dict[str, type]:
        return {task.prefix: task.job.options_type for task in self.tasks}

    def _allNodeParameters(self) -> Mapping[str, Any]:
        return {name: annotation for task in self.tasks for name, annotation in task.nodeParameters.items()}
