"""k-space: centred and orthonormal, the zero frequency (DC) at ``n // 2`` of each axis, odd sizes included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError


def to_kspace(images: NDArray, axes: Sequence[int]) -> NDArray:
    """The centred orthonormal Fourier transform of ``images`` along ``axes``; complex64, or complex128 of doubles."""
    from scipy import fft

    shifted = np.fft.ifftshift(images, axes=axes)
    return np.fft.fftshift(fft.fftn(shifted, axes=axes, norm="ortho"), axes=axes)


def from_kspace(kspace: NDArray, axes: Sequence[int]) -> NDArray:
    """The inverse of ``to_kspace``."""
    from scipy import fft

    shifted = np.fft.ifftshift(kspace, axes=axes)
    return np.fft.fftshift(fft.ifftn(shifted, axes=axes, norm="ortho"), axes=axes)


def line_count(size: int, *, lines: int | None = None, acceleration: float | None = None) -> int:
    """How many of ``size`` lines (or points) are acquired: as many as said, or ``size / acceleration``, rounded.

    Raises:
        InputError: neither or both are given, or the number is not from 1 to ``size``.

    Example:
        >>> line_count(256, acceleration=8)
        32
    """
    if (lines is None) == (acceleration is None):
        raise InputError("Give either a number of lines or an acceleration.")
    if lines is None:
        if not 1 <= acceleration <= size:
            raise InputError(
                f"The acceleration is {acceleration:g}; with {size} lines it must lie between 1 and {size}."
            )
        return max(1, round(size / acceleration))
    if not 1 <= lines <= size:
        if size == 1:
            raise InputError(f"{lines} lines were asked for, and there is only one. Ask for 1, or give larger images.")
        raise InputError(f"{lines} lines were asked for, and there are {size}. Ask for 1 to {size}.")
    return int(lines)
