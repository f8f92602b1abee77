"""The weights that a network of a plan has, told without making it: damaged models are refused before that."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.prepare_maps import MAPS

FEWEST_LEVELS = 3
AGAIN = "Train it again with this version of DeepMRI, or get a whole copy."

Shape = tuple[int, ...]


def weight_shapes(plan: NetworkPlan) -> dict[str, Shape]:
    """Name to shape of each weight of MONAI's DynUNet, in its order; none that it lists a second time."""
    filters, kernels, strides = plan.filters[: len(plan.strides)], plan.kernels, plan.strides
    shapes = _block("input_block", plan.inputs, filters[0], kernels[0])
    for n in range(1, len(filters) - 1):
        shapes |= _block(f"downsamples.{n - 1}", filters[n - 1], filters[n], kernels[n])
    shapes |= _block("bottleneck", filters[-2], filters[-1], kernels[-1])
    for n, level in enumerate(range(len(filters) - 1, 0, -1)):
        below, here = filters[level], filters[level - 1]
        shapes[f"upsamples.{n}.transp_conv.conv.weight"] = (below, here, *strides[level])
        shapes |= _block(f"upsamples.{n}.conv_block", 2 * here, here, kernels[level])
    shapes |= _output("output_block", plan.outputs, filters[0])
    for n in range(plan.heads):
        shapes |= _output(f"deep_supervision_heads.{n}", plan.outputs, filters[n + 1])
    return shapes


def _block(name: str, before: int, after: int, kernel: Shape) -> dict[str, Shape]:
    return {
        f"{name}.conv1.conv.weight": (after, before, *kernel),
        f"{name}.conv2.conv.weight": (after, after, *kernel),
    }


def _output(name: str, outputs: int, channels: int) -> dict[str, Shape]:
    return {f"{name}.conv.conv.weight": (outputs, channels, 1, 1, 1), f"{name}.conv.conv.bias": (outputs,)}


def check_plan(plan: NetworkPlan) -> None:
    """Refuse a plan of which no network can be made.

    Raises:
        TypeError: a part is of another kind.
        ValueError: its parts do not fit together; in both cases the text says which.
    """
    _check_kinds(plan)
    levels = len(plan.strides)
    if levels < FEWEST_LEVELS or len(plan.kernels) != levels or len(plan.filters) < levels:
        raise ValueError(
            f"its network has {levels} strides, {len(plan.kernels)} kernels and {len(plan.filters)} filters; expected "
            f"at least {FEWEST_LEVELS}, and as many of each."
        )
    if not 0 <= plan.heads <= levels - 2:
        raise ValueError(f"its network of {levels} levels has {plan.heads} heads; expected 0 to {levels - 2}.")
    if not plan.channels or not plan.labels or len(plan.normalisation) != len(plan.channels):
        raise ValueError(
            f"its plan has {len(plan.channels)} images, {len(plan.normalisation)} normalisations and "
            f"{len(plan.labels)} labels; expected at least one image and one label, and a normalisation of each image."
        )
    whole = [*plan.kernels, *plan.strides, plan.divisible_by, plan.least_margin]
    if not all(len(axes) == 3 and all(type(n) is int and n >= 0 for n in axes) for axes in whole):
        raise ValueError("its kernels, strides or margins are not three whole numbers each.")
    if not all(n > 0 for axes in (*plan.kernels, *plan.strides) for n in axes):
        raise ValueError("its kernels or strides hold a 0.")
    if not all(type(n) is int and n > 0 for n in plan.filters):
        raise ValueError("its filters are not whole numbers above 0.")
    if len(plan.spacing) != 3 or not all(0 < edge < 1000 for edge in plan.spacing):
        raise ValueError(f"its spacing is {plan.spacing}; expected three lengths in mm.")
    if plan.fixed_shape and not (
        len(plan.fixed_shape) == 3 and all(type(n) is int and n > 0 for n in plan.fixed_shape)
    ):
        raise ValueError(f"its fixed shape is {plan.fixed_shape}; expected three whole numbers above 0, or none.")
    _check_input(plan)


def _check_kinds(plan: NetworkPlan) -> None:
    """Refuse entries of another kind than a plan has: a file may hold anything."""
    lists = ("channels", "labels", "spacing", "kernels", "strides", "filters", "divisible_by", "least_margin", "maps")
    for name in (*lists, "fixed_shape"):
        if not isinstance(getattr(plan, name), tuple):
            raise TypeError(f"its {name} is {getattr(plan, name)!r}; expected a list.")
    if not all(isinstance(axes, tuple) for axes in (*plan.kernels, *plan.strides)):
        raise TypeError("its kernels and strides are not lists of three whole numbers each.")
    if not all(isinstance(text, str) for text in (*plan.channels, *plan.labels, *plan.maps)):
        raise TypeError("its channels, labels and maps are not texts.")
    if len(set(plan.labels)) < len(plan.labels):
        raise ValueError("two of its labels have one name.")
    if type(plan.heads) is not int or type(plan.negative) is not bool:
        raise TypeError(f"its heads are {plan.heads!r} and its negative is {plan.negative!r}.")
    scales = [number for one in plan.normalisation for number in (one.low, one.high, one.mean, one.sd)]
    numbers = [plan.edge_weight, plan.relax, plan.depth, *plan.spacing, *scales]
    if not all(type(number) in (int, float) and -1e300 < number < 1e300 for number in numbers):
        raise ValueError("its spacing, edge weight, margin, depth and normalisations are not all finite numbers.")


def _check_input(plan: NetworkPlan) -> None:
    """Refuse what the preparation of images does not know."""
    steps = [math.prod(strides[axis] for strides in plan.strides) for axis in range(3)]
    if any(size < 1 or size % step for size, step in zip(plan.divisible_by, steps, strict=True)):
        raise ValueError(f"its inputs are multiples of {plan.divisible_by}, and its strides need {tuple(steps)}.")
    if plan.geodesic not in ("converged", "compat") or plan.orientation not in ("canonical", "file"):
        raise ValueError(f"its geodesic map is {plan.geodesic!r} and its orientation {plan.orientation!r}.")
    if any(one.kind not in ("zscore", "fixed", "robust") or not one.sd > 0 for one in plan.normalisation):
        raise ValueError("one of its normalisations is unknown or divides by 0.")
    if not plan.maps or not set(plan.maps) <= {"geodesic", *MAPS} or (plan.as_upstream and plan.maps != ("geodesic",)):
        raise ValueError(f"its maps of the points are {plan.maps}; expected geodesic, {', '.join(MAPS)}.")
    if not 0 <= plan.depth <= 1000:
        raise ValueError(f"its points lie {plan.depth} mm inside the margin.")
    if not 0 <= plan.edge_weight <= 1 or not 0 <= plan.relax <= 10:
        raise ValueError(f"its edge weight is {plan.edge_weight} and its margin {plan.relax}.")


def check_weights(name: str, weights: Mapping[str, NDArray], plan: NetworkPlan, folds: tuple[int, ...]) -> None:
    """Refuse weights that are not those of the plan's networks.

    Args:
        name: of the model, for the sentence.
        weights: ``fold<k>.<weight>`` to array.
        plan: of each network.
        folds: the numbers k.

    Raises:
        WeightsError: one is missing, too many, of another shape, or holds no finite numbers.
    """
    shapes = weight_shapes(plan)
    expected = {fold_key(fold, key): shape for fold in folds for key, shape in shapes.items()}
    for key in sorted(set(expected) ^ set(weights)):
        fault = "lacks the weights" if key in expected else "has unknown weights"
        raise WeightsError(f"The network {name} {fault} {key}. {AGAIN}")
    for key, shape in expected.items():
        if weights[key].shape != shape:
            raise WeightsError(
                f"The weights {key} of the network {name} have the shape {weights[key].shape}; by its model.json they "
                f"have {shape}. {AGAIN}"
            )
        if weights[key].dtype.kind != "f" or not np.isfinite(weights[key]).all():
            raise WeightsError(f"The weights {key} of the network {name} are no finite numbers. {AGAIN}")


def fold_key(fold: int, name: str) -> str:
    """What a weight of a fold's network is called in a model's file.

    Example:
        >>> fold_key(0, "output_block.conv.conv.bias")
        'fold0.output_block.conv.conv.bias'
    """
    return f"fold{fold}.{name}"
