"""Follows nodes as they change: many events, one call soon after."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from slicer.util import VTKObservationMixin

from DeepMRILib.panel.timers import onceAfter

WAIT_MS = 30
"""A dragged point sends an event for each move of the mouse, up to 1000 a second; 30 pictures a second look smooth."""


class Follower(VTKObservationMixin):
    """Calls back soon after one of the watched objects has changed, at most once every ``WAIT_MS``.

    Args:
        onChanged: called from Qt's event loop.
    """

    def __init__(self, onChanged: Callable[[], None]) -> None:
        VTKObservationMixin.__init__(self)
        self._watched: list[tuple[Any, Any]] = []
        self._timer = onceAfter(WAIT_MS, onChanged)

    def watch(self, events: Iterable[tuple[Any, Any]]) -> None:
        """Follow these pairs of object and event, and nothing else from now on."""
        wanted = list(events)
        if wanted == self._watched:
            return
        self.removeObservers()
        self._watched = wanted
        for watched, event in wanted:
            self.addObserver(watched, event, self.poke)

    def poke(self, caller: Any = None, event: Any = None) -> None:  # noqa: ARG002
        """Call back soon."""
        if not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Follow nothing any more, and call back no more."""
        self.watch([])
        self._timer.stop()

    def dispose(self) -> None:
        """The panel goes."""
        self.stop()
        self._timer.deleteLater()
