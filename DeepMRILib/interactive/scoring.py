"""How well a segmentation agrees with the truth: overlap, distances in mm, sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.baselines import BASELINES
from DeepMRILib.interactive.crop import Box
from DeepMRILib.interactive.measures import dice, size_of, surface_distances
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.tables import Table

SIZES = ("volume", "diameter_axial", "diameter_coronal", "diameter_sagittal")
UNITS = {
    "hausdorff": "mm", "hausdorff_95": "mm", "surface_distance": "mm",
    **{f"{size}{of}": "mm3" if size == "volume" else "mm" for size in SIZES for of in ("", "_truth")},
}  # fmt: skip

Row = dict[str, Any]


def case_rows(
    found: PlacedMask,
    truth: PlacedMask,
    names: Sequence[str],
    *,
    about: Mapping[str, Any],
    baselines: Mapping[str, PlacedMask | None],
) -> list[Row]:
    """A row for each label that is in the truth or was found.

    Args:
        found, truth: on one grid; 0 none, 1 the first label, ...
        names: of the labels.
        about: what the row begins with, e.g. the case.
        baselines: what was found otherwise, by name; of each the Dice stands in the row.

    Returns:
        ``label``, ``dice``, ``hausdorff``, ``hausdorff_95``, ``surface_distance`` (mm), volume (mm3) and diameters (mm)
        as found and of the truth, ``dice_<baseline>``. None where there is nothing to measure.
    """
    others = {name: mask for name, mask in baselines.items() if mask is not None}
    box = _box_around([truth, found, *others.values()])
    affine = box.affine(truth.affine)
    true, mine = _part(truth, box), _part(found, box)
    theirs = {name: _part(mask, box) for name, mask in others.items()}
    rows = []
    for n, name in enumerate(names, start=1):
        here, real = mine == n, true == n
        if not (here.any() or real.any()):
            continue
        row = {**about, "label": name, "dice": dice(here, real), **_distances(here, real, affine)}
        sizes, real_sizes = size_of(here, affine), size_of(real, affine)
        for size in SIZES:
            row |= {f"{size}_truth": real_sizes[size], size: sizes[size]}
        for other in BASELINES:
            row[f"dice_{other}"] = dice(theirs[other] == n, real) if other in theirs else None
        rows.append(row)
    return rows


def dice_of(found: PlacedMask, truth: PlacedMask, labels: int) -> float:
    """Mean Dice over the labels of the truth, on the whole image."""
    box = _box_around([truth, found])
    mine, true = _part(found, box), _part(truth, box)
    scores = [dice(mine == n, true == n) for n in range(1, labels + 1) if (true == n).any()]
    return float(np.mean(scores)) if scores else math.nan


def means(rows: Iterable[Row]) -> Table:
    """Mean and standard deviation over the cases, a row for each label and, of several, one for all together."""
    rows = list(rows)
    labels = list(dict.fromkeys(row["label"] for row in rows))
    groups = {label: [row for row in rows if row["label"] == label] for label in labels}
    if len(labels) > 1:
        groups["all labels"] = rows
    return Table.from_rows([_mean_row(label, group) for label, group in groups.items()], units=UNITS)


def _mean_row(label: str, rows: list[Row]) -> Row:
    result: Row = {"label": label, "cases": len(rows)}
    numbers = [name for name, value in rows[0].items() if name in UNITS or name.startswith("dice")]
    for name in numbers:
        known = [row[name] for row in rows if row[name] is not None]
        result[name] = float(np.mean(known)) if known else None
        if name == "dice":
            result["dice_sd"] = float(np.std(known, ddof=1)) if len(known) > 1 else None
            result["dice_lowest"] = float(min(known)) if known else None
    return result


def _distances(here: NDArray, real: NDArray, affine: NDArray) -> Row:
    if not (here.any() and real.any()):
        return dict.fromkeys(("hausdorff", "hausdorff_95", "surface_distance"))
    return surface_distances(here, real, affine)


def _part(mask: PlacedMask, box: Box) -> NDArray:
    """A mask on a box that holds all of it."""
    part = np.zeros(box.shape, dtype=np.uint8)
    inner = mask.box
    index = tuple(slice(a - c, b - c) for a, b, c in zip(inner.start, inner.stop, box.start, strict=True))
    part[index] = mask.labels
    return part


def _box_around(masks: Sequence[PlacedMask]) -> Box:
    """The box that holds all masks."""
    start = np.min([mask.box.start for mask in masks], axis=0)
    stop = np.max([mask.box.stop for mask in masks], axis=0)
    return Box(tuple(start.tolist()), tuple(stop.tolist()))
