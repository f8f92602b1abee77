"""Where one action of the user ends and the next begins, and what was there before each."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from slicer.util import VTKObservationMixin

from DeepMRILib.mrml.interactive_history import History, PointsState, Step, placedCount, placesOf, pointsState


class UserActions(VTKObservationMixin):
    """One step to be taken back for each point that is placed, dragged or deleted, however many events it sends."""

    def __init__(self) -> None:
        VTKObservationMixin.__init__(self)
        self._history = History()
        self._points: dict[Any, PointsState] = {}
        self._isOpen = False
        self._isHeld = False

    def __len__(self) -> int:
        return len(self._history)

    def watch(self, nodes: Iterable[Any]) -> None:
        """Hear when the mouse takes a point of these lists and lets it go."""
        self.removeObservers()
        for node in nodes:
            self.addObserver(node, node.PointStartInteractionEvent, self._onTaken)
            self.addObserver(node, node.PointEndInteractionEvent, self._onLetGo)

    def begin(self, nodes: Iterable[Any]) -> None:
        """Forget what was; the points as they are now are where the next action starts."""
        self._history.clear()
        self._points = statesOf(nodes)
        self._isOpen = self._isHeld = False

    def note(self, nodes: Iterable[Any], segmentation: Any, segmentIds: Collection[str], note: Any) -> bool:
        """Look whether points have changed; of a new action, keep what was there before it.

        Args:
            segmentation, segmentIds: where the segments are; they still are what they were before the change.
            note: kept with the step.
        """
        now = statesOf(nodes)
        if _places(now) == _places(self._points):
            self._points = now
            return False
        counts = [[placedCount(state) for state in states.values()] for states in (now, self._points)]
        if not self._isOpen or counts[0] != counts[1]:
            self._history.push(self._points, segmentation, segmentIds, note)
        # a point that was placed or deleted is all there is to that action
        self._isOpen = counts[0] == counts[1]
        self._points = now
        return True

    def rest(self) -> None:
        """Nothing has moved for a while: the action is over, unless the mouse still holds the point."""
        self._isOpen = self._isHeld

    def undo(self, nodes: Iterable[Any], segmentation: Any, segmentIds: Collection[str]) -> tuple[Step, list[str]]:
        """Take the last action back; see ``History.undo``."""
        found = self._history.undo(segmentation, segmentIds)
        self._points = statesOf(nodes)
        self._isOpen = False
        return found

    def _onTaken(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        self._isOpen, self._isHeld = False, True

    def _onLetGo(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        self._isHeld = False


def _places(states: dict[Any, PointsState]) -> dict[Any, Any]:
    return {node: placesOf(state) for node, state in states.items()}


def statesOf(nodes: Iterable[Any]) -> dict[Any, PointsState]:
    """Of each point list its points as they are now."""
    return {node: pointsState(node) for node in nodes}
