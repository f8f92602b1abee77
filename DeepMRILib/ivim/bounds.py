"""Bounds and typical values of the IVIM parameters, by body part."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from DeepMRILib.errors import InputError

Interval = tuple[float, float]


@dataclass(frozen=True)
class Bounds:
    """The lowest and highest value that a bi-exponential fit may return, for each parameter.

    Attributes:
        D: diffusion coefficient in mm2/s.
        f: perfusion fraction.
        D_star: pseudo-diffusion coefficient in mm2/s. The fit also keeps D* > D where the two intervals overlap.
        S0: signal at b = 0 as a multiple of the mean signal at the lowest b-value.

    Raises:
        InputError: an interval is not two finite ascending numbers, leaves what is physically possible, or leaves no
            room for D* above D.
    """

    D: Interval = (0.0, 0.005)
    f: Interval = (0.0, 0.7)
    D_star: Interval = (0.005, 0.2)
    S0: Interval = (0.7, 1.3)

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, _checked(item.name, getattr(self, item.name)))
        if self.f[1] > 1:
            raise InputError(f"The bounds of f are {self.f}; a fraction cannot exceed 1.")
        if self.S0[0] <= 0:
            raise InputError(f"The bounds of S0 are {self.S0}; the signal at b = 0 must be above 0.")
        if self.D_star[1] <= self.D[0] or self.D_star[1] <= 0:
            raise InputError(
                f"The bounds of D* are {self.D_star} and those of D {self.D}; "
                "the upper bound of D* must lie above the lower bound of D."
            )


def _checked(name: str, interval: Interval) -> Interval:
    if not isinstance(interval, (tuple, list)) or len(interval) != 2:
        raise InputError(f"The bounds of {name} are {interval!r}; give the lowest and the highest value.")
    low, high = float(interval[0]), float(interval[1])
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low <= high):
        raise InputError(f"The bounds of {name} are {low:g} to {high:g}; expected 0 <= lowest <= highest, both finite.")
    return low, high


@dataclass(frozen=True)
class TypicalValues:
    """Parameter values to start an iterative fit from: D and D* in mm2/s, S0 relative as in ``Bounds``."""

    D: float = 0.001
    f: float = 0.1
    D_star: float = 0.01
    S0: float = 1.0


@dataclass(frozen=True)
class BodyPart:
    """What is known of a body part before the fit."""

    bounds: Bounds
    typical: TypicalValues


GENERAL = Bounds()
"""Bounds of least squares in Kaandorp et al., Magn Reson Med 2021;86:2250-2265 (code: IVIMNET)."""

ABDOMINAL_D_STAR = (0.008, 0.2)
"""Just below the slowest D* of abdominal tissue in the OSIPI reference signals, 0.010 mm2/s of pancreas.

Lower still, the fast compartment becomes a second kind of tissue: with 0.005 the median D of the kidneys of volunteers
1 and 4 in Testing/benchmarks/bench_abdomen.py comes out 1.2e-3 and 0.8e-3 mm2/s below the published one.
"""

BROAD = Bounds(f=(0.0, 1.0), S0=(0.5, 1.5))
"""Bounds of the OSIPI IVIM task force for every organ: wide, so that lesions are not clipped."""

ABDOMINAL_ORGAN = replace(BROAD, D_star=ABDOMINAL_D_STAR)

BODY_PARTS: dict[str, BodyPart] = {
    # Typical values: OSIPI TF2.4 IVIM code collection, body-part table (benign tissue where it has two rows).
    "abdomen": BodyPart(replace(GENERAL, D_star=ABDOMINAL_D_STAR), TypicalValues()),
    "brain": BodyPart(BROAD, TypicalValues(D=0.83e-3, f=0.0764, D_star=10.88e-3)),
    "liver": BodyPart(ABDOMINAL_ORGAN, TypicalValues(D=1.09e-3, f=0.2305, D_star=70.02e-3)),
    "pancreas": BodyPart(ABDOMINAL_ORGAN, TypicalValues(D=1.41e-3, f=0.2003, D_star=25.39e-3)),
    "kidney": BodyPart(ABDOMINAL_ORGAN, TypicalValues(D=1.89e-3, f=0.1888, D_star=40.53e-3)),
    # The table has no prostate: its general values.
    "prostate": BodyPart(BROAD, TypicalValues()),
    "breast": BodyPart(BROAD, TypicalValues(D=1.43e-3, f=0.07, D_star=52.33e-3)),
    "muscle": BodyPart(BROAD, TypicalValues(D=1.47e-3, f=0.1034, D_star=30.88e-3)),
}


def body_part(name: str) -> BodyPart:
    """Bounds and typical values of a body part.

    Raises:
        InputError: the name is not in ``BODY_PARTS``.

    Example:
        >>> body_part("liver").bounds.D_star
        (0.008, 0.2)
    """
    if name not in BODY_PARTS:
        raise InputError(f"{name!r} is not a known body part; choose one of {', '.join(BODY_PARTS)}.")
    return BODY_PARTS[name]
