"""A slice made ready for our own network (preprocessing "iap"): scaled, square, resized; and what resizing would lose.

Noise tells of field strength and of the voxels' size, and goes when an image is made smaller. So it is measured on the
slice as it came, and given to the network beside the image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BRIGHT = 0.995
"""The quantile of a slice's grey values that becomes 1."""
LARGEST = 1.5
"""Grey values are cut off here."""
CUES = ("noise", "background", "aspect")
"""What ``cues`` tells."""
LEAST = 1e-4


def scaled(image: ArrayLike) -> NDArray:
    """Grey values (rows, columns) float32 from 0, 1 at the brightest half percent: a gain changes nothing.

    Negative values, as some headers' intercepts make them, are taken up by starting from the lowest; what is no finite
    number counts as 0.

    Example:
        >>> bool(np.allclose(scaled([[0, 5], [10, 20]]), scaled([[0, 50], [100, 200]])))
        True
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    values = values - min(float(values.min()), 0.0)
    bright = float(np.quantile(values, BRIGHT)) or float(values.max()) or 1.0
    return np.minimum(values / np.float32(bright), np.float32(LARGEST))


def cues(values: NDArray) -> NDArray:
    """The numbers ``CUES`` (3,) float32 of a scaled slice, each about within -2 to 2.

    Noise is the median of |second differences along both axes| (Immerkaer 1996), which smooth tissue does not have;
    the background is a low quantile; aspect is the logarithm of rows over columns.
    """
    rows, columns = values.shape
    noise, background = 0.0, float(np.quantile(values, 0.1))
    if rows > 2 and columns > 2:
        across = values[:, 2:] - 2 * values[:, 1:-1] + values[:, :-2]
        both = np.abs(across[2:] - 2 * across[1:-1] + across[:-2]) / 6
        noise = float(np.median(both)) / 0.6745
    return np.array(
        [np.log10(max(noise, LEAST)) + 2, np.log10(max(background, LEAST)) + 2, np.log(rows / columns)], np.float32
    )


def square(values: NDArray) -> NDArray:
    """The slice in the middle of a square of zeros: nothing is stretched.

    Example:
        >>> square(np.ones((1, 3), np.float32)).sum(axis=1).tolist()
        [0.0, 3.0, 0.0]
    """
    rows, columns = values.shape
    edge = max(rows, columns)
    top, left = (edge - rows) // 2, (edge - columns) // 2
    return np.pad(values, ((top, edge - rows - top), (left, edge - columns - left)))
