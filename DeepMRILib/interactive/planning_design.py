"""A network for the fingerprints of a dataset's cases, within a limit of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from DeepMRILib.device import in_words
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.fingerprint import CaseFingerprint
from DeepMRILib.interactive.network_plan import NetworkPlan, Normalisation
from DeepMRILib.interactive.options_pipeline import PlanOptions
from DeepMRILib.interactive.planning_rules import (
    divisible_by,
    heads_and_weights,
    kernels_and_strides,
    least_margin,
    target_spacing,
)
from DeepMRILib.interactive.prepare_box import geometry_around
from DeepMRILib.interactive.prepare_grid import Axes, Edges

GIB = 1024**3
_COARSER = 1.05
_COARSEST = 8.0
_LEAST_LESION = 8
"""Voxels that the median lesion keeps along its longest axis, however little memory there is."""


@dataclass(frozen=True, eq=False)
class Designed:
    """A network for a dataset.

    Attributes:
        plan: the network and its input.
        rule: of the spacing: "median", "anisotropic" or "given".
        lesion: the median lesion's box in the network's voxels.
        inputs: the shape of each case's input.
        training, prediction: predicted peak memory in bytes for the largest case (``network_memory``): its arrays on
            all levels. PyTorch itself and its workspaces come on top, 0.1 to 0.2 GiB on a CPU.
        notes: what a reader must know.
    """

    plan: NetworkPlan
    rule: str
    lesion: tuple[float, ...]
    inputs: tuple[Axes, ...]
    training: int
    prediction: int
    notes: tuple[str, ...] = ()


def designed(
    cases: Sequence[CaseFingerprint], channels: tuple[str, ...], labels: tuple[str, ...], options: PlanOptions
) -> Designed:
    """The network for these cases.

    Where a limit of memory is set and the largest case would take more in training, the spacing is made coarser by 5 %
    at a time until it fits: along the axes with the shorter edges as long as these are less than half of the longest,
    then along all.

    Raises:
        InputError: a spacing that is not three lengths, or a limit that no sensible spacing keeps.
    """
    spacing, rule = _spacing(cases, options)
    first = now = _design(cases, channels, labels, (spacing, rule), options)
    limit = options.memory_limit * GIB
    while limit and now.training > limit:
        spacing = _coarser(now.plan.spacing)
        if max(now.lesion) < _LEAST_LESION or max(spacing) > _COARSEST * max(first.plan.spacing):
            raise InputError(
                f"memory_limit is {options.memory_limit:g} GiB. Even with voxels of {_mm(now.plan.spacing)} the "
                f"largest case takes {in_words(now.training)} in training. Set a higher limit."
            )
        now = _design(cases, channels, labels, (spacing, rule), options)
    if now is first:
        return now
    note = (
        f"To keep within {options.memory_limit:g} GiB the voxels were coarsened from {_mm(first.plan.spacing)} to "
        f"{_mm(now.plan.spacing)}: the largest case now takes {in_words(now.training)} in training instead of "
        f"{in_words(first.training)}."
    )
    return Designed(
        plan=now.plan, rule=rule, lesion=now.lesion, inputs=now.inputs, training=now.training,
        prediction=now.prediction, notes=(note,),
    )  # fmt: skip


def normalisations(cases: Sequence[CaseFingerprint], channels: Sequence[str]) -> tuple[Normalisation, ...]:
    """Of each image: CT by the medians over the cases of what was found in the labels, all else by itself."""
    rules = []
    for number, channel in enumerate(channels):
        if channel.strip().upper() != "CT":
            rules.append(Normalisation())
            continue
        low, high, mean, sd = np.median([case.statistics[number] for case in cases], axis=0).tolist()
        rules.append(Normalisation("fixed", low, high, mean, sd if sd > 0 else 1.0))
    return tuple(rules)


def _spacing(cases: Sequence[CaseFingerprint], options: PlanOptions) -> tuple[Edges, str]:
    if not options.spacing:
        return target_spacing([case.spacing for case in cases])
    if len(options.spacing) != 3:
        raise InputError(f"spacing has {len(options.spacing)} values; expected three lengths in mm, or none.")
    return tuple(options.spacing), "given"


def _design(
    cases: Sequence[CaseFingerprint],
    channels: tuple[str, ...],
    labels: tuple[str, ...],
    spacing_rule: tuple[Edges, str],
    options: PlanOptions,
) -> Designed:
    from DeepMRILib.interactive.network_memory import prediction_bytes, training_bytes

    spacing, rule = spacing_rule
    boxes = [resampled_box(case, spacing) for case in cases]
    lesion = tuple(np.median(boxes, axis=0).tolist())
    kernels, strides = kernels_and_strides(lesion, spacing)
    plan = NetworkPlan(
        channels=channels,
        labels=labels,
        spacing=spacing,
        normalisation=normalisations(cases, channels),
        kernels=kernels,
        strides=strides,
        filters=tuple(options.filters * 2**level for level in range(len(strides))),
        heads=heads_and_weights(len(strides))[0],
        divisible_by=divisible_by(strides),
        edge_weight=options.edge_weight,
        relax=options.relax,
        least_margin=least_margin(spacing, np.array([case.beyond for case in cases])),
        negative=options.negative_points,
    )
    inputs = tuple(geometry_around(case.points_ras, case.image_shape, case.affine, plan).shape for case in cases)
    largest = max(int(np.prod(shape)) for shape in inputs)
    return Designed(plan, rule, lesion, inputs, training_bytes(plan, largest), prediction_bytes(plan, largest))


def resampled_box(case: CaseFingerprint, spacing: Edges) -> Axes:
    """The lesion's box in the network's voxels, cut off to whole ones."""
    return tuple(int(n * own / new + 1e-5) for n, own, new in zip(case.lesion_box, case.spacing, spacing, strict=True))


def _coarser(spacing: Edges) -> Edges:
    longest = max(spacing)
    short = [edge < longest / 2 for edge in spacing]
    return tuple(
        round(edge * _COARSER, 6) if this or not any(short) else edge for edge, this in zip(spacing, short, strict=True)
    )


def _mm(spacing: Edges) -> str:
    return " x ".join(f"{edge:.3g}" for edge in spacing) + " mm"
