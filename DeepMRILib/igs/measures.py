"""How well a task is done, case by case: structures, classes and images, against the truth.

A case is a patient or scan, all slices of it together. What a case lacks is not counted: a structure that is empty in
the truth and in the prediction has no Dice (NaN), as there was nothing to find and nothing was found; one that is
empty in one of them only has Dice 0.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter1d
from scipy.spatial import cKDTree

WINDOW, K1, K2 = 7, 0.01, 0.03
"""Of SSIM, as in fastMRI and scikit-image."""
AT_ONCE = 1_000_000
"""Weights of samples that are summed at once: memory stays below 100 MB."""
HIGHEST_PSNR = 100.0
"""In dB: single precision cannot tell images apart that are nearer to each other."""


def dice(found: ArrayLike, truth: ArrayLike, classes: int) -> NDArray:
    """Overlap 2 |A and B| / (|A| + |B|) of each structure in a case.

    Args:
        found, truth: labels (slices, ...), 0 for background.
        classes: how many labels there are, background included.

    Returns:
        (classes - 1,): 1 for equal ones, 0 where only one of them has the structure, NaN where none has.

    Example:
        >>> dice([[1, 1, 0, 0]], [[0, 1, 1, 0]], 3)
        array([0.5, nan])
    """
    pairs = np.bincount(np.asarray(truth).ravel() * classes + np.asarray(found).ravel(), minlength=classes**2).reshape(
        classes, classes
    )
    total = pairs.sum(axis=0) + pairs.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return (2 * pairs.diagonal() / np.where(total, total, np.nan))[1:]


def hausdorff_95(found: ArrayLike, truth: ArrayLike, spacing: Sequence[float]) -> float:
    """The 95th percentile of the distances between two outlines in mm, over all slices of a case.

    An outline is the pixels that touch the background, or the end of the image, with an edge; distances are those from
    each to the nearest of the other outline in the same slice. Those of all slices together give a percentile for
    either direction, of which the larger counts. Slices where only one of the two has the structure have no distance
    (Dice sees them): a case without any other is NaN.

    Args:
        found, truth: masks (slices, ...) of one structure.
        spacing: edge lengths of a pixel in mm, one for each axis but the first.

    Example:
        >>> hausdorff_95([[[0, 1, 0, 0]]], [[[0, 0, 0, 1]]], (1.0, 1.5))
        3.0
    """
    return outline_distance(outlines(found, spacing), outlines(truth, spacing))


def outlines(masks: ArrayLike, spacing: Sequence[float]) -> list[NDArray]:
    """Of each mask (slices, ...) the places (points, axes) in mm of its outline."""
    masks = np.asarray(masks) != 0
    inner = masks.copy()
    for axis in range(1, masks.ndim):
        ahead = [slice(None)] * masks.ndim
        behind = [slice(None)] * masks.ndim
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        inner[tuple(ahead)] &= masks[tuple(behind)]
        inner[tuple(behind)] &= masks[tuple(ahead)]
        for end in (0, -1):
            edge = [slice(None)] * masks.ndim
            edge[axis] = end
            inner[tuple(edge)] = False
    places = np.argwhere(masks & ~inner)
    starts = np.searchsorted(places[:, 0], np.arange(len(masks) + 1))
    in_mm = places[:, 1:] * np.asarray(spacing, dtype=float)
    return [in_mm[start:stop] for start, stop in itertools.pairwise(starts)]


def outline_distance(found: Sequence[NDArray], truth: Sequence[NDArray]) -> float:
    """As ``hausdorff_95``, of outlines."""
    there, back = [], []
    for one, other in zip(found, truth, strict=True):
        if len(one) and len(other):
            there.append(cKDTree(other).query(one)[0])
            back.append(cKDTree(one).query(other)[0])
    if not there:
        return float("nan")
    return float(max(np.percentile(np.concatenate(way), 95) for way in (there, back)))


def auc(scores: ArrayLike, positive: ArrayLike) -> float:
    """Area under the ROC curve: how often a positive has a higher score than a negative, ties counting half.

    NaN where there are no positives or no negatives. (Mann and Whitney 1947)

    Example:
        >>> auc([0.1, 0.4, 0.4, 0.9], [0, 0, 1, 1])
        0.875
    """
    positive = np.asarray(positive, dtype=bool)
    return float(weighted_auc(scores, positive, np.ones((1, positive.size)))[0])


def weighted_auc(scores: ArrayLike, positive: ArrayLike, weights: NDArray) -> NDArray:
    """(m,) areas where each sample counts as often as ``weights`` (m, samples) say; as for a bootstrap."""
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    areas = np.empty(len(weights))
    some = max(1, AT_ONCE // max(len(order), 1))
    for start in range(0, len(weights), some):
        part = np.asarray(weights[start : start + some], dtype=float)[:, order]
        # by ascending score, samples of one score together
        ups = np.add.reduceat(part * positive[order], starts, axis=1)
        downs = np.add.reduceat(part * ~positive[order], starts, axis=1)
        below = np.cumsum(downs, axis=1) - downs
        pairs = ups.sum(axis=1) * downs.sum(axis=1)
        areas[start : start + some] = (ups * (below + downs / 2)).sum(axis=1) / np.where(pairs > 0, pairs, np.nan)
    return areas


def auc_of_classes(probabilities: ArrayLike, truth: ArrayLike, weights: NDArray | None = None) -> NDArray:
    """(m,) areas under the ROC curve of a classifier; one without ``weights``.

    Of two classes it is that of class 1, of more the mean over the classes that occur, each against the rest.

    Args:
        probabilities: (samples, classes).
        truth: (samples,) the class of each.
        weights: (m, samples) how often each sample counts.
    """
    probabilities, truth = np.asarray(probabilities, dtype=float), np.asarray(truth)
    weights = np.ones((1, len(truth))) if weights is None else weights
    several = probabilities.shape[1] > 2
    found = [
        weighted_auc(probabilities[:, one], truth == one, weights)
        for one in (range(probabilities.shape[1]) if several else (1,))
    ]
    return _known_mean(np.stack(found))


def _known_mean(values: NDArray) -> NDArray:
    """The mean along the first axis without NaN; NaN where there is nothing else."""
    known = np.isfinite(values)
    return np.where(known, values, 0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)


def mean_of_known(values: ArrayLike) -> float:
    """The mean without NaN, as of the structures of a case; NaN where there is nothing else."""
    return float(_known_mean(np.asarray(values, dtype=float)))


def psnr(found: NDArray, truth: NDArray) -> float:
    """Peak signal-to-noise ratio of a case in dB: 10 log10(max(truth)^2 / mean squared error), at most 100."""
    peak = float(truth.max())
    if peak <= 0:
        return float("nan")
    error = float(np.mean((found - truth).astype(float) ** 2))
    return HIGHEST_PSNR if error <= 0 else min(10 * np.log10(peak**2 / error), HIGHEST_PSNR)


def nmse(found: NDArray, truth: NDArray) -> float:
    """Squared error of a case over the squared truth: |truth - found|^2 / |truth|^2."""
    power = float((truth.astype(float) ** 2).sum())
    return float(((found - truth).astype(float) ** 2).sum()) / power if power > 0 else float("nan")


class Similarity:
    """Structural similarity of images with one case's true ones, which are looked at once.

    For each pixel whose window lies in the image, with means m, variances v and the covariance c in it (each divided
    by one less than its pixels), ((2 m1 m2 + C1)(2 c + C2)) / ((m1^2 + m2^2 + C1)(v1 + v2 + C2)), C1 = (0.01 L)^2,
    C2 = (0.03 L)^2 with L the highest true value of the case (Wang et al. 2004; as in fastMRI).

    Args:
        truth: magnitudes (slices, ..., h, w) of one case; windows lie in the plane. Of images below 7 pixels the window
            is the largest odd one that they hold.
    """

    def __init__(self, truth: NDArray) -> None:
        self.truth = np.asarray(truth, dtype=np.float64)
        self.window = min(WINDOW, *(side - 1 + side % 2 for side in truth.shape[-2:]))
        self.peak = float(self.truth.max())
        pixels = self.window**2
        self.unbiased = pixels / max(pixels - 1, 1)
        self.mean = self._windowed(self.truth)
        self.variance = self.unbiased * (self._windowed(self.truth**2) - self.mean**2)

    def of(self, found: NDArray) -> float:
        """The mean similarity of images (slices, ..., h, w); NaN where the true ones are all 0."""
        if self.peak <= 0:
            return float("nan")
        found = np.asarray(found, dtype=np.float64)
        c1, c2 = (K1 * self.peak) ** 2, (K2 * self.peak) ** 2
        mean = self._windowed(found)
        product = mean * self.mean
        variance = self.unbiased * (self._windowed(found**2) - mean**2)
        covariance = self.unbiased * (self._windowed(found * self.truth) - product)
        above = (2 * product + c1) * (2 * covariance + c2)
        below = (mean**2 + self.mean**2 + c1) * (variance + self.variance + c2)
        return float((above / below).mean())

    def _windowed(self, images: NDArray) -> NDArray:
        for axis in (-2, -1):
            images = uniform_filter1d(images, self.window, axis=axis)
            inside = [slice(None)] * images.ndim
            inside[axis] = slice(self.window // 2, images.shape[axis] - self.window // 2)
            images = images[tuple(inside)]
        return images


def ssim(found: NDArray, truth: NDArray) -> float:
    """Structural similarity of a case, see ``Similarity``."""
    return Similarity(truth).of(found)
