"""How much memory a network takes, told before it computes."""

from __future__ import annotations

import math

from DeepMRILib import device as devices
from DeepMRILib.interactive.network_plan import NetworkPlan

BYTES = 4
GIB = 1024**3
# What PyTorch keeps at its peak, fitted to the resident memory of 11 runs on a CPU (2 to 16 times 4 filters, 96^3
# voxels, 32 and 16 bits): what is told here was 0.9 to 2.2 times of that.
_PREDICTION_ARRAYS = 3  # of the largest level: skip connection, up-sampled, joined
_PREDICTION_SPACE = 30  # of each input voxel: convolutions of few channels are computed as if they had 16
_TRAINING_ARRAYS = 10  # of all levels: inputs of all layers, for the gradient
_CHECKPOINTED_ARRAYS = 5
_TRAINING_SPACE, _HALF_SPACE = 50, 20
_LOSS_ARRAYS = 8  # softmax, logarithm, one-hot target and the gradients of each output


def prediction_bytes(plan: NetworkPlan, voxels: int) -> int:
    """The peak of a prediction on an input of so many voxels, one flip at a time."""
    widest = max(_level_sizes(plan, voxels))
    return int(BYTES * (_PREDICTION_ARRAYS * widest + voxels * (_PREDICTION_SPACE + plan.inputs + 4 * plan.outputs)))


def training_bytes(plan: NetworkPlan, voxels: int, *, checkpointed: bool = False, half: bool = False) -> int:
    """The peak of a training step on one input of so many voxels.

    Args:
        plan: the network.
        voxels: of the input.
        checkpointed: activations are computed again instead of kept.
        half: computed in 16 bits.
    """
    kept = (_CHECKPOINTED_ARRAYS if checkpointed else _TRAINING_ARRAYS) * sum(_level_sizes(plan, voxels))
    space = _HALF_SPACE if half and not checkpointed else _TRAINING_SPACE
    outputs = plan.outputs * (1 + plan.heads) * _LOSS_ARRAYS
    return int(BYTES * (kept + voxels * (space + outputs + plan.inputs)))


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
