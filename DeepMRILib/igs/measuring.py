"""What a scanner would see of full images through a mask: undersampled k-space, zero-filled, as magnitudes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.kspace import from_kspace, to_kspace


def measured(dataset: SliceDataset, masks: NDArray, encoding: Encoding) -> NDArray:
    """(n, c, h, w) float32: magnitudes of the dataset's images from the k-space that a mask leaves.

    Args:
        dataset: with its coils, where it has some.
        masks: (contrasts or 1, *shape) bool or weights.
        encoding: the phase-encoded axes.
    """
    return zero_filled(acquired(dataset, encoding), dataset, masks, encoding)


def acquired(dataset: SliceDataset, encoding: Encoding) -> NDArray:
    """The images, or those of the coils, as k-space along the encoded axes: along the readout nothing is left out."""
    seen = dataset.images if dataset.coil_images is None else dataset.coil_images
    return to_kspace(seen, encoding.axes)


def zero_filled(kspace: NDArray, dataset: SliceDataset, masks: NDArray, encoding: Encoding) -> NDArray:
    """As ``measured``, of k-space that was ``acquired``: for several masks it is transformed once."""
    spread = encoding.spread(masks, dataset.spatial)
    if dataset.coil_images is not None:
        spread = spread[:, None]
    return combined(from_kspace(kspace * spread, encoding.axes), dataset).astype(np.float32)


def combined(images: NDArray, dataset: SliceDataset) -> NDArray:
    """Magnitudes (n, c, h, w) of what the coils saw (n, c, coils, h, w), or of images without coils.

    With sensitivities S the combination is |sum of conj(S) z| / sum of |S|^2 (SENSE without undersampling), without
    them the root of the sum of squares.
    """
    if dataset.coil_images is None:
        return np.abs(images)
    if dataset.sensitivities is None:
        return np.sqrt((np.abs(images) ** 2).sum(axis=2))
    maps = dataset.sensitivities[:, None]
    power = (np.abs(maps) ** 2).sum(axis=2)
    return np.abs((np.conj(maps) * images).sum(axis=2)) / np.maximum(power, 1e-12)
