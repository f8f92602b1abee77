"""The IAPPredict panel for tests: its widgets, and runs whose results are made without a worker."""

from __future__ import annotations

from typing import Any

import iap_samples as samples

from DeepMRILib.iap.result import IAPResult


class IAPPanel:
    """The panel with a small image whose header is kept with it."""

    def __init__(self, loaded: Any, wait_until: Any) -> None:
        from DeepMRILib.mrml.iap_headers import HEADER_ATTRIBUTE
        from DeepMRILib.mrml.volumes import nodeFromVolume

        self.loaded, self.widget, self.ui, self.bar = loaded, loaded.widget, loaded.widget.ui, loaded.widget.bar
        self.wait = wait_until
        self.image = nodeFromVolume(samples.volume(), "exam")
        self.image.SetAttribute(HEADER_ATTRIBUTE, '{"values": {"echo_time": 90, "sequence": "SE"}}')
        self.parameters.inputVolume = self.image

    @property
    def logic(self) -> Any:
        return self.loaded.logic

    @property
    def parameters(self) -> Any:
        return self.logic.getParameterNode()

    def press(self, section: str = "", within_s: float = 120) -> str:
        """Press a section's button, and wait for what it says at the end."""
        found = self.section(section)
        assert found.bar.applyButton.enabled, found.bar.applyButton.toolTip
        found.bar.applyButton.click()
        self.wait(lambda: not found.isRunning, within_s, "the job")
        self.settle()
        return found.bar.statusLabel.text

    def section(self, name: str) -> Any:
        """A section by its task's name."""
        return next(one for one in self.widget.sections if one.task.section == name)

    def run(self, result: IAPResult | None = None, section: str = "") -> str:
        """What a section does when the worker has answered."""
        import slicer

        from DeepMRILib.mrml.transaction import transaction
        from DeepMRILib.panel.section import snapshot

        task, chosen = self.section(section).task, snapshot(self.parameters)
        before = dict(vars(chosen))
        with transaction(slicer.mrmlScene):
            text = task.deliver([result or samples.result()], chosen)
        self.widget.onDelivered(task)
        for name, value in vars(chosen).items():
            if value is not before[name]:
                setattr(self.parameters, name, value)
        task.show(chosen)
        self.widget.refresh()
        self.settle()
        return text

    def settle(self) -> None:
        """Let what follows tables catch up."""
        timer = self.widget.list._follower._timer
        self.wait(lambda: not timer.isActive(), 10, "the list")

    def rows(self) -> list[list[str]]:
        """What the list of parameters shows."""
        table = self.ui.parameterList
        return [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount)]

    def choose(self, label: str) -> None:
        """Click on a row."""
        labels = [row[0] for row in self.rows()]
        self.ui.parameterList.setCurrentCell(labels.index(label), 0)
        self.settle()

    def verdict(self, label: str) -> Any:
        """The cell with a row's verdict."""
        labels = [row[0] for row in self.rows()]
        return self.ui.parameterList.item(labels.index(label), 4)
