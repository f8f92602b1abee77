"""The points of the InteractiveSeg panel: placing them, their six named slots, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _

from DeepMRILib.interactive.points import FEWEST
from DeepMRILib.mrml.points import pointEvents
from DeepMRILib.panel.check_list import CheckEntry, CheckList
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.interactive_grid import PointGrid
from DeepMRILib.panel.interactive_hints import Slot, Told, tell
from DeepMRILib.panel.interactive_lesions import Lesions, newNegativePoints, newPoints, otherLesions
from DeepMRILib.panel.interactive_live import LiveSegmentation
from DeepMRILib.panel.views import jumpToPoint


class PointsSection:
    """Connects the section's widgets, the point lists and the live segmentation.

    Args:
        panel: the panel; its ``ui`` holds the section's widgets and its ``parameters`` what is chosen.
        lesions: which points belong to which segment.
        live: deletes points, and takes back what was done.

    Attributes:
        told: what is said of the points now.
    """

    def __init__(self, panel: Any, lesions: Lesions, live: LiveSegmentation) -> None:
        self._panel, self._lesions, self._live = panel, lesions, live
        self._ui = ui = panel.ui
        self.grid = PointGrid(ui.pointsWidget.layout(), self.onJump, self.onRemove)
        self._others = CheckList(ui.otherPointsList, lambda nodes: setattr(panel.parameters, "otherPoints", nodes))
        self._follower = Follower(self.update)
        self._inside = _Placing(ui.placeButton, ui.placeWidget, self._pointsToPlace)
        self._outside = _Placing(ui.placeNegativeButton, ui.placeNegativeWidget, self._negativeToPlace)
        self._inside.rival, self._outside.rival = self._outside, self._inside
        self._endAtSix = False
        self.told = Told()
        ui.undoButton.connect("clicked(bool)", lambda _checked=False: live.undo())
        ui.newLesionButton.connect("clicked(bool)", lambda _checked=False: self.onNewLesion())

    def refresh(self, parameters: Any) -> None:
        """Follow what is chosen now."""
        ready = parameters.inputVolume is not None
        for placing, node in ((self._inside, parameters.points), (self._outside, parameters.negativePoints)):
            placing.refresh(node, ready)
        self._ui.newLesionButton.setEnabled(ready and parameters.points is not None)
        self._follower.watch(_events(parameters))
        self._follower.poke()

    def update(self) -> None:
        """Look at the points again: the slots, the hints, and the names in the views."""
        parameters = self._panel.parameters
        told = tell(parameters)
        self.grid.update(told.slots)
        if self._ui.hintsLabel.text != told.text:
            self._ui.hintsLabel.setText(told.text)
        self._ui.hintsLabel.setVisible(bool(told.text))
        self._showOthers(parameters)
        _name(told.slots)
        before, self.told = self.told, told
        if told.essence != before.essence:
            self._panel.refresh()  # what Apply still needs hangs on the points, too
        # Six are there: the mouse is free to drag them, until the button is pressed for a further one.
        if parameters.points is None or parameters.points.GetNumberOfDefinedControlPoints() < FEWEST:
            self._endAtSix = self._inside.isPlacing()
        elif self._endAtSix:
            self._endAtSix = False
            self._inside.stop()

    def onNewLesion(self) -> None:
        """A new lesion, whose points the next clicks place."""
        self._lesions.begin(self._panel.parameters)
        self._inside.start()

    def onJump(self, slot: Slot) -> None:
        """Show a point in the slices."""
        if slot.node is not None:
            jumpToPoint(slot.node, slot.index)

    def onRemove(self, slot: Slot) -> None:
        """Remove a point."""
        if slot.node is not None:
            self._live.deletePoint(slot.node, slot.index)

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere, and place nothing there."""
        self._follower.stop()
        self._inside.release()
        self._outside.release()

    def dispose(self) -> None:
        """The panel goes."""
        self._follower.dispose()

    def _pointsToPlace(self) -> Any:
        parameters = self._panel.parameters
        self._live.prepare()
        if parameters.points is None:
            parameters.points = newPoints(parameters.inputVolume)
        return parameters.points

    def _negativeToPlace(self) -> Any:
        parameters = self._panel.parameters
        if parameters.negativePoints is None:
            parameters.negativePoints = newNegativePoints(parameters.points, parameters.inputVolume)
        return parameters.negativePoints

    def _showOthers(self, parameters: Any) -> None:
        candidates = otherLesions(parameters.points, FEWEST)
        self._others.update([CheckEntry(node, node.GetName()) for node in candidates], list(parameters.otherPoints))
        for widget in (self._ui.otherPointsList, self._ui.otherPointsListLabel):
            widget.setVisible(bool(candidates))


class _Placing:
    """A button that lets clicks in the views place points, until it is pressed again.

    Args:
        button: the panel's; it stays pressed while clicks place points.
        placeWidget: Slicer's, which knows the views' mode; its own buttons are hidden.
        node: gives the list that gets the points, made when there is none.

    Attributes:
        rival: the other such button: a click places one kind of point.
    """

    def __init__(self, button: Any, placeWidget: Any, node: Callable[[], Any]) -> None:
        self._button, self._placeWidget, self._node = button, placeWidget, node
        self._text = button.text
        self.rival: _Placing | None = None
        placeWidget.placeMultipleMarkups = slicer.qSlicerMarkupsPlaceWidget.ForcePlaceMultipleMarkups
        placeWidget.connect("activeMarkupsPlaceModeChanged(bool)", self._show)
        button.connect("clicked(bool)", self._onClicked)

    def refresh(self, node: Any, ready: bool) -> None:
        """The list that is chosen now, and whether there is an image to place points in."""
        if self._placeWidget.currentNode() is not node:
            self.stop()
            self._placeWidget.setCurrentNode(node)
        self._button.setEnabled(ready)

    def isPlacing(self) -> bool:
        """Whether clicks in the views place points of this list."""
        return self._placeWidget.placeModeEnabled

    def start(self) -> None:
        """Let clicks place points."""
        if self.rival is not None:
            self.rival.stop()
        self._placeWidget.setCurrentNode(self._node())
        self._placeWidget.setPlaceModeEnabled(True)
        self._show(self.isPlacing())

    def stop(self) -> None:
        """Let clicks do what they usually do."""
        if self.isPlacing():
            self._placeWidget.setPlaceModeEnabled(False)
        self._show(False)

    def release(self) -> None:
        """Let go of the list, too."""
        self.stop()
        self._placeWidget.setCurrentNode(None)

    def _onClicked(self, checked: bool) -> None:
        if checked:
            self.start()
        else:
            self.stop()

    def _show(self, active: bool) -> None:
        self._button.setChecked(active)
        self._button.setText(_("Stop placing") if active else self._text)


class Shortcuts:
    """Keys that press buttons while the user is in the module.

    Args:
        keys: the buttons by their keys, as "Ctrl+Z".
    """

    def __init__(self, keys: dict[str, Any]) -> None:
        self._keys = keys
        self._shortcuts: list[Any] = []

    def install(self, window: Any) -> None:
        """The user comes to the module."""
        if window is None or self._shortcuts:
            return
        for key, button in self._keys.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), window)
            shortcut.connect("activated()", button.click)
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """The user goes: the keys are free."""
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts = []


def _name(slots: Sequence[Slot]) -> None:
    """Write beside the points in the views which side they mark."""
    for slot in slots:
        if slot.node is not None and slot.node.GetNthControlPointLabel(slot.index) != slot.mark:
            slot.node.SetNthControlPointLabel(slot.index, slot.mark)


def _events(parameters: Any) -> list[tuple[Any, Any]]:
    """What changes the slots: the points, and where the image is."""
    volume = parameters.inputVolume
    if volume is None:
        return []
    changes = (vtk.vtkCommand.ModifiedEvent, volume.TransformModifiedEvent, volume.ImageDataModifiedEvent)
    lists = dict.fromkeys(node for node in (parameters.points, parameters.negativePoints) if node is not None)
    return [(volume, change) for change in changes] + [event for node in lists for event in pointEvents(node)]
