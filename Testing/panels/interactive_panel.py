"""The InteractiveSeg panel as its tests drive it: clicks in views, the buttons, and what a user reads."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from DeepMRILib.interactive.phantom import LesionPhantom, lesion_phantom

LESION, SECOND = "lesion", "second lesion"


@functools.cache
def phantom() -> LesionPhantom:
    """Two lesions that touch, small enough for a test."""
    return lesion_phantom("homog", 0, size=(48, 48, 24), spacing=(1.5, 1.5, 3.0), volume=12.0, lesions=2)


def outside_ball() -> np.ndarray:
    """(3,) RAS mm: far from both lesions, in the image."""
    assert phantom().label.array[2, 2, 2] == 0
    return phantom().label.ras_from_voxel([2, 2, 2])[0]


class InteractivePanel:
    """The panel on the phantom."""

    def __init__(self, loaded: Any, wait_until: Any) -> None:
        from DeepMRILib.mrml.volumes import nodeFromVolume

        self.loaded, self.widget, self.ui, self.bar = loaded, loaded.widget, loaded.widget.ui, loaded.widget.bar
        self.wait = wait_until
        self.image = nodeFromVolume(phantom().image, "exam")
        self.parameters.inputVolume = self.image

    @property
    def parameters(self) -> Any:
        return self.loaded.logic.getParameterNode()

    @property
    def live(self) -> Any:
        return self.widget.live

    def click(self, position: Sequence[float]) -> Any:
        """A click of the user into a view while a place button is pressed; returns the list that got the point."""
        import slicer
        import vtk

        scene = slicer.mrmlScene
        interaction = scene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode")
        assert interaction.GetCurrentInteractionMode() == interaction.Place, "clicks do not place points now"
        active = scene.GetSingletonNode("Singleton", "vtkMRMLSelectionNode").GetActivePlaceNodeID()
        node = scene.GetNodeByID(active)
        node.AddControlPointWorld(vtk.vtkVector3d(*(float(x) for x in position)))
        self.settle()
        return node

    def place(self, positions: np.ndarray) -> Any:
        """Press Place points and click."""
        if not self.ui.placeButton.checked:
            self.ui.placeButton.click()
        for position in positions:
            node = self.click(position)
        return node

    def settle(self) -> None:
        """Let what follows the points catch up."""
        timer = self.widget.points._follower._timer
        self.wait(lambda: not timer.isActive(), 5, "the panel")

    def done(self, within_s: float = 30) -> None:
        """Wait for the full answer."""
        self.settle()
        self.wait(lambda: self._rests() and not self.live.state.isPreview, within_s, "the full segmentation")

    def _rests(self) -> bool:
        live = self.live
        return not (live.state.isBusy or live._rest.isActive() or live._follower._timer.isActive() or live._wanted)

    def six(self, label: str = LESION) -> None:
        """Six clicks in some order, and the segmentation."""
        self.place(phantom().points[label][[3, 0, 5, 1, 4, 2]])
        self.done()

    def slots(self) -> list[str]:
        """What the slots say."""
        return [cell.slot.text for cell in self.widget.points.grid.cells if not cell.widget.isHidden()]

    def cell(self, name: str) -> Any:
        return next(cell for cell in self.widget.points.grid.cells if cell.slot.name == name)

    def placed(self) -> list[str]:
        """The names of the slots with a point."""
        return [cell.slot.name for cell in self.widget.points.grid.cells if cell.jumpButton.enabled]

    def mask(self, segment: str = "") -> np.ndarray:
        """(i, j, k) bool: a segment on the image."""
        from DeepMRILib.mrml.segments import maskFromSegment

        chosen = segment or self.parameters.segment
        return maskFromSegment(self.parameters.segmentation, chosen, self.image).array > 0

    def dice(self, number: int = 1) -> float:
        """How well the chosen segment agrees with a lesion of the phantom."""
        found, known = self.mask(), phantom().label.array == number
        return float(2 * np.sum(found & known) / (found.sum() + known.sum()))

    def segments(self) -> list[str]:
        """The names of the segments."""
        node = self.parameters.segmentation
        if node is None:
            return []
        ids = node.GetSegmentation().GetSegmentIDs()
        return [node.GetSegmentation().GetSegment(one).GetName() for one in ids]
