"""The scores of one case: what is known of its truth is worked out once and asked for each pattern."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.measures import Similarity, dice, mean_of_known, nmse, outline_distance, outlines, psnr

MEAN, IMAGE, CLASS, RECONSTRUCTION = "mean", "image", "class", "reconstruction"
MEASURES = ("dice", "hd95", "correct", "probability", "psnr", "ssim", "nmse")
"""Columns of scores."""
HIGHER_IS_BETTER = {"dice", "correct", "probability", "psnr", "ssim", "auc"}

Row = dict[str, Any]


class CaseTruth:
    """The truth of one case.

    Args:
        case: its slices.
        labels: numbers of the structures, or of the classes.
    """

    def __init__(self, case: SliceDataset, labels: range) -> None:
        self.case = case
        self.labels = labels
        self._names = structure_names(case, labels)
        truth = case.truth()
        self._images = [truth[:, contrast] for contrast in range(case.contrasts)]
        self._similar = [Similarity(image) for image in self._images]
        self._outlines: dict[int, list[NDArray]] = {}
        if case.task == "segmentation":
            self._outlines = {label: outlines(case.targets == label, case.spacing) for label in labels}

    def of_image(self, images: NDArray, structure: str = IMAGE) -> Row:
        """PSNR, SSIM and NMSE of magnitudes (n, c, h, w); the mean over contrasts, each with its own range."""
        each = [images[:, contrast] for contrast in range(images.shape[1])]
        pairs = list(zip(each, self._images, strict=True))
        return {
            "structure": structure,
            "psnr": mean_of_known([psnr(found, truth) for found, truth in pairs]),
            "ssim": mean_of_known([similar.of(found) for found, similar in zip(each, self._similar, strict=True)]),
            "nmse": mean_of_known([nmse(found, truth) for found, truth in pairs]),
        }

    def of_labels(self, found: NDArray) -> list[Row]:
        """Dice and distance of each structure in labels (n, h, w), and their means."""
        classes = int(max(self.labels.stop, found.max(initial=0) + 1))
        overlaps = dice(found, self.case.targets, classes)[: len(self.labels)]
        distances = [
            outline_distance(outlines(found == label, self.case.spacing), self._outlines[label])
            for label in self.labels
        ]
        rows = [
            {"structure": self._names[label], "dice": float(overlap), "hd95": distance}
            for label, overlap, distance in zip(self.labels, overlaps, distances, strict=True)
        ]
        if len(rows) > 1:
            means = {"dice": mean_of_known(overlaps), "hd95": mean_of_known(distances)}
            rows.append({"structure": MEAN, **means})
        return rows

    def of_classes(self, probabilities: NDArray) -> Row:
        """The part of the slices that is told right, and the mean probability of the truth, of (n, classes)."""
        truth = self.case.targets
        return {
            "structure": CLASS,
            "correct": float(np.mean(probabilities.argmax(axis=1) == truth)),
            "probability": float(probabilities[np.arange(len(truth)), truth].mean()),
        }


def structure_names(dataset: SliceDataset, labels: range) -> dict[int, str]:
    """What structures are called in tables; with their number where a name is taken already."""
    names: dict[int, str] = {}
    for label in labels:
        name = dataset.name(label)
        names[label] = f"{name} ({label})" if name in (MEAN, IMAGE, *names.values()) else name
    return names


def probabilities_of(logits: NDArray) -> NDArray:
    """(n, classes) that add up to 1."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
