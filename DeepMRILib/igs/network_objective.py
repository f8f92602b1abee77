"""The loss behind a frozen network as a function of the mask, with its gradient for all lines at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib.device import out_of_memory_as_error, resolve
from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.image_losses import scales
from DeepMRILib.igs.network_frozen import frozen
from DeepMRILib.igs.network_kspace import EncodedSlices, Rows
from DeepMRILib.igs.network_losses import loss_function
from DeepMRILib.igs.network_parallel import mapped, step_of
from DeepMRILib.igs.objective import IMAGE_LOSSES
from DeepMRILib.igs.options import PatternOptions

NO_DERIVATIVE = (
    "The network's output has no derivative with respect to its input (it is cut off inside, as by detach), and the "
    "search needs it. Export a network that can be differentiated."
)


class NetworkObjective:
    """See ``objective.Objective``: the mean over slices of loss(network((|z| - mean) / deviation), target).

    Mean and deviation are of the full image (Razumov et al., arXiv 2108.04914). The loss is of each slice by itself,
    so that the batch, which is only as large as memory and caches like, changes nothing.

    Args:
        dataset: what the loss is averaged over.
        module: takes (b, c, *spatial) and returns logits, or normalised images where the loss is one of images; a copy
            of it is frozen.
        encoding: the phase-encoded axes.
        options: loss, per_contrast, batch and device are used.
        dtype: float64 for checks.
    """

    def __init__(
        self,
        dataset: SliceDataset,
        module: torch.nn.Module,
        encoding: Encoding,
        options: PatternOptions,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.encoding = encoding
        self.contrasts = dataset.contrasts if options.per_contrast else 1
        self.device, self.batch = resolve(options.device), options.batch
        self.is_of_images = options.loss in IMAGE_LOSSES
        self.loss = loss_function(options.loss)
        with self._enough_memory():
            self.network = frozen(module, self.device, dtype)
            self.slices = EncodedSlices(dataset, encoding, self.device, dtype)
            column = [1] * dataset.spatial
            self.mean, self.deviation = (
                torch.from_numpy(part).to(dtype).reshape(*part.shape, *column) for part in dataset.normalisation()
            )
            target = dataset.truth() if self.is_of_images else dataset.targets
            self.target = torch.from_numpy(np.ascontiguousarray(target))
            if self.is_of_images:
                units = scales("l1", target, dataset.normalisation()[1])
                self.units = torch.from_numpy(units).to(dtype).reshape(*units.shape, *column)
                self.target = self.target.to(dtype) / self.units

    def losses(self, masks: Sequence[NDArray], rows: NDArray | None = None) -> NDArray:
        """(m,) the mean loss with each mask (contrasts, *shape), of all slices or those of ``rows``."""
        return self.slice_losses(masks, rows).mean(axis=1)

    def slice_losses(self, masks: Sequence[NDArray], rows: NDArray | None = None) -> NDArray:
        """(m, n) float64: the loss of each slice with each mask."""
        with self._enough_memory():
            spread = [self.slices.spread(mask) for mask in masks]

            def found(rows: Rows) -> NDArray:
                with torch.inference_mode():
                    kspace, maps = self.slices.part(rows)
                    seen = (self.slices.seen(kspace, maps, weights).magnitudes for weights in spread)
                    return torch.stack([self._loss(magnitudes, rows) for magnitudes in seen]).cpu().double().numpy()

            return np.concatenate(mapped(found, self._batches(rows), self.device), axis=1)

    def gradient(self, mask: NDArray, rows: NDArray | None = None) -> tuple[float, NDArray]:
        """The mean loss, and its derivative (contrasts, *shape) with respect to the weight of each line.

        PyTorch differentiates the network and the loss down to the magnitudes; from there on see
        ``EncodedSlices.gradient``.

        Args:
            mask: (contrasts, *shape) bool, or weights of any value.
            rows: slices to average over; all of them by default.

        Raises:
            InputError: the network cannot be differentiated.
        """
        with self._enough_memory():
            weights = self.slices.spread(mask)

            def found(rows: Rows) -> tuple[NDArray, NDArray]:
                with torch.no_grad():
                    seen = self.slices.seen(*self.slices.part(rows), weights)
                magnitudes = seen.magnitudes.requires_grad_()
                with torch.enable_grad():
                    losses = self._loss(magnitudes, rows)
                    if not losses.requires_grad:
                        raise InputError(NO_DERIVATIVE)
                    (slope,) = torch.autograd.grad(losses.sum(), magnitudes)
                with torch.no_grad():
                    return losses.cpu().double().numpy(), self.slices.gradient(seen, slope)

            losses, slopes = zip(*mapped(found, self._batches(rows), self.device), strict=True)
        every = np.concatenate(losses)
        summed = sum(slopes) / len(every)
        return float(every.mean()), summed if self.contrasts > 1 else summed.sum(axis=0, keepdims=True)

    def _loss(self, magnitudes: torch.Tensor, rows: Rows) -> torch.Tensor:
        """(b,) the loss of each slice."""
        mean, deviation, target = (part[rows].to(self.device) for part in (self.mean, self.deviation, self.target))
        found = self.network((magnitudes - mean) / deviation)
        if self.is_of_images:
            found = (found * deviation + mean) / self.units[rows].to(self.device)
        return self.loss(found, target)

    def _batches(self, rows: NDArray | None) -> list[Rows]:
        """The slices of each batch; where all count, as slices of arrays, of which nothing is copied."""
        if rows is None:
            step = step_of(len(self.slices), self.batch, self.device)
            return [slice(start, start + step) for start in range(0, len(self.slices), step)]
        rows = np.arange(len(self.slices))[rows]
        step = step_of(len(rows), self.batch, self.device)
        return [rows[start : start + step] for start in range(0, len(rows), step)]

    def _enough_memory(self) -> AbstractContextManager[None]:
        advice = "Use smaller batches or fewer slices, or choose the device cpu."
        return out_of_memory_as_error(self.device, f"The network with {self.batch} slices in a batch", advice)
