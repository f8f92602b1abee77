"""``pvs.evaluate``: found perivascular spaces beside a reference of the same image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs.agreement import (
    Agreement,
    average_precision,
    by_size,
    cluster_agreement,
    precision_recall,
    surface_distance_95,
    voxel_agreement,
)
from DeepMRILib.pvs.clusters import clusters_of
from DeepMRILib.pvs.options_evaluate import EvaluateOptions
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume, checked_labels, checked_mask

WHOLE = "Whole image"
MOST_SHARE = 0.2
"""The largest part of the voxels that a reference may mark."""
_POINTS = 200
"""Points of the stored curve; the area is that of the whole one."""


@dataclass(frozen=True)
class Evaluation(Result):
    """How well found spaces agree with a reference.

    Attributes:
        agreement: for the whole image and each region a row of voxels and one of clusters: ``region``, ``of``,
            ``reference``, ``found``, ``hits``, ``missed``, ``false``, ``sensitivity``, ``precision``, ``f1`` (of
            voxels the Dice coefficient).
        sizes: clusters by their size, see ``agreement.by_size``.
        summary: ``measure``, ``value``, ``unit``, ``meaning``: areas below the precision-recall curve beside chance,
            count and volume errors, distance between margins.
        curve: ``threshold``, ``precision``, ``recall``.
        found, reference: the masks that were compared.
    """

    agreement: Table = field(default_factory=lambda: Table({}))
    sizes: Table = field(default_factory=lambda: Table({}))
    summary: Table = field(default_factory=lambda: Table({}))
    curve: Table = field(default_factory=lambda: Table({}))
    found: LabelVolume | None = None
    reference: LabelVolume | None = None


def evaluate(
    found: Volume,
    reference: Volume,
    options: EvaluateOptions | None = None,
    *,
    brain_mask: Volume | None = None,
    regions: LabelVolume | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare found spaces with a reference.

    Args:
        found: (i, j, k), a probability from 0 to 1, or a mask of 0 and 1.
        reference: (i, j, k) on the same grid, not 0 in a space.
        options: see ``EvaluateOptions``.
        brain_mask: only voxels inside count.
        regions: for rows of their own.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: they lie on different grids, the reference is empty, or ``found`` is neither.
    """
    options = validate(EvaluateOptions() if options is None else options)
    report = part(progress, 0.0, 1.0)
    report(0.0, "Comparing")
    score = _score(found)
    inside = checked_mask(brain_mask, found, "brain mask")
    truth = checked_mask(reference, found, "reference") & inside
    _check_share(truth, inside)
    if not truth.any():
        raise InputError("No space of the reference lies in the brain mask. Check that they belong together.")
    kept = clusters_of(
        np.where(inside, score, 0),
        inside,
        threshold=options.threshold,
        min_size=options.min_size,
        max_outside=1.0,
        voxel_volume=found.voxel_volume,
    ).labels
    mask = kept > 0
    report(0.4, "Comparing cluster by cluster")
    areas = {WHOLE: inside, **_areas(regions, found)}
    rows = [row for name, where in areas.items() for row in _rows(name, mask & where, truth & where, found)]
    report(0.7, "Comparing over all thresholds")
    return Evaluation(
        provenance=Provenance(
            job="pvs.evaluate",
            engine="agreement of voxels and of 26-connected clusters (Boutinaud et al. 2021)",
            options=to_json(options),
            inputs={"shape": list(found.shape), "spacing": list(found.spacing)},
        ),
        agreement=Table.from_rows(rows),
        sizes=Table.from_rows(by_size(mask, truth, found.voxel_volume), {"from": "mm3", "to": "mm3"}),
        summary=Table.from_rows(_summary(score, mask, truth, inside, found)),
        curve=_curve(score, truth, inside),
        found=LabelVolume(mask.astype(np.uint8), found.affine, {1: "Found"}),
        reference=LabelVolume(truth.astype(np.uint8), found.affine, {1: "Reference"}),
    )


def _check_share(truth: NDArray, inside: NDArray) -> None:
    """Refuse an image given as the reference: spaces are a few thousandths of a brain."""
    share = np.count_nonzero(truth) / max(np.count_nonzero(inside), 1)
    if share > MOST_SHARE:
        raise InputError(
            f"The reference marks {100 * share:.0f} % of the voxels; perivascular spaces are far fewer. Give a mask of "
            "them, not 0 only where they are."
        )


def _score(found: Volume) -> NDArray:
    array = np.asarray(found.array)
    if array.ndim == 4 and array.shape[3] == 1:  # SHIVA's own programs write such
        array = array[..., 0]
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise InputError("What was found must be one image of numbers: a probability from 0 to 1, or a mask.")
    score = np.nan_to_num(array.astype(np.float32))
    if score.min() < 0 or (score.max() > 1 and not np.array_equal(score, np.rint(score))):
        raise InputError(
            f"What was found has values from {score.min():g} to {score.max():g}; expected a probability from 0 to 1, "
            "or a mask."
        )
    return np.minimum(score, 1.0)  # numbered clusters are a mask


def _areas(regions: LabelVolume | None, found: Volume) -> dict[str, NDArray]:
    if regions is None:
        return {}
    labels = checked_labels(regions, found)
    return {name: np.asarray(labels.array) == number for number, name in labels.names.items()}


def _rows(name: str, found: NDArray, truth: NDArray, volume: Volume) -> list[dict[str, object]]:
    voxels, clusters = voxel_agreement(found, truth), cluster_agreement(found, truth, volume.voxel_volume)
    return [_row(name, "voxels", voxels), _row(name, "clusters", clusters)]


def _row(name: str, of: str, agreement: Agreement) -> dict[str, object]:
    return {
        "region": name,
        "of": of,
        "reference": agreement.hits + agreement.missed,
        "found": agreement.found,
        "hits": agreement.hits,
        "missed": agreement.missed,
        "false": agreement.false,
        "sensitivity": agreement.sensitivity,
        "precision": agreement.precision,
        "f1": agreement.f1,
    }


def _summary(score: NDArray, found: NDArray, truth: NDArray, inside: NDArray, grid: Volume) -> list[dict[str, object]]:
    clusters = cluster_agreement(found, truth)
    volumes = [np.count_nonzero(mask) * grid.voxel_volume for mask in (found, truth)]
    area = average_precision(score, truth, inside)
    chance = np.count_nonzero(truth) / np.count_nonzero(inside)
    count = clusters.found - clusters.hits - clusters.missed
    margin = surface_distance_95(found, truth, grid.spacing)
    values = (
        ("average precision", area, "", "Area below precision over recall, of voxels"),
        ("chance", chance, "", "That area for a map that knows nothing"),
        ("count error", count, "clusters", "Found clusters minus those of the reference"),
        ("volume error", volumes[0] - volumes[1], "mm3", "Found volume minus that of the reference"),
        ("margin distance", margin, "mm", "95th percentile between the margins of spaces that were found"),
    )
    return [
        {"measure": measure, "value": float(value), "unit": unit, "meaning": meaning}
        for measure, value, unit, meaning in values
    ]


def _curve(score: NDArray, truth: NDArray, inside: NDArray) -> Table:
    precision, recall, thresholds = precision_recall(score, truth, inside)
    chosen = np.unique(np.linspace(0, len(recall) - 1, min(_POINTS, len(recall))).astype(int))
    columns = {"threshold": thresholds, "precision": precision, "recall": recall}
    return Table({name: values[chosen].tolist() for name, values in columns.items()})
