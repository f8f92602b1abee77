"""How the network for perivascular spaces learns: patches on demand, the loss, and the mean of its weights."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from DeepMRILib.network_half import computing, half_type
from DeepMRILib.pvs.agreement import average_precision
from DeepMRILib.pvs.lifelike import LEAST_SHARE, Patch, lifelike_patch
from DeepMRILib.pvs.lifelike_anatomy import Anatomy

GENERATOR = 2
"""Counted up when the patch of a seed changes."""
DECAY = 0.998
"""Of the mean of the weights: over about 500 steps."""
ENTROPY = 10.0
"""Weight of the cross-entropy beside the Dice: spaces are one voxel in some hundred."""
RARE = 20.0
"""How much more a voxel of a space counts in the cross-entropy at the start; without it, learning begins late."""


class Averaged(nn.Module):
    """A network and the running mean of its weights, which answers when it is not trained (Polyak averaging).

    Attributes:
        network: what is trained.
        average: the same with the mean weights.
    """

    def __init__(self, network: nn.Module, decay: float = DECAY) -> None:
        super().__init__()
        self.network, self.average = network, copy.deepcopy(network).requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits (n, 1, x, y, z)."""
        return (self.network if self.training else self.average).logits(images)

    @torch.no_grad()
    def follow(self) -> None:
        """Take the weights of this step into the mean, that of all steps at first."""
        self.steps += 1
        count = int(self.steps)
        decay = min(self.decay, count / (count + 10))
        for mean, value in zip(self.average.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)
        for kept, value in zip(self.average.buffers(), self.network.buffers(), strict=True):
            kept.copy_(value)  # running means already


class PatchSet(torch.utils.data.Dataset):
    """Life-like patches by number, made when they are asked for.

    Args:
        anatomies: heads, of which patches take turns.
        first: the seed of patch 0.
        count: how many there are.
        edge: voxels along each side.
    """

    def __init__(self, anatomies: Sequence[Anatomy], first: int, count: int, edge: int) -> None:
        self.anatomies, self.first, self.count, self.edge = tuple(anatomies), first, count, edge

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Image (1, n, n, n), and how much of each voxel spaces fill (1, n, n, n), float32."""
        patch = self.patch(index)
        return torch.from_numpy(patch.image)[None], torch.from_numpy(patch.share)[None]

    def patch(self, index: int) -> Patch:
        """With all that is known of it."""
        seed = self.first + index
        return lifelike_patch(self.anatomies[seed % len(self.anatomies)], seed, self.edge)


def target_of(share: torch.Tensor) -> torch.Tensor:
    """What the network is to answer: from 0 where spaces fill 10 % of a voxel to 1 at 40 %.

    Example:
        >>> target_of(torch.tensor([0.0625, 0.25, 1.0]))
        tensor([0.0000, 0.5000, 1.0000])
    """
    return ((share - LEAST_SHARE) / 0.3 + 0.5).clamp(0, 1)


class _Asking:
    """How the network is asked."""

    def __init__(self, device: str) -> None:
        self.device, self.dtype = device, half_type(device)

    def logits(self, model: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """In 16 bits where that is faster, given back in 32."""
        if self.dtype is not None:
            images = images.contiguous(memory_format=torch.channels_last_3d)
        with computing(self.device, self.dtype):
            return model(images).float()


class Learning(_Asking):
    """The loss of training.

    Args:
        device: a resolved one.
        steps: until voxels of spaces count no more than others in the cross-entropy; 0 where they never do.
    """

    def __init__(self, device: str, steps: int) -> None:
        super().__init__(device)
        self.steps = steps

    def __call__(self, model: Averaged, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """1 - Dice of the batch + 10 times the mean cross-entropy, both against the soft target."""
        images, share = batch
        model.follow()
        logits = self.logits(model, images)
        target = target_of(share)
        probability = torch.sigmoid(logits)
        both = 2 * (probability * target).sum() + 1
        dice = both / ((probability**2).sum() + (target**2).sum() + 1)
        weight = self.rare(int(model.steps))
        entropy = functional.binary_cross_entropy_with_logits(logits, target, pos_weight=logits.new_tensor(weight))
        return 1 - dice + ENTROPY * entropy

    def rare(self, step: int) -> float:
        """How much more a voxel of a space counts; falls exponentially.

        Example:
            >>> learning = Learning("cpu", steps=100)
            >>> learning.rare(0), learning.rare(100), learning.rare(500)
            (20.0, 1.0, 1.0)
        """
        return RARE ** max(0.0, 1 - step / self.steps) if self.steps else 1.0


class Judging(_Asking):
    """What is watched: 1 - average precision of the voxels of a batch."""

    def __call__(self, model: Averaged, batch: Sequence[torch.Tensor]) -> torch.Tensor:
        """The area above the precision-recall curve."""
        images, share = batch
        logits = self.logits(model, images)
        truth = share.numpy(force=True) >= LEAST_SHARE
        if not truth.any():
            return torch.ones(())
        return torch.tensor(1 - average_precision(logits.numpy(force=True).ravel(), truth.ravel()))
