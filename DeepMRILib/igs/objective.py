"""What the search asks: the loss of a mask, and how it changes with each line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.options import PatternOptions

if TYPE_CHECKING:
    import torch

Network = Any
"""A ``torch.nn.Module``, a ``TrainedNetwork``, or a model's folder or name."""

IMAGE_LOSSES = ("l1", "ssim", "psnr")
"""Losses of the image itself: they need no network."""
TASK_LOSSES = {"segmentation": ("dice", "dice_ce"), "classification": ("ce",), "reconstruction": IMAGE_LOSSES}


class Objective(Protocol):
    """The mean loss over a dataset's slices, as a function of a mask.

    Masks are (contrasts, *shape): ``contrasts`` is 1 where all share one, and ``shape`` that of the encoding.
    """

    encoding: Encoding
    contrasts: int

    def losses(self, masks: Sequence[NDArray], rows: NDArray | None = None) -> NDArray:
        """(m,) the true loss of each mask, without a gradient; of some slices only with ``rows``."""

    def gradient(self, mask: NDArray) -> tuple[float, NDArray]:
        """The loss, and its derivative (contrasts, *shape) with respect to the weight of each line.

        With z the image of the weighted k-space k, r = |z| and s = dL/dr, and G the Fourier transform of s z / |z|:
        dL/dw_j = sum of Re(conj(G_j) k_j) over the line. One transform serves all lines, sampled or not.
        """


def chosen_loss(dataset: SliceDataset, network: Network | None, loss: str) -> str:
    """The loss that a search uses, where ``auto`` goes by the task and by whether there is a network.

    Raises:
        InputError: a loss that does not fit the data, or one that needs a network, without one.
    """
    if loss == "auto":
        loss = "l1" if network is None else {"segmentation": "dice", "classification": "ce"}.get(dataset.task, "l1")
    if loss in IMAGE_LOSSES:
        return loss
    if network is None:
        raise InputError(
            f"The loss {loss} needs a network that does the task. Train one (deepmri igs train), or choose l1, ssim or "
            "psnr, which look at the image alone."
        )
    if loss not in TASK_LOSSES[dataset.task]:
        needed = "a class for each slice" if loss == "ce" else "a label for each pixel"
        raise InputError(
            f"The loss {loss} needs {needed}, and the data are for {dataset.task}. Give such labels, or choose "
            f"{' or '.join(TASK_LOSSES[dataset.task])}."
        )
    return loss


def make_objective(
    dataset: SliceDataset, network: Network | None, encoding: Encoding, options: PatternOptions
) -> Objective:
    """The objective of a search: in numpy without a network, else in PyTorch.

    Args:
        dataset: what the loss is averaged over.
        network: None for the identity, of which the loss looks at the image.
        encoding: the phase-encoded axes.
        options: the loss (already chosen, not ``auto``), per_contrast, batch and device are used.

    Raises:
        InputError: labels of one class only, a loss or a network that does not fit the data.
        WeightsError: the network is damaged or for something else.
        DependencyError: a network needs PyTorch.
    """
    if options.loss in IMAGE_LOSSES and network is None:
        from DeepMRILib.igs.objective_image import ImageObjective

        return ImageObjective(dataset, encoding, options)
    if options.loss not in IMAGE_LOSSES:
        dataset.require_classes()
    require("torch", "A loss behind a network")
    from DeepMRILib.igs.network_objective import NetworkObjective

    return NetworkObjective(dataset, opened(network, dataset, options), encoding, options)


def opened(network: Network, dataset: SliceDataset, options: Any) -> torch.nn.Module:
    """The network as a module, checked against the data."""
    from DeepMRILib.igs.network_opened import open_network

    trust = bool(getattr(options, "trust", False))
    return open_network(Path(network) if isinstance(network, str) else network, dataset, trust=trust)
