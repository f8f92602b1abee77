"""The numbers by which the quality of a prepared brain is judged."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.engine import Modality, Problem
from DeepMRILib.pvs.registration import Rigid
from DeepMRILib.volume import Volume

Verdict = Literal["good", "look", "bad", ""]
_NAMES = {"t1": "T1", "flair": "FLAIR", "t2": "T2"}


def row(check: str, value: float, unit: str, verdict: Verdict, meaning: str) -> dict[str, Any]:
    """One row of the table of quality control."""
    return {"check": check, "value": float(value), "unit": unit, "verdict": verdict, "meaning": meaning}


def rows(problem: Problem, native: Volume, brain: NDArray, given: bool, moved: Rigid | None) -> list[dict[str, Any]]:
    """All rows about a brain that is ready for the engines.

    Args:
        problem: the box.
        native: the main image.
        brain: bool, the mask on its grid.
        given: whether the user gave the mask.
        moved: how the FLAIR was registered.
    """
    found = [
        _voxel(native),
        _volume(brain.sum() * native.voxel_volume / 1000.0, given),
        _outside(problem, native, brain),
    ]
    found += [_peak(problem, name) for name in problem.images]
    if moved is not None:
        found += _registration(moved)
    return found


def _voxel(native: Volume) -> dict[str, Any]:
    largest = max(native.spacing)
    verdict: Verdict = "good" if largest <= 1.2 else "look" if largest <= 2.0 else "bad"
    return row("voxel size", largest, "mm", verdict, "The longest edge of a voxel; spaces are about 1 mm thick.")


def _volume(volume: float, given: bool) -> dict[str, Any]:
    verdict: Verdict = "good" if 900 <= volume <= 2000 else "look" if 600 <= volume <= 2400 else "bad"
    source = "the mask that was given" if given else "an approximate mask made from the image: look at it"
    return row("brain volume", volume, "ml", verdict, f"Volume of {source}; adults have about 900 to 2000 ml.")


def _outside(problem: Problem, native: Volume, brain: NDArray) -> dict[str, Any]:
    whole = float(brain.sum()) * native.voxel_volume
    cut = max(0.0, 100.0 * (1.0 - float(problem.brain.sum()) / whole)) if whole else 100.0
    verdict: Verdict = "good" if cut < 1.0 else "look" if cut < 5.0 else "bad"
    return row("brain outside the box", cut, "%", verdict, "Share of the brain that the box cuts off: not looked at.")


def _peak(problem: Problem, name: Modality) -> dict[str, Any]:
    from DeepMRILib.pvs.intensity import prepared

    values = prepared(problem, name, "shivai_1.3")[problem.brain]
    counts, edges = np.histogram(values, bins=100, range=(0.02, 1.0))
    peak = float(edges[np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 1.5))] + 0.0049)
    verdict: Verdict = "good" if 0.25 <= peak <= 0.9 else "look"
    return row(
        f"{_NAMES[name]} peak", peak, "", verdict, "Commonest brightness of the brain, 0.77 being the 99th percentile."
    )


def _registration(moved: Rigid) -> list[dict[str, Any]]:
    turned: Verdict = "good" if moved.rotation < 15 else "look"
    shifted: Verdict = "good" if moved.translation < 20 else "look"
    return [
        row("FLAIR rotation", moved.rotation, "degrees", turned, "By how much the FLAIR was turned onto the T1."),
        row("FLAIR translation", moved.translation, "mm", shifted, "By how much the FLAIR's brain was moved."),
    ]
