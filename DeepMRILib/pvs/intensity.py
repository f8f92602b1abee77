"""Brightness as the networks expect it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.engine import Modality, Problem
from DeepMRILib.pvs.options import IntensityRule

_HEADROOM = {"shivai_1.3": 1.3, "p99_to_1": 1.0}
"""Multiples of the 99th percentile at which brightness is cut, and which become 1."""


def prepared(problem: Problem, modality: Modality, rule: IntensityRule) -> NDArray:
    """An image of the box (160, 214, 176) as float32 from 0 to 1.

    Values below 0 become 0. The rest is divided by the 99th percentile p of all voxels of the brain (zeros too), cut
    at 1.3 p and divided by 1.3 (``shivai_1.3``: p becomes 0.769), or cut at p (``p99_to_1``: p becomes 1). A T2 in
    which the spaces are looked for is then inverted, 1 - x, inside the brain only, so that they are dark as in a T1.

    Args:
        problem: the brain.
        modality: which of its images.
        rule: where the 99th percentile goes.

    Raises:
        InputError: the 99th percentile is 0: there is nothing to see inside the brain.
    """
    values = np.maximum(problem.images[modality], 0, dtype=np.float32)
    p99 = float(np.percentile(values[problem.brain], 99)) if problem.brain.any() else 0.0
    if p99 <= 0:
        raise InputError(
            f"The {modality.upper()} is 0 nearly everywhere inside the brain (its 99th percentile is 0). Check that "
            "the image belongs to the brain mask, or to the parcellation."
        )
    headroom = _HEADROOM[rule]
    values /= np.float32(p99)
    np.clip(values, 0, headroom, out=values)
    values /= np.float32(headroom)
    if modality == "t2" and problem.main == "t2":
        values[problem.brain] = 1 - values[problem.brain]
    return values
