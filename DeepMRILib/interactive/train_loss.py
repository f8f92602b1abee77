"""What a network is trained to lower, and what it is judged by."""

from __future__ import annotations

import torch

SMOOTH = 1e-5


def dice_ce(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - Dice plus cross entropy, as MONAI's ``DiceCELoss(to_onehot_y=True, softmax=True)``: background included.

    Args:
        logits: (n, outputs, i, j, k) before the softmax.
        target: (n, i, j, k) whole numbers below ``outputs``.

    Returns:
        The mean over n and the outputs, one number.
    """
    target = target.long()[:, None]
    logs = torch.log_softmax(logits.float(), dim=1)
    entropy = -logs.gather(1, target).mean()
    found = logs.exp()
    truth = torch.zeros_like(found).scatter_(1, target, 1.0)
    axes = (2, 3, 4)
    overlap = (found * truth).sum(axes)
    dice = (2 * overlap + SMOOTH) / (found.sum(axes) + truth.sum(axes) + SMOOTH)
    return (1 - dice).mean() + entropy


def supervised(outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss at every depth, each counting half of the one before, together 1.

    Args:
        outputs: (n, 1 + heads, outputs, i, j, k), the full resolution first; or (n, outputs, i, j, k) without heads.
        target: (n, i, j, k).
    """
    if outputs.ndim == 5:
        return dice_ce(outputs, target)
    weights = [0.5**depth for depth in range(outputs.shape[1])]
    losses = [weight * dice_ce(one, target) for weight, one in zip(weights, outputs.unbind(1), strict=True)]
    return torch.stack(losses).sum() / sum(weights)


def one_minus_dice(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """1 - Dice of the winners, mean over the labels that are in the target; one number.

    Args:
        logits: (n, outputs, i, j, k).
        target: (n, i, j, k).
    """
    found = logits.argmax(dim=1)
    scores = []
    for label in range(1, logits.shape[1]):
        here, truth = found == label, target == label
        both = here.sum() + truth.sum()
        if truth.any():
            scores.append(2 * (here & truth).sum() / both)
    return 1 - torch.stack(scores).mean() if scores else torch.zeros((), device=logits.device)
