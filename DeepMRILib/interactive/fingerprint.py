"""What the cases of a dataset are like: their spacings, the sizes of their lesions, their intensities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import Case, CaseData, label_at
from DeepMRILib.interactive.prepare_grid import Axes, Edges, Turn, is_anisotropic
from DeepMRILib.volume import Volume

_AXIS_NAMES = (("L", "R"), ("P", "A"), ("I", "S"))


@dataclass(frozen=True, eq=False)
class CaseFingerprint:
    """One case. Axes are turned to right, anterior and superior.

    Attributes:
        name: of the case.
        subtype: its class.
        shape: voxels of the first image.
        spacing: mm.
        orientation: where the axes of the file point, e.g. "LPS".
        anisotropic: its slices are thick.
        points: how many there are.
        points_inside: all of them lie in their label.
        lesion_box: voxels between the outermost ones of all labels, along each axis.
        beyond: mm that the labels reach beyond the box of the points, the larger of both sides, 0 at least.
        points_ras: (n, 3) of all labels.
        statistics: of each image (4,): the percentiles 0.5 and 99.5, mean and standard deviation inside the labels.
        volume: of all labels in mm3.
        image_shape: of the first image, as in the file.
        affine: (4, 4) of the first image, as in the file.
    """

    name: str
    subtype: str
    shape: Axes
    spacing: Edges
    orientation: str
    anisotropic: bool
    points: int
    points_inside: bool
    lesion_box: Axes
    beyond: Edges
    points_ras: NDArray
    statistics: tuple[tuple[float, float, float, float], ...]
    volume: float
    image_shape: Axes
    affine: NDArray


def fingerprint_of(case: Case, data: CaseData) -> CaseFingerprint:
    """The fingerprint of a case that has a label map and points.

    Raises:
        InputError: it has none.
    """
    image, label = data.images[0], data.label
    if label is None or not data.points:
        raise InputError(f"{case.name}: a case to train on needs a label map and points.")
    turn = Turn.canonical(image.affine)
    inside = np.asarray(label.array) > 0
    voxels = np.argwhere(inside)
    low, high = voxels.min(axis=0), voxels.max(axis=0)
    points = np.concatenate(list(data.points.values()))
    placed = image.voxel_from_ras(points)
    edges = np.array(image.spacing)
    beyond = np.maximum(np.maximum(placed.min(axis=0) - low, high - placed.max(axis=0)), 0) * edges
    order = list(turn.order)
    spacing = tuple(float(edge) for edge in edges[order])
    return CaseFingerprint(
        name=case.name,
        subtype=case.subtype,
        shape=tuple(image.shape[axis] for axis in order),
        spacing=spacing,
        orientation=orientation(image),
        anisotropic=is_anisotropic(spacing),
        points=len(points),
        points_inside=_all_inside(data),
        lesion_box=tuple(int(n) for n in (high - low)[order]),
        beyond=tuple(float(mm) for mm in beyond[order]),
        points_ras=points,
        statistics=tuple(_statistics(each, inside) for each in data.images),
        volume=float(inside.sum() * image.voxel_volume),
        image_shape=image.shape,
        affine=image.affine,
    )


def orientation(volume: Volume) -> str:
    """Where the axes of a volume point, as three letters.

    Example:
        >>> orientation(Volume(np.zeros((2, 2, 2)), np.diag([-1.0, -1.0, 1.0, 1.0])))
        'LPS'
    """
    turn = Turn.canonical(volume.affine)
    letters = [""] * 3
    for a, (axis, flip) in enumerate(zip(turn.order, turn.flips, strict=True)):
        letters[axis] = _AXIS_NAMES[a][0 if flip else 1]
    return "".join(letters)


def _all_inside(data: CaseData) -> bool:
    numbers = {name: number for number, name in data.label.names.items()}
    return all(bool((label_at(some, data.label) == numbers.get(name, -1)).all()) for name, some in data.points.items())


def _statistics(image: Volume, inside: NDArray) -> tuple[float, float, float, float]:
    values = np.asarray(image.array)[inside].astype(float)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0, 0.0, 0.0
    low, high = np.percentile(values, [0.5, 99.5])
    return float(low), float(high), float(values.mean()), float(values.std())
