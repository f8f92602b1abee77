"""Which axes of an image are phase-encoded, and how a mask of lines or points lies on its k-space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError


@dataclass(frozen=True)
class Encoding:
    """The phase-encoded axes.

    Attributes:
        axes: of the image, negative and ascending: one for lines, two for points (ky-kz, the readout is along the
            third axis, or perpendicular to the slice).
        shape: the number of lines (N,), or of points (N1, N2).

    Example:
        >>> Encoding.of((4, 2, 64, 48), -2).shape
        (64,)
    """

    axes: tuple[int, ...]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, image_shape: Sequence[int], axis: int, second_axis: int = 0) -> Encoding:
        """The encoding of images (n, c, h, w) or (n, c, d, h, w) along ``axis``, and ``second_axis`` if it is not 0.

        Raises:
            InputError: an axis that the images do not have, or the same one twice.
        """
        spatial = len(image_shape) - 2
        axes = tuple(sorted({axis, second_axis} - {0}))
        for one in (axis, *axes):
            if not -spatial <= one <= -1:
                raise InputError(f"The axis {one} is no axis of these images; choose one of -1 to {-spatial}.")
        if second_axis and len(axes) == 1:
            raise InputError(f"Both phase-encoded axes are {axis}. Choose two different axes, or 0 for the second.")
        return cls(axes, tuple(int(image_shape[one]) for one in axes))

    @property
    def size(self) -> int:
        """The number of lines, or points."""
        return int(np.prod(self.shape))

    @property
    def centre(self) -> int:
        """The flat index of the zero frequency."""
        return int(np.ravel_multi_index([n // 2 for n in self.shape], self.shape))

    @property
    def word(self) -> str:
        """What its units are called."""
        return "lines" if len(self.shape) == 1 else "points"

    def offsets(self) -> NDArray:
        """(size, axes) how far each line or point lies from DC, in cycles per field of view."""
        grids = np.meshgrid(*[np.arange(n) - n // 2 for n in self.shape], indexing="ij")
        return np.stack([grid.ravel() for grid in grids], axis=1)

    def spread(self, mask: NDArray, spatial: int) -> NDArray:
        """A mask (contrasts or 1, *shape) as (contrasts or 1, spatial...), 1 along what is not encoded.

        Args:
            mask: of any type.
            spatial: how many spatial axes the images have: 2 or 3.
        """
        full = [1] * spatial
        for axis, n in zip(self.axes, self.shape, strict=True):
            full[axis] = n
        return np.asarray(mask).reshape(-1, *full)

    def gather(self, values: NDArray) -> NDArray:
        """Sum values (c, spatial...) over every axis that is not encoded: (c, *shape)."""
        spatial = values.ndim - 1
        others = tuple(axis for axis in range(-spatial, 0) if axis not in self.axes)
        return values.sum(axis=others) if others else values
