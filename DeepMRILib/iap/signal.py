"""Signal equations of spin echo, spoiled gradient echo and inversion recovery; times in ms, angles in degrees.

All arguments may be arrays that numpy can broadcast. Bernstein, King and Zhou, Handbook of MRI Pulse Sequences (2004),
sections 14.1 (gradient echo), 14.2 (inversion recovery) and 14.3 (spin echo), derive them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

PROTON_MHZ_PER_T = 42.577
"""Gyromagnetic ratio of the proton over 2 pi."""
FAT_SHIFT_PPM = 3.4
"""How far the main line of fat lies below that of water."""


def spin_echo(density: ArrayLike, t1: ArrayLike, t2: ArrayLike, *, tr: ArrayLike, te: ArrayLike) -> NDArray:
    """S = PD [1 - 2 exp(-(TR - TE/2) / T1) + exp(-TR / T1)] exp(-TE / T2); of a fast spin echo with its effective TE.

    Example:
        >>> round(float(spin_echo(1.0, 1000.0, 100.0, tr=1000.0, te=100.0)), 4)
        0.2187
    """
    density, t1, t2, tr, te = (np.asarray(one) for one in (density, t1, t2, tr, te))
    return density * (1 - 2 * np.exp(-(tr - te / 2) / t1) + np.exp(-tr / t1)) * np.exp(-te / t2)


def spoiled_gradient_echo(
    density: ArrayLike, t1: ArrayLike, t2_star: ArrayLike, *, tr: ArrayLike, te: ArrayLike, flip: ArrayLike
) -> NDArray:
    """S = PD sin(a) (1 - E1) / (1 - E1 cos(a)) exp(-TE / T2*), E1 = exp(-TR / T1) (Ernst and Anderson 1966).

    Example:
        >>> round(float(spoiled_gradient_echo(1.0, 1000.0, 1e9, tr=10.0, te=0.0, flip=90.0)), 5)
        0.00995
    """
    density, t1, t2_star, tr, te = (np.asarray(one) for one in (density, t1, t2_star, tr, te))
    angle, e1 = np.deg2rad(flip), np.exp(-tr / t1)
    return density * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle)) * np.exp(-te / t2_star)


def inversion_recovery(
    density: ArrayLike, t1: ArrayLike, t2: ArrayLike, *, tr: ArrayLike, te: ArrayLike, ti: ArrayLike
) -> NDArray:
    """S = PD [1 - 2 exp(-TI / T1) + exp(-TR / T1)] exp(-TE / T2), with its sign: images show the magnitude.

    Example:
        >>> round(abs(float(inversion_recovery(1.0, 1000.0, 100.0, tr=1e6, te=0.0, ti=1000 * np.log(2)))), 6)
        0.0
    """
    density, t1, t2, tr, te, ti = (np.asarray(one) for one in (density, t1, t2, tr, te, ti))
    return density * (1 - 2 * np.exp(-ti / t1) + np.exp(-tr / t1)) * np.exp(-te / t2)


def washed_out(te: float, velocity: float, thickness: float) -> float:
    """What is left of flowing blood's spin echo: who has left the slice before the 180 degree pulse gives none, so
    vessels are dark. 1 - v TE / (2 d), velocity in mm/ms, thickness in mm (Bradley and Waluch, Radiology 1985;154:443).

    Example:
        >>> washed_out(20.0, 0.1, 4.0), washed_out(100.0, 0.1, 4.0)
        (0.75, 0.0)
    """
    return max(0.0, 1 - velocity * te / (2 * thickness))


def fresh(tr: float, velocity: float, thickness: float) -> float:
    """Which part of the blood in a slice has come in since the last excitation and gives the signal of blood that no
    pulse has saturated: vessels are bright in gradient echoes. v TR / d, at most 1 (Bradley and Waluch 1985).

    Example:
        >>> fresh(10.0, 0.1, 4.0), fresh(500.0, 0.1, 4.0)
        (0.25, 1.0)
    """
    return min(1.0, velocity * tr / thickness)


def ernst_angle(t1: ArrayLike, tr: ArrayLike) -> NDArray:
    """The flip angle of the largest spoiled gradient echo: cos(a) = exp(-TR / T1).

    Example:
        >>> round(float(ernst_angle(1000.0, 1000 * np.log(2))), 6)
        60.0
    """
    return np.rad2deg(np.arccos(np.exp(-np.asarray(tr) / np.asarray(t1))))


def fat_frequency(field: float) -> float:
    """By how many Hz fat's protons turn slower than water's at a field strength in T: 217 at 1.5, 434 at 3.

    Example:
        >>> round(fat_frequency(1.5)), round(fat_frequency(3.0))
        (217, 434)
    """
    return FAT_SHIFT_PPM * PROTON_MHZ_PER_T * field


def fat_phase(field: float, te: float) -> complex:
    """exp(i 2 pi df TE): how fat's signal stands to water's in a gradient echo; a spin echo brings it back to 1.

    Example:
        >>> in_phase = 1e3 / fat_frequency(1.5)
        >>> round(fat_phase(1.5, in_phase).real, 6), round(fat_phase(1.5, in_phase / 2).real, 6)
        (1.0, -1.0)
    """
    return complex(np.exp(2j * np.pi * fat_frequency(field) * te / 1e3))
