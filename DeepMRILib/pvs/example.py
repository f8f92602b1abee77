"""Small inputs that the jobs run on in a moment: for tests, docs and a first try."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from DeepMRILib.pvs.phantom import PhantomResult, phantom
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.volume import LabelVolume, Volume

SPACING = (2.4, 2.4, 2.4)
"""Of the examples: coarse, so that they are made in a second."""


def segment_inputs() -> dict[str, Any]:
    """The T1 of a generated head on an oblique grid, its brain and its parcellation."""
    made = _made()
    return {"t1": made.images["t1"], "brain_mask": made.brain, "parcellation": made.parcellation}


def phantom_inputs() -> dict[str, Any]:
    """The same T1, as an image that tubes are put into."""
    made = _made()
    return {"volume": made.images["t1"], "brain_mask": made.brain, "parcellation": made.parcellation}


def evaluate_inputs() -> dict[str, Any]:
    """What an imperfect method would find of the tubes (a probability), their truth, and the brain."""
    made = _made()
    noise = 0.25 * np.random.default_rng(3).random(made.fraction.shape)
    found = np.where(made.brain.array > 0, np.clip(1.6 * made.fraction.array + noise, 0, 1), 0)
    return {
        "found": made.fraction.like(found.astype(np.float32)),
        "reference": made.truth,
        "brain_mask": Volume(made.brain.array, made.brain.affine),
        "regions": _regions(made),
    }


def no_inputs() -> dict[str, Any]:
    """A phantom can be made from its settings alone."""
    return {}


def _regions(made: PhantomResult) -> LabelVolume:
    """The left and the right half of the brain."""
    labels = made.parcellation
    right = [number for number, name in labels.names.items() if name.startswith("Right")]
    left = [number for number, name in labels.names.items() if name.startswith("Left")]
    halves = np.isin(labels.array, left) + 2 * np.isin(labels.array, right)
    return LabelVolume(halves.astype(np.uint8), labels.affine, {1: "Left", 2: "Right"})


@functools.cache
def _made() -> PhantomResult:
    return phantom(options=PhantomOptions(tubes=40, diameter=2.0, spacing=SPACING, oblique=True))
