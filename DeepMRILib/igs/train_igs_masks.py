"""What a network sees in training: full images, and images under random masks that are new in each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch.utils.data import Dataset

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.measuring import combined

LEAST_ACCELERATION = 2.0


@dataclass(frozen=True)
class MaskMix:
    """Which masks are drawn.

    Attributes:
        encoding: the phase-encoded axes.
        full: fraction of images that are left full.
        highest: acceleration.
    """

    encoding: Encoding
    full: float
    highest: float

    def draw(self, random: np.random.Generator) -> NDArray | None:
        """(*shape) bool, or None for a full image.

        Lines are ranked by how far they lie from a middle, blurred by chance: not at all for the centre and for blocks
        that are shifted from it, a little for variable density, wholly for random lines around a few of the centre.
        DC is always there. The acceleration is drawn with equal chance for each factor (log-uniform).
        """
        if random.random() < self.full or self.highest <= 1:
            return None
        low = min(LEAST_ACCELERATION, self.highest)
        lines = max(1, round(self.encoding.size / np.exp(random.uniform(np.log(low), np.log(self.highest)))))
        offsets, shape = self.encoding.offsets(), np.asarray(self.encoding.shape)
        kind = random.choice(("centre", "block", "variable_density", "random"))
        width = shape * (lines / self.encoding.size) ** (1 / len(shape))
        middle = random.uniform(-0.5, 0.5, len(shape)) * width if kind == "block" else np.zeros(len(shape))
        # distances in lines of the first axis, so that points are ranked by circles in cycles per field of view
        distance = np.linalg.norm((offsets - middle) * (shape[0] / shape), axis=1)
        # the lines with the greatest log(density) + Gumbel noise are drawn by this density, none of them twice
        chance = random.gumbel(size=self.encoding.size)
        if kind == "variable_density":
            rank = -distance / (random.uniform(0.3, 1.0) * width[0]) + chance
        elif kind == "random":
            rank = np.where(distance < random.uniform(0, 0.25) * width[0], np.inf, chance)
        else:
            rank = -distance
        rank[self.encoding.centre] = np.inf
        mask = np.zeros(self.encoding.size, dtype=bool)
        mask[np.argpartition(-rank, lines - 1)[:lines]] = True
        return mask.reshape(self.encoding.shape)


class Undersampler:
    """Images of a dataset under a mask of each slice's own, normalised as their full images."""

    def __init__(self, dataset: SliceDataset, encoding: Encoding) -> None:
        self.encoding = encoding
        self.spatial = dataset.spatial
        self.images = replace(dataset, targets=None, names={})  # without targets, parts of it are quick to take
        self.mean, self.deviation = (part.reshape(*part.shape, *[1] * self.spatial) for part in dataset.normalisation())

    def full(self, rows: NDArray) -> NDArray:
        """(b, c, h, w) the full images, normalised."""
        return self._normalised(np.abs(self.images.images[rows]), rows)

    def seen(self, rows: NDArray, masks: Sequence[NDArray | None]) -> NDArray:
        """(b, c, h, w) float32: each image under its mask (None leaves it full), normalised."""
        found = self.full(rows)
        masked = np.array([n for n, mask in enumerate(masks) if mask is not None], dtype=int)
        if len(masked):
            under = self._under(rows[masked], np.stack([masks[n] for n in masked]))
            found[masked] = self._normalised(under, rows[masked])
        return found

    def truth(self) -> NDArray:
        """(n, c, h, w) the images that reconstructions are compared with, normalised as their input."""
        return self._normalised(self.images.truth(), np.arange(len(self.images)))

    def _normalised(self, images: NDArray, rows: NDArray) -> NDArray:
        return ((images - self.mean[rows]) / self.deviation[rows]).astype(np.float32, copy=False)

    def _under(self, rows: NDArray, masks: NDArray) -> NDArray:
        """As ``measuring.measured``, with a mask (b, *shape) for each slice.

        Only encoded axes are transformed, and the mask is shifted instead of k-space: there and back, shifts of the
        image cancel.
        """
        part = self.images.subset(rows)
        coils = part.coil_images
        axes = self.encoding.axes
        weights = self.encoding.spread(np.fft.ifftshift(masks, axes=range(1, masks.ndim)), self.spatial)
        weights = weights[:, None] if coils is None else weights[:, None, None]
        kspace = fft.fftn(part.images if coils is None else coils, axes=axes)
        kspace *= weights
        return combined(fft.ifftn(kspace, axes=axes, overwrite_x=True), part)


class MaskedSlices(Dataset):
    """Slices with their targets, of which each is seen under another mask in each epoch.

    A mask depends on the epoch's seed and the number of the slice alone, not on the batch or the process.
    """

    def __init__(self, dataset: SliceDataset, mix: MaskMix) -> None:
        self.dataset, self.mix = dataset, mix
        self.undersampler = Undersampler(dataset, mix.encoding)
        self.targets = targets_of(dataset, self.undersampler)
        self.seed = 0

    def __len__(self) -> int:
        return len(self.dataset)

    def set_random_state(self, seed: int | None = None) -> None:
        """Called by the training loop before each epoch."""
        self.seed = seed or 0

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        images, targets = self.__getitems__([index])
        return images[0], targets[0]

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch: images (b, c, h, w) and their targets."""
        rows = np.asarray(indices)
        masks = [self.mix.draw(np.random.default_rng([self.seed, index])) for index in indices]
        return torch.from_numpy(self.undersampler.seen(rows, masks)), torch.from_numpy(self.targets[rows])


def targets_of(dataset: SliceDataset, undersampler: Undersampler) -> NDArray:
    """What the loss compares with: labels or classes int64, or normalised images float32."""
    return undersampler.truth() if dataset.targets is None else dataset.targets


def drawn_once(dataset: SliceDataset, mix: MaskMix, seed: int, copies: int = 1) -> tuple[NDArray, NDArray]:
    """Images (copies * n, c, h, w) under masks that stay, and their targets: for slices held out."""
    undersampler = Undersampler(dataset, mix.encoding)
    rows = np.tile(np.arange(len(dataset)), copies)
    masks = [mix.draw(np.random.default_rng([seed, number])) for number in range(len(rows))]
    return undersampler.seen(rows, masks), targets_of(dataset, undersampler)[rows]
