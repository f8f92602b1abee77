"""Blocks: the lines or points nearest to a middle, at DC (the centre) or shifted from it (as partial Fourier)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.encoding import Encoding


def block_mask(encoding: Encoding, count: int, shift: Sequence[int] | None = None) -> NDArray:
    """(*shape) bool: the ``count`` lines or points nearest to DC, or to what lies ``shift`` from it.

    Of an even number the further one is on the negative side, as in fastMRI's masks. A block that would reach over
    the end of k-space is moved back, so that it always has ``count`` lines.

    Example:
        >>> block_mask(Encoding((-1,), (8,)), 4).astype(int)
        array([0, 0, 1, 1, 1, 1, 0, 0])
    """
    middle = np.zeros(len(encoding.shape)) if shift is None else np.asarray(shift, dtype=float)
    if len(encoding.shape) == 1:
        n = encoding.shape[0]
        start = int(np.clip(n // 2 + round(float(middle[0])) - count // 2, 0, n - count))
        mask = np.zeros(n, dtype=bool)
        mask[start : start + count] = True
        return mask
    # a little to the negative side first, so that equal distances have one order
    distance = np.linalg.norm((encoding.offsets() - middle + 0.01) / np.asarray(encoding.shape), axis=1)
    mask = np.zeros(encoding.size, dtype=bool)
    mask[np.argsort(distance, kind="stable")[:count]] = True
    return mask.reshape(encoding.shape)
