"""Segmentation while points are placed and dragged: a coarse answer at once, the full one when the mouse rests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LiveState:
    """What a panel shows of the live segmentation.

    Attributes:
        text: one sentence for the user; empty when there is nothing to say.
        isError: the sentence says what is wrong; the last good segmentation stands.
        isBusy: something is being computed.
        isPreview: what stands in the segment is the coarse answer.
        lastSeconds: from the change to the segment in the scene, of the last full answer; None before the first.
        expectedSeconds: how long the next full answer is likely to take; None when nobody knows.
        canUndo: there is an action to take back.
    """

    text: str = ""
    isError: bool = False
    isBusy: bool = False
    isPreview: bool = False
    lastSeconds: float | None = None
    expectedSeconds: float | None = None
    canUndo: bool = False


class LiveSegmentation:
    """Keeps the segment in step with the points.

    Args:
        panel: the module's widget: its ``runner``, ``parameters`` and ``sections`` are used.
        task: the module's Logic (``InteractiveSegTask``).
        onState: called with a ``LiveState`` whenever it changes.
    """

    def __init__(self, panel: Any, task: Any, onState: Callable[[LiveState], None]) -> None:
        self._panel = panel
        self._task = task
        self._onState = onState
        self.state = LiveState()

    def refresh(self, parameters: Any) -> None:
        """Follow what is chosen now; call it from ``updatePanel``. Changed settings start a new run."""

    def undo(self) -> None:
        """Take back the user's last action: points and segments are as they were before it."""

    def deletePoint(self, node: Any, index: int) -> None:
        """Remove one control point of a point list; one action that can be undone."""

    def forget(self) -> None:
        """Another lesion or another scene: nothing to undo any more."""

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere; a live run that is under way is dropped."""

    def dispose(self) -> None:
        """The panel goes."""
