"""A segmentation kept as the part of an image that it fills: many fit into memory, each can be written whole."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.crop import Box
from DeepMRILib.volume import LabelVolume


@dataclass(frozen=True, eq=False)
class PlacedMask:
    """Labels of a part of an image.

    Attributes:
        labels: (i, j, k) uint8 of the part, 0 none, 1 the first label, ...
        start: the part's first voxel in the image.
        shape: of the image.
        affine: (4, 4) of the image, voxel index to RAS mm.
        names: of the labels.

    Example:
        >>> part = PlacedMask(np.ones((1, 1, 1), np.uint8), (2, 0, 0), (3, 1, 1), np.eye(4))
        >>> part.whole.ravel().tolist()
        [0, 0, 1]
    """

    labels: NDArray
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    affine: NDArray
    names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: NDArray, affine: NDArray, names: dict[int, str] | None = None) -> PlacedMask:
        """The labels (i, j, k) of a whole image, cut to what they fill."""
        spans = [_span(labels.any(axis=tuple(other for other in range(3) if other != axis))) for axis in range(3)]
        part = labels[tuple(slice(*span) for span in spans)].astype(np.uint8)
        return cls(part, tuple(first for first, _ in spans), labels.shape, affine, names or {})

    @property
    def box(self) -> Box:
        """Where the part lies."""
        return Box(self.start, tuple(first + n for first, n in zip(self.start, self.labels.shape, strict=True)))

    @property
    def whole(self) -> NDArray:
        """(i, j, k) uint8 on the whole image."""
        array = np.zeros(self.shape, dtype=np.uint8)
        array[self.box.slices] = self.labels
        return array

    @property
    def volume(self) -> LabelVolume:
        """The whole image's labels with their place and names."""
        return LabelVolume(self.whole, self.affine, self.names)


def _span(filled: NDArray) -> tuple[int, int]:
    """First and one beyond the last of what is true; the first place alone where nothing is."""
    found = np.flatnonzero(filled)
    return (int(found[0]), int(found[-1]) + 1) if found.size else (0, 1)
