"""Small inputs that the jobs run on in a moment: for tests, docs and a first try."""

from __future__ import annotations

import functools
from typing import Any

from DeepMRILib.interactive.phantom import LesionPhantom, lesion_phantom
from DeepMRILib.interactive.synthetic import synthetic_negative_points


def segment_inputs() -> dict[str, Any]:
    """A lesion on an oblique left-handed grid, its six points and a negative one."""
    made = _lesion()
    return {
        "volume": made.image,
        "points_ras": next(iter(made.points.values())),
        "negative_points": synthetic_negative_points(made.label, distance=6.0),
    }


def points_inputs() -> dict[str, Any]:
    """The true segmentation of that lesion."""
    return {"mask": _lesion().label}


def no_inputs() -> dict[str, Any]:
    """A phantom is made from its settings alone."""
    return {}


@functools.cache
def _lesion() -> LesionPhantom:
    return lesion_phantom("homog", size=(40, 40, 20), spacing=(1.5, 1.5, 3.0), grid="oblique left-handed", volume=12.0)
