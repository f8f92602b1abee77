"""Phase images in radians, whatever unit a scanner stores them in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError


class _Unit(NamedTuple):
    """The values that one turn covers in some scanner's files."""

    low: float
    high: float
    name: str


_UNITS = (
    _Unit(0, 4096, "scanner units from 0 to 4095"),
    _Unit(-4096, 4096, "scanner units from -4096 to 4095"),
    _Unit(-2048, 2048, "scanner units from -2048 to 2047"),
    _Unit(-1000 * np.pi, 1000 * np.pi, "milliradians"),
    _Unit(-180, 180, "degrees"),
    _Unit(0, 360, "degrees"),
)
_FILLED = 0.97
"""A phase image reaches both ends of its range: the noise of the background has every phase."""


def phase_in_radians(phase: NDArray) -> tuple[NDArray, str]:
    """A phase image in radians, and the sentence that says what it was taken for.

    Values within -2 pi to 2 pi are radians. Anything else must fill one of the ranges in which scanners store one turn.

    Raises:
        InputError: no range fits, or values that are not finite.

    Example:
        >>> phase_in_radians(np.array([-4096.0, 0, 4094]))[0].round(3).tolist()
        [-3.142, 0.0, 3.14]
    """
    values = np.asarray(phase)
    if not np.isfinite(values).all():
        raise InputError("The phase image holds NaN or infinite values. Replace them, by 0 for instance.")
    values = values.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if max(-low, high) <= 2 * np.pi + 1e-3:
        return values, "The phase image was taken as radians."
    for unit in sorted(_UNITS, key=lambda unit: unit.high - unit.low):
        turn = unit.high - unit.low
        slack = 1e-3 * turn
        if unit.low - slack <= low and high <= unit.high + slack and high - low >= _FILLED * turn:
            middle = (unit.low + unit.high) / 2
            return (values - middle) * (2 * np.pi / turn), f"The phase image was taken as {unit.name}."
    raise InputError(
        f"The phase image goes from {low:g} to {high:g}, which is neither radians nor a scanner's range such as -4096 "
        "to 4095. Convert it to radians."
    )
