"""How one slice grows with each line of a pattern: the image, its k-space, and what a network finds in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.kspace import to_kspace
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.pattern import Pattern

if TYPE_CHECKING:
    import torch

MOST_STEPS = 48
RANGE = 60.0
"""In dB: what is shown of k-space below its highest value."""


@dataclass(frozen=True, eq=False)
class Growth:
    """One slice (of a volume, one slice of it) of the first contrast with more and more lines.

    Attributes:
        lines: (steps,) how many lines each step has.
        images: (steps, h, w) float32 magnitudes.
        full: (h, w) of all lines.
        kspace: (rows, columns) float32, log magnitude of its k-space from 0 to 1, along the axes of ``plane_of``.
        labels: (steps, h, w) uint8 that a network finds; None without one that segments.
        truth: (h, w) uint8 true labels; None where there are none.
    """

    lines: NDArray
    images: NDArray
    full: NDArray
    kspace: NDArray
    labels: NDArray | None = None
    truth: NDArray | None = None


def growth_of(
    pattern: Pattern,
    dataset: SliceDataset,
    network: torch.nn.Module | None = None,
    *,
    row: int | None = None,
    batch: int = 16,
    device: str = "auto",
    most: int = MOST_STEPS,
) -> Growth:
    """The growth of one slice under a pattern, line by line as far as ``most`` steps allow.

    Args:
        pattern: its own order, whichever pattern is recommended.
        dataset: where the slice is from.
        network: for ``labels``, if it segments.
        row: number of the slice; ``example_row`` when not given.
        batch, device: for the network.
        most: fewer steps than lines leave some out, evenly.
    """
    row = example_row(dataset) if row is None else row
    one = dataset.subset([row])
    depth = example_depth(one)
    steps = np.unique(np.linspace(1, pattern.lines, min(most, pattern.lines)).round().astype(int))
    seen = np.concatenate([measured(one, pattern.masks(int(n)), pattern.encoding) for n in steps])
    labels = None
    if network is not None and one.task == "segmentation":
        from DeepMRILib.igs.network_predict import predict

        mean, std = (np.repeat(value, len(seen), axis=0) for value in one.normalisation())
        found = predict(network, seen, mean, std, batch=batch, device=device).argmax(axis=1)
        labels = shown_plane(found, depth).astype(np.uint8)
    return Growth(
        lines=steps,
        images=shown_plane(seen[:, 0], depth),
        full=shown_plane(one.magnitude()[0, 0], depth),
        kspace=log_kspace(one, pattern.encoding),
        labels=labels,
        truth=None if one.task != "segmentation" else shown_plane(one.targets[0], depth).astype(np.uint8),
    )


def example_row(dataset: SliceDataset) -> int:
    """The slice for pictures: of those with most structures the one with the median area; else the middle one."""
    if dataset.task != "segmentation":
        return len(dataset) // 2
    flat = dataset.targets.reshape(len(dataset), -1)
    structures = np.array([np.count_nonzero(np.bincount(labels)[1:]) for labels in flat])
    busy = np.flatnonzero(structures == structures.max())
    by_area = busy[np.argsort(np.count_nonzero(flat[busy], axis=1), kind="stable")]
    return int(by_area[len(by_area) // 2])


def example_depth(one: SliceDataset) -> int | None:
    """Of a single volume the slice for pictures: where most is labelled, else the middle; None of a slice."""
    if one.spatial == 2:
        return None
    labelled = 0 if one.task != "segmentation" else np.count_nonzero(one.targets[0], axis=(1, 2))
    return int(np.argmax(labelled)) if np.any(labelled) else one.images.shape[2] // 2


def shown_plane(images: NDArray, depth: int | None) -> NDArray:
    """Slices (..., h, w) of volumes (..., d, h, w); of slices they themselves."""
    return images if depth is None else images[..., depth, :, :]


def plane_of(encoding: Encoding) -> tuple[int, int]:
    """The two axes of an image along which its k-space is drawn: those encoded, and of lines one more."""
    if len(encoding.axes) == 2:
        return encoding.axes
    other = -2 if encoding.axes[0] == -1 else -1
    return tuple(sorted((encoding.axes[0], other)))


def log_kspace(one: SliceDataset, encoding: Encoding) -> NDArray:
    """(rows, columns) float32: log magnitude of the k-space of a single slice, the highest 1, and 60 dB below it 0."""
    seen = one.images[0, 0] if one.coil_images is None else one.coil_images[0, 0]
    axes = tuple(range(-one.spatial, 0))
    power = np.abs(to_kspace(seen, axes)) ** 2
    plane = plane_of(encoding)
    others = tuple(axis for axis in range(-power.ndim, 0) if axis not in plane)
    power = power.sum(axis=others) if others else power
    decibels = 10 * np.log10(np.maximum(power, 1e-30) / max(float(power.max()), 1e-30))
    return np.clip(1 + decibels / RANGE, 0, 1).astype(np.float32)


def drawn_mask(mask: NDArray, encoding: Encoding, shape: tuple[int, int]) -> NDArray:
    """A mask (*encoding.shape) over a picture (rows, columns) of k-space, as ``log_kspace`` gives it."""
    if len(encoding.axes) == 2:
        return mask
    along_columns = plane_of(encoding)[1] == encoding.axes[0]
    return np.broadcast_to(mask[None, :] if along_columns else mask[:, None], shape)
