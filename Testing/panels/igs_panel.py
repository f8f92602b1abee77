"""The KSpaceIGS panel for tests: its widgets, and a search whose result is made without a worker."""

from __future__ import annotations

from typing import Any

import igs_samples as samples
import numpy as np

from DeepMRILib.igs.result import PatternResult


class IGSPanel:
    """The panel with a small oblique image and its labels."""

    def __init__(self, loaded: Any, wait_until: Any) -> None:
        from mrml_samples import AFFINES

        from DeepMRILib.mrml.segments import segmentationFromLabels
        from DeepMRILib.mrml.volumes import nodeFromVolume

        self.loaded, self.widget, self.ui, self.bar = loaded, loaded.widget, loaded.widget.ui, loaded.widget.bar
        self.wait = wait_until
        grid = AFFINES["left-handed oblique"]
        self.volume = samples.image(grid)
        self.image = nodeFromVolume(self.volume, "exam")
        labels = samples.labels(grid)
        self.labels = segmentationFromLabels(labels, labels.names, name="truth", source=self.image)
        self.parameters.inputVolume = self.image

    @property
    def logic(self) -> Any:
        return self.loaded.logic

    @property
    def parameters(self) -> Any:
        return self.logic.getParameterNode()

    @property
    def live(self) -> Any:
        return self.widget.live

    def run(self, result: PatternResult | None = None) -> str:
        """What the section does when the worker has answered."""
        import slicer

        from DeepMRILib.mrml.transaction import transaction
        from DeepMRILib.panel.section import snapshot

        chosen = snapshot(self.parameters)
        with transaction(slicer.mrmlScene):
            text = self.logic.deliver([result or samples.result(self.volume)], chosen)
        self.widget.onDelivered(self.logic)
        for name in (*self.logic.outputNames(), "shownLines"):
            setattr(self.parameters, name, getattr(chosen, name))
        self.logic.show(chosen)
        self.widget.refresh()
        self.settle()
        return text

    def run_with_network(self, network: str) -> None:
        """A search whose pattern is looked at with a network; the search itself is made without."""
        from DeepMRILib.igs.finding_job import find

        inputs = self.logic.collect(self.parameters)
        result = find(inputs["data"], self.logic.options(self.parameters), phase=inputs["phase"])
        self.parameters.model = network
        self.run(result)

    def settle(self) -> None:
        """Let what follows the slider catch up."""
        timers = [self.live._soon._timer, self.live.look._again]
        self.wait(lambda: not any(timer.isActive() for timer in timers), 10, "the slider")

    def slide(self, lines: int) -> None:
        """Move the slider and wait."""
        self.ui.linesSlider.value = lines
        self.settle()

    def press(self, section: int = 0, within_s: float = 120) -> str:
        """Press a section's button, and wait for what it says at the end."""
        bar = self.widget.sections[section].bar
        bar.applyButton.click()
        self.wait(lambda: not self.widget.sections[section].isRunning, within_s, "the job")
        self.settle()
        return bar.statusLabel.text

    def voxels(self, name: str) -> np.ndarray:
        """(i, j, k) of an output."""
        import slicer

        return slicer.util.arrayFromVolume(getattr(self.parameters, name)).transpose()

    def acquired(self) -> np.ndarray:
        """(N,) which lines the picture of k-space shows."""
        return self.voxels("maskVolume").mean(axis=(1, 2))
