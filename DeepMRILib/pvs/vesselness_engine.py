"""Perivascular spaces by filters for thin tubes: an engine that needs no training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs import gates, tissue, vesselness
from DeepMRILib.pvs.clusters import occupied
from DeepMRILib.pvs.engine import Answer, Problem
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.shapes import continued, only_tubes

ENGINE = {
    "frangi": "Multi-scale vesselness (Frangi et al. 1998) in white matter and deep grey matter",
    "jerman": "Multi-scale vesselness (Jerman et al. 2016) in white matter and deep grey matter",
}
SCORE = (
    "The value of a voxel is a score of how much it looks like a thin tube, from 0 to 1, and no probability: 0.5 was "
    "set on generated heads."
)
NO_PARCELLATION = (
    "Without a parcellation, white matter and deep grey matter were estimated from brightness and place: expect more "
    "false spaces next to the cortex."
)
NO_CONTRAST = "White matter and fluid could not be told apart by their brightness, so nothing was looked for."
NO_TISSUE = "No white matter or deep grey matter was found inside the brain mask, so nothing was looked for."
MARGIN = 8
"""Voxels around the brain that the filters may see."""
NOISE = 0.2
"""Frangi's c where 1 is the contrast between white matter and fluid. The results hardly change from 0.1 to 0.5."""
LARGEST = 0.6
"""What Jerman's tau is a fraction of, in the same unit: that of one scan would change with its brightest tube."""
TAU = 1.0
CONTRAST = 0.25
"""A tube that is so much darker than the tissue within 2 mm counts fully; one that is as dark as that, not at all."""
SURROUNDINGS = 0.4
"""Where the darkness within 2 mm is so high on average, the score falls to 1/e: a cortex, a sulcus."""
NEAR = 2.0
"""The standard deviation in mm of the Gaussian that looks at surroundings."""
DEEP = 4.0
"""So many mm from the region's border, and deeper, a voxel counts fully."""
HALF = {"frangi": (0.05, 0.075), "jerman": (0.13, 0.2)}
"""The product of vesselness and weights whose score is 0.5, with a parcellation and without.

Between what gives the best F1 of clusters and the best Dice of voxels on generated heads of two kinds. On six of
``pvs.phantom`` (90 to 179 tubes, signal to noise 19 to 37) Frangi's AUPRC is 0.70 with a parcellation and 0.56
without, Jerman's 0.67 and 0.54; chance is 0.0006 (``bench_pvs_vesselness.py --quality`` repeats it on others). Scales
from 0.6 to 1 mm were the best of ten sets from 0.5 to 1.5 mm; wider ones lose thin tubes among false ones.
"""


@dataclass(frozen=True, eq=False)
class Scene:
    """The part of a problem around the brain.

    Attributes:
        box: where it lies in the problem's arrays.
        darkness: (i, j, k) float32, 0 in white matter to 1 in cerebrospinal fluid, and 1 outside the brain.
        region: (i, j, k) bool, where spaces are looked for.
    """

    box: tuple[slice, slice, slice]
    darkness: NDArray
    region: NDArray


def segment_by_vesselness(problem: Problem, progress: Progress) -> Answer:
    """Find perivascular spaces as thin dark (T1) or bright (T2) tubes in white matter and deep grey matter.

    The image is turned into darkness, about a voxel's fraction of fluid; there ``vesselness`` looks for bright tubes
    of several widths. Weights for contrast and surroundings, the gates of ``gates`` and of ``shapes`` leave out cortex,
    ventricles and lesions. Values from 0 to 1 are scores; ``Answer.notes`` say so.

    Raises:
        InputError: no scales, or the parcellation's ventricles are brighter than its white matter on a T1, or darker
            on a T2.
    """
    options = problem.options
    if not options.scales:
        raise InputError("No scales were given. Give at least one, such as 0.8 mm.")
    progress(0.0, "Telling the tissues apart")
    scene = scene_of(problem)
    score = np.zeros(problem.brain.shape, np.float32)
    notes = [SCORE] if problem.labels is not None else [SCORE, NO_PARCELLATION]
    if isinstance(scene, str):
        return Answer(score, ENGINE[options.filter], (*notes, scene))
    half = HALF[options.filter][0 if problem.labels is not None else 1]
    found = scored(raw_of(scene, options, part(progress, 0.3, 0.8)), half)
    progress(0.8, "Leaving out what is no tube")
    inside = np.zeros(scene.region.shape, np.float32)
    inside[scene.region] = found
    inside = continued(inside, options.low)
    score[scene.box] = only_tubes(inside, options)
    progress(1.0, "Done")
    return Answer(score, ENGINE[options.filter], tuple(notes))


def scene_of(problem: Problem) -> Scene | str:
    """Darkness and region around the brain, or a sentence that says why there is nothing to look at."""
    inner = occupied(problem.brain)
    if inner is None:
        return NO_TISSUE
    box = tuple(slice(max(s.start - MARGIN, 0), s.stop + MARGIN) for s in inner)
    image, brain = np.asarray(problem.images[problem.main][box], np.float32), problem.brain[box]
    labels = None if problem.labels is None else problem.labels[box]
    dark, options = problem.main == "t1", problem.options
    levels = None if labels is None else _levels_of_labels(image, labels, dark)
    white = None
    if levels is None:
        estimated = tissue.levels_and_white(image, brain, dark)
        if estimated is None:
            return NO_CONTRAST
        levels, white = estimated
    darkness = levels.darkness(image)
    darkness[~brain] = 1  # the same with and without a skull
    distances = (options.cortex_distance, options.ventricle_distance)
    if labels is not None:
        region = gates.region_of_labels(labels, brain, *distances)
    else:
        region = gates.region_of_brightness(white, darkness, brain, *distances)
    return Scene(box, darkness, region) if region.any() else NO_TISSUE


def _levels_of_labels(image: NDArray, labels: NDArray, dark: bool) -> tissue.Levels | None:
    white = gates.eroded(np.isin(labels, gates.WHITE_MATTER[:2]), 1)
    fluid = gates.eroded(np.isin(labels, gates.VENTRICLES), 1)
    levels = tissue.levels_in(image, white, fluid)
    if levels is None or levels.contrast == 0:
        return None
    if (levels.contrast > 0) != dark:
        told, other = ("T1", "T2") if dark else ("T2", "T1")
        shade = "brighter" if dark else "darker"
        raise InputError(
            f"In this {told} the parcellation's ventricles are {shade} than its white matter, as in a {other}. Check "
            f"that the image is a {told} and that the parcellation belongs to it."
        )
    return levels


def raw_of(scene: Scene, options: SegmentOptions, progress: Progress) -> NDArray:
    """Vesselness times the weights at the n voxels of the region (n,) float32, 0 or more."""
    found = np.zeros(np.count_nonzero(scene.region), np.float32)
    for eigenvalues in vesselness.eigenvalues_at(scene.darkness, scene.region, options.scales, progress):
        if options.filter == "frangi":
            one = vesselness.frangi(eigenvalues, bright=True, noise=NOISE)
        else:
            one = vesselness.jerman(eigenvalues, bright=True, tau=TAU, largest=LARGEST)
        np.maximum(found, one, out=found)
    return found * weights_of(scene)


def weights_of(scene: Scene) -> NDArray:
    """How far contrast, surroundings and depth speak for a space at the n voxels of the region (n,), from 0 to 1.

    Contrast is that to the tissue nearby, for the deep grey matter is darker than white matter; voxels as dark as
    fluid are not taken for tissue.
    """
    darkness, region = scene.darkness, scene.region
    nearby = tissue.smoothed_inside(darkness, region & (darkness < 0.45), NEAR)[region]
    around = ndimage.gaussian_filter(np.clip(darkness, 0, 1), NEAR, truncate=3.0)[region]
    contrast = np.clip((darkness[region] - nearby) / CONTRAST, 0, 1)
    # steps along axes and diagonals: a tenth of the time of a Euclidean distance, and near enough
    depth = np.minimum(ndimage.distance_transform_cdt(region, "chessboard")[region] / DEEP, 1)
    return contrast * np.exp(-around / np.float32(SURROUNDINGS)) * depth.astype(np.float32) ** 0.25


def scored(raw: NDArray, half: float) -> NDArray:
    """Scores from 0 to 1, 0.5 where the raw value is ``half``.

    Example:
        >>> scored(np.array([0.0, 0.05, 0.15]), 0.05).round(3).tolist()
        [0.0, 0.5, 0.75]
    """
    return raw / (raw + half)
