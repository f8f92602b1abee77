"""The task networks: MONAI's U-Nets and residual classifiers, of any image size, described by plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.networks.nets import AttentionUnet, ResNet, UNet
from torch import nn
from torch.nn import functional

from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset

KINDS = ("unet", "attention_unet", "resnet")
MOST_FEATURES, MOST_LEVELS = 4096, 8
_RESNET_LEVELS = 4


def design_for(dataset: SliceDataset, kind: str, channels: Sequence[int]) -> dict[str, Any]:
    """The design of a network for a dataset's task.

    Args:
        dataset: says how many contrasts and classes there are, and whether they are slices or volumes.
        kind: unet, attention_unet, resnet, or auto: a residual classifier for classes of whole slices, else a U-Net.
        channels: features of the levels, the finest first.

    Raises:
        InputError: a kind that does not do the task.

    Example:
        >>> import numpy as np
        >>> design_for(SliceDataset(np.zeros((2, 1, 8, 8)), np.array([0, 1])), "auto", (8, 16))["kind"]
        'resnet'
    """
    classifies = dataset.task == "classification"
    if kind == "auto":
        kind = "resnet" if classifies else "unet"
    if classifies != (kind == "resnet"):
        wanted = "resnet" if classifies else "unet or attention_unet"
        raise InputError(f"The network {kind} is not for {dataset.task}. Choose {wanted}, or auto.")
    return {
        "kind": kind,
        "task": dataset.task,
        "spatial": dataset.spatial,
        "in": dataset.contrasts,
        "out": dataset.classes or dataset.contrasts,
        "channels": list(channels),
        "residual_units": 0,
    }


def build_network(design: Mapping[str, Any]) -> TaskNetwork:
    """A new network of a design; its weights are drawn from PyTorch's random numbers.

    Raises:
        InputError: the design is not one of ``design_for``.
    """
    design = _checked(design)
    spatial, channels = design["spatial"], design["channels"]
    common = {"spatial_dims": spatial, "in_channels": design["in"], "out_channels": design["out"]}
    strides = (2,) * (len(channels) - 1)
    if design["kind"] == "unet":
        inner = UNet(**common, channels=channels, strides=strides, num_res_units=design["residual_units"])
    elif design["kind"] == "attention_unet":
        inner = AttentionUnet(**common, channels=channels, strides=strides)
    else:
        # the small first kernel and one block a level: slices of 64 to 256 pixels, not photographs
        inner = ResNet(
            "basic", [1] * _RESNET_LEVELS, _four(channels), spatial, design["in"], conv1_t_size=3,
            num_classes=design["out"],
        )  # fmt: skip
    return TaskNetwork(design, inner)


class TaskNetwork(nn.Module):
    """A network with its design; images that the strides do not divide are padded with their edges, and cropped again.

    Attributes:
        design: as of ``design_for``.
        trained_on: what the training has seen, for those who store the network: ``labels``, ``size``, ``spacing``.
    """

    def __init__(self, design: dict[str, Any], inner: nn.Module) -> None:
        super().__init__()
        self.design = design
        self.trained_on: dict[str, Any] = {}
        self.inner = inner
        levels = _RESNET_LEVELS + 1 if design["kind"] == "resnet" else len(design["channels"])
        self.multiple = 2 ** (levels - 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (b, classes, ...) or (b, classes), or images (b, c, ...), of images (b, c, ...)."""
        shape = images.shape[2:]
        # twice the multiple: normalisation of a single pixel, at the coarsest level, would leave nothing
        padded = [max(2 * self.multiple, -(-n // self.multiple) * self.multiple) for n in shape]
        found = self.inner(_padded(images, padded))
        if self.design["task"] == "classification":
            return found
        cropped = found[(..., *(slice((m - n) // 2, (m - n) // 2 + n) for n, m in zip(shape, padded, strict=True)))]
        # a reconstruction begins with what is there: the network learns the difference
        return cropped + images if self.design["task"] == "reconstruction" else cropped


def _padded(images: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    pads: list[int] = []
    for n, m in reversed(list(zip(images.shape[2:], sizes, strict=True))):
        pads += [(m - n) // 2, m - n - (m - n) // 2]
    return functional.pad(images, pads, mode="replicate") if any(pads) else images


def _four(channels: Sequence[int]) -> list[int]:
    """The features of a residual network's four levels: further ones double."""
    found = list(channels[:_RESNET_LEVELS])
    while len(found) < _RESNET_LEVELS:
        found.append(2 * found[-1])
    return found


def _checked(design: Mapping[str, Any]) -> dict[str, Any]:
    """The design, if a network can be built of it: it may come from a file of anyone's."""
    found = {"residual_units": 0, **design}
    known = {"kind", "task", "spatial", "in", "out", "channels", "residual_units"}
    if set(found) != known:
        raise _unusable(f"its entries are {', '.join(sorted(map(str, found)))}")
    if found["kind"] not in KINDS or found["task"] not in ("segmentation", "classification", "reconstruction"):
        raise _unusable(f"it is {found['kind']!r} for {found['task']!r}")
    if (found["kind"] == "resnet") != (found["task"] == "classification"):
        raise _unusable(f"{found['kind']} does no {found['task']}")
    limits = {"spatial": (2, 3), "in": (1, 1024), "out": (1, 1024), "residual_units": (0, 8)}
    for name, (least, most) in limits.items():
        if type(found[name]) is not int or not least <= found[name] <= most:
            raise _unusable(f"its {name} is {found[name]!r}")
    channels = found["channels"]
    usable = isinstance(channels, (list, tuple)) and all(type(n) is int and 1 <= n <= MOST_FEATURES for n in channels)
    if not usable or not 2 <= len(channels) <= MOST_LEVELS:
        raise InputError(
            f"The network's channels are {channels!r}; expected 2 to {MOST_LEVELS} whole numbers, the features of its "
            "levels, such as 8 16 32 64."
        )
    return {**found, "channels": list(channels)}


def _unusable(fault: str) -> InputError:
    return InputError(f"This design of a network cannot be built: {fault}. Train the network again.")
