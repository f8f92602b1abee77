"""Timers of Qt that ring once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt


def onceAfter(milliseconds: int, onTimeout: Callable[[], None]) -> Any:
    """A timer that calls back so long after each start; it is not started yet."""
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.connect("timeout()", onTimeout)
    return timer
