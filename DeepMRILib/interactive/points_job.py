"""``interactive.points``: points as a user would place them, from a known segmentation."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.points import check_points, points_table
from DeepMRILib.interactive.prompts import MOST_LABELS
from DeepMRILib.interactive.synthetic import UserError, synthetic_negative_points, synthetic_points
from DeepMRILib.options import option, to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume


@dataclass(frozen=True)
class PointsOptions:
    """How points are placed."""

    label: int = option(0, "Number of the label; 0 takes all", range=(0, 2**31 - 1))
    depth: float = option(5.0, "How far inside the outermost voxels", unit="mm", range=(0.0, 30.0))
    jitter: float = option(0.0, "How far every point is displaced, as by an inexact user", unit="mm", range=(0.0, 30.0))
    error: UserError = option(
        "fixed",
        "Displacement by exactly that length, by a Gaussian of that standard deviation along each axis, or within it",
        advanced=True,
    )
    extra: int = option(0, "Further points inside each lesion", range=(0, 100), advanced=True)
    negative: int = option(0, "Points around each lesion, where no segment is", range=(0, 100), advanced=True)
    seed: int = option(0, "The same seed gives the same points", range=(0, 2**31 - 1))


@dataclass(frozen=True)
class PointsResult(Result):
    """Points made from a segmentation.

    Attributes:
        points: one row per point: ``segment`` (empty for negative points), ``name`` (the side of the lesion, or
            ``extra``, ``negative``), ``r``, ``a``, ``s`` (mm).
        interactions: (i, j, k) the label's number at its points and 0 elsewhere, as InteractiveNet reads them.
    """

    points: Table = field(default_factory=lambda: Table({}))
    interactions: LabelVolume | None = None


def points(
    mask: LabelVolume, options: PointsOptions | None = None, *, progress: Progress | None = None
) -> PointsResult:
    """Points just inside the margin of each lesion of a segmentation; see ``synthetic_points``.

    Raises:
        InputError: the segmentation is empty or lacks the label, or a setting is out of its range.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(PointsOptions() if options is None else options)
    report = part(progress, 0.0, 1.0)
    labels = _labels(mask, options)
    positive: dict[str, NDArray] = {}
    negative = [np.zeros((0, 3))]
    marks = np.zeros(mask.shape, dtype=np.int32)
    notes = []
    for count, label in enumerate(labels):
        name = mask.names[label]
        report(count / len(labels), f"Placing points in {name}")
        seed = options.seed + label  # else two equal lesions would get equal errors
        positive[name] = synthetic_points(
            mask,
            label=label,
            depth=options.depth,
            jitter=options.jitter,
            error=options.error,
            seed=seed,
            extra=options.extra,
        )
        around = synthetic_negative_points(
            mask, label=label, count=options.negative, distance=max(options.depth, 1.0), seed=seed
        )
        negative.append(around)
        marks[tuple(np.rint(mask.voxel_from_ras(positive[name])).astype(int).T)] = label
        notes.extend(_notes(mask, label, positive[name]))
    report(1.0, "Points placed")
    kept = np.concatenate(negative)
    return PointsResult(
        provenance=Provenance(
            "interactive.points",
            "Points at random outermost voxels of each side, moved inward",
            to_json(options),
            seed=options.seed,
            seconds={"total": time.perf_counter() - started},
            inputs={"shape": list(mask.shape), "spacing": list(mask.spacing), "labels": labels},
            notes=tuple(notes),
        ),
        points=points_table(positive, kept),
        interactions=LabelVolume(marks, mask.affine, mask.names),
    )


def _labels(mask: LabelVolume, options: PointsOptions) -> list[int]:
    if not mask.names:
        raise InputError("The segmentation is empty: no voxel has a label. Draw a lesion, or choose another one.")
    if options.label and options.label not in mask.names:
        raise InputError(
            f"No voxel has the label {options.label}; the segmentation holds {', '.join(map(str, mask.names))}."
        )
    if not options.label and len(mask.names) > MOST_LABELS:
        raise InputError(
            f"The segmentation holds {len(mask.names)} different numbers; it looks like an image. Give the label map, "
            "or choose one of its labels."
        )
    return [options.label] if options.label else list(mask.names)


def _notes(mask: LabelVolume, label: int, placed: NDArray) -> list[str]:
    """What a reader must know of points that cannot be used, or only just."""
    try:
        check_points(placed, mask)
    except InputError:
        voxels = int(np.count_nonzero(mask.array == label))
        return [
            f"{mask.names[label]} is so small ({voxels} {'voxel' if voxels == 1 else 'voxels'}) that its points nearly "
            "fall together: they are as far apart as it allows, and no lesion can be segmented from them."
        ]
    return []
