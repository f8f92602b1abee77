"""The plan of a network that was trained with InteractiveNet, from its plans.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.network_plan import NetworkPlan, Normalisation
from DeepMRILib.interactive.planning_rules import LEAST_MARGIN, divisible_by

FILTERS = (4, 8, 16, 32, 64, 128)
"""Of InteractiveNet's networks, from full resolution down."""


def plan_from_upstream(content: Mapping[str, Any], *, labels: Sequence[str] = ("lesion",)) -> NetworkPlan:
    """The plan that an InteractiveNet plans.json describes: its axes, boxes, values and geodesic maps, to the voxel.

    Args:
        content: of plans.json.
        labels: what the network segments; plans.json does not say.

    Raises:
        InputError: an entry is missing or of another kind.
    """
    try:
        fingerprint, plans = content["Fingerprint"], content["Plans"]
        strides = tuple(_axes(stride) for stride in plans["strides"])
        kernels = tuple(_axes(kernel) for kernel in plans["kernels"])
        spacing = tuple(float(edge) for edge in fingerprint["Target spacing"])
        ct = bool(fingerprint["CT"])
        rule = _fixed(fingerprint) if ct else Normalisation()
        heads = int(plans["deep supervision"])
        relax = float(plans["padding"])
        divisor = _axes(plans.get("divisible by", divisible_by(strides)))
    except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
        raise InputError(
            f"This is no plans.json of InteractiveNet ({type(error).__name__}: {error}). Give the one that lies beside "
            "the network's folds."
        ) from error
    levels = len(strides)
    if not 3 <= levels <= len(FILTERS) or len(kernels) != levels or divisor != divisible_by(strides):
        raise InputError(
            f"plans.json describes a network of {levels} strides and {len(kernels)} kernels with inputs divisible by "
            f"{divisor}, which cannot be built. Give the one that lies beside the network's folds."
        )
    if len(spacing) != 3 or min(spacing) <= 0 or not 0 <= heads <= levels - 2 or not 0 <= relax <= 10:
        raise InputError(
            f"plans.json has the spacing {spacing}, {heads} heads and the padding {relax}, which cannot be used. Give "
            "the one that lies beside the network's folds."
        )
    return NetworkPlan(
        channels=("CT" if ct else "MR",),
        labels=tuple(labels),
        spacing=spacing,
        normalisation=(rule,),
        kernels=kernels,
        strides=strides,
        filters=FILTERS[:levels],
        heads=heads,
        divisible_by=divisor,
        geodesic="compat",
        edge_weight=1.0,
        relax=relax,
        least_margin=(LEAST_MARGIN,) * 3,
        orientation="file",
    )


def _axes(values: Any) -> tuple[int, int, int]:
    axes = tuple(int(value) for value in values)
    if len(axes) != 3 or min(axes) < 1:
        raise ValueError(f"{values!r} are not three whole numbers above 0")
    return axes


def _fixed(fingerprint: Mapping[str, Any]) -> Normalisation:
    low, high = (float(value) for value in fingerprint["Clipping"])
    mean, sd = float(fingerprint["Intensity_mean"]), float(fingerprint["Intensity_std"])
    if not low < high or not sd > 0:
        raise ValueError(f"clipping {low:g} to {high:g} with a standard deviation of {sd:g}")
    return Normalisation("fixed", low, high, mean, sd)
