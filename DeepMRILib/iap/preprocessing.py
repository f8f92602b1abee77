"""A slice made ready for the published network (preprocessing "duke"): grey values as its training had them.

Konz and Mazurowski (MIDL 2023) wrote each slice to an 8-bit picture and scaled it again when they read it. Both steps
cut fractions off, and a slice must go through both for the network to see what it was trained on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError

SIZE = 224
"""Rows and columns that slices are resized to, whatever their aspect ratio."""
SAME_SPACING = 1e-6
"""Pixels whose edges differ by a smaller fraction are square: formats with float32 spacing round at about 1e-7."""
PREPROCESSING = {
    "name": "duke",
    "intensity": "twice: x 255 / max, fractions cut off, to 8 bits; MONOCHROME1 inverted in between",
    "shape": f"resized to {SIZE} x {SIZE} bilinearly, without anti-aliasing and without keeping the aspect ratio",
}


def eight_bits(image: ArrayLike) -> NDArray:
    """Grey values (rows, columns) uint8: x 255 / max with fractions cut off.

    Where upstream's cast is undefined something is chosen: what is negative or no finite number counts as 0, and a
    slice of nothing but zeros stays that.

    Example:
        >>> eight_bits([[0, 1, 2], [3, 4, 1000]]).tolist()
        [[0, 0, 0], [0, 1, 255]]
        >>> eight_bits([[0, 0]]).tolist()
        [[0, 0]]
    """
    values = np.asarray(image)
    if values.dtype.kind not in "biuf":
        raise InputError(f"A slice holds values of type {values.dtype}; expected grey values, which are real numbers.")
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(values.max(initial=0.0))
    if largest <= 0:
        return np.zeros(values.shape, np.uint8)
    return (np.maximum(values, 0) * 255.0 / largest).astype(np.uint8)


def inverted(image: ArrayLike) -> NDArray:
    """A slice whose zero is white (MONOCHROME1), as one whose zero is black (rows, columns) uint8.

    Inverted after the first scaling, as upstream does; ``prepared`` of it is what upstream's network saw.

    Example:
        >>> inverted([[0, 1000]]).tolist()
        [[255, 0]]
    """
    return ~eight_bits(image)


def prepared(image: ArrayLike) -> NDArray:
    """Both scalings: grey values (rows, columns) uint8, before they are resized.

    Raises:
        InputError: not a 2D array of numbers.

    Example:
        >>> prepared([[0, 600], [900, 1200]]).tolist()
        [[0, 127], [191, 255]]
    """
    values = np.asarray(image)
    if values.ndim != 2 or values.size == 0:
        raise InputError(
            f"A slice has the shape {values.shape}; expected one of grey values (rows, columns). Colour images are "
            "none of MRI."
        )
    return eight_bits(eight_bits(values))


def has_square_pixels(spacing: tuple[float, float]) -> bool:
    """Whether pixels of these edges in mm are square.

    Example:
        >>> has_square_pixels((0.7, 0.7)), has_square_pixels((0.7, 0.8))
        (True, False)
    """
    return math.isclose(spacing[0], spacing[1], rel_tol=SAME_SPACING)


def check_square_pixels(spacing: tuple[float, float]) -> None:
    """Refuse pixels that are not square, as upstream does: its network takes a field of view from the air around.

    Raises:
        InputError: they are not.
    """
    if not has_square_pixels(spacing):
        raise InputError(
            f"The pixels measure {spacing[0]:g} x {spacing[1]:g} mm; the published network takes square ones only, as "
            "its training did. Resample the image to square pixels, or choose another network."
        )
