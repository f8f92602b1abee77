"""How good a network is on the cases held out, full and undersampled, beside guesses that need no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib.igs import measures
from DeepMRILib.igs.blocks import block_mask
from DeepMRILib.igs.dataset import SliceDataset, Task
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.network_predict import magnitudes_of, predict
from DeepMRILib.progress import Progress, part
from DeepMRILib.tables import Table

ACCELERATIONS = (4, 8, 16)
MEASURES: dict[Task, str] = {"segmentation": "dice", "classification": "accuracy", "reconstruction": "psnr"}
Score = Callable[[NDArray], float]
"""Of predictions: labels (n, h, w), classes (n,) or images (n, c, h, w)."""


def scores(
    network: torch.nn.Module,
    training: SliceDataset,
    held_out: SliceDataset,
    masks: list[tuple[str, int, NDArray]],
    encoding: Encoding,
    *,
    batch: int,
    device: str,
    progress: Progress,
    method: str = "network",
) -> Table:
    """A row for each method and mask.

    Dice is that of each structure in each case, the mean of which counts; a structure that a case lacks and that is not
    found in it either is left out. The guesses: background everywhere, the class that most slices have, and the mean
    image of the training; of a reconstruction also the zero-filled image.

    Args:
        network: is asked.
        training: what it was trained on, for the guesses.
        held_out: what it is scored on.
        masks: name, number of lines and mask (contrasts or 1, *shape).
        encoding: of the masks.
        batch, device: of the network.
        progress: may raise ``Cancelled``.
        method: what the network is called.
    """
    mean, std = held_out.normalisation()
    score, measure = _score(held_out), MEASURES[held_out.task]
    rows: list[dict[str, Any]] = []

    def row(method: str, images: str, lines: int, found: NDArray) -> None:
        rows.append({"method": method, "images": images, "lines": lines, measure: score(found)})

    for number, (name, lines, mask) in enumerate(masks):
        seen = measured(held_out, mask, encoding)
        report = part(progress, number / len(masks), (number + 1) / len(masks))
        found = predict(network, seen, mean, std, batch=batch, device=device, progress=report)
        row(method, name, lines, _decided(found, held_out, mean, std))
        if held_out.task == "reconstruction":
            row("zero-filled image", name, lines, seen)
    row(*_guess(training, held_out))
    return Table.from_rows(rows, units={"psnr": "dB"} if measure == "psnr" else {})


def usual_masks(encoding: Encoding) -> list[tuple[str, int, NDArray]]:
    """All lines, and the centre at the usual accelerations."""
    found = [("full", encoding.size, np.ones((1, *encoding.shape), bool))]
    for acceleration in ACCELERATIONS:
        lines = max(1, round(encoding.size / acceleration))
        found.append((f"x{acceleration}, centre", lines, block_mask(encoding, lines)[None]))
    return found


def metrics_of(table: Table) -> dict[str, float]:
    """The scores as a model's card holds them."""
    measure = list(table.columns)[-1]
    return {
        f"{measure}, {method}, {images}, cases held out": round(value, 4)
        for method, images, _, value in table.rows
        if np.isfinite(value)
    }


def _decided(found: NDArray, dataset: SliceDataset, mean: NDArray, std: NDArray) -> NDArray:
    """Labels or classes of logits; magnitudes of normalised images."""
    if dataset.task != "reconstruction":
        return found.argmax(axis=1)
    return magnitudes_of(found, mean, std)


def _guess(training: SliceDataset, held_out: SliceDataset) -> tuple[str, str, int, NDArray]:
    if held_out.task == "reconstruction":
        return "mean image", "none", 0, np.broadcast_to(training.truth().mean(axis=0), held_out.images.shape)
    if held_out.task == "classification":
        most = np.bincount(training.targets).argmax()
        return "most frequent class", "none", 0, np.full(len(held_out), most)
    return "background", "none", 0, np.zeros_like(held_out.targets)


def _score(dataset: SliceDataset) -> Score:
    if dataset.task == "classification":
        return lambda found: float(np.mean(found == dataset.targets))
    rows = [np.flatnonzero(dataset.cases == case) for case in np.unique(dataset.cases)]
    if dataset.task == "reconstruction":
        truth = dataset.truth()
        return lambda found: _mean([measures.psnr(found[one], truth[one]) for one in rows])

    def dice(found: NDArray) -> float:
        # a network may know labels that the data lack
        classes = int(max(dataset.classes, found.max() + 1))
        return _mean([value for one in rows for value in measures.dice(found[one], dataset.targets[one], classes)])

    return dice


def _mean(values: list[float]) -> float:
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")
