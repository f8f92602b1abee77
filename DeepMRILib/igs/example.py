"""Small inputs on which the jobs that need no PyTorch run in a moment: for tests and for the examples in the docs."""

from __future__ import annotations

import functools
from typing import Any

from DeepMRILib.igs.pattern import Pattern, Rung
from DeepMRILib.igs.sampling import SampleOptions, sample

CASES, SIZE = 8, 48


@functools.cache
def _sample() -> Any:
    return sample(SampleOptions(cases=CASES, size=SIZE, seed=3))


def find_inputs() -> dict[str, Any]:
    """Eight hearts as one image, each slice one of its own, with what is where."""
    made = _sample()
    return {"data": made.image, "labels": made.labels}


def test_inputs() -> dict[str, Any]:
    """A pattern of twelve lines and the images to test it on."""
    return {"pattern": pattern(), **find_inputs()}


def apply_inputs() -> dict[str, Any]:
    """The images with their phase, and the pattern."""
    made = _sample()
    return {"data": made.image, "pattern": pattern(), "phase": made.phase}


def export_inputs() -> dict[str, Any]:
    """The pattern."""
    return {"pattern": pattern()}


def no_inputs() -> dict[str, Any]:
    """Sample data are made from their settings alone."""
    return {}


def pattern() -> Pattern:
    """Twelve lines as a search without a network finds them: mostly the centre, and more on one side."""
    middle = SIZE // 2
    offsets = (0, -1, 1, -2, 2, 3, -3, 4, 5, -4, 6, 8)
    rungs = (Rung(12, 0.031, 0.032, 0.033, (1,), "igs"), Rung(6, 0.052, 0.051, 0.051, (0,), "block"))
    return Pattern(
        (tuple(middle + offset for offset in offsets),),
        (SIZE,),
        (-1,),
        losses=tuple(round(0.12 - 0.008 * step, 3) for step in range(len(offsets))),
        rungs=rungs[::-1],
        about={"loss": "l1", "network": "none"},
    )
