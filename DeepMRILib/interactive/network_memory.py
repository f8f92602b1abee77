"""How much memory a network takes, told before it computes."""

from __future__ import annotations

import math

from DeepMRILib import device as devices
from DeepMRILib.interactive.network_plan import NetworkPlan

BYTES = 4
GIB = 1024**3
# What PyTorch keeps at once, in arrays of a level's size and its number of filters.
_PREDICTION_ARRAYS = 7  # skip connection, up-sampled, both joined, a convolution and its workspace
_TRAINING_ARRAYS = 16  # for the gradient also the inputs of all layers of both halves of the network
_CHECKPOINTED_ARRAYS = 5  # without those that are computed again
_LOSS_ARRAYS = 8  # softmax, logarithm, one-hot target and the gradients of each output


def prediction_bytes(plan: NetworkPlan, voxels: int) -> int:
    """The peak of a prediction on an input of so many voxels, one flip at a time."""
    widest = max(_level_sizes(plan, voxels))
    return int(BYTES * (_PREDICTION_ARRAYS * widest + voxels * (plan.inputs + 4 * plan.outputs)))


def training_bytes(plan: NetworkPlan, voxels: int, *, checkpointed: bool = False, half: bool = False) -> int:
    """The peak of a training step on one input of so many voxels.

    Args:
        plan: the network.
        voxels: of the input.
        checkpointed: activations are computed again instead of kept.
        half: activations have 16 bits.
    """
    arrays = _CHECKPOINTED_ARRAYS if checkpointed else _TRAINING_ARRAYS
    kept = arrays * sum(_level_sizes(plan, voxels)) / (2 if half else 1)
    outputs = voxels * plan.outputs * (1 + plan.heads) * _LOSS_ARRAYS
    return int(BYTES * (kept + outputs + 2 * voxels * plan.inputs))


def most_voxels(plan: NetworkPlan, gib: float, *, training: bool = False, checkpointed: bool = False) -> int:
    """The voxels of the largest input that fits into so many GiB; 0, for any number, when ``gib`` is 0."""
    one_million = training_bytes(plan, 10**6, checkpointed=checkpointed) if training else prediction_bytes(plan, 10**6)
    return int(gib * GIB / one_million * 10**6)


def check_prediction(plan: NetworkPlan, voxels: int, device: str, advice: str) -> None:
    """Say before a prediction that it does not fit.

    Raises:
        DeviceMemoryError: with what is needed, what is free, and ``advice``.
    """
    needed = prediction_bytes(plan, voxels)
    devices.needs(device, needed, f"Segmenting a part of {voxels / 1e6:.1f} million voxels with the network", advice)


def _level_sizes(plan: NetworkPlan, voxels: int) -> list[float]:
    """Values of one array of each level."""
    sizes, left = [], float(voxels)
    for strides, filters in zip(plan.strides, plan.filters, strict=False):
        left /= math.prod(strides)
        sizes.append(left * filters)
    return sizes
