"""How well a network finds spaces in life-like patches that it has not seen, beside Jerman's filter and chance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib.pvs.agreement import average_precision, cluster_agreement, precision_recall, voxel_agreement
from DeepMRILib.pvs.lifelike import Patch
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.train_pvs import PatchSet
from DeepMRILib.pvs.vesselness import eigenvalues_at, jerman
from DeepMRILib.tables import Table

THRESHOLD = 0.5
ROOM, ALL = "tissue that has spaces", "everywhere"


def scored(network: torch.nn.Module, patches: PatchSet, device: str) -> Table:
    """A row for each method and place: area below the precision-recall curve, and what a threshold gives.

    The network's threshold is 0.5; that of the filter is the one with the best Dice on these patches.

    Args:
        network: gives probabilities; goes to the device.
        patches: what it has not seen.
        device: a resolved one.

    Returns:
        ``method``, ``where`` (in the tissue that has spaces, as if it were known, or everywhere), ``average_precision``
        (chance: the fraction of truth), ``dice``, ``cluster_f1`` and ``threshold``.
    """
    network.to(device).eval()
    seen = [patches.patch(number) for number in range(len(patches))]
    truth = np.stack([patch.truth for patch in seen])
    room = np.stack([patch.room for patch in seen])
    if not (truth & room).any():
        return Table({name: [] for name in _COLUMNS})
    found = np.stack([probability(network, patch, device) for patch in seen])
    filtered = np.stack([tubes_of(patch.image, patch.room) for patch in seen])
    rows = []
    for where, inside in ((ROOM, room), (ALL, np.ones_like(room))):
        rows.append(_row("network", where, THRESHOLD, (found, truth, inside)))
    best = best_threshold(filtered, truth, room)
    rows.append(_row("Jerman's filter", ROOM, best, (filtered, truth, room)))
    chance = float((truth & room).sum() / room.sum())
    rows.append({"method": "chance", "where": ROOM, "average_precision": chance, **_NOTHING})
    return Table.from_rows(rows)


_COLUMNS = ("method", "where", "average_precision", "dice", "cluster_f1", "threshold")
_NOTHING: dict[str, Any] = {"dice": None, "cluster_f1": None, "threshold": None}


@torch.inference_mode()
def probability(network: torch.nn.Module, patch: Patch, device: str) -> NDArray:
    """(n, n, n) float32."""
    return network(torch.from_numpy(patch.image)[None, None].to(device))[0, 0].float().cpu().numpy()


def tubes_of(image: NDArray, inside: NDArray) -> NDArray:
    """Jerman's vesselness (n, n, n) inside a mask, 0 outside, the largest of the scales that are usual here."""
    found = np.zeros(image.shape, np.float32)
    if inside.any():
        answers: Iterable[NDArray] = (
            jerman(values, bright=False) for values in eigenvalues_at(image, inside, SegmentOptions().scales)
        )
        found[inside] = np.max(list(answers), axis=0)
    return found


def best_threshold(score: NDArray, truth: NDArray, inside: NDArray) -> float:
    """The one whose mask has the best Dice coefficient."""
    precision, recall, values = precision_recall(score, truth, inside)
    dice = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    return float(np.nextafter(values[dice.argmax()], -np.inf))


def _row(method: str, where: str, threshold: float, arrays: tuple[NDArray, NDArray, NDArray]) -> dict[str, Any]:
    score, truth, inside = arrays
    mask, real = (score > threshold) & inside, truth & inside
    return {
        "method": method,
        "where": where,
        "average_precision": average_precision(score, truth, inside),
        "dice": voxel_agreement(mask, real).f1,
        "cluster_f1": _cluster_f1(mask, real),
        "threshold": threshold,
    }


def _cluster_f1(masks: NDArray, truths: NDArray) -> float:
    """Of the clusters of all patches together."""
    counts = [cluster_agreement(mask, truth) for mask, truth in zip(masks, truths, strict=True)]
    hits, missed, found, false = (sum(getattr(one, name) for one in counts) for name in _COUNTS)
    sensitivity, precision = hits / max(hits + missed, 1), (found - false) / max(found, 1)
    return 2 * sensitivity * precision / max(sensitivity + precision, 1e-9)


_COUNTS = ("hits", "missed", "found", "false")
