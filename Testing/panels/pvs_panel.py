"""The PVSSegment panel for tests: its widgets, and a run whose result is made without any engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pvs_samples as samples

from DeepMRILib.pvs.options import RelabelOptions


class PVSPanel:
    """The panel with a small T1."""

    def __init__(self, loaded: Any, wait_until: Any) -> None:
        from DeepMRILib.mrml.volumes import nodeFromVolume

        self.loaded, self.widget, self.ui, self.bar = loaded, loaded.widget, loaded.widget.ui, loaded.widget.bar
        self.wait = wait_until
        self.t1 = nodeFromVolume(samples.image(), "exam T1")
        self.parameters.t1Volume = self.t1

    @property
    def logic(self) -> Any:
        return self.loaded.logic

    @property
    def parameters(self) -> Any:
        return self.logic.getParameterNode()

    @property
    def labelling(self) -> Any:
        return self.widget.labelling

    def run(self, options: RelabelOptions | None = None) -> str:
        """What the section does when the worker has answered."""
        import slicer

        from DeepMRILib.mrml.transaction import transaction
        from DeepMRILib.panel.section import snapshot

        options = options or RelabelOptions(*(getattr(self.parameters, name) for name in vars(RelabelOptions())))
        chosen = snapshot(self.parameters)
        with transaction(slicer.mrmlScene):
            text = self.logic.deliver([samples.result(options)], chosen)
        self.widget.onDelivered(self.logic)
        for name in self.logic.outputNames():
            setattr(self.parameters, name, getattr(chosen, name))
        self.logic.show(chosen)
        self.widget.refresh()
        self.settle()
        return text

    def settle(self) -> None:
        """Let what follows the sliders catch up."""
        timers = [self.labelling._soon._timer, self.labelling._rest, self.labelling._warm]
        timers.append(self.widget.clusters._follower._timer)
        self.wait(lambda: not any(timer.isActive() for timer in timers), 10, "the sliders")

    def slide(self, value: float, slider: str = "thresholdSlider") -> None:
        """Move a slider and wait."""
        getattr(self.ui, slider).value = value
        self.settle()

    def voxels(self) -> int:
        """How many the segment has."""
        from DeepMRILib.mrml.pvs_record import recordOf
        from DeepMRILib.mrml.segment_voxels import segmentNumbers
        from DeepMRILib.volume import Volume

        node = self.parameters.segmentation
        grid = Volume(np.zeros(samples.SHAPE, np.uint8), samples.OBLIQUE)
        return int((segmentNumbers(node, {recordOf(node).segment: 1}, self.t1, grid) > 0).sum())

    def rows(self) -> list[list[str]]:
        """The list of clusters."""
        table = self.ui.clusterTable
        return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]

    def column(self, table: str, name: str) -> list[Any]:
        """A column of a result's table."""
        values = getattr(self.parameters, table).GetTable().GetColumnByName(name)
        return [values.GetValue(n) for n in range(values.GetNumberOfValues())]
