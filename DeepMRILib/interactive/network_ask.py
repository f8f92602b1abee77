"""A network asked about one case: images and points in, memberships on the image's own grid out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.crop import Box
from DeepMRILib.interactive.network_evidence import competing
from DeepMRILib.interactive.network_forward import Ensemble
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.prepare import How, Prepared, input_voxels, prepare, restore
from DeepMRILib.progress import Progress, part
from DeepMRILib.volume import Volume

_ATTEMPTS = 12
_SLACK = 1.03
_COARSEST = 4.0  # times the plan's voxels; beyond, a lesion is a few voxels


@dataclass(frozen=True)
class Asking:
    """How a network is asked.

    Attributes:
        flips: mean of the input turned round in eight ways.
        first_only: only the first of several networks.
        how: what is interpolated onto the image's grid (``prepare.restore``).
        most: voxels of the largest input; a larger one is looked at more coarsely. 0 for any.
        depth: mm that the points lie inside the margin.
    """

    flips: bool = True
    first_only: bool = False
    how: How = "probability"
    most: int = 0
    depth: float = 5.0


@dataclass(frozen=True, eq=False)
class Found:
    """What a network says of a case.

    Attributes:
        membership: (labels + 1, i, j, k) float32 of a part of the first image, the background first; sums to 1.
        box: where the part lies; beyond it all is background.
        notes: what a reader must know, one sentence each.
    """

    membership: NDArray
    box: Box
    notes: tuple[str, ...] = ()


def asked(
    ensemble: Ensemble,
    images: Sequence[Volume],
    points: Sequence[NDArray],
    asking: Asking,
    *,
    negative: ArrayLike | None = None,
    progress: Progress,
) -> Found:
    """The memberships of labels, each with its points (n, 3) in RAS mm; a label without points is nowhere.

    A network of as many labels answers at once. One of a single label is asked for each in turn, with the points of the
    others as negative ones if it takes such, and the labels compete by their odds.

    Raises:
        InputError: as ``prepare``; none of the labels has points.
    """
    names = ensemble.plan.labels
    with_points = [n for n, some in enumerate(points) if len(some)]
    if not with_points:
        raise InputError("There are no points. Place at least six just inside the margin of what is to be segmented.")
    if len(names) == len(points):
        given = {names[n]: points[n] for n in with_points}
        found = _once(ensemble, images, given, _told(ensemble.plan, negative, ()), asking=asking, progress=progress)
        return replace(found, membership=_only(found.membership, with_points))
    parts = []
    for done, n in enumerate(with_points):
        others = [points[m] for m in with_points if m != n]
        told = _told(ensemble.plan, negative, others)
        step = part(progress, done / len(with_points), (done + 1) / len(with_points))
        parts.append(_once(ensemble, images, {names[0]: points[n]}, told, asking=asking, progress=step))
    box = _around([found.box for found in parts])
    probabilities = np.zeros((len(points), *box.shape), dtype=np.float32)
    for n, found in zip(with_points, parts, strict=True):
        probabilities[n][_within(found.box, box)] = found.membership[1]
    notes = dict.fromkeys(note for found in parts for note in found.notes)
    return Found(competing(probabilities), box, tuple(notes))


def _once(
    ensemble: Ensemble,
    images: Sequence[Volume],
    points: Mapping[str, NDArray],
    negative: NDArray | None,
    *,
    asking: Asking,
    progress: Progress,
) -> Found:
    plan = replace(ensemble.plan, depth=asking.depth)
    ready, notes = prepared_within(images, points, plan, asking.most, negative=negative)
    outputs = ensemble.probability(
        ready.input,
        flips=asking.flips,
        first_only=asking.first_only,
        softmax=asking.how != "weights",
        progress=progress,
    )
    membership, box = restore(outputs, ready.geometry, how=asking.how)
    return Found(membership, box, notes)


def prepared_within(
    images: Sequence[Volume],
    points: Mapping[str, NDArray],
    plan: NetworkPlan,
    most: int,
    *,
    negative: ArrayLike | None = None,
    label: Volume | None = None,
) -> tuple[Prepared, tuple[str, ...]]:
    """A case as a network takes it, looked at more coarsely where its input would have more than ``most`` voxels.

    Returns:
        The case, and a sentence about the voxels where they are larger than planned.

    Raises:
        InputError: as ``prepare``, or the smallest possible input is still too large.
    """

    def ready(wanted: NetworkPlan) -> Prepared:
        return prepare(images, points, wanted, negative=negative, label=label)

    if not most or plan.fixed_shape:
        return ready(plan), ()
    coarser = plan
    for _ in range(_ATTEMPTS):
        voxels = input_voxels(images, points, coarser)
        if voxels <= most:
            break
        factor = _SLACK * max(voxels / most, 1.1) ** (1 / 3)
        coarser = replace(coarser, spacing=tuple(edge * factor for edge in coarser.spacing))
        if max(coarser.spacing) > _COARSEST * max(plan.spacing):
            raise InputError(_too_little(most, voxels))
    else:
        raise InputError(_too_little(most, voxels))
    if coarser is plan:
        return ready(plan), ()
    ratio = coarser.spacing[0] / plan.spacing[0]
    return ready(coarser), (
        f"To keep within memory_limit, a case was looked at with voxels {ratio:.2f} times as long.",
    )


def _too_little(most: int, voxels: int) -> str:
    return (
        f"memory_limit leaves room for {most} voxels, and a case has {voxels} even when looked at coarsely. Set a "
        "higher limit."
    )


def _told(plan: NetworkPlan, negative: ArrayLike | None, others: Sequence[NDArray]) -> NDArray | None:
    """The negative points that a network is told; None for one that takes none."""
    if not plan.negative:
        return None
    given = [] if negative is None or not len(negative) else [np.asarray(negative, dtype=float)]
    return np.concatenate([np.zeros((0, 3)), *given, *others])


def _only(membership: NDArray, kept: Sequence[int]) -> NDArray:
    """Memberships with none of the labels that have no points."""
    if len(kept) == len(membership) - 1:
        return membership
    found = np.zeros_like(membership)
    rows = [0, *(n + 1 for n in kept)]
    found[rows] = membership[rows] / np.maximum(membership[rows].sum(axis=0), np.float32(1e-6))
    return found


def _around(boxes: Sequence[Box]) -> Box:
    start = np.min([box.start for box in boxes], axis=0)
    stop = np.max([box.stop for box in boxes], axis=0)
    return Box(tuple(start.tolist()), tuple(stop.tolist()))


def _within(box: Box, outer: Box) -> tuple[slice, slice, slice]:
    """The index of a box in an array of a larger one."""
    return tuple(
        slice(first - begin, last - begin) for first, last, begin in zip(box.start, box.stop, outer.start, strict=True)
    )
