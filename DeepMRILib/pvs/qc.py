"""The numbers by which the quality of a prepared brain is judged."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.pvs.brainmask_tissue import class_means
from DeepMRILib.pvs.engine import Modality, Problem
from DeepMRILib.pvs.intensity import prepared
from DeepMRILib.pvs.registration import LEAST_FIT, Rigid
from DeepMRILib.volume import Volume

Verdict = Literal["good", "look", "bad", ""]
MaskSource = Literal["given", "parcellation", "image"]
_SOURCES: dict[MaskSource, str] = {
    "given": "the mask that was given",
    "parcellation": "what the parcellation covers",
    "image": "an approximate mask made from the image: look at it",
}
_NAMES = {"t1": "T1", "flair": "FLAIR", "t2": "T2"}


def row(check: str, value: float, unit: str, verdict: Verdict, meaning: str) -> dict[str, Any]:
    """One row of the table of quality control."""
    return {"check": check, "value": float(value), "unit": unit, "verdict": verdict, "meaning": meaning}


def rows(
    problem: Problem, native: Volume, brain: NDArray, *, given: bool, moved: Rigid | None, fit: float | None
) -> list[dict[str, Any]]:
    """All rows about a brain that is ready for the engines.

    Args:
        problem: the box.
        native: the main image.
        brain: bool, the mask on its grid.
        given: whether the user gave the mask.
        moved: how the FLAIR was registered, None where it was not.
        fit: how well its edges lie on those of the T1, None without a FLAIR.
    """
    volume = float(brain.sum()) * native.voxel_volume / 1000.0
    found = [_voxel(native), _volume(volume, mask_source(problem, given=given)), _outside(problem, volume)]
    found += [_peak(problem, name) for name in problem.images]
    found += _contrast(problem)
    if moved is not None:
        found += _registration(moved)
    if fit is not None:
        verdict: Verdict = "good" if fit >= 2 * LEAST_FIT else "look"
        meaning = "How well the edges of FLAIR and T1 lie on each other: 0 by chance, 1 exactly."
        found.append(row("FLAIR fit", fit, "", verdict, meaning))
    return found


def _voxel(native: Volume) -> dict[str, Any]:
    largest = max(native.spacing)
    verdict: Verdict = "good" if largest <= 1.2 else "look" if largest <= 2.0 else "bad"
    return row("voxel size", largest, "mm", verdict, "The longest edge of a voxel; spaces are about 1 mm thick.")


def mask_source(problem: Problem, *, given: bool) -> MaskSource:
    """Where a brain mask is from: the user, the parcellation, or else the image."""
    if given:
        return "given"
    return "image" if problem.labels is None else "parcellation"


def _volume(volume: float, source: MaskSource) -> dict[str, Any]:
    verdict: Verdict = "good" if 900 <= volume <= 2000 else "look" if 600 <= volume <= 2400 else "bad"
    meaning = f"Volume of {_SOURCES[source]}; adults have about 900 to 2000 ml."
    return row("brain volume", volume, "ml", verdict, meaning)


def _outside(problem: Problem, volume: float) -> dict[str, Any]:
    cut = 100.0 * max(0.0, 1.0 - float(problem.brain.sum()) / 1000.0 / volume)
    verdict: Verdict = "good" if cut < 1.0 else "look" if cut < 5.0 else "bad"
    return row("brain outside the box", cut, "%", verdict, "Share of the brain that the box cuts off: not looked at.")


def _peak(problem: Problem, name: Modality) -> dict[str, Any]:
    values = prepared(problem, name, "shivai_1.3")[problem.brain]
    counts, edges = np.histogram(values, bins=100, range=(0.02, 1.0))
    peak = float(edges[np.argmax(ndimage.gaussian_filter1d(counts.astype(float), 1.5))] + 0.0049)
    verdict: Verdict = "good" if 0.25 <= peak <= 0.9 else "look"
    return row(
        f"{_NAMES[name]} peak", peak, "", verdict, "Commonest brightness of the brain, 0.77 being the 99th percentile."
    )


def _contrast(problem: Problem) -> list[dict[str, Any]]:
    """Noise in homogeneous white matter, and grey against white in multiples of it."""
    name = problem.main
    where = ndimage.find_objects(problem.brain.view(np.uint8))[0]
    brain, image = problem.brain[where], problem.images[name][where]
    inner = ndimage.binary_erosion(brain, iterations=5)
    if not inner.any():
        return []
    white, grey = _peaks(image[inner], bright=name == "t1")
    # where the neighbourhood is flat: half of the tissue near the peak of white matter, the flattest
    near = inner & (np.abs(image - white) < 0.5 * abs(white - grey) + 1e-9)
    rough = ndimage.gaussian_gradient_magnitude(image, 2.0)
    flat = near & (rough <= np.median(rough[near])) if near.any() else near
    sharp = (image - ndimage.uniform_filter(image, 3))[flat]
    # a voxel less the mean of its 27 keeps 26/27 of the variance of white noise
    noise = 1.4826 * float(np.median(np.abs(sharp - np.median(sharp)))) * np.sqrt(27 / 26) if sharp.size else 0.0
    if noise <= 0 or white == 0:
        return []
    ratio, share = abs(white - grey) / noise, 100 * noise / abs(white)
    good: Verdict = "good" if ratio >= 5 else "look" if ratio >= 2 else "bad"
    quiet: Verdict = "good" if share < 5 else "look" if share < 12 else "bad"
    return [
        row("noise", share, "%", quiet, "Noise in the white matter at 1 mm, as a share of its brightness."),
        row("contrast to noise", ratio, "", good, "White against grey matter in multiples of the noise."),
    ]


def _peaks(values: NDArray, *, bright: bool) -> tuple[float, float]:
    """Brightness of white and grey matter: the upper two, or in a T2 the lower two, of three means."""
    means = class_means(values)
    return (means[2], means[1]) if bright else (means[0], means[1])


def _registration(moved: Rigid) -> list[dict[str, Any]]:
    turned: Verdict = "good" if moved.rotation < 15 else "look"
    shifted: Verdict = "good" if moved.translation < 20 else "look"
    return [
        row("FLAIR rotation", moved.rotation, "degrees", turned, "By how much the FLAIR was turned onto the T1."),
        row("FLAIR translation", moved.translation, "mm", shifted, "By how much the FLAIR's brain was moved."),
    ]
