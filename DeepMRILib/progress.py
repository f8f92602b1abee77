"""How a job reports that it advances, and how it learns that the user wants it to stop."""

from __future__ import annotations

from collections.abc import Callable

from DeepMRILib.errors import Cancelled

Progress = Callable[[float, str], None]
"""``progress(fraction, message)``: fraction from 0 to 1; raises ``Cancelled`` when the user has asked to stop."""

__all__ = ["Cancelled", "Progress", "part", "silent"]


def silent(fraction: float, message: str) -> None:
    """Report to nobody."""


def part(progress: Progress | None, start: float, stop: float) -> Progress:
    """A progress whose 0 to 1 is ``start`` to ``stop`` of another: for a job made of steps."""
    if progress is None:
        return silent
    return lambda fraction, message: progress(start + (stop - start) * fraction, message)
